"""Partition: cut every layer into parts that fit a core, and put small parts together on cores.

Each part is as large as a core can hold; the last, smaller part of each layer shares a core with others. The largest of
these parts are placed first, each on the core with which it shares most senders (so most messages). Then cores are
emptied, the least filled first, while all their parts fit on other cores, whole or cut, and there are more cores than
the lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...nodes.arithmetic import ceil_div
from .memory import Footprint, Need
from .parts import Part

GIVE_UP = 32  # failed attempts to empty a core before the search ends
PIECES = 8  # a part is cut into at most so many pieces to move it to other cores


@dataclass
class OpenCore:
    """A core that is being filled: its parts, and what they need together."""

    parts: list[Part]
    need: Need

    def add(self, part: Part, need: Need) -> None:
        self.parts.append(part)
        self.need = self.need + need

    def holds(self, layer: str) -> bool:
        return any(part.layer == layer for part in self.parts)


def partition(footprint: Footprint, least: int = 1) -> list[tuple[Part, ...]]:
    """Return the parts on each core, in the order of the graph; the footprint keeps the result.

    ``least`` is a lower bound of the number of cores: it changes the time of the search, not its result.
    """
    if footprint.parts is None:
        footprint.parts = _partitioned(footprint, least)
    return footprint.parts


def _partitioned(footprint: Footprint, least: int) -> list[tuple[Part, ...]]:
    cores: list[OpenCore] = []
    rests: list[tuple[Part, Need]] = []
    for layer in footprint.layers:
        *full, rest = footprint.cut(layer)
        cores += [OpenCore([part], footprint.need(part)) for part in full]
        rests.append((rest, footprint.need(rest)))
    rests.sort(key=lambda item: -core_load(footprint, item[1]))
    for part, need in rests:
        core = _best(footprint, cores, part, need)
        if core is None:
            cores.append(OpenCore([part], need))
        else:
            core.add(part, need)
    _give_up_cores(footprint, cores, least)
    position = {layer: index for index, layer in enumerate(footprint.layers)}
    parts = [tuple(sorted(core.parts, key=lambda p: (position[p.layer], p.first))) for core in cores]
    return sorted(parts, key=lambda core: (position[core[0].layer], core[0].first))


def core_load(footprint: Footprint, need: Need) -> float:
    """Return the used share of the resource that is filled most."""
    used = footprint.used(need)
    return max(float(used[name] / limit) for name, limit in footprint.limits.items() if limit)


def _best(footprint: Footprint, cores: Iterable[OpenCore], part: Part, need: Need) -> OpenCore | None:
    """Return the core that shares most senders with a part, of those where it fits; the first of equals."""
    best, most = None, -1
    for core in cores:
        if _may_fit(footprint, core.need, need) and not core.holds(part.layer):
            shared = _shared(core.need, need)
            if shared > most and footprint.fits(core.need + need):
                best, most = core, shared
    return best


def _may_fit(footprint: Footprint, there: Need, need: Need) -> bool:
    """Quick check before the exact sum: the resources that cannot be shared suffice."""
    limits = footprint.limits
    return bool(
        there.neuron_words + need.neuron_words <= limits["neuron_words"]
        and there.synapse_words + need.synapse_words <= min(limits["synapse_words"], limits["core_words"])
        and there.groups + need.groups <= limits["groups"]
    )


def _shared(there: Need, need: Need) -> int:
    both = there.senders.keys() & need.senders
    return sum(int(np.count_nonzero(there.senders[name] & need.senders[name])) for name in both)


def _give_up_cores(footprint: Footprint, cores: list[OpenCore], least: int) -> None:
    """Empty the least filled cores into the others, until ``least`` cores are left or GIVE_UP attempts failed."""
    failures = 0
    while len(cores) > least and failures < min(GIVE_UP, len(cores)):
        victim = sorted(cores, key=lambda core: core_load(footprint, core.need))[failures]
        fuller = _spread(footprint, victim, [core for core in cores if core is not victim])
        if fuller is None:
            failures += 1
        else:
            cores[:] = fuller


def _spread(footprint: Footprint, victim: OpenCore, others: list[OpenCore]) -> list[OpenCore] | None:
    """Return the other cores with all parts of the victim added, None if a part does not fit."""
    others = [OpenCore(list(core.parts), core.need) for core in others]
    for part in sorted(victim.parts, key=lambda part: -part.neurons):
        need = footprint.need(part)
        home = _best(footprint, others, part, need)
        if home is not None:
            home.add(part, need)
        elif not _cut_over(footprint, part, sorted(others, key=lambda core: -_shared(core.need, need))):
            return None
    return others


def _cut_over(footprint: Footprint, part: Part, cores: Iterable[OpenCore]) -> bool:
    """Add a part to cores in pieces of at least 1 / PIECES of it; return whether all of it fits."""
    first, smallest = part.first, ceil_div(part.neurons, PIECES)
    for core in cores:
        rest = part._replace(first=first)
        least = rest._replace(last=min(first + smallest - 1, part.last))
        need = footprint.need(least)
        if core.holds(part.layer) or not _may_fit(footprint, core.need, need) or not footprint.fits(core.need + need):
            continue
        count = min(footprint.fitting(rest, beside=core.need), rest.neurons)
        piece = rest._replace(last=first + count - 1)
        core.add(piece, footprint.need(piece))
        first += count
        if first > part.last:
            return True
    return False

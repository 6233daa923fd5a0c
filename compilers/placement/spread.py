"""Spread: search for the way to cut layers over cores that costs least, by any cost.

A small graph is tried in every way: each layer cut anywhere into runs of neurons, the parts grouped on cores as they
may. Of a larger one, a layer is cut into parts that differ by no more than a neuron. Layers are first all cut alike,
over ever more cores, part k of each on core k or every part on a core of its own, until that helps no more. Then the
best is changed: a part moves to another core, or one layer is cut into one part more or fewer; then the best that was
not changed yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, pairwise, product
from math import comb, inf, prod

from ...graph import PlacedGraph
from .bounds import CoreBound
from .memory import Footprint, Part
from .place import lay

PATIENCE = 5  # numbers of cores that are tried without one that is better
EVERY = 16  # cores up to which each number is tried
TRIES = 400
BEST = 2  # whose cores get good places in the end
EFFORT = 100_000  # parts times cores of all that is tried: a try of a large graph takes long
QUICK = 0.01  # effort of the places of what is only tried
ALL = 500  # ways to cut and group that are all tried, if there are no more

Held = tuple[tuple[Part, ...], ...]
"""The parts on each core."""


@dataclass
class Search:
    """A search for the parts on at most ``most`` cores of least ``cost``; ``settle`` finds places, at an effort."""

    footprint: Footprint
    bound: CoreBound
    settle: Callable[[PlacedGraph, float], PlacedGraph]
    cost: Callable[[PlacedGraph], float | None]
    most: int
    tried: dict[Held, tuple[float, int]] = field(default_factory=dict)  # what it costs, and its cores
    effort: int = 0  # so far

    def best(self, starts: Iterable[PlacedGraph] = ()) -> list[PlacedGraph]:
        """Return the best that were found, each with its cores at good places; ``starts`` are tried too."""
        every = all_held(self.footprint, self.most)
        if every is not None:
            for held in every:
                self._try(held)
            return [self._placed(held, effort=1.0) for held in self._ranked()]
        for held in (held_by(self.footprint, start) for start in starts):
            if len(held) <= self.most:
                self._try(held)
        for cut in (stacked, apart):
            self._cut_alike(cut)
        self._change_best()
        return [self._placed(held, effort=1.0) for held in self._ranked()]

    def _cut_alike(self, cut: Callable[[Footprint, int], Held]) -> None:
        best, since = (inf, 0), 0
        for count in self._counts():
            if since == PATIENCE or len(held := cut(self.footprint, count)) > self.most:
                return
            found = self._try(held)
            since = 0 if found < best or best[0] == inf else since + 1
            best = min(best, found)

    def _counts(self) -> Iterator[int]:
        """Yield over how many cores the layers are cut."""
        count, largest = 1, max(self.footprint.graph.nodes[layer].neurons for layer in self.footprint.layers)
        while count <= largest and not self.spent:
            yield count
            count += max(1, count // EVERY)

    def _change_best(self) -> None:
        """Try all changes of the best, then of the best whose changes were not tried yet, as often as TRIES allow."""
        done: set[Held] = set()
        while len(self.tried) < TRIES and not self.spent:
            best = min((held for held in self.tried if held not in done), key=self.tried.__getitem__, default=None)
            if best is None or self.tried[best][0] == inf:
                return
            done.add(best)
            for held in self._changes(best):
                self._try(held)

    def _changes(self, held: Held) -> Iterator[Held]:
        """Yield what differs from ``held`` in the core of one part, or in the number of parts of one layer."""
        room = [*held, ()] if len(held) < self.most else list(held)
        for layer in self.footprint.layers:
            cores = [core for core, parts in enumerate(held) if any(part.layer == layer for part in parts)]
            free = [core for core in range(len(room)) if core not in cores]
            neurons = self.footprint.graph.nodes[layer].neurons
            changed = [[*cores[:index], other, *cores[index + 1 :]] for index in range(len(cores)) for other in free]
            changed += [[*cores, other] for other in free if len(cores) < neurons]
            changed += [cores[:index] + cores[index + 1 :] for index in range(len(cores)) if len(cores) > 1]
            for onto in changed:
                yield _recut(room, layer, even(layer, neurons, len(onto)), onto)

    def _try(self, held: Held) -> tuple[float, int]:
        """Return what these parts cost, and how many cores they take."""
        if held not in self.tried:
            self.effort += len(held) * sum(map(len, held))
            self.tried[held] = inf, len(held)
            if all(self.footprint.fits(self.footprint.together(parts)) for parts in held):
                cost = self.cost(self._placed(held, QUICK if len(held) <= EVERY else 0.0))
                self.tried[held] = inf if cost is None else cost, len(held)
        return self.tried[held]

    @property
    def spent(self) -> bool:
        return self.effort > EFFORT

    def _placed(self, held: Held, effort: float) -> PlacedGraph:
        return self.settle(lay(self.footprint, held, self.bound), effort)

    def _ranked(self) -> list[Held]:
        known = [held for held, (cost, _) in self.tried.items() if cost < inf]
        return sorted(known, key=self.tried.__getitem__)[:BEST]


def all_held(footprint: Footprint, most: int) -> list[Held] | None:
    """Return every way to cut all layers and to put the parts on at most ``most`` cores, None if they are over ALL."""
    sizes = {layer: footprint.graph.nodes[layer].neurons for layer in footprint.layers}
    if prod(sum(comb(neurons - 1, cut) for cut in range(min(most, neurons))) for neurons in sizes.values()) > ALL:
        return None
    cuts = product(*(list(_cuts(layer, neurons, most)) for layer, neurons in sizes.items()))
    every = (cores for layers in cuts for cores in _grouped([part for parts in layers for part in parts], most))
    found = [tuple(sorted(tuple(sorted(core)) for core in cores)) for cores in islice(every, ALL + 1)]
    return found if len(found) <= ALL else None


def _cuts(layer: str, neurons: int, most: int) -> Iterator[list[Part]]:
    """Yield every way to cut a layer into at most ``most`` parts."""
    for count in range(1, min(most, neurons) + 1):
        for cuts in combinations(range(1, neurons), count - 1):
            yield [Part(layer, first, last - 1) for first, last in pairwise((0, *cuts, neurons))]


def _grouped(parts: Sequence[Part], most: int, cores: tuple[tuple[Part, ...], ...] = ()) -> Iterator[Held]:
    """Yield every way to put parts beside what is on ``cores``, no two of one layer together."""
    if not parts:
        yield cores
        return
    part, *rest = parts
    for index, core in enumerate(cores):
        if all(held.layer != part.layer for held in core):
            yield from _grouped(rest, most, (*cores[:index], (*core, part), *cores[index + 1 :]))
    if len(cores) < most:
        yield from _grouped(rest, most, (*cores, (part,)))


def held_by(footprint: Footprint, placed: PlacedGraph) -> Held:
    """Return the parts on the cores of a placement."""
    held: dict[int, list[Part]] = {}
    for core in placed.cores:
        if core.layer in footprint.layers:
            held.setdefault(core.index, []).append(Part(core.layer, core.first, core.last))
    return tuple(sorted(tuple(sorted(parts)) for parts in held.values()))


def stacked(footprint: Footprint, cores: int) -> Held:
    """Cut every layer over all cores, as far as it has neurons: what one sends to its like in the next layer stays."""
    held: list[list[Part]] = [[] for _ in range(cores)]
    for parts in _alike(footprint, cores):
        for index, part in enumerate(parts):
            held[index].append(part)
    return tuple(sorted(tuple(sorted(parts)) for parts in held))


def apart(footprint: Footprint, count: int) -> Held:
    """Cut every layer into ``count`` parts, as far as it has neurons, each on a core of its own."""
    return tuple(sorted((part,) for parts in _alike(footprint, count) for part in parts))


def _alike(footprint: Footprint, count: int) -> Iterator[list[Part]]:
    for layer in footprint.layers:
        neurons = footprint.graph.nodes[layer].neurons
        yield even(layer, neurons, min(count, neurons))


def even(layer: str, neurons: int, count: int) -> list[Part]:
    """Cut a layer into ``count`` parts that differ by no more than a neuron."""
    ends = [neurons * index // count for index in range(count + 1)]
    return [Part(layer, first, last - 1) for first, last in pairwise(ends)]


def _recut(room: list[tuple[Part, ...]], layer: str, parts: list[Part], onto: list[int]) -> Held:
    """Return the cores with a layer's parts, in their order, on the cores ``onto``, and none that is empty."""
    others = [[part for part in core if part.layer != layer] for core in room]
    for part, core in zip(parts, sorted(onto), strict=True):
        others[core].append(part)
    return tuple(sorted(tuple(sorted(core)) for core in others if core))

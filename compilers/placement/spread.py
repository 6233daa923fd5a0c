"""Spread: search for the cut of layers over cores with the lowest cost, for any cost function.

A small graph is searched exhaustively: every cut of every layer into runs of neurons, every grouping of the parts on
cores. In a larger graph the parts of a layer differ by at most one neuron. First all layers are cut into equally many
parts, over more and more cores, with part k of each layer on core k or every part on its own core, until the cost no
longer falls. Then a local search changes the best cut found: a part moves to another core, or one layer gets one part
more or fewer; then the best cut whose changes were not tried yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, pairwise, product
from math import comb, inf, prod

from ...graph import PlacedGraph
from .bounds import CoreBound
from .memory import Footprint
from .parts import Part
from .place import lay

PATIENCE = 5  # numbers of cores tried in a row without a lower cost, then the search stops
EVERY = 16  # every number of cores is tried up to this, only some beyond
TRIES = 400  # most cuts that are tried
BEST = 2  # best cuts that are annealed at full effort in the end
EFFORT = 100_000  # limit of parts times cores, summed over all tries: a try of a large graph takes long
QUICK = 0.01  # annealing effort of one try
ALL = 500  # the search is exhaustive if there are at most so many cuts and groupings

Held = tuple[tuple[Part, ...], ...]
"""The parts on each core."""


@dataclass
class Search:
    """A search for the cut on at most ``most`` cores of least ``cost``; ``settle`` places the cores at an effort."""

    footprint: Footprint
    bound: CoreBound
    settle: Callable[[PlacedGraph, float], PlacedGraph]
    cost: Callable[[PlacedGraph], float | None]
    most: int
    tried: dict[Held, tuple[float, int]] = field(default_factory=dict)  # cost and number of cores
    effort: int = 0  # used so far

    def best(self, starts: Iterable[PlacedGraph] = ()) -> list[PlacedGraph]:
        """Return the best cuts found, their cores placed at full effort; ``starts`` are tried too."""
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
        """Yield the numbers of cores to try."""
        count, largest = 1, max(self.footprint.graph.nodes[layer].neurons for layer in self.footprint.layers)
        while count <= largest and not self.spent:
            yield count
            count += max(1, count // EVERY)

    def _change_best(self) -> None:
        """Try all changes of the best cut whose changes were not tried yet; repeat up to TRIES."""
        done: set[Held] = set()
        while len(self.tried) < TRIES and not self.spent:
            best = min((held for held in self.tried if held not in done), key=self.tried.__getitem__, default=None)
            if best is None or self.tried[best][0] == inf:
                return
            done.add(best)
            for held in self._changes(best):
                self._try(held)

    def _changes(self, held: Held) -> Iterator[Held]:
        """Yield the cuts that differ from ``held`` in the core of one part, or in one layer's number of parts."""
        spots = [*held, ()] if len(held) < self.most else list(held)
        for layer in self.footprint.layers:
            cores = [core for core, parts in enumerate(held) if any(part.layer == layer for part in parts)]
            free = [core for core in range(len(spots)) if core not in cores]
            neurons = self.footprint.graph.nodes[layer].neurons
            changed = [[*cores[:index], other, *cores[index + 1 :]] for index in range(len(cores)) for other in free]
            changed += [[*cores, other] for other in free if len(cores) < neurons]
            changed += [cores[:index] + cores[index + 1 :] for index in range(len(cores)) if len(cores) > 1]
            for onto in changed:
                yield _recut(spots, layer, even(layer, neurons, len(onto), self.footprint.channels_of(layer)), onto)

    def _try(self, held: Held) -> tuple[float, int]:
        """Return the cost of these parts, and their number of cores."""
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
    """Return every cut and grouping on at most ``most`` cores, None if there are more than ALL."""
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
    """Yield every way to add parts to ``cores``, with no two parts of one layer on a core."""
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
            held.setdefault(core.index, []).append(Part(core.layer, core.first, core.last, core.channels))
    return tuple(sorted(tuple(sorted(parts)) for parts in held.values()))


def stacked(footprint: Footprint, cores: int) -> Held:
    """Cut every layer over all cores, part k on core k: messages between parts with the same k stay on their core."""
    held: list[list[Part]] = [[] for _ in range(cores)]
    for parts in _alike(footprint, cores):
        for index, part in enumerate(parts):
            held[index].append(part)
    return tuple(sorted(tuple(sorted(parts)) for parts in held))


def apart(footprint: Footprint, count: int) -> Held:
    """Cut every layer into ``count`` parts (at most one per neuron), each on its own core."""
    return tuple(sorted((part,) for parts in _alike(footprint, count) for part in parts))


def _alike(footprint: Footprint, count: int) -> Iterator[list[Part]]:
    for layer in footprint.layers:
        neurons = footprint.graph.nodes[layer].neurons
        yield even(layer, neurons, min(count, neurons), footprint.channels_of(layer))


def even(layer: str, neurons: int, count: int, channels: int = 1) -> list[Part]:
    """Cut a layer into ``count`` parts that differ by at most one neuron."""
    ends = [neurons * index // count for index in range(count + 1)]
    return [Part(layer, first, last - 1, channels) for first, last in pairwise(ends)]


def _recut(spots: list[tuple[Part, ...]], layer: str, parts: list[Part], onto: list[int]) -> Held:
    """Return the cores with a layer's parts moved, in order, to the cores ``onto``, without empty cores."""
    others = [[part for part in core if part.layer != layer] for core in spots]
    for part, core in zip(parts, sorted(onto), strict=True):
        others[core].append(part)
    return tuple(sorted(tuple(sorted(core)) for core in others if core))

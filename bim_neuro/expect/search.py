"""Search: every dialect under which a file's network gives what its framework recorded.

Layer by layer, with what was recorded of the layers before it, each law that a dialect can make of a layer is run on
half of the data (`judge`, `grid`). The dialects that hold in every layer are confirmed on the other half, and then run
once more from the input on, on everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..nir_bridge import ForeignFile
from ..nir_bridge.dialect import PRESETS, Dialect, dialect_of
from ..nodes.arithmetic import Array
from ..simulation.beside import steady
from .against import float_rows
from .grid import Grid
from .judge import Judge, Portion
from .recording import Recording


class Found(NamedTuple):
    """Bins that differ under each dialect that was run on everything, and those under which none does.

    ``tried`` counts the dialects, ``laws`` those of them that compute something else; ``undecided`` are switches that
    the recording does not decide, with the values that it allows.
    """

    bins: dict[str, int]
    consistent: tuple[str, ...]
    tried: int = 0
    laws: int = 0
    undecided: Mapping[str, tuple[str, ...]] = {}


class _Near(NamedTuple):
    """A consistent place of a grid and the preset it is near, with one of its options; the nearest sorts first."""

    cost: int
    order: int
    option: int
    row: int
    preset: str


SWITCH, OPTION, FAR = 2, 1, 4
"""What a switch that is no preset's costs, and a known option of its models; a preset farther away is not named."""
NOT_SEARCHED = Found({}, ())


def dialect_in_force(asked: Any) -> Dialect:
    """Return the dialect of a request."""
    return dialect_of(asked) if asked else Dialect()


def search(file: ForeignFile, in_force: Dialect, recording: Recording, x: Array, bits: int = 64) -> Found:
    """Return every dialect that is consistent with a recording, and how the presets fare.

    Where none is, and states were recorded, they may have been at another moment of a step.
    """
    found = _search(file, in_force, recording, x, bits)
    for other in () if found.consistent else recording.other_moments:
        again = _search(file, in_force, other, x, bits)
        if again.consistent:
            said = f"; states recorded with expect.voltages={other.voltages}, expect.currents={other.currents}"
            named = {f"{name}{said}": again.bins[name] for name in again.consistent}
            return again._replace(bins={**found.bins, **named}, consistent=tuple(named))
    return found


def _search(file: ForeignFile, in_force: Dialect, recording: Recording, x: Array, bits: int) -> Found:
    output = file.with_dialect(in_force)[0].output
    judge = Judge(file, recording, x, output, bits)
    with steady(file.unfolded(in_force).graph, len(x)):
        found = _Search(Grid.of(file), judge)
    bins: dict[str, int] = {}

    def run(dialects: Iterable[Dialect]) -> None:
        for dialect in dialects:
            if str(dialect) not in bins:
                bins[str(dialect)] = _differing(file, dialect, recording, x, bits)

    run([*found.consistent(), *(Dialect.named(name) for name in PRESETS)])
    if all(bins.values()):
        run(found.exceptions())
    consistent = sorted(
        (name for name, count in bins.items() if not count), key=lambda name: _preset(name) != in_force.name
    )
    return Found(bins, tuple(consistent), found.tried, found.laws, found.undecided())


def _preset(name: str) -> str:
    return name.partition(",")[0]


def _differing(file: ForeignFile, dialect: Dialect, recording: Recording, x: Array, bits: int) -> int:
    """Return the bins that differ in a run from the input on; all, where a dialect leaves a recorded layer out."""
    graph, units = file.with_dialect(dialect)
    if any(layer not in graph.nodes for layer, _ in recording.arrays):
        return sum(array.size for array in recording.arrays.values())
    return sum(row.differ for row in float_rows(graph, x, recording, units, bits))


@dataclass(eq=False)
class _Search:
    """The consistent part of a grid, ``good`` over its axes, and how many laws were run for it."""

    grid: Grid
    judge: Judge
    laws: int = 0
    good: Array = field(init=False)

    def __post_init__(self) -> None:
        searched, confirming = self.judge.halves
        good: Array = np.ones((1,) * len(self.grid.shape), bool)
        for layer, neurons in self.judge.layers().items():
            if neurons:
                good = good & self._holding(layer, neurons, searched, good)
        self.good = np.broadcast_to(good, self.grid.shape)
        self.good = self.good & self._confirmed(confirming)

    @property
    def tried(self) -> int:
        """How many dialects the grid holds."""
        return int(np.prod(self.grid.shape))

    def _holding(self, layer: str, neurons: tuple[str, ...], part: Portion, before: Array) -> Array:
        """Return over the grid whether a recorded layer holds; what failed ``before`` is not run again."""
        classes, places = self.grid.classes(neurons)
        both = np.broadcast_arrays(classes, before)
        alive = np.unique(both[0][both[1]])
        holds = np.zeros(len(places), bool)
        for law in alive:
            holds[law] = self.judge.holds(self.grid.dialect(places[law]), layer, part)
        self.laws += len(alive)
        return holds[classes]

    def _confirmed(self, part: Portion) -> Array:
        """Return over the grid which of the good dialects hold on another part of the data too."""
        good: Array = np.ones((1,) * len(self.grid.shape), bool)
        for layer, neurons in self.judge.layers().items():
            if neurons:
                good = good & self._holding(layer, neurons, part, self.good & good)
        return good

    def consistent(self) -> list[Dialect]:
        """Return of each preset the consistent dialect nearest to it, and one for every law that no such dialect is."""
        free = [axis for axis in range(self.good.ndim) if self._free(axis)]
        places = np.argwhere(self.good)
        places = places[(places[:, free] == 0).all(axis=1)]
        if not len(places):
            return []
        joint, _ = self.grid.classes(tuple(self.grid.laws))
        laws = np.broadcast_to(joint, self.grid.shape)[tuple(places.T)]
        nearest = sorted(self._nearest(name, places, free) for name in self.grid.presets)
        near = [each for each in nearest if each.cost <= FAR]
        covered = {laws[each.row] for each in near}
        rest = sorted(set(laws.tolist()) - covered)
        near += [min(self._nearest(name, places, free, laws == law) for name in self.grid.presets) for law in rest]
        return [self._dialect(each, places[each.row], free) for each in near]

    def _nearest(self, name: str, places: Array, free: list[int], among: Array | None = None) -> _Near:
        """Return which of some places differs from a preset least; ``free`` axes do not count."""
        found = []
        for option, base in enumerate(self.grid.presets[name]):
            differs = places != base
            differs[:, free] = False
            cost = SWITCH * differs.sum(axis=1) + OPTION * (option > 0)
            cost = cost if among is None else np.where(among, cost, np.iinfo(cost.dtype).max)
            row = int(cost.argmin())
            found.append(_Near(int(cost[row]), list(PRESETS).index(name), option, row, name))
        return min(found)

    def _dialect(self, near: _Near, place: Array, free: list[int]) -> Dialect:
        base = self.grid.presets[near.preset]
        kept = np.where(np.isin(np.arange(len(place)), free), base[near.option], place)
        axes = np.flatnonzero((kept != base[0]) | (base[near.option] != base[0]))
        return Dialect.named(
            near.preset, **{self.grid.switches[axis]: self.grid.values[axis][kept[axis]] for axis in axes}
        )

    def _free(self, axis: int) -> bool:
        """Whether the recording allows every value of a switch, whatever the others are."""
        return bool((self.good.all(axis=axis) == self.good.any(axis=axis)).all())

    def exceptions(self) -> list[Dialect]:
        """Return the preset that needs fewest exceptions for node types, else for layers, to hold in each alone.

        That is known where every layer was recorded.
        """
        whole: Array = np.ones((1,) * len(self.grid.shape), bool)
        allowed: dict[str, Array] = {}
        for layer, neurons in self.judge.layers().items():
            if len(neurons) == 1:
                holding = self._holding(layer, neurons, self.judge.halves[0], whole)
                allowed[neurons[0]] = np.broadcast_to(holding, self.grid.shape)
        if allowed.keys() != self.grid.file.neurons.keys() or not all(each.any() for each in allowed.values()):
            return []
        kinds: dict[str, Array] = {}
        for name, each in allowed.items():
            kind = self.grid.file.neurons[name]
            kinds[kind] = kinds.get(kind, whole) & each
        by = kinds if all(each.any() for each in kinds.values()) else allowed
        needed = {name: self._exceptions_of(bases[0], by) for name, bases in self.grid.presets.items()}
        name = min(needed, key=lambda each: sum(map(len, needed[each].values())))
        return [Dialect.named(name, layers=needed[name])]

    def _exceptions_of(self, base: Array, by: Mapping[str, Array]) -> dict[str, dict[str, str]]:
        """Return for each of some layers the switches in which the nearest place that it allows differs."""
        found: dict[str, dict[str, str]] = {}
        for who, allowed in by.items():
            places = np.argwhere(allowed)
            place = places[int((places != base).sum(axis=1).argmin())]
            axes = np.flatnonzero(place != base)
            found[who] = {self.grid.switches[axis]: self.grid.values[axis][place[axis]] for axis in axes}
        return {who: some for who, some in found.items() if some}

    def undecided(self) -> dict[str, tuple[str, ...]]:
        """Return the switches of which several values, which compute something else, are consistent."""
        laws, _ = self.grid.classes(tuple(self.grid.laws))
        laws = np.broadcast_to(laws, self.grid.shape)
        found = {}
        for axis, (name, values) in enumerate(zip(self.grid.switches, self.grid.values, strict=True)):
            low = np.where(self.good, laws, laws.max() + 1).min(axis=axis)
            high = np.where(self.good, laws, -1).max(axis=axis)
            if (high > low).any():
                others = tuple(at for at in range(self.good.ndim) if at != axis)
                found[name] = tuple(np.array(values)[self.good.any(axis=others)].tolist())
        return found

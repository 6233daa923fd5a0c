"""Quantise weights: every synapse into a port becomes int8, with one scale per neuron or one for all.

    w = unit * round(w / unit)        unit = largest weight into the neuron / 127, or the weights' own grid

Where 16 bits are asked for, a weight of up to 32,639 units becomes two of 8 bits: 256 high + low.

Messages with different exponents are first brought to the largest of them. Rule N6 of docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from ..errors import DoesNotFit, Finding, not_registered
from ..graph import Edge
from ..nodes import Broadcast, Conv, Dense, Diagonal, Shifted, SomaWire, Sparse
from ..nodes.arithmetic import Array
from ..nodes.lif import V_THRESHOLD_MAX
from ..nodes.synapses import WEIGHT_MAX, WEIGHTED, Synapse
from .exact_weights import exact_units
from .two_lists import WIDE_MAX
from .weight_grid import grid_unit, one_magnitude

Scales = Mapping[str, Array]  # port -> (neurons,) real value of one unit of the accumulated integer


@dataclass(frozen=True)
class Scaling:
    """How a port's weights are scaled: one scale ``per_neuron`` or one for all, room to grow, 16 bits, a grid kept.

    A LIF's ``threshold`` must stay within ``V_THRESHOLD_MAX`` units, so that a large one makes the unit coarser.
    ``settle`` makes units (neurons,) a little larger, to those that the neuron's own factors hold exactly. With
    ``exact`` no weight may be rounded: all are whole multiples of it.
    """

    per_neuron: bool
    growth: float = 1.0
    wide: bool = False
    grid: bool = False
    threshold: float = 0.0
    settle: Callable[[Array], Array] | None = None
    exact: float = 0.0

    @property
    def most(self) -> int:
        """Units that the largest weight may have."""
        return WIDE_MAX if self.wide else WEIGHT_MAX


def quantise_port(
    edges: list[Edge], width: int, exponents: Mapping[str, float], wanted: Scaling
) -> tuple[list[Edge], Array]:
    """Give all synapses of a port whole weights, of one scale per neuron or one for all; return them and the scales.

    ``exponents`` are those of the messages, by source.
    """
    exponent = max(exponents.values(), default=0)
    largest = np.zeros(width)
    for edge in edges:
        step = 2.0 ** (exponent - exponents[edge.source])
        largest = np.maximum(largest, row_maximum(edge.synapse, width) * step)
    for edge in edges:
        if isinstance(edge.synapse, Conv):
            largest = edge.synapse.to_places(largest.reshape(len(edge.synapse.weight), -1).max(axis=1))
    if not wanted.per_neuron:
        largest = np.full(width, largest.max(initial=0.0))
    weighted = any(isinstance(edge.synapse, WEIGHTED) for edge in edges)
    unit = wanted.growth * _where_empty(largest) / wanted.most if weighted else np.ones(width)
    if weighted and wanted.settle:
        unit = _settled(edges, unit, exponent, wanted.settle)
    if weighted and wanted.exact:
        rows = _by_scale(edges, width, wanted.per_neuron)
        wide = WIDE_MAX * wanted.wide if wanted.per_neuron else None
        unit = exact_units(rows, unit, wanted.exact, wide, edges[0].target)
    elif weighted and wanted.grid and len({exponents[edge.source] for edge in edges}) == 1:
        unit = _on_grid(edges, unit, wanted, wanted.threshold * 2.0**exponent)
    if weighted and not wanted.per_neuron:
        unit = np.maximum(unit, _least(largest, wanted.threshold * 2.0**exponent))
    quantised = [
        replace(edge, synapse=quantise_synapse(edge.synapse, unit * 2.0 ** (exponents[edge.source] - exponent)))
        for edge in edges
    ]
    return quantised, unit * 2.0**-exponent


def in_units(edges: list[Edge], width: int, exponents: Mapping[str, float]) -> tuple[list[Edge], Array]:
    """Return synapses whose weights are whole numbers times powers of two already, for sums of unit 1.

    Only the exponent of a message, as of graded input, goes into the powers.
    """
    whole = []
    for edge in edges:
        if not isinstance(edge.synapse, Shifted):
            message = f"synapse '{edge.name}' is {edge.synapse.kind} and ends beside one whose weights have exponents"
            raise DoesNotFit([Finding("mixed-synapses", edge.target, message, hint="give all of a port exponents")])
        down = edge.synapse.exponent - round(exponents[edge.source])
        weight = np.rint(edge.synapse.weight).astype(np.int8)
        whole.append(replace(edge, synapse=replace(edge.synapse, weight=weight, exponent=down.astype(np.int8))))
    return whole, np.ones(width)


def _settled(edges: list[Edge], unit: Array, exponent: float, settle: Callable[[Array], Array]) -> Array:
    """Return settled units; as they were where neurons of one channel, which share a kernel, would differ."""
    settled = settle(unit * 2.0**-exponent) * 2.0**exponent
    maps = [settled.reshape(len(e.synapse.weight), -1) for e in edges if isinstance(e.synapse, Conv)]
    return settled if all((channels == channels[:, :1]).all() for channels in maps) else unit


def _by_scale(edges: list[Edge], width: int, per_neuron: bool) -> dict[tuple[int, int], Array]:
    """Return the weights of all edges that share a scale, by the neurons (first, last) that they lead to."""
    rows: dict[tuple[int, int], list[Array]] = {}
    for edge in edges:
        for place, row in weights_by_scale(edge.synapse, width, per_neuron):
            rows.setdefault(place, []).append(row)
    return {place: np.concatenate(parts) for place, parts in rows.items()}


def _on_grid(edges: list[Edge], unit: Array, wanted: Scaling, threshold: float) -> Array:
    """Return the units of weights that keep their grid, others as they were.

    Weights of one magnitude are whole in any unit that divides it. A LIF, whose threshold counts in that unit, keeps
    the finest; switch neurons multiply by it, and only the magnitude over a power of two leaves their sums exact.
    """
    rows = _by_scale(edges, len(unit), wanted.per_neuron)
    if not wanted.per_neuron:
        weights = np.concatenate(list(rows.values()))
        kept = 0.0 if one_magnitude(weights) else grid_unit(weights, wanted.most, threshold, V_THRESHOLD_MAX)
        return np.full(len(unit), kept) if kept else unit
    units = unit.copy()
    for (first, last), row in rows.items():
        if kept := grid_unit(row, WEIGHT_MAX) or grid_unit(row, wanted.most):  # the low list alone is exact
            units[first:last] = kept
    return units


def _least(largest: Array, threshold: float) -> float:
    """Return the finest unit in which a threshold still fits a LIF; 0 where no weight would be left of it."""
    least = threshold / V_THRESHOLD_MAX
    return least if 0 < least <= largest.max(initial=0.0) else 0.0


def _where_empty(largest: Array) -> Array:
    """Give neurons without a weight the smallest scale among the others, so that it does not make those coarser."""
    some = largest[largest > 0]
    return np.where(largest > 0, largest, some.min() if some.size else float(WEIGHT_MAX))


@singledispatch
def row_maximum(synapse: Synapse, width: int) -> Array:
    """Return the largest weight by magnitude into each target neuron of a synapse, (neurons,)."""
    raise not_registered(synapse, "row_maximum", "compilers/quantise_weights.py")


@row_maximum.register(Broadcast)
@row_maximum.register(SomaWire)
def _(synapse: Broadcast | SomaWire, width: int) -> Array:
    return np.zeros(width)


@row_maximum.register
def _(synapse: Dense, width: int) -> Array:
    return np.asarray(np.abs(synapse.weight).max(axis=1))


@row_maximum.register
def _(synapse: Diagonal, width: int) -> Array:
    return np.abs(synapse.weight)


@row_maximum.register
def _(synapse: Sparse, width: int) -> Array:
    largest = np.zeros(synapse.post)
    np.maximum.at(largest, synapse.rows, np.abs(synapse.weight))
    return largest


@row_maximum.register
def _(synapse: Conv, width: int) -> Array:
    """A channel has one kernel, so one scale, at the border too."""
    return synapse.to_places(np.abs(synapse.weight).max(axis=(1, 2, 3)))


@singledispatch
def quantise_synapse(synapse: Synapse, unit: Array) -> Synapse:
    """Return the synapse with whole weights; ``unit`` (neurons,) is the real value of weight 1 of each target."""
    raise not_registered(synapse, "quantise_synapse", "compilers/quantise_weights.py")


@quantise_synapse.register(Broadcast)
@quantise_synapse.register(SomaWire)
def _(synapse: Broadcast | SomaWire, unit: Array) -> Synapse:
    return synapse


@quantise_synapse.register
def _(synapse: Dense, unit: Array) -> Synapse:
    return Dense(_whole(synapse.weight / unit[:, None], np.arange(len(unit) + 1) * synapse.weight.shape[1]))


@quantise_synapse.register
def _(synapse: Sparse, unit: Array) -> Synapse:
    return replace(synapse, weight=_whole(synapse.weight / unit[synapse.rows], synapse.start))


@quantise_synapse.register
def _(synapse: Conv, unit: Array) -> Synapse:
    each = unit.reshape(len(synapse.weight), -1)[:, 0]
    start = np.arange(len(each) + 1) * synapse.weight[0].size
    return replace(synapse, weight=_whole(synapse.weight / each[:, None, None, None], start))


@quantise_synapse.register
def _(synapse: Diagonal, unit: Array) -> Synapse:
    return Diagonal(_whole(synapse.weight / unit, np.arange(len(unit) + 1)))


def _whole(weight: Array, start: Array) -> Array:
    """Round to int8, or to the int16 of which `in_two_lists` makes two; row r begins at ``start[r]``."""
    rounded = np.rint(weight)
    if np.abs(rounded).max(initial=0) <= WEIGHT_MAX:
        return rounded.astype(np.int8)
    return balanced(weight.ravel(), start).reshape(weight.shape).astype(np.int16)


def balanced(weight: Array, start: Array) -> Array:
    """Round weights so that the errors of a row add up to at most half a unit.

    A membrane adds up the mean of what arrives over many steps: 1 / (1 - decay) times the mean error of a row, but only
    the root of that times what varies. Those nearest to a half are rounded the other way, no zero is.
    """
    whole = np.rint(weight)
    error, row = whole - weight, np.repeat(np.arange(len(start) - 1), np.diff(start))
    excess = np.rint(np.bincount(row, error, len(start) - 1)).astype(np.int64)
    order = np.lexsort((error, row))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    most, least = start[1:] - np.maximum(excess, 0), start[:-1] + np.maximum(-excess, 0)
    return np.asarray(whole - (rank >= most[row]) + (rank < least[row]))


@singledispatch
def weights_by_scale(synapse: Synapse, width: int, per_neuron: bool) -> Iterator[tuple[tuple[int, int], Array]]:
    """Yield the weights that share a scale with the neurons (first, last) that they lead to: a row, or a channel's."""
    raise not_registered(synapse, "weights_by_scale", "compilers/quantise_weights.py")


@weights_by_scale.register(Broadcast)
@weights_by_scale.register(SomaWire)
def _(synapse: Broadcast | SomaWire, width: int, per_neuron: bool) -> Iterator[tuple[tuple[int, int], Array]]:
    yield from ()


@weights_by_scale.register(Dense)
@weights_by_scale.register(Diagonal)
@weights_by_scale.register(Conv)
def _(synapse: Dense | Diagonal | Conv, width: int, per_neuron: bool) -> Iterator[tuple[tuple[int, int], Array]]:
    if not per_neuron:
        yield (0, width), synapse.weight.ravel()
        return
    each = width // len(synapse.weight)
    for row, weight in enumerate(synapse.weight):
        yield (row * each, (row + 1) * each), np.ravel(weight)


@weights_by_scale.register
def _(synapse: Sparse, width: int, per_neuron: bool) -> Iterator[tuple[tuple[int, int], Array]]:
    if not per_neuron:
        yield (0, width), synapse.weight
        return
    for row in range(synapse.post):
        yield (row, row + 1), synapse.weight[synapse.start[row] : synapse.start[row + 1]]

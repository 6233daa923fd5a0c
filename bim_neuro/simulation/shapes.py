"""Shapes: a synapse's weights as the kernels read them, laid out for what its senders say; and the largest sum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from ..errors import InputError
from ..graph import Edge
from ..nodes import (
    Broadcast,
    Conv,
    Dense,
    Diagonal,
    IntegerGraded,
    IntegerProd,
    Shifted,
    SomaWire,
    Sparse,
    Synapse,
)
from ..nodes.arithmetic import Array
from ..nodes.node import IntegerNode
from ..nodes.synapses import WEIGHTED
from .forms import whole
from .kernels import layout
from .kernels.layout import LINE
from .kernels.rows import COLUMNS
from .planes import planes_of

_FILLED = 3  # places of layers, for each weight, that are worth it
PAIR_MAX = 2**15 - 1  # messages of 16 bits


@dataclass(frozen=True)
class Shape:
    """A synapse as the kernels read it: int8 ``rows`` [pre, post], and its ``nonzero`` weights a presynaptic neuron.

    ``fan`` is the synapses of a presynaptic neuron, or of each; ``lists`` and ``words`` say where a weight leads.
    """

    kind: int
    rows: Array
    nonzero: Array
    fan: int | Array
    pre: int
    post: int
    lists: Array | tuple[()] = ()
    words: Array | tuple[()] = ()
    planes: tuple[int, int] = (16, 0)  # bits and number of the accumulators of a convolution


def padded(shape: Shape) -> tuple[int, Array]:
    """Return the stride and rows on the borders of cache lines, short ones on halves, in pairs where read so."""
    if shape.kind not in (layout.DENSE, layout.PAIRS):
        return 1, np.pad(shape.rows, (0, -len(shape.rows) % LINE))
    border = LINE if shape.post >= LINE else COLUMNS
    rows = np.pad(shape.rows, ((0, len(shape.rows) % 2), (0, -shape.post % border)))
    stride = rows.shape[1]
    if shape.kind == layout.PAIRS:
        rows = rows.reshape(-1, 2, stride).transpose(0, 2, 1)
    return stride, np.pad(rows.reshape(-1), (0, -rows.size % LINE))


def writes_all(shape: Shape) -> bool:
    """Whether a kernel can write the sums of all its neurons at once: those of one group, by way of registers."""
    if shape.kind != layout.CONV or not len(shape.words):
        return False
    groups, bits, tile = (shape.words[place] for place in (layout.GROUPS, layout.BITS, layout.TILE))
    return bool(groups == 1 and bits < 64 and tile > 1)


@singledispatch
def shape_of(synapse: Synapse, name: str, bound: int, spikes: bool) -> Shape:
    """Return a synapse's weights, laid out for spikes or for values of up to ``bound``."""
    message = f"synapse '{name}': the engine has no kernel for {type(synapse).__name__}"
    raise InputError(message, "use --backend reference")


@shape_of.register
def _(synapse: Dense, name: str, bound: int, spikes: bool) -> Shape:
    post, pre = synapse.weight.shape
    weight = whole(synapse.weight, "weight", name, 128)
    rows = np.ascontiguousarray(weight.T)
    kind = layout.PAIRS if 1 < bound <= PAIR_MAX else layout.DENSE  # of two values every two rows are interleaved
    return Shape(kind, rows, np.count_nonzero(rows, axis=1), post, pre, post)


@shape_of.register
def _(synapse: Conv, name: str, bound: int, spikes: bool) -> Shape:
    weight = whole(synapse.weight, "weight", name, 128).astype(np.int8, copy=False)
    if fault := synapse.fault():
        raise InputError(f"synapse '{name}': {fault}")
    made = planes_of(synapse.with_weight(weight), bound, spikes)
    fan, nonzero = synapse.fan(np.ones(weight.shape, bool)), synapse.fan(weight != 0)
    size = synapse.pre, synapse.post
    return Shape(layout.CONV, made.weights, nonzero, fan, *size, made.lists, made.words, (made.bits, made.size))


@shape_of.register
def _(synapse: Sparse, name: str, bound: int, spikes: bool) -> Shape:
    weight = whole(synapse.weight, "weight", name, 128).astype(np.int8, copy=False)
    if fault := synapse.fault():
        raise InputError(f"synapse '{name}': {fault}")
    order = np.argsort(synapse.column, kind="stable")
    fan = np.bincount(synapse.column, minlength=synapse.pre)
    nonzero = np.bincount(synapse.column[weight != 0], minlength=synapse.pre)
    starts = np.concatenate([[0], np.cumsum(fan)])
    targets = synapse.rows[order]
    return Shape(layout.SPARSE, weight[order], nonzero, fan, synapse.pre, synapse.post, targets, starts)


@shape_of.register
def _(synapse: Shifted, name: str, bound: int, spikes: bool) -> Shape:
    """Group the weights of a neuron by their exponents; the kernels' lists are described in `kernels.stock`."""
    weight = whole(synapse.weight, "weight", name, 128).astype(np.int8, copy=False)
    if fault := synapse.fault():
        raise InputError(f"synapse '{name}': {fault}")
    order = np.lexsort((synapse.exponent, synapse.rows))
    rows, powers = synapse.rows[order], synapse.exponent[order].astype(np.int64)
    begins = np.flatnonzero(np.diff(rows, prepend=-1) | np.diff(powers, prepend=0))
    first_group = np.searchsorted(rows[begins], np.arange(synapse.post + 1))
    columns = synapse.column[order]
    group = np.searchsorted(begins, np.arange(len(rows)), side="right") - 1
    layer = group - first_group[rows]
    place = np.arange(len(rows)) - begins[group]
    deep = [int(place[layer == number].max()) + 1 for number in range(int(layer.max(initial=-1)) + 1)]
    if 0 < sum(deep) * synapse.post <= _FILLED * len(rows):
        lists, weight = _in_layers(deep, (layer, place, rows), powers, columns, weight[order], synapse.post)
    else:
        lists = np.concatenate([[len(begins)], first_group, powers[begins] - 1, begins, [len(rows)], columns])
        weight = weight[order]
    fan = np.bincount(synapse.column, minlength=synapse.pre)
    nonzero = np.bincount(synapse.column[synapse.weight != 0], minlength=synapse.pre)
    return Shape(layout.SHIFTED, weight, nonzero, fan, synapse.pre, synapse.post, lists)


def _in_layers(
    deep: list[int], places: tuple[Array, Array, Array], powers: Array, columns: Array, weight: Array, post: int
) -> tuple[Array, Array]:
    """Lay groups out in layers of one a neuron, each as deep as its largest group, zeros where a group is shorter.

    ``places`` are, for each weight, its layer, its place in its group and its neuron.
    """
    layer, place, row = places
    above = np.cumsum([0, *deep])
    shifts, senders, filled = (np.zeros((rows, post), np.int64) for rows in (len(deep), above[-1], above[-1]))
    shifts[layer, row] = powers - 1
    senders[above[layer] + place, row], filled[above[layer] + place, row] = columns, weight
    parts = [
        part for number, rows in enumerate(np.split(senders, above[1:-1])) for part in (shifts[number], rows.ravel())
    ]
    return np.concatenate([[-len(deep)], deep, *parts]), filled.ravel().astype(np.int8)


@shape_of.register
def _(synapse: Diagonal, name: str, bound: int, spikes: bool) -> Shape:
    weight = whole(synapse.weight, "weight", name, 128)
    return Shape(layout.DIAGONAL, weight, (weight != 0).astype(np.int64), 1, len(weight), len(weight))


@shape_of.register
def _(synapse: Broadcast, name: str, bound: int, spikes: bool) -> Shape:
    fan = np.full(synapse.size, synapse.targets)
    return Shape(layout.IDENTITY, np.zeros(0), fan, synapse.targets, synapse.size, synapse.size)


@shape_of.register
def _(synapse: SomaWire, name: str, bound: int, spikes: bool) -> Shape:
    return Shape(layout.IDENTITY, np.zeros(0), np.zeros(0, np.int64), 0, -1, -1)


def check_fit(edge: Edge, shape: Shape, pre: int, post: int) -> None:
    """Refuse a synapse that does not fit its ends."""
    have = (pre if shape.pre < 0 else shape.pre, pre if shape.post < 0 else shape.post)
    if have != (pre, post):
        raise InputError(f"synapse '{edge.name}' joins {have[0]} to {have[1]} neurons, its ends have {pre} and {post}")
    if not 0 <= edge.delay <= 2**15:
        raise InputError(f"synapse '{edge.name}' has a delay of {edge.delay} steps")


def check_long(edge: Edge, source: IntegerNode) -> None:
    """Refuse messages of 32 bits where a kernel multiplies them in as many."""
    plain = isinstance(edge.synapse, WEIGHTED) and not isinstance(edge.synapse, Shifted)
    if plain and isinstance(source, IntegerGraded | IntegerProd):
        message = f"synapse '{edge.name}' is {edge.synapse.kind}, messages of a {source.kind} neuron have 32 bits"
        raise InputError(message, "make it a Shifted synapse, or use --backend reference")


def gain(edge: Edge) -> int:
    """Return the largest sum of weights, by magnitude, that one neuron receives."""
    synapse = edge.synapse
    if not isinstance(synapse, (Dense, Diagonal, Sparse, Conv)):
        return 1
    size = np.abs(whole(synapse.weight, "weight", edge.name, 128), dtype=np.int16)
    if isinstance(synapse, Shifted):
        return int(np.bincount(synapse.rows, size * 2.0 ** np.maximum(synapse.exponent, 0), minlength=1).max())
    if isinstance(synapse, Sparse):
        return int(np.bincount(synapse.rows, size, minlength=1).max())
    kernels = size.reshape(len(size), -1) if size.ndim > 1 else size[:, None]
    return int(kernels.sum(axis=1, dtype=np.int64).max(initial=0))

"""Rare: what arrives over the synapses that few graphs have: products of BLAS, lists, convolutions, long messages."""

from __future__ import annotations

import numpy as np

from ...jit import kernel, part, unit
from ...nodes.arithmetic import Array
from .calls import read
from .conv import add_conv, fill_planes
from .layout import (
    COUNTS,
    FIRST_EDGE,
    LATE,
    LISTS_AT,
    MASK,
    MESSAGES,
    NARROW,
    ORIGIN,
    POST,
    PRODUCT,
    PRODUCTS,
    ROWS,
    SHAPE,
    SPARSE,
    SPIKES,
    STRIDE,
    SYNAPSE,
    WEIGHT,
    WIDTH,
    WRITTEN,
    Tables,
    Work,
)
from .listed import add_listed
from .synapses import add, clear, sent

_i32 = np.int32


@unit
def arrive(at: object, index: int, e: int, t: int, place: int, begin: int, end: int, chunk: int) -> int:
    """Add what arrives over an edge that few graphs have."""
    known = read(at)
    tables, work, edge = known.tables, known.work, known.tables.edges[e]
    origin = tables.nodes[edge[ORIGIN]]
    slot, narrow = (t - edge[LATE]) & origin[MASK], tables.nodes[index, NARROW] != 0
    count, row = work.counts[origin[COUNTS] + slot], origin[MESSAGES] + slot * origin[WIDTH]
    if narrow:
        _add_rare(tables, work, edge, origin, row, count, (begin, t - chunk), work.sums32[place : place + end - begin])
    else:
        _add_rare(tables, work, edge, origin, row, count, (begin, t - chunk), work.sums64[place : place + end - begin])
    return 0


@part
def _add_rare(
    tables: Tables, work: Work, edge: Array, origin: Array, row: int, count: int, at: tuple[int, int], sums: Array
) -> None:
    """Add what BLAS multiplied at a step of the chunk, lists, or messages of more than 16 bits; ``at``: neuron, step.

    Products of graded messages add up in 32 bits; ``ROWS`` says how many fit before they must go on into the sums.
    """
    begin, width = at[0], origin[WIDTH]
    if edge[SYNAPSE] == PRODUCT:
        place = edge[PRODUCTS] + at[1] * edge[POST] + begin
        add(sums, work.products[place : place + len(sums)])
    elif edge[SYNAPSE] == SPARSE:
        starts, targets = tables.words64[edge[SHAPE] :], tables.words32[edge[LISTS_AT] :]
        message, listed = work.messages[row : row + width], origin[SPIKES] != 0
        add_listed(tables.weights, edge[WEIGHT], targets, starts, message, count, listed, sums, begin)
    else:
        message, block = work.messages[row : row + width], work.block32[: len(sums)]
        active = work.active[: _list_active(message, work.active)]
        for done in range(0, len(active), edge[ROWS]):
            clear(block)
            some_rows = active[done : done + edge[ROWS]]
            _add_products(tables.weights[edge[WEIGHT] :], begin, edge[STRIDE], message, some_rows, block)
            add(sums, block)


@unit
def convolve(at: object, index: int, e: int, t: int, place: int, begin: int, end: int, chunk: int) -> int:
    """Add what arrives over a convolution, or write it where nobody cleared the sums."""
    known = read(at)
    tables, work, edge, node = known.tables, known.work, known.tables.edges[e], known.tables.nodes[index]
    count = sent(tables, work, edge, t)
    if count:
        origin, sums = tables.nodes[edge[ORIGIN]], (work.sums32, work.sums64)
        words, lists = tables.words64[edge[SHAPE] :], tables.words32[edge[LISTS_AT] :]
        row = origin[MESSAGES] + ((t - edge[LATE]) & origin[MASK]) * origin[WIDTH]
        how = origin[SPIKES] != 0, node[NARROW] != 0, node[WRITTEN] != 0 and e == node[FIRST_EDGE]
        planes, places = (work.plane16, work.plane32, work.plane64), (place, begin, end)
        add_conv(
            tables.weights, edge[WEIGHT], words, lists, work.messages, row, count, how, planes, work.turned,
            work.active, sums, places,
        )  # fmt: skip
    return 0


@unit
def fill(at: object, index: int, e: int, t: int, place: int, begin: int, end: int, chunk: int) -> int:
    """Leave what arrives over a convolution in its accumulators, for a layer in plane order."""
    known = read(at)
    tables, work, edge = known.tables, known.work, known.tables.edges[e]
    origin, count = tables.nodes[edge[ORIGIN]], sent(tables, work, edge, t)
    row = origin[MESSAGES] + ((t - edge[LATE]) & origin[MASK]) * origin[WIDTH]
    words, lists = tables.words64[edge[SHAPE] :], tables.words32[edge[LISTS_AT] :]
    fill_planes(tables.weights, edge[WEIGHT], words, lists, work.messages[row : row + count], work.plane16)
    return 0


@kernel
def _list_active(message: Array, active: Array) -> int:
    count = 0
    for i in range(len(message)):
        active[count] = i
        count += message[i] != 0
    return count


@kernel
def _add_products(weights: Array, begin: int, stride: int, message: Array, active: Array, sums: Array) -> None:
    """Add m w for graded messages in 32 bits, four rows at a time."""
    few = len(active) & 3
    for k in range(few):
        a, m = weights[active[k] * stride + begin :], message[active[k]]
        for j in range(len(sums)):
            sums[j] += _i32(m * _i32(a[j]))
    for k in range(few, len(active), 4):
        a, b = weights[active[k] * stride + begin :], weights[active[k + 1] * stride + begin :]
        c, d = weights[active[k + 2] * stride + begin :], weights[active[k + 3] * stride + begin :]
        ma, mb, mc, md = message[active[k]], message[active[k + 1]], message[active[k + 2]], message[active[k + 3]]
        for j in range(len(sums)):
            half = _i32(_i32(ma * _i32(a[j])) + _i32(mb * _i32(b[j])))
            sums[j] += _i32(half + _i32(_i32(mc * _i32(c[j])) + _i32(md * _i32(d[j]))))

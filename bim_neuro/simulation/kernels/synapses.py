"""Synapses: add the messages that arrive at a port to its accumulators (N11), and count the operations.

Spikes cost one addition a synapse and touch only the rows of neurons that fired: eight int8 rows a pass into an int16
block, which 252 rows cannot overflow (252 * 128 < 2^15), then the block into 32 bits.
"""

from __future__ import annotations

import numpy as np

from ...jit import entry, kernel, part
from ...nodes.arithmetic import Array
from .layout import (
    COUNTS,
    DENSE,
    DEPTH,
    DIAGONAL,
    EFFECTIVE,
    FAN,
    FIRST_EDGE,
    FULL,
    HARDWARE,
    KIND,
    LAST_EDGE,
    LATE,
    LIF,
    MASK,
    MESSAGES,
    NARROW,
    NONZERO,
    ORIGIN,
    PORT,
    POST,
    PRODUCT,
    PRODUCTS,
    ROWS,
    SHARED,
    SPIKES,
    STRIDE,
    SUM_WIDTH,
    SUMS,
    SYNAPSE,
    WEIGHT,
    WIDTH,
    Tables,
    Work,
)

BLOCK_ROWS = 252
_i16 = np.int16
_i32 = np.int32
_u32 = np.uint32  # as a place in a row: of a signed one numba would ask whether it is negative


@part
def gather(tables: Tables, work: Work, node: Array, first: int, last: int, t: int, t0: int) -> None:
    """Sum what arrives at neurons ``first`` to ``last`` at step t; ``t0`` is the first step of the chunk.

    Products of graded messages add up in 32 bits, in ``block32`` or, for a node of 32 bits, in its sums; ``ROWS`` says
    how many fit before they must go on into 64.
    """
    narrow, start = node[NARROW] != 0, node[SUMS]
    if node[KIND] == LIF:
        clear(work.sums32[start + first : start + last])
    elif narrow:
        clear(work.sums32[start : start + node[SUM_WIDTH]])
    else:
        clear(work.sums64[start : start + node[SUM_WIDTH]])
    for e in range(node[FIRST_EDGE], node[LAST_EDGE]):
        edge = tables.edges[e]
        origin = tables.nodes[edge[ORIGIN]]
        slot, width = (t - edge[LATE]) & origin[MASK], origin[WIDTH]
        count = work.counts[origin[COUNTS] + slot]
        begin, end = (0, edge[POST]) if edge[SHARED] else (first, last)
        port = start + edge[PORT]
        sums32, sums64 = work.sums32[port + begin : port + end], work.sums64[port + begin : port + end]
        if t < edge[LATE]:
            continue
        if edge[SYNAPSE] == PRODUCT:
            place = edge[PRODUCTS] + (t - t0) * edge[POST]
            product = work.products[place + begin : place + end]
            if narrow:
                add(sums32, product)
            else:
                add(sums64, product)
            continue
        row = origin[MESSAGES] + slot * width
        message = work.messages[row : row + width]
        weights = tables.weights[edge[WEIGHT] :]
        if origin[SPIKES] and edge[SYNAPSE] == DENSE:
            block16 = work.block16[: end - begin]
            for done in range(0, count, BLOCK_ROWS):
                some = message[done : min(done + BLOCK_ROWS, count)]
                _sum_rows(weights, begin, edge[STRIDE], width, some, work.rest, block16)
                if narrow:
                    add(sums32, block16)
                else:
                    add(sums64, block16)
            continue
        sums = sums32 if narrow else work.block32[: end - begin]
        weighted = edge[SYNAPSE] == DIAGONAL
        if origin[SPIKES] == 0 and edge[SYNAPSE] == DENSE:
            active, rows = work.active[: _list_active(message, work.active)], edge[ROWS]
        else:
            active, rows = message[:count], width
        for done in range(0, len(active), rows):
            some = active[done : done + rows]
            if not narrow:
                clear(sums)
            if edge[SYNAPSE] == DENSE:
                _add_products(weights, begin, edge[STRIDE], message, some, sums)
            elif origin[SPIKES]:
                _add_spikes(weighted, weights, some, begin, sums)
            else:
                _add_values(weighted, weights[begin:], message[begin:end], sums)
            if not narrow:
                add(sums64, sums)


@kernel
def clear(row: Array) -> None:
    """Set a row to 0."""
    for j in range(len(row)):
        row[j] = 0


@kernel
def add(sums: Array, block: Array) -> None:
    """Add a block of whole numbers to sums."""
    for j in range(len(sums)):
        sums[j] += np.int64(block[j])


@part
def count_operations(tables: Tables, work: Work, node: Array, counter: Array, t0: int, t1: int, period: int) -> None:
    """Count the synaptic operations of what arrives at steps t0 to t1: on the chip, and without zero weights."""
    for e in range(node[FIRST_EDGE], node[LAST_EDGE]):
        edge = tables.edges[e]
        origin = tables.nodes[edge[ORIGIN]]
        width, counts = origin[WIDTH], work.counts[origin[COUNTS] :]
        nonzero = tables.words32[edge[NONZERO] : edge[NONZERO] + width]
        for t in range(max(t0, edge[LATE], node[DEPTH]), t1):
            column, slot = t - node[DEPTH] if period else 0, (t - edge[LATE]) & origin[MASK]
            count = counts[slot]
            if count == 0 or (period and column >= period):
                continue
            hardware = effective = np.int64(count) * edge[FAN]
            if not edge[FULL]:
                start = origin[MESSAGES] + slot * width
                listed = count if origin[SPIKES] else width
                effective = _synapses_of(nonzero, work.messages[start : start + listed], origin[SPIKES] != 0)
            counter[HARDWARE, column] += hardware
            counter[EFFECTIVE, column] += effective


@kernel
def _synapses_of(nonzero: Array, message: Array, spikes: bool) -> int:
    total = _i32(0)  # a synapse is a byte of memory: there are fewer than 2^31
    if spikes:
        for k in range(len(message)):
            total = _i32(total + nonzero[_u32(message[k])])
    else:
        for j in range(len(message)):
            total = _i32(total + (nonzero[j] if message[j] != 0 else _i32(0)))
    return int(total)


@entry
def unfold(tables: Tables, work: Work, edge: Array, t0: int, t1: int, matrix: Array) -> None:
    """Write the messages that arrive over ``edge`` at steps t0 to t1 as rows of a matrix, zeros included."""
    node = tables.nodes[edge[ORIGIN]]
    width = node[WIDTH]
    for t in range(t0, t1):
        row, sent = matrix[t - t0], t - edge[LATE]
        for j in range(width):
            row[j] = 0
        if sent < 0:
            continue
        slot = sent & node[MASK]
        start = node[MESSAGES] + slot * width
        if node[SPIKES]:
            for k in range(work.counts[node[COUNTS] + slot]):
                row[work.messages[start + k]] = 1
        else:
            for j in range(width):
                row[j] = work.messages[start + j]


@kernel
def _list_active(message: Array, active: Array) -> int:
    count = 0
    for i in range(len(message)):
        active[count] = i
        count += message[i] != 0
    return count


@kernel
def _sum_rows(weights: Array, begin: int, stride: int, silent: int, fired: Array, rest: Array, block: Array) -> None:
    """Sum the rows of the neurons that fired, eight a pass; a last pass is filled up with row ``silent``, all zero."""
    whole = len(fired) & ~7
    for k in range(8):
        rest[k] = fired[whole + k] if whole + k < len(fired) else silent
    few = len(fired) - whole
    clear(block)
    if few > 4:
        _eight_rows(weights, begin, stride, rest, block)
    elif few > 0:
        _four_rows(weights, begin, stride, rest, block)
    for k in range(0, whole, 8):
        _eight_rows(weights, begin, stride, fired[k : k + 8], block)


@kernel
def _eight_rows(weights: Array, begin: int, stride: int, fired: Array, block: Array) -> None:
    a, b = weights[fired[0] * stride + begin :], weights[fired[1] * stride + begin :]
    c, d = weights[fired[2] * stride + begin :], weights[fired[3] * stride + begin :]
    e, f = weights[fired[4] * stride + begin :], weights[fired[5] * stride + begin :]
    g, h = weights[fired[6] * stride + begin :], weights[fired[7] * stride + begin :]
    for j in range(len(block)):
        half = _i16(a[j]) + _i16(b[j]) + _i16(c[j]) + _i16(d[j])
        block[j] += half + _i16(e[j]) + _i16(f[j]) + _i16(g[j]) + _i16(h[j])


@kernel
def _four_rows(weights: Array, begin: int, stride: int, fired: Array, block: Array) -> None:
    a, b = weights[fired[0] * stride + begin :], weights[fired[1] * stride + begin :]
    c, d = weights[fired[2] * stride + begin :], weights[fired[3] * stride + begin :]
    for j in range(len(block)):
        block[j] += _i16(a[j]) + _i16(b[j]) + _i16(c[j]) + _i16(d[j])


@kernel
def _add_spikes(weighted: bool, weights: Array, fired: Array, begin: int, sums: Array) -> None:
    for k in range(len(fired)):
        j = fired[k] - begin
        if 0 <= j < len(sums):
            sums[j] += weights[fired[k]] if weighted else 1


@kernel
def _add_values(weighted: bool, weights: Array, values: Array, sums: Array) -> None:
    if weighted:
        for j in range(len(sums)):
            sums[j] += _i32(values[j] * _i32(weights[j]))
    else:
        add(sums, values)


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

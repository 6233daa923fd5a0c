"""Synapses: add the messages that arrive at a port to its accumulators (N11), and count the operations.

Spikes cost one addition a synapse and touch only the rows of neurons that fired: eight int8 rows at a time into an
int16 block, which 252 rows cannot overflow (252 * 128 < 2^15), then the block into the accumulators.
"""

from __future__ import annotations

import numpy as np

from ...nodes.arithmetic import Array
from .jit import entry, kernel
from .layout import (
    COUNTS,
    DENSE,
    DIAGONAL,
    FAN,
    FULL,
    LATE,
    MASK,
    MESSAGES,
    NONZERO,
    ORIGIN,
    POST,
    PRODUCT,
    PRODUCTS,
    ROWS,
    SPIKES,
    SYNAPSE,
    WEIGHT,
    WIDTH,
    Tables,
    Work,
)

_BLOCK_ROWS = 252
_i16 = np.int16
_i32 = np.int32


@kernel
def accumulate(tables: Tables, work: Work, edge: Array, sums: Array, t: int, t0: int) -> None:
    """Add to ``sums`` what arrives over ``edge`` at step t; ``t0`` is the first step of the chunk."""
    node = tables.nodes[edge[ORIGIN]]
    post, slot = edge[POST], (t - edge[LATE]) & node[MASK]
    if edge[SYNAPSE] == PRODUCT:
        start = edge[PRODUCTS] + (t - t0) * post
        product = work.products[start : start + post]
        for j in range(post):
            sums[j] += np.int64(product[j])
        return
    count = work.counts[node[COUNTS] + slot]
    if count == 0:
        return
    width = node[WIDTH]
    start = node[MESSAGES] + slot * width
    message = work.messages[start : start + width]
    weights = tables.weights[edge[WEIGHT] :]
    if node[SPIKES]:
        if edge[SYNAPSE] == DENSE:
            _add_rows(weights, message, count, post, work.block16, sums)
        else:
            _add_spikes(edge[SYNAPSE] == DIAGONAL, weights, message, count, sums)
    elif edge[SYNAPSE] == DENSE:
        _add_products(weights, message, post, edge[ROWS], work.active, work.block32, sums)
    elif edge[SYNAPSE] == DIAGONAL:
        for j in range(width):
            sums[j] += np.int64(message[j]) * weights[j]
    else:
        for j in range(width):
            sums[j] += message[j]


@kernel
def operations(tables: Tables, work: Work, edge: Array, t: int) -> tuple[int, int]:
    """Return the synaptic operations of the messages that arrive at step t: on the chip, and without zero weights."""
    node = tables.nodes[edge[ORIGIN]]
    slot = (t - edge[LATE]) & node[MASK]
    count = int(work.counts[node[COUNTS] + slot])
    hardware = count * int(edge[FAN])
    if edge[FULL] or hardware == 0:
        return hardware, hardware
    width = node[WIDTH]
    start = node[MESSAGES] + slot * width
    message = work.messages[start : start + width]
    nonzero = tables.words32[edge[NONZERO] :]
    effective = 0
    if node[SPIKES]:
        for k in range(count):
            effective += int(nonzero[message[k]])
    else:
        for j in range(width):
            effective += int(nonzero[j]) if message[j] != 0 else 0
    return hardware, effective


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
def _add_rows(weights: Array, fired: Array, count: int, post: int, block: Array, sums: Array) -> None:
    done = 0
    while done < count:
        last = min(count, done + _BLOCK_ROWS)
        _block_of_rows(weights, fired[done:last], post, block)
        for j in range(post):
            sums[j] += block[j]
        done = last


@kernel
def _block_of_rows(weights: Array, fired: Array, post: int, block: Array) -> None:
    """Sum the rows of the neurons that fired: first the few that do not make eight, then eight at a time."""
    few = len(fired) & 7
    for j in range(post):
        block[j] = 0
    k = 0
    if few & 4:
        a, b = weights[fired[0] * post :], weights[fired[1] * post :]
        c, d = weights[fired[2] * post :], weights[fired[3] * post :]
        for j in range(post):
            block[j] += _i16(a[j]) + _i16(b[j]) + _i16(c[j]) + _i16(d[j])
        k = 4
    if few & 2:
        a, b = weights[fired[k] * post :], weights[fired[k + 1] * post :]
        for j in range(post):
            block[j] += _i16(a[j]) + _i16(b[j])
        k += 2
    if few & 1:
        a = weights[fired[k] * post :]
        for j in range(post):
            block[j] += _i16(a[j])
    for k in range(few, len(fired), 8):
        a, b = weights[fired[k] * post :], weights[fired[k + 1] * post :]
        c, d = weights[fired[k + 2] * post :], weights[fired[k + 3] * post :]
        e, f = weights[fired[k + 4] * post :], weights[fired[k + 5] * post :]
        g, h = weights[fired[k + 6] * post :], weights[fired[k + 7] * post :]
        for j in range(post):
            half = _i16(a[j]) + _i16(b[j]) + _i16(c[j]) + _i16(d[j])
            block[j] += half + _i16(e[j]) + _i16(f[j]) + _i16(g[j]) + _i16(h[j])


@kernel
def _add_spikes(diagonal: bool, weights: Array, fired: Array, count: int, sums: Array) -> None:
    for k in range(count):
        sums[fired[k]] += weights[fired[k]] if diagonal else 1


@kernel
def _add_products(
    weights: Array, message: Array, post: int, rows: int, active: Array, block: Array, sums: Array
) -> None:
    """Add m w for graded messages, four rows at a time: ``rows`` products in 32 bits, then the block into the sums."""
    count = 0
    for i in range(len(message)):
        active[count] = i
        count += message[i] != 0
    if rows < 4:
        _add_wide_products(weights, message, post, active[:count], sums)
        return
    done = 0
    while done < count:
        last = min(count, done + (rows & ~3))
        _block_of_products(weights, message, post, active[done:last], block)
        for j in range(post):
            sums[j] += block[j]
        done = last


@kernel
def _block_of_products(weights: Array, message: Array, post: int, active: Array, block: Array) -> None:
    few = len(active) & 3
    for j in range(post):
        block[j] = 0
    for k in range(few):
        a, i = weights[active[k] * post :], message[active[k]]
        for j in range(post):
            block[j] += _i32(i * _i32(a[j]))
    for k in range(few, len(active), 4):
        a, b = weights[active[k] * post :], weights[active[k + 1] * post :]
        c, d = weights[active[k + 2] * post :], weights[active[k + 3] * post :]
        ma, mb, mc, md = message[active[k]], message[active[k + 1]], message[active[k + 2]], message[active[k + 3]]
        for j in range(post):
            half = _i32(_i32(ma * _i32(a[j])) + _i32(mb * _i32(b[j])))
            block[j] += _i32(half + _i32(_i32(mc * _i32(c[j])) + _i32(md * _i32(d[j]))))


@kernel
def _add_wide_products(weights: Array, message: Array, post: int, active: Array, sums: Array) -> None:
    """Add products that four to a block could overflow 32 bits, each in 64."""
    for k in range(len(active)):
        a, i = weights[active[k] * post :], int(message[active[k]])
        for j in range(post):
            sums[j] += i * a[j]

"""Synapses: add the messages that arrive at a port to its accumulators (N11), and count the operations.

Spikes cost one addition a synapse and touch only the rows of neurons that fired; graded messages cost a product a
synapse (`rows`). Messages of more than 16 bits, a scan's or a readout's over a dense synapse, go row by row.
"""

from __future__ import annotations

import numpy as np

from ...jit import entry, kernel, part, section
from ...nodes.arithmetic import Array
from .calls import call
from .layout import (
    ALL,
    COUNTS,
    DEPTH,
    EFFECTIVE,
    FAN,
    FANS,
    FIRST_EDGE,
    FULL,
    HARDWARE,
    KIND,
    LAST_EDGE,
    LATE,
    LIF,
    MASK,
    MESSAGES,
    NONZERO,
    ORIGIN,
    PORT,
    POST,
    RARE,
    SHARED,
    SPIKES,
    STRIDE,
    SUM_WIDTH,
    SUMS,
    VALUES,
    WEIGHT,
    WIDE_LIF,
    WIDE_VALUES,
    WIDTH,
    WRITTEN,
    Call,
    Tables,
    Work,
)
from .rows import COLUMNS, add_rows

_i32 = np.int32
_u32 = np.uint32  # as a place in a row: of a signed one numba would ask whether it is negative


@section
def gather(
    known: Call, at: object, pool: Array, index: int, first: int, last: int, times: tuple[int, int, int], chunk: int
) -> None:
    """Sum into ``pool`` what arrives at neurons ``first`` to ``last`` of a node, a row of sums a step.

    ``times``: the first step and the one after the last, and the step of row 0; ``chunk`` is the first step of the
    chunk. An edge takes all steps before the next one does: to read where it lies costs as much as a small layer.
    """
    tables, work, node = known.tables, known.work, known.tables.nodes[index]
    pitch, single = node[SUM_WIDTH], node[KIND] == LIF or node[KIND] == WIDE_LIF
    for t in range(times[0], times[1]):
        if node[WRITTEN] and sent(tables, work, tables.edges[node[FIRST_EDGE]], t):
            continue
        row = node[SUMS] + (t - times[2]) * pitch
        begin, end = (row + first, row + last) if single else (row, row + pitch)
        clear(pool[begin:end])
    e = node[FIRST_EDGE]
    while e < node[LAST_EDGE]:
        edge = tables.edges[e]
        unit, origin = edge[RARE], tables.nodes[edge[ORIGIN]]
        if unit in (VALUES, WIDE_VALUES):
            e = call(tables.units[unit], at, (index, e, times[0], times[1], times[2], first, last))
            continue
        begin, end = (0, edge[POST]) if edge[SHARED] else (first, last)
        padded, rows = (end - begin + COLUMNS - 1) & -COLUMNS, edge[WEIGHT] + begin
        for t in range(max(times[0], edge[LATE]), times[1]):
            place = node[SUMS] + (t - times[2]) * pitch + edge[PORT] + begin
            if unit:
                call(tables.units[unit], at, (index, e, t, place, begin, end, chunk))
            else:
                slot = (t - edge[LATE]) & origin[MASK]
                fired, count = origin[MESSAGES] + slot * origin[WIDTH], work.counts[origin[COUNTS] + slot]
                add_rows(tables.weights, rows, edge[STRIDE], work.messages, fired, count, pool, place, padded)
        e += 1


@part
def sent(tables: Tables, work: Work, edge: Array, t: int) -> int:
    """Return how many messages arrive over an edge at step t."""
    origin = tables.nodes[edge[ORIGIN]]
    slot = (t - edge[LATE]) & origin[MASK]
    return int(work.counts[origin[COUNTS] + slot]) if t >= edge[LATE] else 0


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


@section
def count_operations(tables: Tables, work: Work, node: Array, counter: Array, t0: int, t1: int, period: int) -> None:
    """Count the synaptic operations of what arrives at steps t0 to t1: on the chip, and without zero weights."""
    depth = node[DEPTH]
    for e in range(node[FIRST_EDGE], node[LAST_EDGE]):
        edge = tables.edges[e]
        origin, late, full, even, fan = tables.nodes[edge[ORIGIN]], edge[LATE], edge[FULL], edge[FANS] < 0, edge[FAN]
        width, mask, spikes, first, whole = (
            origin[WIDTH],
            origin[MASK],
            origin[SPIKES] != 0,
            origin[MESSAGES],
            edge[ALL],
        )
        counts, nonzero = work.counts[origin[COUNTS] :], tables.words32[edge[NONZERO] : edge[NONZERO] + width]
        for t in range(max(t0, late, depth), t1):
            column, slot = t - depth if period else 0, (t - late) & mask
            count = counts[slot]
            if count == 0 or (period and column >= period):
                continue
            hardware = np.int64(count) * fan
            effective = hardware if full else whole
            if not even or not (full or count == width):
                start = first + slot * width
                message = work.messages[start : start + (count if spikes else width)]
                if even:
                    effective = _synapses_of(nonzero, message, spikes)
                else:
                    hardware = _fans_of(tables.words32[edge[FANS] :], message, spikes)
                    effective = hardware if full else _fans_of(nonzero, message, spikes)
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


@kernel
def _fans_of(fans: Array, message: Array, spikes: bool) -> int:
    """As `_synapses_of`, where a weight has many synapses."""
    total = np.int64(0)
    for k in range(len(message)):
        if spikes:
            total += fans[_u32(message[k])]
        elif message[k] != 0:
            total += fans[k]
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

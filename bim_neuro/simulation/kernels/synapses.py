"""Synapses: add the messages that arrive at a port to its accumulators (N11), and count the operations.

Spikes cost one addition a synapse and touch only the rows of neurons that fired; graded messages cost a product a
synapse (`rows`). Messages of more than 16 bits, a scan's or a readout's over a dense synapse, go row by row.
"""

from __future__ import annotations

import numpy as np

from ...jit import entry, kernel, part
from ...nodes.arithmetic import Array
from .calls import call
from .layout import (
    ALL,
    COUNTS,
    DENSE,
    DEPTH,
    DIAGONAL,
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
    PAIRS,
    PORT,
    POST,
    RARE,
    ROWS,
    SHARED,
    SPIKES,
    STRIDE,
    SUM_WIDTH,
    SUMS,
    SYNAPSE,
    WEIGHT,
    WIDE_LIF,
    WIDTH,
    WRITTEN,
    Call,
    Tables,
    Work,
)
from .rows import COLUMNS, add_pairs, add_pairs_of_four, add_rows

_i32 = np.int32
_u32 = np.uint32  # as a place in a row: of a signed one numba would ask whether it is negative


@part
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
    for e in range(node[FIRST_EDGE], node[LAST_EDGE]):
        edge = tables.edges[e]
        origin = tables.nodes[edge[ORIGIN]]
        begin, end = (0, edge[POST]) if edge[SHARED] else (first, last)
        t0 = max(times[0], edge[LATE])
        if edge[SYNAPSE] == PAIRS:
            t0 = _by_fours(tables, work, node, edge, origin, (t0, times[1], times[2]), begin, end, pool)
        for t in range(t0, times[1]):
            place = node[SUMS] + (t - times[2]) * pitch + edge[PORT] + begin
            if edge[RARE]:
                call(tables.units[edge[RARE]], at, (index, e, t, place, begin, end, chunk))
            else:
                _arrive(tables, work, edge, origin, t, begin, end, pool, place)


@part
def _by_fours(
    tables: Tables, work: Work, node: Array, edge: Array, origin: Array, times: tuple[int, int, int], begin: int,
    end: int, pool: Array,
) -> int:  # fmt: skip
    """Add four steps at a time of what arrives over an edge, up to one of few messages; return the step that is next.

    ``times`` as `gather` has them. Steps of few messages go one by one, so that rows of zeros are left out.
    """
    t, mask, width, pitch = times[0], origin[MASK], origin[WIDTH], node[SUM_WIDTH]
    counts, row, pairs = work.counts[origin[COUNTS] :], origin[MESSAGES], (width + 1) >> 1
    padded, place = (end - begin + COLUMNS - 1) & -COLUMNS, edge[WEIGHT] + 2 * begin
    while t + 4 <= times[1]:
        sent = t - edge[LATE]
        a, b, c, d = sent & mask, (sent + 1) & mask, (sent + 2) & mask, (sent + 3) & mask
        if 4 * min(counts[a], counts[b], counts[c], counts[d]) <= width:
            break
        rows = (row + a * width, row + b * width, row + c * width, row + d * width)
        at = node[SUMS] + (t - times[2]) * pitch + edge[PORT] + begin
        some = edge[ROWS] >> 1
        add_pairs_of_four(
            tables.weights, place, edge[STRIDE], work.messages, rows, work.pairs, pairs, some, pool, at, pitch, padded
        )
        t += 4
    return int(t)


@part
def sent(tables: Tables, work: Work, edge: Array, t: int) -> int:
    """Return how many messages arrive over an edge at step t."""
    origin = tables.nodes[edge[ORIGIN]]
    slot = (t - edge[LATE]) & origin[MASK]
    return int(work.counts[origin[COUNTS] + slot]) if t >= edge[LATE] else 0


@part
def _arrive(
    tables: Tables, work: Work, edge: Array, origin: Array, t: int, begin: int, end: int, pool: Array, at: int
) -> None:
    """Add what arrives over an edge at step t to the sums of neurons ``begin`` to ``end``, from ``at`` on."""
    slot, width, kind = (t - edge[LATE]) & origin[MASK], origin[WIDTH], edge[SYNAPSE]
    count, row = work.counts[origin[COUNTS] + slot], origin[MESSAGES] + slot * width
    sums = pool[at : at + end - begin]
    if kind == DENSE:
        padded = (end - begin + COLUMNS - 1) & -COLUMNS
        place = edge[WEIGHT] + begin
        add_rows(tables.weights, place, edge[STRIDE], work.messages, row, count, pool, at, padded)
    elif kind == PAIRS:
        padded, place = (end - begin + COLUMNS - 1) & -COLUMNS, edge[WEIGHT] + 2 * begin
        listed, pairs = work.pairs, (width + 1) >> 1
        if 4 * count <= width:
            listed = work.active
            pairs = _list_pairs(work.messages[row : row + width], work.active) if count else 0
        some = edge[ROWS] >> 1
        add_pairs(tables.weights, place, edge[STRIDE], work.messages, row, listed, pairs, some, pool, at, padded)
    elif origin[SPIKES]:
        _add_spikes(kind == DIAGONAL, tables.weights[edge[WEIGHT] :], work.messages[row : row + count], begin, sums)
    else:
        values = work.messages[row + begin : row + end]
        _add_values(kind == DIAGONAL, tables.weights[edge[WEIGHT] + begin :], values, sums)


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
            start = origin[MESSAGES] + slot * width
            message = work.messages[start : start + (count if origin[SPIKES] else width)]
            if edge[FANS] < 0:
                hardware = np.int64(count) * edge[FAN]
            else:
                hardware = _fans_of(tables.words32[edge[FANS] :], message, origin[SPIKES] != 0)
            effective = hardware
            if not edge[FULL]:
                if count == width:
                    effective = edge[ALL]
                elif edge[FANS] < 0:
                    effective = _synapses_of(nonzero, message, origin[SPIKES] != 0)
                else:
                    effective = _fans_of(nonzero, message, origin[SPIKES] != 0)
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


@kernel
def _list_pairs(message: Array, active: Array) -> int:
    """List the pairs of neurons of which one sent something."""
    count, whole = 0, len(message) >> 1
    for i in range(whole):
        active[count] = i
        count += (message[2 * i] | message[2 * i + 1]) != 0
    if len(message) & 1:
        active[count] = whole
        count += message[2 * whole] != 0
    return count


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

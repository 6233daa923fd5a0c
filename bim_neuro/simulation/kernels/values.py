"""Values: what arrives as graded messages of 16 bits over dense synapses, or as anything over one-to-one ones.

Units of their own, as a net of spikes and dense synapses has no use for them. They take all steps that are gathered
together in one call.
"""

from __future__ import annotations

import numpy as np

from ...jit import kernel, section, unit
from ...nodes.arithmetic import Array
from .calls import read
from .layout import (
    COUNTS,
    DIAGONAL,
    LAST_EDGE,
    LATE,
    MASK,
    MESSAGES,
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
    VALUES,
    WEIGHT,
    WIDE_VALUES,
    WIDTH,
    Tables,
    Work,
)
from .rows import COLUMNS, add_pairs, add_pairs_of_four
from .synapses import add

_i32 = np.int32
_LISTED = 32  # of fewer messages, all rows are read


@unit
def arrive_values(at: object, index: int, e: int, t0: int, t1: int, row: int, first: int, last: int) -> int:
    """Add to sums of 32 bits what arrives at steps t0 to t1 over an edge and those like it that follow.

    ``row`` is the step of the first row of sums. Returned is the edge that is next.
    """
    known = read(at)
    while e < known.tables.nodes[index, LAST_EDGE] and known.tables.edges[e, RARE] == VALUES:
        _add_edge(known.tables, known.work, index, e, (t0, t1, row), first, last, known.work.sums32)
        e += 1
    return e


@unit
def arrive_wide_values(at: object, index: int, e: int, t0: int, t1: int, row: int, first: int, last: int) -> int:
    """As `arrive_values`, to sums of 64 bits."""
    known = read(at)
    while e < known.tables.nodes[index, LAST_EDGE] and known.tables.edges[e, RARE] == WIDE_VALUES:
        _add_edge(known.tables, known.work, index, e, (t0, t1, row), first, last, known.work.sums64)
        e += 1
    return e


@section
def _add_edge(
    tables: Tables, work: Work, index: int, e: int, times: tuple[int, int, int], first: int, last: int, pool: Array
) -> None:
    node, edge = tables.nodes[index], tables.edges[e]
    origin, kind, t0 = tables.nodes[edge[ORIGIN]], edge[SYNAPSE], max(times[0], edge[LATE])
    begin, end = (0, edge[POST]) if edge[SHARED] else (first, last)
    width, weights, pitch = origin[WIDTH], edge[WEIGHT] + begin, node[SUM_WIDTH]
    at = node[SUMS] - times[2] * pitch + edge[PORT] + begin  # of step 0
    if kind != PAIRS and not origin[SPIKES]:
        ring = origin[MESSAGES] + begin, width, origin[MASK], t0 - edge[LATE]
        sums = at + t0 * pitch, pitch, end - begin
        _add_values(kind == DIAGONAL, tables.weights, weights, work.messages, ring, times[1] - t0, pool, sums)
        return
    if kind == PAIRS:
        t0 = _by_fours(tables, work, node, edge, origin, (t0, times[1], times[2]), begin, end, pool)
    for t in range(t0, times[1]):
        slot, place = (t - edge[LATE]) & origin[MASK], at + t * pitch
        count, row = work.counts[origin[COUNTS] + slot], origin[MESSAGES] + slot * width
        if kind == PAIRS:
            listed, pairs = work.pairs, (width + 1) >> 1
            if _few(count, width):
                listed = work.active
                pairs = _list_pairs(work.messages[row : row + width], work.active) if count else 0
            padded, some = (end - begin + COLUMNS - 1) & -COLUMNS, edge[ROWS] >> 1
            rows, stride, messages = weights + begin, edge[STRIDE], work.messages
            add_pairs(tables.weights, rows, stride, messages, row, listed, pairs, some, pool, place, padded)
        else:
            fired, sums_row = work.messages[row : row + count], pool[place : place + end - begin]
            _add_spikes(kind == DIAGONAL, tables.weights[edge[WEIGHT] :], fired, begin, sums_row)


@section
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
        if _few(min(counts[a], counts[b], counts[c], counts[d]), width):
            break
        rows = (row + a * width, row + b * width, row + c * width, row + d * width)
        at = node[SUMS] + (t - times[2]) * pitch + edge[PORT] + begin
        some = edge[ROWS] >> 1
        add_pairs_of_four(
            tables.weights, place, edge[STRIDE], work.messages, rows, work.pairs, pairs, some, pool, at, pitch, padded
        )
        t += 4
    return int(t)


@kernel
def _few(count: int, width: int) -> bool:
    """Whether rows of zeros are so many that it is worth a list of the others."""
    return width >= _LISTED and 4 * count <= width


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
def _add_values(
    weighted: bool, weights: Array, first: int, messages: Array, ring: tuple[int, int, int, int], steps: int,
    pool: Array, sums: tuple[int, int, int],
) -> None:  # fmt: skip
    """Add rows of messages, times weights from ``first`` on or as they are.

    ``ring``: where the messages of slot 0 are, the length of a slot, the slots less one, the first step. ``sums``: the
    place of the first step, from one step to the next, how many.
    """
    for k in range(steps):
        row, place = ring[0] + ((ring[3] + k) & ring[2]) * ring[1], sums[0] + k * sums[1]
        values, some = messages[row : row + sums[2]], pool[place : place + sums[2]]
        if weighted:
            factors = weights[first : first + sums[2]]
            for j in range(len(some)):
                some[j] += _i32(values[j] * _i32(factors[j]))
        else:
            add(some, values)

"""Stock: the processes that Lava ships for graded messages (N25 to N27), in 64 bits that are cut to Lava's 32."""

from __future__ import annotations

import numpy as np

from ...jit import kernel, unit
from ...nodes.arithmetic import Array
from .calls import read
from .layout import (
    COUNTS,
    KIND,
    LATE,
    LISTS_AT,
    MASK,
    MESSAGES,
    NARROW,
    ORIGIN,
    POST,
    PRODUCT_NEURON,
    SPIKES,
    SUM_WIDTH,
    SUMS,
    WEIGHT,
    WIDTH,
    WORDS,
)
from .rows import COLUMNS

_i32, _i64, _u64 = np.int32, np.int64, np.uint64


@unit
def graded_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N26 and N27; return how many words wrapped, and how many messages are not zero."""
    known = read(at)
    work, node = known.work, known.tables.nodes[index]
    width, words = node[WIDTH], known.tables.words64[node[WORDS] :]
    start = node[SUMS] + row * node[SUM_WIDTH]
    place = node[MESSAGES] + slot * width
    message, sums = work.messages[place + first : place + last], work.sums64[start + first : start + last]
    if node[KIND] == PRODUCT_NEURON:
        other = start + width + -width % COLUMNS
        return _product(words, sums, work.sums64[other + first : other + last], message)
    return _graded(words, sums, message)


@kernel
def _graded(words: Array, sums: Array, message: Array) -> int:
    """N26. ``words``: threshold, rectify."""
    threshold, rectify = _i32(words[0]), words[1] != 0
    wrapped, sent = _i64(0), _i64(0)
    for j in range(len(sums)):
        v = _i32(sums[j])
        wrapped += _i64(v) != sums[j]
        size = v if rectify else _size(v)
        x = v if size > threshold else _i32(0)
        sent += x != _i32(0)
        message[j] = x
    return int((wrapped << 32) | sent)


@kernel
def _product(words: Array, left: Array, right: Array, message: Array) -> int:
    """N27. ``words``: threshold, shift."""
    threshold, shift = _i32(words[0]), _i32(words[1])
    wrapped, sent = _i64(0), _i64(0)
    for j in range(len(message)):
        a, b = _i32(left[j]), _i32(right[j])
        wide = _i64(a) * _i64(b)
        p = _i32(wide)
        wrapped += (_i64(a) != left[j]) + (_i64(b) != right[j]) + (_i64(p) != wide)
        p = _i32(p >> shift)
        x = p if _size(p) > threshold else _i32(0)
        sent += x != _i32(0)
        message[j] = x
    return int((wrapped << 32) | sent)


@kernel
def _size(v: np.int32) -> np.int32:
    """Return |v| in 32 bits: that of -2^31 is itself."""
    return _i32(-v) if v < _i32(0) else v


@unit
def arrive_shifted(at: object, index: int, e: int, t: int, place: int, begin: int, end: int, chunk: int) -> int:
    """Add what arrives over synapses with exponents (N25) to the sums of neurons ``begin`` to ``end``."""
    known = read(at)
    tables, work, edge = known.tables, known.work, known.tables.edges[e]
    origin = tables.nodes[edge[ORIGIN]]
    slot, width = (t - edge[LATE]) & origin[MASK], origin[WIDTH]
    count, row = work.counts[origin[COUNTS] + slot], origin[MESSAGES] + slot * width
    if count == 0:
        return 0
    message = work.messages[row : row + width]
    if origin[SPIKES]:
        message = _spread(message, count, work.active[:width])
    lists, weights = tables.words32[edge[LISTS_AT] :], tables.weights[edge[WEIGHT] :]
    block = work.block32[: end - begin]
    if tables.nodes[index, NARROW]:
        _arrive(weights, lists, edge[POST], message, begin, work.sums32[place : place + end - begin], block)
    else:
        _arrive(weights, lists, edge[POST], message, begin, work.sums64[place : place + end - begin], block)
    return 0


@kernel
def _arrive(weights: Array, lists: Array, post: int, message: Array, begin: int, sums: Array, block: Array) -> None:
    """Add group by group, or layer by layer, where ``lists`` begins with -layers.

    Behind it is how deep each layer is; then, layer by layer, the exponents less one (neurons,) and the senders (depth,
    neurons); the weights lie as the senders do. A layer has one group of each neuron.
    """
    if lists[0] >= 0:
        _add(weights, lists, post, message, begin, sums)
    first_weight, at = begin, 1 - lists[0] + begin
    for layer in range(-lists[0]):
        shifts, at = lists[at:], at + post
        for j in range(len(block)):
            block[j] = 0
        for _ in range(lists[1 + layer]):
            _multiply(weights[first_weight:], lists[at:], message, block)
            first_weight, at = first_weight + post, at + post
        _shift(block, shifts, sums)


@kernel
def _multiply(weights: Array, columns: Array, message: Array, block: Array) -> None:
    """Add 2 w m in 32 bits, which wrap as Lava's do; sixteen at a time."""
    for j in range(len(block)):
        block[j] = _i32(block[j] + _i32(_i32(2 * weights[j]) * message[_u64(columns[j])]))


@kernel
def _shift(block: Array, shifts: Array, sums: Array) -> None:
    """Add the shifted sums; the loop has no branch."""
    for j in range(len(sums)):
        shift = _i64(shifts[j])
        sums[j] += (_i64(block[j]) << max(shift, _i64(0))) >> max(-shift, _i64(0))


@kernel
def _spread(fired: Array, count: int, row: Array) -> Array:
    """Return a row with a 1 for each neuron of a list."""
    for j in range(len(row)):
        row[j] = 0
    for k in range(count):
        row[fired[k]] = 1
    return row


@kernel
def _add(weights: Array, lists: Array, post: int, message: Array, begin: int, sums: Array) -> None:
    """Sum group by group: the weights of one neuron with one exponent, twice as large, in 32 bits; then shift.

    ``lists``: how many groups there are, the first group of each neuron, the exponent less one of each group, its
    first weight, and the sender of each weight.
    """
    groups = lists[0]
    first_group, shifts = lists[1:], lists[2 + post :]
    first_weight, columns = lists[2 + post + groups :], lists[3 + post + 2 * groups :]
    for j in range(len(sums)):
        total = _i64(0)
        for g in range(first_group[begin + j], first_group[begin + j + 1]):
            held, shift = _i64(0), _i64(shifts[g])
            for k in range(first_weight[g], first_weight[g + 1]):
                held += _i64(weights[k]) * _i64(message[_u64(columns[k])])
            held = _i64(_i32(held << 1))
            total += held << shift if shift >= 0 else held >> -shift
        sums[j] += total

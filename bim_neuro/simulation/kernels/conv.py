"""Conv: a message adds the runs of weights that it meets to the accumulators of a tile (`planes`); `turn` reads them.

A tile is up to 64 bytes of output channels at all rows and columns. Its accumulators lie row, column, channel, so that
a run is a few registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import kernel, section
from ...nodes.arithmetic import Array
from .layout import (
    AREA,
    BITS,
    BLOCK,
    CHANNELS,
    COLUMN_BACK,
    COLUMN_STEP,
    GROUPS,
    LANES,
    OUT_COLUMNS,
    OUT_ROWS,
    PAIRED,
    PLANE_SIZE,
    RECIPROCAL,
    REGISTERS,
    ROW_BACK,
    ROW_STEP,
    SENDERS,
    SENT_TILE,
    SENT_TILES,
    TILE,
    TILES,
    UNTIL,
)
from .runs import add_any_stretch, add_pair, add_stretch, add_wide_stretch
from .turn import read_out

_LONG = ir.IntType(64)
_i32 = np.int32


@kernel
def add_conv(
    weights: Array, at_weights: int, words: Array, lists: Array, messages: Array, message: int, count: int,
    how: tuple[bool, bool, bool], planes: tuple[Array, Array, Array], turned: Array, active: Array,
    sums: tuple[Array, Array], places: tuple[int, int, int],
) -> None:  # fmt: skip
    """Add what arrives over a convolution to sums, or write it.

    ``how``: whether messages are spikes, sums are of 32 bits, and sums are written; ``places``: of the first sum, the
    first neuron, and the one after the last.
    Tiles are whole, so neurons beside them in its channels get sums as well, which nobody reads.
    """
    spikes, (at, begin, end) = how[0], places
    area, out = words[AREA], words[OUT_ROWS] * words[OUT_COLUMNS]
    each, channels, tiles = words[SENDERS], words[CHANNELS], words[TILES]
    blocks = (each + 1) // 2 if words[PAIRED] else each
    first, last = begin // out, (end + out - 1) // out
    listed = 0
    for group in range(words[GROUPS]):
        sender, start = group * each, listed
        if words[GROUPS] == 1:
            listed = count
        elif spikes:
            while listed < count and messages[message + listed] < (sender + each) * area:
                listed += 1
        if spikes and listed == start:
            continue
        for tile in range(tiles):
            channel = group * channels + tile * words[TILE]
            some = min(words[TILE], channels - tile * words[TILE])
            if channel + some <= first or channel >= last:
                continue
            block = at_weights + (group * tiles + tile) * blocks * words[BLOCK]
            if spikes:
                fired = messages[message + start : message + listed]
                _scatter_spikes(weights, block, words, lists, fired, sender, planes)
            elif words[PAIRED]:
                values = messages[message + sender * area : message + (sender + each) * area]
                _scatter_pairs(weights, block, words, lists, values, active, planes[1])
            else:
                values = messages[message + sender * area : message + (sender + each) * area]
                _scatter_values(weights, block, words, lists, values, planes[2])
            read_out(planes, words, turned, sums, how[1:], at - begin + channel * out, some)


@kernel
def fill_planes(weights: Array, at_weights: int, words: Array, lists: Array, fired: Array, plane: Array) -> None:
    """Add the runs of neurons that fired to the accumulators of every tile, which a layer in plane order reads."""
    for tile in range(words[TILES]):
        block, mine = at_weights + tile * words[SENDERS] * words[BLOCK], plane[tile * words[PLANE_SIZE] :]
        if words[SENT_TILE] > 1:
            _scatter_planes(weights, block, words, lists, fired, mine)
        else:
            _scatter_16(weights, block, words, lists, fired, 0, mine)


@kernel
def _scatter_planes(weights: Array, block: int, words: Array, lists: Array, fired: Array, plane: Array) -> None:
    """Of senders in plane order, those of one tile and one list of runs at once."""
    area, each, until, k = words[AREA], words[SENT_TILE], lists[words[UNTIL] :], 0
    for tile in range(words[SENT_TILES]):
        first, end = tile * each * area, (tile + 1) * each * area
        while k < len(fired) and fired[k] < end:
            place = ((fired[k] - first) * words[RECIPROCAL]) >> 32
            begin, after = k, first + until[place] * each
            while k < len(fired) and fired[k] < after:
                k += 1
            which = lists[area + place]
            if which >= 0:
                runs, order = _list(words, lists, which, block, 1), (first, words[RECIPROCAL], each, words[BLOCK])
                events = begin, k - begin
                add_stretch(plane, weights, lists, fired, runs, events, order, words[REGISTERS], words[LANES])
        block += each * words[BLOCK]


@section
def _scatter_spikes(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int,
    planes: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """Add the runs of neurons that fired; ``sender`` is the first channel of their group."""
    if words[SENT_TILE] > 1:
        _scatter_slowly(weights, block, words, lists, fired, planes[0])
    elif words[BITS] == 16:
        _scatter_16(weights, block, words, lists, fired, sender, planes[0])
    elif words[BITS] == 32:
        _scatter_32(weights, block, words, lists, fired, sender, planes[1])
    else:
        _scatter_wide(weights, block, words, lists, fired, sender, planes[2])


@kernel
def _scatter_16(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int, plane: Array
) -> None:
    """In accumulators of 16 bits, those of one channel and one list of runs at once."""
    area, first, k = words[AREA], sender * words[AREA], 0
    while k < len(fired):
        while fired[k] >= first + area:
            first += area
            block += words[BLOCK]
        which, begin = lists[area + fired[k] - first], k
        while k < len(fired) and fired[k] < first + area and lists[area + fired[k] - first] == which:
            k += 1
        if which >= 0:
            runs, events = _list(words, lists, which, block, 1), (begin, k - begin)
            add_stretch(plane, weights, lists, fired, runs, events, (first,), words[REGISTERS], words[LANES])


@kernel
def _scatter_32(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int, plane: Array
) -> None:
    """The same in accumulators of 32 bits."""
    area, first, k = words[AREA], sender * words[AREA], 0
    while k < len(fired):
        while fired[k] >= first + area:
            first += area
            block += words[BLOCK]
        which, begin = lists[area + fired[k] - first], k
        while k < len(fired) and fired[k] < first + area and lists[area + fired[k] - first] == which:
            k += 1
        if which >= 0:
            runs, events = _list(words, lists, which, block, 1), (begin, k - begin)
            add_wide_stretch(plane, weights, lists, fired, runs, events, (first,), words[REGISTERS], words[LANES])


@kernel
def _list(words: Array, lists: Array, which: int, block: int, lay: int) -> Any:
    """Return a list of runs: first weight, first accumulator, rows and columns of runs, and their steps.

    Of ``lay`` channels the weights lie interleaved.
    """
    at = 2 * words[AREA] + 4 * which
    return (
        block + lay * np.int64(lists[at]),
        np.int64(lists[at + 1]),
        np.int64(lists[at + 2]),
        np.int64(lists[at + 3]),
        lay * words[ROW_STEP],
        words[ROW_BACK],
        lay * words[COLUMN_STEP],
        words[COLUMN_BACK],
    )


@section
def _scatter_slowly(weights: Array, block: int, words: Array, lists: Array, fired: Array, plane: Array) -> None:
    """In accumulators of 16 bits, of senders in plane order; those who hear them so mostly lie so too."""
    area, each, k = words[AREA], words[SENT_TILE], 0
    for tile in range(words[SENT_TILES]):
        first, end = tile * each * area, (tile + 1) * each * area
        while k < len(fired) and fired[k] < end:
            which = lists[area + (((fired[k] - first) * words[RECIPROCAL]) >> 32)]
            if which >= 0:
                runs, order = _list(words, lists, which, block, 1), (first, words[RECIPROCAL], each, words[BLOCK])
                add_any_stretch(plane, weights, lists, fired, runs, (k, 1), order, words[REGISTERS], words[LANES])
            k += 1
        block += each * words[BLOCK]


@section
def _scatter_wide(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int, plane: Array
) -> None:
    """In accumulators of 64 bits."""
    area, first = words[AREA], sender * words[AREA]
    for k in range(len(fired)):
        while fired[k] >= first + area:
            first += area
            block += words[BLOCK]
        _add_value(weights, block, words, lists, fired[k] - first, 1, plane)


@section
def _scatter_values(weights: Array, block: int, words: Array, lists: Array, values: Array, plane: Array) -> None:
    """Add messages of any size times their runs, in 64 bits."""
    area = words[AREA]
    for channel in range(words[SENDERS]):
        for place in range(area):
            value = values[channel * area + place]
            if value != 0:
                _add_value(weights, block + channel * words[BLOCK], words, lists, place, value, plane)


@kernel
def _add_value(weights: Array, block: int, words: Array, lists: Array, place: int, value: int, plane: Array) -> None:
    which = lists[words[AREA] + place]
    if which < 0:
        return
    weight, to, rows, columns, row_step, row_back, column_step, column_back = _list(words, lists, which, block, 1)
    for row in range(rows):
        for column in range(columns):
            w = weight + row * row_step + column * column_step
            a = lists[place] + to - row * row_back - column * column_back
            for lane in range(words[REGISTERS] * words[LANES]):
                plane[a + lane] += np.int64(value) * np.int64(weights[w + lane])


@section
def _scatter_pairs(
    weights: Array, block: int, words: Array, lists: Array, values: Array, active: Array, plane: Array
) -> None:
    """Add messages of 16 bits times their runs, two channels at a time."""
    area = words[AREA]
    for channel in range(0, words[SENDERS], 2):
        even, odd = channel * area, (channel + 1) * area
        alone = channel + 1 == words[SENDERS]
        if alone:
            odd = even
        heard = 0
        for place in range(area):
            active[heard] = place
            heard += (values[even + place] | values[odd + place]) != 0
        for k in range(heard):
            place = active[k]
            which = lists[area + place]
            if which < 0:
                continue
            low, high = values[even + place], _i32(0) if alone else values[odd + place]
            runs = _list(words, lists, which, block, 2)
            add_pair(plane, weights, runs, np.int64(lists[place]), words[REGISTERS], (low, high))
        block += words[BLOCK]

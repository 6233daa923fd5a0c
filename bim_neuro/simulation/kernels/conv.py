"""Conv: a message adds the runs of weights that it meets to the accumulators of a tile (`planes`); `turn` reads them.

A tile is up to 64 bytes of output channels at all rows and columns. Its accumulators lie row, column, channel, so that
a run is a few registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, intrinsic, kernel, section, types
from ...nodes.arithmetic import Array
from .layout import (
    AREA,
    BITS,
    BLOCK,
    CHANNELS,
    GROUPS,
    LANES,
    LISTS,
    OUT_COLUMNS,
    OUT_ROWS,
    PAIRED,
    SENDERS,
    TILE,
    TILES,
)
from .rows import multiply_pairs
from .turn import read_out
from .vectors import address, spread, vector

_LONG = ir.IntType(64)
_i32 = np.int32


def _run(lanes: int, bits: int) -> Any:
    """Build: one register of weights is added to accumulators; ``at``: places of both."""

    def typed(typing: Any, planes: Any, weights: Any, at: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
            plane, weight = code_tools.unpack_tuple(builder, values[2])
            kinds, words = signature.args, vector(lanes, bits)
            row = address(context, builder, kinds[1], values[1], weight, vector(lanes, 8))
            to = address(context, builder, kinds[0], values[0], plane, words)
            more = builder.sext(builder.load(row, align=1), words)
            builder.store(builder.add(builder.load(to, align=2), more), to, align=2)

        return types.void(planes, weights, at), code

    return intrinsic(typed)


def _pairs(typing: Any, planes: Any, weights: Any, at: Any, low: Any, high: Any) -> Any:
    """Build: sixteen accumulators take two messages times two weights each."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        plane, weight = code_tools.unpack_tuple(builder, values[2])
        kinds = signature.args
        row = address(context, builder, kinds[1], values[1], weight, vector(32, 8))
        to = address(context, builder, kinds[0], values[0], plane, vector(16, 32))
        both = builder.or_(builder.and_(values[3], ir.IntType(32)(0xFFFF)), builder.shl(values[4], ir.IntType(32)(16)))
        messages = builder.bitcast(spread(builder, both, 16), vector(32, 16))
        more = multiply_pairs(builder, builder.sext(builder.load(row, align=1), vector(32, 16)), messages)
        builder.store(builder.add(builder.load(to, align=4), more), to, align=4)

    return types.void(planes, weights, at, types.int32, types.int32), code


_add_32, _add_16, _add_8 = _run(32, 16), _run(16, 16), _run(8, 16)
_wide_16, _wide_8 = _run(16, 32), _run(8, 32)
_add_pairs: Any = intrinsic(_pairs)


@kernel
def add_conv(
    weights: Array, at_weights: int, words: Array, lists: Array, messages: Array, message: int, count: int,
    spikes: bool, narrow: bool, planes: tuple[Array, Array, Array], active: Array, sums: tuple[Array, Array],
    places: tuple[int, int, int],
) -> None:  # fmt: skip
    """Add what arrives over a convolution to sums, of 32 bits where ``narrow``.

    ``places``: of the first sum, the first neuron, and the one after the last.
    Tiles are whole, so neurons beside them in its channels get sums as well, which nobody reads.
    """
    at, begin, end = places
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
                _scatter(weights, block, words, lists, fired, sender, planes)
            elif words[PAIRED]:
                values = messages[message + sender * area : message + (sender + each) * area]
                _scatter_pairs(weights, block, words, lists, values, active, planes[1])
            else:
                values = messages[message + sender * area : message + (sender + each) * area]
                _scatter_values(weights, block, words, lists, values, planes[2])
            read_out(planes, words, sums, narrow, at - begin + channel * out, some)


@section
def _scatter(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int,
    planes: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """Add the runs of neurons that fired; ``sender`` is the first channel of their group."""
    if words[BITS] == 16:
        _scatter_16(weights, block, words, lists, fired, sender, planes[0])
    elif words[BITS] == 32:
        _scatter_32(weights, block, words, lists, fired, sender, planes[1])
    else:
        _scatter_64(weights, block, words, lists, fired, sender, planes[2])


@section
def _scatter_16(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int, plane: Array
) -> None:
    """Add runs in accumulators of 16 bits."""
    area, size, lanes, count = words[AREA], words[BLOCK], words[LANES], words[LISTS]
    start, registers = 2 * area, 2 * area + count + 1
    from_weights = registers + count
    from_plane = from_weights + lists[start + count]
    first = sender * area
    for k in range(len(fired)):
        while fired[k] >= first + area:
            first += area
            block += size
        place = fired[k] - first
        which = lists[area + place]
        if which < 0:
            continue
        at, long = lists[place], lists[registers + which]
        for run in range(lists[start + which], lists[start + which + 1]):
            weight, to = block + lists[from_weights + run], at + lists[from_plane + run]
            if lanes == 32:
                for r in range(long):
                    _add_32(plane, weights, (to + 32 * r, weight + 32 * r))
            elif lanes == 16:
                _add_16(plane, weights, (np.int64(to), np.int64(weight)))
            else:
                _add_8(plane, weights, (np.int64(to), np.int64(weight)))


@section
def _scatter_32(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int, plane: Array
) -> None:
    """Add runs in accumulators of 32 bits."""
    area, size, lanes, count = words[AREA], words[BLOCK], words[LANES], words[LISTS]
    start, registers = 2 * area, 2 * area + count + 1
    from_weights = registers + count
    from_plane = from_weights + lists[start + count]
    first = sender * area
    for k in range(len(fired)):
        while fired[k] >= first + area:
            first += area
            block += size
        place = fired[k] - first
        which = lists[area + place]
        if which < 0:
            continue
        at, long = lists[place], lists[registers + which]
        for run in range(lists[start + which], lists[start + which + 1]):
            weight, to = block + lists[from_weights + run], at + lists[from_plane + run]
            if lanes == 16:
                for r in range(long):
                    _wide_16(plane, weights, (to + 16 * r, weight + 16 * r))
            else:
                _wide_8(plane, weights, (np.int64(to), np.int64(weight)))


@section
def _scatter_64(
    weights: Array, block: int, words: Array, lists: Array, fired: Array, sender: int, plane: Array
) -> None:
    """Add runs in accumulators of 64 bits."""
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
    area, lanes, count = words[AREA], words[LANES], words[LISTS]
    start, registers = 2 * area, 2 * area + count + 1
    from_weights = registers + count
    from_plane = from_weights + lists[start + count]
    which = lists[area + place]
    if which < 0:
        return
    size = lists[registers + which] * lanes
    for run in range(lists[start + which], lists[start + which + 1]):
        weight, to = block + lists[from_weights + run], lists[place] + lists[from_plane + run]
        for lane in range(size):
            plane[to + lane] += np.int64(value) * np.int64(weights[weight + lane])


@section
def _scatter_pairs(
    weights: Array, block: int, words: Array, lists: Array, values: Array, active: Array, plane: Array
) -> None:
    """Add messages of 16 bits times their runs, two channels at a time."""
    area, count = words[AREA], words[LISTS]
    start, registers = 2 * area, 2 * area + count + 1
    from_weights = registers + count
    from_plane = from_weights + lists[start + count]
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
            low, high = values[even + place], values[odd + place]
            if alone:
                high = _i32(0)
            at, long = lists[place], lists[registers + which]
            for run in range(lists[start + which], lists[start + which + 1]):
                weight, to = block + 2 * lists[from_weights + run], at + lists[from_plane + run]
                for r in range(long):
                    _add_pairs(plane, weights, (to + 16 * r, weight + 32 * r), low, high)
        block += words[BLOCK]

"""Conv: a message adds the runs of weights that it meets to the accumulators of a tile (`planes`), turned afterwards.

A tile is up to 64 bytes of output channels on all rows and columns. Its accumulators lie row, column, channel, so that
a run is a few registers; the sums of a port lie channel, row, column. What a tile has gathered is read sixteen places
by sixteen channels at a time, turned in registers, added to the sums and set back to 0.
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
    MARGIN,
    OUT_COLUMNS,
    OUT_ROWS,
    PAIRED,
    PLANE,
    PLANE_PITCH,
    SENDERS,
    TILE,
    TILES,
)
from .rows import multiply_pairs
from .vectors import address, spread, vector

PLACES = 16  # places and channels that are turned at once
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


_LANE_PAIRS = [
    [4 * q + k for q in range(4) for k in (0, 16, 1, 17)],
    [4 * q + k for q in range(4) for k in (2, 18, 3, 19)],
]
_LANE_QUADS = [
    [4 * q + k for q in range(4) for k in (0, 1, 16, 17)],
    [4 * q + k for q in range(4) for k in (2, 3, 18, 19)],
]
_QUARTERS = [[4 * q + k for q in some for k in range(4)] for some in ((0, 2, 4, 6), (1, 3, 5, 7))]


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of sixteen rows of sixteen words: within quarters of a register, then the quarters."""

    def mix(a: Any, b: Any, lanes: list[int]) -> Any:
        return builder.shuffle_vector(a, b, vector(16, 32)(lanes))

    pairs = [mix(rows[r], rows[r + 1], lanes) for r in range(0, 16, 2) for lanes in _LANE_PAIRS]
    quads = []  # [four rows][column of a quarter]
    for four in range(4):
        low, high, below, beneath = pairs[4 * four : 4 * four + 4]
        quads.append([mix(a, b, lanes) for a, b in ((low, below), (high, beneath)) for lanes in _LANE_QUADS])
    columns: list[Any] = [None] * 16
    for column in range(4):
        a, b, c, d = (quads[four][column] for four in range(4))
        for part, lanes in enumerate(_QUARTERS):
            first, second = mix(a, b, lanes), mix(c, d, lanes)
            for half, some in enumerate(_QUARTERS):
                columns[4 * (part + 2 * half) + column] = mix(first, second, some)
    return columns


def _turn(typing: Any, planes: Any, sums: Any, places: Any) -> Any:
    """Build: sixteen places by sixteen channels of a plane are added to sums, of which some places and channels count.

    ``places``: the first accumulator, accumulators a place, the first sum, sums a channel, places and channels that
    count. Of the others 0 is added, or nothing.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        start, pitch, at, area, wanted, channels = code_tools.unpack_tuple(builder, values[2])
        kinds, words = signature.args, vector(16, 32)
        bits, rows = kinds[0].dtype.bitwidth, []
        for place in range(PLACES):
            where = builder.add(start, builder.mul(pitch, _LONG(place)))
            row = builder.load(address(context, builder, kinds[0], values[0], where, vector(16, bits)), align=2)
            rows.append(row if bits == 32 else builder.sext(row, words))
        count = spread(builder, builder.trunc(wanted, ir.IntType(32)), 16)
        counts = builder.icmp_signed("<", words(list(range(16))), count)
        lanes = vector(16, kinds[1].dtype.bitwidth)
        for channel, column in enumerate(_turned(builder, rows)):
            kept = builder.select(counts, column, words([0] * 16))
            with builder.if_then(builder.icmp_signed("<", _LONG(channel), channels), likely=True):
                where = builder.add(at, builder.mul(area, _LONG(channel)))
                to = address(context, builder, kinds[1], values[1], where, lanes)
                more = kept if lanes == words else builder.sext(kept, lanes)
                builder.store(builder.add(builder.load(to, align=4), more), to, align=4)

    return types.void(planes, sums, places), code


_add_32, _add_16, _add_8 = _run(32, 16), _run(16, 16), _run(8, 16)
_wide_16, _wide_8 = _run(16, 32), _run(8, 32)
_add_pairs: Any = intrinsic(_pairs)
_add_turned: Any = intrinsic(_turn)


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
            _read(planes, words, sums, narrow, at - begin + channel * out, some)


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


@section
def _read(
    planes: tuple[Array, Array, Array], words: Array, sums: tuple[Array, Array], narrow: bool, at: int, channels: int
) -> None:
    if words[BITS] == 16:
        if narrow:
            _read_out(planes[0], words, sums[0], at, channels)
        else:
            _read_out(planes[0], words, sums[1], at, channels)
    elif words[BITS] == 32:
        if narrow:
            _read_out(planes[1], words, sums[0], at, channels)
        else:
            _read_out(planes[1], words, sums[1], at, channels)
    elif narrow:
        _read_out_64(planes[2], words, sums[0], at, channels)
    else:
        _read_out_64(planes[2], words, sums[1], at, channels)


@kernel
def _read_out(plane: Array, words: Array, sums: Array, at: int, channels: int) -> None:
    """Add a tile's accumulators to the sums of its channels, and set them back to 0."""
    rows, columns, tile = words[OUT_ROWS], words[OUT_COLUMNS], words[TILE]
    pitch, area = words[PLANE_PITCH] * tile, rows * columns
    for row in range(rows):
        start, to = row * pitch + words[MARGIN] * tile, at + row * columns
        if tile == 1:
            for column in range(columns):
                sums[to + column] += plane[start + column]
        else:
            for column in range(0, columns, PLACES):
                for channel in range(0, channels, PLACES):
                    from_, into = start + column * tile + channel, to + column + channel * area
                    _add_turned(plane, sums, (from_, tile, into, area, columns - column, channels - channel))
    for k in range(words[PLANE]):
        plane[k] = 0


@kernel
def _read_out_64(plane: Array, words: Array, sums: Array, at: int, channels: int) -> None:
    """As `_read_out`, word by word."""
    rows, columns, tile = words[OUT_ROWS], words[OUT_COLUMNS], words[TILE]
    for row in range(rows):
        for column in range(columns):
            start = (row * words[PLANE_PITCH] + words[MARGIN] + column) * tile
            for channel in range(tile):
                if channel < channels:
                    sums[at + (channel * rows + row) * columns + column] += plane[start + channel]
    for k in range(words[PLANE]):
        plane[k] = 0


@kernel
def add_listed(
    weights: Array, at_weights: int, targets: Array, starts: Array, messages: Array, count: int, spikes: bool,
    sums: Array, begin: int,
) -> None:  # fmt: skip
    """Add what arrives over a sparse synapse to ``sums``, those of neurons from ``begin`` on.

    The targets of sender j are those from starts[j] to starts[j + 1], and their weights lie likewise.
    """
    for k in range(count if spikes else len(messages)):
        sender = messages[k] if spikes else k
        value = np.int64(1) if spikes else np.int64(messages[k])
        if value == 0:
            continue
        for synapse in range(starts[sender], starts[sender + 1]):
            target = targets[synapse] - begin
            if 0 <= target < len(sums):
                sums[target] += value * weights[at_weights + synapse]

"""Turn: what a tile of a convolution has gathered, row, column, channel, is added to sums by channel, row, column.

Sixteen places by sixteen channels are turned in registers at a time. A channel's sums lie as far apart as it has
places, often 4096 bytes, and as many rows of as little can not all be in the first cache: written there directly they
took five times as long as by way of a small block. The accumulators are 0 afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, intrinsic, kernel, section, types
from ...nodes.arithmetic import Array
from .layout import BITS, MARGIN, OUT_COLUMNS, OUT_ROWS, PLANE, PLANE_PITCH, TILE
from .synapses import clear
from .vectors import address, vector

SIDE = 16  # places, and channels, of a square that is turned in registers
PLACES, CHANNELS = 128, 32  # turned before they are added: what lies in the first cache, in rows of no power of two
PITCH = PLACES + SIDE
TURNED = CHANNELS * PITCH
_LONG = ir.IntType(64)

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


def _turn(typing: Any, planes: Any, turned: Any, places: Any) -> Any:
    """Build: sixteen places by sixteen channels of a plane become rows of ``turned``, `PITCH` from channel to channel.

    ``places``: of the first accumulator, accumulators a place, and of the first word that is written.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        start, pitch, at = code_tools.unpack_tuple(builder, values[2])
        kinds, words = signature.args, vector(16, 32)
        bits, rows = kinds[0].dtype.bitwidth, []
        for place in range(SIDE):
            where = builder.add(start, builder.mul(pitch, _LONG(place)))
            row = builder.load(address(context, builder, kinds[0], values[0], where, vector(16, bits)), align=2)
            rows.append(row if bits == 32 else builder.sext(row, words))
        for channel, column in enumerate(_turned(builder, rows)):
            where = builder.add(at, _LONG(PITCH * channel))
            builder.store(column, address(context, builder, kinds[1], values[1], where, words), align=4)

    return types.void(planes, turned, places), code


_turn_square: Any = intrinsic(_turn)


@section
def read_out(
    planes: tuple[Array, Array, Array], words: Array, turned: Array, sums: tuple[Array, Array],
    how: tuple[bool, bool], at: int, channels: int,
) -> None:  # fmt: skip
    """Add what a tile has gathered to the sums of its ``channels``, from ``at`` on.

    ``how``: whether sums are of 32 bits, and whether they are written instead.
    """
    narrow, writes = how
    area, tile = words[OUT_ROWS] * words[OUT_COLUMNS], words[TILE]
    if words[BITS] == 64 or tile == 1:
        for channel in range(channels):
            for row in range(words[OUT_ROWS]):
                start = (row * words[PLANE_PITCH] + words[MARGIN]) * tile + channel
                to = at + channel * area + row * words[OUT_COLUMNS]
                _add_row(planes, words, sums, narrow, start, to)
    else:
        rows = max(1, PLACES // words[OUT_COLUMNS])
        for first in range(0, channels, CHANNELS):
            some = min(CHANNELS, channels - first)
            for row in range(0, words[OUT_ROWS], rows):
                few = min(rows, words[OUT_ROWS] - row)
                for column in range(0, words[OUT_COLUMNS], PLACES):
                    width = min(PLACES, words[OUT_COLUMNS] - column)
                    start = (row * words[PLANE_PITCH] + words[MARGIN] + column) * tile + first
                    if words[BITS] == 16:
                        _turn_rows(planes[0], words, turned, start, some, few, width)
                    else:
                        _turn_rows(planes[1], words, turned, start, some, few, width)
                    to = at + first * area + row * words[OUT_COLUMNS] + column
                    if narrow:
                        _take_turned(turned, sums[0], to, area, some, few * width, writes)
                    else:
                        _take_turned(turned, sums[1], to, area, some, few * width, writes)
    if words[BITS] == 16:
        clear(planes[0][: words[PLANE]])
    elif words[BITS] == 32:
        clear(planes[1][: words[PLANE]])
    else:
        clear(planes[2][: words[PLANE]])


@kernel
def _turn_rows(plane: Array, words: Array, turned: Array, start: int, channels: int, rows: int, width: int) -> None:
    """Turn some rows of a plane; what is written beyond a row's end is written again by the next, or never read."""
    tile = words[TILE]
    for row in range(rows):
        for column in range(0, width, SIDE):
            from_ = start + (row * words[PLANE_PITCH] + column) * tile
            for channel in range(0, channels, SIDE):
                _turn_square(plane, turned, (from_ + channel, tile, channel * PITCH + row * width + column))


@kernel
def _take_turned(turned: Array, sums: Array, at: int, area: int, channels: int, places: int, writes: bool) -> None:
    for channel in range(channels):
        row, more = sums[at + channel * area : at + channel * area + places], turned[channel * PITCH :]
        if writes:
            for k in range(places):
                row[k] = more[k]
        else:
            for k in range(places):
                row[k] += more[k]


@section
def _add_row(
    planes: tuple[Array, Array, Array], words: Array, sums: tuple[Array, Array], narrow: bool, start: int, to: int
) -> None:
    """Add one row of one channel, word by word."""
    for column in range(words[OUT_COLUMNS]):
        place = start + column * words[TILE]
        if words[BITS] == 16:
            value = np.int64(planes[0][place])
        elif words[BITS] == 32:
            value = np.int64(planes[1][place])
        else:
            value = planes[2][place]
        if narrow:
            sums[0][to + column] += value
        else:
            sums[1][to + column] += value

"""Turn: what a tile of a convolution has gathered, row, column, channel, is added to sums by channel, row, column.

Sixteen places by sixteen channels are turned in registers at a time. The accumulators are 0 afterwards.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, intrinsic, kernel, section, types
from ...nodes.arithmetic import Array
from .layout import BITS, MARGIN, OUT_COLUMNS, OUT_ROWS, PLANE, PLANE_PITCH, TILE
from .vectors import address, spread, vector

PLACES = 16  # places and channels that are turned at once
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


_add_turned: Any = intrinsic(_turn)


@section
def read_out(
    planes: tuple[Array, Array, Array], words: Array, sums: tuple[Array, Array], narrow: bool, at: int, channels: int
) -> None:
    """Add what a tile has gathered to the sums of its ``channels``, from ``at`` on, of 32 bits where ``narrow``."""
    if words[BITS] == 16:
        if narrow:
            _read_plane(planes[0], words, sums[0], at, channels)
        else:
            _read_plane(planes[0], words, sums[1], at, channels)
    elif words[BITS] == 32:
        if narrow:
            _read_plane(planes[1], words, sums[0], at, channels)
        else:
            _read_plane(planes[1], words, sums[1], at, channels)
    elif narrow:
        _read_words(planes[2], words, sums[0], at, channels)
    else:
        _read_words(planes[2], words, sums[1], at, channels)


@kernel
def _read_plane(plane: Array, words: Array, sums: Array, at: int, channels: int) -> None:
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
def _read_words(plane: Array, words: Array, sums: Array, at: int, channels: int) -> None:
    """As `_read_plane`, word by word."""
    rows, columns, tile = words[OUT_ROWS], words[OUT_COLUMNS], words[TILE]
    for row in range(rows):
        for column in range(columns):
            start = (row * words[PLANE_PITCH] + words[MARGIN] + column) * tile
            for channel in range(tile):
                if channel < channels:
                    sums[at + (channel * rows + row) * columns + column] += plane[start + channel]
    for k in range(words[PLANE]):
        plane[k] = 0

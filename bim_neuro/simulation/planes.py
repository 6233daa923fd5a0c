"""Planes: a convolution laid out as its kernel reads it, so that a spike adds a few contiguous runs of weights.

Accumulators of a tile of output channels lie row, column, channel. A sender meets, in one row of the kernel, places
that follow each other, so all its weights of that row are one run of places times channels, in falling columns of the
kernel. With a stride of s columns it is every s-th of the kernel, from the sender's *phase* on. With a dilation that
does not divide the stride, places have gaps, and a run is one place long. Rows beyond the border are left out of a
sender's list of runs; columns beyond it fall on a margin that nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

import numpy as np

from ..nodes import Conv
from ..nodes.arithmetic import Array, ceil_div
from .kernels import layout

_PLACE_BITS = 1024  # accumulators of one place: two lines of the cache
_MARGIN_READ = 16  # places that are read at once


_Taps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Planes:
    """What `kernels.conv` reads: ``words`` in the order of the constants in `layout`, ``lists``, and the weights."""

    words: Array  # int64
    lists: Array  # int32
    weights: Array  # int8
    bits: int  # of an accumulator
    size: int  # accumulators of a tile


@dataclass(frozen=True)
class _Axis:
    """For every sender along an axis: its place, and which list of (tap, places back) it has, -1 where none."""

    base: list[int]
    which: list[int]
    taps: list[_Taps]
    step: int  # taps from one of a list to the next
    back: int  # and places


@dataclass(frozen=True)
class _Tile:
    """How a tile lies in memory: accumulators a place, places a row, and before its first column; weights a run."""

    width: int
    pitch: int
    margin: int
    run: int


def planes_of(conv: Conv, message_bound: int, spikes: bool) -> Planes:
    """Lay out a convolution (int8) whose senders send spikes, or values of up to ``message_bound``."""
    bits, paired = accumulators(conv, message_bound, spikes=spikes)
    outputs, each = len(conv.weight) // conv.groups, conv.weight.shape[1]
    tiles, width = tiling(conv, bits)
    joined = conv.stride[1] % conv.dilation[1] == 0
    rows, columns = _rows(conv), _columns(conv, joined)
    margin = max((back for taps in columns.taps for _, back in taps), default=0) if joined else 0
    longest = max((len(taps) for taps in columns.taps), default=1) if joined else 1
    lanes = _lanes(longest * width, bits, paired)
    registers = ceil_div(longest * width, lanes)
    tile = _Tile(width, conv.out[2] + 2 * margin, margin, registers * lanes)
    runs = _runs(conv, columns, joined)
    lists, weights = _lists(rows, columns, tile, runs), _weights(conv, tiles, tile, runs, paired)
    words = np.zeros(layout.CONV_WORDS, np.int64)
    words[layout.GROUPS], words[layout.SENDERS], words[layout.AREA] = conv.groups, each, conv.grid[1] * conv.grid[2]
    words[layout.CHANNELS], words[layout.TILES], words[layout.TILE] = outputs, tiles, width
    words[layout.OUT_ROWS], words[layout.OUT_COLUMNS] = conv.out[1:]
    words[layout.PLANE_PITCH], words[layout.MARGIN] = tile.pitch, margin
    words[layout.LANES], words[layout.BITS], words[layout.PAIRED] = lanes, bits, paired
    words[layout.REGISTERS] = registers
    row_size = len(runs) * tile.run
    words[layout.BLOCK] = row_size * conv.weight.shape[2] * (2 if paired else 1)
    words[layout.ROW_STEP], words[layout.ROW_BACK] = rows.step * row_size, rows.back * tile.pitch * width
    words[layout.COLUMN_STEP], words[layout.COLUMN_BACK] = columns.step * tile.run, columns.back * width
    words[layout.PLANE] = conv.out[1] * tile.pitch * width
    size = int(words[layout.PLANE]) + _MARGIN_READ * width + 64  # what reads and runs reach beyond
    size += -size % layout.LINE
    words[layout.PLANE_SIZE] = size
    count_channels(words, each, 1)
    words[layout.UNTIL] = len(lists)
    return Planes(words, np.concatenate([lists, _until(lists, int(words[layout.AREA]))]), weights, bits, size)


def count_channels(words: Array, tiles: int, channels: int) -> None:
    """Say how senders are counted: tile, place, channel; in NIR's order a channel is a tile."""
    words[layout.SENT_TILES], words[layout.SENT_TILE] = tiles, channels
    words[layout.RECIPROCAL] = 2**32 // channels + 1


def _until(lists: Array, area: int) -> Array:
    """Return for each place the next that has another list."""
    ends = np.append(np.nonzero(np.diff(lists[area : 2 * area]))[0] + 1, area)
    return np.repeat(ends, np.diff(ends, prepend=0)).astype(lists.dtype)


def tiling(conv: Conv, bits: int) -> tuple[int, int]:
    """Return the tiles of a group's output channels, and the channels of one; the last may have fewer."""
    outputs = len(conv.weight) // conv.groups
    tiles = ceil_div(outputs, _PLACE_BITS // bits)
    return tiles, ceil_div(outputs, tiles)


def accumulators(conv: Conv, message_bound: int, *, spikes: bool) -> tuple[int, bool]:
    """Return the bits of an accumulator, and whether two channels are multiplied at once.

    Sums may leave their word on the way, as long as they come back: additions wrap.
    """
    weight = conv.weight.astype(np.int64)
    rising, falling = (np.maximum(sign * weight, 0).sum(axis=(1, 2, 3)).max() for sign in (1, -1))
    if spikes:
        largest = max(rising, falling)
        return (16 if largest < 2**15 else 32 if largest < 2**31 else 64), False
    if message_bound < 2**15 and (rising + falling) * message_bound < 2**31:
        return 32, True
    return 64, False


def _lanes(longest: int, bits: int, paired: bool) -> int:
    """Return the accumulators of a register: as many as a run needs, at most 64 bytes."""
    most = 512 // bits
    least = 16 if paired else 8
    return next((lanes for lanes in (8, 16, 32) if least <= lanes <= most and lanes >= longest), most)


def _rows(conv: Conv) -> _Axis:
    return _axis(conv, 0, lambda taps, place: tuple(tap for tap in taps if 0 <= place - tap[1] < conv.out[1]))


def _columns(conv: Conv, joined: bool) -> _Axis:
    def seen(taps: tuple[tuple[int, int], ...], place: int) -> tuple[tuple[int, int], ...]:
        inside = tuple(tap for tap in taps if 0 <= place - tap[1] < conv.out[2])
        return taps if joined and inside else inside  # a run is whole or not there

    return _axis(conv, 1, seen)


def _axis(conv: Conv, axis: int, seen: Callable[[_Taps, int], _Taps]) -> _Axis:
    """Find the taps of every sender along rows (0) or columns (1): out = place - back, back = (d tap - phase) / s."""
    stride, dilation, before = conv.stride[axis], conv.dilation[axis], conv.padding[2 * axis]
    phases = [
        tuple(
            (tap, (dilation * tap - phase) // stride)
            for tap in range(conv.weight.shape[2 + axis])
            if (dilation * tap - phase) % stride == 0
        )
        for phase in range(stride)
    ]
    base, which = [], []
    known: dict[_Taps, int] = {}
    for sender in range(conv.grid[1 + axis]):
        place, phase = divmod(sender + before, stride)
        taps = seen(phases[phase], place)
        base.append(place)
        which.append(known.setdefault(taps, len(known)) if taps else -1)
    common = gcd(stride, dilation)
    return _Axis(base, which, list(known), stride // common, dilation // common)


def _runs(conv: Conv, columns: _Axis, joined: bool) -> list[tuple[int, ...]]:
    """Return the columns of each run of a row of the kernel, as they lie one after the other."""
    if not joined:
        return [(tap,) for tap in range(conv.weight.shape[3])]
    return [tuple(tap for tap, _ in taps)[::-1] for taps in columns.taps]


def _lists(rows: _Axis, columns: _Axis, tile: _Tile, runs: list[tuple[int, ...]]) -> Array:
    """Return place and list of every sender, then four words a list.

    They say where the first run's weights begin in a channel's block, where its accumulators do, from the sender's
    place, and how many rows and columns of runs there are.
    """
    width, pitch = tile.width, tile.pitch
    rows_at = np.array(rows.base) * pitch * width
    columns_at = (np.array(columns.base) + tile.margin) * width
    which = np.array(rows.which)[:, None] * len(columns.taps) + np.array(columns.which)
    which[np.array(rows.which) < 0] = -1
    which[:, np.array(columns.which) < 0] = -1
    words = []
    for row in rows.taps:
        for column in columns.taps:
            whole = tuple(tap for tap, _ in column)[::-1]
            joined = whole in runs
            first, back, many = (whole, column[-1][1], 1) if joined else (column[0][:1], column[0][1], len(column))
            begin = (row[0][0] * len(runs) + runs.index(first)) * tile.run
            words += [begin, -(row[0][1] * pitch + back) * width, len(row), many]
    parts = ((rows_at[:, None] + columns_at).ravel(), which.ravel(), words)
    return np.concatenate([np.asarray(part, np.int64) for part in parts]).astype(np.int32)


def _weights(conv: Conv, tiles: int, tile: _Tile, runs: list[tuple[int, ...]], paired: bool) -> Array:
    """Return the weights: tile, sending channel (two where paired), kernel's row, run, place, output channel."""
    width = tile.width
    outputs, each, tall, _ = conv.weight.shape
    outputs //= conv.groups
    kernel = np.zeros((conv.groups, tiles * width, each + (each % 2 if paired else 0), *conv.weight.shape[2:]), np.int8)
    kernel[:, :outputs, :each] = conv.weight.reshape(conv.groups, outputs, *conv.weight.shape[1:])
    kernel = kernel.reshape(conv.groups * tiles, width, -1, *kernel.shape[3:])
    parts = []
    for run in runs:
        some = kernel[..., list(run)].transpose(0, 2, 3, 4, 1)  # tile, sender, row, column, channel
        flat = some.reshape(*some.shape[:3], -1)
        parts.append(np.pad(flat, ((0, 0), (0, 0), (0, 0), (0, tile.run - flat.shape[3]))))
    blocks = np.concatenate(parts, axis=3) if parts else np.zeros((len(kernel), kernel.shape[2], tall, 0), np.int8)
    if paired:  # the two messages of a pair meet in one word of 32 bits
        blocks = blocks.reshape(len(blocks), blocks.shape[1] // 2, 2, *blocks.shape[2:]).transpose(0, 1, 3, 4, 2)
    return np.ascontiguousarray(blocks).reshape(-1)

"""Parts: runs of a layer's neurons, in one of two orders.

    channel, row, column     as neurons are numbered: a run is some channels whole, and pieces of two more
    row, column, channel     of a feature map: a run is some rows with all their channels, and pieces of two more

A run of either order is a union of at most five boxes of the grid (channels, rows, columns).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from ...nodes.arithmetic import Array

Box = tuple[slice, slice, slice]
"""Channels, rows and columns."""


class Part(NamedTuple):
    """Neurons ``first`` to ``last``, inclusive, of a layer; of a map of ``channels``, counted place by place."""

    layer: str
    first: int
    last: int
    channels: int = 1

    @property
    def neurons(self) -> int:
        return self.last - self.first + 1

    def of(self, neurons: int) -> slice | Array:
        """Return which of the layer's ``neurons`` these are, as numpy's index; in the order of the part."""
        return members(self.first, self.last, self.channels, neurons)


def members(first: int, last: int, channels: int, neurons: int) -> slice | Array:
    """Return the neurons at the places ``first`` to ``last`` of an order that goes through all channels at a place."""
    if channels == 1:
        return slice(first, last + 1)
    at = np.arange(first, last + 1)
    return np.asarray(at % channels * (neurons // channels) + at // channels)


def boxes(part: Part, grid: tuple[int, int, int]) -> Iterator[Box]:
    """Yield the boxes of the grid (channels, rows, columns) that make up a part; no two of them overlap."""
    if part.channels == 1:
        for channels, rows, columns in _runs(part.first, part.last, grid):
            yield channels, rows, columns
    else:
        for rows, columns, channels in _runs(part.first, part.last, (grid[1], grid[2], grid[0])):
            yield channels, rows, columns


def _runs(first: int, last: int, sizes: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield the boxes of a run of numbers whose digits have these ``sizes``, the slowest first."""
    if len(sizes) == 1:
        yield (slice(first, last + 1),)
        return
    inner = prod(sizes[1:])
    (begin, skipped), (end, over) = divmod(first, inner), divmod(last + 1, inner)
    if begin == end:
        for rest in _runs(skipped, over - 1, sizes[1:]):
            yield (slice(begin, begin + 1), *rest)
        return
    if skipped:
        for rest in _runs(skipped, inner - 1, sizes[1:]):
            yield (slice(begin, begin + 1), *rest)
        begin += 1
    if begin < end:
        yield (slice(begin, end), *(slice(0, size) for size in sizes[1:]))
    if over:
        for rest in _runs(0, over - 1, sizes[1:]):
            yield (slice(end, end + 1), *rest)

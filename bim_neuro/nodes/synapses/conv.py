r"""One kernel at every place of a grid.

    a[o, y, x] = sum_{c, i, j} w[o, c, i, j] m[g + c, s_y y + d_y i - top, s_x x + d_x j - left]

g is the first input channel of output channel o's group. Neurons are counted as NIR's Flatten does: channel, row,
column. A convolution over one axis is a grid of one row; a sum pool is a kernel of ones with a group a channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.sparse import coo_array

from ...printable import outline
from ..arithmetic import Array
from .sparse import Sparse, sparse_of

Pair = tuple[int, int]
Grid = tuple[int, int, int]
Border = tuple[int, int, int, int]
MOST_TAPS = 2**20
"""Rows times columns that a kernel may have: whatever reads a convolution goes through its taps one by one."""
MOST_PAIRS = 2**32
"""Pairs of neurons that it may join: every stage goes through all of them, some of them one step at a time."""
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Conv:
    """``weight`` (Co, Ci / groups, kernel rows, kernel columns) on a ``grid`` of (Ci, rows, columns) neurons.

    ``padding`` is (top, bottom, left, right) in neurons that send nothing; a negative one leaves neurons out.
    """

    weight: Array  # float or int8
    grid: Grid
    stride: Pair = (1, 1)
    padding: Border = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    kind: ClassVar[str] = "conv"
    hop: ClassVar[int] = 1

    __repr__ = outline

    @cached_property
    def out(self) -> tuple[int, int, int]:
        """The grid of the neurons that it leads to: (Co, rows, columns)."""
        rows, columns = (self._extent(axis) for axis in (0, 1))
        return len(self.weight), rows, columns

    def fault(self) -> str:
        """Say what of the fields is no convolution, '' where all is."""
        channels, *places = self.grid
        if self.weight.ndim != 4 or not self.weight.size:
            return f"weight has the shape {self.weight.shape}, (out, in a group, rows, columns) is needed"
        if (taps := math.prod(self.weight.shape[2:])) > MOST_TAPS:
            return f"a kernel of {taps:,} taps, {MOST_TAPS:,} are allowed"
        if self.groups < 1 or channels != self.groups * self.weight.shape[1] or len(self.weight) % self.groups:
            return f"{self.groups} groups do not divide {channels} channels into {len(self.weight)}"
        if min(*self.stride, *self.dilation, channels, *places) < 1 or not all(self.out):
            return f"no place of a {self.weight.shape[2:]} kernel on the grid {self.grid}"
        most = self.weight.size * self.out[1] * self.out[2]
        if most > MOST_PAIRS and self.count > MOST_PAIRS:
            return f"{self.count:,} pairs of neurons, {MOST_PAIRS:,} are allowed"
        return ""

    @property
    def geometry(self) -> tuple[object, ...]:
        """All but the weights."""
        return self.weight.shape, self.grid, self.stride, self.padding, self.dilation, self.groups

    def with_weight(self, weight: Array) -> Conv:
        """Return the same geometry with other weights."""
        return replace(self, weight=weight)

    @property
    def pre(self) -> int:
        return math.prod(self.grid)

    @property
    def post(self) -> int:
        return math.prod(self.out)

    @property
    def count(self) -> int:
        """Pairs of neurons that the kernel joins; taps beyond the border join nothing."""
        outputs, inputs = self.weight.shape[:2]
        return int(self.uses.sum()) * int(outputs) * int(inputs)

    @property
    def nonzero(self) -> int:
        return int((np.count_nonzero(self.weight, axis=(0, 1)) * self.uses).sum())

    def apply(self, message: Array) -> Array:
        """Add up tap by tap in float64, exact for integers: |sum| stays far below 2^53."""
        lead, (outputs, rows, columns) = message.shape[:-1], self.out
        sent = message.reshape(-1, self.groups, self.grid[0] // self.groups, *self.grid[1:]).astype(np.float64)
        weight = self.weight.astype(np.float64).reshape(self.groups, -1, *self.weight.shape[1:])
        total = np.zeros((len(sent), self.groups, outputs // self.groups, rows, columns))
        for i, j, here, there in self.taps():
            seen = sent[..., there[0], there[1]]
            part = weight[..., i, j] @ seen.reshape(*seen.shape[:3], -1)
            total[..., here[0], here[1]] += part.reshape(*part.shape[:3], *seen.shape[3:])
        product = total.reshape(*lead, self.post)
        return product if message.dtype.kind == "f" else product.astype(np.int64)

    def synops(self, active: Array) -> tuple[int, int]:
        """Return (hardware, effective) synaptic operations for ``active`` (pre,) message counts."""
        return int(active @ self.fan(np.ones(self.weight.shape, bool))), int(active @ self.fan(self.weight != 0))

    def fan(self, counts: Array) -> Array:
        """Return for each sending neuron (pre,) the sum of ``counts``, shaped as the weights, over its targets."""
        kept = counts.reshape(self.groups, -1, *self.weight.shape[1:]).sum(axis=1, dtype=np.int64)
        kept = kept.reshape(self.grid[0], *self.weight.shape[2:])
        total = np.zeros(self.grid, np.int64)
        for i, j, _, there in self.taps():
            total[:, there[0], there[1]] += kept[:, i, j, None, None]
        return total.reshape(-1)

    @cached_property
    def uses(self) -> Array:
        """How many places of the output each tap serves, (kernel rows, kernel columns)."""
        used = np.zeros(self.weight.shape[2:], np.int64)
        for i, j, (rows, columns), _ in self.taps():
            used[i, j] = (rows.stop - rows.start) * (columns.stop - columns.start)
        return used

    def to_places(self, channels: Array) -> Array:
        """Return one value a channel, (Co,), for every neuron that it leads to, (post,)."""
        return np.repeat(channels, self.out[1] * self.out[2])

    def unrolled(self) -> Sparse:
        """Return the same map weight by weight: what a scale that differs from place to place needs."""
        into, sender = np.arange(self.post).reshape(self.out), np.arange(self.pre).reshape(self.grid)
        outputs, each = len(self.weight) // self.groups, self.weight.shape[1]
        parts = []
        for i, j, here, there in self.taps():
            for group in range(self.groups):
                rows, lines = (slice(group * n, (group + 1) * n) for n in (outputs, each))
                post = into[rows, None, here[0], here[1]]
                pre = sender[None, lines, there[0], there[1]]
                parts.append(np.broadcast_arrays(post, pre, self.weight[rows, :, i, j, None, None]))
        post, pre, weight = (np.concatenate([_NONE, *(part[k].ravel() for part in parts)]) for k in range(3))
        return sparse_of(coo_array((weight.astype(np.float64), (post, pre)), shape=(self.post, self.pre)).tocsr())

    def _extent(self, axis: int) -> int:
        """Return how many places the kernel has along rows (0) or columns (1)."""
        padded = self.grid[1 + axis] + self.padding[2 * axis] + self.padding[2 * axis + 1]
        reach = self.dilation[axis] * (self.weight.shape[2 + axis] - 1) + 1
        return max(0, int(padded - reach) // self.stride[axis] + 1)

    def taps(self) -> Iterator[tuple[int, int, tuple[slice, slice], tuple[slice, slice]]]:
        """Yield each tap that meets a sender: its row and column, the places that it serves, and their senders."""
        rows, columns = ([(tap, *self._served(axis, tap)) for tap in self._meeting(axis)] for axis in (0, 1))
        for i, here_rows, there_rows in rows:
            for j, here_columns, there_columns in columns:
                yield i, j, (here_rows, here_columns), (there_rows, there_columns)

    def _meeting(self, axis: int) -> Iterator[int]:
        """Yield the taps of one axis that fall on a sender at some place; a wide border leaves few of a wide kernel."""
        for tap in range(self.weight.shape[2 + axis]):
            here, _ = self._served(axis, tap)
            if here.start < here.stop:
                yield tap

    def _served(self, axis: int, tap: int) -> tuple[slice, slice]:
        """Return the places of one axis whose tap falls on a sender, and those senders."""
        stride, offset = self.stride[axis], self.dilation[axis] * tap - self.padding[2 * axis]
        first = max(0, -(offset // stride))  # the least place with stride * place + offset >= 0
        last = min(self.out[1 + axis], (self.grid[1 + axis] - 1 - offset) // stride + 1)
        count = max(0, last - first)
        start = stride * first + offset
        return slice(first, first + count), slice(start, start + stride * (count - 1) + 1 if count else start, stride)

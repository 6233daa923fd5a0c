"""Some to some: a[t] = W m[t - 1 - delay], of which only the weights that are not zero are kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from ...printable import outline
from ..arithmetic import Array


@dataclass(frozen=True)
class Sparse:
    """W (post, pre) as rows: row r has ``weight[start[r] : start[r + 1]]`` at the columns ``column`` of the same slice.

    Columns rise within a row, as scipy's canonical CSR has them; a weight may be zero, a quantised one often is.
    """

    weight: Array  # (weights,), float or int8
    column: Array  # (weights,) int32
    start: Array  # (post + 1,) int64
    pre: int

    kind: ClassVar[str] = "sparse"
    hop: ClassVar[int] = 1

    __repr__ = outline

    def fault(self) -> str:
        """Say what of the fields is no matrix, '' where all is."""
        rows = np.diff(self.start)
        if self.start.ndim != 1 or not self.start.size or self.start[0] or (rows < 0).any():
            return "start does not rise from 0"
        if self.weight.ndim != 1 or not self.weight.shape == self.column.shape == (self.start[-1],):
            return f"{self.weight.size} weights at {self.column.size} columns, start says {self.start[-1]}"
        inside = (self.column >= 0) & (self.column < self.pre)
        rising = (np.diff(self.column) > 0) | np.isin(np.arange(1, self.column.size), self.start)
        return "" if inside.all() and rising.all() else f"columns do not rise within 0 and {self.pre - 1} in a row"

    @property
    def post(self) -> int:
        return len(self.start) - 1

    @property
    def count(self) -> int:
        return int(self.weight.size)

    @property
    def nonzero(self) -> int:
        return int(np.count_nonzero(self.weight))

    def apply(self, message: Array) -> Array:
        """Multiply in float64, exact for integers: |sum| stays far below 2^53."""
        flat = message.reshape(-1, self.pre).astype(np.float64)
        product = np.asarray(self.matrix() @ flat.T).T.reshape(*message.shape[:-1], self.post)
        return product if message.dtype.kind == "f" else product.astype(np.int64)

    def synops(self, active: Array) -> tuple[int, int]:
        """Return (hardware, effective) synaptic operations for ``active`` (pre,) message counts."""
        reached = active[self.column]
        return int(reached.sum()), int(reached @ (self.weight != 0))

    @cached_property
    def rows(self) -> Array:
        """The row of each weight, (weights,)."""
        return np.repeat(np.arange(self.post), np.diff(self.start))

    def matrix(self) -> csr_array:
        """Return W in float64 as scipy's CSR."""
        return csr_array((self.weight.astype(np.float64), self.column, self.start), shape=(self.post, self.pre))


def sparse_of(matrix: csr_array) -> Sparse:
    """Return a matrix (post, pre) as synapses; entries at one place are added up, zeros go."""
    rows = csr_array(matrix)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    rows.sort_indices()
    start = np.asarray(rows.indptr, np.int64)
    return Sparse(np.asarray(rows.data, np.float64), np.asarray(rows.indices, np.int32), start, rows.shape[1])

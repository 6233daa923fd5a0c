"""Some to some, with a power of two for each weight: a[t] = sum over e of (W_e m[t - 1 - delay]) 2^e.

The weights of one neuron that have the same exponent e are summed first; the sum is then shifted, to the right towards
minus infinity, as Lava's Sparse does with its ``weight_exp`` (rule N25). Each exponent is a process of its own there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.sparse import coo_array, csr_array

from ..arithmetic import Array, wrap32
from .sparse import Sparse

EXPONENT_LOW, EXPONENT_HIGH = -30, 24


@dataclass(frozen=True)
class Shifted(Sparse):
    """As `Sparse`, and ``exponent`` (weights,) int8: a weight counts ``weight * 2^exponent``."""

    exponent: Array

    kind: ClassVar[str] = "shifted"

    def fault(self) -> str:
        if self.exponent.shape != self.weight.shape:
            return f"{self.exponent.size} exponents of {self.weight.size} weights"
        if self.exponent.dtype.kind != "i":
            return f"exponents are {self.exponent.dtype}, signed whole numbers are needed"
        low, high = int(self.exponent.min(initial=0)), int(self.exponent.max(initial=0))
        if low < EXPONENT_LOW or high > EXPONENT_HIGH:
            return f"exponents run from {low} to {high}, allowed are {EXPONENT_LOW} to {EXPONENT_HIGH}"
        return super().fault()

    def apply(self, message: Array) -> Array:
        flat = message.reshape(-1, self.pre).T
        if message.dtype.kind == "f":
            return np.asarray(self.matrix() @ flat).T.reshape(*message.shape[:-1], self.post)
        total = np.zeros((self.post, flat.shape[1]), np.int64)
        for exponent, doubled in self._groups:
            held = wrap32(np.asarray(doubled @ flat))
            total += held << (exponent - 1) if exponent > 0 else held >> (1 - exponent)
        return total.T.reshape(*message.shape[:-1], self.post)

    def matrix(self) -> csr_array:
        """Return the weights times their powers of two, in float64."""
        real = self.weight * 2.0**self.exponent
        return csr_array((real, self.column, self.start), shape=(self.post, self.pre))

    def group(self, exponent: int) -> csr_array:
        """Return the weights of one exponent, in int64."""
        mine = self.exponent == exponent
        entries = (self.weight[mine].astype(np.int64), (self.rows[mine], self.column[mine]))
        return coo_array(entries, shape=(self.post, self.pre)).tocsr()

    @cached_property
    def exponents(self) -> tuple[int, ...]:
        """The exponents that occur, in order."""
        return tuple(int(exponent) for exponent in np.unique(self.exponent))

    @cached_property
    def _groups(self) -> list[tuple[int, csr_array]]:
        """Each exponent with its weights twice as large: Lava sums those, in 32 bits, and halves them in the shift."""
        return [(exponent, 2 * self.group(exponent)) for exponent in self.exponents]


def shifted_of(mantissa: Array, exponent: Array, places: tuple[Array, Array], shape: tuple[int, int]) -> Shifted:
    """Return synapses with mantissas at ``places`` (rows, columns), int8 where all are whole.

    Zeros go; no place may occur twice. In a float graph mantissas need not be whole.
    """
    rows, columns = places
    order = np.lexsort((columns, rows))
    order = order[np.asarray(mantissa)[order] != 0]
    start = np.concatenate([[0], np.cumsum(np.bincount(rows[order], minlength=shape[0]))]).astype(np.int64)
    weight, powers = np.asarray(mantissa)[order], np.asarray(exponent)[order].astype(np.int8)
    weight = weight.astype(np.int8 if (weight == np.rint(weight)).all() else np.float64)
    return Shifted(weight, columns[order].astype(np.int32), start, shape[1], powers)

"""All to all: a[t] = W m[t - 1 - delay], W (post, pre)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ...printable import outline
from ..arithmetic import Array


@dataclass(frozen=True)
class Dense:
    """All to all; ``weight`` (post, pre), float or int8."""

    weight: Array

    kind: ClassVar[str] = "dense"
    hop: ClassVar[int] = 1

    __repr__ = outline

    @property
    def count(self) -> int:
        return int(self.weight.size)

    @property
    def nonzero(self) -> int:
        return int(self.targets.sum())

    @cached_property
    def targets(self) -> Array:
        """How many neurons each sender reaches by a weight that is not zero, (pre,)."""
        return np.asarray(np.count_nonzero(self.weight, axis=0))

    def apply(self, message: Array) -> Array:
        """Multiply in float64, exact for integers: |sum| stays far below 2^53."""
        product = message.astype(np.float64, copy=False) @ self.weight.astype(np.float64, copy=False).T
        return product if message.dtype.kind == "f" else product.astype(np.int64)

    def synops(self, active: Array) -> tuple[int, int]:
        """Return (hardware, effective) synaptic operations for ``active`` (pre,) message counts."""
        return int(active.sum()) * len(self.weight), int(active @ self.targets)

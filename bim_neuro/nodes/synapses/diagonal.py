"""One to one: a[t] = w o m[t - 1 - delay], a tap of the causal convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...printable import outline
from ..arithmetic import Array


@dataclass(frozen=True)
class Diagonal:
    """One to one; ``weight`` (neurons,)."""

    weight: Array

    kind: ClassVar[str] = "diagonal"
    hop: ClassVar[int] = 1

    __repr__ = outline

    @property
    def count(self) -> int:
        return int(self.weight.size)

    @property
    def nonzero(self) -> int:
        return int(np.count_nonzero(self.weight))

    def apply(self, message: Array) -> Array:
        return message * self.weight

    def synops(self, active: Array) -> tuple[int, int]:
        return int(active.sum()), int(active @ (self.weight != 0))

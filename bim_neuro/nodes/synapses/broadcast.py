"""Every target neuron receives every message: a[t] = m[t - 1 - delay]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..arithmetic import Array


@dataclass(frozen=True)
class Broadcast:
    """Every message to each of ``targets`` neurons, weight 1."""

    size: int
    targets: int

    kind: ClassVar[str] = "broadcast"
    hop: ClassVar[int] = 1

    @property
    def count(self) -> int:
        return self.size * self.targets

    @property
    def nonzero(self) -> int:
        return self.count

    def apply(self, message: Array) -> Array:
        return message

    def synops(self, active: Array) -> tuple[int, int]:
        operations = int(active.sum()) * self.targets
        return operations, operations

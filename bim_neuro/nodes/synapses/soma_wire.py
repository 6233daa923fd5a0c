"""A wire inside one microcode neuron, no synapse: a[t] = m[t]. The class is called Soma in files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..arithmetic import Array


@dataclass(frozen=True)
class SomaWire:
    """The wire between scan and LIF inside one microcode neuron."""

    kind: ClassVar[str] = "soma"
    hop: ClassVar[int] = 0

    @property
    def count(self) -> int:
        return 0

    @property
    def nonzero(self) -> int:
        return 0

    def apply(self, message: Array) -> Array:
        return message

    def synops(self, active: Array) -> tuple[int, int]:
        return 0, 0

"""What every synapse is: weights and their geometry, as the rest of the compiler sees them."""

from __future__ import annotations

from typing import ClassVar, Protocol

from ..arithmetic import Array

WEIGHT_MAX = 127


class Synapse(Protocol):
    """Weights and their geometry. ``hop`` is the steps a message needs on the chip before any delay."""

    kind: ClassVar[str]
    hop: ClassVar[int]

    @property
    def count(self) -> int: ...

    @property
    def nonzero(self) -> int: ...

    def apply(self, message: Array) -> Array: ...

    def synops(self, active: Array) -> tuple[int, int]: ...

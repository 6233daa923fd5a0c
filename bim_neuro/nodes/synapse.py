r"""Synapses: how the messages of one node become the accumulated input of another, one step later.

    dense        a[t] = W m[t - 1 - delay]             W (post, pre)
    diagonal     a[t] = w o m[t - 1 - delay]           one synapse a neuron: a tap of the causal conv
    broadcast    a[t] = m[t - 1 - delay]               every target neuron receives every message
    soma         a[t] = m[t]                           inside one microcode neuron, no synapse

The integer law (N11) is the float law on int8 weights; Lava's Dense, DelayDense and DelaySparse are the judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from ..printable import outline
from .arithmetic import Array

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
        return int(np.count_nonzero(self.weight))

    def apply(self, message: Array) -> Array:
        """Multiply in float64, exact for integers: |sum| stays far below 2^53."""
        product = message.astype(np.float64) @ self.weight.astype(np.float64).T
        return product if message.dtype.kind == "f" else product.astype(np.int64)

    def synops(self, active: Array) -> tuple[int, int]:
        """Return (hardware, effective) synaptic operations for ``active`` (pre,) message counts."""
        return int(active.sum()) * len(self.weight), int(active @ np.count_nonzero(self.weight, axis=0))


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


@dataclass(frozen=True)
class Soma:
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

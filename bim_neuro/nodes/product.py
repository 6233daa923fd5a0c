r"""Product: neurons that multiply what arrives at their two ports.

    p[t] = a1[t] a2[t] 2^-shift
    m[t] = p[t]  where |p[t]| > v_threshold, else 0

The integer law (N27) is that of Lava's ProdNeuron (lava-nc 0.10.0, proc/prodneuron/models.py): sums and products of 32
bits, which wrap, and a shift towards minus infinity. The float law counts in the same units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..printable import outline
from .arithmetic import Array, magnitude32, wrapped32
from .graded import threshold_fault
from .node import State, Step

SHIFT_MAX = 31


@dataclass(frozen=True)
class Prod:
    """Float law; ``largest`` is the largest magnitude of a message that a proof allows, 0 where there is no proof."""

    size: int
    shift: int
    largest: int = 0

    kind: ClassVar[str] = "product"

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return self.size

    @property
    def ports(self) -> dict[str, int]:
        return {"a1": self.size, "a2": self.size}

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        return Step(state, inputs["a1"] * inputs["a2"] * 2.0**-self.shift)


@dataclass(frozen=True)
class IntegerProd:
    """N27. ``largest`` is as in `Prod`; what it says is not enforced."""

    size: int
    shift: int
    largest: int = 0
    v_threshold: int = 0

    kind: ClassVar[str] = "product"
    lava_process: ClassVar[str] = "ProdNeuron"
    gated: ClassVar[bool] = False
    message_bits: ClassVar[int] = 24

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return self.size

    @property
    def ports(self) -> dict[str, int]:
        return {"a1": self.size, "a2": self.size}

    @property
    def state_words(self) -> int:
        return 1

    def fault(self) -> str:
        """Say which field is out of range, '' where none is."""
        if not 0 <= self.shift <= SHIFT_MAX:
            return f"shift is {self.shift}, allowed are 0 to {SHIFT_MAX}"
        return threshold_fault(self.v_threshold, self.largest)

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        left, lost = wrapped32(inputs["a1"])
        right, more = wrapped32(inputs["a2"])
        product, wrapped = wrapped32(left * right)
        p = product >> self.shift
        return Step(state, np.where(magnitude32(p) > self.v_threshold, p, 0), lost + more + wrapped)

r"""Graded vector: neurons without a state that send what they accumulated, or only what of it is above the threshold.

    m[t] = a[t]  where |a[t]| > v_threshold, else 0         Lava's GradedVec
    m[t] = a[t]  where a[t] > v_threshold, else 0           Lava's GradedReluVec, ``rectify``

The integer law (N26) is theirs (lava-nc 0.10.0, proc/graded/models.py): sums of 32 bits, which wrap. The float law
counts in the same units and has the threshold 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..printable import outline
from .arithmetic import LONG_MAX, Array, magnitude32, wrapped32
from .node import State, Step


@dataclass(frozen=True)
class Graded:
    """Float law; ``largest`` is the largest magnitude of a message that a proof allows, 0 where there is no proof."""

    size: int
    rectify: bool = False
    largest: int = 0

    kind: ClassVar[str] = "graded"

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return self.size

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.size}

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        return Step(state, np.maximum(inputs["a"], 0) if self.rectify else inputs["a"])


@dataclass(frozen=True)
class IntegerGraded:
    """N26. ``largest`` is as in `Graded`; what it says is not enforced."""

    size: int
    rectify: bool = False
    largest: int = 0
    v_threshold: int = 0

    kind: ClassVar[str] = "graded"
    lava_process: ClassVar[str] = "GradedVec"  # or GradedReluVec
    gated: ClassVar[bool] = False
    message_bits: ClassVar[int] = 24

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return self.size

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.size}

    @property
    def state_words(self) -> int:
        return 1

    def fault(self) -> str:
        """Say which field is out of range, '' where none is."""
        return threshold_fault(self.v_threshold, self.largest)

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        v, wrapped = wrapped32(inputs["a"])
        size = v if self.rectify else magnitude32(v)
        return Step(state, np.where(size > self.v_threshold, v, 0), wrapped)


def threshold_fault(v_threshold: int, largest: int) -> str:
    """Say which of two numbers no 31 bits hold, '' where both are held."""
    for name, value in (("v_threshold", v_threshold), ("largest", largest)):
        if not 0 <= value <= LONG_MAX:
            return f"{name} is {value}, allowed are 0 to {LONG_MAX}"
    return ""

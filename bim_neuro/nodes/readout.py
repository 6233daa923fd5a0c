r"""Readout: a leaky integrator a class; the class with the largest mean over a sample's steps is the answer.

    v[t] = decay * v[t-1] + a[t] + bias

The integer law (N10) rescales the accumulated int8 products, decays by a 16-bit factor and saturates at 24 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..printable import outline
from ..shapes import Int, Real
from .arithmetic import Array, multiply_shift, rescale, saturate
from .node import State, Step


@dataclass(frozen=True)
class Readout:
    """Float law. ``decay`` per step, a scalar; ``bias`` (classes,); ``v_range`` the largest |v| (`ranges`)."""

    decay: float
    bias: Annotated[Array, Real("classes")]
    v_range: float = 0.0

    kind: ClassVar[str] = "readout"

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return len(self.bias)

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.neurons}

    def initial(self, batch: tuple[int, ...]) -> State:
        return {"v": np.zeros((*batch, self.neurons))}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        v = self.decay * state["v"] + inputs["a"] + self.bias
        return Step({"v": v}, v)


@dataclass(frozen=True)
class IntegerReadout:
    """N10. ``decay`` in units of 2^-16; ``multiplier`` (classes,), ``shift``, ``bias`` as in the relay."""

    decay: int
    multiplier: Annotated[Array, Int("classes")]
    shift: int
    bias: Annotated[Array, Int("classes")]

    kind: ClassVar[str] = "readout"
    lava_process: ClassVar[str] = ""
    gated: ClassVar[bool] = True
    message_bits: ClassVar[int] = 24

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return len(self.bias)

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.neurons}

    @property
    def state_words(self) -> int:
        return 1

    def initial(self, batch: tuple[int, ...]) -> State:
        return {"v": np.zeros((*batch, self.neurons), dtype=np.int64)}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        a, lost = rescale(inputs["a"], self.multiplier, self.shift, self.bias)
        v, clipped = saturate(multiply_shift(state["v"], self.decay, 16) + a)
        return Step({"v": v}, v, lost + clipped)

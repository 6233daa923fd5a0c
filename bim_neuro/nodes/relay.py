r"""Relay: passes on what it accumulated, as a graded message (the projections u, B and C of a BIM block).

    r[t] = a[t] + bias

The integer law (N8) rescales the accumulated int8 products into a 16-bit message and saturates there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..printable import outline
from ..shapes import Int, Real
from .arithmetic import Array, rescale, saturate
from .node import State, Step

MESSAGE_MAX = 2**15 - 1


@dataclass(frozen=True)
class Relay:
    """Float law. ``bias`` (neurons,); ``message_range`` is the largest |r| (`ranges`)."""

    bias: Annotated[Array, Real("neurons")]
    message_range: float = 0.0

    kind: ClassVar[str] = "relay"

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return len(self.bias)

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.neurons}

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        return Step(state, inputs["a"] + self.bias)


@dataclass(frozen=True)
class IntegerRelay:
    """N8. ``multiplier`` (neurons,) and ``shift`` bring the sum into message units; ``bias`` is in message units."""

    multiplier: Annotated[Array, Int("neurons")]
    shift: int
    bias: Annotated[Array, Int("neurons")]

    kind: ClassVar[str] = "relay"
    lava_process: ClassVar[str] = ""
    gated: ClassVar[bool] = True
    message_bits: ClassVar[int] = 16

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
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        word, clipped = rescale(inputs["a"], self.multiplier, self.shift, self.bias)
        message, cut = saturate(np.asarray(word), MESSAGE_MAX)
        return Step(state, message, clipped + cut)

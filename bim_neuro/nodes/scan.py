r"""Selective scan: D channels with N states each, whose decay, input and output gates depend on the input.

    delta[t] = softplus(z[t] + bias_dt)                                     (D)     port dt
    u[t]     = w[t] + bias_u                                                (D)     port u, after the conv taps
    h[t]     = exp(delta[t] A) o h[t-1] + delta[t] u[t] B[t]                (D, N)  port B (N), A = -exp(A_log)
    y[t]     = sum_n C[t, n] h[t, :, n] + D_skip o u[t]                     (D)     port C (N)

Mamba's recurrence (ZOH for A, Euler for B) with every projection read in parallel, as Mamba-2 does. The integer law
(N9) has the same four lines; each product is a 24-bit word times a 16-bit factor, shifted right towards zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from ..printable import outline
from ..shapes import Int, Real
from .arithmetic import (
    FACTOR_MAX,
    FRACTION_BITS,
    WORD_BITS,
    Array,
    exp2_minus,
    multiply_shift,
    rescale,
    saturate,
    softplus,
)
from .node import State, Step

Y_MAX = 2**17 - 1  # largest input of a LIF: << 6 must stay within its 24-bit current
U_MAX = 2**15 - 1


@dataclass(frozen=True)
class ScanRange:
    """The largest magnitudes (`ranges`): the input u, the product delta u, the state h, and the output y."""

    u: float = 0.0
    du: float = 0.0
    h: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Scan:
    """Float law. ``a`` (D, N) is A itself, negative; ``d_skip``, ``bias_u``, ``bias_dt`` (D,)."""

    a: Annotated[Array, Real("D N")]
    d_skip: Annotated[Array, Real("D")]
    bias_u: Annotated[Array, Real("D")]
    bias_dt: Annotated[Array, Real("D")]
    ranges: ScanRange = ScanRange()

    kind: ClassVar[str] = "scan"

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return len(self.d_skip)

    @property
    def ports(self) -> dict[str, int]:
        return _ports(self.a)

    def initial(self, batch: tuple[int, ...]) -> State:
        channel = np.zeros((*batch, self.neurons))
        return {"h": np.zeros((*batch, *self.a.shape)), "u": channel, "du": channel}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        delta = np.logaddexp(0.0, inputs["dt"] + self.bias_dt)
        u = inputs["u"] + self.bias_u
        du = delta * u
        h = np.exp(delta[..., None] * self.a) * state["h"] + du[..., None] * inputs["B"][..., None, :]
        y = (h * inputs["C"][..., None, :]).sum(axis=-1) + self.d_skip * u
        return Step({"h": h, "u": u, "du": du}, y)


class ScanWords(NamedTuple):
    """The registers of one step of the integer law, which a trace process reads besides the state."""

    delta: Array  # (..., D) in units of 2^-20
    u: Array  # (..., D)
    du: Array  # (..., D)
    kept: Array  # (..., D, N), what is left of the state before
    decay: Array  # (..., D, N), 16 bits
    h: Array  # (..., D, N)
    y: Array  # (..., D)
    saturated: int


@dataclass(frozen=True)
class IntegerScan:
    """N9. Multipliers are 16-bit factors a channel; shifts are the exponents that keep every word in its format.

    ``alpha`` (D, N) is |A| log2(e) in units of 2^-alpha_shift; ``d_skip`` (D,) a 24-bit word.
    """

    alpha: Annotated[Array, Int("D N")]
    alpha_shift: int
    d_skip: Annotated[Array, Int("D")]
    d_shift: int
    u_multiplier: Annotated[Array, Int("D")]
    u_shift: int
    u_bias: Annotated[Array, Int("D")]
    dt_multiplier: Annotated[Array, Int("D")]
    dt_shift: int
    dt_bias: Annotated[Array, Int("D")]
    du_shift: int
    b_shift: int
    c_shift: int

    kind: ClassVar[str] = "scan"
    lava_process: ClassVar[str] = ""
    gated: ClassVar[bool] = True
    message_bits: ClassVar[int] = 24

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return len(self.d_skip)

    @property
    def ports(self) -> dict[str, int]:
        return _ports(self.alpha)

    @property
    def state_words(self) -> int:
        return int(self.alpha.shape[1])

    def initial(self, batch: tuple[int, ...]) -> State:
        return {"h": np.zeros((*batch, *self.alpha.shape), dtype=np.int64)}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        words = self.words(state["h"], inputs)
        return Step({"h": words.h}, words.y, words.saturated)

    def words(self, h: Array, inputs: dict[str, Array]) -> ScanWords:
        """Return every register of one step from state h (..., D, N)."""
        z, lost_dt = rescale(inputs["dt"], self.dt_multiplier, self.dt_shift, self.dt_bias)
        z, clipped_z = saturate(z)
        delta, clipped_delta = softplus(z)
        u, lost_u = rescale(inputs["u"], self.u_multiplier, self.u_shift, self.u_bias)
        u, clipped_u = saturate(u, U_MAX)
        p = multiply_shift(delta[..., None], self.alpha, self.alpha_shift)
        decay = np.minimum(exp2_minus(np.minimum(p, 2**WORD_BITS - 1)) >> (FRACTION_BITS - 16), FACTOR_MAX)
        du, clipped_du = saturate(multiply_shift(delta, u, self.du_shift))
        drive = multiply_shift(du[..., None], inputs["B"][..., None, :], self.b_shift)
        kept = multiply_shift(h, decay, 16)
        h, clipped_h = saturate(kept + drive)
        gated = multiply_shift(h, inputs["C"][..., None, :], self.c_shift).sum(axis=-1)
        y, clipped_y = saturate(gated + multiply_shift(self.d_skip, u, self.d_shift), Y_MAX)
        lost = lost_dt + lost_u + clipped_z + clipped_delta + clipped_u + clipped_du + clipped_h + clipped_y
        return ScanWords(delta, u, du, kept, decay, h, y, lost)


def _ports(a: Array) -> dict[str, int]:
    channels, states = a.shape
    return {"u": channels, "dt": channels, "B": states, "C": states}

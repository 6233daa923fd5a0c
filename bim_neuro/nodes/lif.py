r"""Leaky integrate-and-fire, the soma of a BIM channel and the neuron Lava ships.

    i[t] = current_decay * i[t-1] + input[t]             synaptic current (current_decay 0: none)
    v[t] = decay * v[t-1] + i[t] + bias                  leak, then integrate
    s[t] = v[t] > v_threshold                            fire
    v[t] = 0 where s[t]                                  hard reset

The integer law (N7) is Lava's bit-accurate LIF (lava-nc 0.10.0, proc/lif/models.py): the same four lines with 12-bit
decays that round towards zero, a hidden +1 on du, input shifted left by 6, a current that wraps at 2^23 and a voltage
that saturates there. The bias is a mantissa of 13 bits a neuron times a power of two, 2^0 to 2^7, a layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np

from ..errors import InputError
from ..printable import outline
from ..shapes import Int, Real
from .arithmetic import WORD_MAX, Array, multiply_shift, saturate
from .node import State, Step

DECAY_BITS = 12
ACCUMULATOR_SHIFT = 6  # Lava aligns synaptic input and threshold with the 24-bit state by << 6
V_THRESHOLD_MAX = 2**17 - 1
BIAS_LOW, BIAS_HIGH = -(2**12), 2**12 - 1  # Lava declares bias_mant with 13 bits, and silently wraps wider ones
BIAS_EXP_MAX = 7  # and bias_exp with 3
_WRAP = 2**23


@dataclass(frozen=True)
class LIF:
    """Float law. ``decay``, ``current_decay`` per step, one scalar a layer as in Lava; ``bias`` (neurons,).

    ``state_unit`` is the real value of one unit of its integer state, of a model that is integers already; 0: any.
    """

    size: int
    decay: float
    v_threshold: float
    bias: Annotated[Array, Real("size")]
    current_decay: float = 0.0
    state_unit: float = field(default=0.0, metadata={"omit": True})

    kind: ClassVar[str] = "lif"

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return self.size

    @property
    def ports(self) -> dict[str, int]:
        return {"i": self.size}

    def initial(self, batch: tuple[int, ...]) -> State:
        return {"u": np.zeros((*batch, self.size)), "v": np.zeros((*batch, self.size))}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        u = self.current_decay * state["u"] + inputs["i"]
        v = self.charged(state["v"], u)
        s = v > self.v_threshold
        return Step({"u": u, "v": np.where(s, 0.0, v)}, s.astype(np.float64))

    def charged(self, v: Array, u: Array) -> Array:
        """Return the voltage that is compared with the threshold, from that of the step before and the current."""
        return np.asarray(self.decay * v + u + self.bias)


@dataclass(frozen=True)
class IntegerLIF:
    """N7. ``du``, ``dv`` 12 bit, ``v_threshold`` 17 bit; ``bias_mant`` (neurons,) 13 bit, ``bias_exp`` 3 bit.

    Lava has an exponent a neuron; one a layer is what any chip with a shared neuron program holds too.
    """

    size: int
    du: int
    dv: int
    v_threshold: int
    bias_mant: Annotated[Array, Int("size")]
    bias_exp: int = 0

    kind: ClassVar[str] = "lif"
    lava_process: ClassVar[str] = "LIFReset"
    gated: ClassVar[bool] = False
    message_bits: ClassVar[int] = 1

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return self.size

    @property
    def ports(self) -> dict[str, int]:
        return {"i": self.size}

    @property
    def bias(self) -> Array:
        """What is added to the state every step, (neurons,): the mantissa times 2^bias_exp, in state units."""
        return np.asarray(self.bias_mant * 2**self.bias_exp)

    @property
    def state_words(self) -> int:
        return 1

    def initial(self, batch: tuple[int, ...]) -> State:
        return {name: np.zeros((*batch, self.size), dtype=np.int64) for name in ("u", "v")}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        unity = 2**DECAY_BITS
        u = multiply_shift(state["u"], unity - (self.du + 1), DECAY_BITS) + (inputs["i"] << ACCUMULATOR_SHIFT)
        u, wrapped = wrap(u)
        v = multiply_shift(state["v"], unity - self.dv, DECAY_BITS) + u + self.bias
        v, clipped = saturate(v, WORD_MAX)
        s = v > (self.v_threshold << ACCUMULATOR_SHIFT)
        return Step({"u": u, "v": np.where(s, 0, v)}, s.astype(np.int64), wrapped + clipped)


def wrap(u: Array) -> tuple[Array, int]:
    """Wrap beyond 2^23 as Lava does (2^23 itself is kept, -2^23 is not); also count the wrapped words."""
    over, under = u > _WRAP, u <= -_WRAP
    wrapped = np.where(over, u - 2 * _WRAP, np.where(under, u + 2 * _WRAP, u))
    return wrapped, int(np.count_nonzero(over | under))


def split_bias(bias: Array, layer: str = "lif") -> tuple[Array, int]:
    """Return mantissas and the smallest exponent whose product is exactly ``bias``; else refuse, naming a neuron."""
    whole = np.asarray(bias)
    for exponent in range(BIAS_EXP_MAX + 1):
        mantissa = whole // 2**exponent
        fits = (mantissa * 2**exponent == whole) & (mantissa >= BIAS_LOW) & (mantissa <= BIAS_HIGH)
        if fits.all():
            return mantissa, exponent
    neuron = int(np.argmax(np.abs(whole.astype(np.float64))))
    raise InputError(
        f"layer '{layer}': bias is {whole.flat[neuron]} at neuron {neuron}, and no power of two from 2^0 to "
        f"2^{BIAS_EXP_MAX} makes all {whole.size} of the layer whole numbers from {BIAS_LOW} to {BIAS_HIGH}",
        "compile the model anew: the bias is then rounded to what a LIF holds",
    )

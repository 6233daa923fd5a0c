r"""Cuba: a current-based spiking neuron with parameters of its own a neuron, and the resets of every framework.

    u[t] = current_decay u[t-1] + gain a[t]              synaptic current (current_decay 0: none)
    v    = v[t-1], reset by n[t-1]                       reset_when 'next'
    v    = decay v + u[t] + bias                         leak, then integrate
    v    = v, reset by n[t-1]                            reset_when 'after'
    n[t] = v > v_threshold, or >=                        counts 'one'
           floor(v / v_threshold) where that holds       counts 'many'
    v    = v, reset by n[t]                              reset_when 'same'
    v[t] = max(v, v_floor)
    m[t] = n[t]; n[t-1] with lag; v[t] with counts 'none', which neither fires nor resets: a leaky integrator

    reset by n:   v - n v_threshold ('subtract');  v_reset where n > 0 ('value')

All but the switches is a number a neuron. Where one decay and one threshold serve a layer and a spike resets to 0
in its own step, the neuron is Lava's LIF (lif.py), which a chip runs without microcode.

The integer law (N24) rescales the accumulated int8 products as a relay does (N6), decays both states by 16-bit factors
(N2) and saturates them at 24 bits. 16-bit weights arrive as two sums, a + 256 high, of two lists of int8 weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np

from ..printable import outline
from ..shapes import Int, Real
from .arithmetic import FACTOR_BITS, WORD_BITS, WORD_MAX, Array, multiply_shift, rescale, saturate
from .node import State, Step

HIGH_BITS = 8
"""A sum of the port ``high`` counts 2^8 times one of the port ``a``."""
COUNT_BITS = 16
COUNT_MAX = 2 ** (COUNT_BITS - 1) - 1
RESETS, WHEN, COUNTS = ("value", "subtract"), ("same", "next", "after"), ("one", "many", "none")
COMPARISONS = (">", ">=")
ROWS = ("decay", "current_decay", "multiplier", "bias", "v_threshold", "v_reset", "v_start", "v_floor")
"""What an integer neuron holds of its own."""
_MOST_SHIFT = 62  # of a word of 64 bits
_MESSAGE_BITS = {"one": 1, "many": COUNT_BITS, "none": WORD_BITS}


@dataclass(frozen=True)
class Cuba:
    """Float law; ``decay`` and ``current_decay`` a step; ``v_floor`` is -inf where there is none.

    The switches are `switches.SWITCHES`; weights into ``wide`` neurons become integers of 16 bits; ``u_range`` and
    ``v_range`` are the largest |u| and |v| (`ranges`). ``state_unit`` is the real value of one unit of the integer
    states, of a model that is integers already; 0: the ranges decide.
    """

    decay: Annotated[Array, Real("neurons")]
    current_decay: Annotated[Array, Real("neurons")]
    gain: Annotated[Array, Real("neurons")]
    bias: Annotated[Array, Real("neurons")]
    v_threshold: Annotated[Array, Real("neurons")]
    v_reset: Annotated[Array, Real("neurons")]
    v_start: Annotated[Array, Real("neurons")]
    v_floor: Annotated[Array, Real("neurons")]
    reset: str = "value"
    reset_when: str = "same"
    compare: str = ">"
    counts: str = "one"
    lag: bool = False
    wide: bool = False
    u_range: float = 0.0
    v_range: float = 0.0
    state_unit: float = field(default=0.0, metadata={"omit": True})

    kind: ClassVar[str] = "cuba"

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return len(self.decay)

    def fault(self) -> str:
        """Say what of the fields is no neuron, '' where all is."""
        return _fault(self, ("decay", "current_decay", "gain", *ROWS[3:]))

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.neurons}

    def initial(self, batch: tuple[int, ...]) -> State:
        shape = (*batch, self.neurons)
        return {"u": np.zeros(shape), "v": np.broadcast_to(self.v_start, shape).copy(), "n": np.zeros(shape)}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        u, before = self.current_decay * state["u"] + self.gain * inputs["a"], state["n"]
        v = self.charged(state["v"], u, before)
        n = spikes(self, v).astype(v.dtype)
        if self.reset_when == "same":
            v = reset(self, v, n)
        v = np.maximum(v, self.v_floor)
        return Step({"u": u, "v": v, "n": n}, v if self.counts == "none" else before if self.lag else n)

    def charged(self, v: Array, u: Array, before: Array) -> Array:
        """Return the voltage that is compared with the threshold, from those of the step before and the current."""
        if self.reset_when == "next":
            v = reset(self, v, before)
        v = self.decay * v + u + self.bias
        return reset(self, v, before) if self.reset_when == "after" else v


@dataclass(frozen=True)
class IntegerCuba:
    """N24. Decays in units of 2^-16, ``multiplier`` and ``shift`` as in the relay; all voltages in state units.

    ``wide`` neurons have the port ``high`` beside ``a``.
    """

    decay: Annotated[Array, Int("neurons")]
    current_decay: Annotated[Array, Int("neurons")]
    multiplier: Annotated[Array, Int("neurons")]
    shift: int
    bias: Annotated[Array, Int("neurons")]
    v_threshold: Annotated[Array, Int("neurons")]
    v_reset: Annotated[Array, Int("neurons")]
    v_start: Annotated[Array, Int("neurons")]
    v_floor: Annotated[Array, Int("neurons")]
    reset: str = "value"
    reset_when: str = "same"
    compare: str = ">"
    counts: str = "one"
    lag: bool = False
    wide: bool = False

    kind: ClassVar[str] = "cuba"
    lava_process: ClassVar[str] = ""
    gated: ClassVar[bool] = True

    __repr__ = outline

    @property
    def neurons(self) -> int:
        return len(self.decay)

    def fault(self) -> str:
        """Say what of the fields is no neuron, '' where all is."""
        return _fault(self, ROWS) or self._beyond()

    def _beyond(self) -> str:
        """Say which number is not whole or has more bits than its word, '' where all fit."""
        for name in ROWS:
            row = getattr(self, name)
            low, high = (0, 2**FACTOR_BITS) if name in ("decay", "current_decay") else (-WORD_MAX, WORD_MAX)
            if row.dtype.kind not in "iu":
                return f"{name} holds {row.dtype}, whole numbers are needed"
            if row.size and not low <= int(row.min()) <= int(row.max()) <= high:
                return f"{name} runs from {row.min()} to {row.max()}, allowed are {low} to {high}"
        return "" if 0 <= self.shift <= _MOST_SHIFT else f"shift is {self.shift}, allowed are 0 to {_MOST_SHIFT}"

    @property
    def ports(self) -> dict[str, int]:
        return dict.fromkeys(("a", "high") if self.wide else ("a",), self.neurons)

    @property
    def message_bits(self) -> int:
        return _MESSAGE_BITS[self.counts]

    @property
    def state_words(self) -> int:
        """Words of state: the voltage, the current where there is one, the last spikes where they are still needed."""
        return 1 + int(self.current_decay.any()) + int(self.lag or self.reset_when != "same")

    def initial(self, batch: tuple[int, ...]) -> State:
        shape = (*batch, self.neurons)
        v = np.broadcast_to(self.v_start, shape).astype(np.int64)
        return {"u": np.zeros(shape, np.int64), "v": v, "n": np.zeros(shape, np.int64)}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        total = inputs["a"] + (inputs["high"] << HIGH_BITS) if self.wide else inputs["a"]
        a, lost = rescale(total, self.multiplier, self.shift, np.zeros(1, np.int64))
        u, cut = saturate(multiply_shift(state["u"], self.current_decay, FACTOR_BITS) + a)
        v, before = state["v"], state["n"]
        if self.reset_when == "next":
            v, clipped = saturate(reset(self, v, before))
            lost += clipped
        v = multiply_shift(v, self.decay, FACTOR_BITS) + u + self.bias
        if self.reset_when == "after":
            v = reset(self, v, before)
        v, clipped = saturate(v)
        n, many = saturate(spikes(self, v), COUNT_MAX)
        if self.reset_when == "same":
            v = reset(self, v, n)
        v = np.maximum(v, self.v_floor)
        message = v if self.counts == "none" else before if self.lag else n
        return Step({"u": u, "v": v, "n": n}, message, lost + cut + clipped + many)


def spikes(node: Cuba | IntegerCuba, v: Array) -> Array:
    """Return how often each neuron fires at a voltage."""
    if node.counts == "none":
        return np.zeros_like(v)
    fires = v >= node.v_threshold if node.compare == ">=" else v > node.v_threshold
    return np.where(fires, np.floor_divide(v, node.v_threshold), 0) if node.counts == "many" else fires.astype(np.int64)


def reset(node: Cuba | IntegerCuba, v: Array, n: Array) -> Array:
    """Return the voltage after ``n`` spikes."""
    if node.counts == "none":
        return v
    return v - n * node.v_threshold if node.reset == "subtract" else np.where(n > 0, node.v_reset, v)


def _fault(node: Cuba | IntegerCuba, rows: tuple[str, ...]) -> str:
    allowed = {"reset": RESETS, "reset_when": WHEN, "compare": COMPARISONS, "counts": COUNTS}
    for name, values in allowed.items():
        if getattr(node, name) not in values:
            return f"{name} is {getattr(node, name)!r:.40}, allowed are {', '.join(values)}"
    neurons = node.decay.shape
    for name in rows:
        if getattr(node, name).shape != neurons or len(neurons) != 1:
            return f"{name} has the shape {getattr(node, name).shape}, decay {neurons}: one value a neuron is needed"
    lowest = node.v_threshold.min(initial=1)
    return f"threshold {lowest:.4g}: only positive ones can be counted" if node.counts == "many" and lowest <= 0 else ""

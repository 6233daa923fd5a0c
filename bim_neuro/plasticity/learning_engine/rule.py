r"""Learning rules: what a learning engine can compute for a synapse, as data.

    dw = sum of products        dt = sum of products        product = mantissa 2^exponent * dependency * factors

A dependency says when the product applies: ``x0`` at a presynaptic spike, ``y0`` at a postsynaptic spike, ``uk`` every
2^k epochs. A factor is a trace (x1, x2 of the presynaptic neuron, y1 to y3 of the postsynaptic), the weight ``w`` or
the tag ``t``, plus an offset. Traces are unsigned; a signed quantity travels with SIGN_OFFSET and its factor takes it
off.

A rule has two meanings. The float one is the formula. The fixed one (N16) multiplies integers whose widths add up,
shifts the product right until it fits 16 bits, and never shifts back, so its scale is smaller by ``hidden_shift``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod

import numpy as np

from ...errors import InputError
from ...nodes.arithmetic import Array

WIDTHS = {"x1": 7, "x2": 7, "y1": 7, "y2": 7, "y3": 7, "w": 9, "t": 9}
"""Bits of each factor (lava-nc 0.10.0, learning constants)."""
PRE_TRACES, POST_TRACES = ("x1", "x2"), ("y1", "y2", "y3")
TRACE_MAX = 127
SIGN_OFFSET = 64  # a trace that carries a signed value v holds v + 64
MANTISSA_BITS = 4
MANTISSAS = (-8, 7)
EXPONENTS = (-7, 8)
ACCUMULATOR_BITS = 15  # and a sign
FRACTION_BITS = 7  # of the accumulator below a weight's or a tag's unit
ACCUMULATOR_LOW, ACCUMULATOR_HIGH = -(2**ACCUMULATOR_BITS) - 1, 2**ACCUMULATOR_BITS - 1  # Lava's bounds, N16
_MAC_BITS = 31  # a product must not leave 32 bits before it is shifted


@dataclass(frozen=True)
class Factor:
    """A trace, the weight or the tag, plus a constant."""

    name: str
    offset: int = 0

    def __post_init__(self) -> None:
        if self.name not in WIDTHS:
            raise InputError(f"learning rule: no factor '{self.name}'", f"one of {', '.join(WIDTHS)}")
        if not -128 <= self.offset <= 127:
            raise InputError(f"learning rule: the offset {self.offset} of {self.name} is not within -128 to 127")

    @property
    def width(self) -> int:
        return WIDTHS[self.name]

    def fixed(self, value: Array) -> Array:
        """Add the constant and clip to the width, as N16 says."""
        return np.asarray(np.clip(value + self.offset, -(2**self.width), 2**self.width - 1))


@dataclass(frozen=True)
class Product:
    """A scaled product of factors that counts when its dependency holds."""

    mantissa: int
    exponent: int
    dependency: str
    factors: tuple[Factor, ...]

    def __post_init__(self) -> None:
        if self.dependency not in ("x0", "y0", *(f"u{k}" for k in range(10))):
            raise InputError(f"learning rule: no dependency '{self.dependency}'", "x0, y0, or u0 to u9")
        for what, value, (low, high) in (
            ("mantissa", self.mantissa, MANTISSAS),
            ("exponent", self.exponent, EXPONENTS),
        ):
            if not low <= value <= high:
                raise InputError(f"learning rule: {what} {value} is not within {low} to {high}")
        if self.mantissa == 0 or (self.mantissa == -8 and self.exponent < EXPONENTS[1]):
            hint = "leave the product out" if self.mantissa == 0 else f"write -4 * 2^{self.exponent + 1}"
            raise InputError(f"learning rule: mantissa {self.mantissa} is not canonical", hint)
        if self._width > _MAC_BITS:
            raise InputError(f"learning rule: a product of {self._width} bits, the multiplier holds {_MAC_BITS}")

    @property
    def _width(self) -> int:
        return sum(factor.width for factor in self.factors) + MANTISSA_BITS

    @property
    def hidden_shift(self) -> int:
        """Bits by which the fixed-point meaning shifts right without shifting back."""
        return max(0, self._width - ACCUMULATOR_BITS)

    @property
    def scale(self) -> float:
        """What the factors are multiplied by in the float meaning."""
        return float(self.mantissa * 2.0**self.exponent)

    @property
    def fixed_scale(self) -> float:
        """What the factors are multiplied by in the fixed meaning, rounding aside."""
        return self.scale * 2.0**-self.hidden_shift

    def value(self, holds: Array | int, factors: Mapping[str, Array]) -> Array:
        """Float meaning, in units of the weight or the tag."""
        return np.asarray(self.scale * holds * prod(factors[f.name] + f.offset for f in self.factors))

    def fixed(self, holds: Array | int, factors: Mapping[str, Array]) -> Array:
        """N16: fixed meaning, in units of 2^-7 of the weight or the tag."""
        product: Array = np.asarray(holds, dtype=np.int64) * self.mantissa
        for factor in self.factors:
            product = product * factor.fixed(factors[factor.name])
        shifted = (product >> self.hidden_shift) << (self.exponent + FRACTION_BITS)
        return np.asarray(np.clip(shifted, ACCUMULATOR_LOW, ACCUMULATOR_HIGH))


@dataclass(frozen=True)
class Trace:
    """How the engine keeps a trace: a spike adds ``impulse``, each step it decays by exp(-1 / tau); tau in steps."""

    impulse: int
    tau: float

    def __post_init__(self) -> None:
        if not 0 <= self.impulse <= TRACE_MAX or int(self.impulse) != self.impulse:
            hint = "Lava rounds a fractional impulse up twice as often as it should"
            raise InputError(f"learning rule: impulse {self.impulse} is not a whole number from 0 to {TRACE_MAX}", hint)
        if not isfinite(self.tau) or self.tau <= 0:
            hint = "for a trace that hardly decays take a large tau, say 60000"
            raise InputError(f"learning rule: the time constant {self.tau} is not a positive number of steps", hint)


@dataclass(frozen=True)
class LearningRule:
    """``dw`` and ``dt``, the traces the engine keeps, and the epoch: how many steps lie between two updates.

    ``external``: y1 to y3 come from the postsynaptic neuron every step (three-factor rules), and the engine keeps none.
    """

    dw: tuple[Product, ...] = ()
    dt: tuple[Product, ...] = ()
    traces: tuple[tuple[str, Trace], ...] = ()
    external: bool = False
    epoch: int = 1

    def __post_init__(self) -> None:
        if not self.products:
            raise InputError("learning rule: neither dw nor dt has a product")
        if self.epoch < 1:
            raise InputError(f"learning rule: an epoch of {self.epoch} steps", "one or more")
        if len(ks := {p.dependency for p in self.products if p.dependency[0] == "u"}) > 1:
            raise InputError(f"learning rule: {' and '.join(sorted(ks))}, a rule has one decimation")
        kept = dict(self.traces)
        known = PRE_TRACES if self.external else PRE_TRACES + POST_TRACES
        if wrong := [name for name in kept if name not in known]:
            raise InputError(f"learning rule: the engine does not keep {wrong[0]} here", f"it keeps {', '.join(known)}")
        if missing := [name for name in self.used if name in known and name not in kept]:
            raise InputError(f"learning rule: {missing[0]} is read, but has no trace parameters")

    @property
    def products(self) -> tuple[Product, ...]:
        return self.dw + self.dt

    @property
    def used(self) -> tuple[str, ...]:
        """The factors the products read, in the order of WIDTHS."""
        read = {factor.name for product in self.products for factor in product.factors}
        return tuple(name for name in WIDTHS if name in read)

    @property
    def decimation(self) -> int:
        """The k of uk."""
        return next((int(p.dependency[1:]) for p in self.products if p.dependency[0] == "u"), 0)

    def trace(self, name: str) -> Trace | None:
        return dict(self.traces).get(name)

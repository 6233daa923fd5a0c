"""Quantise nodes: the integer node of a float node, and the exponent of its message (rules N6 to N10, N24).

Formats keep one bit of headroom over the measured or bounded range (calibrate.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from math import e, floor, log, log2

import numpy as np

from ..errors import DoesNotFit, Finding
from ..nodes import (
    LIF,
    Cuba,
    Graded,
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Prod,
    Readout,
    Relay,
    Scan,
    Source,
)
from ..nodes.arithmetic import FACTOR_BITS, FACTOR_MAX, FRACTION_BITS, WORD_MAX, Z_BITS, Array
from ..nodes.lif import ACCUMULATOR_SHIFT, BIAS_EXP_MAX, BIAS_HIGH, DECAY_BITS, V_THRESHOLD_MAX
from ..nodes.node import IntegerNode, Node
from ..nodes.relay import MESSAGE_MAX
from ..nodes.scan import U_MAX, Y_MAX
from ..nodes.source import GRADED_BITS
from .quantise_weights import Scales

HEADROOM = 2.0  # a format saturates at this multiple of the calibrated range
_MAX_SHIFT = 40
_ALMOST = 1e-6  # of a unit: what float32 may lack of a whole number
LONG = 1000
"""A time constant of more steps may have the wrong unit: milliseconds read as seconds are 1000 times longer."""


@dataclass(frozen=True)
class Quantised:
    """An integer node and the exponent of its message: the real value is message * 2^-exponent.

    ``units`` are the real values of one unit of its states, by their names, where the float law has the same.
    """

    node: IntegerNode
    exponent: float
    units: dict[str, float] = field(default_factory=dict)


@singledispatch
def quantise_node(node: Node, scales: Scales, name: str, finest: int) -> Quantised:
    """Return the integer node; a node without an integer law is refused by name.

    ``finest`` is the largest exponent at which the sums of its graded messages do not overflow at their targets.
    """
    raise DoesNotFit([Finding("supported-node", name, f"layer '{name}': no integer law for {type(node).__name__}")])


@quantise_node.register
def _(node: Source, scales: Scales, name: str, finest: int) -> Quantised:
    return Quantised(node, GRADED_BITS if node.graded else 0)


@quantise_node.register
def _(node: Graded, scales: Scales, name: str, finest: int) -> Quantised:
    return Quantised(IntegerGraded(node.size, node.rectify, node.largest), 0)


@quantise_node.register
def _(node: Prod, scales: Scales, name: str, finest: int) -> Quantised:
    return Quantised(IntegerProd(node.size, node.shift, node.largest), 0)


@quantise_node.register
def _(node: Relay, scales: Scales, name: str, finest: int) -> Quantised:
    exponent = min(exponent_for(node.message_range, MESSAGE_MAX), finest, _factor_exponent(scales["a"]))
    multiplier, shift = as_factor(scales["a"] * 2.0**exponent)
    return Quantised(IntegerRelay(multiplier, shift, _integer(node.bias, exponent)), exponent)


@quantise_node.register
def _(node: Readout, scales: Scales, name: str, finest: int) -> Quantised:
    exponent = min(exponent_for(node.v_range, WORD_MAX), 20, finest, _factor_exponent(scales["a"]))
    multiplier, shift = as_factor(scales["a"] * 2.0**exponent)
    decay = int(_decays(np.array(node.decay)))
    integer = IntegerReadout(decay, multiplier, shift, _integer(node.bias, exponent))
    return Quantised(integer, exponent, {"v": 2.0**-exponent})


@quantise_node.register
def _(node: Scan, scales: Scales, name: str, finest: int) -> Quantised:
    ranges = node.ranges
    u_exponent = exponent_for(ranges.u, U_MAX)
    du_exponent = min(exponent_for(ranges.du, WORD_MAX), u_exponent + FRACTION_BITS)
    b_exponent, c_exponent = (-int(log2(scales[port][0])) for port in ("B", "C"))
    h_exponent = min(exponent_for(ranges.h, WORD_MAX), du_exponent + b_exponent)
    y_exponent = min(exponent_for(ranges.y, Y_MAX), h_exponent + c_exponent)
    u_multiplier, u_shift = as_factor(scales["u"] * 2.0**u_exponent)
    dt_multiplier, dt_shift = as_factor(scales["dt"] * 2.0**Z_BITS)
    alpha, alpha_shift = as_factor(-node.a * np.log2(e))
    d_exponent = exponent_for(float(np.abs(node.d_skip).max()), WORD_MAX, headroom=1.0)
    d_exponent = max(d_exponent - max(0, d_exponent + u_exponent - y_exponent - _MAX_SHIFT), y_exponent - u_exponent)
    return Quantised(
        IntegerScan(
            alpha=alpha,
            alpha_shift=alpha_shift,
            d_skip=_integer(node.d_skip, d_exponent),
            d_shift=d_exponent + u_exponent - y_exponent,
            u_multiplier=u_multiplier,
            u_shift=u_shift,
            u_bias=_integer(node.bias_u, u_exponent),
            dt_multiplier=dt_multiplier,
            dt_shift=dt_shift,
            dt_bias=_integer(node.bias_dt, Z_BITS),
            du_shift=FRACTION_BITS + u_exponent - du_exponent,
            b_shift=du_exponent + b_exponent - h_exponent,
            c_shift=h_exponent + c_exponent - y_exponent,
        ),
        y_exponent,
        {"h": 2.0**-h_exponent},
    )


@quantise_node.register
def _(node: Cuba, scales: Scales, name: str, finest: int) -> Quantised:
    """One exponent serves u and v; the scale of a neuron's weights and its gain become one factor."""
    if (node.gain < 0).any():
        message = f"layer '{name}' has a gain of {node.gain.min():.4g}, a neuron multiplies by 0 or more"
        raise DoesNotFit([Finding("gain", name, message, float(node.gain.min()), 0, "turn the sign of the weights")])
    unit = scales["a"] * node.gain
    exponent = state_exponent(node, unit)
    if node.counts == "none":
        exponent = min(exponent, 20, finest)
    multiplier, shift = as_factor(unit * 2.0**exponent)
    decay, current = (_decays(real) for real in (node.decay, node.current_decay))
    integer = IntegerCuba(
        decay,
        current,
        multiplier,
        shift,
        bias=_integer(node.bias, exponent),
        v_threshold=_integer(node.v_threshold, exponent),
        v_reset=_integer(node.v_reset, exponent),
        v_start=_integer(node.v_start, exponent),
        v_floor=np.where(
            np.isfinite(node.v_floor), _integer(np.nan_to_num(node.v_floor, neginf=0.0), exponent), -WORD_MAX
        ),
        reset=node.reset,
        reset_when=node.reset_when,
        compare=node.compare,
        counts=node.counts,
        lag=node.lag,
        wide=node.wide,
    )
    return Quantised(integer, exponent if node.counts == "none" else 0, dict.fromkeys(("u", "v"), 2.0**-exponent))


def kept_unit(node: Node) -> float:
    """Return what one unit of a sum is to be worth where a model brings its own integers: 64 units of state, else 0."""
    return node.state_unit * 2**ACCUMULATOR_SHIFT if isinstance(node, LIF | Cuba) else 0.0


def state_exponent(node: Cuba, unit: Array) -> int:
    """Return the exponent of the states of switch neurons; ``unit`` is the real value of one unit of their sums."""
    if node.state_unit:
        return -round(log2(node.state_unit))
    fixed = [np.abs(row[np.isfinite(row)]).max(initial=0.0) for row in (node.v_threshold, node.v_reset, node.v_floor)]
    return min(exponent_for(max(node.u_range, node.v_range, *fixed), WORD_MAX), _factor_exponent(unit))


def exact_units(node: Cuba, unit: Array) -> Array:
    """Return units of weights, at most a few in 10^5 larger, whose factor to the state is a whole one of 16 bits.

    A weight of 16 bits is rounded to 1.5e-5 of the largest; a factor that is rounded as much would move all weights of
    a neuron one way.
    """
    exponent = state_exponent(node, unit * node.gain)
    factor = unit * node.gain * 2.0**exponent
    shift = as_factor(factor)[1]
    whole = np.ceil(factor * 2.0**shift - _ALMOST)
    if not 0 < whole.max(initial=0) <= FACTOR_MAX:
        return unit
    used = (whole > 0) & (node.gain > 0)
    return np.where(used, whole * 2.0 ** -(shift + exponent) / np.where(used, node.gain, 1.0), unit)


def _decays(real: Array) -> Array:
    """Return decays in 16 bits; only one of 1 has no leak, and one beyond is left for `out_of_field` to refuse."""
    words = _whole(real * 2**FACTOR_BITS)
    return np.asarray(np.where(real < 1, np.minimum(words, FACTOR_MAX), words))


@quantise_node.register
def _(node: LIF, scales: Scales, name: str, finest: int) -> Quantised:
    unit = float(scales["i"][0])
    threshold = _lif_threshold(node, unit)
    if not 0 <= threshold <= V_THRESHOLD_MAX:
        low = "a LIF rests at 0, so its threshold must not be negative"
        hint = _overflow_hint(node, "threshold") if threshold > 0 else low
        message = f"layer '{name}' needs a threshold of {threshold}, a LIF holds 0 to {V_THRESHOLD_MAX}"
        raise DoesNotFit([Finding("lif-threshold", name, message, threshold, V_THRESHOLD_MAX, hint)])
    unity = 2**DECAY_BITS
    du = round(unity * (1 - node.current_decay)) - 1
    dv = round(unity * (1 - node.decay))
    bias = _lif_bias(node, unit, name)
    integer = IntegerLIF(node.size, min(max(du, 0), unity - 1), min(dv, unity - 1), threshold, *bias)
    return Quantised(integer, 0, dict.fromkeys(("u", "v"), unit * 2.0**-ACCUMULATOR_SHIFT))


def _lif_threshold(node: LIF, unit: float) -> int:
    """Round to the nearest unit; a voltage of whole units exceeds a threshold where it exceeds the unit below."""
    whole = node.decay == 1 and not node.current_decay and not node.bias.any()
    return floor(node.v_threshold / unit + _ALMOST) if whole else round(node.v_threshold / unit)


def _overflow_hint(node: LIF, what: str) -> str:
    """Say why a constant overflows: a time constant in the wrong unit, which makes the weights small, or any other."""
    longest = max(-1 / log(decay) for decay in (node.decay, node.current_decay, 0.5) if 0 < decay < 1)
    asked = f"its time constant of {longest:,.0f} steps makes the weights small: is tau in seconds? else "
    rescale = f"rescale the weights into this layer: {what} / largest weight must become smaller"
    return asked + rescale if longest > LONG else rescale


def _lif_bias(node: LIF, unit: float, name: str) -> tuple[Array, int]:
    """Round to 13-bit mantissas, at the smallest exponent that holds the largest bias."""
    bias = node.bias / unit * 2**ACCUMULATOR_SHIFT
    largest = float(np.abs(bias).max(initial=0.0))
    for exponent in range(BIAS_EXP_MAX + 1):
        if round(largest / 2**exponent) <= BIAS_HIGH:
            return _whole(bias / 2**exponent), exponent
    limit = BIAS_HIGH * 2**BIAS_EXP_MAX
    message = f"layer '{name}' needs a bias of {largest:,.0f}, a LIF holds {BIAS_HIGH:,} times 2^{BIAS_EXP_MAX}"
    raise DoesNotFit([Finding("lif-bias", name, message, largest, limit, _overflow_hint(node, "bias"))])


def exponent_for(largest: float, maximum: int, headroom: float = HEADROOM) -> int:
    """Return the largest exponent at which ``largest`` times the headroom still fits below ``maximum``."""
    return floor(log2(maximum / (headroom * max(largest, 1e-6))))


def _factor_exponent(unit: Array) -> int:
    """Return the largest exponent at which the factor that rescales the largest unit still fits its 16 bits."""
    return floor(log2(FACTOR_MAX / max(float(unit.max(initial=0.0)), 1e-12)))


def as_factor(real: Array) -> tuple[Array, int]:
    """Write positive reals as 16-bit integers times one power of two: real = factor * 2^-shift."""
    shift = min(max(floor(log2(FACTOR_MAX / max(float(np.max(real)), 1e-12))), 0), _MAX_SHIFT)
    return _whole(real * 2.0**shift), shift


def _integer(real: Array, exponent: int) -> Array:
    return _whole(real * 2.0**exponent)


def _whole(real: Array) -> Array:
    """Round to integers; values far beyond a word are clipped, not wrapped."""
    return np.asarray(np.rint(np.clip(real, -(2.0**62), 2.0**62)), dtype=np.int64)

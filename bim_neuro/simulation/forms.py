"""Forms: a node's parameters as the kernels read them, what they must stay within, and the largest message."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from ..errors import InputError, not_registered
from ..nodes import (
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Source,
    cuba,
)
from ..nodes.arithmetic import LONG_MAX, WORD_MAX, Array
from ..nodes.lif import BIAS_EXP_MAX, BIAS_HIGH, V_THRESHOLD_MAX
from ..nodes.node import IntegerNode
from .kernels import layout
from .kernels.gates import LANES
from .kernels.words import NEAR_BIAS, NEAR_FACTOR, NEAR_SHIFT

LINE_MAX = 128  # magnitude of a graded input line, 8 bits
_WIDE_INPUT = 2**50  # what a port of a switch neuron may sum to: 2^8 times as much still fits 64 bits
NARROW_INPUT = 2**18  # a LIF whose input stays within this never leaves 32 bits
_CALM_INPUT = 2**17  # and a current of less than this << 6 never wraps


@dataclass(frozen=True)
class Form:
    """A node's parameters as the kernels read them."""

    kind: int
    words: Array
    state_words: int = 0
    states: int = 0
    narrow: bool = False  # 32 bits, not 64
    lanes: int = 1  # rows of state begin at a multiple


@singledispatch
def form(node: IntegerNode, bounds: dict[str, int], name: str) -> Form:
    """Return a node's parameters; ``bounds`` are the largest magnitudes that its ports can sum to."""
    raise InputError(f"layer '{name}': the engine has no kernel for {type(node).__name__}", "use --backend reference")


@form.register
def _(node: Source, bounds: dict[str, int], name: str) -> Form:
    return Form(layout.SOURCE, np.zeros(0, np.int64))


@form.register
def _(node: IntegerLIF, bounds: dict[str, int], name: str) -> Form:
    _check_range(node.du, "du", name, 0, 4095)
    _check_range(node.dv, "dv", name, 0, 4095)
    _check_range(node.v_threshold, "v_threshold", name, 0, V_THRESHOLD_MAX)
    _check_range(node.bias_exp, "bias_exp", name, 0, BIAS_EXP_MAX)
    _check_length(node.bias_mant, node.size, "bias_mant", name)
    bias = whole(node.bias_mant, "bias_mant", name, BIAS_HIGH + 1).astype(np.int64) << node.bias_exp
    narrow = bounds["i"] <= NARROW_INPUT
    calm = is_calm(node, bounds["i"])
    lanes = LANES if narrow else 1
    pitch = node.size + -node.size % lanes
    padding = np.zeros(pitch - node.size, np.int64)
    words = np.concatenate([[4095 - node.du, 4096 - node.dv, node.v_threshold << 6, calm], bias, padding])
    kind = layout.LIF if narrow else layout.WIDE_LIF
    return Form(kind, words, state_words=2 * pitch, narrow=narrow, lanes=lanes)


def is_calm(node: IntegerLIF, bound: int) -> bool:
    """Whether a LIF has no current of its own, and its input of up to ``bound`` never wraps."""
    return bool(node.du == 4095 and bound < _CALM_INPUT)


@form.register
def _(node: IntegerCuba, bounds: dict[str, int], name: str) -> Form:
    if fault := node.fault():
        raise InputError(f"layer '{name}': {fault}")
    if max(bounds.values()) >= _WIDE_INPUT:
        raise InputError(f"layer '{name}' may sum up to {max(bounds.values())}, a switch neuron reads 2^50")
    switches = [cuba.RESETS.index(node.reset), cuba.WHEN.index(node.reset_when), node.compare == ">="]
    switches += [cuba.COUNTS.index(node.counts), node.lag, node.wide]
    rows = [whole(getattr(node, row), row, name, WORD_MAX) for row in cuba.ROWS]
    words = np.concatenate([_shifts([node.shift], name), np.array(switches, np.int64), *rows])
    return Form(layout.CUBA, words, state_words=3 * node.neurons)


@form.register(IntegerGraded)
@form.register(IntegerProd)
def _(node: IntegerGraded | IntegerProd, bounds: dict[str, int], name: str) -> Form:
    if fault := node.fault():
        raise InputError(f"layer '{name}': {fault}")
    product = isinstance(node, IntegerProd)
    words = np.array([node.v_threshold, node.shift if isinstance(node, IntegerProd) else node.rectify], np.int64)
    return Form(layout.PRODUCT_NEURON if product else layout.GRADED, words)


@form.register
def _(node: IntegerRelay, bounds: dict[str, int], name: str) -> Form:
    words = np.concatenate([_shifts([node.shift], name), *_affine(node, name)])
    narrow = _is_near(node, bounds["a"])
    return Form(layout.NARROW_RELAY if narrow else layout.RELAY, words, narrow=narrow)


@form.register
def _(node: IntegerReadout, bounds: dict[str, int], name: str) -> Form:
    _check_range(node.decay, "decay", name, 0, 2**16)
    words = np.concatenate([_shifts([node.shift], name), [node.decay], *_affine(node, name)])
    narrow = _is_near(node, bounds["a"])
    return Form(layout.NARROW_READOUT if narrow else layout.READOUT, words, node.neurons, narrow=narrow)


def _is_near(node: IntegerRelay | IntegerReadout, bound: int) -> bool:
    """Whether the sums fit 32 bits and the products a double, as the proof of `words.near` asks."""
    factor, bias = (int(np.abs(row).max(initial=0)) for row in (node.multiplier, node.bias))
    return bound < 2**31 and factor < NEAR_FACTOR and bias < NEAR_BIAS and node.shift < NEAR_SHIFT


@form.register
def _(node: IntegerScan, bounds: dict[str, int], name: str) -> Form:
    channels, states = node.alpha.shape
    for port in ("B", "C"):
        if bounds[port] >= 2**38:
            raise InputError(f"port '{port}' of layer '{name}' may sum up to {bounds[port]}, the engine holds 2^38")
    rows = {"u_multiplier": 2**32, "dt_multiplier": 2**32, "u_bias": 2**61, "dt_bias": 2**61, "d_skip": 2**46}
    values = [whole(getattr(node, row), row, name, limit) for row, limit in rows.items()]
    for row, value in zip(rows, values, strict=True):
        _check_length(value, channels, row, name)
    alpha = whole(node.alpha, "alpha", name, 2**38)
    if (alpha < 0).any():
        raise InputError(f"layer '{name}': alpha holds {(alpha < 0).sum()} negative rates, a state would grow")
    shifts = _shifts(
        [node.u_shift, node.dt_shift, node.alpha_shift, node.du_shift, node.b_shift, node.c_shift, node.d_shift], name
    )
    if not _fits_32_bits(node, bounds):
        words = np.concatenate([shifts, *values, alpha.T.reshape(-1)])
        return Form(layout.WIDE_SCAN, words, channels * states, states)
    padded_rows = [np.pad(row, (0, -channels % LANES)) for row in (*values, *alpha.T)]
    pitch = len(padded_rows[0])
    return Form(layout.SCAN, np.concatenate([shifts, *padded_rows]), pitch * states, states, True, LANES)


def _fits_32_bits(node: IntegerScan, bounds: dict[str, int]) -> bool:
    """Whether no word of `kernels.scan` can leave its bits: what its proof asks for."""
    factors = max(int(np.abs(f).max(initial=0)) for f in (node.u_multiplier, node.dt_multiplier))
    biases = max(int(np.abs(b).max(initial=0)) for b in (node.u_bias, node.dt_bias))
    skip = int(np.abs(node.d_skip).max(initial=0))
    said = (2**15 * skip >> node.d_shift) + node.alpha.shape[1] * (2**23 * bounds["C"] >> node.c_shift)
    return (
        max(bounds["u"], bounds["dt"]) < 2**31
        and max(bounds["B"], bounds["C"]) <= 2**15
        and max(factors, biases) < 2**29
        and int(np.max(node.alpha, initial=0)) < 2**16
        and min(node.alpha_shift, node.b_shift, node.c_shift) >= 8
        and max(node.alpha_shift, node.b_shift, node.c_shift) < 40
        and max(node.u_shift, node.dt_shift, node.du_shift, node.d_shift) < 31
        and skip < 2**31
        and said < 2**31
    )


def _affine(node: IntegerRelay | IntegerReadout, name: str) -> tuple[Array, Array]:
    multiplier, bias = whole(node.multiplier, "multiplier", name, 2**32), whole(node.bias, "bias", name, 2**61)
    _check_length(multiplier, node.neurons, "multiplier", name)
    return multiplier, bias


def _shifts(shifts: list[int], name: str) -> Array:
    for shift in shifts:
        _check_range(shift, "shift", name, 0, 62)
    return np.array(shifts, np.int64)


def _check_range(value: int, what: str, name: str, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(f"layer '{name}': {what} is {value}, allowed are {low} to {high}")


def _check_length(values: Array, neurons: int, what: str, name: str) -> None:
    if values.shape != (neurons,):
        raise InputError(f"layer '{name}': {what} has shape {values.shape}, its {neurons} neurons want ({neurons},)")


def whole(values: Array, what: str, name: str, limit: int = 2**62) -> Array:
    """Return int64 values; fractions, NaN and what the kernels could not multiply are refused."""
    whole = np.asarray(values)
    if whole.dtype == np.int8 and limit >= 128:
        return whole
    if whole.dtype.kind == "f" and not (np.isfinite(whole).all() and (whole == np.rint(whole)).all()):
        raise InputError(f"'{name}': {what} holds values that are not whole numbers")
    if whole.size and not (-limit <= int(whole.min()) and int(whole.max()) <= limit):
        raise InputError(f"'{name}': {what} runs from {whole.min()} to {whole.max()}, the limit is {limit}")
    return whole.astype(np.int64)


@singledispatch
def message_bound(node: IntegerNode, name: str) -> int:
    """Return the largest magnitude of a node's message."""
    raise not_registered(node, "message_bound", "bim_neuro/simulation/forms.py")


@message_bound.register
def _(node: IntegerLIF, name: str) -> int:
    return 1


@message_bound.register
def _(node: IntegerCuba, name: str) -> int:
    bounds: dict[str, int] = {"one": 1, "many": cuba.COUNT_MAX, "none": WORD_MAX}
    return bounds[node.counts]


@message_bound.register
def _(node: IntegerGraded, name: str) -> int:
    return LONG_MAX + 1


@message_bound.register
def _(node: IntegerProd, name: str) -> int:
    return (LONG_MAX + 1) >> node.shift


@message_bound.register
def _(node: Source, name: str) -> int:
    return LINE_MAX if node.graded else 1


@message_bound.register
def _(node: IntegerRelay, name: str) -> int:
    return 2**15 - 1


@message_bound.register
def _(node: IntegerScan, name: str) -> int:
    return 2**17 - 1


@message_bound.register
def _(node: IntegerReadout, name: str) -> int:
    return 2**23 - 1

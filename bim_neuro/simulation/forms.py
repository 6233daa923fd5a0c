"""Forms: a node's parameters and a synapse's weights as the kernels read them, and what they must stay within."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from ..errors import InputError, not_registered
from ..graph import Edge
from ..nodes import (
    Broadcast,
    Dense,
    Diagonal,
    IntegerCuba,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    SomaWire,
    Source,
    Synapse,
    cuba,
)
from ..nodes.arithmetic import WORD_MAX, Array
from ..nodes.lif import BIAS_EXP_MAX, BIAS_HIGH, V_THRESHOLD_MAX
from ..nodes.node import IntegerNode
from .kernels import layout
from .kernels.layout import LINE
from .kernels.rows import COLUMNS
from .kernels.scan import LANES

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
    bias = _whole(node.bias_mant, "bias_mant", name, BIAS_HIGH + 1).astype(np.int64) << node.bias_exp
    narrow = bounds["i"] <= NARROW_INPUT
    calm = node.du == 4095 and bounds["i"] < _CALM_INPUT
    lanes = LANES if narrow else 1
    pitch = node.size + -node.size % lanes
    padding = np.zeros(pitch - node.size, np.int64)
    words = np.concatenate([[4095 - node.du, 4096 - node.dv, node.v_threshold << 6, calm], bias, padding])
    kind = layout.LIF if narrow else layout.WIDE_LIF
    return Form(kind, words, state_words=2 * pitch, narrow=narrow, lanes=lanes)


@form.register
def _(node: IntegerCuba, bounds: dict[str, int], name: str) -> Form:
    if fault := node.fault():
        raise InputError(f"layer '{name}': {fault}")
    if max(bounds.values()) >= _WIDE_INPUT:
        raise InputError(f"layer '{name}' may sum up to {max(bounds.values())}, a switch neuron reads 2^50")
    switches = [cuba.RESETS.index(node.reset), cuba.WHEN.index(node.reset_when), node.compare == ">="]
    switches += [cuba.COUNTS.index(node.counts), node.lag, node.wide]
    rows = [_whole(getattr(node, row), row, name, WORD_MAX) for row in cuba.ROWS]
    words = np.concatenate([_shifts([node.shift], name), np.array(switches, np.int64), *rows])
    return Form(layout.CUBA, words, state_words=3 * node.neurons)


@form.register
def _(node: IntegerRelay, bounds: dict[str, int], name: str) -> Form:
    return Form(layout.RELAY, np.concatenate([_shifts([node.shift], name), *_affine(node, name)]))


@form.register
def _(node: IntegerReadout, bounds: dict[str, int], name: str) -> Form:
    _check_range(node.decay, "decay", name, 0, 2**16)
    words = np.concatenate([_shifts([node.shift], name), [node.decay], *_affine(node, name)])
    return Form(layout.READOUT, words, state_words=node.neurons)


@form.register
def _(node: IntegerScan, bounds: dict[str, int], name: str) -> Form:
    channels, states = node.alpha.shape
    for port in ("B", "C"):
        if bounds[port] >= 2**38:
            raise InputError(f"port '{port}' of layer '{name}' may sum up to {bounds[port]}, the engine holds 2^38")
    rows = {"u_multiplier": 2**32, "dt_multiplier": 2**32, "u_bias": 2**61, "dt_bias": 2**61, "d_skip": 2**46}
    values = [_whole(getattr(node, row), row, name, limit) for row, limit in rows.items()]
    for row, value in zip(rows, values, strict=True):
        _check_length(value, channels, row, name)
    alpha = _whole(node.alpha, "alpha", name, 2**38)
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
    multiplier, bias = _whole(node.multiplier, "multiplier", name, 2**32), _whole(node.bias, "bias", name, 2**61)
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


def _whole(values: Array, what: str, name: str, limit: int = 2**62) -> Array:
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


@dataclass(frozen=True)
class Shape:
    """A synapse as the kernels read it: int8 ``rows`` [pre, post], and its ``nonzero`` weights a presynaptic neuron."""

    kind: int
    rows: Array
    nonzero: Array
    fan: int
    pre: int
    post: int


def padded(shape: Shape) -> tuple[int, Array]:
    """Return the stride and rows on the borders of cache lines, short ones on halves, in pairs where read so."""
    if shape.kind not in (layout.DENSE, layout.PAIRS):
        return 1, np.pad(shape.rows, (0, -len(shape.rows) % LINE))
    border = LINE if shape.post >= LINE else COLUMNS
    rows = np.pad(shape.rows, ((0, len(shape.rows) % 2), (0, -shape.post % border)))
    stride = rows.shape[1]
    if shape.kind == layout.PAIRS:
        rows = rows.reshape(-1, 2, stride).transpose(0, 2, 1)
    return stride, np.pad(rows.reshape(-1), (0, -rows.size % LINE))


def in_pairs(shape: Shape) -> Shape:
    """Return a dense synapse of graded messages as the kernel reads it: every two rows interleaved."""
    return replace(shape, kind=layout.PAIRS)


@singledispatch
def shape_of(synapse: Synapse, name: str) -> Shape:
    """Return a synapse's weights."""
    message = f"synapse '{name}': the engine has no kernel for {type(synapse).__name__}"
    raise InputError(message, "use --backend reference")


@shape_of.register
def _(synapse: Dense, name: str) -> Shape:
    post, pre = synapse.weight.shape
    weight = _whole(synapse.weight, "weight", name, 128)
    rows = np.ascontiguousarray(weight.T)
    return Shape(layout.DENSE, rows, np.count_nonzero(rows, axis=1), post, pre, post)


@shape_of.register
def _(synapse: Diagonal, name: str) -> Shape:
    weight = _whole(synapse.weight, "weight", name, 128)
    return Shape(layout.DIAGONAL, weight, (weight != 0).astype(np.int64), 1, len(weight), len(weight))


@shape_of.register
def _(synapse: Broadcast, name: str) -> Shape:
    fan = np.full(synapse.size, synapse.targets)
    return Shape(layout.IDENTITY, np.zeros(0), fan, synapse.targets, synapse.size, synapse.size)


@shape_of.register
def _(synapse: SomaWire, name: str) -> Shape:
    return Shape(layout.IDENTITY, np.zeros(0), np.zeros(0, np.int64), 0, -1, -1)


def check_fit(edge: Edge, shape: Shape, pre: int, post: int) -> None:
    """Refuse a synapse that does not fit its ends."""
    have = (pre if shape.pre < 0 else shape.pre, pre if shape.post < 0 else shape.post)
    if have != (pre, post):
        raise InputError(f"synapse '{edge.name}' joins {have[0]} to {have[1]} neurons, its ends have {pre} and {post}")
    if not 0 <= edge.delay <= 2**15:
        raise InputError(f"synapse '{edge.name}' has a delay of {edge.delay} steps")


def gain(edge: Edge) -> int:
    """Return the largest sum of weights, by magnitude, that one neuron receives."""
    if not isinstance(edge.synapse, (Dense, Diagonal)):
        return 1
    size = np.abs(_whole(edge.synapse.weight, "weight", edge.name, 128), dtype=np.int16)
    return int((size.sum(axis=1, dtype=np.int64) if size.ndim == 2 else size).max(initial=0))

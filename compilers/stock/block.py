r"""Block: scan and soma of one BIM block on processes that Lava ships, D channels of N states and K segments.

    u, z, B, C     graded       W x + b
    relu           rectified    z - knots                                           D (K + 1)
    du             product      delta(z) u >> 12            delta from the bank     D
    drive          product      du B >> 10                                          D N
    kept           product      a(z) (kept + drive)[t-1] >> bits                    D N, the loop; a from the bank
    y              product      C (kept + drive) >> 8                               D N
    clip           rectified    sum of y + D_skip u + c, and - c                    2 D
    lif            LIF          clip - clip - c: the sum, cut exactly at +-c        D

The state h is only the sum at a port, kept + drive. All sums and products are proved within their 31 bits for every
input that the encoder can send:

    |h| <= max over knots of (drive + 2) / (1 - a),    as a H + (1 - a) H = H, and both are linear between knots
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from ...nodes import LIF, Graded, Prod
from ...nodes.arithmetic import LONG_MAX, Array
from ...nodes.scan import Y_MAX
from .bank import Rows, fit, place_knots, whole_knots
from .projection import Signal, finest, project
from .wires import Wires, mantissas

U_BITS, DELTA_BITS, DU_SHIFT = 16, 14, 12
B_BITS, DRIVE_SHIFT = 12, 10
STATE_BITS, C_BITS, Y_SHIFT = 19, 11, 8
"""Bits of the factors of each product, signs apart: two factors have at most 30."""
_HEADROOM = 2.0


@dataclass(frozen=True)
class FusedBlock:
    """The float weights of one block: matrices (rows, inputs), taps (channels, taps), rates (channels, states)."""

    name: str
    w_u: Array
    taps: Array
    bias_u: Array
    w_dt: Array
    bias_dt: Array
    w_b: Array
    b_b: Array
    w_c: Array
    b_c: Array
    a: Array
    d_skip: Array
    y_range: float
    lif: str
    decay: float
    v_threshold: float


class Given(NamedTuple):
    """What the lowering of a block is given beside its weights: lowest and highest z of each channel, and settings."""

    low: Array
    high: Array
    segments: int
    decay_bits: int


class _Port(NamedTuple):
    """Integers at a port: their real unit and largest magnitude, a neuron."""

    unit: Array
    largest: Array


def lower_block(wires: Wires, x: Signal, w: FusedBlock, given: Given) -> Signal:
    """Add the nodes of a block that reads ``x``; return what its soma sends."""
    u = project(wires, x, f"{w.name}.u", w.w_u, np.zeros(len(w.w_u)))
    z = project(wires, x, f"{w.name}.z", w.w_dt, w.bias_dt)
    b = project(wires, x, f"{w.name}.B", w.w_b, w.b_b)
    c = project(wires, x, f"{w.name}.C", w.w_c, w.b_c, _matching(finest(x, w.w_c, w.b_c), b.unit))
    knots = _add_knots(wires, z, w, given)
    du, delta = _add_du(wires, u, z, w, knots)
    drive = _add_drive(wires, du, b, w)
    h, power = _add_loop(wires, drive, _drive_at_knots(du, delta, b), w, knots * z.unit[:, None], knots, given)
    y = _add_y(wires, h, power, c, w)
    return _add_soma(wires, u, y, w)


def _matching(needed: Array, other: Array) -> Array:
    """Return units at least as large as needed whose product with the other ones is a power of two."""
    return np.asarray(2.0 ** np.ceil(np.log2(needed * other)) / other)


def _add_knots(wires: Wires, z: Signal, w: FusedBlock, given: Given) -> Array:
    """Add the rectified differences from the knots; return the knots in units of z, (channels, knots)."""

    def curves(points: Array) -> Array:
        delta = np.logaddexp(0.0, points)
        decays = np.exp(delta[None] * w.a.T[:, :, None])
        return np.concatenate([decays, (delta / delta.max(axis=1, keepdims=True))[None]])

    knots = whole_knots(place_knots(given.low, given.high, curves, given.segments), z.unit)
    channels, count = knots.shape
    name = f"{w.name}.relu"
    wires.nodes[name] = Graded(channels * count, rectify=True)
    lines = np.arange(channels * count)
    wires.connect(z.name, name, "a", np.ones(len(lines)), 0, places=(lines, lines // count))
    held = -wires.constant(name, "a", -knots.reshape(-1)).reshape(knots.shape)
    largest = int((z.largest[:, None] + np.abs(held)).max())
    wires.nodes[name] = Graded(channels * count, rectify=True, largest=largest)
    return held


def _connect_bank(wires: Wires, rows: Rows, channel: Array, target: str, w: FusedBlock) -> None:
    """Connect fitted functions to the second port of products; ``channel`` is that of each function."""
    count = rows.weight.shape[1]
    places = (np.repeat(np.arange(len(channel)), count), (channel[:, None] * count + np.arange(count)).reshape(-1))
    exponent = np.repeat(rows.exponent, count)
    wires.connect(f"{w.name}.relu", target, "a2", rows.weight.reshape(-1), exponent, places=places)
    wires.constant(target, "a2", rows.base)


def _add_du(wires: Wires, u: Signal, z: Signal, w: FusedBlock, knots: Array) -> tuple[_Port, Rows]:
    """Add delta u; the unit of delta is chosen so that the product counts a power of two in every channel."""
    name, channels = f"{w.name}.du", len(w.bias_u)
    wires.nodes[name] = Prod(channels, DU_SHIFT)
    most = np.abs(w.taps).sum(axis=1) * u.largest * u.unit + np.abs(w.bias_u)
    unit = np.where(most > 0, most, 1.0) / (2.0**U_BITS - 2 * w.taps.shape[1])
    largest = np.zeros(channels)
    lines = np.arange(channels)
    whole, exponent = mantissas(w.taps * (u.unit / unit)[:, None])
    for tap, mantissa in enumerate(whole.T):
        wires.connect(u.name, name, "a1", mantissa, exponent, places=(lines, lines), delay=tap)
        largest += np.abs(mantissa) * 2.0**exponent * u.largest + 1
    largest += np.abs(wires.constant(name, "a1", w.bias_u / unit))
    wanted = np.logaddexp(0.0, knots * z.unit[:, None])
    product = 2.0 ** np.ceil(np.log2(wanted.max(axis=1) * unit * 2.0**DU_SHIFT / (2**DELTA_BITS - 1)))
    rows = fit(knots, wanted / (product / (unit * 2.0**DU_SHIFT))[:, None], 0.0, 2.0**DELTA_BITS)
    _connect_bank(wires, rows, lines, name, w)
    _prove(wires, name, largest, rows.at.max(axis=1))
    return _Port(product, largest), rows


def _add_drive(wires: Wires, du: _Port, b: Signal, w: FusedBlock) -> _Port:
    """Add du B, a product for each state; return its units (channels, states)."""
    channels, states = w.a.shape
    name, rows = f"{w.name}.drive", np.arange(channels * states)
    wires.nodes[name] = Prod(len(rows), DRIVE_SHIFT)
    wires.connect(f"{w.name}.du", name, "a1", np.ones(len(rows)), 0, places=(rows, rows // states))
    factor = _factor(b, B_BITS)
    wires.connect(b.name, name, "a2", np.ones(len(rows)), -factor[rows % states], places=(rows, rows % states))
    return _Port(du.unit[:, None] * b.unit * 2.0**factor * 2.0**DRIVE_SHIFT, np.zeros(0))


def _factor(signal: Signal, bits: int) -> Array:
    """Return by how many bits each neuron's message is shifted down to fit a factor of a product."""
    return np.asarray(np.maximum(0, np.ceil(np.log2(np.maximum(signal.largest, 1) / 2.0**bits))).astype(np.int64))


def _drive_at_knots(du: _Port, delta: Rows, b: Signal) -> Array:
    """Return the largest drive at each knot for any u and B, (channels, knots, states)."""
    product = np.floor(delta.at * du.largest[:, None] / 2.0**DU_SHIFT) + 1
    factor = b.largest / 2.0 ** _factor(b, B_BITS) + 1
    return np.asarray(np.floor(product[:, :, None] * factor / 2.0**DRIVE_SHIFT) + 1)


def _add_loop(
    wires: Wires, drive: _Port, at_knots: Array, w: FusedBlock, z: Array, knots: Array, given: Given
) -> tuple[_Port, Array]:
    """Add the loop; return units and bounds of the states, and the power of two by which each reads its drive."""
    channels, states = w.a.shape
    name, drives, rows = f"{w.name}.kept", f"{w.name}.drive", np.arange(channels * states)
    wires.nodes[name] = Prod(len(rows), given.decay_bits)
    one = 2.0**given.decay_bits
    wanted = np.exp(np.logaddexp(0.0, z)[:, None, :] * w.a[:, :, None]).reshape(len(rows), -1) * one
    decays = fit(np.repeat(knots, states, axis=0), wanted, 0.0, one - 1)
    _connect_bank(wires, decays, rows // states, name, w)
    arrives = at_knots.transpose(0, 2, 1).reshape(len(rows), -1)
    rest = 1 - decays.at / one
    limit = 2.0 ** (31 - given.decay_bits) - 1 - (3 / rest).max(axis=1)
    power = np.floor(np.log2(limit / (arrives / rest).max(axis=1))).astype(np.int64)
    largest = ((arrives * 2.0 ** power[:, None] + 3) / rest).max(axis=1)
    lines = np.arange(len(rows))
    wires.diagonal(name, name, "a1", delay=1)
    wires.connect(drives, name, "a1", np.ones(len(rows)), power, places=(lines, lines), delay=1)
    _prove(wires, name, largest, decays.at.max(axis=1))
    wires.nodes[drives] = Prod(len(rows), DRIVE_SHIFT, int(arrives.max()))
    return _Port(drive.unit.reshape(-1) * 2.0**-power, largest), power


def _add_y(wires: Wires, h: _Port, power: Array, c: Signal, w: FusedBlock) -> _Port:
    """Add C h, a product for each state; return its units, powers of two."""
    channels, states = w.a.shape
    name, rows = f"{w.name}.y", np.arange(channels * states)
    wires.nodes[name] = Prod(len(rows), Y_SHIFT)
    down = np.maximum(0, np.ceil(np.log2(h.largest / 2.0**STATE_BITS))).astype(np.int64)
    wires.diagonal(f"{w.name}.kept", name, "a1", -down)
    wires.diagonal(f"{w.name}.drive", name, "a1", power - down)
    factor = _factor(c, C_BITS)
    wires.connect(c.name, name, "a2", np.ones(len(rows)), -factor[rows % states], places=(rows, rows % states))
    unit = h.unit * 2.0**down * (c.unit * 2.0**factor)[rows % states] * 2.0**Y_SHIFT
    left, right = h.largest / 2.0**down + 2, (c.largest / 2.0**factor + 1)[rows % states]
    _prove(wires, name, left, right)
    return _Port(unit, left * right / 2.0**Y_SHIFT + 1)


def _add_soma(wires: Wires, u: Signal, y: _Port, w: FusedBlock) -> Signal:
    """Add the exact cut and the LIF; its unit is that of a fused soma, a power of two."""
    channels, states = w.a.shape
    name, lines = f"{w.name}.clip", np.arange(2 * channels)
    unit = 2.0 ** -np.floor(np.log2(Y_MAX / (_HEADROOM * w.y_range)))
    wires.nodes[name] = Graded(2 * channels, rectify=True)
    power = np.rint(np.log2(y.unit / unit)).astype(np.int64)
    pairs = np.arange(2 * channels * states)
    of = pairs % (channels * states)
    wires.connect(f"{w.name}.y", name, "a", np.ones(len(pairs)), power[of], places=(pairs // states, of))
    largest = (y.largest * 2.0**power + 1).reshape(channels, states).sum(axis=1)
    whole, exponent = mantissas(w.taps * (w.d_skip * u.unit / unit)[:, None])
    for tap, mantissa in enumerate(whole.T):
        both, powers = np.tile(mantissa, 2), np.tile(exponent, 2)
        wires.connect(u.name, name, "a", both, powers, places=(lines, lines % channels), delay=tap)
        largest += np.abs(mantissa) * 2.0**exponent * u.largest + 1
    skip = np.rint(w.d_skip * w.bias_u / unit)  # before the cut is added, so that both sides are exact
    cut = np.full(channels, Y_MAX)
    wires.constant(name, "a", np.concatenate([skip + cut, skip - cut]))
    largest = int((largest + np.abs(skip) + Y_MAX + 1).max())
    wires.nodes[name] = Graded(2 * channels, rectify=True, largest=largest if largest <= LONG_MAX else 0)
    wires.nodes[w.lif] = LIF(channels, w.decay, w.v_threshold / unit, np.zeros(channels))
    sign = np.where(lines < channels, 1, -1)
    wires.connect(name, w.lif, "i", sign, 0, places=(lines % channels, lines))
    wires.constant(w.lif, "i", -cut)
    return Signal(w.lif, np.ones(1), np.ones(1), signed=False)


def _prove(wires: Wires, name: str, left: Array, right: Array) -> None:
    """Note the largest message of a product, if no product of its factors leaves 31 bits; else note no proof."""
    node = cast(Prod, wires.nodes[name])
    product = float((left * right).max())
    largest = int(product / 2.0**node.shift) + 1 if product <= LONG_MAX else 0
    wires.nodes[name] = Prod(node.neurons, node.shift, largest)

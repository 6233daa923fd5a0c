"""The block, its readout and its trace process compiled: one sample a call, the integers of `trace_process`.

Written from the rules, apart from the numpy law: tests/plasticity/test_trace_process.py holds one against the other.

`play` makes all arrays; what it calls makes none and counts no references, which costs two thirds of the time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ...jit import compiled, inlined, kernel, part
from ...nodes.arithmetic import Array

_WORD = 2**23 - 1
_FACTOR = 2**16 - 1
_EXP2 = np.rint(2.0 ** (20 - np.arange(65) / 64)).astype(np.int64)
_LOG2E = round(math.log2(math.e) * 2**15)
_G = np.array([2**15] + [round(math.log1p(i / 32) / (i / 32) * 2**15) for i in range(1, 33)], np.int64)
_PSI_NEAR = np.rint(_FACTOR / (1 + np.arange(257) / 16) ** 2).astype(np.int64)
_PSI_FAR = np.rint(_FACTOR / (1 + np.arange(257)) ** 2).astype(np.int64)
STOCHASTIC, NEAREST, TRUNCATE = 0, 1, 2  # places in request.ROUNDINGS
# Where the draws of each trace begin within a step's, as in `law.TraceProcess._place`.
_S_DT, _V_DT, _R_DT, _S_U, _V_U, _R_U, _S_B, _V_B, _R_B, _V_C, _R_C, _R_O = (np.uint64(i << 24) for i in range(12))


class Constants(NamedTuple):
    """Numbers that hold for the whole block; int64. Names are those of the node or process they come from."""

    u_shift: int
    dt_shift: int
    alpha_shift: int
    du_shift: int
    b_shift: int
    c_shift: int
    d_shift: int
    rate_shift: int
    drive_shift: int
    skip_shift: int
    psi_factor: int
    psi_shift: int
    v_factor: int
    v_shift: int
    du: int  # decays of the LIF, over 2^12
    dv: int
    v_threshold: int
    relay_u_shift: int
    relay_b_shift: int
    relay_c_shift: int
    readout_shift: int
    readout_decay: int
    bits: int
    rounding: int
    seed: int


class Channels(NamedTuple):
    """Numbers of every channel, (D,) int64."""

    d_skip: Array
    u_multiplier: Array
    u_bias: Array
    dt_multiplier: Array
    dt_bias: Array
    relay_u_multiplier: Array
    relay_u_bias: Array
    lif_bias: Array


class States(NamedTuple):
    """Numbers of every state, (N,) int64: what the relays of B and C do to their sums."""

    b_multiplier: Array
    b_bias: Array
    c_multiplier: Array
    c_bias: Array


class Readout(NamedTuple):
    """Numbers of every class, (C,) int64."""

    multiplier: Array
    bias: Array


class Weights(NamedTuple):
    """The plastic projections, int64 (post, pre)."""

    w_u: Array
    w_dt: Array
    w_b: Array
    w_c: Array
    w_o: Array


class Traces(NamedTuple):
    """Something of every trace, in the order of law.NAMES: its words, or their units."""

    s_dt: Array
    v_dt: Array
    r_dt: Array
    s_u: Array
    v_u: Array
    r_u: Array
    s_b: Array
    v_b: Array
    r_b: Array
    v_c: Array
    r_c: Array
    r_o: Array


class Words(NamedTuple):
    """All that the kernel reads of a block but its plastic weights; int64."""

    constants: Constants
    channels: Channels
    states: States
    readout: Readout
    alpha: Array  # (D, N)
    rate: Array  # (D, N)
    conv: Array  # (D, K)
    omega: Array  # (T,)
    units: Traces  # (D,) each


class Signals(NamedTuple):
    """What one step of one channel hands to its traces beside what lies in `Room`, as `law.Signals` names it."""

    du: int
    kappa: int  # 16 bits
    shown: int  # omega psi, 16 bits
    sent: int  # omega s, 16 bits


class Sample(NamedTuple):
    """One sample: its input, and what the block made of it."""

    x: Array  # (T, M)
    spikes: Array  # (T, D)
    psis: Array  # (T, D), 16 bits
    output: Array  # (C,), summed over the steps


class Room(NamedTuple):
    """What the neurons hold from step to step, and room for what a step makes; int64."""

    h: Array  # (D, N)
    g: Array  # (D, N), d h / d z
    drive: Array  # (D, N), delta B
    decay: Array  # (D, N), 16 bits
    relay: Array  # (T, D), messages of relay u
    u_lif: Array  # (D,)
    v_lif: Array  # (D,), after the reset
    v: Array  # (D,), before it
    s: Array  # (D,)
    psi: Array  # (D,), 16 bits
    b: Array  # (N,)
    c: Array  # (N,)
    r: Array  # (C,), the readout
    reach: Array  # (M,)
    seen_dt: Array  # (M,), sum_n c S, as seen_u
    seen_u: Array  # (M,)
    terms: Array  # (M,)


class Rounding(NamedTuple):
    """How trace words are rounded, and the largest of them."""

    mode: int  # STOCHASTIC, NEAREST or TRUNCATE
    seed: np.uint64
    top: int


@inlined
def _cut(word: int, limit: int) -> int:
    return min(max(word, -limit), limit)


@inlined
def _towards_zero(product: int, shift: int) -> int:
    return (product + ((product >> 63) & ((1 << shift) - 1))) >> shift


@inlined
def _shifted(word: int, left: int) -> int:
    return word << left if left >= 0 else word >> min(-left, 62)


@part
def _exp2_minus(p: int) -> int:
    i = (p >> 14) & 63
    mantissa = _EXP2[i] + (((_EXP2[i + 1] - _EXP2[i]) * (p & 16383)) >> 14)
    return int(mantissa >> min(p >> 20, 21))


@part
def _softplus(z: int) -> int:
    e = _exp2_minus(min((abs(z) * _LOG2E) >> 11, 2**24 - 1))
    at = min(e, 2**20 - 1)
    g = _G[at >> 15] + (((_G[(at >> 15) + 1] - _G[at >> 15]) * (at & 32767)) >> 15)
    return int(min((max(z, 0) << 4) + ((e * g) >> 15), _WORD))


@part
def _rescale(total: int, factor: int, shift: int, bias: int) -> int:
    return _towards_zero(_cut(total, _WORD) * factor, shift) + bias


@inlined
def _noise(seed: np.uint64, counter: np.uint64) -> np.uint64:
    z = (seed * np.uint64(0xD1342543DE82EF95) + counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def _rounded(total: int, rounding: Rounding, draw: np.uint64) -> int:
    """N21. total / 2^16, rounded."""
    if rounding.mode == STOCHASTIC:
        return int((total + np.int64(_noise(rounding.seed, draw) >> np.uint64(48))) >> 16)
    if rounding.mode == NEAREST:
        return (total + (1 << 15)) >> 16
    return _towards_zero(total, 16)


@part
def _roll(word: Array, factor: int, now: Array, scale: int, left: int, rounding: Rounding, draw: np.uint64) -> int:
    """Advance a row of words: word * factor + scale * now, shifted ``left``; return how many saturated.

    ``draw`` numbers the noise of the row's first word, the others follow.
    """
    lost = 0
    for j in range(len(word)):
        total = word[j] * factor + _shifted(scale * now[j], left)
        moved = _rounded(total, rounding, draw + np.uint64(j))
        word[j] = _cut(moved, rounding.top)
        lost += word[j] != moved
    return lost


@compiled
def play(
    p: Words, w: Weights, x: Array, t: Traces, first: int, begin: int, spikes: Array, psis: Array, output: Array
) -> int:
    """Run one sample x (T, M); fill ``output`` (C,), ``spikes`` and ``psis`` (T, D); return saturated trace words.

    Traces are 0 before and move from step ``begin`` on; ``first`` numbers the sample's first step for the noise.
    """
    steps, inputs = x.shape
    channels, states = p.alpha.shape
    grid, soma = np.zeros((4, channels, states), np.int64), np.zeros((5, channels), np.int64)
    line, row = np.zeros((2, states), np.int64), np.zeros((4, inputs), np.int64)
    room = Room(
        h=grid[0], g=grid[1], drive=grid[2], decay=grid[3], relay=np.zeros((steps, channels), np.int64),
        u_lif=soma[0], v_lif=soma[1], v=soma[2], s=soma[3], psi=soma[4], b=line[0], c=line[1],
        r=np.zeros(len(w.w_o), np.int64), reach=row[0], seen_dt=row[1], seen_u=row[2], terms=row[3],
    )  # fmt: skip
    output[:] = 0
    sample = Sample(x, spikes, psis, output)
    lost = 0
    for now in range(steps):
        lost += _step(p, w, t, sample, room, now, now >= begin, np.uint64(first + now) << np.uint64(28))
    return lost


@part
def _step(
    p: Words, w: Weights, t: Traces, sample: Sample, room: Room, now: int, learning: bool, counter: np.uint64
) -> int:
    """Move block, traces and readout on by one step; return how many trace words saturated."""
    lost = 0
    _hear(p, w, sample.x[now], room)
    for d in range(len(room.v)):
        du, y = _scan(p, w, sample.x, room, now, d, learning)
        kappa = _fire(p, room, d, y)
        sample.spikes[now, d], sample.psis[now, d] = room.s[d], room.psi[d]
        if learning:
            shown, sent = (p.omega[now] * room.psi[d]) >> 16, p.omega[now] * room.s[d]
            lost += _trace(p, t, sample.x, room, now, d, Signals(du, kappa, shown, sent), counter)
    _answer(p, w, sample.spikes[now], room, sample.output)
    return lost


@part
def _hear(p: Words, w: Weights, line: Array, room: Room) -> None:
    """B and C of the step, as their relays send them."""
    k, each = p.constants, p.states
    for n in range(len(room.b)):
        b = _rescale(_read(w.w_b[n], line), each.b_multiplier[n], k.relay_b_shift, each.b_bias[n])
        c = _rescale(_read(w.w_c[n], line), each.c_multiplier[n], k.relay_c_shift, each.c_bias[n])
        room.b[n], room.c[n] = _cut(b, 32767), _cut(c, 32767)


@part
def _scan(p: Words, w: Weights, x: Array, room: Room, now: int, d: int, learning: bool) -> tuple[int, int]:
    """Move a channel's states on; where traces follow, also make g and drive. Return delta u and the channel's y."""
    k, each = p.constants, p.channels
    sent = _rescale(_read(w.w_u[d], x[now]), each.relay_u_multiplier[d], k.relay_u_shift, each.relay_u_bias[d])
    room.relay[now, d] = _cut(sent, 32767)
    total = 0
    for tap in range(min(p.conv.shape[1], now + 1)):
        total += p.conv[d, tap] * room.relay[now - tap, d]
    u = _cut(_rescale(total, each.u_multiplier[d], k.u_shift, each.u_bias[d]), 32767)
    z = _rescale(_read(w.w_dt[d], x[now]), each.dt_multiplier[d], k.dt_shift, each.dt_bias[d])
    delta = _softplus(_cut(z, _WORD))
    slope = _FACTOR - min(_exp2_minus(_towards_zero(delta * _LOG2E, 15)) >> 4, _FACTOR)
    du = _cut(_towards_zero(delta * u, k.du_shift), _WORD)
    fed = _towards_zero(u * (slope << 4), k.du_shift)
    y = 0
    b, h, g, drive, decay = room.b, room.h[d], room.g[d], room.drive[d], room.decay[d]
    for n in range(len(b)):
        rate = min(_towards_zero(delta * p.alpha[d, n], k.alpha_shift), 2**24 - 1)
        decay[n] = min(_exp2_minus(rate) >> 4, _FACTOR)
        kept = _towards_zero(h[n] * decay[n], 16)
        h[n] = _cut(kept + _towards_zero(du * b[n], k.b_shift), _WORD)
        y += _towards_zero(h[n] * room.c[n], k.c_shift)
        if learning:
            changed = _towards_zero(_towards_zero(kept * slope, 16) * p.rate[d, n], k.rate_shift)
            g[n] = _cut(_towards_zero(fed * b[n], k.b_shift) - changed, _WORD)
            drive[n] = _cut(_towards_zero(delta * b[n], k.drive_shift), _WORD)
    return du, _cut(y + _towards_zero(each.d_skip[d] * u, k.d_shift), 2**17 - 1)


@part
def _fire(p: Words, room: Room, d: int, y: int) -> int:
    """Move a channel's LIF on by y, and its psi; return kappa, what a change of the membrane before is worth in it."""
    k = p.constants
    leak = (4096 - k.dv) << 4
    back = _cut(_towards_zero(room.v[d] * k.v_factor, k.v_shift), _WORD)
    kappa = leak * (1 - room.s[d]) - _towards_zero(back * _towards_zero(room.psi[d] * leak, 16), 12)
    room.u_lif[d] = _wrap(_towards_zero(room.u_lif[d] * (4096 - (k.du + 1)), 12) + (y << 6))
    leaked = _towards_zero(room.v_lif[d] * (4096 - k.dv), 12)
    v = _cut(leaked + room.u_lif[d] + p.channels.lif_bias[d], _WORD)
    fired = v > (k.v_threshold << 6)
    room.v[d], room.s[d], room.v_lif[d] = v, fired, 0 if fired else v
    room.psi[d] = _psi(v, k.v_threshold, k.psi_factor, k.psi_shift)
    return _cut(kappa, _FACTOR)


@part
def _answer(p: Words, w: Weights, spikes: Array, room: Room, output: Array) -> None:
    """Move the readout on, and add it to ``output``."""
    k, each = p.constants, p.readout
    for o in range(len(room.r)):
        a = _rescale(_read(w.w_o[o], spikes), each.multiplier[o], k.readout_shift, each.bias[o])
        room.r[o] = _cut(_towards_zero(room.r[o] * k.readout_decay, 16) + a, _WORD)
        output[o] += room.r[o]


@kernel
def _read(row: Array, x: Array) -> int:
    total = 0
    for j in range(len(x)):
        total += row[j] * x[j]
    return total


@part
def _wrap(u: int) -> int:
    return u - 2**24 if u > 2**23 else (u + 2**24 if u <= -(2**23) else u)


@part
def _psi(v: int, threshold: int, factor: int, shift: int) -> int:
    at = _towards_zero(abs(v - (threshold << 6)) * factor, shift)
    if at < 65536:
        i = at >> 8
        return int(_PSI_NEAR[i] + (((_PSI_NEAR[i + 1] - _PSI_NEAR[i]) * (at & 255)) >> 8))
    at = min(at >> 4, 65535)
    i = at >> 8
    return int(_PSI_FAR[i] + (((_PSI_FAR[i + 1] - _PSI_FAR[i]) * (at & 255)) >> 8))


@kernel
def _trace(p: Words, t: Traces, x: Array, room: Room, now: int, d: int, signals: Signals, counter: np.uint64) -> int:
    """Move the traces of one channel on by one step, level by level; return how many words saturated."""
    k, unit = p.constants, p.units
    du, kappa, shown, sent = signals
    line, decay, c, reach, seen_dt, seen_u = x[now], room.decay[d], room.c, room.reach, room.seen_dt, room.seen_u
    rounding = Rounding(k.rounding, np.uint64(k.seed), (1 << (k.bits - 1)) - 1)
    inputs = len(line)
    _reach(p, x, now, d, reach)
    seen_dt[:] = 0
    seen_u[:] = 0
    lost = 0
    for n in range(len(c)):
        draw = counter + np.uint64((d * len(c) + n) * inputs)
        lost += _roll(t.s_dt[d, n], decay[n], line, room.g[d, n], 16 - unit.s_dt[d], rounding, draw + _S_DT)
        lost += _roll(t.s_u[d, n], decay[n], reach, room.drive[d, n], 16 - unit.s_u[d], rounding, draw + _S_U)
        lost += _roll(t.s_b[d, n], decay[n], line, du, 16 - unit.s_b[d], rounding, draw + _S_B)
        for j in range(inputs):
            seen_dt[j] += c[n] * t.s_dt[d, n, j]
            seen_u[j] += c[n] * t.s_u[d, n, j]
        left = 16 + unit.s_b[d] - unit.v_b[d]
        lost += _roll(t.v_b[d, n], kappa, t.s_b[d, n], c[n], left, rounding, draw + _V_B)
        lost += _roll(t.v_c[d, n], kappa, line, room.h[d, n], 16 - unit.v_c[d], rounding, draw + _V_C)
        lost += _roll(t.r_b[d, n], 65536, t.v_b[d, n], shown, unit.v_b[d] - unit.r_b[d], rounding, draw + _R_B)
        lost += _roll(t.r_c[d, n], 65536, t.v_c[d, n], shown, unit.v_c[d] - unit.r_c[d], rounding, draw + _R_C)
    draw = counter + np.uint64(d * inputs)
    lost += _roll(t.v_dt[d], kappa, seen_dt, 1, 16 + unit.s_dt[d] - unit.v_dt[d], rounding, draw + _V_DT)
    for j in range(inputs):  # two terms, each shifted by itself
        room.terms[j] = _shifted(seen_u[j], 16 + unit.s_u[d] - unit.v_u[d])
        room.terms[j] += _shifted(p.channels.d_skip[d] * reach[j], 16 + k.skip_shift - unit.v_u[d])
    lost += _roll(t.v_u[d], kappa, room.terms, 1, 0, rounding, draw + _V_U)
    lost += _roll(t.r_dt[d], 65536, t.v_dt[d], shown, unit.v_dt[d] - unit.r_dt[d], rounding, draw + _R_DT)
    lost += _roll(t.r_u[d], 65536, t.v_u[d], shown, unit.v_u[d] - unit.r_u[d], rounding, draw + _R_U)
    total = (t.r_o[d] << 16) + _shifted(sent, -unit.r_o[d])
    moved = _rounded(total, rounding, counter + _R_O + np.uint64(d))
    t.r_o[d] = _cut(moved, rounding.top)
    return int(lost + (t.r_o[d] != moved))


@part
def _reach(p: Words, x: Array, now: int, d: int, reach: Array) -> None:
    """Sum of conv[k] x[now - k] over the taps, (M,)."""
    reach[:] = 0
    for tap in range(min(p.conv.shape[1], now + 1)):
        for j in range(len(reach)):
            reach[j] += p.conv[d, tap] * x[now - tap, j]

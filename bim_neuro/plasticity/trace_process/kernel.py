"""The block, its readout and its trace process compiled: one sample a call, the integers of `trace_process`.

Written from the rules, apart from the numpy law: tests/plasticity/test_trace_process.py holds one against the other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ...jit import compiled, inlined
from ...nodes.arithmetic import Array

_WORD = 2**23 - 1
_FACTOR = 2**16 - 1
_EXP2 = np.rint(2.0 ** (20 - np.arange(65) / 64)).astype(np.int64)
_LOG2E = round(math.log2(math.e) * 2**15)
_G = np.array([2**15] + [round(math.log1p(i / 32) / (i / 32) * 2**15) for i in range(1, 33)], np.int64)
_PSI_NEAR = np.rint(_FACTOR / (1 + np.arange(257) / 16) ** 2).astype(np.int64)
_PSI_FAR = np.rint(_FACTOR / (1 + np.arange(257)) ** 2).astype(np.int64)
STOCHASTIC, NEAREST, TRUNCATE = 0, 1, 2


class Words(NamedTuple):
    """Numbers of the block, in the order `SCALARS` names them, and its tables; all int64."""

    scalars: Array
    alpha: Array  # (D, N)
    rate: Array  # (D, N)
    conv: Array  # (D, K)
    channel: Array  # (7, D): d_skip, u and dt multipliers and biases, relay u multiplier and bias
    state: Array  # (4, N): relay B and C, multiplier and bias
    classes: Array  # (2, C): readout multiplier and bias
    lif_bias: Array  # (D,)
    omega: Array  # (T,)
    units: Array  # (12, D), in the order of trace_process.NAMES


SCALARS = (
    "u_shift", "dt_shift", "alpha_shift", "du_shift", "b_shift", "c_shift", "d_shift", "rate_shift", "drive_shift",
    "skip_shift", "psi_factor", "psi_shift", "v_factor", "v_shift", "du", "dv", "v_threshold", "relay_u_shift",
    "relay_b_shift", "relay_c_shift", "readout_shift", "readout_decay", "bits", "rounding", "seed",
)  # fmt: skip


class Weights(NamedTuple):
    """The plastic projections, int64 (post, pre)."""

    w_u: Array
    w_dt: Array
    w_b: Array
    w_c: Array
    w_o: Array


class Traces(NamedTuple):
    """Every trace, in the order of trace_process.NAMES."""

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


@inlined
def _cut(word: int, limit: int) -> int:
    return min(max(word, -limit), limit)


@inlined
def _towards_zero(product: int, shift: int) -> int:
    return (product + ((product >> 63) & ((1 << shift) - 1))) >> shift


@inlined
def _shifted(word: int, left: int) -> int:
    return word << left if left >= 0 else word >> min(-left, 62)


@compiled
def _exp2_minus(p: int) -> int:
    i = (p >> 14) & 63
    mantissa = _EXP2[i] + (((_EXP2[i + 1] - _EXP2[i]) * (p & 16383)) >> 14)
    return int(mantissa >> min(p >> 20, 21))


@compiled
def _softplus(z: int) -> int:
    e = _exp2_minus(min((abs(z) * _LOG2E) >> 11, 2**24 - 1))
    at = min(e, 2**20 - 1)
    g = _G[at >> 15] + (((_G[(at >> 15) + 1] - _G[at >> 15]) * (at & 32767)) >> 15)
    return int(min((max(z, 0) << 4) + ((e * g) >> 15), _WORD))


@compiled
def _rescale(total: int, factor: int, shift: int, bias: int) -> int:
    return _towards_zero(_cut(total, _WORD) * factor, shift) + bias


@inlined
def _noise(seed: np.uint64, counter: np.uint64) -> np.uint64:
    z = (seed * np.uint64(0xD1342543DE82EF95) + counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def _rounded(total: int, shift: int, rounding: int, seed: np.uint64, counter: np.uint64) -> int:
    if rounding == 0:
        return int((total + np.int64(_noise(seed, counter) >> np.uint64(64 - shift))) >> shift)
    if rounding == 1:
        return (total + (1 << (shift - 1))) >> shift
    return _towards_zero(total, shift)


@compiled
def _roll(
    word: Array, factor: int, now: Array, scale: int, left: int, rounding: int, seed: np.uint64, at: np.uint64, top: int
) -> int:
    """Advance a row of words: word * factor + scale * now, shifted ``left``; return how many saturated."""
    lost = 0
    for j in range(len(word)):
        total = word[j] * factor + _shifted(scale * now[j], left)
        moved = _rounded(total, 16, rounding, seed, at + np.uint64(j))
        word[j] = _cut(moved, top)
        lost += word[j] != moved
    return lost


@compiled
def play(
    p: Words, w: Weights, x: Array, t: Traces, first: int, begin: int, spikes: Array, psis: Array, output: Array
) -> int:
    """Run one sample x (T, M); fill ``output`` (C,), ``spikes`` and ``psis`` (T, D); return saturated trace words.

    Traces are 0 before and move from step ``begin`` on; ``first`` numbers the sample's first step for the noise.
    """
    k = p.scalars
    steps = len(x)
    channels, states = p.alpha.shape
    taps, classes = p.conv.shape[1], len(w.w_o)
    h = np.zeros((channels, states), np.int64)
    g = np.zeros((channels, states), np.int64)
    drive = np.zeros((channels, states), np.int64)
    decay = np.zeros((channels, states), np.int64)
    relay = np.zeros((steps, channels), np.int64)
    soma = np.zeros((5, channels), np.int64)
    u_lif, v_lif, v, s, psi = soma[0], soma[1], soma[2], soma[3], soma[4]
    b, c = np.zeros(states, np.int64), np.zeros(states, np.int64)
    r = np.zeros(classes, np.int64)
    output[:] = 0
    leak = (4096 - k[15]) << 4
    lost = 0
    for now in range(steps):
        learning = now >= begin
        for n in range(states):
            b[n], c[n] = _read(w.w_b[n], x[now]), _read(w.w_c[n], x[now])
            b[n] = _cut(_rescale(b[n], p.state[0, n], k[18], p.state[1, n]), 32767)
            c[n] = _cut(_rescale(c[n], p.state[2, n], k[19], p.state[3, n]), 32767)
        for d in range(channels):
            sent = _rescale(_read(w.w_u[d], x[now]), p.channel[5, d], k[17], p.channel[6, d])
            relay[now, d] = _cut(sent, 32767)
            total = 0
            for tap in range(min(taps, now + 1)):
                total += p.conv[d, tap] * relay[now - tap, d]
            u = _cut(_rescale(total, p.channel[1, d], k[0], p.channel[2, d]), 32767)
            z = _cut(_rescale(_read(w.w_dt[d], x[now]), p.channel[3, d], k[1], p.channel[4, d]), _WORD)
            delta = _softplus(z)
            slope = _FACTOR - min(_exp2_minus(_towards_zero(delta * _LOG2E, 15)) >> 4, _FACTOR)
            du = _cut(_towards_zero(delta * u, k[3]), _WORD)
            fed = _towards_zero(u * (slope << 4), k[3])
            y = 0
            for n in range(states):
                rate = min(_towards_zero(delta * p.alpha[d, n], k[2]), 2**24 - 1)
                decay[d, n] = min(_exp2_minus(rate) >> 4, _FACTOR)
                kept = _towards_zero(h[d, n] * decay[d, n], 16)
                h[d, n] = _cut(kept + _towards_zero(du * b[n], k[4]), _WORD)
                y += _towards_zero(h[d, n] * c[n], k[5])
                if learning:
                    changed = _towards_zero(_towards_zero(kept * slope, 16) * p.rate[d, n], k[7])
                    g[d, n] = _cut(_towards_zero(fed * b[n], k[4]) - changed, _WORD)
                    drive[d, n] = _cut(_towards_zero(delta * b[n], k[8]), _WORD)
            y = _cut(y + _towards_zero(p.channel[0, d] * u, k[6]), 2**17 - 1)
            back = _cut(_towards_zero(v[d] * k[12], k[13]), _WORD)
            kappa = leak * (1 - s[d]) - _towards_zero(back * _towards_zero(psi[d] * leak, 16), 12)
            u_lif[d] = _wrap(_towards_zero(u_lif[d] * (4096 - (k[14] + 1)), 12) + (y << 6))
            v[d] = _cut(_towards_zero(v_lif[d] * (4096 - k[15]), 12) + u_lif[d] + p.lif_bias[d], _WORD)
            s[d] = v[d] > (k[16] << 6)
            v_lif[d] = 0 if s[d] else v[d]
            spikes[now, d] = s[d]
            psi[d] = psis[now, d] = _psi(v[d], k[16], k[10], k[11])
            if learning:
                lost += _advance_channel(
                    p, t, x, now, d, _cut(kappa, _FACTOR), g[d], drive[d], decay[d], c, h[d], du,
                    (p.omega[now] * psi[d]) >> 16, p.omega[now] * s[d], np.uint64(first + now) << np.uint64(28),
                )  # fmt: skip
        for o in range(classes):
            a = _rescale(_read(w.w_o[o], spikes[now]), p.classes[0, o], k[20], p.classes[1, o])
            r[o] = _cut(_towards_zero(r[o] * k[21], 16) + a, _WORD)
            output[o] += r[o]
    return lost


@compiled
def _read(row: Array, x: Array) -> int:
    total = 0
    for j in range(len(x)):
        total += row[j] * x[j]
    return total


@compiled
def _wrap(u: int) -> int:
    return u - 2**24 if u > 2**23 else (u + 2**24 if u <= -(2**23) else u)


@compiled
def _psi(v: int, threshold: int, factor: int, shift: int) -> int:
    at = _towards_zero(abs(v - (threshold << 6)) * factor, shift)
    if at < 65536:
        i = at >> 8
        return int(_PSI_NEAR[i] + (((_PSI_NEAR[i + 1] - _PSI_NEAR[i]) * (at & 255)) >> 8))
    at = min(at >> 4, 65535)
    i = at >> 8
    return int(_PSI_FAR[i] + (((_PSI_FAR[i + 1] - _PSI_FAR[i]) * (at & 255)) >> 8))


@compiled
def _advance_channel(
    p: Words, t: Traces, x: Array, now: int, d: int, kappa: int, g: Array, drive: Array, decay: Array, c: Array,
    h: Array, du: int, shown: int, sent: int, counter: np.uint64,
) -> int:  # fmt: skip
    """Move the traces of one channel on by one step."""
    k, unit = p.scalars, p.units[:, d]
    rounding, seed, top = k[23], np.uint64(k[24]), (1 << (k[22] - 1)) - 1
    states, inputs = len(c), x.shape[1]
    reach = np.zeros(inputs, np.int64)
    for tap in range(min(p.conv.shape[1], now + 1)):
        for j in range(inputs):
            reach[j] += p.conv[d, tap] * x[now - tap, j]
    seen_dt, seen_u, row = np.zeros(inputs, np.int64), np.zeros(inputs, np.int64), np.zeros(inputs, np.int64)
    lost = 0
    for n in range(states):
        at = counter + np.uint64((d * states + n) * inputs)
        lost += _roll(t.s_dt[d, n], decay[n], x[now], g[n], 16 - unit[0], rounding, seed, at, top)
        lost += _roll(t.s_u[d, n], decay[n], reach, drive[n], 16 - unit[3], rounding, seed, at + _place(3), top)
        lost += _roll(t.s_b[d, n], decay[n], x[now], du, 16 - unit[6], rounding, seed, at + _place(6), top)
        for j in range(inputs):
            seen_dt[j] += c[n] * t.s_dt[d, n, j]
            seen_u[j] += c[n] * t.s_u[d, n, j]
        left = 16 + unit[6] - unit[7]
        lost += _roll(t.v_b[d, n], kappa, t.s_b[d, n], c[n], left, rounding, seed, at + _place(7), top)
        lost += _roll(t.v_c[d, n], kappa, x[now], h[n], 16 - unit[9], rounding, seed, at + _place(9), top)
        lost += _roll(t.r_b[d, n], 65536, t.v_b[d, n], shown, unit[7] - unit[8], rounding, seed, at + _place(8), top)
        lost += _roll(t.r_c[d, n], 65536, t.v_c[d, n], shown, unit[9] - unit[10], rounding, seed, at + _place(10), top)
    at = counter + np.uint64(d * inputs)
    lost += _roll(t.v_dt[d], kappa, seen_dt, 1, 16 + unit[0] - unit[1], rounding, seed, at + _place(1), top)
    for j in range(inputs):  # two terms, each shifted by itself
        row[j] = _shifted(seen_u[j], 16 + unit[3] - unit[4])
        row[j] += _shifted(p.channel[0, d] * reach[j], 16 + k[9] - unit[4])
    lost += _roll(t.v_u[d], kappa, row, 1, 0, rounding, seed, at + _place(4), top)
    lost += _roll(t.r_dt[d], 65536, t.v_dt[d], shown, unit[1] - unit[2], rounding, seed, at + _place(2), top)
    lost += _roll(t.r_u[d], 65536, t.v_u[d], shown, unit[4] - unit[5], rounding, seed, at + _place(5), top)
    total = (t.r_o[d] << 16) + _shifted(sent, -unit[11])
    moved = _rounded(total, 16, rounding, seed, counter + _place(11) + np.uint64(d))
    t.r_o[d] = _cut(moved, top)
    return int(lost + (t.r_o[d] != moved))


@inlined
def _place(name: int) -> np.uint64:
    return np.uint64(name) << np.uint64(24)

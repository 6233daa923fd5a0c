"""The block, its readout and its trace process compiled: one sample a call, the integers of `trace_process`.

Written from the rules, apart from the numpy law: tests/plasticity/test_trace_process.py holds one against the other.

`play` makes all arrays; what it calls makes none and counts no references, which costs two thirds of the time.
"""

from __future__ import annotations

import numpy as np

from ...jit import compiled, inlined, kernel, part
from ...nodes.arithmetic import Array
from ...simulation.kernels.words import WORD_MAX, clip, exp2_minus, rescale, shift_towards_zero, softplus
from ..noise import random_bits
from ..surrogate import psi_word
from .parameters import ChannelSignals, EachTrace, Parameters, Room, Rounding, Sample, Weights

_ONE = 2**16
_FACTOR = _ONE - 1
_LOG2E = round(np.log2(np.e) * 2**15)
STOCHASTIC, NEAREST, TRUNCATE = 0, 1, 2  # indices in request.ROUNDINGS
# Where the draws of each trace begin within a step's, as in `law.TraceProcess._place`; a step has room for 16 of them,
# 2^28 draws, so that no two values of a run share one.
_S_DT, _V_DT, _R_DT, _S_U, _V_U, _R_U, _S_B, _V_B, _R_B, _V_C, _R_C, _R_O = (np.uint64(i << 24) for i in range(12))


@inlined
def _shifted(word: int, left: int) -> int:
    # a machine shifts by the lowest 6 bits of a count alone; by 62 a word is already 0 or -1, as in the law
    return word << left if left >= 0 else word >> min(-left, 62)


@inlined
def _rounded(total: int, rounding: Rounding, draw: np.uint64) -> int:
    """N21. total / 2^16, rounded."""
    if rounding.mode == STOCHASTIC:
        # the highest 16 bits, as `noise.noise` takes them; signed before the sum, or it would be a float
        return int((total + np.int64(random_bits(rounding.seed, draw) >> np.uint64(48))) >> 16)
    if rounding.mode == NEAREST:
        return (total + (1 << 15)) >> 16
    return shift_towards_zero(total, 16)


@part
def _roll(word: Array, factor: int, now: Array, scale: int, left: int, rounding: Rounding, draw: np.uint64) -> int:
    """Advance a row of words: word * factor + scale * now, shifted ``left``; return how many saturated.

    ``draw`` numbers the noise of the row's first word, the others follow.
    """
    lost = 0
    for j in range(len(word)):
        total = word[j] * factor + _shifted(scale * now[j], left)
        moved = _rounded(total, rounding, draw + np.uint64(j))
        word[j] = clip(moved, rounding.top)
        lost += word[j] != moved
    return lost


@compiled
def play(
    p: Parameters, w: Weights, x: Array, t: EachTrace, first: int, begin: int, spikes: Array, psis: Array, output: Array
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
    p: Parameters, w: Weights, t: EachTrace, sample: Sample, room: Room, now: int, learning: bool, counter: np.uint64
) -> int:
    """Advance block, traces and readout by one step; return how many traces saturated."""
    lost = 0
    _hear(p, w, sample.x[now], room)
    for d in range(len(room.v)):
        du, y = _scan(p, w, sample.x, room, now, d, learning)
        kappa = _fire(p, room, d, y)
        sample.spikes[now, d], sample.psis[now, d] = room.s[d], room.psi[d]
        if learning:
            shown, sent = (p.omega[now] * room.psi[d]) >> 16, p.omega[now] * room.s[d]
            lost += _trace(p, t, sample.x, room, now, d, ChannelSignals(du, kappa, shown, sent), counter)
    _answer(p, w, sample.spikes[now], room, sample.output, now >= p.constants.read_from)
    return lost


@part
def _hear(p: Parameters, w: Weights, line: Array, room: Room) -> None:
    """Compute B and C of the step, as their relays send them."""
    k, each = p.constants, p.states
    for n in range(len(room.b)):
        b = rescale(_read(w.w_b[n], line), each.b_multiplier[n], k.relay_b_shift, each.b_bias[n])
        c = rescale(_read(w.w_c[n], line), each.c_multiplier[n], k.relay_c_shift, each.c_bias[n])
        room.b[n], room.c[n] = clip(b, 32767), clip(c, 32767)


@part
def _scan(p: Parameters, w: Weights, x: Array, room: Room, now: int, d: int, learning: bool) -> tuple[int, int]:
    """Advance a channel's states; with traces also g and drive. Return delta u and the channel's y."""
    k, each = p.constants, p.channels
    sent = rescale(_read(w.w_u[d], x[now]), each.relay_u_multiplier[d], k.relay_u_shift, each.relay_u_bias[d])
    room.relay[now, d] = clip(sent, 32767)
    total = 0
    for tap in range(min(p.conv.shape[1], now + 1)):
        total += p.conv[d, tap] * room.relay[now - tap, d]
    u = clip(rescale(total, each.u_multiplier[d], k.u_shift, each.u_bias[d]), 32767)
    z = rescale(_read(w.w_dt[d], x[now]), each.dt_multiplier[d], k.dt_shift, each.dt_bias[d])
    delta = clip(softplus(clip(z, WORD_MAX)), WORD_MAX)
    # 2^-20 to 2^-16 are 4 bits fewer; 2^-0 would be 2^16, which 16 bits do not hold
    slope = _FACTOR - min(exp2_minus(shift_towards_zero(delta * _LOG2E, 15)) >> 4, _FACTOR)
    du = clip(shift_towards_zero(delta * u, k.du_shift), WORD_MAX)
    fed = shift_towards_zero(u * (slope << 4), k.du_shift)  # the slope in delta's unit, 2^-20, as N9 makes delta u
    y = 0
    b, h, g, drive, decay = room.b, room.h[d], room.g[d], room.drive[d], room.decay[d]
    for n in range(len(b)):
        rate = min(shift_towards_zero(delta * p.alpha[d, n], k.alpha_shift), 2**24 - 1)  # all that exp2 reads
        decay[n] = min(exp2_minus(rate) >> 4, _FACTOR)
        kept = shift_towards_zero(h[n] * decay[n], 16)
        h[n] = clip(kept + shift_towards_zero(du * b[n], k.b_shift), WORD_MAX)
        y += shift_towards_zero(h[n] * room.c[n], k.c_shift)
        if learning:
            changed = shift_towards_zero(shift_towards_zero(kept * slope, 16) * p.rate[d, n], k.rate_shift)
            g[n] = clip(shift_towards_zero(fed * b[n], k.b_shift) - changed, WORD_MAX)
            drive[n] = clip(shift_towards_zero(delta * b[n], k.drive_shift), WORD_MAX)
    return du, clip(y + shift_towards_zero(each.d_skip[d] * u, k.d_shift), 2**17 - 1)


@part
def _fire(p: Parameters, room: Room, d: int, y: int) -> int:
    """Advance a channel's LIF by y, and its psi; return kappa = dv_t / dv_{t-1}."""
    k = p.constants
    leak = (4096 - k.dv) << 4  # a decay over 2^12, as a factor over 2^16
    back = clip(shift_towards_zero(room.v[d] * k.v_factor, k.v_shift), WORD_MAX)
    kappa = leak * (1 - room.s[d]) - shift_towards_zero(back * shift_towards_zero(room.psi[d] * leak, 16), 12)
    room.u_lif[d] = _wrap(shift_towards_zero(room.u_lif[d] * (4096 - (k.du + 1)), 12) + (y << 6))
    leaked = shift_towards_zero(room.v_lif[d] * (4096 - k.dv), 12)
    v = clip(leaked + room.u_lif[d] + p.channels.lif_bias[d], WORD_MAX)
    fired = v > (k.v_threshold << 6)
    room.v[d], room.s[d], room.v_lif[d] = v, fired, 0 if fired else v
    room.psi[d] = psi_word(v, k.v_threshold, k.psi_factor, k.psi_shift)
    return clip(kappa, _FACTOR)


@part
def _answer(p: Parameters, w: Weights, spikes: Array, room: Room, output: Array, counts: bool) -> None:
    """Advance the readout, and add it to ``output`` where the step counts."""
    k, each = p.constants, p.readout
    for o in range(len(room.r)):
        a = rescale(_read(w.w_o[o], spikes), each.multiplier[o], k.readout_shift, each.bias[o])
        room.r[o] = clip(shift_towards_zero(room.r[o] * k.readout_decay, 16) + a, WORD_MAX)
        output[o] += room.r[o] * counts


@kernel
def _read(row: Array, x: Array) -> int:
    """The weighted sum that one neuron receives through its row of weights."""
    total = 0
    for j in range(len(x)):
        total += row[j] * x[j]
    return total


@part
def _wrap(u: int) -> int:
    """N7. A current beyond 2^23 wraps, as in Lava: 2^23 itself is kept, -2^23 is not."""
    return u - 2**24 if u > 2**23 else (u + 2**24 if u <= -(2**23) else u)


@kernel
def _trace(
    p: Parameters, t: EachTrace, x: Array, room: Room, now: int, d: int, signals: ChannelSignals, counter: np.uint64
) -> int:
    """Advance the traces of one channel by one step, level by level; return how many saturated."""
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
        lost += _roll(t.r_b[d, n], _ONE, t.v_b[d, n], shown, unit.v_b[d] - unit.r_b[d], rounding, draw + _R_B)
        lost += _roll(t.r_c[d, n], _ONE, t.v_c[d, n], shown, unit.v_c[d] - unit.r_c[d], rounding, draw + _R_C)
    draw = counter + np.uint64(d * inputs)
    lost += _roll(t.v_dt[d], kappa, seen_dt, 1, 16 + unit.s_dt[d] - unit.v_dt[d], rounding, draw + _V_DT)
    for j in range(inputs):  # two terms, each shifted by itself
        room.terms[j] = _shifted(seen_u[j], 16 + unit.s_u[d] - unit.v_u[d])
        room.terms[j] += _shifted(p.channels.d_skip[d] * reach[j], 16 + k.skip_shift - unit.v_u[d])
    lost += _roll(t.v_u[d], kappa, room.terms, 1, 0, rounding, draw + _V_U)
    lost += _roll(t.r_dt[d], _ONE, t.v_dt[d], shown, unit.v_dt[d] - unit.r_dt[d], rounding, draw + _R_DT)
    lost += _roll(t.r_u[d], _ONE, t.v_u[d], shown, unit.v_u[d] - unit.r_u[d], rounding, draw + _R_U)
    total = (t.r_o[d] << 16) + _shifted(sent, -unit.r_o[d])
    moved = _rounded(total, rounding, counter + _R_O + np.uint64(d))
    t.r_o[d] = clip(moved, rounding.top)
    return int(lost + (t.r_o[d] != moved))


@part
def _reach(p: Parameters, x: Array, now: int, d: int, reach: Array) -> None:
    """Sum of conv[k] x[now - k] over the taps, (M,)."""
    reach[:] = 0
    for tap in range(min(p.conv.shape[1], now + 1)):
        for j in range(len(reach)):
            reach[j] += p.conv[d, tap] * x[now - tap, j]

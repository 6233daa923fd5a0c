r"""Triton kernels of `bim_neuro.model.selective_scan`, forward and backward.

    drive_kernel            u = b_u + conv * w, delta = softplus(rate)                parallel over steps
    scan_kernel             h, y, v, s step by step; h is kept every CHUNK steps      a program a (sample, tile of channels)
    scan_backward_kernel    chunks from the last: h again into scratch, then back     likewise
    drive_backward_kernel   gradients of w, rate, conv and b_u                        parallel over steps

A tile is [N, channels] of a warp, and neighbouring threads read neighbouring channels. The compiler's layout gives a
thread four channels and a quarter of 16 states, so that sums over n cross four threads. What is summed
over channels or samples goes out as one part a program, and is added up in a fixed order. Programs of
scan_kernel and scan_backward_kernel: (sample, tile). The gradients of delta, u and rate may take the place of delta, u
and of the gradient of delta. A masked step has delta 0: h passes by. ``a`` comes as
-exp(a_log) log2(e), since exp2 is the machine's instruction.
"""  # noqa: E501  one line a kernel

from __future__ import annotations

import triton
import triton.language as tl

HARD: tl.constexpr = tl.constexpr(0)
SOFT: tl.constexpr = tl.constexpr(1)
NONE: tl.constexpr = tl.constexpr(2)
SOFTPLUS_ENDS: tl.constexpr = tl.constexpr(20.0)
"""Above it PyTorch's softplus is its argument."""


@triton.jit
def _projection(w, mask, taps, row, in_row, d, inside, batch, channels, k: tl.constexpr, MASKED: tl.constexpr, ty):
    """w of k steps before each row; before the first step it lies in the taps, newest first."""
    before = row - k * batch
    value = tl.load(w + before[:, None] * channels + d[None, :], inside & (before >= 0)[:, None], 0.0).to(ty)
    if MASKED:
        value *= tl.load(mask + before, in_row & (before >= 0), 0).to(ty)[:, None]
    if k > 0:  # row -r of the steps is k - 1 - r // batch of the taps
        old = (k - 1 - row // batch) * batch + row % batch
        value += tl.load(taps + old[:, None] * channels + d[None, :], inside & (before < 0)[:, None], 0.0)
    return value


@triton.jit
def drive_kernel(
    w, rate, mask, taps, conv, b_u, u, delta,
    rows, batch, channels,
    TAPS: tl.constexpr, MASKED: tl.constexpr, ROWS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """u and delta of some rows (steps and samples) and one tile of channels."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    d = tl.program_id(1) * TILE + tl.arange(0, TILE)
    in_row, here = row < rows, d < channels
    at, inside = row[:, None] * channels + d[None, :], in_row[:, None] & here[None, :]
    ty = u.dtype.element_ty
    heard = tl.zeros([ROWS, TILE], ty) + tl.load(b_u + d, here, 0.0)[None, :]
    for k in tl.static_range(TAPS):
        tap = tl.load(conv + d * TAPS + k, here, 0.0)
        heard += tap[None, :] * _projection(w, mask, taps, row, in_row, d, inside, batch, channels, k, MASKED, ty)
    x = tl.load(rate + at, inside, 0.0).to(ty)
    small = tl.exp(-tl.abs(x))  # softplus without overflow, and log1p(small) without loss
    one = 1.0 + small
    log1p = tl.where(one == 1.0, small, tl.log(one) * (small / tl.where(one == 1.0, 1.0, one - 1.0)))
    step = tl.where(x > SOFTPLUS_ENDS, x, tl.maximum(x, 0.0) + log1p)
    if MASKED:
        step *= tl.load(mask + row, in_row, 0).to(ty)[:, None]
    tl.store(u + at, heard, inside)
    tl.store(delta + at, step, inside)


@triton.jit
def _fire(y, v, s, leak, level, RESET: tl.constexpr):
    """One step of the soma from (v, s)."""
    if RESET == NONE:
        v_t, s_t = y, y
    else:
        v_t = leak * v * (1.0 - s) + y if RESET == HARD else leak * v + y - level * s
        s_t = (v_t > level).to(y.dtype)
    return v_t, s_t


@triton.jit
def _fire_backward(on_s, on_v, v_t, v, s, leak, level, RESET: tl.constexpr, THROUGH: tl.constexpr, SLOPE: tl.constexpr):
    """Gradients of y, v, s, leak and level from those of (s_t, v_t); v and s are of the step before."""
    if RESET == NONE:
        on_y = on_s + on_v
        nothing = on_v * 0.0
        next_v, next_s, leaks, levels = nothing, nothing, nothing, nothing
    else:
        slant = 1.0 + SLOPE * tl.abs(v_t - level)
        fired = on_s / (slant * slant)
        on_y = on_v + fired
        if RESET == HARD:
            next_v, next_s = leak * (1.0 - s) * on_y, -leak * v * on_y
            leaks, levels = on_y * v * (1.0 - s), -fired
        else:
            next_v, next_s = leak * on_y, -level * on_y
            leaks, levels = on_y * v, -fired - on_y * s
        if not THROUGH:
            next_s = on_s * 0.0
    return on_y, next_v, next_s, leaks, levels


@triton.jit
def scan_kernel(
    delta, u, b, c, mask, a, d_skip, decay, threshold, h_before, v_before, s_before,
    spikes, v_kept, s_kept, h_kept, h_after, v_after, s_after,
    steps, batch, channels, states,
    N: tl.constexpr, TILE: tl.constexpr, CHUNK: tl.constexpr, STAGES: tl.constexpr,
    RESET: tl.constexpr, MASKED: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """h, y, v and s through all steps, of one sample and one tile of channels."""
    sample = tl.program_id(0).to(tl.int64)
    d, n = tl.program_id(1) * TILE + tl.arange(0, TILE), tl.arange(0, N)
    here, there = d < channels, n < states
    tile, both = n[:, None] * channels + d[None, :], there[:, None] & here[None, :]
    one = sample * channels + d
    ty = delta.dtype.element_ty
    rate, skip = tl.load(a + tile, both, 0.0), tl.load(d_skip + d, here, 0.0)
    leak, level = tl.load(decay), tl.load(threshold)
    h = tl.load(h_before + sample * states * channels + tile, both, 0.0)
    v, s = tl.load(v_before + one, here, 0.0), tl.load(s_before + one, here, 0.0)
    for chunk in range(tl.cdiv(steps, CHUNK)):
        if KEEP:
            tl.store(h_kept + (chunk * batch + sample) * states * channels + tile, h, both)
        for t in tl.range(chunk * CHUNK, min(steps, (chunk + 1) * CHUNK), num_stages=STAGES):
            row = t * batch + sample
            at = row * channels + d
            dt, x = tl.load(delta + at, here, 0.0), tl.load(u + at, here, 0.0)
            b_t = tl.load(b + row * states + n, there, 0.0).to(ty)
            c_t = tl.load(c + row * states + n, there, 0.0).to(ty)
            h = tl.exp2(dt[None, :] * rate) * h + (dt * x)[None, :] * b_t[:, None]
            y = tl.sum(h * c_t[:, None], 0) + skip * x
            v_t, s_t = _fire(y, v, s, leak, level, RESET)
            if MASKED:
                now = tl.load(mask + row) != 0
                v, s, s_t = tl.where(now, v_t, v), tl.where(now, s_t, s), tl.where(now, s_t, 0.0)
                if KEEP and RESET != NONE:
                    tl.store(s_kept + at, s, here)
            else:
                v, s = v_t, s_t
            tl.store(spikes + at, s_t, here)
            if KEEP and RESET != NONE:
                tl.store(v_kept + at, v, here)
    tl.store(h_after + sample * states * channels + tile, h, both)
    tl.store(v_after + one, v, here)
    tl.store(s_after + one, s, here)


@triton.jit
def scan_backward_kernel(
    delta, u, b, c, mask, a, d_skip, decay, threshold, v_before, s_before, v_kept, s_kept, h_kept, scratch,
    by_spikes, by_h, by_v, by_s,
    by_delta, by_u, by_b, by_c, by_a, by_skip, by_decay, by_threshold, by_h_before, by_v_before, by_s_before,
    steps, batch, channels, states,
    N: tl.constexpr, TILE: tl.constexpr, CHUNK: tl.constexpr, STAGES: tl.constexpr,
    RESET: tl.constexpr, MASKED: tl.constexpr, THROUGH: tl.constexpr, SLOPE: tl.constexpr,
):  # fmt: skip
    """The gradient of `scan_kernel`, from the last step to the first."""
    sample = tl.program_id(0).to(tl.int64)
    d, n = tl.program_id(1) * TILE + tl.arange(0, TILE), tl.arange(0, N)
    here, there = d < channels, n < states
    tile, both = n[:, None] * channels + d[None, :], there[:, None] & here[None, :]
    one, whole = sample * channels + d, sample * states * channels + tile
    ty = delta.dtype.element_ty
    own = (sample * tl.num_programs(1) + tl.program_id(1)) * CHUNK * N * TILE
    own_tile = scratch + own + n[:, None] * TILE + tl.arange(0, TILE)[None, :]
    part = tl.program_id(1).to(tl.int64) * steps * batch * states  # sums over channels: one part a tile
    rate, skip = tl.load(a + tile, both, 0.0), tl.load(d_skip + d, here, 0.0)
    leak, level = tl.load(decay), tl.load(threshold)
    on_h = tl.load(by_h + whole, both, 0.0)
    on_v, on_s = tl.load(by_v + one, here, 0.0), tl.load(by_s + one, here, 0.0)
    sum_a, sum_skip = tl.zeros_like(rate), tl.zeros_like(skip)
    sum_leak, sum_level = tl.zeros_like(skip), tl.zeros_like(skip)
    for back in range(tl.cdiv(steps, CHUNK)):
        chunk = tl.cdiv(steps, CHUNK) - 1 - back
        first, last = chunk * CHUNK, min(steps, (chunk + 1) * CHUNK)
        h = tl.load(h_kept + (chunk * batch + sample) * states * channels + tile, both, 0.0)
        for t in tl.range(first, last, num_stages=STAGES):
            tl.store(own_tile + (t - first) * N * TILE, h)
            row = t * batch + sample
            at = row * channels + d
            dt, x = tl.load(delta + at, here, 0.0), tl.load(u + at, here, 0.0)
            b_t = tl.load(b + row * states + n, there, 0.0).to(ty)
            h = tl.exp2(dt[None, :] * rate) * h + (dt * x)[None, :] * b_t[:, None]
        tl.debug_barrier()  # what one thread stored, another may read
        for i in tl.range(last - first, num_stages=STAGES):
            t = last - 1 - i
            row = t * batch + sample
            at = row * channels + d
            dt, x = tl.load(delta + at, here, 0.0), tl.load(u + at, here, 0.0)
            b_t = tl.load(b + row * states + n, there, 0.0).to(ty)
            c_t = tl.load(c + row * states + n, there, 0.0).to(ty)
            on_y = tl.load(by_spikes + at, here, 0.0)
            h = tl.load(own_tile + (t - first) * N * TILE)
            if RESET == NONE:
                v_t, v, s = on_v, on_v, on_s  # not read
            else:
                v_t, older = tl.load(v_kept + at, here, 0.0), t > 0
                v = tl.load(v_kept + at - batch * channels, here & older, 0.0)
                s = tl.load(s_kept + at - batch * channels, here & older, 0.0)
                v = tl.where(older, v, tl.load(v_before + one, here & (t == 0), 0.0))
                s = tl.where(older, s, tl.load(s_before + one, here & (t == 0), 0.0))
            on_y, next_v, next_s, leaks, levels = _fire_backward(
                on_y + on_s, on_v, v_t, v, s, leak, level, RESET, THROUGH, SLOPE
            )
            if MASKED:
                now = tl.load(mask + row) != 0
                on_y, leaks, levels = tl.where(now, on_y, 0.0), tl.where(now, leaks, 0.0), tl.where(now, levels, 0.0)
                on_v, on_s = tl.where(now, next_v, on_v), tl.where(now, next_s, on_s)
            else:
                on_v, on_s = next_v, next_s
            sum_leak += leaks
            sum_level += levels
            sum_skip += on_y * x
            decayed = tl.exp2(dt[None, :] * rate)
            driven = dt * x
            on_h += on_y[None, :] * c_t[:, None]
            carried = decayed * h
            on_c = tl.sum(on_y[None, :] * (carried + driven[None, :] * b_t[:, None]), 1)
            on_b = tl.sum(on_h * driven[None, :], 1)
            on_driven = tl.sum(on_h * b_t[:, None], 0)
            on_exponent = on_h * carried
            sum_a += on_exponent * dt[None, :]
            on_dt = tl.sum(on_exponent * rate, 0) * 0.6931471805599453 + on_driven * x  # rate is in log2
            on_h *= decayed
            tl.store(by_delta + at, on_dt, here)
            tl.store(by_u + at, on_y * skip + on_driven * dt, here)
            tl.store(by_b + part + row * states + n, on_b, there)
            tl.store(by_c + part + row * states + n, on_c, there)
        tl.debug_barrier()  # before the next chunk takes the scratch
    tl.store(by_a + whole, sum_a, both)
    tl.store(by_skip + one, sum_skip, here)
    tl.store(by_decay + one, sum_leak, here)
    tl.store(by_threshold + one, sum_level, here)
    tl.store(by_h_before + whole, on_h, both)
    tl.store(by_v_before + one, on_v, here)
    tl.store(by_s_before + one, on_s, here)


@triton.jit
def drive_backward_kernel(
    w, rate, mask, taps, conv, by_u, by_delta, by_w, by_rate, by_conv,
    rows, batch, channels, per_program,
    TAPS: tl.constexpr, SUMS: tl.constexpr, MASKED: tl.constexpr, ROWS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """The gradient of `drive_kernel`, of some rows (steps and samples) and one tile of channels."""
    d, k_of = tl.program_id(1) * TILE + tl.arange(0, TILE), tl.arange(0, SUMS)
    here = d < channels
    ty = by_u.dtype.element_ty
    begin = tl.program_id(0).to(tl.int64) * per_program
    sums = tl.zeros([SUMS, TILE], ty)  # of conv's taps, and of b_u behind them
    for start in range(0, per_program, ROWS):
        row = begin + start + tl.arange(0, ROWS)  # step and sample
        in_row = (row < rows) & (row < begin + per_program)
        at, inside = row[:, None] * channels + d[None, :], in_row[:, None] & here[None, :]
        on_u = tl.load(by_u + at, inside, 0.0)
        on_w = tl.zeros([ROWS, TILE], ty)
        sums += tl.where(k_of[:, None] == TAPS, tl.sum(on_u, 0)[None, :], 0.0)
        for k in tl.static_range(TAPS):
            tap = tl.load(conv + d * TAPS + k, here, 0.0)
            later = row + k * batch
            on_later = tl.load(by_u + later[:, None] * channels + d[None, :], inside & (later < rows)[:, None], 0.0)
            on_w += tap[None, :] * on_later
            value = _projection(w, mask, taps, row, in_row, d, inside, batch, channels, k, MASKED, ty)
            sums += tl.where(k_of[:, None] == k, tl.sum(on_u * value, 0)[None, :], 0.0)
        x = tl.load(rate + at, inside, 0.0).to(ty)
        on_rate = tl.load(by_delta + at, inside, 0.0) * tl.where(x > SOFTPLUS_ENDS, 1.0, 1.0 / (1.0 + tl.exp(-x)))
        if MASKED:
            happens = tl.load(mask + row, in_row, 0).to(ty)[:, None]
            on_w, on_rate = on_w * happens, on_rate * happens
        tl.store(by_w + at, on_w, inside)
        tl.store(by_rate + at, on_rate, inside)
    out = (tl.program_id(0) * SUMS + k_of)[:, None] * channels + d[None, :]
    tl.store(by_conv + out, sums, here[None, :])

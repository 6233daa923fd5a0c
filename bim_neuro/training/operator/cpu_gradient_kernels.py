r"""The gradient of the compiled law (`cpu_kernels`), written out: one pass back over the steps.

Backwards, with g_x = dL/dx, the steps of a segment are computed again from its kept state, then taken from the last to
the first:

    soma    g_v = psi g_s + kappa g_v[t + 1]       g_s = given + (what the reset of step t + 1 sends)      g_y = g_v
    scan    g_h = decay[t + 1] g_h[t + 1] + g_y C          q = g_h decay h[t - 1]
            g_C = sum_d g_y h       g_B = sum_d g_h delta u       g_A = sum_t q delta       g_x = sum_n g_h B
            g_delta = u g_x + sum_n q A                    g_u = delta g_x + D_skip g_y
    taps    g_w[t - k] += conv_k g_u               g_conv_k = sum_t g_u w[t - k]

where x = delta u, psi is the surrogate's derivative, and kappa is beta (1 - s) of a hard reset and beta of a soft one.
Computing a segment again costs one exponential a state; keeping decays and states would write and read eight bytes a
state instead.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...denormals import flush_denormals, restore_denormals
from ...jit import section, vectorised
from ...nodes.arithmetic import Array
from .cpu_kernels import (
    HARD,
    NONE,
    SEGMENT,
    ScanConstants,
    ScanInput,
    ScanRecord,
    Scratch,
    SomaKind,
    copy,
    hear,
    scratch,
)
from .lanes import BYTES, exponential, load, load_part, size, store, store_part, total


class ScanGradients(NamedTuple):
    """What the backward pass reads in h, v, s and spikes, and leaves everywhere but in spikes."""

    spikes: Array  # (T, batch, D)
    h: Array  # (batch, N, D), of the state after the last step; then of the state before the first one
    v: Array  # (batch, D), likewise
    s: Array  # (batch, D), likewise
    w: Array  # (K - 1 + T, batch, D), what later taps send; then all
    delta: Array  # (T, batch, D)
    b: Array  # (T, batch, N), of these channels
    c: Array  # (T, batch, N), of these channels
    channel: Array  # (batch, N + K + 4, D): of a, conv, b_u, d_skip, the leak and the threshold


@section
def _again(
    drive: ScanInput, weights: ScanConstants, rows: Scratch, t: int, at: int, i: int, first: int, last: int
) -> None:
    """Run a step once more, number ``at`` of its segment; decays and states are kept."""
    before, h, decay = rows.h[at], rows.h[at + 1], rows.decay[at]
    if len(drive.happens) > 0 and not drive.happens[t, i]:
        copy(before, h, last - first)
        return
    for j in range(0, last - first, BYTES // drive.delta.itemsize):
        u, delta = hear(drive, weights, t, i, first + j, last), load_part(drive.delta[t, i], first + j, last)
        store(rows.u[at], j, u)
        x = delta * u
        for n in range(len(h)):
            now = exponential(delta * load(rows.a[n], j))
            store(decay[n], j, now)
            store(h[n], j, now * load(before[n], j) + x * drive.b[t, i, n])


@section
def _add(row: Array, at: int, x: Any) -> None:
    store(row, at, load(row, at) + x)


@section
def _fire_back(
    weights: ScanConstants,
    soma: SomaKind,
    kept: ScanRecord,
    given: ScanGradients,
    rows: Scratch,
    t: int,
    i: int,
    d: int,
    last: int,
    j: int,
) -> Any:
    """Return g_y; replace g_v and g_s by those of the step before; add up g_beta and g_th."""
    by_spike = load_part(given.spikes[t, i], d, last) + load(rows.by_s, j)
    by_v = load(rows.by_v, j)
    if soma.reset == NONE:
        store(rows.by_v, j, by_v * 0)
        store(rows.by_s, j, by_v * 0)
        return by_v + by_spike
    v, before, s = (
        load_part(kept.v[t + 1, i], d, last),
        load_part(kept.v[t, i], d, last),
        load_part(kept.s[t, i], d, last),
    )
    distance = size(v - weights.threshold) * soma.slope + 1
    emitted = by_spike / (distance * distance)
    by_v = by_v + emitted
    leaked = by_v * weights.decay
    if soma.reset == HARD:
        _add(rows.sums[len(rows.sums) - 2], j, by_v * before * (1 - s))
        _add(rows.sums[len(rows.sums) - 1], j, 0 - emitted)
        store(rows.by_v, j, leaked * (1 - s))
        store(rows.by_s, j, leaked * before * (0 - soma.through_reset))
    else:
        _add(rows.sums[len(rows.sums) - 2], j, by_v * before)
        _add(rows.sums[len(rows.sums) - 1], j, 0 - emitted - by_v * s)
        store(rows.by_v, j, leaked)
        store(rows.by_s, j, by_v * (0 - weights.threshold * soma.through_reset))
    return by_v


@section
def _step_back(
    drive: ScanInput, weights: ScanConstants, given: ScanGradients, rows: Scratch, by_y: Any, t: int, at: int, i: int,
    d: int, last: int, j: int,
) -> None:  # fmt: skip
    """From g_y to everything that a step reads, and g_h of the step before."""
    before, h, decay = rows.h[at], rows.h[at + 1], rows.decay[at]
    states, taps = len(weights.a), len(weights.conv)
    delta, u, d_skip = load_part(drive.delta[t, i], d, last), load(rows.u[at], j), load_part(weights.d_skip, d, last)
    x, by_x, by_delta = delta * u, by_y * 0, by_y * 0
    for n in range(states):
        by_h = load(rows.by_h[n], j) + by_y * drive.c[t, i, n]
        _add(rows.by_c[n], 0, by_y * load(h[n], j))
        _add(rows.by_b[n], 0, by_h * x)
        by_x = by_x + by_h * drive.b[t, i, n]
        handed = by_h * load(decay[n], j)
        store(rows.by_h[n], j, handed)
        by_decay = handed * load(before[n], j)
        _add(rows.sums[n], j, by_decay * delta)
        by_delta = by_delta + by_decay * load(rows.a[n], j)
    store_part(given.delta[t, i], d, last, by_delta + u * by_x)
    by_u = delta * by_x + d_skip * by_y
    _add(rows.sums[states + taps], j, by_u)
    _add(rows.sums[states + taps + 1], j, by_y * u)
    for k in range(taps):
        heard = t + taps - 1 - k
        _add(rows.sums[states + k], j, by_u * load_part(drive.w[heard, i], d, last))
        sent = load_part(given.w[heard, i], d, last) + by_u * load_part(weights.conv[k], d, last)
        store_part(given.w[heard, i], d, last, sent)


@section
def _segment_back(
    drive: ScanInput, weights: ScanConstants, soma: SomaKind, kept: ScanRecord, given: ScanGradients, rows: Scratch,
    start: int, i: int, first: int, last: int,
) -> None:  # fmt: skip
    """Run the segment from step ``start`` on once more, then back."""
    stop = min(len(drive.delta), start + SEGMENT)
    copy(kept.h[start // SEGMENT, i, :, first:last], rows.h[0], last - first)
    for t in range(start, stop):
        _again(drive, weights, rows, t, t - start, i, first, last)
    for t in range(stop - 1, start - 1, -1):
        if len(drive.happens) > 0 and not drive.happens[t, i]:
            continue
        rows.by_b[:] = 0
        rows.by_c[:] = 0
        for j in range(0, last - first, BYTES // drive.delta.itemsize):
            by_y = _fire_back(weights, soma, kept, given, rows, t, i, first + j, last, j)
            _step_back(drive, weights, given, rows, by_y, t, t - start, i, first + j, last, j)
        for n in range(len(weights.a)):
            given.b[t, i, n] = total(load(rows.by_b[n], 0))
            given.c[t, i, n] = total(load(rows.by_c[n], 0))


@vectorised
def backward(
    drive: ScanInput, weights: ScanConstants, soma: SomaKind, kept: ScanRecord, given: ScanGradients, part: Any
) -> None:
    """Fill in the gradients of sequences and channels ``part``, which are those of a call of `forward`."""
    begin, end, first, last = part
    rows, width = scratch(weights, drive.delta, part, SEGMENT, True), last - first
    mode = flush_denormals()
    for segment in range(len(kept.h) - 1, -1, -1):
        for i in range(begin, end):
            copy(given.channel[i, :, first:last], rows.sums, width)
            copy(given.h[i, :, first:last], rows.by_h, width)
            for j in range(width):
                rows.by_v[j], rows.by_s[j] = given.v[i, first + j], given.s[i, first + j]
            _segment_back(drive, weights, soma, kept, given, rows, segment * SEGMENT, i, first, last)
            copy(rows.sums, given.channel[i, :, first:last], width)
            copy(rows.by_h, given.h[i, :, first:last], width)
            for j in range(width):
                given.v[i, first + j], given.s[i, first + j] = rows.by_v[j], rows.by_s[j]
    restore_denormals(mode)

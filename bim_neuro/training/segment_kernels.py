r"""The compiled trace update of a segment: the maths of `segments.py`, one channel at a time.

All traces of one channel of one sequence lie side by side (`traces.Layout`): 7 N (M + 1) numbers, 30 KiB at M = 64 and
N = 16. A segment reads and writes them once. Loops run over contiguous arrays of one channel, (T, N), so that each is
a run of vector instructions; `_add_products` takes eight steps at a time, as then a number of the traces is loaded and
stored once for eight products. The functions release the GIL: threads split the channels. Traces of silent input decay
towards 0, so denormals are flushed to 0.
"""

from __future__ import annotations

import numpy as np

from ..denormals import flush_denormals, restore_denormals
from ..jit import section, vectorised
from ..nodes.arithmetic import Array
from .segment_chains import chains, forgetting_chains, immediate, reaches
from .segment_records import Channel, ChannelReach, Immediate, Law, LeftRows, Lines, Record, Sums, channel


@section
def _padded(steps: int) -> int:
    return (steps + 7) // 8 * 8


@vectorised
def _copy(part: Array, into: Array) -> None:
    """Copy rows to the first rows of an array; ``into[:] = part`` takes seconds to compile, to word its refusal."""
    for t in range(len(part)):
        for j in range(part.shape[1]):
            into[t, j] = part[t, j]


@vectorised
def _add_products(into: Array, q: Array, x: Array) -> None:
    """into[r, :M] += sum_t q[t, r] x[t], two rows, eight steps at a time; q (T, rows), x (T, M), T in eights."""
    rows, inputs = q.shape[1], x.shape[1]
    for r in range(0, rows - 1, 2):
        for t in range(0, len(q), 8):
            a0, a1, a2, a3, a4, a5, a6, a7 = (
                q[t, r], q[t + 1, r], q[t + 2, r], q[t + 3, r], q[t + 4, r], q[t + 5, r], q[t + 6, r], q[t + 7, r]
            )  # fmt: skip
            r1 = r + 1
            b0, b1, b2, b3, b4, b5, b6, b7 = (
                q[t, r1], q[t + 1, r1], q[t + 2, r1], q[t + 3, r1], q[t + 4, r1], q[t + 5, r1], q[t + 6, r1],
                q[t + 7, r1],
            )  # fmt: skip
            for j in range(inputs):
                x0, x1, x2, x3, x4, x5, x6, x7 = (
                    x[t, j], x[t + 1, j], x[t + 2, j], x[t + 3, j], x[t + 4, j], x[t + 5, j], x[t + 6, j], x[t + 7, j]
                )  # fmt: skip
                into[r, j] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4 + a5 * x5 + a6 * x6 + a7 * x7
                into[r1, j] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3 + b4 * x4 + b5 * x5 + b6 * x6 + b7 * x7
    if rows % 2:
        r = rows - 1
        for t in range(0, len(q), 8):
            a0, a1, a2, a3, a4, a5, a6, a7 = (
                q[t, r], q[t + 1, r], q[t + 2, r], q[t + 3, r], q[t + 4, r], q[t + 5, r], q[t + 6, r], q[t + 7, r]
            )  # fmt: skip
            for j in range(inputs):
                into[r, j] += (
                    a0 * x[t, j] + a1 * x[t + 1, j] + a2 * x[t + 2, j] + a3 * x[t + 3, j]
                    + a4 * x[t + 4, j] + a5 * x[t + 5, j] + a6 * x[t + 6, j] + a7 * x[t + 7, j]
                )  # fmt: skip


@vectorised
def _mix(reach: ChannelReach, s: Array, e: Array, r: Array, gradient: Array) -> None:
    """Replace the traces before a segment by what is left of them after it; row n of S goes to row n of the others.

    E, R and gradient have N rows, or one to which all of S go.
    """
    for n in range(len(e)):
        for j in range(e.shape[1]):
            gradient[n, j] += reach.old_e[2] * e[n, j] + reach.old_r[1] * r[n, j]
            r[n, j] = reach.old_r[0] * r[n, j] + reach.old_e[1] * e[n, j]
            e[n, j] *= reach.old_e[0]
    for n in range(len(s)):
        to = min(n, len(e) - 1)
        kept, to_e, to_r, to_gradient = reach.old_s[0, n], reach.old_s[1, n], reach.old_s[2, n], reach.old_s[3, n]
        for j in range(s.shape[1]):
            value = s[n, j]
            e[to, j] += to_e * value
            r[to, j] += to_r * value
            gradient[to, j] += to_gradient * value
            s[n, j] = kept * value


@vectorised
def _gather(reach: ChannelReach, by: Array, rows: LeftRows) -> None:
    """Fill ``wide`` with what step t adds to S at the end, ``thin`` with what it adds to E, R and the gradient."""
    steps, states = by.shape
    for t in range(steps):
        to_e, to_r, to_gradient = by[t, 0] * 0, by[t, 0] * 0, by[t, 0] * 0
        for n in range(states):
            rows.wide[t, n] = reach.by_s[0, t, n] * by[t, n]
        for n in range(states):
            to_e += reach.by_s[1, t, n] * by[t, n]
            to_r += reach.by_s[2, t, n] * by[t, n]
            to_gradient += reach.by_s[3, t, n] * by[t, n]
        rows.thin[t, 0], rows.thin[t, 1], rows.thin[t, 2] = to_e, to_r, to_gradient


@vectorised
def _through_taps(conv: Array, q: Array, heard: Array) -> None:
    """What each line weighs where a step hears lines of the K - 1 steps before it too."""
    taps = len(conv)
    heard[:] = 0
    for k in range(taps):
        for t in range(min(len(q), len(heard) - taps + 1)):  # further rows are padding
            for n in range(q.shape[1]):
                heard[taps - 1 + t - k, n] += conv[k] * q[t, n]


@vectorised
def _add_rows(q: Array, into: Array, x: Array, bias: int) -> None:
    """Add the products with the lines, and those with the line that is always 1, whose weight is the bias."""
    _add_products(into, q, x)
    for t in range(len(q)):
        for n in range(q.shape[1]):
            into[n, bias] += q[t, n]


@vectorised
def _add_taps(q: Array, into: Array, w: Array, bias: int, taps: int) -> None:
    """Add the columns of b_u and of the taps: what channel w gave in each of the K steps."""
    for t in range(len(w) - taps + 1):
        for n in range(q.shape[1]):
            into[n, bias] += q[t, n]
        for k in range(taps):
            for n in range(q.shape[1]):
                into[n, bias + 1 + k] += q[t, n] * w[taps - 1 + t - k]


@vectorised
def _times(by: Array, each: Array, into: Array) -> None:
    for t in range(len(each)):
        for n in range(by.shape[1]):
            into[t, n] = by[t, n] * each[t]


@section
def _mix_each(reach: ChannelReach, s: Array, e: Array, r: Array, gradient: Array) -> None:
    for n in range(len(s)):
        gradient[n] += reach.old_s[3, n] * s[n] + reach.old_e[2] * e[n] + reach.old_r[1] * r[n]
        r[n] = reach.old_s[2, n] * s[n] + reach.old_e[1] * e[n] + reach.old_r[0] * r[n]
        e[n] = reach.old_s[1, n] * s[n] + reach.old_e[0] * e[n]
        s[n] *= reach.old_s[0, n]


@section
def _advance_dt(
    traces: Channel, reach: ChannelReach, now: Immediate, rows: LeftRows, lines: Lines, rate: Array
) -> None:
    _mix(reach, traces.s_dt, traces.e_dt, traces.r_dt, traces.gradient_dt)
    _gather(reach, now.by_dt, rows)
    for t in range(len(rate)):
        rate[t] = rows.thin[t, 2]
    _add_rows(rows.wide, traces.s_dt, lines.x, lines.x.shape[1])
    lines.sums[:] = 0
    _add_rows(rows.thin, lines.sums, lines.x, lines.x.shape[1])
    one = lines.x.shape[1] + 1
    for j in range(one):
        traces.e_dt[0, j] += lines.sums[0, j]
        traces.r_dt[0, j] += lines.sums[1, j]
        traces.gradient_dt[0, j] += lines.sums[2, j]


@section
def _advance_u(traces: Channel, reach: ChannelReach, now: Immediate, rows: LeftRows, lines: Lines, u: Array) -> None:
    """As `_advance_dt`; lines come through the taps, D_skip leads to E at once, conv has columns of its own."""
    inputs, taps = lines.x.shape[1], len(lines.conv)
    _mix(reach, traces.s_u, traces.e_u, traces.r_u, traces.gradient_u)
    _gather(reach, now.by_u, rows)
    for t in range(len(u)):
        for part in range(3):
            rows.thin[t, part] += reach.by_e[part, t] * lines.d_skip
        u[t] = rows.thin[t, 2]
    _through_taps(lines.conv, rows.wide, rows.heard)
    _add_products(traces.s_u, rows.heard, lines.heard)
    _add_taps(rows.wide, traces.s_u, lines.w, inputs, taps)
    lines.sums[:] = 0
    _through_taps(lines.conv, rows.thin, rows.thin_heard)
    _add_products(lines.sums, rows.thin_heard, lines.heard)
    _add_taps(rows.thin, lines.sums, lines.w, inputs, taps)
    for j in range(inputs + 1 + taps):
        traces.e_u[0, j] += lines.sums[0, j]
        traces.r_u[0, j] += lines.sums[1, j]
        traces.gradient_u[0, j] += lines.sums[2, j]


@section
def _advance_shared(
    traces: Channel, reach: ChannelReach, now: Immediate, rows: LeftRows, lines: Lines, readout: bool
) -> None:
    """The traces of B and C, whose weights every channel reads; their gradients add up in ``rows``."""
    bias, steps = lines.x.shape[1], len(now.by_b)
    _mix(reach, traces.s_b, traces.e_b, traces.r_b, traces.gradient_b)
    _mix(reach, traces.s_b[:0], traces.e_c, traces.r_c, traces.gradient_c)
    _times(reach.by_s[0], now.by_b, rows.wide)
    _add_rows(rows.wide, traces.s_b, lines.x, bias)
    _times(reach.by_s[1], now.by_b, rows.wide)
    _add_rows(rows.wide, traces.e_b, lines.x, bias)
    _times(now.h, reach.by_e[0], rows.wide)
    _add_rows(rows.wide, traces.e_c, lines.x, bias)
    if readout:
        _times(reach.by_s[2], now.by_b, rows.wide)
        _add_rows(rows.wide, traces.r_b, lines.x, bias)
        _times(now.h, reach.by_e[1], rows.wide)
        _add_rows(rows.wide, traces.r_c, lines.x, bias)
    for t in range(steps):
        for n in range(now.h.shape[1]):
            rows.b[t, n] += reach.by_s[3, t, n] * now.by_b[t]
            rows.c[t, n] += reach.by_e[2, t] * now.h[t, n]


@section
def _advance_rest(
    record: Record, law: Law, traces: Channel, reach: ChannelReach, now: Immediate, i: int, d: int
) -> None:
    """Families a and soma, which no line enters."""
    _mix_each(reach, traces.s_a, traces.e_a, traces.r_a, traces.gradient_a)
    for t in range(len(now.by_b)):
        for n in range(len(traces.s_a)):
            traces.s_a[n] += reach.by_s[0, t, n] * now.by_a[t, n]
            traces.e_a[n] += reach.by_s[1, t, n] * now.by_a[t, n]
            traces.r_a[n] += reach.by_s[2, t, n] * now.by_a[t, n]
            traces.gradient_a[n] += reach.by_s[3, t, n] * now.by_a[t, n]
    e, r, gradient = traces.e_soma, traces.r_soma, traces.gradient_soma
    for j in range(3):
        gradient[j] += reach.old_e[2] * e[j] + reach.old_r[1] * r[j]
        r[j] = reach.old_r[0] * r[j] + reach.old_e[1] * e[j]
        e[j] *= reach.old_e[0]
    power, signalled = law.rho * 0 + 1, law.rho * 0
    for t in range(len(now.by_b) - 1, -1, -1):
        signalled = law.rho * signalled + record.signal[t, i, d]
        for j in range(3):
            direct = record.direct[t, i, d, j]
            e[j] += reach.by_e[0, t] * direct
            r[j] += reach.by_e[1, t] * direct
            gradient[j] += reach.by_e[2, t] * direct
        r[2] -= power * record.emit[t, i, d] * law.threshold
        gradient[2] -= signalled * record.emit[t, i, d] * law.threshold
        power *= law.rho


@vectorised
def advance_segment(memory: Array, record: Record, law: Law, sums: Sums, first: int, last: int) -> None:
    """Take the traces of channels first to last from the segment's beginning to its end, and add up the gradient.

    memory (batch, D, width) is changed in place; its order is `traces.Layout`'s, of two levels or three.
    """
    steps, batch, _, states = record.decay.shape
    taps, inputs, number = law.conv.shape[1], record.x.shape[2], memory.dtype
    one, reach_u = inputs + 1, inputs + 1 + taps
    padded, heard = _padded(steps), _padded(steps + taps - 1)
    later = states + one + reach_u + 2 * states * one + 3
    scan_width = states * (1 + 2 * one + reach_u)
    readout, spare = memory.shape[2] > scan_width + later, np.zeros(later, number)
    now = Immediate(
        np.empty((steps, states), number), np.empty((steps, states), number), np.empty((steps, states), number),
        np.empty((steps, states), number), np.empty((steps, states), number), np.empty((steps, states), number),
        np.empty(steps, number),
    )  # fmt: skip
    reach, forgetting = reaches(steps, states, number), reaches(steps, states, number)
    rows = LeftRows(
        np.zeros((padded, states), number), np.zeros((heard, states), number), np.zeros((padded, 3), number),
        np.zeros((heard, 3), number), np.zeros((padded, states), number), np.zeros((padded, states), number),
    )  # fmt: skip
    x, x_heard = np.zeros((padded, inputs), number), np.zeros((heard, inputs), number)
    total = np.zeros((3, reach_u), number)
    mode = flush_denormals()
    for i in range(batch):
        rows.b[:], rows.c[:] = 0, 0
        _copy(record.x[taps - 1 :, i], x)
        _copy(record.x[:, i], x_heard)
        for d in range(first, last):
            lines = Lines(x, x_heard, record.w[:, i, d].copy(), law.conv[d], law.d_skip[d], total)
            traces = channel(memory[i, d], spare, sums.local[d], sums.shared, states, one, reach_u)
            immediate(record, law, now, i, d)
            chains(record, law, now, reach, i, d)
            _advance_dt(traces, reach, now, rows, lines, sums.rate[:, i, d])
            _advance_u(traces, reach, now, rows, lines, sums.u[:, i, d])
            _advance_rest(record, law, traces, reach, now, i, d)
            of_shared = reach
            if law.keep_shared == 0:
                forgetting_chains(record, law, now, forgetting, i, d)
                of_shared = forgetting
            _advance_shared(traces, of_shared, now, rows, lines, readout)
        _copy(rows.b[:steps], sums.b[:, i])
        _copy(rows.c[:steps], sums.c[:, i])
        _add_rows(rows.b, sums.shared[0], x, inputs)
        _add_rows(rows.c, sums.shared[1], x, inputs)
    restore_denormals(mode)

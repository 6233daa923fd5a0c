r"""The merged kernel of traces.py: update of all three levels and contraction in one pass, channel by channel.

All traces of one channel of one sequence lie side by side (`Layout`): 7 N (M + 1) numbers, 30 KiB at M = 64 and N = 16.
They stay in the core's cache while the channel runs through all steps of a segment, so main memory is read and written
once per segment instead of once per step. The functions release the GIL: threads split the channels. Traces of silent
input decay towards 0, so denormals are flushed to 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..denormals import flush_denormals, restore_denormals
from ..jit import section, vectorised
from ..nodes.arithmetic import Array


class Record(NamedTuple):
    """`steps.Steps` as the kernel reads them, time first, with what the readout sends and asks."""

    x: Array  # (taps - 1 + T, batch, M)
    w: Array  # (taps - 1 + T, batch, D)
    delta: Array  # (T, batch, D)
    slope: Array  # (T, batch, D)
    u: Array  # (T, batch, D)
    b: Array  # (T, batch, N)
    c: Array  # (T, batch, N)
    decay: Array  # (T, batch, D, N)
    h: Array  # (T + 1, batch, D, N)
    kappa: Array  # (T, batch, D), 0 where the membrane is not kept
    emit: Array  # (T, batch, D), omega psi
    direct: Array  # (T, batch, D, 3)
    signal: Array  # (T or 0, batch, D)


class Law(NamedTuple):
    """Constants of all steps: weights of the block, and which traces are kept from step to step."""

    a: Array  # (D, N)
    conv: Array  # (D, K)
    d_skip: Array  # (D,)
    keep_scan: Any
    keep_shared: Any
    rho: Any  # 0 where the readout is not kept
    threshold: Any


class Sums(NamedTuple):
    """Accumulators of the gradient."""

    local: Array  # (D, N + M + 1 + M + 1 + K + 3)
    shared: Array  # (2, N, M + 1)


class ScanTraces(NamedTuple):
    """The traces S of one channel."""

    a: Array  # (N,)
    dt: Array  # (N, M + 1)
    u: Array  # (N, M + 1 + K)
    b: Array  # (N, M + 1)


class Membrane(NamedTuple):
    """The traces E of one channel."""

    a: Array  # (N,)
    dt: Array  # (M + 1,)
    u: Array  # (M + 1 + K,)
    b: Array  # (N, M + 1)
    c: Array  # (N, M + 1)
    soma: Array  # (3,)


class Side(NamedTuple):
    """E or R of one channel, by how it is carried and summed: families a, dt and u lie side by side, so do b and c."""

    local: Array  # (N + M + 1 + M + 1 + K,)
    shared: Array  # (2 N (M + 1),)
    soma: Array  # (3,)


class Lines(NamedTuple):
    """x1 and f1 of traces.py for one step, and buffers for sum_n C S of families dt and u."""

    x1: Array  # (M + 1,)
    f1: Array  # (M + 1 + K,)
    sum_dt: Array  # (M + 1,)
    sum_u: Array  # (M + 1 + K,)


@vectorised
def scan(decay: Array, h: Array) -> None:
    """h[t + 1] = decay[t] h[t] + h[t + 1] in place, where h[t + 1] (T + 1, rows) holds the drive; decay (T, rows)."""
    steps, rows = decay.shape
    mode = flush_denormals()
    for t in range(steps):
        for i in range(rows):
            h[t + 1, i] += decay[t, i] * h[t, i]
    restore_denormals(mode)


@vectorised
def fire(y: Array, v: Array, s: Array, leak: Any, threshold: Any, hard: bool) -> None:
    """Fill v and s (T + 1, rows) from their first step on, y (T, rows) the current; the soma's law is in block.py."""
    steps, rows = y.shape
    mode = flush_denormals()
    for t in range(steps):
        for i in range(rows):
            if hard:
                v[t + 1, i] = leak * v[t, i] * (1 - s[t, i]) + y[t, i]
            else:
                v[t + 1, i] = leak * v[t, i] + y[t, i] - threshold * s[t, i]
            s[t + 1, i] = v[t + 1, i] > threshold
    restore_denormals(mode)


@vectorised
def leak_through(x: Array, leak: Any) -> None:
    """x[t + 1] = leak x[t] + x[t + 1] in place, x (T + 1, rows)."""
    steps, rows = x.shape
    mode = flush_denormals()
    for t in range(steps - 1):
        for i in range(rows):
            x[t + 1, i] += leak * x[t, i]
    restore_denormals(mode)


@section
def _lines(memory: Array, one: int, reach: int) -> Lines:
    x1, f1 = np.empty(one, memory.dtype), np.empty(reach, memory.dtype)
    x1[one - 1] = f1[one - 1] = 1  # the bias is the weight of a line that is always 1
    return Lines(x1, f1, np.empty(one, memory.dtype), np.empty(reach, memory.dtype))


@section
def _levels(row: Array, states: int, one: int, reach: int) -> tuple[ScanTraces, Membrane, Side, Side]:
    """Name the parts of one channel's numbers without copying: S, E by family, E and R by how they are carried."""
    wide, local = states * one, states + one + reach
    later = local + 2 * wide + 3  # numbers of E, and of R
    s, e = row[: len(row) - 2 * later], row[len(row) - 2 * later : len(row) - later]
    r = row[len(row) - later :]
    s_u, s_b = states + wide, len(s) - wide  # where these families begin
    scan = ScanTraces(
        s[:states],
        s[states:s_u].reshape(states, one),
        s[s_u:s_b].reshape(states, reach),
        s[s_b:].reshape(states, one),
    )
    membrane = Membrane(
        e[:states],
        e[states : states + one],
        e[states + one : local],
        e[local : local + wide].reshape(states, one),
        e[local + wide : later - 3].reshape(states, one),
        e[later - 3 :],
    )
    carried = Side(e[:local], e[local : later - 3], e[later - 3 :])
    return scan, membrane, carried, Side(r[:local], r[local : later - 3], r[later - 3 :])


@section
def _look(record: Record, law: Law, lines: Lines, t: int, i: int, d: int) -> None:
    """Fill x1 and f1 of this step."""
    x1, f1 = lines.x1, lines.f1
    taps, inputs = law.conv.shape[1], len(x1) - 1
    for j in range(inputs):
        x1[j] = record.x[taps - 1 + t, i, j]
        f1[j] = 0
    for k in range(taps):
        f1[inputs + 1 + k] = record.w[taps - 1 + t - k, i, d]
        for j in range(inputs):
            f1[j] += law.conv[d, k] * record.x[taps - 1 + t - k, i, j]


@section
def _advance_scan(record: Record, law: Law, scan: ScanTraces, lines: Lines, t: int, i: int, d: int) -> None:
    """S <- decay S + immediate term, family by family; also sums C S over n, while S is in a register."""
    x1, f1, sum_dt, sum_u = lines.x1, lines.f1, lines.sum_dt, lines.sum_u
    s_dt, s_u, s_b = scan.dt, scan.u, scan.b
    delta, u = record.delta[t, i, d], record.u[t, i, d]
    sum_dt[:] = 0
    sum_u[:] = 0
    for n in range(len(scan.a)):
        carried, c = record.decay[t, i, d, n] * law.keep_scan, record.c[t, i, n]
        shared = carried * law.keep_shared
        through_a = law.a[d, n] * record.decay[t, i, d, n] * record.h[t, i, d, n]
        by_dt = (through_a + record.b[t, i, n] * u) * record.slope[t, i, d]
        by_u, by_b = delta * record.b[t, i, n], delta * u
        scan.a[n] = carried * scan.a[n] + delta * through_a
        for j in range(len(x1)):
            value = carried * s_dt[n, j] + by_dt * x1[j]
            s_dt[n, j] = value
            sum_dt[j] += c * value
        for j in range(len(f1)):
            value = carried * s_u[n, j] + by_u * f1[j]
            s_u[n, j] = value
            sum_u[j] += c * value
        for j in range(len(x1)):
            s_b[n, j] = shared * s_b[n, j] + by_b * x1[j]


@section
def _advance_membrane(
    record: Record, law: Law, scan: ScanTraces, membrane: Membrane, lines: Lines, t: int, i: int, d: int
) -> None:
    """E <- kappa E + sum_n C S + direct terms, family by family."""
    x1, f1, s_b = lines.x1, lines.f1, scan.b
    e_dt, e_u, e_b, e_c, e_soma = membrane.dt, membrane.u, membrane.b, membrane.c, membrane.soma
    kappa = record.kappa[t, i, d]
    shared = kappa * law.keep_shared
    for n in range(len(scan.a)):
        c, h = record.c[t, i, n], record.h[t + 1, i, d, n]
        membrane.a[n] = kappa * membrane.a[n] + c * scan.a[n]
        for j in range(len(x1)):
            e_b[n, j] = shared * e_b[n, j] + c * s_b[n, j]
        for j in range(len(x1)):
            e_c[n, j] = shared * e_c[n, j] + h * x1[j]
    for j in range(len(x1)):
        e_dt[j] = kappa * e_dt[j] + lines.sum_dt[j]
    for j in range(len(f1)):
        e_u[j] = kappa * e_u[j] + lines.sum_u[j] + law.d_skip[d] * f1[j]
    for j in range(3):
        e_soma[j] = kappa * e_soma[j] + record.direct[t, i, d, j]


@section
def _read(record: Record, law: Law, carried: Side, readout: Side, t: int, i: int, d: int) -> None:
    """R <- rho R + omega_t psi_t (E - dth): the readout's memory of the spikes' traces."""
    emit, rho = record.emit[t, i, d], law.rho
    shared = rho * law.keep_shared
    for j in range(3):
        readout.soma[j] = emit * carried.soma[j] + rho * readout.soma[j]
    readout.soma[2] -= emit * law.threshold
    for j in range(len(readout.local)):
        readout.local[j] = rho * readout.local[j] + emit * carried.local[j]
    for j in range(len(readout.shared)):
        readout.shared[j] = shared * readout.shared[j] + emit * carried.shared[j]


@section
def _collect(signal: Any, readout: Side, local: Array, shared: Array) -> None:
    """Add R times the learning signal to the gradient."""
    size = len(readout.local)
    for j in range(size):
        local[j] += signal * readout.local[j]
    for j in range(len(readout.shared)):
        shared[j] += signal * readout.shared[j]
    for j in range(3):
        local[size + j] += signal * readout.soma[j]


@vectorised
def advance(memory: Array, record: Record, law: Law, sums: Sums, first: int, last: int) -> None:
    """Run the channels first to last through all steps; add up the gradient where ``signal`` has steps.

    memory (batch, D, width) is changed in place; its order is `traces.Layout`'s.
    """
    steps, batch, _, states = record.decay.shape
    taps, one = law.conv.shape[1], record.x.shape[2] + 1
    lines = _lines(memory, one, one + taps)
    shared = sums.shared.reshape(2 * states * one)
    mode = flush_denormals()
    for i in range(batch):
        for d in range(first, last):
            scan, membrane, carried, readout = _levels(memory[i, d], states, one, one + taps)
            for t in range(steps):
                _look(record, law, lines, t, i, d)
                _advance_scan(record, law, scan, lines, t, i, d)
                _advance_membrane(record, law, scan, membrane, lines, t, i, d)
                _read(record, law, carried, readout, t, i, d)
                if len(record.signal) > 0:
                    _collect(record.signal[t, i, d], readout, sums.local[d], shared)
    restore_denormals(mode)

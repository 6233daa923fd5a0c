r"""The fused law of traces.py: update of all three levels and contraction in one pass, a channel at a time.

All traces of one channel of one sequence lie side by side (`Layout`): 7 N (M + 1) numbers, 30 KiB at M = 64 and N = 16.
They stay in the core's own cache while the channel goes through all steps of a record, so the machine's memory is read
and written once a record and not once a step. The functions release the GIL: threads share out the channels. Where the
input falls silent traces decay for ever, so what has become denormal counts as 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..denormals import flush_denormals, restore_denormals
from ..jit import vectorised
from ..nodes.arithmetic import Array


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


@vectorised
def advance(
    memory: Array, x: Array, w: Array, delta: Array, slope: Array, u: Array, b: Array, c: Array, decay: Array, h: Array,
    kappa: Array, emit: Array, direct: Array, signal: Array, a: Array, conv: Array, d_skip: Array,
    keep_scan: Any, keep_shared: Any, rho: Any, threshold: Any, local: Array, shared: Array, first: int, last: int,
) -> None:  # fmt: skip
    """Take the channels first to last through all steps; where ``signal`` has steps, add the gradient up as well.

    memory (batch, D, width) is changed in place; emit (T, batch, D) is omega psi; signal (T or 0, batch, D);
    local (D, N + M + 1 + M + 1 + K + 3) and shared (2, N, M + 1) take the gradient's sums. The rest: `steps.Steps`.
    """
    steps, batch, _, states = decay.shape
    taps, inputs = conv.shape[1], x.shape[2]
    one, reach = inputs + 1, inputs + 1 + taps
    contracting = len(signal) > 0
    zero = delta[0, 0, 0] * 0
    x1, f1 = np.empty(one, memory.dtype), np.empty(reach, memory.dtype)
    sum_dt, sum_u = np.empty(one, memory.dtype), np.empty(reach, memory.dtype)
    x1[inputs] = f1[inputs] = zero + 1
    mode = flush_denormals()
    for i in range(batch):
        for d in range(first, last):
            row, at = memory[i, d], 0
            s_a, at = row[at : at + states], at + states
            s_dt, at = row[at : at + states * one].reshape(states, one), at + states * one
            s_u, at = row[at : at + states * reach].reshape(states, reach), at + states * reach
            s_b, at = row[at : at + states * one].reshape(states, one), at + states * one
            local_size = states + one + reach  # families a, dt and u lie side by side in both upper levels
            e_local, at = row[at : at + local_size], at + local_size
            e_a, e_dt, e_u = e_local[:states], e_local[states : states + one], e_local[states + one :]
            e_b, at = row[at : at + states * one].reshape(states, one), at + states * one
            e_c, at = row[at : at + states * one].reshape(states, one), at + states * one
            e_soma, at = row[at : at + 3], at + 3
            r_local, at = row[at : at + local_size], at + local_size
            r_b, at = row[at : at + states * one].reshape(states, one), at + states * one
            r_c, at = row[at : at + states * one].reshape(states, one), at + states * one
            r_soma = row[at : at + 3]
            for t in range(steps):
                for j in range(inputs):
                    x1[j] = x[taps - 1 + t, i, j]
                    f1[j] = zero
                for k in range(taps):
                    f1[one + k] = w[taps - 1 + t - k, i, d]
                    for j in range(inputs):
                        f1[j] += conv[d, k] * x[taps - 1 + t - k, i, j]
                kap, out = kappa[t, i, d], emit[t, i, d]
                kap_shared, rho_shared = kap * keep_shared, rho * keep_shared
                dt, du = delta[t, i, d], delta[t, i, d] * u[t, i, d]
                err = signal[t, i, d] if contracting else zero
                sum_dt[:] = zero
                sum_u[:] = zero
                for n in range(states):
                    dec, cn = decay[t, i, d, n] * keep_scan, c[t, i, n]
                    dec_shared = dec * keep_shared
                    through_a = a[d, n] * decay[t, i, d, n] * h[t, i, d, n]
                    by_dt = (through_a + b[t, i, n] * u[t, i, d]) * slope[t, i, d]
                    by_u, now = dt * b[t, i, n], h[t + 1, i, d, n]
                    s_a[n] = dec * s_a[n] + dt * through_a
                    e_a[n] = kap * e_a[n] + cn * s_a[n]
                    for j in range(one):
                        value = dec * s_dt[n, j] + by_dt * x1[j]
                        s_dt[n, j] = value
                        sum_dt[j] += cn * value
                    for j in range(reach):
                        value = dec * s_u[n, j] + by_u * f1[j]
                        s_u[n, j] = value
                        sum_u[j] += cn * value
                    for j in range(one):
                        value = dec_shared * s_b[n, j] + du * x1[j]
                        s_b[n, j] = value
                        value = kap_shared * e_b[n, j] + cn * value
                        e_b[n, j] = value
                        value = rho_shared * r_b[n, j] + out * value
                        r_b[n, j] = value
                        if contracting:
                            shared[0, n, j] += err * value
                    for j in range(one):
                        value = kap_shared * e_c[n, j] + now * x1[j]
                        e_c[n, j] = value
                        value = rho_shared * r_c[n, j] + out * value
                        r_c[n, j] = value
                        if contracting:
                            shared[1, n, j] += err * value
                for j in range(one):
                    e_dt[j] = kap * e_dt[j] + sum_dt[j]
                for j in range(reach):
                    e_u[j] = kap * e_u[j] + sum_u[j] + d_skip[d] * f1[j]
                for j in range(3):
                    e_soma[j] = kap * e_soma[j] + direct[t, i, d, j]
                    r_soma[j] = rho * r_soma[j] + out * e_soma[j]
                r_soma[2] -= out * threshold
                for j in range(local_size):
                    r_local[j] = rho * r_local[j] + out * e_local[j]
                if contracting:
                    for j in range(local_size):
                        local[d, j] += err * r_local[j]
                    for j in range(3):
                        local[d, local_size + j] += err * r_soma[j]
    restore_denormals(mode)

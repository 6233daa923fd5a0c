"""How far a trace at each step of a segment reaches, one channel at a time; the maths are in `segments.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import section, vectorised
from .segment_records import ChannelReach, Immediate, Law, Record


@vectorised
def immediate(record: Record, law: Law, now: Immediate, i: int, d: int) -> None:
    """Gather one channel's steps side by side, and how each parameter's line enters h."""
    for t in range(len(now.by_b)):  # no array is assigned whole: its check of shapes takes seconds to compile
        delta, u, slope = record.delta[t, i, d], record.u[t, i, d], record.slope[t, i, d]
        now.by_b[t] = delta * u
        for n in range(now.c.shape[1]):
            now.decay[t, n] = record.decay[t, i, d, n]
            now.h[t, n] = record.h[t + 1, i, d, n]
            now.c[t, n] = record.c[t, i, n]
        for n in range(now.c.shape[1]):
            through_a = law.a[d, n] * now.decay[t, n] * record.h[t, i, d, n]
            now.by_a[t, n] = delta * through_a
            now.by_dt[t, n] = (through_a + record.b[t, i, n] * u) * slope
            now.by_u[t, n] = delta * record.b[t, i, n]
    if law.keep_scan != 1:
        for t in range(len(now.by_b)):
            for n in range(now.c.shape[1]):
                now.decay[t, n] *= law.keep_scan


@vectorised
def chains(record: Record, law: Law, now: Immediate, reach: ChannelReach, i: int, d: int) -> None:
    """Run backwards through the segment: what a change of S, E and R at each step is worth at its end."""
    steps, states = now.c.shape
    by_s, by_e, old = reach.by_s, reach.by_e, reach.old_e
    power, signalled = law.rho * 0 + 1, law.rho * 0
    old[0], old[1:] = 1, 0
    reach.old_s[0], reach.old_s[1:] = 1, 0
    for t in range(steps - 1, -1, -1):
        emit, kappa = record.emit[t, i, d], record.kappa[t, i, d]
        signalled = law.rho * signalled + record.signal[t, i, d]
        old[1] += power * emit
        old[2] += signalled * emit
        power *= law.rho
        for n in range(states):
            by_s[0, t, n] = reach.old_s[0, n]
            reach.old_s[0, n] *= now.decay[t, n]
        for part in range(3):
            value = by_e[part, t] = old[part]
            for n in range(states):
                by_s[part + 1, t, n] = reach.old_s[part + 1, n] + value * now.c[t, n]
            for n in range(states):
                reach.old_s[part + 1, n] = by_s[part + 1, t, n] * now.decay[t, n]
            old[part] = kappa * value
    reach.old_r[0], reach.old_r[1] = power, law.rho * signalled


@vectorised
def forgetting_chains(record: Record, law: Law, now: Immediate, reach: ChannelReach, i: int, d: int) -> None:
    """`chains` where every step forgets the one before, but for what the readout remembers."""
    last = len(now.by_b) - 1
    power, signalled = law.rho_shared * 0 + 1, law.rho_shared * 0
    reach.by_s[0], reach.by_e[0] = 0, 0
    reach.old_s[:], reach.old_e[:] = 0, 0
    reach.by_s[0, last], reach.by_e[0, last] = 1, 1
    for t in range(last, -1, -1):
        signalled = law.rho_shared * signalled + record.signal[t, i, d]
        reach.by_e[1, t] = power * record.emit[t, i, d]
        reach.by_e[2, t] = signalled * record.emit[t, i, d]
        power *= law.rho_shared
        for part in range(3):
            for n in range(now.c.shape[1]):
                reach.by_s[part + 1, t, n] = reach.by_e[part, t] * now.c[t, n]
    reach.old_r[0], reach.old_r[1] = power, law.rho_shared * signalled


@section
def reaches(steps: int, states: int, number: Any) -> ChannelReach:
    """Return room for the chains of one channel."""
    return ChannelReach(
        np.empty((4, steps, states), number), np.empty((3, steps), number),
        np.empty((4, states), number), np.empty(3, number), np.empty(2, number),
    )  # fmt: skip

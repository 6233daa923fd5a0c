"""Compiled loops over the steps of a segment: scan, soma and leaks, for `steps.record` and the readout."""

from __future__ import annotations

from typing import Any

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
def fire(y: Array, v: Array, s: Array, leak: Array, threshold: Any, hard: bool) -> None:
    """Fill v and s (T + 1, rows) from their first step on, y (T, rows) the current, leak (rows,); law: block.py."""
    steps, rows = y.shape
    mode = flush_denormals()
    for t in range(steps):
        for i in range(rows):
            if hard:
                v[t + 1, i] = leak[i] * v[t, i] * (1 - s[t, i]) + y[t, i]
            else:
                v[t + 1, i] = leak[i] * v[t, i] + y[t, i] - threshold * s[t, i]
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

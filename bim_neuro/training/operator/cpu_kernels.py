"""The compiled law of a block (model/selective_scan.py): one pass over the steps.

A call runs some sequences and some channels, as many side by side as there are lanes; their states stay in the core's
cache. For the gradient (`cpu_gradient_kernels`) the scan's states are kept every `SEGMENT` steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...denormals import flush_denormals, restore_denormals
from ...jit import section, vectorised
from ...nodes.arithmetic import Array
from .lanes import BYTES, above, exponential, load, load_part, store, store_part

SEGMENT = 16
"""Steps between two kept states."""
NONE, HARD, SOFT = 0, 1, 2
"""How the soma resets."""


class ScanInput(NamedTuple):
    """What the projections give, time first."""

    w: Array  # (K - 1 + T, batch, D), the taps first
    delta: Array  # (T, batch, D)
    b: Array  # (T, batch, N)
    c: Array  # (T, batch, N)
    happens: Array  # (T, batch), or (0, 0) where every step happens


class ScanConstants(NamedTuple):
    """The parameters behind the projections."""

    conv: Array  # (K, D), the tap of the present step first
    b_u: Array  # (D,)
    a: Array  # (N, D)
    d_skip: Array  # (D,)
    decay: Any
    threshold: Any


class SomaKind(NamedTuple):
    """How the soma resets."""

    reset: int
    through_reset: Any  # 1 where gradients pass the reset, else 0
    slope: Any


class ScanRecord(NamedTuple):
    """What the forward pass leaves; v and s begin with the state before the first step."""

    v: Array  # (T + 1, batch, D)
    s: Array  # (T + 1, batch, D), of a step that does not happen the last one's
    spikes: Array  # (T, batch, D)
    h: Array  # (segments, batch, N, D), the state before each segment; or (0, batch, N, D)
    last: Array  # (batch, N, D), the state before the first step; then the state after the last one


class Scratch(NamedTuple):
    """What a call keeps in the cache; the number of channels is filled up to whole vectors, with zeros."""

    a: Array  # (N, channels)
    h: Array  # (SEGMENT + 1, N, channels), the state before each step of a segment, and after
    decay: Array  # (SEGMENT, N, channels)
    u: Array  # (SEGMENT, channels)
    by_h: Array  # (N, channels), decay g_h of the step after
    by_v: Array  # (channels,), what the step after hands to v
    by_s: Array  # (channels,), and to s
    by_c: Array  # (N, lanes)
    by_b: Array  # (N, lanes)
    sums: Array  # (N + K + 4, channels): a, conv, b_u, d_skip, leak, threshold


@section
def scratch(weights: ScanConstants, like: Array, part: Any, length: int, learns: bool) -> Scratch:
    """Return the scratch of a call, for segments of ``length`` steps."""
    states, width = len(weights.a), part[3] - part[2]
    lanes = BYTES // like.itemsize
    padded, back = (width + lanes - 1) // lanes * lanes, states if learns else 0
    a = np.zeros((states, padded), like.dtype)
    copy(weights.a[:, part[2] : part[3]], a, width)
    h, decay = np.zeros((length + 1, states, padded), like.dtype), np.zeros((length, back, padded), like.dtype)
    by, by_bc = np.zeros((2 + length, padded), like.dtype), np.zeros((2, back, lanes), like.dtype)
    by_h, sums = np.zeros((back, padded), like.dtype), np.zeros((back + len(weights.conv) + 4, padded), like.dtype)
    return Scratch(a, h, decay, by[2:], by_h, by[0], by[1], by_bc[0], by_bc[1], sums)


@section
def hear(drive: ScanInput, weights: ScanConstants, t: int, i: int, d: int, last: int) -> Any:
    """Return u = conv o w + b_u of the lanes from channel d on."""
    taps = len(weights.conv)
    u = load_part(weights.b_u, d, last)
    for k in range(taps):
        u = u + load_part(weights.conv[k], d, last) * load_part(drive.w[t + taps - 1 - k, i], d, last)
    return u


@section
def _fire(weights: ScanConstants, soma: SomaKind, kept: ScanRecord, y: Any, t: int, i: int, d: int, last: int) -> None:
    """Fill v, s and the spikes of step t."""
    v, s = y, y
    if soma.reset != NONE:
        before, spiked = load_part(kept.v[t, i], d, last), load_part(kept.s[t, i], d, last)
        if soma.reset == HARD:
            v = before * weights.decay * (1 - spiked) + y
        else:
            v = before * weights.decay + y - spiked * weights.threshold
        s = above(v, weights.threshold)
    store_part(kept.v[t + 1, i], d, last, v)
    store_part(kept.s[t + 1, i], d, last, s)
    store_part(kept.spikes[t, i], d, last, s)


@section
def _pass_by(kept: ScanRecord, t: int, i: int, first: int, last: int) -> None:
    """A step that does not happen."""
    for d in range(first, last):
        kept.v[t + 1, i, d] = kept.v[t, i, d]
        kept.s[t + 1, i, d] = kept.s[t, i, d]
        kept.spikes[t, i, d] = 0


@section
def copy(source: Array, target: Array, width: int) -> None:
    """Copy (N, channels); ``target[:] = source`` takes seconds to compile, to word its refusal of other shapes."""
    for n in range(len(source)):
        for j in range(width):
            target[n, j] = source[n, j]


@section
def _run_segment(
    drive: ScanInput, weights: ScanConstants, soma: SomaKind, kept: ScanRecord, rows: Scratch, start: int, i: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Run the steps from ``start`` on, `SEGMENT` at most, from the state rows.h[0], which is replaced."""
    h = rows.h[0]
    for t in range(start, min(len(drive.delta), start + SEGMENT)):
        if len(drive.happens) > 0 and not drive.happens[t, i]:
            _pass_by(kept, t, i, first, last)
            continue
        for j in range(0, last - first, BYTES // drive.delta.itemsize):
            u, delta = hear(drive, weights, t, i, first + j, last), load_part(drive.delta[t, i], first + j, last)
            x, y = delta * u, load_part(weights.d_skip, first + j, last) * u
            for n in range(len(h)):
                now = exponential(delta * load(rows.a[n], j)) * load(h[n], j) + x * drive.b[t, i, n]
                store(h[n], j, now)
                y = y + now * drive.c[t, i, n]
            _fire(weights, soma, kept, y, t, i, first + j, last)


@vectorised
def forward(drive: ScanInput, weights: ScanConstants, soma: SomaKind, kept: ScanRecord, part: Any) -> None:
    """Run sequences and channels ``part``, four numbers: from which to which of each.

    All sequences run a segment before the next begins: their steps lie side by side in memory.
    """
    begin, end, first, last = part
    rows, width = scratch(weights, drive.delta, part, 0, False), last - first
    mode = flush_denormals()
    for start in range(0, len(drive.delta), SEGMENT):
        for i in range(begin, end):
            copy(kept.last[i, :, first:last], rows.h[0], width)
            if len(kept.h) > 0:
                copy(rows.h[0], kept.h[start // SEGMENT, i, :, first:last], width)
            _run_segment(drive, weights, soma, kept, rows, start, i, first, last)
            copy(rows.h[0], kept.last[i, :, first:last], width)
    restore_denormals(mode)

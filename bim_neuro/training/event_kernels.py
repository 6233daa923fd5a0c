r"""The kernel of events.py: backwards through a segment, then the traces at its beginning, then the events.

Channels come in tiles of as many as a vector has lanes; all traces of a tile and one sequence stay in the core's cache
for a segment. One row holds them, in vectors, first those of each line of x1, then of f1, then the rest (N states):

    line    S dt [N], S b [N], E b [N], E c [N], R b [N], R c [N], E dt, R dt
    reach   S u [N], E u, R u
    rest    S a_log [N], E a_log [N], R a_log [N], E soma [3], R soma [3]

and one the gradient of the losses inside segments: line b [N], c [N], dt; reach u; rest a_log [N], soma [3].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..denormals import flush_denormals, restore_denormals
from ..jit import section, vectorised
from ..nodes.arithmetic import Array
from .event_worth import TiledSteps, TiledWeights, TileTraces, Worth, backwards, carry, plus
from .operator.lanes import BYTES, load, store


class UnitRows(NamedTuple):
    """What a unit of input at one step adds to its line and its reach; `reach` of the last K steps, for the taps."""

    line: Array  # ((6 N + 2) L,)
    line_loss: Array  # ((2 N + 1) L,)
    reach: Array  # (K, (N + 2) L)
    reach_loss: Array  # (K, L)
    heard: Array  # ((N + 2) L,), through the taps
    heard_loss: Array  # (L,)


@section
def _add(out: Array, at: int, x: Any, row: Array, lanes: int) -> None:
    """Add x times a row to ``out`` from ``at`` on."""
    for q in range(0, len(row), lanes):
        store(out, at + q, load(out, at + q) + load(row, q) * x)


@vectorised
def _price(
    on: TileTraces, segment: TiledSteps, law: TiledWeights, worth: Worth, rows: UnitRows, t: int, lanes: int
) -> None:
    """Fill the rows of step t but for what is heard through taps; add what a_log itself does."""
    i, tile, wide = on.i, on.tile, segment.decay.shape[3]
    delta, u, slope = (
        load(segment.delta[t, i, tile], 0),
        load(segment.u[t, i, tile], 0),
        load(segment.slope[t, i, tile], 0),
    )
    e, s, reach = worth.e[t + 1], worth.s[t + 1], rows.reach[t % len(rows.reach)]
    e_to_e, e_to_r, e_to_g = load(e, 0), load(e, lanes), load(e, 2 * lanes)
    skip, gate = load(law.d_skip[tile], 0), delta * u
    dt_e = dt_r = dt_g = gate * 0
    u_e, u_r, u_g = e_to_e * skip, e_to_r * skip, e_to_g * skip
    a_log, a_loss = len(on.memory) - 3 * wide - 6 * lanes, len(on.sums) - wide - 3 * lanes
    for n in range(wide // lanes):
        at, b = n * lanes, segment.b[t, i, n]
        leak = load(law.a[tile], at) * load(segment.decay[t, i, tile], at) * load(segment.h[t, i, tile], at)
        h, rate, drive, leak = load(segment.h[t + 1, i, tile], at), (leak + u * b) * slope, delta * b, leak * delta
        s_to_s, s_to_e, s_to_r = load(s, at), load(s, wide + at), load(s, 2 * wide + at)
        store(rows.line, at, s_to_s * rate)
        store(rows.line, wide + at, s_to_s * gate)
        store(rows.line, 2 * wide + at, s_to_e * gate)
        store(rows.line, 3 * wide + at, e_to_e * h)
        store(rows.line, 4 * wide + at, s_to_r * gate)
        store(rows.line, 5 * wide + at, e_to_r * h)
        store(reach, at, s_to_s * drive)
        dt_e, dt_r = dt_e + s_to_e * rate, dt_r + s_to_r * rate
        u_e, u_r = u_e + s_to_e * drive, u_r + s_to_r * drive
        plus(on.memory, a_log + at, s_to_s * leak)
        plus(on.memory, a_log + wide + at, s_to_e * leak)
        plus(on.memory, a_log + 2 * wide + at, s_to_r * leak)
        if on.every:
            s_to_g = load(s, 3 * wide + at)
            store(rows.line_loss, at, s_to_g * gate)
            store(rows.line_loss, wide + at, e_to_g * h)
            dt_g, u_g = dt_g + s_to_g * rate, u_g + s_to_g * drive
            plus(on.sums, a_loss + at, s_to_g * leak)
    store(rows.line, 6 * wide, dt_e)
    store(rows.line, 6 * wide + lanes, dt_r)
    store(rows.line_loss, 2 * wide, dt_g)
    store(reach, wide, u_e)
    store(reach, wide + lanes, u_r)
    store(rows.reach_loss[t % len(rows.reach)], 0, u_g)


@vectorised
def _own(
    on: TileTraces, segment: TiledSteps, law: TiledWeights, worth: Worth, rows: UnitRows, t: int, lines: int
) -> None:
    """Add what needs no input at step t: the biases, the taps and the soma's own parameters."""
    i, tile, lanes, taps = on.i, on.tile, segment.delta.shape[3], len(rows.reach)
    now, line, line_loss, reach = t % taps, len(rows.line), len(rows.line_loss), len(rows.heard)
    one = segment.delta.dtype.type(1)
    _add(on.memory, (lines - 1) * line, one, rows.line, lanes)
    at, at_loss = lines * line + (lines - 1) * reach, lines * line_loss + (lines - 1) * lanes
    _add(on.memory, at, one, rows.reach[now], lanes)
    for k in range(taps):
        _add(on.memory, at + (k + 1) * reach, load(segment.w[t + taps - 1 - k, i, tile], 0), rows.reach[now], lanes)
    if on.every:
        _add(on.sums, (lines - 1) * line_loss, one, rows.line_loss, lanes)
        _add(on.sums, at_loss, one, rows.reach_loss[now], lanes)
        for k in range(taps):
            w = load(segment.w[t + taps - 1 - k, i, tile], 0)
            _add(on.sums, at_loss + (k + 1) * lanes, w, rows.reach_loss[now], lanes)
    e, r, emit = worth.e[t + 1], worth.r[t + 1], load(segment.emit[t, i, tile], 0) * law.threshold
    soma, soma_loss = len(on.memory) - 6 * lanes, len(on.sums) - 3 * lanes
    for p in range(0, 3 * lanes, lanes):
        direct = load(segment.direct[t, i, tile], p)
        plus(on.memory, soma + p, direct * load(e, 0))
        plus(on.memory, soma + 3 * lanes + p, direct * load(e, lanes))
        if on.every:
            plus(on.sums, soma_loss + p, direct * load(e, 2 * lanes))
    plus(on.memory, len(on.memory) - lanes, emit * load(r, 0) * -1)
    if on.every:
        plus(on.sums, len(on.sums) - lanes, emit * load(r, lanes) * -1)


@section
def _hear(law: TiledWeights, rows: UnitRows, t: int, tile: int, steps: int, lanes: int) -> None:
    """Fill what input at step t is worth through the taps: it reaches u of the steps t to t + K - 1."""
    rows.heard[:] = 0
    rows.heard_loss[:] = 0
    for k in range(max(0, -t), min(len(rows.reach), steps - t)):
        conv, now = load(law.conv[k, tile], 0), (t + k) % len(rows.reach)
        _add(rows.heard, 0, conv, rows.reach[now], lanes)
        _add(rows.heard_loss, 0, conv, rows.reach_loss[now], lanes)


@section
def _events(x: Array, i: int) -> tuple[Array, Array]:
    """Return how many lines of sequence i have input at each step, and which (steps, M)."""
    count, which = np.zeros(len(x), np.int64), np.empty((len(x), x.shape[2]), np.int64)
    for t in range(len(x)):
        for j in range(x.shape[2]):
            which[t, count[t]] = j
            count[t] += x[t, i, j] != 0
    return count, which


@section
def _enter(on: TileTraces, segment: TiledSteps, rows: UnitRows, t: int, which: Array, lanes: int) -> None:
    """Add the events of step t, on the lines ``which``, to their traces."""
    taps, lines = len(rows.reach), segment.x.shape[2] + 1
    line, line_loss, reach = len(rows.line), len(rows.line_loss), len(rows.heard)
    for j in which:
        x = segment.x[taps - 1 + t, on.i, j]
        _add(on.memory, lines * line + j * reach, x, rows.heard, lanes)
        if on.every:
            _add(on.sums, lines * line_loss + j * lanes, x, rows.heard_loss, lanes)
        if t >= 0:
            _add(on.memory, j * line, x, rows.line, lanes)
            if on.every:
                _add(on.sums, j * line_loss, x, rows.line_loss, lanes)


@vectorised
def advance(memory: Array, sums: Array, segment: TiledSteps, law: TiledWeights, first: int, last: int) -> None:
    """Run the tiles first to last through the segment; add up the gradient where ``signal`` has steps.

    memory (batch, tiles, width) are the traces, sums (tiles, its width) the gradient.
    """
    steps, batch, _, wide = segment.decay.shape
    lanes, taps, lines, kind = BYTES // memory.itemsize, len(law.conv), segment.x.shape[2] + 1, memory.dtype
    worth = Worth(
        np.empty((steps + 2, 4 * wide), kind), np.empty((steps + 1, 3 * lanes), kind),
        np.empty((steps + 1, 2 * lanes), kind),
    )  # fmt: skip
    rows = UnitRows(
        np.empty(6 * wide + 2 * lanes, kind), np.empty(2 * wide + lanes, kind),
        np.empty((taps, wide + 2 * lanes), kind), np.empty((taps, lanes), kind),
        np.empty(wide + 2 * lanes, kind), np.empty(lanes, kind),
    )  # fmt: skip
    mode = flush_denormals()
    for i in range(batch):
        count, which = _events(segment.x, i)
        for tile in range(first, last):
            on = TileTraces(i, tile, memory[i, tile], sums[tile], len(segment.signal) > 0)
            backwards(segment, law, worth, i, tile, on.every)
            carry(on, worth, lines, taps, lanes)
            for t in range(steps - 1, -taps, -1):
                if t >= 0:
                    _price(on, segment, law, worth, rows, t, lanes)
                    _own(on, segment, law, worth, rows, t, lines)
                heard = which[taps - 1 + t, : count[taps - 1 + t]]
                if len(heard) > 0:
                    _hear(law, rows, t, tile, steps, lanes)
                    _enter(on, segment, rows, t, heard, lanes)
    restore_denormals(mode)

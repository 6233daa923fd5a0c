"""What traces are worth at the end of a segment, found backwards, and the traces of its beginning taken there.

The layout of a tile's traces is event_kernels.py's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..jit import section, vectorised
from ..nodes.arithmetic import Array
from .operator.lanes import load, spread, store


class TiledSteps(NamedTuple):
    """`steps.Steps` in tiles, time first, with what the readout sends and asks; L lanes."""

    x: Array  # (K - 1 + T, batch, M)
    w: Array  # (K - 1 + T, batch, tiles, L)
    delta: Array  # (T, batch, tiles, L)
    slope: Array  # (T, batch, tiles, L)
    u: Array  # (T, batch, tiles, L)
    b: Array  # (T, batch, N)
    c: Array  # (T, batch, N)
    decay: Array  # (T, batch, tiles, N L)
    h: Array  # (T + 1, batch, tiles, N L)
    kappa: Array  # (T, batch, tiles, L)
    emit: Array  # (T, batch, tiles, L), omega psi
    direct: Array  # (T, batch, tiles, 3 L)
    signal: Array  # (T or 0, batch, tiles, L)


class TiledWeights(NamedTuple):
    """Constants of all steps."""

    a: Array  # (tiles, N L)
    conv: Array  # (K, tiles, L)
    d_skip: Array  # (tiles, L)
    rho: Any
    threshold: Any


class Worth(NamedTuple):
    """Adjoints: what S, E and R after t steps are worth, to the traces at the segment's end and to its loss G."""

    s: Array  # (T + 2, 4 N L), of S to S, E, R, G; the last row is the end
    e: Array  # (T + 1, 3 L), of E to E, R, G
    r: Array  # (T + 1, 2 L), of R to R, G


class StartWorth(NamedTuple):
    """`Worth` before the first step, in vectors but for s."""

    s: Array  # (4 N L,)
    e_to_e: Any
    e_to_r: Any
    e_to_g: Any
    r_to_r: Any
    r_to_g: Any


class TileTraces(NamedTuple):
    """Where a step's numbers lie, and the traces and the gradient of its tile."""

    i: int
    tile: int
    memory: Array
    sums: Array
    every: bool  # whether each step has a loss


@section
def plus(out: Array, at: int, x: Any) -> None:
    """Add a vector to ``out`` at ``at``."""
    store(out, at, load(out, at) + x)


@vectorised
def backwards(segment: TiledSteps, law: TiledWeights, worth: Worth, i: int, tile: int, every: bool) -> None:
    """Fill the adjoints, from the end of the segment to its beginning."""
    steps, lanes = len(segment.delta), segment.delta.shape[3]
    wide = segment.decay.shape[3]
    one = spread(law.rho / law.rho)
    r_to_r, r_to_g, e_to_e, e_to_r, e_to_g = one, one - one, one, one - one, one - one
    for q in range(0, wide, lanes):
        store(worth.s[steps + 1], q, one)
        for f in range(1, 4):
            store(worth.s[steps + 1], f * wide + q, one - one)
    for t in range(steps, -1, -1):
        if t < steps:
            kappa = load(segment.kappa[t, i, tile], 0)
            e_to_e, e_to_r, e_to_g = kappa * e_to_e, kappa * e_to_r, kappa * e_to_g
            r_to_r, r_to_g = r_to_r * law.rho, r_to_g * law.rho
        if t > 0:
            emit = load(segment.emit[t - 1, i, tile], 0)
            if every:
                r_to_g = r_to_g + load(segment.signal[t - 1, i, tile], 0)
            e_to_r, e_to_g = e_to_r + emit * r_to_r, e_to_g + emit * r_to_g
        store(worth.r[t], 0, r_to_r)
        store(worth.r[t], lanes, r_to_g)
        store(worth.e[t], 0, e_to_e)
        store(worth.e[t], lanes, e_to_r)
        store(worth.e[t], 2 * lanes, e_to_g)
        later, now = worth.s[t + 1], worth.s[t]
        for n in range(wide // lanes):
            at = n * lanes
            decay = load(segment.decay[t, i, tile], at) if t < steps else one
            c = segment.c[t - 1, i, n] if t > 0 else segment.c[0, i, n] * 0
            store(now, at, decay * load(later, at))
            store(now, wide + at, decay * load(later, wide + at) + e_to_e * c)
            store(now, 2 * wide + at, decay * load(later, 2 * wide + at) + e_to_r * c)
            if every:
                store(now, 3 * wide + at, decay * load(later, 3 * wide + at) + e_to_g * c)


@section
def _carry_later(on: TileTraces, e: int, r: int, g: int, start: StartWorth) -> None:
    """Take one vector of E and R to the segment's end, but for what S sends; their offsets, and the gradient's."""
    e_before, r_before = load(on.memory, e), load(on.memory, r)
    store(on.memory, e, start.e_to_e * e_before)
    store(on.memory, r, start.r_to_r * r_before + start.e_to_r * e_before)
    if on.every:
        plus(on.sums, g, start.r_to_g * r_before + start.e_to_g * e_before)


@section
def _carry_summed(on: TileTraces, s: int, e: int, r: int, g: int, start: StartWorth, lanes: int) -> None:
    """The same for a line of dt or u, whose S the membrane sums over states."""
    _carry_later(on, e, r, g, start)
    wide = len(start.s) // 4
    to_e, to_r, to_g = load(on.memory, e), load(on.memory, r), load(on.sums, g)
    for q in range(0, wide, lanes):
        before = load(on.memory, s + q)
        to_e = to_e + load(start.s, wide + q) * before
        to_r = to_r + load(start.s, 2 * wide + q) * before
        to_g = to_g + load(start.s, 3 * wide + q) * before
        store(on.memory, s + q, load(start.s, q) * before)
    store(on.memory, e, to_e)
    store(on.memory, r, to_r)
    if on.every:
        store(on.sums, g, to_g)


@section
def _carry_each(on: TileTraces, s: int, e: int, r: int, g: int, start: StartWorth, lanes: int) -> None:
    """The same for a line of b, or a_log: every state by itself."""
    wide = len(start.s) // 4
    for q in range(0, wide, lanes):
        _carry_later(on, e + q, r + q, g + q, start)
        before = load(on.memory, s + q)
        plus(on.memory, e + q, load(start.s, wide + q) * before)
        plus(on.memory, r + q, load(start.s, 2 * wide + q) * before)
        if on.every:
            plus(on.sums, g + q, load(start.s, 3 * wide + q) * before)
        store(on.memory, s + q, load(start.s, q) * before)


@vectorised
def carry(on: TileTraces, worth: Worth, lines: int, taps: int, lanes: int) -> None:
    """Take all traces from the beginning of the segment to its end."""
    e, r, wide = worth.e[0], worth.r[0], worth.s.shape[1] // 4
    start = StartWorth(worth.s[0], load(e, 0), load(e, lanes), load(e, 2 * lanes), load(r, 0), load(r, lanes))
    at = at_loss = 0
    for _ in range(lines):
        _carry_summed(on, at, at + 6 * wide, at + 6 * wide + lanes, at_loss + 2 * wide, start, lanes)
        _carry_each(on, at + wide, at + 2 * wide, at + 4 * wide, at_loss, start, lanes)
        for q in range(0, wide, lanes):
            _carry_later(on, at + 3 * wide + q, at + 5 * wide + q, at_loss + wide + q, start)
        at, at_loss = at + 6 * wide + 2 * lanes, at_loss + 2 * wide + lanes
    for _ in range(lines + taps):
        _carry_summed(on, at, at + wide, at + wide + lanes, at_loss, start, lanes)
        at, at_loss = at + wide + 2 * lanes, at_loss + lanes
    _carry_each(on, at, at + wide, at + 2 * wide, at_loss, start, lanes)
    for p in range(3):
        e_at = at + 3 * wide + p * lanes
        _carry_later(on, e_at, e_at + 3 * lanes, at_loss + wide + p * lanes, start)

"""Gates: what a scan's channels let in (N9 before its states), sixteen to a vector register.

Each phase takes all channels before the next one does: within one, a channel waits for nothing that another computes,
and the processor has several under way. Products, one a channel, go through doubles: 24 + 29 bits are exact there, and
so is a power of two times them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ...jit import code_tools, intrinsic, kernel, types
from ...nodes.arithmetic import Array
from .vectors import Doubles, Lanes, Place, Table
from .words import WORD_MAX

LANES = 16
SHIFTS = 7  # words before the rows of a scan: the shifts of u, dt, alpha, du, B, C, D
OWN_ROWS = 5  # factors and biases of u and dt, and D
DELTA, DU, Y, LOST = range(4)  # rows of the scratch: step size (first z), (step size) u (first u), D u, words saturated
SCRATCH_ROWS = 4
P_MAX = 2**24 - 1

_U_MAX = 2**15 - 1
_FAR = 2.0**30  # beyond every limit and bias, see `words.near`
_STEP = 5678  # the least step of the table

_left = [round(2.0 ** (20 - i / 64)) for i in range(65)]
EXP2 = np.array([(a - 2**19 - 1) | (a - b - _STEP) << 19 for a, b in pairwise(_left)], np.uint32)
_LOG2E = round(math.log2(math.e) * 2**15)
_ratio = [2**15] + [round(math.log1p(i / 32) / (i / 32) * 2**15) for i in range(1, 33)]
_LOG = np.array([a | (a - b) << 16 for a, b in pairwise(_ratio)], np.uint32)


@kernel
def gates(words: Array, sums: Array, scratch: Array, first: int, room: int, ports: int, pitch: int) -> None:
    """Write the gates of ``room`` channels, from ``first`` on, into the rows of ``scratch``, each as long."""
    for d in range(0, room, LANES):
        _inputs(words, sums, scratch, EXP2, _LOG, (first + d, ports + first + d, d, room, pitch))
    for d in range(0, room, LANES):
        _step_sizes(words, sums, scratch, EXP2, _LOG, (first + d, ports + first + d, d, room, pitch))
    for d in range(0, room, LANES):
        _drives(words, sums, scratch, EXP2, _LOG, (first + d, ports + first + d, d, room, pitch))


class ScanChannels:
    """The words of one scan, in code that is being built: those of sixteen channels, and their rows in the scratch."""

    def __init__(self, builder: Any, words: Place, scratch: Place, where: tuple[Any, Any, Any, Any]) -> None:
        self.builder, self.words, self.scratch = builder, words, scratch
        self.channel, self.at, self.room, self.pitch = where

    def shift(self, which: int) -> Any:
        """The shift of u, dt, alpha, du, B, C or D."""
        return self.words.one(self.pitch.type(which))

    def own(self, row: int) -> Lanes:
        """A row of the words that a channel has: factors and biases of u and dt, and D."""
        return self.words.load(self.row_of(row))

    def row_of(self, row: int) -> Any:
        """Where the sixteen channels are in a row."""
        start = self.builder.add(self.channel, self.channel.type(SHIFTS))
        return self.builder.add(start, self.builder.mul(self.pitch, self.pitch.type(row)))

    def kept(self, row: int) -> Lanes:
        """A row of the scratch."""
        return self.scratch.load(self._kept_at(row))

    def keep(self, row: int, value: Lanes) -> None:
        """Write a row of the scratch."""
        self.scratch.store(value, self._kept_at(row))

    def _kept_at(self, row: int) -> Any:
        return self.builder.add(self.at, self.builder.mul(self.room, self.room.type(row)))


def _phase(build: Callable[[ScanChannels, tuple[Lanes, Lanes], tuple[Table, Table]], None]) -> Any:
    """Return what builds a phase of sixteen channels; ``build`` is told their sums of dt and u, and the tables.

    ``places``: of u and dt in their sums, of the channels in a row of the scratch; the length of that row; the pitch.
    """

    def typed(typing: Any, words: Any, sums: Any, scratch: Any, exp2: Any, log: Any, places: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
            kinds = zip(signature.args[:5], values, strict=False)
            rows = [Place(context, builder, kind, value) for kind, value in kinds]
            channel, dt, at, room, pitch = code_tools.unpack_tuple(builder, values[5])
            it = ScanChannels(builder, rows[0], rows[2], (channel, at, room, pitch))
            build(it, (rows[1].load(dt), rows[1].load(channel)), (Table(rows[3], 64), Table(rows[4], 32)))

        return types.void(words, sums, scratch, exp2, log, places), code

    return intrinsic(typed)


def _near(it: ScanChannels, total: Lanes, factor: Lanes, bias: Lanes, shift: Any) -> Lanes:
    """N6, as `words.near` proves it."""
    product = Doubles.of(total.within(WORD_MAX)) * Doubles.of(factor)
    return product.scaled_down(shift).within(_FAR).whole() + bias


@_phase
def _inputs(it: ScanChannels, arrived: tuple[Lanes, Lanes], tables: tuple[Table, Table]) -> None:
    """Build z and u."""
    dt, wide_u = arrived
    wide = _near(it, dt, it.own(1), it.own(3), it.shift(1))
    near_u = _near(it, wide_u, it.own(0), it.own(2), it.shift(0))
    z, u = wide.within(WORD_MAX), near_u.within(_U_MAX)
    it.keep(DELTA, z)
    it.keep(DU, u)
    lost = wide.differs(z) + dt.within(WORD_MAX).differs(dt)
    it.keep(LOST, (lost + u.differs(near_u) + wide_u.within(WORD_MAX).differs(wide_u)).negative())


@_phase
def _step_sizes(it: ScanChannels, arrived: tuple[Lanes, Lanes], tables: tuple[Table, Table]) -> None:
    """Build softplus(z) (N5)."""
    z = it.kept(DELTA)
    size = z.size()
    p = (((size >> 8) * _LOG2E + ((size & 255) * _LOG2E >> 8)) >> 3).at_most(P_MAX)
    e = exp2_minus(p, tables[0])
    at = e.at_most(2**20 - 1)
    entry = tables[1].look_up(at >> 15)
    g = (entry & 65535) - (((entry >> 16) * (at & 32767) + 32767) >> 15)
    soft = ((e >> 7) * g + ((e & 127) * g >> 7)) >> 8
    delta = z.at_least(0) * 16 + soft
    step = delta.at_most(WORD_MAX)
    it.keep(DELTA, step)
    it.keep(LOST, it.kept(LOST) - step.differs(delta))


@_phase
def _drives(it: ScanChannels, arrived: tuple[Lanes, Lanes], tables: tuple[Table, Table]) -> None:
    """Build delta u and D u."""
    delta, u = it.kept(DELTA), it.kept(DU)
    du = (Doubles.of(delta) * Doubles.of(u)).scaled_down(it.shift(3))
    it.keep(DU, du.within(float(WORD_MAX)).whole())
    it.keep(Y, (Doubles.of(it.own(4)) * Doubles.of(u)).scaled_down(it.shift(6)).whole())
    it.keep(LOST, it.kept(LOST) - du.beyond(float(WORD_MAX + 1)))


def exp2_minus(p: Lanes, exp2: Table) -> Lanes:
    """N4. 2^-p in units of 2^-20; the table packs 13 bits of step down over 19 of value. Down rounds up."""
    entry = exp2.look_up((p >> 14) & 63)
    left, step = (entry & (2**19 - 1)) + (2**19 + 1), (entry >> 19) + _STEP
    return (left - ((step * (p & 16383) + 16383) >> 14)) >> (p >> 20)

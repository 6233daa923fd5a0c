"""Scan: one step of D channels with N states each (N9) in words of 32 bits, sixteen to a vector register.

`forms` sends here the scans whose B and C fit 16 bits, whose products are shifted by 8 or more, and whose y cannot
leave 32 bits. Then no product needs 64 bits, where a vector multiply is slow. With |x| = 256 a + b, b < 256,

    |x| m >> s = (a m + (b m >> 8)) >> (s - 8)        s >= 8: what b m has below 2^8 does not reach the answer

and a m <= 2^15 * 2^16, b m >> 8 < 2^16, so that the sum stays below 2^31 + 2^16, an unsigned word. Products of the
gates, one a channel, go through doubles: 24 + 29 bits are exact there, and so is a power of two times them.

Rows are `LANES` wide or a multiple: the channels beyond the last have no weights, no rates, and stay at 0.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools as cgutils
from ...jit import intrinsic, kernel, types
from ...nodes.arithmetic import Array
from .rows import COLUMNS
from .vectors import Doubles, Lanes, Place, Table, spread, vector
from .words import WORD_MAX

LANES = 16
SHIFTS = 7  # words before the rows of a scan: the shifts of u, dt, alpha, du, B, C, D
OWN_ROWS = 5  # factors and biases of u and dt, and D

_i32 = np.int32
_Y_MAX, _U_MAX = 2**17 - 1, 2**15 - 1
_P_MAX = 2**24 - 1
_FAR = 2.0**30  # beyond every limit and bias, see `words.near`
_STEP = 5678  # the least step of the table

_left = [round(2.0 ** (20 - i / 64)) for i in range(65)]
_EXP2 = np.array([(a - 2**19 - 1) | (a - b - _STEP) << 19 for a, b in pairwise(_left)], np.uint32)
_LOG2E = round(math.log2(math.e) * 2**15)
_ratio = [2**15] + [round(math.log1p(i / 32) / (i / 32) * 2**15) for i in range(1, 33)]
_LOG = np.array([a | (a - b) << 16 for a, b in pairwise(_ratio)], np.uint32)


@kernel
def scan(
    words: Array, sums: Array, h: Array, y: Array, message: Array, pitch: int, states: int, first: int
) -> tuple[int, int]:
    """Advance the channels of ``message``, from ``first`` on, by one step.

    ``words``: the shifts, then rows of ``pitch``: factor and bias of u and dt, D, and alpha [N, D]. ``sums``: the ports
    u, dt, B and C, each filled up to `COLUMNS`. ``y``: scratch. Returned is how many words saturated, and how many
    messages are not zero.
    """
    ports, state_port = (pitch + COLUMNS - 1) & -COLUMNS, (states + COLUMNS - 1) & -COLUMNS
    count, saturated = len(message), 0
    for d in range(0, count, LANES):
        places = (first + d, ports + first + d, 2 * ports, 2 * ports + state_port, d, pitch, states)
        saturated += _sixteen(h, words, sums, y, _EXP2, _LOG, places)
    sent = _i32(0)
    for d in range(count):
        message[d] = y[d]
        sent = _i32(sent + _i32(y[d] != 0))
    return saturated, int(sent)


class _Scan:
    """The words of one scan, in code that is being built."""

    def __init__(self, builder: Any, rows: list[Place], places: Any) -> None:
        self.builder, self.rows = builder, rows
        self.channel, self.dt, self.b, self.c, self.scratch, self.pitch, self.states = places

    def shift(self, which: int) -> Any:
        """The shift of u, dt, alpha, du, B, C or D."""
        return self.rows[1].one(self.pitch.type(which))

    def own(self, row: int) -> Lanes:
        """A row of the words that a channel has: factors and biases of u and dt, and D."""
        return self.rows[1].load(self.row_of(row))

    def row_of(self, row: int) -> Any:
        """Where the sixteen channels are in a row."""
        start = self.builder.add(self.channel, self.channel.type(SHIFTS))
        return self.builder.add(start, self.builder.mul(self.pitch, self.pitch.type(row)))


def _step(typing: Any, h: Any, words: Any, sums: Any, y: Any, exp2: Any, log: Any, places: Any) -> Any:
    """Build a step of sixteen channels, gates and then states; ``y`` is what they send.

    ``places``: of u and dt in their sums, of b and c, of the channels in y; the pitch; the states. Returned is how many
    words saturated.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        rows = [Place(context, builder, kind, value) for kind, value in zip(signature.args[:6], values, strict=False)]
        it = _Scan(builder, rows, cgutils.unpack_tuple(builder, values[6]))
        tables = Table(rows[4], 64), Table(rows[5], 32)
        delta, u, lost = _inputs(it, tables)
        du = (Doubles.of(delta) * Doubles.of(u)).scaled_down(it.shift(3))
        y_start = (Doubles.of(it.own(4)) * Doubles.of(u)).scaled_down(it.shift(6)).whole()
        lost = lost - du.beyond(float(WORD_MAX + 1))
        y_end, lost = _states(it, tables[0], delta, du.within(float(WORD_MAX)).whole(), y_start, lost)
        sent = y_end.within(_Y_MAX)
        it.rows[3].store(sent, it.scratch)
        return _sum(builder, (lost - sent.differs(y_end)).value)

    return types.int64(h, words, sums, y, exp2, log, places), code


_sixteen: Any = intrinsic(_step)


def _near(it: _Scan, total: Lanes, factor: Lanes, bias: Lanes, shift: Any) -> Lanes:
    """N6, as `words.near` proves it."""
    product = Doubles.of(total.within(WORD_MAX)) * Doubles.of(factor)
    return product.scaled_down(shift).within(_FAR).whole() + bias


def _inputs(it: _Scan, tables: tuple[Table, Table]) -> tuple[Lanes, Lanes, Lanes]:
    """Return the step size softplus(z), the input u, and how many words saturated."""
    dt, wide_u = it.rows[2].load(it.dt), it.rows[2].load(it.channel)
    wide = _near(it, dt, it.own(1), it.own(3), it.shift(1))
    z = wide.within(WORD_MAX)
    size = z.size()
    p = (((size >> 8) * _LOG2E + ((size & 255) * _LOG2E >> 8)) >> 3).at_most(_P_MAX)
    e = _exp2(p, tables[0])
    at = e.at_most(2**20 - 1)
    entry = tables[1].look_up(at >> 15)
    g = (entry & 65535) - (((entry >> 16) * (at & 32767) + 32767) >> 15)
    soft = ((e >> 7) * g + ((e & 127) * g >> 7)) >> 8
    delta = z.at_least(0) * 16 + soft
    step = delta.at_most(WORD_MAX)
    near_u = _near(it, wide_u, it.own(0), it.own(2), it.shift(0))
    u = near_u.within(_U_MAX)
    lost = wide.differs(z) + dt.within(WORD_MAX).differs(dt) + step.differs(delta)
    lost = lost + u.differs(near_u) + wide_u.within(WORD_MAX).differs(wide_u)
    return step, u, Lanes(it.builder, vector(16, 32)([0] * 16)) - lost


def _states(it: _Scan, exp2: Table, delta: Lanes, du: Lanes, y_start: Lanes, lost_start: Lanes) -> tuple[Lanes, Lanes]:
    """Build h <- decay h + (delta u) B and y <- y + C h, one state after the other; return y and how many saturated."""
    builder, rows, words = it.builder, it.rows, [it.shift(k) for k in (2, 4, 5)]
    less = [Lanes(builder, spread(builder, builder.sub(word, word.type(8)), 16)) for word in words]
    high, low, side, size = delta >> 8, delta & 255, du.sign(), du.size()
    du_high, du_low = size >> 8, size & 255
    rates = it.row_of(OWN_ROWS)
    said, lost = (cgutils.alloca_once_value(builder, one.value) for one in (y_start, lost_start))
    with cgutils.for_range(builder, it.states) as loop:
        offset = builder.mul(loop.index, it.pitch)
        rate, place = rows[1].load(builder.add(rates, offset)), builder.add(it.channel, offset)
        b, c = (rows[2].spread(builder.add(start, loop.index)) for start in (it.b, it.c))
        p = ((high * rate + (low * rate >> 8)) >> less[0]).at_most(_P_MAX, "icmp_unsigned")
        state = rows[0].load(place)
        drive = ((du_high * b.size() + (du_low * b.size() >> 8)) >> less[1]).turned(side ^ b.sign())
        wide = _decayed(state, _factor(p, exp2)) + drive
        word = wide.within(WORD_MAX)
        rows[0].store(word, place)
        size = word.size()
        more = (((size >> 8) * c.size() + ((size & 255) * c.size() >> 8)) >> less[2]).turned(word.sign() ^ c.sign())
        builder.store((Lanes(builder, builder.load(said)) + more).value, said)
        builder.store((Lanes(builder, builder.load(lost)) - word.differs(wide)).value, lost)
    return Lanes(builder, builder.load(said)), Lanes(builder, builder.load(lost))


def _exp2(p: Lanes, exp2: Table) -> Lanes:
    """N4. 2^-p in units of 2^-20; the table packs 13 bits of step down over 19 of value. Down rounds up."""
    entry = exp2.look_up((p >> 14) & 63)
    left, step = (entry & (2**19 - 1)) + (2**19 + 1), (entry >> 19) + _STEP
    return (left - ((step * (p & 16383) + 16383) >> 14)) >> (p >> 20)


def _factor(p: Lanes, exp2: Table) -> Lanes:
    """2^-p in units of 2^-16, 16 bits."""
    return (_exp2(p, exp2) >> 4).at_most(2**16 - 1)


def _decayed(state: Lanes, factor: Lanes) -> Lanes:
    """N2 by 16 bits: (h >> 16) m + ((h & 65535) m + r >> 16), r = 65535 where h < 0: towards zero, below 2^32."""
    rest = (state & 65535) * factor + (state.sign() & 65535)
    return state.down(16) * factor + (rest >> 16)


def _sum(builder: Any, value: Any) -> Any:
    """Add up the lanes, halving."""
    for lanes in (8, 4, 2, 1):
        half = list(range(2 * lanes))
        low, high = (
            builder.shuffle_vector(value, value, ir.Constant(vector(lanes, 32), half[from_ : from_ + lanes]))
            for from_ in (0, lanes)
        )
        value = builder.add(low, high)
    return builder.sext(builder.extract_element(value, ir.IntType(32)(0)), ir.IntType(64))

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
from .vectors import Lanes, Place, Table, spread, vector
from .words import WORD_MAX, near

LANES = 16
SHIFTS = 7  # words before the rows of a scan: the shifts of u, dt, alpha, du, B, C, D
OWN_ROWS = 5  # factors and biases of u and dt, and D
SCRATCH = 7

_i32, _u32, _f64 = np.int32, np.uint32, np.float64
_Y_MAX, _U_MAX = _i32(2**17 - 1), _i32(2**15 - 1)
_P_MAX = _i32(2**24 - 1)
_STEP = 5678  # the least step of the table

_left = [round(2.0 ** (20 - i / 64)) for i in range(65)]
_EXP2 = np.array([(a - 2**19 - 1) | (a - b - _STEP) << 19 for a, b in pairwise(_left)], np.uint32)
_LOG2E = _i32(round(math.log2(math.e) * 2**15))
_ratio = [2**15] + [round(math.log1p(i / 32) / (i / 32) * 2**15) for i in range(1, 33)]
_LOG = np.array([a | (a - b) << 16 for a, b in pairwise(_ratio)], np.int32)


@kernel
def scan(words: Array, sums: Array, h: Array, rows: Array, message: Array, pitch: int, states: int, first: int) -> int:
    """Advance the channels of ``message``, from ``first`` on, by one step; return how many words saturated.

    ``words``: the shifts, then rows of ``pitch``: factor and bias of u and dt, D, and alpha [N, D]. ``sums``: the ports
    u, dt, B and C, each filled up to `COLUMNS`. ``rows``: seven of a pitch, scratch.
    """
    count = len(message)
    room = min(-(-count // LANES) * LANES, pitch - first)
    high, low, du_high, du_low = rows, rows[pitch:], rows[2 * pitch :], rows[3 * pitch :]
    sign, y, p = rows[4 * pitch :], rows[5 * pitch :], rows[6 * pitch : 6 * pitch + room]
    saturated = _gates(words, sums, high, low, du_high, du_low, sign, y, p, pitch, first)
    less = _i32(words[2] - 8), _i32(words[4] - 8), _i32(words[5] - 8)
    ports = (pitch + COLUMNS - 1) & -COLUMNS
    b_from = 2 * ports
    c_from = b_from + ((states + COLUMNS - 1) & -COLUMNS)
    rates = SHIFTS + OWN_ROWS * pitch + first
    for d in range(0, room, LANES):
        places = (first + d, rates + d, b_from, c_from, d, pitch, states)
        saturated += _advance_sixteen(h, words, sums, rows, _EXP2, places, less)
    lost = _i32(0)
    for d in range(count):
        sent = min(max(y[d], -_Y_MAX), _Y_MAX)
        lost = _i32(lost + _i32(sent != y[d]))
        message[d] = sent
    return saturated + int(lost)


@kernel
def _exp2(p: np.int32) -> np.int32:
    """N4. 2^-p in units of 2^-20."""
    entry = _EXP2[_u32(_i32(p >> _i32(14)) & _i32(63))]
    left = _i32(_i32(entry & _u32(2**19 - 1)) + _i32(2**19 + 1))
    step = _i32(_i32(entry >> _u32(19)) + _i32(_STEP))
    down = _i32(_i32(_i32(step * _i32(p & _i32(16383))) + _i32(16383)) >> _i32(14))
    return _i32(_i32(left - down) >> _i32(p >> _i32(20)))


@kernel
def _gates(
    words: Array, sums: Array, high: Array, low: Array, du_high: Array, du_low: Array, sign: Array, y: Array,
    p: Array, pitch: int, first: int,
) -> int:  # fmt: skip
    """Step size delta = softplus(z), input u and their product, each in two pieces; y starts as D u."""
    u_scale, dt_scale = 1.0 / _f64(1 << words[0]), 1.0 / _f64(1 << words[1])
    du_scale, d_scale = 1.0 / _f64(1 << words[3]), 1.0 / _f64(1 << words[6])
    own = words[SHIFTS + first :]
    u_factor, dt_factor = own, own[pitch:]
    u_bias, dt_bias, skip = own[2 * pitch :], own[3 * pitch :], own[4 * pitch :]
    u_sums, dt_sums = sums[first:], sums[((pitch + COLUMNS - 1) & -COLUMNS) + first :]
    lost, top = _i32(0), _i32(WORD_MAX)
    for d in range(len(p)):
        wide = near(dt_sums[d], dt_factor[d], dt_scale, dt_bias[d])
        z = min(max(wide, -top), top)
        size = abs(z)
        rest = _i32(_i32(_i32(size & _i32(255)) * _LOG2E) >> _i32(8))
        p[d] = min(_i32(_i32(_i32(_i32(size >> _i32(8)) * _LOG2E) + rest) >> _i32(3)), _P_MAX)
        high[d] = z
        lost = _i32(_i32(lost + _i32(wide != z)) + _i32(abs(dt_sums[d]) > top))
    for d in range(len(p)):
        z, e = high[d], _exp2(p[d])
        at = min(e, _i32(2**20 - 1))
        entry = _LOG[_u32(at >> _i32(15))]
        rest = _i32(_i32(_i32(_i32(entry >> _i32(16)) * _i32(at & _i32(32767))) + _i32(32767)) >> _i32(15))
        g = _i32(_i32(entry & _i32(65535)) - rest)
        soft = _i32(_i32(_i32(_i32(e >> _i32(7)) * g) + _i32(_i32(_i32(e & _i32(127)) * g) >> _i32(7))) >> _i32(8))
        delta = _i32(_i32(max(z, _i32(0)) << _i32(4)) + soft)
        step = min(delta, top)
        wide = near(u_sums[d], u_factor[d], u_scale, u_bias[d])
        u = min(max(wide, -_U_MAX), _U_MAX)
        product = _f64(step) * _f64(u) * du_scale
        du = _i32(min(max(product, _f64(-WORD_MAX)), _f64(WORD_MAX)))
        high[d], low[d] = _i32(step >> _i32(8)), _i32(step & _i32(255))
        du_high[d], du_low[d], sign[d] = _i32(abs(du) >> _i32(8)), _i32(abs(du) & _i32(255)), _i32(du >> _i32(31))
        y[d] = _i32(_f64(skip[d]) * _f64(u) * d_scale)
        lost = _i32(_i32(lost + _i32(step != delta)) + _i32(abs(u_sums[d]) > top))
        lost = _i32(_i32(lost + _i32(u != wide)) + _i32(abs(product) >= _f64(WORD_MAX + 1)))
    return int(lost)


def _advance(typing: Any, h: Any, words: Any, sums: Any, scratch: Any, table: Any, places: Any, shifts: Any) -> Any:
    """Build the states of sixteen channels: h <- decay h + (delta u) B and y <- y + C h, one state after the other.

    ``places``: in h and in the rates, of b and of c in sums, of the channels in a row; then the pitch and the
    states. ``shifts``: alpha, B, C, less 8. Returned is how many words saturated.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        rows = [Place(context, builder, kind, value) for kind, value in zip(signature.args, values, strict=True)]
        at_h, at_rate, at_b, at_c, at, pitch, states = cgutils.unpack_tuple(builder, values[5])
        less = [Lanes(builder, spread(builder, one, 16)) for one in cgutils.unpack_tuple(builder, values[6])]
        high, low, du_high, du_low, side, y = (
            rows[3].load(builder.add(at, builder.mul(pitch, at.type(row)))) for row in range(6)
        )
        exp2, registers = Table(rows[4]), (y, Lanes(builder, vector(16, 32)([0] * 16)))
        said, lost = (cgutils.alloca_once_value(builder, one.value) for one in registers)
        with cgutils.for_range(builder, states) as loop:
            offset = builder.mul(loop.index, pitch)
            rate, place = rows[1].load(builder.add(at_rate, offset)), builder.add(at_h, offset)
            b, c = (rows[2].spread(builder.add(start, loop.index)) for start in (at_b, at_c))
            p = ((high * rate + (low * rate >> 8)) >> less[0]).at_most(2**24 - 1, "icmp_unsigned")
            state = rows[0].load(place)
            drive = ((du_high * b.size() + (du_low * b.size() >> 8)) >> less[1]).turned(side ^ b.sign())
            wide = _decayed(state, _factor(p, exp2)) + drive
            word = wide.at_most(WORD_MAX).at_least(-WORD_MAX)
            rows[0].store(word, place)
            size = word.size()
            more = (((size >> 8) * c.size() + ((size & 255) * c.size() >> 8)) >> less[2]).turned(word.sign() ^ c.sign())
            builder.store((Lanes(builder, builder.load(said)) + more).value, said)
            builder.store((Lanes(builder, builder.load(lost)) - word.differs(wide)).value, lost)
        rows[3].store(Lanes(builder, builder.load(said)), builder.add(at, builder.mul(pitch, at.type(5))))
        return _sum(builder, builder.load(lost))

    return types.int64(h, words, sums, scratch, table, places, shifts), code


_advance_sixteen: Any = intrinsic(_advance)


def _factor(p: Lanes, exp2: Table) -> Lanes:
    """N4. 2^-p in units of 2^-16, 16 bits; the table packs 13 bits of step down over 19 of value. Down rounds up."""
    entry = exp2.look_up((p >> 14) & 63)
    left, step = (entry & (2**19 - 1)) + (2**19 + 1), (entry >> 19) + _STEP
    return ((left - ((step * (p & 16383) + 16383) >> 14)) >> ((p >> 20) + 4)).at_most(2**16 - 1)


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

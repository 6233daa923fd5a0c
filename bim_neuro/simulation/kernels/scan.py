"""Scan: one step of D channels with N states each (N9) in words of 32 bits, sixteen to a vector register.

`forms` sends here the scans whose B and C fit 16 bits, whose products are shifted by 8 or more, and whose y cannot
leave 32 bits. Then no product of the states needs 64 bits, where a vector multiply is slow. With |x| = 256 a + b,
b < 256,

    |x| m >> s = (a m + (b m >> 8)) >> (s - 8)        s >= 8: what b m has below 2^8 does not reach the answer

and a m <= 2^15 * 2^16, b m >> 8 < 2^16, so that the sum stays below 2^31 + 2^16, an unsigned word.

Rows are `LANES` wide or a multiple: the channels beyond the last have no weights, no rates, and stay at 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...jit import code_tools, intrinsic, kernel, types
from ...nodes.arithmetic import Array
from .gates import DELTA, DU, EXP2, LANES, LOST, OWN_ROWS, P_MAX, ScanChannels, Y, exp2_minus, gates
from .rows import COLUMNS
from .vectors import Lanes, Place, Table, spread, vector
from .words import WORD_MAX

_i32 = np.int32
_Y_MAX = 2**17 - 1
_BLOCK = 32  # states whose decays are computed before they move


@kernel
def scan(
    words: Array, sums: Array, h: Array, scratch: Array, message: Array, pitch: int, states: int, first: int
) -> tuple[int, int]:
    """Advance the channels of ``message``, from ``first`` on, by one step.

    ``words``: the shifts, then rows of ``pitch``: factor and bias of u and dt, D, and alpha [N, D]. ``sums``: the ports
    u, dt, B and C, each filled up to `COLUMNS`. Returned is how many words saturated, and how many messages are not
    zero.
    """
    ports, state_port = (pitch + COLUMNS - 1) & -COLUMNS, (states + COLUMNS - 1) & -COLUMNS
    count = len(message)
    room = (count + LANES - 1) & -LANES
    gates(words, sums, scratch, first, room, ports, pitch)
    for d in range(0, room, LANES):
        _states(h, words, sums, scratch, EXP2, (first + d, 2 * ports, 2 * ports + state_port, d, room, pitch, states))
    sent, saturated = _i32(0), _i32(0)
    for d in range(count):
        message[d] = scratch[Y * room + d]
        sent = _i32(sent + _i32(message[d] != 0))
    for d in range(room):
        saturated = _i32(saturated + scratch[LOST * room + d])
    return int(saturated), int(sent)


def _advance(typing: Any, h: Any, words: Any, sums: Any, scratch: Any, exp2: Any, places: Any) -> Any:
    """Build a step of the states of sixteen channels; what they send takes the place of D u.

    ``places``: of the channels, of b and c in their sums, of the channels in a row of the scratch; that row's length;
    the pitch; the states.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        rows = [Place(context, builder, kind, value) for kind, value in zip(signature.args[:5], values, strict=False)]
        channel, b, c, at, room, pitch, states = code_tools.unpack_tuple(builder, values[5])
        it = ScanChannels(builder, rows[1], rows[3], (channel, at, room, pitch))
        y, lost = _play_states(it, rows[0], rows[2], (b, c, states), Table(rows[4], 64))
        sent = y.within(_Y_MAX)
        it.keep(Y, sent)
        it.keep(LOST, lost - sent.differs(y))

    return types.void(h, words, sums, scratch, exp2, places), code


_states: Any = intrinsic(_advance)


def _play_states(
    it: ScanChannels, h: Place, sums: Place, places: tuple[Any, Any, Any], exp2: Table
) -> tuple[Lanes, Lanes]:
    """Build h <- decay h + (delta u) B and y <- y + C h, some states at a time; return y and how many saturated.

    First the decays of all of them: one chain from rate to y would be so long that the processor, which looks some two
    hundred instructions ahead, would wait for it.
    """
    builder, long, states = it.builder, it.pitch.type, places[2]
    delta, du = _Factor(it, it.kept(DELTA), 2), _Factor(it, it.kept(DU), 4)
    y, lost = (code_tools.alloca_once_value(builder, it.kept(row).value) for row in (Y, LOST))
    decays = code_tools.alloca_once(builder, vector(16, 32), size=long(_BLOCK))
    rates, less = it.row_of(OWN_ROWS), _less8(it, 5)
    with code_tools.for_range_slice(builder, long(0), states, long(_BLOCK), long) as (base, _):
        left = builder.sub(states, base)
        few = builder.select(builder.icmp_signed("<", left, long(_BLOCK)), left, long(_BLOCK))
        with code_tools.for_range(builder, few) as loop:
            rate = it.words.load(builder.add(rates, builder.mul(builder.add(base, loop.index), it.pitch)))
            decay = _decay(delta.times(rate).at_most(P_MAX, "icmp_unsigned"), exp2)
            builder.store(decay.value, builder.gep(decays, [loop.index]))
        with code_tools.for_range(builder, few) as loop:
            state = builder.add(base, loop.index)
            b, c = (sums.spread(builder.add(start, state)) for start in places[:2])
            place = builder.add(it.channel, builder.mul(state, it.pitch))
            decay = Lanes(builder, builder.load(builder.gep(decays, [loop.index])))
            wide = _decayed(h.load(place), decay) + du.times(b.size()).turned(du.side ^ b.sign())
            word = wide.within(WORD_MAX)
            h.store(word, place)
            said = _product(word.size(), c.size(), less).turned((word ^ c).sign())
            builder.store((Lanes(builder, builder.load(y)) + said).value, y)
            builder.store((Lanes(builder, builder.load(lost)) - word.differs(wide)).value, lost)
    return Lanes(builder, builder.load(y)), Lanes(builder, builder.load(lost))


class _Factor:
    """What many words are multiplied by: read and split once, as for all that is known a store might change it."""

    def __init__(self, it: ScanChannels, word: Lanes, shift: int) -> None:
        self.side, self.less = word.sign(), _less8(it, shift)
        self.high, self.low = _split(word.size())

    def times(self, m: Lanes) -> Lanes:
        """|x| m >> s."""
        return (self.high * m + (self.low * m >> 8)) >> self.less


def _split(size: Lanes) -> tuple[Lanes, Lanes]:
    return size >> 8, size & 255


def _product(size: Lanes, m: Lanes, less: Lanes) -> Lanes:
    """|x| m >> s, as the proof above has it."""
    high, low = _split(size)
    return (high * m + (low * m >> 8)) >> less


def _less8(it: ScanChannels, which: int) -> Lanes:
    """A shift less 8, in all lanes."""
    word = it.shift(which)
    return Lanes(it.builder, spread(it.builder, it.builder.sub(word, word.type(8)), 16))


def _decay(p: Lanes, exp2: Table) -> Lanes:
    """2^-p in units of 2^-16, 16 bits."""
    return (exp2_minus(p, exp2) >> 4).at_most(2**16 - 1)


def _decayed(state: Lanes, factor: Lanes) -> Lanes:
    """N2 by 16 bits: (h >> 16) m + ((h & 65535) m + r >> 16), r = 65535 where h < 0: towards zero, below 2^32."""
    rest = (state & 65535) * factor + (state.sign() & 65535)
    return state.down(16) * factor + (rest >> 16)

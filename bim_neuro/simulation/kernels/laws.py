"""Laws: one step of a node's neurons, from the sums that arrived: a unit for each family of nodes."""

from __future__ import annotations

import numpy as np

from ...jit import kernel, unit
from ...nodes.arithmetic import Array
from .calls import call, read
from .cuba import cuba
from .fire import fire, fire_plane
from .layout import (
    CALM,
    CURRENT,
    FIRST_EDGE,
    KIND,
    LIF_WORDS,
    MASK,
    MESSAGES,
    PITCH,
    READOUT,
    RELAY,
    SHAPE,
    SPIKES,
    STATE,
    STATES,
    SUM_WIDTH,
    SUMS,
    WIDE_LIF,
    WIDTH,
    WORDS,
)
from .neurons import lif, narrow_readout, narrow_relay, readout, relay, wide_lif
from .rows import COLUMNS
from .scan import scan
from .vectors import PLACES, expect_write, write_places
from .wide_scan import wide_scan

LINE_WORDS = 16
AHEAD = 4 * LINE_WORDS  # places of the next list that are asked for while this one is written
_i32 = np.int32
_u64 = np.uint64  # as a place in a list: of a signed one numba would ask whether it is negative
_GATHER, _ONES, _TOP = _u64(0x0102040810204080), _u64(0x0101010101010101), _u64(56)


@unit
def lif_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N7 in 32 bits."""
    known = read(at)
    work, node = known.work, known.tables.nodes[index]
    words, sums = known.tables.words32[node[WORDS] :], node[SUMS] + row * node[SUM_WIDTH] + first
    u_at, v_at = node[STATE] + first, node[STATE] + node[PITCH] + first
    message = work.messages[_at(node, slot, first) : _at(node, slot, last)]
    following = _at(node, (slot + 1) & node[MASK], first)
    for line in range(0, AHEAD, LINE_WORDS):
        expect_write(work.messages, following + line)
    if words[CALM]:
        saturated, sent = fire(words, LIF_WORDS + first, work.sums32, sums, work.state32, (u_at, v_at), message, first)
        return _told(saturated, sent)
    return int(call(known.tables.units[CURRENT], at, (index, slot, row, first, last)))


@unit
def current_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N7 in 32 bits with a current that leaks, or may wrap."""
    known = read(at)
    work, node = known.work, known.tables.nodes[index]
    words, sums = known.tables.words32[node[WORDS] :], node[SUMS] + row * node[SUM_WIDTH] + first
    message = work.messages[_at(node, slot, first) : _at(node, slot, last)]
    u, v = work.state32[node[STATE] + first :], work.state32[node[STATE] + node[PITCH] + first :]
    flags = work.flags[first:last]
    saturated = lif(words, words[LIF_WORDS + first :], work.sums32[sums : sums + last - first], u, v, flags)
    return _told(saturated, compact(flags, work.flag_words[first >> 3 :], message, first))


@unit
def plane_lif_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N7 of a layer in plane order, all its neurons: from accumulators of 16 bits."""
    known = read(at)
    tables, work, node = known.tables, known.work, known.tables.nodes[index]
    message, following = work.messages[_at(node, slot, first) : _at(node, slot, last)], (slot + 1) & node[MASK]
    for line in range(0, AHEAD, LINE_WORDS):
        expect_write(work.messages, _at(node, following, first) + line)
    conv = tables.words64[tables.edges[node[FIRST_EDGE], SHAPE] :]
    saturated, sent = fire_plane(tables.words32, node[WORDS], work.plane16, conv, work.state32, node[STATE], message)
    return _told(saturated, sent)


@unit
def scan_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N9 in 32 bits."""
    known = read(at)
    work, node = known.work, known.tables.nodes[index]
    rates, h = known.tables.words32[node[WORDS] :], work.state32[node[STATE] :]
    ports, message = (
        work.sums32[node[SUMS] + row * node[SUM_WIDTH] :],
        work.messages[_at(node, slot, first) : _at(node, slot, last)],
    )
    saturated, sent = scan(rates, ports, h, work.lanes, message, node[PITCH], node[STATES], first)
    return _told(saturated, sent)


@unit
def narrow_relay_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N8 in 32 bits."""
    known = read(at)
    work, node = known.work, known.tables.nodes[index]
    words, sums = known.tables.words32[node[WORDS] :], node[SUMS] + row * node[SUM_WIDTH] + first
    message = work.messages[_at(node, slot, first) : _at(node, slot, last)]
    saturated, sent = narrow_relay(words, work.sums32[sums:], message, node[PITCH], first)
    return _told(saturated, sent)


@unit
def narrow_readout_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N10 in 32 bits."""
    known = read(at)
    work, node = known.work, known.tables.nodes[index]
    words, sums = known.tables.words32[node[WORDS] :], node[SUMS] + row * node[SUM_WIDTH] + first
    message, v = work.messages[_at(node, slot, first) : _at(node, slot, last)], work.state32[node[STATE] + first :]
    saturated, sent = narrow_readout(words, work.sums32[sums:], v, message, node[PITCH], first)
    return _told(saturated, sent)


@unit
def cuba_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """N24."""
    known = read(at)
    work, node, width = known.work, known.tables.nodes[index], known.tables.nodes[index, WIDTH]
    words, state = known.tables.words64[node[WORDS] :], work.state64[node[STATE] :]
    start, ports = node[SUMS] + row * node[SUM_WIDTH], width + -width % COLUMNS
    sums = work.sums64[start : start + node[SUM_WIDTH]]
    high = sums[ports + first :] if node[SUM_WIDTH] > ports else sums
    u, v, n = state[first:], state[width + first :], state[2 * width + first :]
    flags, message = work.flags[first:last], work.messages[_at(node, slot, first) : _at(node, slot, last)]
    saturated = cuba(words, sums[first:last], high, u, v, n, flags, message, width, first)
    if node[SPIKES]:
        return _told(saturated, compact(flags, work.flag_words[first >> 3 :], message, first))
    return _told(saturated, nonzero(message))


@unit
def wide_law(at: object, index: int, slot: int, row: int, first: int, last: int) -> int:
    """LIF, relay, readout and scan in 64 bits, for what 32 do not hold."""
    known = read(at)
    work, node, width = known.work, known.tables.nodes[index], known.tables.nodes[index, WIDTH]
    words, state = known.tables.words64[node[WORDS] :], work.state64[node[STATE] :]
    start, kind = node[SUMS] + row * node[SUM_WIDTH], node[KIND]
    sums, message = (
        work.sums64[start : start + node[SUM_WIDTH]],
        work.messages[_at(node, slot, first) : _at(node, slot, last)],
    )
    if kind == WIDE_LIF:
        flags, u, v = work.flags[first:last], state[first:], state[width + first :]
        saturated = wide_lif(words, words[LIF_WORDS + first :], sums[first:last], u, v, flags)
        return _told(saturated, compact(flags, work.flag_words[first >> 3 :], message, first))
    if kind == RELAY:
        saturated = relay(words, sums[first:last], message, width, first)
    elif kind == READOUT:
        saturated = readout(words, sums[first:last], state[first:], message, width, first)
    else:
        saturated = wide_scan(words, sums, state, work.channels, message, width, node[STATES], first)
    return _told(saturated, nonzero(message))


@kernel
def _told(saturated: int, sent: int) -> int:
    return (saturated << 32) | sent


@kernel
def _at(node: Array, slot: int, neuron: int) -> int:
    """Return where a neuron writes the message of a slot."""
    return int(node[MESSAGES] + slot * node[WIDTH] + neuron)


@kernel
def compact(flags: Array, words: Array, message: Array, first: int) -> int:
    """List the neurons whose flag is set, from ``first`` on, eight at a time, without a branch that chance decides.

    The product with bits 7, 14, ... 56 brings flag k of a word to bit 56 + k; that with ones sums its flags there.
    All eight places are written, those that count first: as many flags as were read are room enough.
    """
    count = _u64(0)
    for word in range(len(flags) >> 3):
        set_flags = words[word]
        write_places(message, count, PLACES[(set_flags * _GATHER) >> _TOP], _i32(first + 8 * word))
        count += (set_flags * _ONES) >> _TOP
    for j in range(len(flags) & ~7, len(flags)):
        message[count] = first + j
        count += _u64(flags[j])
    return int(count)


@kernel
def nonzero(message: Array) -> int:
    """Return how many values are not zero."""
    count = _i32(0)
    for j in range(len(message)):
        count = _i32(count + _i32(message[j] != 0))
    return int(count)

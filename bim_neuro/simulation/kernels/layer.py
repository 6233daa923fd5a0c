"""Layer: one node over some steps, all its neurons or a slice of them: gather, apply the law, send, count."""

from __future__ import annotations

import numpy as np

from ...jit import kernel, part, section
from ...nodes.arithmetic import Array
from .cuba import begin as begin_cuba
from .cuba import cuba
from .fire import fire
from .layout import (
    CALM,
    COUNTS,
    CUBA,
    DEPTH,
    GATED,
    KIND,
    LIF,
    LIF_WORDS,
    MASK,
    MESSAGES,
    NARROW,
    PITCH,
    PROBE,
    READOUT,
    RELAY,
    SATURATIONS,
    SCAN,
    SENT,
    SPIKES,
    STATE,
    STATES,
    SUM_WIDTH,
    SUMS,
    TOGETHER,
    UPDATES,
    WIDE_LIF,
    WIDE_SCAN,
    WIDTH,
    WORDS,
    Tables,
    Work,
)
from .neurons import lif, readout, relay, wide_lif
from .rows import COLUMNS
from .scan import scan
from .synapses import clear, count_operations, gather
from .team import share
from .vectors import PLACES, write_places
from .wide_scan import wide_scan

_i32 = np.int32
_u64 = np.uint64  # as a place in a list: of a signed one numba would ask whether it is negative
_GATHER, _ONES, _TOP = _u64(0x0102040810204080), _u64(0x0101010101010101), _u64(56)


@section
def play(
    tables: Tables,
    work: Work,
    output: Array,
    probe: Array,
    index: int,
    times: tuple[int, int, int],
    length: tuple[int, int, int],
    team: tuple[int, int],
) -> None:
    """Let a member's slice of one node take steps t0 to t1 of a chunk."""
    t0, t1, chunk = times
    steps, period, rows = length
    member, size = team
    node, counter = tables.nodes[index], work.counters[index]
    kind, width, spikes = node[KIND], node[WIDTH], node[SPIKES]
    first, last = share(width, member, size)
    endless, listed = period == 0, lists(tables, node)
    state32, state64 = work.state32[node[STATE] :], work.state64[node[STATE] :]
    for t in range(t0, t1):
        row = (t - t0) % node[TOGETHER]
        if row == 0:
            begin, end = t, min(t + node[TOGETHER], t1)
            if node[GATED]:
                begin = max(begin, node[DEPTH])
                end = end if endless else min(end, node[DEPTH] + steps)
            gather(tables, work, node, first, last, (begin, end, t), chunk)
        phase = t - node[DEPTH]
        inside = phase >= 0 and (endless or phase < steps)
        if phase == 0 or (node[GATED] and phase == steps):
            _clear_state(node, first, last, state32, state64)
            if kind == CUBA:
                v = state64[node[PITCH] + first : node[PITCH] + last]
                begin_cuba(tables.words64[node[WORDS] :], v, width, first)
        slot = t & node[MASK]
        start = node[MESSAGES] + slot * width
        message = work.messages[start : start + width]
        runs = inside or not node[GATED]
        saturated, sent = 0, 0
        if runs:
            saturated, sent = law(tables, work, node, message, first, last, row * node[SUM_WIDTH])
            if listed:
                pass
            elif spikes:
                sent = compact(work.flags[first:last], work.flag_words[first >> 3 :], message[first:last], first)
            else:
                sent = nonzero(message[first:last])
        elif not spikes:
            clear(message[first:last])
        if size == 1:
            work.counts[node[COUNTS] + slot] = sent
        else:
            work.sent[t - chunk, member] = sent
        if phase >= 0 and (endless or phase < period):
            column = 0 if endless else phase
            if runs:
                counter[UPDATES, column] += last - first
                counter[SATURATIONS, column] += saturated
            counter[SENT, column] += sent
            if len(probe):
                keep(work, node, message, first, last, sent, probe, rows, phase % rows)
        if index == tables.output and inside:
            add_output(spikes, message, first, last, sent, output)
    if size == 1:
        count_operations(tables, work, node, counter, t0, t1, period)


@part
def lists(tables: Tables, node: Array) -> bool:
    """Whether the node's law lists who fired."""
    return bool(node[KIND] == LIF and tables.words32[node[WORDS] + CALM] != 0)


@section
def law(tables: Tables, work: Work, node: Array, message: Array, first: int, last: int, row: int) -> tuple[int, int]:
    """Apply the node's law to its sums, which begin at ``row``; return how many words saturated.

    Where the law lists who fired (`lists`), the second number is how many.
    """
    kind, width, start, arrived = node[KIND], node[WIDTH], node[STATE], node[SUMS] + row
    flags, sent = work.flags[first:last], message[first:last]
    if kind == LIF:
        words32 = tables.words32[node[WORDS] :]
        u_at, v_at = start + first, start + node[PITCH] + first
        if words32[CALM]:
            places = (u_at, v_at)
            return fire(words32, LIF_WORDS + first, work.sums32, arrived + first, work.state32, places, sent, first)
        sums32 = work.sums32[arrived + first : arrived + last]
        return lif(words32, words32[LIF_WORDS + first :], sums32, work.state32[u_at:], work.state32[v_at:], flags), 0
    if kind == SCAN:
        rates, h, ports = tables.words32[node[WORDS] :], work.state32[start:], work.sums32[arrived:]
        return scan(rates, ports, h, work.lanes, sent, node[PITCH], node[STATES], first), 0
    words, state = tables.words64[node[WORDS] :], work.state64[start:]
    sums = work.sums64[arrived : arrived + node[SUM_WIDTH]]
    if kind == RELAY:
        return relay(words, sums[first:last], sent, width, first), 0
    if kind == READOUT:
        return readout(words, sums[first:last], state[first:], sent, width, first), 0
    if kind == CUBA:
        high = sums[width + -width % COLUMNS + first :] if node[SUM_WIDTH] > width + -width % COLUMNS else sums
        u, v, n = state[first:], state[width + first :], state[2 * width + first :]
        return cuba(words, sums[first:last], high, u, v, n, flags, sent, width, first), 0
    if kind == WIDE_SCAN:
        return wide_scan(words, sums, state, work.channels, sent, width, node[STATES], first), 0
    u, v = state[first:], state[width + first :]
    return wide_lif(words, words[LIF_WORDS + first :], sums[first:last], u, v, flags), 0


@part
def join(tables: Tables, work: Work, index: int, times: tuple[int, int], period: int, team: tuple[int, int]) -> None:
    """Join the slices' lists of spikes and counts, and count what arrived, for a member's part of the steps."""
    node = tables.nodes[index]
    width, steps, member, size = node[WIDTH], times[1] - times[0], team[0], team[1]
    t0, t1 = times[0] + steps * member // size, times[0] + steps * (member + 1) // size
    for t in range(t0, t1):
        slot = t & node[MASK]
        start, count = node[MESSAGES] + slot * width, 0
        for other in range(size):
            first, sent = share(width, other, size)[0], work.sent[t - times[0], other]
            if node[SPIKES] and count < first:
                for k in range(sent):
                    work.messages[start + count + k] = work.messages[start + first + k]
            count += sent
        work.counts[node[COUNTS] + slot] = count
    count_operations(tables, work, node, work.counters[index], t0, t1, period)


@kernel
def _clear_state(node: Array, first: int, last: int, state32: Array, state64: Array) -> None:
    kind, pitch = node[KIND], node[PITCH]
    scans = kind in (SCAN, WIDE_SCAN)
    rows = _variables(kind) + (node[STATES] if scans else 0)
    for row in range(rows):
        if node[NARROW]:
            clear(state32[row * pitch + first : row * pitch + last])
        else:
            clear(state64[row * pitch + first : row * pitch + last])


@kernel
def _variables(kind: int) -> int:
    """Return how many variables of one value a neuron a state has; those of a scan are not counted."""
    return 3 if kind == CUBA else (2 if kind in (LIF, WIDE_LIF) else (1 if kind == READOUT else 0))


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
def copy(row: Array, values: Array) -> None:
    """Write values into a row."""
    for j in range(len(row)):
        row[j] = values[j]


@kernel
def nonzero(message: Array) -> int:
    """Return how many values are not zero."""
    count = 0
    for j in range(len(message)):
        count += message[j] != 0
    return count


@kernel
def add_output(spikes: bool, message: Array, first: int, last: int, sent: int, output: Array) -> None:
    """Add a message to the output of a sample: spikes are counted."""
    if spikes:
        for k in range(first, first + sent):
            output[message[k]] += 1
    else:
        for j in range(first, last):
            output[j] += message[j]


@part
def keep(
    work: Work, node: Array, message: Array, first: int, last: int, sent: int, probe: Array, rows: int, at: int
) -> None:
    """Write the message and the state of this step into row ``at``, where `compiled` will look for them."""
    kind, width, states, base, start = node[KIND], node[WIDTH], node[STATES], node[PROBE] * rows, node[STATE]
    row = probe[base + at * width : base + (at + 1) * width]
    for j in range(first, last):
        row[j] = 0 if node[SPIKES] else message[j]
    if node[SPIKES]:
        for k in range(first, first + sent):
            row[message[k]] = 1
    base += rows * width
    for variable in range(_variables(kind)):
        place = base + (variable * rows + at) * width
        for j in range(first, last):
            word = start + variable * node[PITCH] + j
            probe[place + j] = work.state32[word] if node[NARROW] else work.state64[word]
    if kind in (SCAN, WIDE_SCAN):
        place, pitch = base + at * width * states, node[PITCH]
        for n in range(states):
            for d in range(first, last):
                word = start + n * pitch + d
                probe[place + d * states + n] = work.state32[word] if node[NARROW] else work.state64[word]

"""Layer: one node over some steps, all its neurons or a slice of them: gather, apply the law, send, count.

A node's law is a unit, called by its address in every step. It returns how many messages are not zero, and from bit 32
on how many words saturated.
"""

from __future__ import annotations

from ...jit import unit
from .calls import call, read
from .layout import (
    COUNT,
    COUNTS,
    DEPTH,
    GATED,
    GATHER,
    KEEP,
    KIND,
    LAW,
    MASK,
    MESSAGES,
    NARROW,
    SATURATIONS,
    SENT,
    SPIKES,
    TOGETHER,
    UPDATES,
    WIDE_GATHER,
    WIDTH,
)
from .state import add_output, begin_sample
from .synapses import clear, count_operations, gather
from .team import share

_SENT = 2**32 - 1


@unit
def play(at: object, sample: int, index: int, t0: int, t1: int, chunk: int, member: int, size: int) -> int:
    """Let a member's slice of one node take steps t0 to t1 of a chunk."""
    known = read(at)
    tables, work, node, steps, period = known.tables, known.work, known.tables.nodes[index], known.steps, known.period
    counter, output, probed = work.counters[index], known.output[sample], known.probes.shape[1] > 0
    width, depth, spikes, gated = node[WIDTH], node[DEPTH], node[SPIKES] != 0, node[GATED] != 0
    together, mask, messages, counts = node[TOGETHER], node[MASK], node[MESSAGES], node[COUNTS]
    law, way = tables.units[LAW + node[KIND]], tables.units[GATHER if node[NARROW] else WIDE_GATHER]
    first, last = share(width, member, size)
    endless = period == 0
    for t in range(t0, t1):
        row = (t - t0) % together
        if row == 0:
            begin, end = t, min(t + together, t1)
            if gated:
                begin = max(begin, depth)
                end = end if endless else min(end, depth + steps)
            call(way, at, (index, first, last, begin, end, t, chunk))
        phase, slot = t - depth, t & mask
        inside = phase >= 0 and (endless or phase < steps)
        if phase == 0 or (gated and phase == steps):
            begin_sample(tables, work, node, first, last)
        message = work.messages[messages + slot * width : messages + (slot + 1) * width]
        saturated, sent = 0, 0
        if inside or not gated:
            told = call(law, at, (index, slot, row, first, last))
            saturated, sent = told >> 32, told & _SENT
        elif not spikes:
            clear(message[first:last])
        if size == 1:
            work.counts[counts + slot] = sent
        else:
            work.sent[t - chunk, member] = sent
        if phase >= 0 and (endless or phase < period):
            column = 0 if endless else phase
            if inside or not gated:
                counter[UPDATES, column] += last - first
                counter[SATURATIONS, column] += saturated
            counter[SENT, column] += sent
            if probed:
                call(tables.units[KEEP], at, (sample, index, slot, phase, first, last, sent))
        if index == tables.output and inside:
            add_output(spikes, message, first, last, sent, output)
    if size == 1:
        call(tables.units[COUNT], at, (index, t0, t1))
    return 0


@unit
def gather_narrow(at: object, index: int, first: int, last: int, begin: int, end: int, row: int, chunk: int) -> int:
    """Sum in 32 bits what arrives at a slice of a node."""
    known = read(at)
    gather(known, at, known.work.sums32, index, first, last, (begin, end, row), chunk)
    return 0


@unit
def gather_wide(at: object, index: int, first: int, last: int, begin: int, end: int, row: int, chunk: int) -> int:
    """Sum in 64 bits what arrives at a slice of a node."""
    known = read(at)
    gather(known, at, known.work.sums64, index, first, last, (begin, end, row), chunk)
    return 0


@unit
def count(at: object, index: int, t0: int, t1: int) -> int:
    """Count the operations of what arrives at a node."""
    known = read(at)
    node, counter = known.tables.nodes[index], known.work.counters[index]
    count_operations(known.tables, known.work, node, counter, t0, t1, known.period)
    return 0


@unit
def join(at: object, index: int, begin: int, end: int, member: int, size: int) -> int:
    """Join the slices' lists of spikes and counts, and count what arrived, for a member's part of the steps."""
    known = read(at)
    tables, work = known.tables, known.work
    node, width, steps = tables.nodes[index], tables.nodes[index, WIDTH], end - begin
    t0, t1 = begin + steps * member // size, begin + steps * (member + 1) // size
    for t in range(t0, t1):
        slot = t & node[MASK]
        start, total = node[MESSAGES] + slot * width, 0
        for other in range(size):
            first, sent = share(width, other, size)[0], work.sent[t - begin, other]
            if node[SPIKES] and total < first:
                for k in range(sent):
                    work.messages[start + total + k] = work.messages[start + first + k]
            total += sent
        work.counts[node[COUNTS] + slot] = total
    call(tables.units[COUNT], at, (index, t0, t1))
    return 0

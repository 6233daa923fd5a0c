"""Steps: what every node does before and after its law: gather and rest, send and count, keep what is probed."""

from __future__ import annotations

import numpy as np

from ...jit import kernel, part, unit
from ...nodes.arithmetic import Array
from .calls import call, read
from .layout import (
    COUNT,
    COUNTS,
    DEPTH,
    GATED,
    GATHER,
    KEEP,
    KIND,
    LIF,
    MASK,
    MESSAGES,
    NARROW,
    PITCH,
    PROBE,
    READOUT,
    SATURATIONS,
    SCAN,
    SENT,
    SPIKES,
    STATE,
    STATES,
    TOGETHER,
    UPDATES,
    WIDE_GATHER,
    WIDE_LIF,
    WIDE_READOUT,
    WIDE_SCAN,
    WIDTH,
    Call,
    Work,
)
from .synapses import clear, count_operations, gather
from .team import share


@part
def begin(known: Call, at: object, node: Array, index: int, t: int, times: tuple[int, int, int],
          first: int, last: int) -> bool:  # fmt: skip
    """Sum what arrives at steps t and after, clear the state where a sample begins or ends; return whether a node runs.

    ``times``: the steps that the node takes in one go, and the first step of the chunk.
    """
    work, t0, t1 = known.work, times[0], times[1]
    endless, depth = known.period == 0, node[DEPTH]
    if (t - t0) % node[TOGETHER] == 0:
        start, stop = t, min(t + node[TOGETHER], t1)
        if node[GATED]:
            start = max(start, depth)
            stop = stop if endless else min(stop, depth + known.steps)
        if start < stop:
            way = known.tables.units[GATHER if node[NARROW] else WIDE_GATHER]
            call(way, at, (index, first, last, start, stop, t, times[2]))
    phase = t - depth
    if phase == 0 or (node[GATED] and phase == known.steps):
        _clear_state(node, first, last, work.state32[node[STATE] :], work.state64[node[STATE] :])
    return bool(not node[GATED] or (phase >= 0 and (endless or phase < known.steps)))


@part
def end(known: Call, at: object, node: Array, index: int, where: tuple[int, int, int], runs: bool,
        saturated: int, sent: int, place: tuple[int, int, int, int]) -> None:  # fmt: skip
    """Send and count. ``where``: sample, step and the chunk's first; ``place``: member of how many, and its slice."""
    sample, t, chunk = where
    work, width, spikes = known.work, node[WIDTH], node[SPIKES] != 0
    first, last = place[2], place[3]
    slot, phase, endless = t & node[MASK], t - node[DEPTH], known.period == 0
    start = node[MESSAGES] + slot * width
    message = work.messages[start : start + width]
    if not runs and not spikes:
        clear(message[first:last])
    if place[1] == 1:
        work.counts[node[COUNTS] + slot] = sent
    else:
        work.sent[t - chunk, place[0]] = sent
    if phase < 0 or not (endless or phase < known.period):
        return
    counter, column = work.counters[index], 0 if endless else phase
    if runs:
        counter[UPDATES, column] += last - first
        counter[SATURATIONS, column] += saturated
    counter[SENT, column] += sent
    if known.probes.shape[1]:
        call(known.tables.units[KEEP], at, (sample, index, slot, phase % known.rows, first, last, sent))
    if index == known.tables.output and (endless or phase < known.steps):
        _add_output(spikes, message, first, last, sent, known.output[sample])


@part
def count_arrivals(known: Call, at: object, index: int, t0: int, t1: int) -> None:
    """Count the operations of what arrives at steps t0 to t1."""
    call(known.tables.units[COUNT], at, (index, t0, t1))


@unit
def gather_narrow(at: object, index: int, first: int, last: int, start: int, stop: int, row: int, chunk: int) -> None:
    """Sum in 32 bits what arrives at a slice of a node."""
    known = read(at)
    pool = known.work.sums32
    gather(known.tables, known.work, pool, known.tables.nodes[index], first, last, (start, stop, row), chunk)


@unit
def gather_wide(at: object, index: int, first: int, last: int, start: int, stop: int, row: int, chunk: int) -> None:
    """Sum in 64 bits what arrives at a slice of a node."""
    known = read(at)
    pool = known.work.sums64
    gather(known.tables, known.work, pool, known.tables.nodes[index], first, last, (start, stop, row), chunk)


@unit
def count(at: object, index: int, t0: int, t1: int) -> None:
    """Count the operations of what arrives at a node."""
    known = read(at)
    node, counter = known.tables.nodes[index], known.work.counters[index]
    count_operations(known.tables, known.work, node, counter, t0, t1, known.period)


@unit
def keep(at: object, sample: int, index: int, slot: int, row: int, first: int, last: int, sent: int) -> None:
    """Write the message and the state of a step into a row of the probes, where `windows` will look for them."""
    known = read(at)
    node, work, probe, rows = known.tables.nodes[index], known.work, known.probes[sample], known.rows
    kind, width, states, base, start = node[KIND], node[WIDTH], node[STATES], node[PROBE] * rows, node[STATE]
    place, message = base + row * width, node[MESSAGES] + slot * width
    for j in range(first, last):
        probe[place + j] = 0 if node[SPIKES] else work.messages[message + j]
    if node[SPIKES]:
        for k in range(first, first + sent):
            probe[place + work.messages[message + k]] = 1
    base += rows * width
    for variable in range(_variables(kind)):
        place = base + (variable * rows + row) * width
        for j in range(first, last):
            probe[place + j] = _state(work, node, start + variable * node[PITCH] + j)
    if kind in (SCAN, WIDE_SCAN):
        place, pitch = base + row * width * states, node[PITCH]
        for n in range(states):
            for d in range(first, last):
                probe[place + d * states + n] = _state(work, node, start + n * pitch + d)


@unit
def join(at: object, index: int, begin: int, stop: int, member: int, size: int) -> None:
    """Join the slices' lists of spikes and counts, and count what arrived, for a member's part of the steps."""
    known = read(at)
    tables, work = known.tables, known.work
    node, width, steps = tables.nodes[index], tables.nodes[index, WIDTH], stop - begin
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


@kernel
def _variables(kind: int) -> int:
    return 2 if kind in (LIF, WIDE_LIF) else (1 if kind in (READOUT, WIDE_READOUT) else 0)


@kernel
def _state(work: Work, node: Array, place: int) -> int:
    return np.int64(work.state32[place]) if node[NARROW] else work.state64[place]


@kernel
def _clear_state(node: Array, first: int, last: int, state32: Array, state64: Array) -> None:
    kind, pitch = node[KIND], node[PITCH]
    for row in range(node[STATES] if kind in (SCAN, WIDE_SCAN) else _variables(kind)):
        if node[NARROW]:
            clear(state32[row * pitch + first : row * pitch + last])
        else:
            clear(state64[row * pitch + first : row * pitch + last])


@kernel
def _add_output(spikes: bool, message: Array, first: int, last: int, sent: int, output: Array) -> None:
    if spikes:
        for k in range(first, first + sent):
            output[message[k]] += 1
    else:
        for j in range(first, last):
            output[j] += message[j]

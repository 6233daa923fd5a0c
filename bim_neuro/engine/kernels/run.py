"""Run: steps through a graph, layer by layer within a chunk of steps, step by step where layers form a loop.

A layer's weights stay in the core's own cache while it runs through a chunk; its messages wait in a ring.
"""

from __future__ import annotations

import numpy as np

from ...nodes.arithmetic import Array
from .jit import kernel
from .layout import (
    COUNTS,
    DEPTH,
    EFFECTIVE,
    FIRST_EDGE,
    GATED,
    HARDWARE,
    KIND,
    LAST_EDGE,
    LATE,
    LIF,
    MASK,
    MESSAGES,
    PORT,
    POST,
    PROBE,
    READOUT,
    RELAY,
    SATURATIONS,
    SCAN,
    SENT,
    SOURCE,
    SPIKES,
    STATE,
    STATES,
    SUM_WIDTH,
    SUMS,
    UPDATES,
    WIDE_LIF,
    WIDTH,
    WORDS,
    Tables,
    Work,
)
from .neurons import lif, readout, relay, wide_lif
from .scan import scan
from .synapses import accumulate, operations


@kernel
def run_samples(
    tables: Tables,
    work: Work,
    x: Array,
    output: Array,
    probes: Array,
    first: int,
    last: int,
    period: int,
    total: int,
    chunk: int,
) -> None:
    """Run samples ``first`` to ``last`` of x, int8 (samples, steps, lines), each from rest for ``total`` steps."""
    for sample in range(first, last):
        work.state32[:] = 0
        work.state64[:] = 0
        for t0 in range(0, total, chunk):
            t1 = min(t0 + chunk, total)
            advance(tables, work, x[sample], output[sample], probes[sample], 0, len(tables.stages), t0, t1, period, False)


@kernel
def advance(
    tables: Tables,
    work: Work,
    x: Array,
    output: Array,
    probe: Array,
    first_stage: int,
    last_stage: int,
    t0: int,
    t1: int,
    period: int,
    endless: bool,
) -> None:
    """Run some stages through steps t0 to t1 of one sample; an endless stream takes x row by row and never ends."""
    for stage in range(first_stage, last_stage):
        first, last, loop = tables.stages[stage]
        if loop:
            for t in range(t0, t1):
                for node in range(first, last):
                    _step(tables, work, x, output, probe, node, t, t0, period, endless)
        else:
            for t in range(t0, t1):
                _step(tables, work, x, output, probe, first, t, t0, period, endless)


@kernel
def _step(
    tables: Tables,
    work: Work,
    x: Array,
    output: Array,
    probe: Array,
    index: int,
    t: int,
    t0: int,
    period: int,
    endless: bool,
) -> None:
    """Let one node take step t: gather what arrives, apply its law, send, count."""
    node = tables.nodes[index]
    width, slot, phase = node[WIDTH], t & node[MASK], t - node[DEPTH]
    inside = 0 <= phase and (endless or phase < len(x))
    counter = work.counters[index]
    column = phase if not endless else np.int64(0)
    counted = 0 <= phase and (endless or phase < period)
    if phase == 0 or (node[GATED] and not inside):
        _clear(work, node)
    start = node[MESSAGES] + slot * width
    message = work.messages[start : start + width]
    runs = inside or not node[GATED]
    if counted:
        _count_arrivals(tables, work, node, counter, column, t)
    saturated, sent = 0, 0
    if runs:
        if node[KIND] == SOURCE:
            sent = _play(work, x[0 if endless else phase], message, width, node[SPIKES])
        elif node[KIND] == LIF:
            sums = work.sums32[node[SUMS] : node[SUMS] + node[SUM_WIDTH]]
            _gather(tables, work, node, sums, t, t0)
            saturated = _lif_step(tables, work, node, sums, width)
            sent = _compact(work, message, width)
        else:
            sums64 = work.sums64[node[SUMS] : node[SUMS] + node[SUM_WIDTH]]
            _gather(tables, work, node, sums64, t, t0)
            saturated = _word_step(tables, work, node, sums64, message, width)
            sent = _compact(work, message, width) if node[SPIKES] else _nonzero(message)
    elif not node[SPIKES]:
        message[:] = 0
    work.counts[node[COUNTS] + slot] = sent
    if counted:
        if runs:
            counter[UPDATES, column] += width
            counter[SATURATIONS, column] += saturated
        counter[SENT, column] += sent
        if len(probe):
            _keep(work, node, message, sent, probe, period, phase)
    if index == tables.output and inside:
        _add_output(node, message, sent, output)


@kernel
def _clear(work: Work, node: Array) -> None:
    width, start = node[WIDTH], node[STATE]
    if node[KIND] == LIF:
        work.state32[start : start + 2 * width] = 0
    elif node[KIND] == WIDE_LIF:
        work.state64[start : start + 2 * width] = 0
    elif node[KIND] == SCAN:
        work.state64[start : start + node[STATES] * width] = 0
    elif node[KIND] == READOUT:
        work.state64[start : start + width] = 0


@kernel
def _count_arrivals(tables: Tables, work: Work, node: Array, counter: Array, column: int, t: int) -> None:
    for e in range(node[FIRST_EDGE], node[LAST_EDGE]):
        edge = tables.edges[e]
        if t >= edge[LATE]:
            hardware, effective = operations(tables, work, edge, t)
            counter[HARDWARE, column] += hardware
            counter[EFFECTIVE, column] += effective


@kernel
def _gather(tables: Tables, work: Work, node: Array, sums: Array, t: int, t0: int) -> None:
    sums[:] = 0
    for e in range(node[FIRST_EDGE], node[LAST_EDGE]):
        edge = tables.edges[e]
        if t >= edge[LATE]:
            accumulate(tables, work, edge, sums[edge[PORT] : edge[PORT] + edge[POST]], t, t0)


@kernel
def _play(work: Work, line: Array, message: Array, width: int, spikes: int) -> int:
    """Send the host's input: int8 values, or the indices of the lines that are 1."""
    if spikes:
        for j in range(width):
            work.flags[j] = line[j]
        return _compact(work, message, width)
    for j in range(width):
        message[j] = line[j]
    return _nonzero(message)


@kernel
def _lif_step(tables: Tables, work: Work, node: Array, sums: Array, width: int) -> int:
    start = node[STATE]
    u, v = work.state32[start : start + width], work.state32[start + width : start + 2 * width]
    return lif(tables.words32[node[WORDS] : node[WORDS] + 3 + width], sums, u, v, work.flags, width)


@kernel
def _word_step(tables: Tables, work: Work, node: Array, sums: Array, message: Array, width: int) -> int:
    """Apply the law of a node whose state words are kept in 64 bits."""
    words, start = tables.words64[node[WORDS] :], node[STATE]
    if node[KIND] == RELAY:
        return relay(words, sums, message, width)
    if node[KIND] == READOUT:
        return readout(words, sums, work.state64[start : start + width], message, width)
    if node[KIND] == SCAN:
        h = work.state64[start : start + node[STATES] * width]
        return scan(words, sums, h, work.channels, message, width, node[STATES])
    u, v = work.state64[start : start + width], work.state64[start + width : start + 2 * width]
    return wide_lif(words, sums, u, v, work.flags, width)


@kernel
def _compact(work: Work, message: Array, width: int) -> int:
    """List the neurons whose flag is set, skipping eight silent ones at a time."""
    count = 0
    for word in range((width + 7) >> 3):
        if work.flag_words[word] == 0:
            continue
        for j in range(8 * word, min(8 * word + 8, width)):
            if work.flags[j]:
                message[count] = j
                count += 1
    return count


@kernel
def _nonzero(message: Array) -> int:
    count = 0
    for j in range(len(message)):
        count += message[j] != 0
    return count


@kernel
def _add_output(node: Array, message: Array, sent: int, output: Array) -> None:
    if node[SPIKES]:
        for k in range(sent):
            output[message[k]] += 1
    else:
        for j in range(len(message)):
            output[j] += message[j]


@kernel
def _keep(work: Work, node: Array, message: Array, sent: int, probe: Array, period: int, phase: int) -> None:
    """Write the message and the state of this step where `engine.probes` will look for them."""
    width, states, base = node[WIDTH], node[STATES], node[PROBE] * period
    row = probe[base + phase * width : base + (phase + 1) * width]
    if node[SPIKES]:
        row[:] = 0
        for k in range(sent):
            row[message[k]] = 1
    else:
        row[:] = message
    base += period * width
    start = node[STATE]
    if node[KIND] == SCAN:
        place = base + phase * width * states
        for n in range(states):
            for d in range(width):
                probe[place + d * states + n] = work.state64[start + n * width + d]
    elif node[KIND] == READOUT:
        probe[base + phase * width : base + (phase + 1) * width] = work.state64[start : start + width]
    elif node[KIND] == LIF or node[KIND] == WIDE_LIF:
        pool = 0
        for variable in range(2):
            place, pool = base + (variable * period + phase) * width, start + variable * width
            for j in range(width):
                probe[place + j] = work.state32[pool + j] if node[KIND] == LIF else work.state64[pool + j]

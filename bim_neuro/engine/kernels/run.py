"""Run: steps through a graph, layer by layer within a chunk of steps, step by step where layers form a loop.

A layer's weights stay in the core's own cache while it runs through a chunk; its messages wait in a ring.
"""

from __future__ import annotations

from ...nodes.arithmetic import Array
from .jit import entry, kernel
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


@entry
def run(
    tables: Tables,
    work: Work,
    x: Array,
    output: Array,
    probes: Array,
    stages: tuple[int, int],
    steps: tuple[int, int],
    period: int,
    chunk: int,
) -> None:
    """Run every sample of x, int8 (samples, steps, lines), through ``stages`` and ``steps``; the first start at rest.

    With period 0 x is one line of an endless stream: no sample ever ends, and all steps count as one.
    """
    for sample in range(len(x)):
        if steps[0] == 0 and stages[0] == 0:
            _rest(work)
        for t0 in range(steps[0], steps[1], chunk):
            t1 = min(t0 + chunk, steps[1])
            for stage in range(stages[0], stages[1]):
                first, nodes = tables.stages[stage, 0], tables.stages[stage, 1] - tables.stages[stage, 0]
                for i in range((t1 - t0) * nodes):
                    t, node = t0 + i // nodes, first + i % nodes
                    _step(tables, work, x[sample], output[sample], probes[sample], node, t, t0, period)


@kernel
def _rest(work: Work) -> None:
    for j in range(len(work.state32)):
        work.state32[j] = 0
    for j in range(len(work.state64)):
        work.state64[j] = 0


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
) -> None:
    """Let one node take step t: gather what arrives, apply its law, send, count."""
    node = tables.nodes[index]
    width, slot, phase = node[WIDTH], t & node[MASK], t - node[DEPTH]
    endless = period == 0
    inside = phase >= 0 and (endless or phase < len(x))
    counter = work.counters[index]
    column = 0 if endless else phase
    counted = phase >= 0 and (endless or phase < period)
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
        _zero(message)
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
        _zero(work.state32[start : start + 2 * width])
    elif node[KIND] == WIDE_LIF:
        _zero(work.state64[start : start + 2 * width])
    elif node[KIND] == SCAN:
        _zero(work.state64[start : start + node[STATES] * width])
    elif node[KIND] == READOUT:
        _zero(work.state64[start : start + width])


@kernel
def _zero(row: Array) -> None:
    for j in range(len(row)):
        row[j] = 0


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
    _zero(sums)
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
    """List the neurons whose flag is set: skip eight silent ones at a time, and write without asking (count <= j)."""
    count = 0
    for word in range(width >> 3):
        if work.flag_words[word] != 0:
            for k in range(8):
                message[count] = 8 * word + k
                count += work.flags[8 * word + k]
    for j in range(width & ~7, width):
        message[count] = j
        count += work.flags[j]
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
    """Write the message and the state of this step where `compiled` will look for them."""
    kind, width, states, base, start = node[KIND], node[WIDTH], node[STATES], node[PROBE] * period, node[STATE]
    row = probe[base + phase * width : base + (phase + 1) * width]
    for j in range(width):
        row[j] = 0 if node[SPIKES] else message[j]
    if node[SPIKES]:
        for k in range(sent):
            row[message[k]] = 1
    base += period * width
    variables = 2 if kind in (LIF, WIDE_LIF) else (1 if kind == READOUT else 0)
    for variable in range(variables):
        place = base + (variable * period + phase) * width
        for j in range(width):
            word = start + variable * width + j
            probe[place + j] = work.state32[word] if kind == LIF else work.state64[word]
    if kind == SCAN:
        place = base + phase * width * states
        for n in range(states):
            for d in range(width):
                probe[place + d * states + n] = work.state64[start + n * width + d]

"""Source: which lines of a run's input speak, listed once, and the node that sends them step by step."""

from __future__ import annotations

from ...jit import entry, kernel, unit
from ...nodes.arithmetic import Array
from .calls import call, read
from .laws import compact, nonzero
from .layout import COUNTS, KEEP, MASK, MESSAGES, SENT, SPIKES, UPDATES, WIDTH
from .state import add_output
from .synapses import clear


@entry
def list_lines(x: Array, graded: bool, flags: Array, words: Array, starts: Array, spoken: Array) -> None:
    """List the lines of x, int8 (samples, steps, lines), that are not zero; of values they are only counted.

    ``flags`` are a line's, in memory that ``words`` see eight at a time. ``spoken`` has room for one line more.
    """
    count = 0
    for sample in range(x.shape[0]):
        for t in range(x.shape[1]):
            starts[sample, t] = count
            if graded:
                count += nonzero(x[sample, t])
            else:
                _copy(flags, x[sample, t])
                count += compact(flags, words, spoken[count:], 0)
        starts[sample, x.shape[1]] = count


@unit
def send(at: object, sample: int, index: int, t0: int, t1: int, chunk: int, member: int, size: int) -> int:
    """Let the source send the lines of steps t0 to t1; beyond a sample's last step it says nothing."""
    known = read(at)
    work, lines, node = known.work, known.lines, known.tables.nodes[index]
    counter, output, endless = work.counters[index], known.output[sample], known.period == 0
    width, spikes, probed = node[WIDTH], node[SPIKES] != 0, known.probes.shape[1] > 0
    for t in range(t0, t1):
        slot, sent, inside = t & node[MASK], 0, endless or t < known.steps
        message = work.messages[node[MESSAGES] + slot * width : node[MESSAGES] + (slot + 1) * width]
        if inside:
            start = lines.starts[sample, t - lines.first]
            sent = lines.starts[sample, t - lines.first + 1] - start
            if spikes:
                _copy(message[:sent], lines.spoken[start : start + sent])
            else:
                _copy(message, lines.values[sample, t - lines.first])
        elif not spikes:
            clear(message)
        work.counts[node[COUNTS] + slot] = sent
        if endless or t < known.period:
            column = 0 if endless else t
            if inside:
                counter[UPDATES, column] += width
            counter[SENT, column] += sent
            if probed:
                call(known.tables.units[KEEP], at, (sample, index, slot, t, 0, width, sent))
        if index == known.tables.output and inside:
            add_output(spikes, message, 0, width, sent, output)
    return 0


@kernel
def _copy(row: Array, values: Array) -> None:
    for j in range(len(row)):
        row[j] = values[j]

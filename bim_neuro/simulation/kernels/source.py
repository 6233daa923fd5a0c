"""Source: which lines of a run's input speak, listed once, and the node that sends them step by step."""

from __future__ import annotations

from ...jit import entry, part
from ...nodes.arithmetic import Array
from .layer import add_output, compact, copy, keep, nonzero
from .layout import COUNTS, MASK, MESSAGES, SENT, SPIKES, UPDATES, WIDTH, Listed, Tables, Work
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
                copy(flags, x[sample, t])
                count += compact(flags, words, spoken[count:], 0)
        starts[sample, x.shape[1]] = count


@part
def send(
    tables: Tables, work: Work, lines: Listed, sample: int, output: Array, probe: Array, index: int,
    times: tuple[int, int], length: tuple[int, int, int],
) -> None:  # fmt: skip
    """Let the source send the lines of steps t0 to t1; beyond a sample's last step it says nothing."""
    steps, period, rows = length
    node, counter, endless = tables.nodes[index], work.counters[index], period == 0
    width, spikes = node[WIDTH], node[SPIKES]
    for t in range(times[0], times[1]):
        slot, sent, inside = t & node[MASK], 0, endless or t < steps
        message = work.messages[node[MESSAGES] + slot * width : node[MESSAGES] + (slot + 1) * width]
        if inside:
            start = lines.starts[sample, t - lines.first]
            sent = lines.starts[sample, t - lines.first + 1] - start
            if spikes:
                copy(message[:sent], lines.spoken[start : start + sent])
            else:
                copy(message, lines.values[sample, t - lines.first])
        elif not spikes:
            clear(message)
        work.counts[node[COUNTS] + slot] = sent
        if endless or t < period:
            column = 0 if endless else t
            if inside:
                counter[UPDATES, column] += width
            counter[SENT, column] += sent
            if len(probe):
                keep(work, node, message, 0, width, sent, probe, rows, t % rows)
        if index == tables.output and inside:
            add_output(spikes, message, 0, width, sent, output)

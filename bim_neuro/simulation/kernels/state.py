"""State: what a sample begins with, and what is kept of a step for those who probe it."""

from __future__ import annotations

from ...jit import kernel, part, unit
from ...nodes.arithmetic import Array
from .calls import read
from .cuba import begin as begin_cuba
from .layout import (
    CUBA,
    KIND,
    LIF,
    MESSAGES,
    NARROW,
    NARROW_READOUT,
    PITCH,
    PLANE_LIF,
    PROBE,
    READOUT,
    SCAN,
    SPIKES,
    STATE,
    STATES,
    WIDE_LIF,
    WIDE_SCAN,
    WIDTH,
    WORDS,
    Tables,
    Work,
)
from .synapses import clear


@part
def begin_sample(tables: Tables, work: Work, node: Array, first: int, last: int) -> None:
    """Set the state of a slice of neurons to what a sample begins with."""
    kind, pitch, start = node[KIND], node[PITCH], node[STATE]
    for row in range(node[STATES] if kind in (SCAN, WIDE_SCAN) else _variables(kind)):
        begin, end = start + row * pitch + first, start + row * pitch + last
        if node[NARROW]:
            clear(work.state32[begin:end])
        else:
            clear(work.state64[begin:end])
    if kind == CUBA:
        v = work.state64[start + pitch + first : start + pitch + last]
        begin_cuba(tables.words64[node[WORDS] :], v, node[WIDTH], first)


@kernel
def _variables(kind: int) -> int:
    """Return how many variables of one value a neuron a state has; those of a scan are not counted."""
    if kind == CUBA:
        return 3
    return 2 if kind in (LIF, WIDE_LIF) else (1 if kind in (READOUT, NARROW_READOUT, PLANE_LIF) else 0)


@kernel
def add_output(spikes: bool, message: Array, first: int, last: int, sent: int, output: Array) -> None:
    """Add a message to the output of a sample: spikes are counted."""
    if spikes:
        for k in range(first, first + sent):
            output[message[k]] += 1
    else:
        for j in range(first, last):
            output[j] += message[j]


@unit
def keep(at: object, sample: int, index: int, slot: int, phase: int, first: int, last: int, sent: int) -> int:
    """Write the message and the state of a step into a row of the probes, where `windows` will look for them."""
    known = read(at)
    node, work, probe, rows = known.tables.nodes[index], known.work, known.probes[sample], known.rows
    kind, width, states, base, start = node[KIND], node[WIDTH], node[STATES], node[PROBE] * rows, node[STATE]
    row = phase % rows
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
            probe[place + j] = _word(work, node, start + variable * node[PITCH] + j)
    if kind in (SCAN, WIDE_SCAN):
        place = base + row * width * states
        for n in range(states):
            for d in range(first, last):
                probe[place + d * states + n] = _word(work, node, start + n * node[PITCH] + d)
    return 0


@part
def _word(work: Work, node: Array, place: int) -> int:
    return int(work.state32[place]) if node[NARROW] else int(work.state64[place])

"""Build: an aligned integer graph becomes connected Lava processes.

Lava's own RingBuffer, Dense, DelayDense, Sparse, DelaySparse, Conv, LIFReset, GradedVec, GradedReluVec and ProdNeuron
are used (`parts`); relay, scan, readout and switch neuron are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi2SimCfg

from bim_neuro.compilers.to_lava import parts
from bim_neuro.compilers.to_lava.forms import PORTS, STATES, fits_conv
from bim_neuro.compilers.to_lava.processes.process import (
    LeakyReadout,
    MessageRecorder,
    RelayProcess,
    SelectiveScan,
    StateRecorder,
    SwitchNeuron,
)
from bim_neuro.compilers.to_lava.window import SampleWindow
from bim_neuro.errors import DoesNotFit, Finding
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import (
    Broadcast,
    Conv,
    Dense,
    Diagonal,
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Shifted,
    SomaWire,
    Source,
    Sparse,
    Synapse,
)
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode


@dataclass(frozen=True)
class LavaNetwork:
    """Connected processes by node name, synapses by edge name, and the number of steps to run.

    Start with ``network.processes["readout"].run(RunSteps(num_steps=network.steps), network.run_config)`` and end
    with ``.stop()`` in a ``finally``. A network can be run once, like all Lava processes.
    """

    processes: dict[str, AbstractProcess]
    synapses: dict[str, AbstractProcess]
    recorders: dict[str, AbstractProcess]
    steps: int
    run_config: Loihi2SimCfg


def build(graph: IntegerGraph, x: Array, record_to: Path | None = None, rest: int = 0) -> LavaNetwork:
    """Connect the processes that play encoded input x (samples, steps, channels), one sample after another.

    With ``record_to`` every message and every state is written to that folder, one .npy file each. ``rest`` is the
    number of idle steps between samples in addition to those the delays need.
    """
    samples, steps, _ = x.shape
    period = graph.period(steps) + rest
    total = samples * period + max(graph.depth.values())
    windows = {name: SampleWindow(graph.depth[name], steps, period) for name in graph.nodes}
    processes = {
        name: to_process(node, windows[name], name) if name != graph.source else parts.play_input(x, period, total)
        for name, node in graph.nodes.items()
    }
    synapses: dict[str, AbstractProcess] = {}
    for edge in graph.edges:
        sent, received = processes[edge.source].s_out, getattr(processes[edge.target], PORTS[edge.port])
        if isinstance(edge.synapse, SomaWire):
            sent.connect(received)
            continue
        for name, synapse in _synapses(edge, graph.nodes[edge.source].message_bits):
            parts.join(sent, synapse, received)
            synapses[name] = synapse
    recorders = _record(graph, processes, record_to, total) if record_to else {}
    return LavaNetwork(processes, synapses, recorders, total, Loihi2SimCfg(select_tag="fixed_pt"))


def _synapses(edge: Edge, message_bits: int) -> Iterator[tuple[str, AbstractProcess]]:
    """Yield the processes of an edge by name: one, or one for each exponent of its weights."""
    if not isinstance(edge.synapse, Shifted):
        yield edge.name, to_synapse(edge.synapse, edge, message_bits)
        return
    for exponent in edge.synapse.exponents:
        group = edge.synapse.group(exponent)
        rows = (group.data, group.indices, group.indptr, group.shape[1])
        yield f"{edge.name} 2^{exponent}", parts.sparse(*rows, edge.delay, message_bits, exponent)


def _record(
    graph: IntegerGraph, processes: dict[str, AbstractProcess], folder: Path, total: int
) -> dict[str, AbstractProcess]:
    recorders: dict[str, AbstractProcess] = {}
    for name, node in graph.nodes.items():
        process = processes[name]
        key = f"{name}.message"
        recorders[key] = MessageRecorder((node.neurons,), folder / f"{key}.npy", total)
        process.s_out.connect(recorders[key].a_in)
        for state in STATES.get(node.kind, ()):
            key = f"{name}.{state}"
            recorders[key] = StateRecorder(getattr(process, state), folder / f"{key}.npy", total)
    return recorders


@singledispatch
def to_process(node: IntegerNode, window: SampleWindow, name: str) -> AbstractProcess:
    """Return the Lava process of a node; a node that Lava cannot run is refused with its name."""
    message = f"layer '{name}': the lava backend has no process for {type(node).__name__}"
    raise DoesNotFit([Finding("lava-process", name, message)])


@to_process.register
def _(node: IntegerRelay, window: SampleWindow, name: str) -> AbstractProcess:
    return RelayProcess(node, window, name)


@to_process.register
def _(node: IntegerScan, window: SampleWindow, name: str) -> AbstractProcess:
    return SelectiveScan(node, window, name)


@to_process.register
def _(node: IntegerReadout, window: SampleWindow, name: str) -> AbstractProcess:
    return LeakyReadout(node, window, name)


@to_process.register
def _(node: IntegerCuba, window: SampleWindow, name: str) -> AbstractProcess:
    return SwitchNeuron(node, window, name)


@to_process.register
def _(node: IntegerLIF, window: SampleWindow, name: str) -> AbstractProcess:
    constants = (node.size, node.du, node.dv, node.v_threshold, node.bias_mant, node.bias_exp)
    return parts.lif(*constants, reset_interval=window.period, reset_offset=window.depth + 1)


@to_process.register
def _(node: IntegerGraded, window: SampleWindow, name: str) -> AbstractProcess:
    return parts.graded(node.size, node.rectify, node.v_threshold)


@to_process.register
def _(node: IntegerProd, window: SampleWindow, name: str) -> AbstractProcess:
    return parts.product(node.size, node.shift, node.v_threshold)


@to_process.register
def _(node: Source, window: SampleWindow, name: str) -> AbstractProcess:
    message = f"layer '{name}': a source in the middle of a graph cannot run on Lava"
    raise DoesNotFit([Finding("lava-process", name, message)])


@singledispatch
def to_synapse(synapse: Synapse, edge: Edge, message_bits: int) -> AbstractProcess:
    """Return the Lava process of a synapse."""
    message = f"synapse '{edge.name}': the lava backend has no process for {type(synapse).__name__}"
    raise DoesNotFit([Finding("lava-process", edge.target, message)])


@to_synapse.register
def _(synapse: Dense, edge: Edge, message_bits: int) -> AbstractProcess:
    return parts.dense(synapse.weight, edge.delay, message_bits)


@to_synapse.register
def _(synapse: Broadcast, edge: Edge, message_bits: int) -> AbstractProcess:
    return parts.dense(np.eye(synapse.size, dtype=np.int32), edge.delay, message_bits)


@to_synapse.register
def _(synapse: Diagonal, edge: Edge, message_bits: int) -> AbstractProcess:
    return parts.diagonal(synapse.weight, edge.delay, message_bits)


@to_synapse.register
def _(synapse: Sparse, edge: Edge, message_bits: int) -> AbstractProcess:
    return parts.sparse(synapse.weight, synapse.column, synapse.start, synapse.pre, edge.delay, message_bits)


@to_synapse.register
def _(synapse: Conv, edge: Edge, message_bits: int) -> AbstractProcess:
    """Lava's Conv turns its kernel round; where it cannot be used, Lava's Sparse takes the same weights one by one."""
    top, _, left, _ = synapse.padding
    if edge.delay or not fits_conv(synapse, message_bits):
        return to_synapse(synapse.unrolled(), edge, message_bits)
    steps = (synapse.stride, (top, left), synapse.dilation)
    return parts.conv(synapse.weight, synapse.grid, *steps, synapse.groups, message_bits)

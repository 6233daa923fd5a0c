"""Build a plastic block with its trace process, or with a teacher that updates its weights; results are recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lava.magma.core.process.process import AbstractProcess

from bim_neuro.compilers.to_lava.build import LavaNetwork, build, to_synapse
from bim_neuro.compilers.to_lava.forms import PORTS
from bim_neuro.compilers.to_lava.processes.process import MessageRecorder, StateRecorder
from bim_neuro.compilers.to_lava.processes.traces import PlasticDense, Teacher, TraceWords, variable
from bim_neuro.compilers.to_lava.window import SampleWindow
from bim_neuro.graph import Edge
from bim_neuro.nodes import Broadcast, Dense
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.trace_process.block import PlasticBlock
from bim_neuro.plasticity.trace_process.law import NAMES
from bim_neuro.plasticity.trace_process.learner import TraceLearner


def build_traces(block: PlasticBlock, x: Array, record_to: Path) -> LavaNetwork:
    """Connect the block's graph to play x (samples, T, lines), and the trace process to all inputs of its scan."""
    graph, network = block.graph, build(block.graph, x)
    window = SampleWindow(graph.depth[block.scan], x.shape[1], graph.period(x.shape[1]))
    traces = TraceWords(block.process, block.omega, graph.nodes[block.x].neurons, window)
    _listen(block, network, traces)
    recorders: dict[str, AbstractProcess] = {
        name: StateRecorder(getattr(traces, variable(name)), record_to / f"{name}.npy", network.steps) for name in NAMES
    }
    for name, port in {"spikes": traces.s_out, "answer": network.processes[block.readout].s_out}.items():
        recorders[name] = _record(port, record_to / f"{name}.npy", network.steps)
    return replace(network, processes={**network.processes, "traces": traces}, recorders=recorders)


def build_lesson(learner: TraceLearner, x: Array, y: Array, record_to: Path) -> LavaNetwork:
    """Connect the block's graph with plastic dense synapses, and a teacher; every weight of every step is recorded.

    A sample begins after the update of the previous one has reached the synapses.
    """
    block, steps = learner.block, x.shape[1]
    plastic = set(block.edges.values())
    edges = [replace(e, synapse=_Plastic(e.synapse.weight)) if e.name in plastic else e for e in block.graph.edges]  # type: ignore[attr-defined]
    graph = replace(block.graph, edges=tuple(edges))
    rest = graph.depth[block.readout] + 1
    network, period = build(graph, x, rest=rest), graph.period(steps) + rest
    window, answers = (SampleWindow(graph.depth[name], steps, period) for name in (block.scan, block.readout))
    teacher = Teacher(learner, y, window, answers, record_to)
    _listen(block, network, teacher)
    network.processes[block.readout].s_out.connect(teacher.answer_in)
    recorders: dict[str, AbstractProcess] = {}
    for group, name in block.edges.items():
        synapse = network.synapses[name]
        getattr(teacher, f"d{group}_out").connect(synapse.dw_in)
        recorders[group] = StateRecorder(synapse.weights, record_to / f"{group}.npy", network.steps)
    return replace(network, processes={**network.processes, "teacher": teacher}, recorders=recorders)


@dataclass(frozen=True)
class _Plastic(Dense):
    """Dense weights that change while they run."""


@to_synapse.register
def _(synapse: _Plastic, edge: Edge, message_bits: int) -> AbstractProcess:
    return PlasticDense(synapse.weight.astype("int32"), edge.delay)


def _listen(block: PlasticBlock, network: LavaNetwork, traces: TraceWords) -> None:
    """Connect to the traces all inputs of the scan, and the block's input so that it arrives with dt of its step."""
    for edge in block.graph.into(block.scan):
        network.synapses[edge.name].a_out.connect(getattr(traces, PORTS[edge.port]))
    source = block.graph.nodes[block.x]
    gate = next(edge for edge in block.graph.edges if edge.name == block.edges["w_dt"])
    copy = to_synapse(Broadcast(source.neurons, source.neurons), gate, source.message_bits)
    network.processes[block.x].s_out.connect(copy.s_in)
    copy.a_out.connect(traces.x_in)


def _record(port: Any, file: Path, steps: int) -> MessageRecorder:
    recorder = MessageRecorder(port.shape, file, steps)
    port.connect(recorder.a_in)
    return recorder

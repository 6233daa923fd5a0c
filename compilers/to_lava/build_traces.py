"""Build a plastic block with its trace process beside it, and a recorder for every trace and for the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lava.magma.core.process.process import AbstractProcess

from bim_neuro.compilers.to_lava.build import PORTS, LavaNetwork, build, to_synapse
from bim_neuro.compilers.to_lava.processes.process import MessageRecorder, StateRecorder
from bim_neuro.compilers.to_lava.processes.trace_process import TraceWords, variable
from bim_neuro.compilers.to_lava.window import Window
from bim_neuro.nodes import Broadcast
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.learner import PlasticBlock
from bim_neuro.plasticity.trace_process import NAMES


def build_traces(block: PlasticBlock, x: Array, record_to: Path) -> LavaNetwork:
    """Connect the block's graph to play x (samples, T, lines), and the trace process to all that its scan hears."""
    graph, network = block.graph, build(block.graph, x)
    gate = next(edge for edge in graph.edges if edge.name == block.edges["w_dt"])
    window = Window(graph.depth[gate.target], x.shape[1], graph.period(x.shape[1]))
    lines = graph.nodes[block.x].neurons
    traces = TraceWords(block.process, block.omega, lines, window, "traces")
    for edge in graph.into(gate.target):
        network.synapses[edge.name].a_out.connect(getattr(traces, PORTS[edge.port]))
    copy = to_synapse(Broadcast(lines, lines), gate, graph.nodes[block.x].message_bits)
    network.processes[block.x].s_out.connect(copy.s_in)
    copy.a_out.connect(traces.x_in)
    recorders: dict[str, AbstractProcess] = {
        name: StateRecorder(getattr(traces, variable(name)), record_to / f"{name}.npy", network.steps) for name in NAMES
    }
    for name, port in {"spikes": traces.s_out, "answer": network.processes[block.readout].s_out}.items():
        recorders[name] = _record(port, record_to / f"{name}.npy", network.steps)
    return replace(network, processes={**network.processes, "traces": traces}, recorders=recorders)


def _record(port: Any, file: Path, steps: int) -> MessageRecorder:
    recorder = MessageRecorder(port.shape, file, steps)
    port.connect(recorder.a_in)
    return recorder

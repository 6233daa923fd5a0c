"""Build: an aligned integer graph becomes connected Lava processes.

Lava's own RingBuffer, Dense, DelayDense, Sparse, DelaySparse, Conv and LIFReset are used; relay, scan, readout and
switch neuron are ours. Weights are passed doubled with ``weight_exp = -1``: Lava drops the lowest bit of mixed-sign
weights, so the effective weights are exactly our int8; its Conv takes them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv as LavaConv
from lava.proc.dense.process import DelayDense
from lava.proc.dense.process import Dense as LavaDense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import DelaySparse
from lava.proc.sparse.process import Sparse as LavaSparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

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
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    SomaWire,
    Source,
    Sparse,
    Synapse,
)
from bim_neuro.nodes.arithmetic import WORD_MAX, Array
from bim_neuro.nodes.node import IntegerNode

PORTS = {"u": "u_in", "dt": "dt_in", "B": "b_in", "C": "c_in", "a": "a_in", "high": "high_in", "i": "a_in"}
_CONV_FIELD = 127  # the fields of Lava's Conv are int8
_STATES = {"scan": ("h",), "lif": ("u", "v"), "cuba": ("u", "v", "n"), "readout": ("v",)}


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
        name: to_process(node, windows[name], name) if name != graph.source else _player(x, period, total)
        for name, node in graph.nodes.items()
    }
    synapses: dict[str, AbstractProcess] = {}
    for edge in graph.edges:
        sent, received = processes[edge.source].s_out, getattr(processes[edge.target], PORTS[edge.port])
        if isinstance(edge.synapse, SomaWire):
            sent.connect(received)
            continue
        synapse = to_synapse(edge.synapse, edge, graph.nodes[edge.source].message_bits)
        _join(sent, synapse, received)
        synapses[edge.name] = synapse
    recorders = _record(graph, processes, record_to, total) if record_to else {}
    return LavaNetwork(processes, synapses, recorders, total, Loihi2SimCfg(select_tag="fixed_pt"))


def _join(sent: OutPort, synapse: AbstractProcess, received: InPort) -> None:
    """Connect both ends; Lava's Conv counts its neurons by column, row, channel, all others by channel, row, column."""
    if not isinstance(synapse, LavaConv):
        sent.connect(synapse.s_in)
        synapse.a_out.connect(received)
        return
    columns, rows, channels = synapse.input_shape
    sent.reshape((channels, rows, columns)).transpose((2, 1, 0)).connect(synapse.s_in)
    synapse.a_out.transpose((2, 1, 0)).flatten().connect(received)


def _player(x: Array, period: int, total: int) -> RingBuffer:
    samples, steps, channels = x.shape
    stream = np.zeros((samples, period, channels), dtype=np.int32)
    stream[:, :steps] = x
    padded = np.zeros((total, channels), dtype=np.int32)
    padded[: samples * period] = stream.reshape(-1, channels)
    return RingBuffer(data=padded.T.copy())


def _record(
    graph: IntegerGraph, processes: dict[str, AbstractProcess], folder: Path, total: int
) -> dict[str, AbstractProcess]:
    recorders: dict[str, AbstractProcess] = {}
    for name, node in graph.nodes.items():
        process = processes[name]
        key = f"{name}.message"
        recorders[key] = MessageRecorder((node.neurons,), folder / f"{key}.npy", total)
        process.s_out.connect(recorders[key].a_in)
        for state in _STATES.get(node.kind, ()):
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
    return LIFReset(
        shape=(node.size,),
        du=node.du,
        dv=node.dv,
        vth=node.v_threshold,
        bias_mant=node.bias_mant.astype(np.int32),
        bias_exp=node.bias_exp,
        reset_interval=window.period,
        reset_offset=window.depth + 1,
    )


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
    return _dense(synapse.weight, edge.delay, message_bits)


@to_synapse.register
def _(synapse: Broadcast, edge: Edge, message_bits: int) -> AbstractProcess:
    return _dense(np.eye(synapse.size, dtype=np.int32), edge.delay, message_bits)


@to_synapse.register
def _(synapse: Diagonal, edge: Edge, message_bits: int) -> AbstractProcess:
    indices = np.arange(len(synapse.weight))
    entries = (2 * synapse.weight.astype(np.int32), (indices, indices))
    return _sparse(csr_matrix(entries, shape=(len(indices), len(indices))), edge.delay, message_bits)


@to_synapse.register
def _(synapse: Sparse, edge: Edge, message_bits: int) -> AbstractProcess:
    entries = (2 * synapse.weight.astype(np.int32), synapse.column, synapse.start)
    return _sparse(csr_matrix(entries, shape=(synapse.post, synapse.pre)), edge.delay, message_bits)


@to_synapse.register
def _(synapse: Conv, edge: Edge, message_bits: int) -> AbstractProcess:
    """Lava's Conv turns its kernel round; where it cannot be used, Lava's Sparse takes the same weights one by one."""
    top, _, left, _ = synapse.padding
    if edge.delay or not _fits_conv(synapse, message_bits):
        return to_synapse(synapse.unrolled(), edge, message_bits)
    return LavaConv(
        weight=synapse.weight.astype(np.int32).transpose(0, 3, 2, 1)[:, ::-1, ::-1].copy(),
        input_shape=synapse.grid[::-1],
        padding=(left, top),
        stride=synapse.stride[::-1],
        dilation=synapse.dilation[::-1],
        groups=synapse.groups,
        num_message_bits=0 if message_bits == 1 else message_bits,
    )


def _fits_conv(conv: Conv, message_bits: int) -> bool:
    """Whether Lava's Conv, which pads both sides alike, has this geometry and no sum wraps beyond its 24 bits."""
    top, _, left, _ = conv.padding
    even = min(top, left) >= 0 and replace(conv, padding=(top, top, left, left)).out == conv.out
    fields = (*conv.stride, *conv.dilation, conv.groups, top, left, *conv.weight.shape[2:])
    sums = np.abs(conv.weight.astype(np.int64)).sum(axis=(1, 2, 3))
    return even and max(fields) <= _CONV_FIELD and int(sums.max()) << (message_bits - 1) <= WORD_MAX


def _sparse(weights: csr_matrix, delay: int, message_bits: int) -> AbstractProcess:
    common = _common(message_bits) | {"weights": weights}
    if not delay:
        return LavaSparse(**common)
    delays = weights.copy()
    delays.data = np.full(weights.nnz, delay, dtype=int)
    return DelaySparse(delays=delays, **common)


def _dense(weight: Array, delay: int, message_bits: int) -> AbstractProcess:
    common = _common(message_bits) | {"weights": 2 * weight.astype(np.int32)}
    return DelayDense(delays=np.full(weight.shape, delay), **common) if delay else LavaDense(**common)


def _common(message_bits: int) -> dict[str, Any]:
    return {
        "weight_exp": -1,
        "num_weight_bits": 8,
        "sign_mode": SignMode.MIXED,
        "num_message_bits": 0 if message_bits == 1 else message_bits,
    }

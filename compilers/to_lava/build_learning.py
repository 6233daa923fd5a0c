"""Build a learning circuit: connected Lava processes and a recorder for every spike, weight, tag and trace."""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense, LearningDense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.utils.weightutils import SignMode

from bim_neuro.compilers.to_lava.build import LavaNetwork
from bim_neuro.compilers.to_lava.processes.plastic_process import (
    ErrorNeuronProcess,
    PlasticLIFProcess,
    SelectiveChannelProcess,
)
from bim_neuro.compilers.to_lava.processes.process import MessageRecorder, StateRecorder
from bim_neuro.compilers.to_lava.rules import to_lava_rule
from bim_neuro.errors import DoesNotFit, Finding
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.circuit import Circuit
from bim_neuro.plasticity.neurons import ErrorNeuron, PlainLIF, PlasticLIF, PostNeuron, SelectiveChannel

_COMMON: dict[str, Any] = {"weight_exp": -1, "num_weight_bits": 8, "sign_mode": SignMode.MIXED}
_GRADED_BITS = 24
_RECORDED = {"weights": "weights", "tags": "tag_1", "x1": "x1", "x2": "x2", "y1": "y1", "y2": "y2", "y3": "y3"}


def build_circuit(circuit: Circuit, record_to: Path, states: bool = True) -> LavaNetwork:
    """Connect the processes of a circuit; messages and, if asked for, states go to the folder, one .npy file each."""
    steps = len(circuit.x)
    post = to_post_process(circuit.post)
    plastic = _plastic(circuit)
    _player(circuit.x).s_out.connect(plastic.s_in)
    plastic.a_out.connect(_in(post, circuit.plastic_port))
    post.s_out.connect(plastic.s_in_bap)
    if circuit.post.external:
        for name in ("y1", "y2", "y3"):
            getattr(post, f"{name}_out").connect(getattr(plastic, f"s_in_{name}"))
    for port, stream in circuit.streams.items():
        _player(stream).s_out.connect(_in(post, port))
    messages = {"sums": plastic.a_out, "spikes": post.s_out}
    if circuit.loop:
        messages["error"] = _close_loop(circuit, post)
    recorders = {name: _record(port, record_to / f"{name}.npy", steps) for name, port in messages.items()}
    for name, state in _RECORDED.items() if states else ():
        recorders[name] = StateRecorder(getattr(plastic, state), record_to / f"{name}.npy", steps)
    return LavaNetwork({"readout": post}, {"plastic": plastic}, recorders, steps, Loihi2SimCfg(select_tag="fixed_pt"))


def _plastic(circuit: Circuit) -> AbstractProcess:
    tags = np.zeros(circuit.words.shape, np.int32) if circuit.tags is None else circuit.tags.astype(np.int32)
    rule = to_lava_rule(circuit.rule, circuit.seed)
    return LearningDense(weights=circuit.words.astype(np.int32), tag_1=tags, learning_rule=rule, **_COMMON)


def _close_loop(circuit: Circuit, post: AbstractProcess) -> Any:
    """Connect post neurons, readout and error; return the port the error is sent on."""
    loop = circuit.loop
    assert loop is not None
    error = to_post_process(loop.neuron)
    out = Dense(weights=2 * loop.w_out.astype(np.int32), num_message_bits=0, **_COMMON)
    back = Dense(weights=2 * loop.w_back.astype(np.int32), num_message_bits=_GRADED_BITS, **_COMMON)
    post.s_out.connect(out.s_in)
    out.a_out.connect(error.a_in)
    _player(loop.target).s_out.connect(error.target_in)
    _player(loop.gate).s_out.connect(error.gate_in)
    error.s_out.connect(back.s_in)
    back.a_out.connect(_in(post, "e"))
    return error.s_out


@singledispatch
def to_post_process(neuron: PostNeuron) -> AbstractProcess:
    """Return the Lava process of a postsynaptic neuron."""
    message = f"the lava backend has no process for {type(neuron).__name__}"
    raise DoesNotFit([Finding("lava-process", type(neuron).__name__, message)])


@to_post_process.register
def _(neuron: PlainLIF) -> AbstractProcess:
    lif = neuron.lif
    bias = {"bias_mant": lif.bias_mant.astype(np.int32), "bias_exp": lif.bias_exp}
    return LIF(shape=(lif.size,), du=lif.du, dv=lif.dv, vth=lif.v_threshold, **bias)


@to_post_process.register
def _(neuron: PlasticLIF) -> AbstractProcess:
    return PlasticLIFProcess(neuron)


@to_post_process.register
def _(neuron: SelectiveChannel) -> AbstractProcess:
    return SelectiveChannelProcess(neuron)


@to_post_process.register
def _(neuron: ErrorNeuron) -> AbstractProcess:
    return ErrorNeuronProcess(neuron)


def _in(post: AbstractProcess, port: str) -> Any:
    return post.a_in if isinstance(post, LIF) else getattr(post, f"{port.lower()}_in")


def _player(rows: Array) -> RingBuffer:
    return RingBuffer(data=rows.T.astype(np.int32).copy())


def _record(port: Any, file: Path, steps: int) -> MessageRecorder:
    recorder = MessageRecorder(port.shape, file, steps)
    port.connect(recorder.a_in)
    return recorder

"""Build a learning circuit: connected Lava processes and a recorder for every spike, weight, tag and trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, singledispatch
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
from bim_neuro.compilers.to_lava.plasticity.rules import to_lava_rule
from bim_neuro.compilers.to_lava.processes.learning_neurons import (
    ErrorNeuronProcess,
    PlasticLIFProcess,
    Rest,
    SelectiveChannelProcess,
)
from bim_neuro.compilers.to_lava.processes.process import MessageRecorder, StateRecorder
from bim_neuro.errors import DoesNotFit, Finding
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.learning_engine.circuit import Circuit
from bim_neuro.plasticity.learning_engine.compiled import FastSynapses
from bim_neuro.plasticity.learning_engine.learner import (
    HELD,
    EngineLearner,
    PlasticInput,
    block_spikes,
    readout_targets,
)
from bim_neuro.plasticity.learning_engine.neurons import ErrorNeuron, PlainLIF, PlasticLIF, PostNeuron, SelectiveChannel
from bim_neuro.plasticity.learning_engine.rule import POST_TRACES, LearningRule

_COMMON: dict[str, Any] = {"weight_exp": -1, "num_weight_bits": 8, "sign_mode": SignMode.MIXED}
_GRADED_BITS = 24
_RECORDED = {"weights": "weights", "tags": "tag_1", "x1": "x1", "x2": "x2", "y1": "y1", "y2": "y2", "y3": "y3"}


def build_circuit(circuit: Circuit, states: bool, record_to: Path) -> LavaNetwork:
    """Connect the processes of a circuit; messages and, with ``states``, states are written as .npy files."""
    steps = len(circuit.x)
    post = to_post_process(circuit.post)
    plastic = _plastic(circuit)
    _player(circuit.x).s_out.connect(plastic.s_in)
    plastic.a_out.connect(_in(post, circuit.plastic_port))
    _close(plastic, post, circuit.rule)
    for port, stream in circuit.streams.items():
        _player(stream).s_out.connect(_in(post, port))
    messages = {"sums": plastic.a_out, "spikes": post.s_out}
    if circuit.loop:
        messages["error"] = _close_loop(circuit, post)
    recorders = {name: _record(port, record_to / f"{name}.npy", steps) for name, port in messages.items()}
    for name, state in _RECORDED.items() if states else ():
        recorders[name] = StateRecorder(getattr(plastic, state), record_to / f"{name}.npy", steps)
    return LavaNetwork({"readout": post}, {"plastic": plastic}, recorders, steps, Loihi2SimCfg(select_tag="fixed_pt"))


def build_lesson(learner: EngineLearner, x: Array, y: Array, record_to: Path) -> LavaNetwork:
    """Connect the processes of an engine learner: plastic synapses of the channels and of the readout, and its error.

    x (samples, T, M) are spikes, y the classes; every spike, error, weight, tag and trace is recorded, those of
    synapses by names like 'w_u.weights'.
    """
    loop, gate = learner.loop, learner.gate(x.shape[1])
    rest = {group: Rest(len(gate), len(gate) + learner.gap, held) for group, held in HELD.items()}
    steps = len(x) * rest["w_o"].period
    spread = partial(_spread, active=len(gate), period=rest["w_o"].period)
    error = ErrorNeuronProcess(loop.neuron, rest["w_o"])
    aims = [np.tile(readout_targets(int(right), loop.neuron.neurons), (len(gate), 1)) for right in y]
    _player(spread(aims)).s_out.connect(error.target_in)
    _player(spread([np.repeat(gate[:, None], loop.neuron.neurons, axis=1)] * len(x))).s_out.connect(error.gate_in)
    synapses: dict[str, AbstractProcess] = {}
    if learner.inputs:
        hidden, synapses["w_u"] = _hidden(learner, learner.inputs, x, spread, rest["w_u"])
        back = Dense(weights=2 * loop.back.astype(np.int32), num_message_bits=_GRADED_BITS, **_COMMON)
        error.s_out.connect(back.s_in)
        back.a_out.connect(hidden.e_in)
    else:
        hidden = _player(spread([block_spikes(learner.block, learner.weights, sample)[0] for sample in x]))
    if learner.readout:
        synapses["w_o"] = _learning_dense(learner.readout)
        _close(synapses["w_o"], error, learner.readout.rule)
        readout = synapses["w_o"]
    else:
        readout = Dense(weights=2 * learner.weights["w_o"].astype(np.int32), num_message_bits=0, **_COMMON)
    hidden.s_out.connect(readout.s_in)
    readout.a_out.connect(error.a_in)
    messages = {"spikes": hidden.s_out, "errors": error.s_out}
    recorders = {name: _record(port, record_to / f"{name}.npy", steps) for name, port in messages.items()}
    for group, process in synapses.items():
        for name, state in _RECORDED.items():
            key = f"{group}.{name}"
            recorders[key] = StateRecorder(getattr(process, state), record_to / f"{key}.npy", steps)
    return LavaNetwork({"readout": error}, synapses, recorders, steps, Loihi2SimCfg(select_tag="fixed_pt"))


def _hidden(
    learner: EngineLearner, inputs: PlasticInput, x: Array, spread: Callable[[list[Array]], Array], rest: Rest
) -> tuple[AbstractProcess, AbstractProcess]:
    """Return the channels, and the plastic synapses into them."""
    post, plastic = SelectiveChannelProcess(inputs.channels.neuron, rest), _learning_dense(inputs.synapses)
    padded = [np.concatenate([row, np.zeros((rest.active - len(row), row.shape[1]), np.int64)]) for row in x]
    _player(spread(padded)).s_out.connect(plastic.s_in)
    plastic.a_out.connect(post.u_in)
    _close(plastic, post, inputs.synapses.rule)
    streams = [inputs.channels.streams(row) for row in padded]
    for port in streams[0]:
        _player(spread([stream[port] for stream in streams])).s_out.connect(_in(post, port))
    return post, plastic


def _close(plastic: AbstractProcess, post: AbstractProcess, rule: LearningRule) -> None:
    """Connect postsynaptic spikes and traces to the synapses; only external traces, or Lava would hang."""
    post.s_out.connect(plastic.s_in_bap)
    for name in POST_TRACES if rule.external else ():
        getattr(post, f"{name}_out").connect(getattr(plastic, f"s_in_{name}"))


def _spread(rows: list[Array], active: int, period: int) -> Array:
    """Put samples (steps, width) one after another, each at the start of its period and followed by zeros."""
    whole = np.zeros((len(rows), period, rows[0].shape[1]), np.int64)
    for place, row in zip(whole, rows, strict=True):
        place[: min(active, len(row))] = row[:active]
    return whole.reshape(-1, whole.shape[2])


def _learning_dense(synapses: FastSynapses) -> AbstractProcess:
    rule = to_lava_rule(synapses.rule, synapses.randoms.seed)
    words, tags = synapses.weights.astype(np.int32), synapses.tags.astype(np.int32)
    return LearningDense(weights=words, tag_1=tags, learning_rule=rule, **_COMMON)


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

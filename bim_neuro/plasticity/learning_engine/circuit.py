r"""A circuit that learns: input lines, plastic synapses, postsynaptic neurons, and an optional error loop.

    x ──plastic──> post ──w_out──> error neuron <── target, gate
                     ^ e               |
                     └──────w_back─────┘

A plastic or static synapse delivers one step after the spike; the learning engine reads spikes and traces of the same
step. `compilers.to_lava.plasticity` runs the same circuit on Lava.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import InputError
from ...nodes.arithmetic import Array
from .law import PlasticSynapses
from .neurons import ErrorNeuron, PostNeuron
from .randoms import randoms
from .rule import LearningRule


@dataclass(frozen=True)
class ErrorLoop:
    """``w_out`` (classes, post) and ``w_back`` (post, classes) int8, ``target`` and ``gate`` (steps, classes)."""

    neuron: ErrorNeuron
    w_out: Array
    w_back: Array
    target: Array
    gate: Array


@dataclass(frozen=True)
class Circuit:
    """``x`` (steps, pre) of 0 and 1; ``words`` (post, pre) plastic weights in half units of an int8 weight.

    ``streams`` are external inputs of the post neuron's other ports, (steps, width) each; the port ``e`` has no stream
    if a loop feeds it.
    """

    x: Array
    rule: LearningRule
    words: Array
    post: PostNeuron
    streams: Mapping[str, Array] = field(default_factory=dict)
    loop: ErrorLoop | None = None
    tags: Array | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule.external != self.post.external:
            raise InputError(f"the rule and {type(self.post).__name__} disagree on where y1 to y3 are kept")
        fed = {*self.streams, self.plastic_port, *(("e",) if self.loop else ())}
        if fed != set(self.post.ports):
            raise InputError(f"the post neuron reads {sorted(self.post.ports)}, the circuit feeds {sorted(fed)}")

    @property
    def plastic_port(self) -> str:
        return next(iter(self.post.ports))


Recording = dict[str, Array]


def run_circuit(
    circuit: Circuit, mode: str = "synapse", engine: Callable[..., PlasticSynapses] = PlasticSynapses
) -> Recording:
    """Run in numpy; return every step's spikes, sums, weights, tags, x1, x2, y1 to y3, and the errors of a loop."""
    plastic = engine(circuit.rule, circuit.words, randoms(mode, circuit.seed), tags=circuit.tags)
    post, loop = circuit.post, circuit.loop
    state, sums = post.initial(), np.zeros(post.neurons, np.int64)
    error_state = loop.neuron.initial() if loop else {}
    out: Array = np.zeros(loop.neuron.neurons if loop else 0, np.int64)
    back: Array = np.zeros(post.neurons, np.int64)
    rows: dict[str, list[Array]] = {}
    for t, x in enumerate(circuit.x):
        inputs = {name: stream[t] for name, stream in circuit.streams.items()} | {circuit.plastic_port: sums}
        emitted = post.step(state, inputs | ({"e": back} if loop else {}), t)
        state, row = emitted.state, {"sums": sums, "spikes": emitted.message}
        sums = plastic.step(x, emitted.message, emitted.y if post.external else None)
        if loop:
            wrong = loop.neuron.step(error_state, {"a": out, "target": loop.target[t], "gate": loop.gate[t]}, t)
            error_state, row["error"] = wrong.state, wrong.message
            out, back = loop.w_out @ emitted.message, loop.w_back @ wrong.message
        row |= {"weights": plastic.weights, "tags": plastic.tags}
        row |= {f"x{i + 1}": trace for i, trace in enumerate(plastic.x)}
        row |= {f"y{i + 1}": trace for i, trace in enumerate(plastic.y)}
        for name, value in row.items():
            rows.setdefault(name, []).append(np.array(value))
    return {name: np.stack(values) for name, values in rows.items()}

r"""Engine learner: runs samples through the learning engine's circuit; plastic weights change step by step.

    x ──w_u──> block ──w_o──> error neuron <── target, gate         w_o: three-factor; w_u: rtrl, hybrid or stdp
                 ^ e               |
                 └─────w_back──────┘

The target (TARGET for the right class; the others share -TARGET, so that the errors of a silent readout add up to 0) is
applied while the readout receives the sample, and the error is sent in every ``stride``-th of these steps, the last one
included. Neurons begin a sample at rest, as in every run; traces and tags of the learning engine cannot be cleared, so
a silent ``gap`` follows in which presynaptic traces decay, and the held channels send y2 = 127, which empties the tags.
The answer to a sample is computed with the int8 weights before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ...graph import IntegerGraph
from ...nodes.arithmetic import WORD_MAX, Array
from ..record import LearnRecord, Rate
from ..trace_process.block import PlasticBlock, check_stream
from ..trace_process.kernel import play
from ..trace_process.parameters import Weights
from .compiled import FastSynapses
from .law import WORDS_A_WEIGHT
from .neurons import ErrorNeuron, SelectiveChannel
from .rule import SIGN_OFFSET, TRACE_MAX

TARGET = (WORD_MAX + 1) >> 3
"""Target value of a readout: a quarter to a half of the largest value in calibration, with headroom to grow."""
HELD = {"w_u": (SIGN_OFFSET, TRACE_MAX, SIGN_OFFSET), "w_o": (SIGN_OFFSET, SIGN_OFFSET, SIGN_OFFSET)}
"""What channels and readout send as y1 to y3 between samples."""


@dataclass(frozen=True)
class Loop:
    """The error neuron, the steps in which it sends, and w_back (D, C) int8."""

    neuron: ErrorNeuron
    stride: int
    back: Array

    def gate(self, steps: int, first: int) -> Array:
        """Return whether the error is sent in each of first + steps steps; the readout has input from ``first`` on."""
        heard = np.arange(first + steps) - first
        return np.asarray((heard >= 0) & ((steps - 1 - heard) % self.stride == 0))


class Channels(Protocol):
    """Channels after plastic synapses and their inputs, as `compilers.plasticity.channel.PlasticChannel`."""

    @property
    def neuron(self) -> SelectiveChannel: ...

    def streams(self, x: Array) -> dict[str, Array]: ...


@dataclass(frozen=True)
class PlasticInput:
    """The plastic w_u: its channels, its synapses, and the int8 scale of its weights per channel, (D,)."""

    channels: Channels
    synapses: FastSynapses
    weights_a_word: Array
    words: Array = field(init=False)  # at the beginning

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", np.array(self.synapses.weights, np.int64))

    def weights(self, before: Array, limit: int) -> Array:
        """Return the int8 weights: the old ones plus the change of the plastic weights."""
        moved = (self.synapses.weights - self.words) * self.weights_a_word[:, None]
        return np.asarray(np.clip(before + np.rint(moved).astype(np.int64), -limit, limit))


class EngineLearner:
    """Learn on samples one after another, as `learner.Learner` does, with the learning engine's integers.

    ``inputs`` are None where w_u stands still, ``readout`` where w_o does. ``rates``: what the rule compiler got.
    """

    def __init__(
        self, block: PlasticBlock, loop: Loop, gap: int, rates: dict[str, Rate],
        inputs: PlasticInput | None = None, readout: FastSynapses | None = None,
    ) -> None:  # fmt: skip
        self.block, self.loop, self.gap, self.rates = block, loop, gap, rates
        self.inputs, self.readout = inputs, readout
        self._first = block.weights()
        self._time = 0  # noise differs in every step of the run
        self._loss = 0  # values that saturated in the channels

    @property
    def weights(self) -> dict[str, Array]:
        """The current int8 weights by group; half a unit rounds up."""
        limit, weights = self.block.plasticity.weight_limit, dict(self._first)
        if self.inputs:
            weights["w_u"] = self.inputs.weights(weights["w_u"], limit)
        if self.readout:
            weights["w_o"] = np.clip((self.readout.weights.astype(np.int64) + 1) // WORDS_A_WEIGHT, -limit, limit)
        return weights

    def graph(self) -> IntegerGraph:
        """Return the integer graph with the weights as they are now."""
        return self.block.with_weights(self.weights)

    def run(self, x: Array, y: Array, *, progress: Callable[[int], None] | None = None) -> LearnRecord:
        """Learn on x (samples, T, M), what the block reads, and classes y (samples,)."""
        check_stream(self.block, x, y)
        record = LearnRecord(np.zeros(len(x), bool))
        for index, (sample, target) in enumerate(zip(x, y, strict=True)):
            spikes, output = block_spikes(self.block, self.weights, sample)
            record.correct[index] = output.argmax() == target
            self._play(np.asarray(sample, np.int64), spikes, int(target))
            if progress:
                progress(1)
        for group, synapses in self.plastic.items():
            counts = synapses.counts
            record.updates[group], record.changed[group] = counts.updates, counts.changed
            record.clipped[group] = counts.saturated_weights
            record.saturated += counts.saturated_tags + counts.saturated_traces
        record.saturated += self._loss
        return record

    @property
    def plastic(self) -> dict[str, FastSynapses]:
        """The synapses of each group that learns."""
        groups = {"w_u": self.inputs and self.inputs.synapses, "w_o": self.readout}
        return {group: synapses for group, synapses in groups.items() if synapses}

    def gate(self, steps: int) -> Array:
        """Return whether the error is sent, for every step of a sample and those in which it is still heard."""
        late = 1 if self.inputs else 0  # a spike of w_u's lines acts a step later
        return self.loop.gate(steps, late + 1)

    def _play(self, sample: Array, frozen: Array, target: int) -> None:
        """Run one sample and the gap; ``frozen`` (T, D) are the block's spikes where w_u stands still."""
        steps, gate = len(sample), self.gate(len(sample))
        pad = np.zeros((len(gate) - steps, sample.shape[1]), np.int64)
        hidden = _Hidden(self, np.concatenate([sample, pad]), frozen)
        neuron = self.loop.neuron
        aims = readout_targets(target, neuron.neurons)
        state = neuron.initial()
        heard: Array = np.zeros(neuron.neurons, np.int64)
        back: Array = np.zeros(len(frozen[0]), np.int64)
        static = self._first["w_o"]
        for t, speaks in enumerate(gate):
            spikes = hidden.step(t, back)
            error = neuron.step(state, {"a": heard, "target": aims, "gate": np.full(len(aims), int(speaks))}, t)
            state, back = error.state, self.loop.back @ error.message
            heard = self.readout.step(spikes, error.message, error.y) if self.readout else static @ spikes
        self._loss += hidden.saturated
        self._time += len(gate)
        self._rest()

    def _rest(self) -> None:
        """Run the silent gap: traces decay and tags become 0."""
        for group, synapses in self.plastic.items():
            post, pre = synapses.weights.shape
            held = np.repeat(np.array(HELD[group])[:, None], post, axis=1)
            for _ in range(self.gap):
                synapses.step(np.zeros(pre), np.zeros(post), held)


class _Hidden:
    """The block during one sample: its recorded spikes, or channels after plastic synapses."""

    def __init__(self, learner: EngineLearner, x: Array, frozen: Array) -> None:
        self.inputs, self.time, self.x, self.saturated = learner.inputs, learner._time, x, 0
        self.frozen = np.concatenate([frozen, np.zeros((len(x) - len(frozen), frozen.shape[1]), np.int64)])
        if self.inputs:
            self.streams, self.state = self.inputs.channels.streams(x), self.inputs.channels.neuron.initial()
            self.sums = np.zeros(frozen.shape[1], np.int64)

    def step(self, t: int, back: Array) -> Array:
        """Return the spikes (D,) of step t; ``back`` (D,) is the learning signal from w_back."""
        if not self.inputs:
            return np.asarray(self.frozen[t])
        arrived = {name: stream[t] for name, stream in self.streams.items()} | {"u": self.sums, "e": back}
        emitted = self.inputs.channels.neuron.step(self.state, arrived, self.time + t)
        self.state, self.saturated = emitted.state, self.saturated + emitted.saturated
        self.sums = self.inputs.synapses.step(self.x[t], emitted.message, emitted.y)
        return emitted.message


def readout_targets(right: int, classes: int) -> Array:
    """Return the target of the readout, (classes,)."""
    return np.asarray(np.where(np.arange(classes) == right, TARGET, -TARGET // max(classes - 1, 1)))


def block_spikes(block: PlasticBlock, weights: dict[str, Array], sample: Array) -> tuple[Array, Array]:
    """Return the block's spikes (T, D) on a sample (T, M) and the readout's sum (C,), for these int8 weights."""
    steps = len(sample)
    spikes, psis = (np.zeros((steps, block.process.channels), np.int64) for _ in range(2))
    output = np.zeros(len(weights["w_o"]), np.int64)
    x = np.ascontiguousarray(sample, np.int64)
    play(block.parameters, Weights(**weights), x, block.traces(), 0, steps, spikes, psis, output)  # no trace moves
    return spikes, output

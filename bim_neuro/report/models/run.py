"""Results of a run: each layer's counts, NeuroBench, accuracy, agreement with float, comparison with a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .parts import Amount, Backend, Count, Judge, Law, Range, Share, Some
from .says import Unit


@dataclass(frozen=True)
class Layer:
    """A node of the program; its counts are totals over the samples of the run."""

    name: Annotated[str, "The node, as block1.scan."]
    kind: Annotated[str, "Kind of node: relay, scan, lif, readout, ..."]
    judge: Annotated[
        Judge,
        "lava: Lava ships the process, so Intel's hardware extension can take it. own: a microcode neuron of ours.",
    ]
    neurons: Annotated[Count, "Neurons of the layer."]
    synapses: Annotated[Count, "Synapses into the layer, zeros of dense lists included."]
    weight_sparsity: Annotated[Share, "Share of zeros among the weights into the layer."]
    synops_hardware: Annotated[Count, "Synaptic operations the chip executes: zeros too."]
    synops_effective: Annotated[Count, "Synaptic operations with a weight that is not zero."]
    updates: Annotated[Count, "Neuron updates."]
    spikes: Annotated[Count, "Spikes or graded messages sent."]
    message_bits: Annotated[Some, "Bits of a message; 1 is a spike.", Unit("bits")]
    spike_rate: Annotated[Share, "spikes / (samples * steps * neurons)."]
    sparsity: Annotated[Share, "1 - spike_rate."]
    cores: Annotated[Count, "Cores that hold the layer."]
    energy_pj: Annotated[Range, "Dynamic energy of the layer.", Unit("pJ a sample")]
    saturations: Annotated[
        Count, "Values that saturated or wrapped; 0 with the lava backend, which does not report them."
    ]
    shape: Annotated[
        tuple[Some, ...] | None,
        "Of a feature map: channels, rows and columns, or channels and columns; neurons are counted in this order.",
    ] = None
    list_words: Annotated[
        Count | None, "Words of the synapse lists into the layer, on all its cores.", Unit("words")
    ] = None
    law: Annotated[
        Law | None,
        "Whose integer law it is: of a process that Lava ships and calls bit-accurate, of one that it ships and "
        "calls fixed-point, or ours.",
    ] = None


@dataclass(frozen=True)
class Operations:
    """Synaptic operations of a sample, as NeuroBench counts them."""

    Effective_MACs: Annotated[Amount, "Graded messages times weights, neither zero.", Unit("a sample")]
    Effective_ACs: Annotated[Amount, "Spikes times weights that are not zero.", Unit("a sample")]
    Dense: Annotated[Amount, "All of them, zeros included.", Unit("a sample")]


@dataclass(frozen=True)
class NeuroBench:
    """Under the names and definitions of NeuroBench 2.3, of the integers that ran."""

    Footprint: Annotated[Count, "Weights, other parameters and states.", Unit("bytes")]
    ConnectionSparsity: Annotated[Share, "Zero weights, of all."]
    ActivationSparsity: Annotated[Share, "Silent slots of spiking layers, of all."]
    SynapticOperations: Annotated[Operations, "Synaptic operations."]
    MembraneUpdates: Annotated[Amount, "Membranes that changed in a step.", Unit("a sample")]


@dataclass(frozen=True)
class Metrics:
    """More than accuracy, of classes that have names."""

    accuracy: Annotated[Share, "Right answers, of all."]
    sensitivity: Annotated[
        dict[str, Share], "Right answers of a class, of all samples of it; a class without samples is left out."
    ]
    macro_f1: Annotated[Share, "Mean F1 of the classes that occur."]


@dataclass(frozen=True)
class Sides:
    """The same of the float model and of the integers."""

    float: Annotated[Metrics, "The float model."]
    integer: Annotated[Metrics, "The integer program."]


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a share (Wilson)."""

    low: Annotated[Share, "Its low end."]
    high: Annotated[Share, "Its high end."]


@dataclass(frozen=True)
class Confusion:
    """Samples by class and answer: a row for each class, in it a count for each answer, in the order of `classes`."""

    classes: Annotated[tuple[str, ...], "Names of the classes, or their indices."]
    float: Annotated[tuple[tuple[Count, ...], ...], "The float model."]
    integer: Annotated[tuple[tuple[Count, ...], ...], "The integer program."]


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers on the samples that were run."""

    float: Annotated[Share, "The float model, on the same encoded input."]
    integer: Annotated[Share, "The integer program."]
    majority: Annotated[Share, "Always answering the most frequent class of these samples."]
    majority_class: Annotated[str, "That class."]
    metrics: Annotated[Sides | None, "More than accuracy; left out where the classes have no names."] = None
    samples: Annotated[
        Some | None, "Samples of all of these shares; this key and those below are not in older files."
    ] = None
    float_interval: Annotated[Interval | None, "Of `float`."] = None
    integer_interval: Annotated[Interval | None, "Of `integer`."] = None
    confusion: Annotated[Confusion | None, "Which class was taken for which; left out of more than 64 classes."] = None


@dataclass(frozen=True)
class Answers:
    """How well a model answers that is asked for more than one class a sequence, in the figures of its head."""

    head: Annotated[Literal["step", "next", "labels", "ctc"], "What is asked: a class a step, the next token, ..."]
    float: Annotated[
        dict[str, Amount] | None, "Figures of the float model by name: accuracy, bits, auc, error_rate, ..."
    ]
    integer: Annotated[dict[str, Amount] | None, "The same of the integers, read at each step that counts."]


@dataclass(frozen=True)
class Agreement:
    """Effect of fixed point on a layer: its float run compared with its integers."""

    layer: Annotated[str, "A spiking layer, the output, or another readout."]
    measure: Annotated[
        Literal["spikes", "answers", "values"],
        "spikes: of a spiking layer. answers: of an output of several neurons. values: of any other.",
    ]
    of: Annotated[
        Count | None, "Spikes that either run fired, or samples in which either prefers an answer; null for values."
    ]
    equal: Annotated[
        Count | None, "Of these, spikes that both fired, or samples with the same answer; null for values."
    ]
    share: Annotated[Share | None, "equal / of; 1 - relative_rms for values; null where there was nothing to compare."]
    spike_slots: Annotated[Count | None, "samples * steps * neurons; null unless spikes."]
    rate_float: Annotated[Share | None, "Spikes a slot in the float run."]
    rate_integer: Annotated[Share | None, "Spikes a slot in the integer run."]
    relative_rms: Annotated[
        Amount | None,
        "RMS of integers (in real units) minus float, over RMS of float; null for spikes, or all zeros.",
    ]


@dataclass(frozen=True)
class Compared:
    """A message or a state of a node, compared value by value."""

    layer: Annotated[str, "The node."]
    what: Annotated[str, "message, or the name of a state: h, u, v."]
    values: Annotated[Count, "Values that were compared."]
    equal: Annotated[Count, "Of these, how many are equal."]
    nonzero: Annotated[Count, "Values that are not zero in both runs."]
    nonzero_equal: Annotated[Count, "Of these, how many are equal."]


@dataclass(frozen=True)
class Verification:
    """Comparison with a second backend, value by value."""

    backend: Annotated[Backend, "The backend compared with."]
    samples: Annotated[Some, "Samples that were compared."]
    messages: Annotated[Count, "Spikes and graded messages that either run sent."]
    messages_equal: Annotated[Count, "Of these, how many are equal."]
    spike_slots: Annotated[Count, "Messages, or their absence, at every neuron and step."]
    equal: Annotated[Count, "Of spike_slots, how many are equal."]
    states: Annotated[Count, "State values at every step."]
    states_equal: Annotated[Count, "Of these, how many are equal."]
    layers: Annotated[tuple[Compared, ...], "The same, for each message and state of each node."]

    @property
    def differing(self) -> int:
        """How many values are not equal."""
        return self.spike_slots - self.equal + self.states - self.states_equal

"""On-chip learning before the run, and its cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from .parts import Count, Range, Share, Some
from .says import Unit, Within

_PJ = Unit("pJ, of learning from one sample")


@dataclass(frozen=True)
class LearntAlike:
    """One kind of values that both runs learnt with."""

    what: Annotated[str, "Weights, tags, trace words, spikes, errors or answers."]
    values: Annotated[Count, "How many were compared."]
    equal: Annotated[Count, "Of these, how many are equal."]


@dataclass(frozen=True)
class LearningVerification:
    """The learning of the first samples, played on Lava too."""

    backend: Annotated[Literal["lava"], "The backend compared with."]
    samples: Annotated[Count, "Samples whose learning was compared."]
    synapses: Annotated[Literal["Lava's", "ours", ""], "Whose law the plastic synapses on Lava follow."]
    rows: Annotated[tuple[LearntAlike, ...], "What was compared, and how much of it is equal."]
    left_out: Annotated[str, "Why nothing was compared; empty where it was."]


@dataclass(frozen=True)
class BeforeAfter:
    """Accuracy on other data."""

    before: Annotated[Share, "Accuracy before."]
    after: Annotated[Share, "Accuracy after."]


@dataclass(frozen=True)
class Group:
    """A class of plastic synapses."""

    layer: Annotated[str, "The layer the synapses lead to."]
    visited: Annotated[Count, "Synapses visited."]
    changed: Annotated[Count, "Weights that moved."]
    clipped: Annotated[Count, "Moves that the limit of a weight cut off."]
    sparsity: Annotated[Share, "Weights that are 0 at the end."]


@dataclass(frozen=True)
class FixedRate:
    """A learning rate of the trace process: mantissa / 2^shift."""

    mantissa: Annotated[int, "The whole number that an update is multiplied by."]
    shift: Annotated[int, "By how many bits the product is shifted right."]
    error: Annotated[float, "Relative error, signed."]


@dataclass(frozen=True)
class Rate:
    """A learning rate of the learning engine, in units of the weight or the tag."""

    name: Annotated[str, "Which rate."]
    wanted: Annotated[float, "What was asked for."]
    got: Annotated[float, "What the integers give."]
    error: Annotated[float, "Relative error, signed."]


@dataclass(frozen=True)
class Learning:
    """On-chip learning before the run."""

    rule: Annotated[str, "hybrid, rtrl, stdp, s-tllr or three-factor."]
    plasticity: Annotated[dict[str, Any], "The whole request, as bim_neuro.plasticity.request reads it."]
    placement: Annotated[Literal["tags", "neurons", "host"], "Trace placement."]
    placement_reasons: Annotated[tuple[str, ...], "Why an earlier placement of this list was not used."]
    learning_signal: Annotated[str, "Where the learning signal is computed, how it is sent, and what is unknown."]
    samples: Annotated[Some, "Samples learnt from."]
    measured_on: Annotated[str, "Where the accuracies before and after come from."]
    accuracy_before: Annotated[Share, "Of the integer program, before."]
    accuracy_after: Annotated[Share, "Of the integer program, after."]
    old_before: Annotated[
        Share | None,
        "Before, on the first of `others`: what the model was trained on; null where that was not measured.",
    ]
    old_after: Annotated[Share | None, "After, on the same."]
    forgotten: Annotated[Annotated[float, Within(-1, 1)] | None, "old_before less old_after."]
    others: Annotated[dict[str, BeforeAfter], "The same on other data: what was forgotten."]
    accuracy_during: Annotated[Share, "On the stream, each sample before it was learnt."]
    curve: Annotated[tuple[Share, ...], "accuracy_during, in ten parts."]
    updates: Annotated[Count, "Plastic synapses visited, in all."]
    groups: Annotated[dict[str, Group], "The same for each class of synapses."]
    saturated_trace_words: Annotated[Count, "Traces that saturated."]
    rates: Annotated[dict[str, FixedRate | Rate], "For each group the rate as the chip has it, and its relative error."]
    trace_words: Annotated[Count, "Number of trace words."]
    trace_bits: Annotated[Count, "Bits of a trace word.", Unit("bits")]
    trace_cores: Annotated[Count, "Cores they take beside the program's; 0 unless a process."]
    energy_pj: Annotated[Range, "What learning costs.", _PJ]
    energy_events: Annotated[dict[str, Range], "The same by kind of event.", _PJ]
    unpriced: Annotated[tuple[str, ...], "Events that occurred and have no price."]
    weakest_basis: Annotated[str, "The weakest basis among the prices."]
    stream: Annotated[str, "Where the samples learnt from come from."]
    verify: Annotated[
        LearningVerification | None, "The same learning on Lava, compared; null where it was not asked for."
    ]
    energy_share: Annotated[
        Share | None,
        "Of learning, in all dynamic energy of a sample that is run and learnt from; likely values.",
    ]

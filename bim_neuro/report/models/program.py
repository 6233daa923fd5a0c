"""What is known of a program without a run: its findings, constants, encoder, cores and their placement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .parts import Amount, Channels, Count, Some
from .says import Unit


@dataclass(frozen=True)
class Finding:
    """One problem of the model or the run."""

    rule: Annotated[str, "Name of the rule, for example saturated-output."]
    layer: Annotated[str, "The layer or other subject; may be empty."]
    message: Annotated[str, "One sentence with its numbers."]
    used: Annotated[float | None, "The amount found."]
    limit: Annotated[float | None, "The amount allowed or requested."]
    hint: Annotated[str, "What to do about it; may be empty."]
    severity: Annotated[
        Literal["error", "warning"], "A warning ends in exit code 3 with --strict, an error without it too."
    ]


@dataclass(frozen=True)
class Constant:
    """Of many values in a layer the one that is furthest off, their mean, or how many are not 0; `unit` says which."""

    layer: Annotated[str, "The node or synapse."]
    constant: Annotated[str, "Which of its constants."]
    asked: Annotated[float | None, "Value in the float model; null: a time constant without leak."]
    got: Annotated[float | None, "As the integers hold it; null: a time constant without leak."]
    unit: Annotated[str, "Unit of both, and which of many values they are."]
    off: Annotated[Amount | None, "Relative error of its effect; null: the effect is lost."]


@dataclass(frozen=True)
class Encoder:
    """The input scale that the model expects, and the actual input; lists have one entry per raw channel."""

    kind: Annotated[Literal["graded", "delta", "spikes", "counts", "token", "table"], "How raw values become messages."]
    low: Annotated[Channels | None, "The lowest raw value that is not clipped; null for delta."]
    high: Annotated[Channels | None, "The highest raw value that is not clipped; null for delta."]
    step: Annotated[Channels | None, "The change that makes an event, one a step; null but for delta."]
    gain: Annotated[Channels, "A graded message is (raw - offset) * gain, rounded."]
    offset: Annotated[Channels, "See gain; the raw value that becomes 0."]
    values: Annotated[Some | None, "Raw values that were encoded, a channel."]
    clipped: Annotated[
        Channels | None, "Of these, how many were out of reach or, for delta, 16 events or more ahead of those sent."
    ]
    seen_low: Annotated[Channels | None, "The smallest of them."]
    seen_high: Annotated[Channels | None, "The largest of them."]
    shape: Annotated[
        tuple[Some, ...] | None,
        "Of an input that is a feature map: channels, rows, columns, or channels, columns.",
    ] = None


@dataclass(frozen=True)
class Cores:
    """Cores of the chip; nothing is placed on a target that is a simulation."""

    used: Annotated[Count, "Cores the program takes; a scan and its soma share theirs."]
    limit: Annotated[Some | None, "Usable cores; null for a simulation."]


@dataclass(frozen=True)
class WorstCore:
    """The core that is nearest to a limit."""

    index: Annotated[Count, "The core."]
    layer: Annotated[str, "The layer that has the most neurons there."]
    resource: Annotated[str, "What is nearest to its limit."]
    used: Annotated[Amount, "How much of the resource it uses."]
    limit: Annotated[Amount, "How much of it a core has."]


@dataclass(frozen=True)
class MapCut:
    """How a feature map that no core holds alone is cut: the way in which it fills fewer cores, and the other."""

    by: Annotated[Literal["channels", "rows"], "What a part holds: channels whole, or rows with all their channels."]
    parts: Annotated[Some, "Cores that it fills so, were each to hold nothing else."]
    other: Annotated[Some, "Cores that it fills the other way."]
    more: Annotated[bool, "The other way was given up there: it fills more than `other`."]


@dataclass(frozen=True)
class Placement:
    """How good the placement is, each number with its lower bound."""

    cores: Annotated[Some, "Cores in use."]
    lower_bound: Annotated[Some, "No placement takes fewer cores."]
    binding: Annotated[str, "The resource, or the layer, that asks for so many."]
    worst_core: Annotated[WorstCore, "The core that is nearest to a limit."]
    encodings: Annotated[
        dict[str, dict[str, Some]],
        "For each synapse, on how many cores its lists are kept so: dense, sparse or shared.",
    ]
    chips: Annotated[Some, "Chips in use."]
    traffic_hops: Annotated[Amount, "Messages times hops, links between chips counted as hops.", Unit("hops a sample")]
    naive_traffic_hops: Annotated[Amount, "The same with the cores one after another, row by row."]
    traffic_lower_bound: Annotated[Amount, "No placement of these cores has fewer."]
    chip_hops: Annotated[Amount, "Those of traffic_hops that lead from chip to chip."]
    measured: Annotated[bool, "Messages are those of a sample as run; else one a neuron."]
    seconds: Annotated[Amount, "Time it took to place.", Unit("s")]
    peak_memory_mib: Annotated[Amount, "Most memory the process has held so far.", Unit("MiB")]
    list_words: Annotated[
        dict[str, Count] | None, "For each synapse, the words that its lists take on all cores.", Unit("words")
    ] = None
    cuts: Annotated[dict[str, MapCut] | None, "How each feature map that no core holds alone is cut."] = None

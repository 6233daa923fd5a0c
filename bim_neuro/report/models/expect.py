"""What somebody else's run of the same model gave, beside ours: --expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .parts import Amount, Count
from .says import Unit


@dataclass(frozen=True)
class FirstBin:
    """Where two runs differ first; steps are counted from the one at which a sample reaches the layer."""

    sample: Annotated[Count, "From 0, of the samples that were run."]
    step: Annotated[Count, "From 0."]
    neuron: Annotated[Count, "From 0."]


@dataclass(frozen=True)
class ExpectLayer:
    """A recorded array beside what the layer did here."""

    layer: Annotated[str, "The node."]
    what: Annotated[Literal["message", "voltage", "current"], "What was recorded of it."]
    law: Annotated[Literal["float", "integer"], "Which of our laws it is compared with."]
    bins: Annotated[Count, "Samples times steps times neurons that were compared."]
    differing: Annotated[Count, "Bins that differ, ties left out."]
    ties: Annotated[Count, "Bins in which a voltage lies within 1e-5 of its threshold: rounding may decide there."]
    ties_differing: Annotated[Count, "Of the ties, those that differ."]
    theirs: Annotated[Amount, "Spikes of the recording; of voltages and currents, bins that are not 0."]
    ours: Annotated[Amount, "The same here."]
    first: Annotated[FirstBin | None, "The first bin that differs, else the first tie; null where there is none."]


@dataclass(frozen=True)
class Undecided:
    """A switch of the dialect that the recording does not decide."""

    switch: Annotated[str, "As --set dialect.SWITCH has it."]
    values: Annotated[tuple[str, ...], "Values under which no bin differs, whatever the others are."]


@dataclass(frozen=True)
class Expect:
    """A recording, by a framework or a chip, beside our run."""

    file: Annotated[str, "The recording."]
    kind: Annotated[Literal["framework", "integers"], "Who recorded it: the model's framework, or a chip or Lava."]
    float_bits: Annotated[Literal[32, 64], "Width of the float law.", Unit("bits")]
    differing: Annotated[Count, "Bins of the law in force that differ: float of a framework, integers of a chip."]
    spikes: Annotated[Amount, "Spikes of the recorded output; of one without spikes, bins that are not 0."]
    proved: Annotated[bool, "Whether no bin differs and the output has at least 100 spikes."]
    dialect: Annotated[str | None, "The dialect in force; null where the model brings its own."]
    dialects: Annotated[
        dict[str, Count],
        "Bins that differ under each dialect that was run on all samples: the one in force and, where it differs, the "
        "presets and every dialect that the search found consistent.",
    ]
    consistent: Annotated[tuple[str, ...], "Dialects under which no bin differs; of one in force that differs, all."]
    tried: Annotated[Count, "Dialects that the search held against the recording; 0 where there was no search."]
    undecided: Annotated[tuple[Undecided, ...], "Switches that the recording leaves open."]
    layers: Annotated[tuple[ExpectLayer, ...], "A row for each recorded array and law."]

"""What the counted events cost: energy, time, and the same model computed densely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .parts import Basis, Count, Once, Quantity, Range, Some
from .says import Unit

Event = Literal["synops", "updates", "messages", "hops", "links", "learning"]
"""synops: zeros of dense lists too. updates: passes of neurons' programs. messages: making and sending them.
hops: on the mesh of a chip. links: from chip to chip. learning: plastic synapses visited."""
TimedEvent = Literal["synops", "updates", "hops", "links", "lif", "microcode", "reads"]
"""lif: updates of hard-wired LIFs. microcode: passes of neurons' programs. reads: words of synapse memory. Files of
version 0.2.0 have updates, hops and links."""
StepTerm = Literal["neurons", "synapses", "memory", "link", "barrier", "floor"]
"""neurons, synapses, memory: of the core that takes longest. link: of the mesh, or between chips. barrier:
synchronising the cores. floor: the least a step takes."""
_PJ, _UJ, _US = Unit("pJ a sample"), Unit("uJ a sample"), Unit("us")


@dataclass(frozen=True)
class LayerEnergy:
    """What a layer costs."""

    layer: Annotated[str, "The node."]
    events: Annotated[dict[Event, Range], "Events with a published price.", _PJ]
    total: Annotated[Range, "The sum of the events.", _PJ]


@dataclass(frozen=True)
class Energy:
    """What the counted events cost, per sample; in pJ but for the keys that end in _uj."""

    unit: Annotated[Literal["pJ per sample"], "Of every key that does not end in _uj."]
    target: Annotated[str, "The profile whose prices these are."]
    scope: Annotated[
        Literal["per_term", "all_in"],
        "per_term: each event has its price. all_in: the price of a synaptic operation contains the others.",
    ]
    dynamic: Annotated[Range, "All layers and the barrier; a lower bound if `unpriced` is not empty.", _PJ]
    events: Annotated[dict[Event, Range], "The same by kind of event, over all layers; the barrier apart.", _PJ]
    barrier: Annotated[Range, "Synchronising the cores after every step.", _PJ]
    static: Annotated[Range, "Static power over the time of a sample.", _PJ]
    host: Annotated[Range, "Power of the embedded processors over the time of a sample.", _PJ]
    io: Annotated[Range, "Bringing the input onto the chip.", _PJ]
    unpriced: Annotated[Once, "Events that occurred and have no published price."]
    weakest_basis: Annotated[Basis, "Weakest basis of the prices used."]
    seconds_per_sample: Annotated[Range, "Time from one sample to the next: latency.sample_us.", Unit("s")]
    layers: Annotated[tuple[LayerEnergy, ...], "Every node but the input."]
    energy_uj: Annotated[
        Range,
        "Dynamic plus static energy, used by --optimise and --max-energy; null if one is unpublished.",
        _UJ,
    ]
    dynamic_uj: Annotated[Range, "The same as dynamic.", _UJ]
    static_uj: Annotated[Range, "The same as static; null with all-in prices, which contain it.", _UJ]


@dataclass(frozen=True)
class BusyTime:
    """How long a core works."""

    core: Annotated[Count, "The core."]
    layers: Annotated[tuple[str, ...], "Whose work it is."]
    events: Annotated[dict[TimedEvent, Range], "Events with a published time.", _US]
    total: Annotated[Range, "The longest of its units, which work side by side.", _US]


@dataclass(frozen=True)
class BusyLink:
    """A link of the mesh, from core to core."""

    source: Annotated[Count, "The core it leads from."]
    target: Annotated[Count, "The core it leads to."]
    between_chips: Annotated[bool, "Whether it leads to another chip."]
    messages: Annotated[float, "Messages over it in its longest step.", Unit("messages")]


@dataclass(frozen=True)
class TermTime:
    """One term of a step's time."""

    term: Annotated[StepTerm, "What it is the time of."]
    us: Annotated[Range, "Its largest value in a sample; null if its time is unpublished.", _US]
    steps: Annotated[Count, "Steps of a sample in which it is the longest.", Unit("steps")]
    basis: Annotated[Basis, "Weakest basis of its times."]


@dataclass(frozen=True)
class StepTime:
    """What a step waits for: the longest of terms that go on side by side."""

    term: Annotated[StepTerm, "The term that the longest step waits for."]
    us: Annotated[Range, "Its time in that step.", _US]
    link: Annotated[BusyLink | None, "The busiest link; null if no core sends to another."]
    terms: Annotated[tuple[TermTime, ...], "All terms."]


Boundary = Literal["cores", "chip", "board"]
"""cores: neurocores and their memories. chip: with the embedded processors. board: all of it."""
_MW = Unit("mW")


@dataclass(frozen=True)
class PowerLine:
    """Power of one boundary; dynamic power is that of the neurocores."""

    static_mw: Annotated[Range, "While nothing is computed.", _MW]
    mean_mw: Annotated[Range, "At the sample rate, or as fast as the program can.", _MW]
    peak_mw: Annotated[Range, "In the step that draws most.", _MW]
    basis: Annotated[Basis, "Weakest basis of its numbers."]
    source: Annotated[str, "The readings that its static power rests on."]


@dataclass(frozen=True)
class AtRate:
    """A sample at the task's rate, at the boundary that counts."""

    energy_uj: Annotated[Range, "Dynamic energy, and static power until the next sample.", _UJ]
    edp_uj_ms: Annotated[Range, "That energy times the time until the answer.", Unit("uJ ms")]
    behind: Annotated[float | None, "By which factor the program is too slow for the rate; null if it keeps up."]


@dataclass(frozen=True)
class Sensitivity:
    """The energy of a sample with one price at its ends and all others likely."""

    price: Annotated[str, "Key of the target's profile."]
    low_pj: Annotated[float, "Dynamic and static energy with the price at its low end.", _PJ]
    high_pj: Annotated[float, "The same with the price at its high end.", _PJ]
    dynamic_low_pj: Annotated[float, "Dynamic energy with the price at its low end.", _PJ]
    dynamic_high_pj: Annotated[float, "The same with the price at its high end.", _PJ]
    basis: Annotated[Basis | None, "How the price is known; null in results of before it was said."] = None


@dataclass(frozen=True)
class Latency:
    """How long the run takes on the chip; a lower bound if `untimed` is not empty."""

    target: Annotated[str, "The profile whose times these are."]
    steps_per_sample: Annotated[Some, "Steps between the beginnings of two samples.", Unit("steps")]
    first_answer_steps: Annotated[Count, "Steps until the output has answered the first.", Unit("steps")]
    answer_steps: Annotated[Count, "Steps until the output has answered the last.", Unit("steps")]
    floor_steps: Annotated[
        Count,
        "Steps of a sample in which every core and every link finish within the minimum step time.",
        Unit("steps"),
    ]
    step_us: Annotated[Range, "Mean over a sample's steps.", _US]
    longest_step_us: Annotated[Range, "The longest of a sample's steps.", _US]
    first_answer_us: Annotated[Range, "From a sample's first input to the first answer.", _US]
    answer_us: Annotated[Range, "From a sample's first input to the last answer.", _US]
    sample_us: Annotated[Range, "From one sample to the next.", _US]
    samples_per_second: Annotated[
        Range, "Throughput; its low end is with every time at its high end.", Unit("samples a second")
    ]
    busiest: Annotated[BusyTime, "The core that works longest in a step, and its work in it."]
    layers: Annotated[
        tuple[BusyTime, ...],
        "For each layer, the core that holds most of it, and its work for that layer in a sample.",
    ]
    untimed: Annotated[Once, "Events that occurred and have no published time."]
    weakest_basis: Annotated[Basis, "Weakest basis of the times used."]


@dataclass(frozen=True)
class Processor:
    """A way to compute the model densely."""

    name: Annotated[str, "What computes them."]
    scope: Annotated[
        Literal["arithmetic", "memory", "device"],
        "arithmetic: the operation alone. memory: with fetching its weight. device: a figure for a whole one.",
    ]
    mac_pj: Annotated[Quantity, "The price of one, and its source."]
    energy: Annotated[Range, "What a sample costs.", _PJ]


@dataclass(frozen=True)
class Dense:
    """The same model with every multiply-accumulate of every step computed. Another scope than `energy`."""

    unit: Annotated[Literal["pJ per sample"], "Of what the processors cost."]
    macs: Annotated[Count, "Multiply-accumulates, zeros included.", Unit("a sample")]
    layers: Annotated[dict[str, Count], "The same for each layer: its incoming weights and its neurons."]
    processors: Annotated[tuple[Processor, ...], "What they cost, by published prices of one."]
    break_even: Annotated[
        float | None,
        "By which factor messages may change until the chip's dynamic energy is that of 8-bit arithmetic with its "
        "memory; left out where updates alone cost more, or nothing is priced.",
    ] = None

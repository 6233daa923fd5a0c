r"""Energy: the counts of a run times the prices of a profile, per sample, as low, likely and high.

    E(layer)  = synops * synop_pj + updates * passes * update_pass_pj + learning updates * learning_update_pj
              + messages * (message_pj + hops_ew * hop_east_west_pj + hops_ns * hop_north_south_pj
                            + links * hop_chip_pj)
    E(static) = time of a sample * static power            the time is the latency model's (latency.py), the power that
                                                           of the profile's boundary: cores, chip or board
    E(io)     = input messages * input_message_pj
    E         = sum over layers of E(layer) + barrier + E(static)            used by --optimise and --max-energy

Every term is a count times a price, so low and high are the same sum with each price at that end of it.
Executed synops are priced: zeros in a dense list are executed, a sparse list has none. A term without a published
price is listed in ``unpriced``, and a total is then a floor. With prices of scope 'all_in' a synop contains every
other term, static power too. Where static power is unpublished E is unknown: it is not the dynamic energy alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from .. import arguments
from ..compilers.placement.place import average_hops
from ..graph import IntegerGraph, PlacedGraph, axons
from ..hardware import HardwareProfile, Quantity
from ..printable import outline
from ..record import RunRecord
from .executed import executed
from .latency import LatencyReport, check_record, latency
from .terms import UNPRICED, Range, Term, left_out, total, update_term, weakest

_PJ_PER_US_MW = 1000  # 1 us * 1 mW = 1 nJ
_US_PER_S = 1_000_000
_PJ_PER_UJ = 1_000_000

EVENTS = ("synops", "updates", "messages", "hops", "links", "learning")
"""The kinds of event that cost energy in a layer; hops are on the mesh of a chip, links between chips."""


@dataclass(frozen=True)
class LayerEnergy:
    """One layer. ``events`` holds the priced kinds of EVENTS."""

    layer: str
    events: dict[str, Range]
    total: Range


@dataclass(frozen=True)
class EnergyReport:
    """pJ a sample. ``dynamic`` is what all layers and the barrier cost; ``unpriced`` names what is left out.

    ``events`` is the dynamic energy again, by kind of event. ``energy_uj`` adds dynamic and static energy, in uJ, and
    is UNPRICED where one of the two is; host and input stand beside it.
    """

    target: str
    scope: str
    dynamic: Range
    events: dict[str, Range]
    barrier: Range
    static: Range
    host: Range
    io: Range
    unpriced: tuple[str, ...]
    weakest_basis: str
    seconds_per_sample: Range
    layers: tuple[LayerEnergy, ...]
    energy_uj: Range
    dynamic_uj: Range
    static_uj: Range

    __repr__ = outline

    @property
    def at_least(self) -> bool:
        """Whether some event has no price, so that every total is only a lower bound."""
        return bool(self.unpriced)

    def layer(self, name: str) -> dict[str, float | None]:
        """Return {low, value, high} of a layer, in pJ a sample."""
        return asdict(next(layer.total for layer in self.layers if layer.layer == name))


def price(
    placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, time: LatencyReport | None = None
) -> EnergyReport:
    """Return the energy of a sample on the profile's chip, from the recorded events; ``time`` comes from `latency`."""
    check_record(placed, record, profile)
    if time is not None:
        arguments.instance(time, LatencyReport, "time", "latency(placed, record, profile) returns one")
    time, samples = time or latency(placed, record, profile), record.samples
    by_layer = layer_terms(placed, record, profile)
    layers = tuple(_layer_energy(layer, terms, samples) for layer, terms in by_layer.items())
    barrier, static, host, io = shared = _shared_terms(placed.graph, record, profile, time)
    terms = [term for terms in (*by_layer.values(), shared) for term in terms]
    dynamic, idle = total([*(layer.total for layer in layers), barrier.over(samples)]), static.over(samples)
    return EnergyReport(
        target=profile.name,
        scope=profile.energy.scope,
        dynamic=dynamic,
        events=_by_event([layer.events for layer in layers]),
        barrier=barrier.over(samples),
        static=idle,
        host=host.over(samples),
        io=io.over(samples),
        unpriced=left_out(terms),
        weakest_basis=weakest(terms),
        seconds_per_sample=time.sample_us.over(_US_PER_S),
        layers=layers,
        energy_uj=_whole(dynamic, idle, profile).over(_PJ_PER_UJ),
        dynamic_uj=dynamic.over(_PJ_PER_UJ),
        static_uj=idle.over(_PJ_PER_UJ),
    )


def _whole(dynamic: Range, static: Range, profile: HardwareProfile) -> Range:
    """Return dynamic and static energy; all-in prices hold both already."""
    if profile.energy.scope == "all_in":
        return dynamic
    return UNPRICED if UNPRICED in (dynamic, static) else total([dynamic, static])


def layer_terms(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> dict[str, list[Term]]:
    """Return {layer: its counted events}; an all-in synop contains every other term."""
    graph, hops = placed.graph, average_hops(placed, profile)
    terms: dict[str, list[Term]] = {}
    for layer, counts in record.layers.items():
        count, energy = counts.totals(), profile.energy
        synops = Term("synops", "synaptic operations", executed(placed, record, layer).sum().item(), (energy.synop_pj,))
        if layer == graph.source:
            continue
        if energy.scope == "all_in":
            terms[layer] = [synops]
            continue
        sent = count["messages"] if _sends(graph, layer) else 0
        east_west, north_south, links = map(float, hops[layer])
        terms[layer] = [
            synops,
            update_term(graph.nodes[layer], count["updates"], profile, energy.update_pass_pj),
            Term("messages", "sending messages", sent, (energy.message_pj,)),
            Term("hops", "hops east-west", sent * east_west, (energy.hop_east_west_pj,)),
            Term("hops", "hops north-south", sent * north_south, (energy.hop_north_south_pj,)),
            Term("links", "links between chips", sent * links, (energy.hop_chip_pj,)),
            Term("learning", "learning updates", record.learning_updates.get(layer, 0), (energy.learning_update_pj,)),
        ]
    return terms


def _sends(graph: IntegerGraph, layer: str) -> bool:
    """Whether a layer's messages leave the neuron: a scan's go to its own soma."""
    return layer == graph.output or bool(axons(graph, [layer]))


def _shared_terms(
    graph: IntegerGraph, record: RunRecord, profile: HardwareProfile, time: LatencyReport
) -> tuple[Term, Term, Term, Term]:
    """Return barrier, static, host and I/O energy, which belong to no layer; with all-in prices they are 0."""
    energy = profile.energy
    samples = record.samples if energy.scope == "per_term" else 0
    us = Quantity(time.sample_us.value, time.sample_us.low, time.sample_us.high, "us", time.weakest_basis, "latency")
    host = samples if profile.counted_boundary == "cores" else 0  # a wider boundary has it in its static power
    inputs = record.layers[graph.source].totals()["messages"] if samples else 0
    return (
        Term("barrier", "barrier", time.steps_per_sample * samples, (energy.barrier_pj,)),
        Term("static", "static power", samples * _PJ_PER_US_MW, (us, profile.static_mw)),
        Term("host", "host power", host * _PJ_PER_US_MW, (us, energy.host_mw)),
        Term("io", "input messages", inputs, (energy.input_message_pj,)),
    )


def _layer_energy(layer: str, terms: Iterable[Term], samples: int) -> LayerEnergy:
    events = _by_event({term.event: term.over(samples)} for term in terms if term.priced)
    return LayerEnergy(layer, events, total(events.values()))


def _by_event(costs: Iterable[dict[str, Range]]) -> dict[str, Range]:
    """Add up costs by kind of event, in the order of EVENTS."""
    rows = list(costs)
    sums = ((event, total(row.get(event, UNPRICED) for row in rows)) for event in EVENTS)
    return {event: cost for event, cost in sums if cost != UNPRICED}

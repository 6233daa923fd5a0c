r"""Energy: the counts of a run times the prices of a profile, per sample, as low, likely and high.

    E(layer) = synops * e_synop + updates * passes * e_pass + messages * (hops_ew * e_ew + hops_ns * e_ns)
    E(static) = steps * step time * static power

Every term is a count times a price, so low and high are the same sum with each price at that end of it.
Hardware synops are priced: zeros in a dense list are executed. A term without a published price is listed in
``unpriced``, and a total is then a floor. With prices of scope 'all_in' a synop contains every other term.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from math import prod

from .compilers.memory import axons
from .compilers.place import average_hops
from .graph import IntegerGraph, PlacedGraph
from .hardware import HardwareProfile, Quantity, weakest_basis
from .nodes.node import IntegerNode
from .record import RunRecord

_PJ_PER_US_MW = 1000  # 1 us * 1 mW = 1 nJ
_US_PER_S = 1_000_000


@dataclass(frozen=True)
class Range:
    """A likely ``value`` between ``low`` and ``high``; all None where nothing has a published price."""

    low: float | None
    value: float | None
    high: float | None


UNPRICED = Range(None, None, None)


@dataclass(frozen=True)
class LayerEnergy:
    """One layer. ``events`` holds what has a price, of 'synops', 'updates', 'hops' and 'messages'."""

    layer: str
    events: dict[str, Range]
    total: Range


@dataclass(frozen=True)
class EnergyReport:
    """pJ a sample. ``dynamic`` is what all layers and the barrier cost; ``unpriced`` names what is left out.

    The lines are not added up: in a small network static power drowns the events.
    """

    target: str
    scope: str
    dynamic: Range
    barrier: Range
    static: Range
    host: Range
    unpriced: tuple[str, ...]
    weakest_basis: str
    seconds_per_sample: Range
    layers: tuple[LayerEnergy, ...]

    @property
    def at_least(self) -> bool:
        """Whether something that happened has no price, so that every total is only a floor."""
        return bool(self.unpriced)

    def layer(self, name: str) -> dict[str, float | None]:
        """Return {low, value, high} of a layer, in pJ a sample."""
        return asdict(next(layer.total for layer in self.layers if layer.layer == name))


@dataclass(frozen=True)
class Term:
    """``count`` events over all samples, each costing the product of ``prices``; `unpriced` says ``name``."""

    event: str
    name: str
    count: float
    prices: tuple[Quantity, ...]

    @property
    def priced(self) -> bool:
        return bool(self.prices) and all(price.published for price in self.prices)

    def over(self, parts: int) -> Range:
        """Return what the events cost, over ``parts``: the samples."""
        if not self.priced:
            return UNPRICED
        ends = (prod(getattr(price, end) for price in self.prices) for end in ("low", "value", "high"))
        return Range(*(self.count * price / parts for price in ends))


def price(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> EnergyReport:
    """Return what the recorded events cost on the profile's chip, per sample."""
    samples = record.samples
    by_layer = _layer_terms(placed, record, profile)
    layers = tuple(_layer_energy(layer, terms, samples) for layer, terms in by_layer.items())
    shared = {term.event: term for term in _shared_terms(record, profile)}
    barrier, static, host = (shared[event].over(samples) for event in ("barrier", "static", "host"))
    happened = [term for terms in (*by_layer.values(), shared.values()) for term in terms if term.count]
    return EnergyReport(
        target=profile.name,
        scope=profile.energy.scope,
        dynamic=_sum([*(layer.total for layer in layers), barrier]),
        barrier=barrier,
        static=static,
        host=host,
        unpriced=tuple(dict.fromkeys(term.name for term in happened if not term.priced)),
        weakest_basis=weakest_basis(price for term in happened if term.priced for price in term.prices),
        seconds_per_sample=Term("time", "time", record.period, (profile.timing.step_us,)).over(_US_PER_S),
        layers=layers,
    )


def _layer_terms(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> dict[str, list[Term]]:
    """Return {layer: what happened there}; an all-in synop contains every other term."""
    hops = average_hops(placed, profile)
    terms: dict[str, list[Term]] = {}
    for layer, counts in record.layers.items():
        count, energy = counts.totals(), profile.energy
        synops = Term("synops", "synaptic operations", count["synops_hardware"], (energy.synop_pj,))
        if energy.scope == "all_in":
            terms[layer] = [synops]
        elif layer == placed.graph.source:
            terms[layer] = [Term("messages", "input messages", count["messages"], (energy.input_message_pj,))]
        else:
            sent = count["messages"] if _sends(placed.graph, layer) else 0
            east_west, north_south = hops[layer]
            terms[layer] = [
                synops,
                _update_term(placed.graph.nodes[layer], count["updates"], profile),
                Term("messages", "sending messages", sent, (energy.message_pj,)),
                Term("hops", "hops east-west", sent * east_west, (energy.hop_east_west_pj,)),
                Term("hops", "hops north-south", sent * north_south, (energy.hop_north_south_pj,)),
            ]
    return terms


def _sends(graph: IntegerGraph, layer: str) -> bool:
    """Whether a layer's messages leave the neuron: a scan's go to its own soma."""
    return layer == graph.output or bool(axons(graph, [layer]))


def _update_term(node: IntegerNode, updates: int, profile: HardwareProfile) -> Term:
    passes = profile.passes_per_update.get(node.kind)
    if passes is None:
        return Term("updates", f"updates of {node.kind} neurons", updates, ())
    states = node.state_words if passes.unit == "passes/state" else 1
    return Term("updates", "neuron updates", updates * states, (passes, profile.energy.update_pass_pj))


def _shared_terms(record: RunRecord, profile: HardwareProfile) -> Iterator[Term]:
    """What the chip spends whatever the layers do; with all-in prices, nothing of its own."""
    energy, step_us = profile.energy, profile.timing.step_us
    steps = record.period * record.samples if energy.scope == "per_term" else 0
    yield Term("barrier", "barrier", steps, (energy.barrier_pj,))
    yield Term("static", "static power", steps * _PJ_PER_US_MW, (step_us, energy.static_mw))
    yield Term("host", "host power", steps * _PJ_PER_US_MW, (step_us, energy.host_mw))


def _layer_energy(layer: str, terms: Iterable[Term], samples: int) -> LayerEnergy:
    events: dict[str, Range] = {}
    for term in terms:
        if term.priced:
            events[term.event] = _sum([events.get(term.event, UNPRICED), term.over(samples)])
    return LayerEnergy(layer, events, _sum(events.values()))


def _sum(ranges: Iterable[Range]) -> Range:
    """Add what is priced, end by end; UNPRICED if nothing is."""
    priced = [(r.low, r.value, r.high) for r in ranges if r != UNPRICED]
    return Range(*(sum(end) for end in zip(*priced, strict=True))) if priced else UNPRICED

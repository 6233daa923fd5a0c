r"""Latency: how long a step, a sample and its answer take on the profile's chip, as low, likely and high.

    step(t)  = max(step_us, barrier_us, every core's neurons, synapses and memory, every link)        step_time.py
    answer   = the sum of step(t) from a sample's first input to its last output

Counts are the mean over the samples of the run, at the step that a layer is busy with: samples follow each other every
``period`` steps, so all layers are busy at once. Those of a recurrent graph each start from rest (`compilers.align`):
the next one waits for the last layer. A layer's events are spread evenly over its neurons, and a core has the share of
the neurons it holds. Links carry the messages of the placement's flows (links.py). Events without a published time are
listed in ``untimed``; every time is then a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import IntegerGraph, PlacedGraph, hosts
from ..hardware import HardwareProfile
from ..nodes.arithmetic import Array
from ..printable import outline
from ..record import RunRecord
from .links import BusyLink, LinkTraffic
from .step_time import (
    EVENTS,
    NS_PER_US,
    TERMS,
    UNIT_OF,
    LayerWork,
    ends_of,
    layer_work,
    units,
)  # fmt: skip
from .terms import UNPRICED, Range, Term, left_out, weakest

_US_PER_S = 1_000_000

Held = tuple[tuple[str, int], ...]
"""What a core holds: (layer, how many of its neurons), once for each layer."""


@dataclass(frozen=True)
class BusyTime:
    """How long a core works, in us: its longest unit; ``events`` holds the kinds of EVENTS with a published time."""

    core: int
    layers: tuple[str, ...]
    events: dict[str, Range]
    total: Range


@dataclass(frozen=True)
class TermTime:
    """One term of a step: its largest value in us, and in how many steps of a sample it is the longest."""

    term: str
    us: Range
    steps: int
    basis: str


@dataclass(frozen=True)
class StepTime:
    """Which ``term`` the longest step waits for, how long (``us``), and the busiest link; ``terms`` holds them all.

    ``link`` is None where no core sends to another.
    """

    term: str
    us: Range
    link: BusyLink | None
    terms: tuple[TermTime, ...]

    __repr__ = outline


@dataclass(frozen=True)
class LatencyReport:
    """Times in us, and the steps they are made of.

    ``steps_per_sample`` lie between the beginnings of two samples; in ``floor_steps`` of them no core and no link takes
    as long as the least a step takes. ``busiest`` is a core's work in its longest step, ``layers`` what the fullest
    core of each layer does for it in a whole sample, ``time`` what the longest step waits for.
    """

    target: str
    steps_per_sample: int
    first_answer_steps: int
    answer_steps: int
    floor_steps: int
    step_us: Range
    longest_step_us: Range
    first_answer_us: Range
    answer_us: Range
    sample_us: Range
    samples_per_second: Range
    busiest: BusyTime
    layers: tuple[BusyTime, ...]
    time: StepTime
    untimed: tuple[str, ...]
    weakest_basis: str
    steps_us: Array = field(repr=False, compare=False)  # (ends, steps)

    __repr__ = outline


def latency(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> LatencyReport:
    """Return how long the recorded run takes on the profile's chip; the graph must be aligned."""
    check_record(placed, record, profile)
    graph, work, cores = placed.graph, layer_work(placed, record, profile), _cores(placed)
    working, fullest, longest = _longest_work(graph, work, cores)
    traffic = LinkTraffic.of(placed, record, profile)
    sides, priced = _side_by_side(working, work, traffic, profile)
    step = np.max(list(sides.values()), axis=0)
    steps, terms = step.shape[1], [term for terms in priced.values() for term in terms]
    known = any(term.priced for term in terms)
    least = np.maximum(sides["floor"], sides["barrier"])[1]
    first, answer = graph.latency + 1, graph.latency + record.steps
    sample = _lasting(step, steps) if known else UNPRICED
    return LatencyReport(
        target=profile.name,
        steps_per_sample=steps,
        first_answer_steps=first,
        answer_steps=answer,
        floor_steps=int((step[1] <= least).sum()),
        step_us=sample.over(steps),
        longest_step_us=Range(*step.max(axis=1).tolist()) if known else UNPRICED,
        first_answer_us=_lasting(step, first) if known else UNPRICED,
        answer_us=_lasting(step, answer) if known else UNPRICED,
        sample_us=sample,
        samples_per_second=_per_second(sample),
        busiest=_busy_time(cores, fullest, graph, work, slice(longest, longest + 1)),
        layers=tuple(_layer_time(layer, cores, graph, work) for layer in work),
        time=_step_time(sides, priced, traffic.busiest(profile)),
        untimed=left_out(terms),
        weakest_basis=weakest(terms),
        steps_us=step,
    )


def still_us(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> Array:
    """Return the likely time of each step, (steps,), if no message had to cross a link."""
    work = layer_work(placed, record, profile)
    working, _, _ = _longest_work(placed.graph, work, _cores(placed))
    sides, _ = _side_by_side(working, work, LinkTraffic.none(placed.graph, record), profile)
    return np.asarray(np.max([side[1] for side in sides.values()], axis=0))


def check_record(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> None:
    """Refuse a record of another program."""
    arguments.instance(placed, PlacedGraph, "placed", "a program's is program.placed")
    arguments.instance(record, RunRecord, "record", "program.run(x) returns one")
    arguments.instance(profile, HardwareProfile, "profile", "a program's is program.profile")
    if record.layers.keys() != placed.graph.nodes.keys():
        other = min(record.layers.keys() ^ placed.graph.nodes.keys())
        raise InputError(f"the record is of another program: only one of them has a layer '{other}'")


def _longest_work(
    graph: IntegerGraph, work: dict[str, LayerWork], cores: dict[Held, int]
) -> tuple[dict[str, Array], Held, int]:
    """Return what each unit works at most in each step, (ends, steps) in us, and which core works longest, and when."""
    most: dict[str, Array] = {}
    fullest, longest, record = next(iter(cores)), 0, -1.0
    for held in cores:
        own = {unit: ns / NS_PER_US for unit, ns in units(_busy_ns(held, graph, work)).items()}
        most = {unit: np.maximum(us, most[unit]) if most else us for unit, us in own.items()}
        likely = np.max([us[1] for us in own.values()], axis=0)
        if likely.max() > record:
            fullest, longest, record = held, int(likely.argmax()), float(likely.max())
    return most, fullest, longest


def _side_by_side(
    working: dict[str, Array], work: dict[str, LayerWork], traffic: LinkTraffic, profile: HardwareProfile
) -> tuple[dict[str, Array], dict[str, list[Term]]]:
    """Return {term: the time of each step, (ends, steps)} in the order of TERMS, and the counted terms of each."""
    timing, steps = profile.timing, traffic.loads.shape[1]
    counted = [term for layer in work.values() for term in layer.terms]
    priced = {unit: [term for term in counted if UNIT_OF[term.event] == unit] for unit in working}
    moving = [
        Term("hops", "hops", float(traffic.loads[0].sum()), (timing.hop_ns,)),
        Term("links", "links between chips", float(traffic.loads[1].sum()), (timing.chip_hop_ns,)),
    ]
    across = [np.outer(ends_of(term.each), load) for term, load in zip(moving, traffic.loads, strict=True)]
    least = {
        "barrier": Term("barrier", "barrier", steps, (timing.barrier_us,)),
        "floor": Term("floor", "least time of a step", steps, (timing.step_us,)),
    }
    sides = {**working, "link": np.maximum(*across) / NS_PER_US}
    sides |= {name: np.repeat(ends_of(term.each)[:, None], steps, axis=1) for name, term in least.items()}
    priced |= {"link": moving, **{name: [term] for name, term in least.items()}}
    return {name: sides[name] for name in TERMS}, {name: priced[name] for name in TERMS}


def _step_time(sides: dict[str, Array], priced: dict[str, list[Term]], link: BusyLink | None) -> StepTime:
    values = np.array([side[1] for side in sides.values()])
    which = _binding(values)
    slowest = int(values.max(axis=0).argmax())
    rows = tuple(
        TermTime(name, _largest(side, priced[name]), int((which == index).sum()), weakest(priced[name]))
        for index, (name, side) in enumerate(sides.items())
    )
    name = TERMS[int(which[slowest])]
    return StepTime(name, Range(*sides[name][:, slowest].tolist()), link, rows)


def _binding(values: Array) -> Array:
    """Return the index of the longest term of each step, (steps,); among equals the last: the floor is free of work."""
    return np.asarray(len(values) - 1 - values[::-1].argmax(axis=0))


def _largest(side: Array, terms: list[Term]) -> Range:
    return Range(*side.max(axis=1).tolist()) if any(term.priced for term in terms) else UNPRICED


def _lasting(step: Array, count: int) -> Range:
    """Add up ``count`` steps (ends, steps of a sample), sample after sample, from the first of one on."""
    whole, rest = divmod(count, step.shape[1])
    return Range(*(whole * step.sum(axis=1) + step[:, :rest].sum(axis=1)).tolist())


def _cores(placed: PlacedGraph) -> dict[Held, int]:
    """Return {what a core holds: the first such core}; without cores, as if each layer had one."""
    if not placed.cores:
        nodes = placed.graph.nodes
        return {((layer, nodes[layer].neurons),): index for index, layer in enumerate(hosts(placed.graph))}
    held: dict[int, Held] = {}
    for core in placed.cores:
        held[core.index] = (*held.get(core.index, ()), (core.layer, core.last - core.first + 1))
    return {layers: index for index, layers in sorted(held.items(), reverse=True)}


def _busy_ns(held: Held, graph: IntegerGraph, work: dict[str, LayerWork]) -> Array:
    """Return the work of a core (EVENTS, ends, steps): for each layer its share of the neurons."""
    shares = [work[layer].ns * (neurons / graph.nodes[layer].neurons) for layer, neurons in held]
    return np.asarray(np.sum(shares, axis=0))


def _busy_time(
    cores: dict[Held, int], held: Held, graph: IntegerGraph, work: dict[str, LayerWork], steps: slice = slice(None)
) -> BusyTime:
    """Return the work of a core in some steps of a sample, or in all."""
    ns = _busy_ns(held, graph, work)[:, :, steps] / NS_PER_US
    busy, whole = ns.sum(axis=2), np.max(list(units(ns).values()), axis=0).sum(axis=1)
    timed = {term.event for layer, _ in held for term in work[layer].terms if term.priced}
    events = {event: Range(*row) for event, row in zip(EVENTS, busy.tolist(), strict=True) if event in timed}
    return BusyTime(cores[held], tuple(layer for layer, _ in held), events, Range(*whole) if timed else UNPRICED)


def _layer_time(layer: str, cores: dict[Held, int], graph: IntegerGraph, work: dict[str, LayerWork]) -> BusyTime:
    """Return the work for a layer in a whole sample, on the core with most of its neurons."""
    neurons, core = max((dict(held)[layer], index) for held, index in cores.items() if layer in dict(held))
    alone: Held = ((layer, neurons),)
    return _busy_time({alone: core}, alone, graph, work)


def _per_second(us: Range) -> Range:
    """Return how many times per second something happens that takes this long."""
    if us.low is None or us.value is None or us.high is None:
        return UNPRICED
    return Range(*(_US_PER_S / end if end else None for end in (us.high, us.value, us.low)))

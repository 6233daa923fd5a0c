r"""Latency: how long a step, a sample and its answer take on the profile's chip, as low, likely and high.

    busy(core, t) = synops * synop_ns + updates * passes * update_pass_ns
                  + messages * (hops * hop_ns + links * chip_hop_ns)
    step(t)       = max(step_us, barrier_us + max over cores of busy(core, t))
    answer        = the sum of step(t) from a sample's first input to its last output

Counts are the mean over the samples of the run, at the step that a layer is busy with: samples follow each other every
``period`` steps, so all layers are busy at once. Those of a recurrent graph each start from rest (`compilers.align`):
the next one waits for the last layer. A layer's events are spread evenly over its neurons, and a core has the share of
the neurons it holds. Its messages leave one after another, and each takes the time of all its hops: this is
pessimistic. Events without a published time are listed in ``untimed``; every time is then a lower bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import arguments
from ..compilers.placement.mesh import Hops
from ..compilers.placement.place import average_hops
from ..errors import InputError
from ..graph import IntegerGraph, PlacedGraph, hosts
from ..hardware import HardwareProfile
from ..nodes.arithmetic import Array
from ..printable import outline
from ..record import RunRecord
from .terms import UNPRICED, Range, Term, left_out, total, update_term, weakest

_NS_PER_US = 1000
_US_PER_S = 1_000_000

EVENTS = ("synops", "updates", "hops", "links")
_HOPS = EVENTS.index("hops")

Held = tuple[tuple[str, int], ...]
"""What a core holds: (layer, how many of its neurons), once for each layer."""


@dataclass(frozen=True)
class BusyTime:
    """How long a core works, in us; ``events`` holds the kinds of EVENTS with a published time."""

    core: int
    layers: tuple[str, ...]
    events: dict[str, Range]
    total: Range


@dataclass(frozen=True)
class LatencyReport:
    """Times in us, and the steps they are made of.

    ``steps_per_sample`` lie between the beginnings of two samples; in ``floor_steps`` of them no core works as long as
    the least a step takes. ``busiest`` is a core's work in its longest step, ``layers`` what the fullest core of each
    layer does for it in a whole sample.
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
    untimed: tuple[str, ...]
    weakest_basis: str

    __repr__ = outline


@dataclass(frozen=True)
class _Work:
    """The work of a whole layer on one core: ``ns`` (EVENTS, ends, steps of the chip) per sample, and its terms."""

    terms: tuple[Term, ...]
    ns: Array


def latency(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> LatencyReport:
    """Return how long the recorded run takes on the profile's chip; the graph must be aligned."""
    check_record(placed, record, profile)
    graph, work, cores = placed.graph, _work(placed, record, profile), _cores(placed)
    busy = {held: _busy_ns(held, graph, work).sum(axis=0) / _NS_PER_US for held in cores}
    fullest = max(busy, key=lambda held: float(busy[held][1].max()))
    longest = int(busy[fullest][1].argmax())
    steps = busy[fullest].shape[1]
    floor = Term("floor", "least time of a step", steps, (profile.timing.step_us,))
    barrier = Term("barrier", "barrier", steps, (profile.timing.barrier_us,))
    terms = [floor, barrier, *(term for layer in work.values() for term in layer.terms)]
    known = any(term.priced for term in terms)
    working = np.max(list(busy.values()), axis=0) + _ends(barrier.each)[:, None]
    step = np.maximum(working, _ends(floor.each)[:, None])
    first, answer = graph.latency + 1, graph.latency + record.steps
    sample = _lasting(step, steps) if known else UNPRICED
    return LatencyReport(
        target=profile.name,
        steps_per_sample=steps,
        first_answer_steps=first,
        answer_steps=answer,
        floor_steps=int((working[1] < step[1]).sum()),
        step_us=sample.over(steps),
        longest_step_us=Range(*step.max(axis=1).tolist()) if known else UNPRICED,
        first_answer_us=_lasting(step, first) if known else UNPRICED,
        answer_us=_lasting(step, answer) if known else UNPRICED,
        sample_us=sample,
        samples_per_second=_per_second(sample),
        busiest=_busy_time(cores, fullest, graph, work, slice(longest, longest + 1)),
        layers=tuple(_layer_time(layer, cores, graph, work) for layer in work),
        untimed=left_out(terms),
        weakest_basis=weakest(terms),
    )


def sample_us(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, hops: Array) -> Array:
    """Return how long a sample takes, (ways,), if a message of each layer takes ``hops`` (ways, layers), all on a mesh.

    The layers are those of `hosts`, in its order; times are the likely ones.
    """
    work = _work(placed, record, profile, dict.fromkeys(placed.graph.nodes, Hops(1, 0, 0)))
    still = np.stack([layer.ns[:, 1].sum(axis=0) - layer.ns[_HOPS, 1] for layer in work.values()])
    moving = np.stack([layer.ns[_HOPS, 1] for layer in work.values()])
    longest = np.zeros((len(hops), still.shape[1]))
    for held in _cores(placed):
        shares = np.array([dict(held).get(layer, 0) / placed.graph.nodes[layer].neurons for layer in work])
        longest = np.maximum(longest, shares @ still + (hops * shares) @ moving)
    barrier, floor = profile.timing.barrier_us.value or 0.0, profile.timing.step_us.value or 0.0
    return np.asarray(np.maximum(floor, barrier + longest / _NS_PER_US).sum(axis=1))


def check_record(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> None:
    """Refuse a record of another program."""
    arguments.instance(placed, PlacedGraph, "placed", "a program's is program.placed")
    arguments.instance(record, RunRecord, "record", "program.run(x) returns one")
    arguments.instance(profile, HardwareProfile, "profile", "a program's is program.profile")
    if record.layers.keys() != placed.graph.nodes.keys():
        other = min(record.layers.keys() ^ placed.graph.nodes.keys())
        raise InputError(f"the record is of another program: only one of them has a layer '{other}'")


def _lasting(step: Array, count: int) -> Range:
    """Add up ``count`` steps (ends, steps of a sample), sample after sample, from the first of one on."""
    whole, rest = divmod(count, step.shape[1])
    return Range(*(whole * step.sum(axis=1) + step[:, :rest].sum(axis=1)).tolist())


def _work(
    placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, hops: Mapping[str, Hops] | None = None
) -> dict[str, _Work]:
    """Return {layer: work of its cores} for every layer with cores; ``hops`` per message, if not as placed."""
    graph, timing, hops = placed.graph, profile.timing, hops or average_hops(placed, profile)
    found = {}
    for layer in hosts(graph):
        counts, sums = record.layers[layer], record.layers[layer].totals()
        on_mesh, links = float(hops[layer].east_west + hops[layer].north_south), float(hops[layer].links)
        executed = placed.executed(layer)
        synops = Term("synops", "synaptic operations", sums[executed], (timing.synop_ns,))
        growing = (
            (synops, getattr(counts, executed)),
            (update_term(graph.nodes[layer], sums["updates"], profile, timing.update_pass_ns), counts.updates),
            (Term("hops", "hops", sums["messages"] * on_mesh, (timing.hop_ns,)), counts.messages),
            (Term("links", "links between chips", sums["messages"] * links, (timing.chip_hop_ns,)), counts.messages),
        )
        ns = np.stack([_ns(term, steps, record, layer, graph) for term, steps in growing])
        found[layer] = _Work(tuple(term for term, _ in growing), ns)
    return found


def _ns(term: Term, counts: Array, record: RunRecord, layer: str, graph: IntegerGraph) -> Array:
    """Spread a term over the steps of the chip (ends, steps), as its counts (period,) are."""
    share = counts * (term.count / max(1, int(counts.sum())) / record.samples)
    return np.outer(_ends(term.each), _at_chip_steps(share, layer, graph))


def _at_chip_steps(counts: Array, layer: str, graph: IntegerGraph) -> Array:
    """Return a sample's counts (period,) at the steps of the chip, where a layer is ``depth`` steps late."""
    if not graph.recurrent:
        return np.roll(counts, graph.depth[layer])
    return np.pad(counts, (graph.depth[layer], max(graph.depth.values()) - graph.depth[layer]))


def _cores(placed: PlacedGraph) -> dict[Held, int]:
    """Return {what a core holds: the first such core}; without cores, as if each layer had one."""
    if not placed.cores:
        nodes = placed.graph.nodes
        return {((layer, nodes[layer].neurons),): index for index, layer in enumerate(hosts(placed.graph))}
    held: dict[int, Held] = {}
    for core in placed.cores:
        held[core.index] = (*held.get(core.index, ()), (core.layer, core.last - core.first + 1))
    return {layers: index for index, layers in sorted(held.items(), reverse=True)}


def _busy_ns(held: Held, graph: IntegerGraph, work: dict[str, _Work]) -> Array:
    """Return how long a core is busy (EVENTS, ends, steps): with each layer, for its share of the neurons."""
    shares = [work[layer].ns * (neurons / graph.nodes[layer].neurons) for layer, neurons in held]
    return np.asarray(np.sum(shares, axis=0))


def _busy_time(
    cores: dict[Held, int], held: Held, graph: IntegerGraph, work: dict[str, _Work], steps: slice = slice(None)
) -> BusyTime:
    """Return the work of a core in some steps of a sample, or in all."""
    busy = _busy_ns(held, graph, work)[:, :, steps].sum(axis=2) / _NS_PER_US
    timed = [any(work[layer].terms[kind].priced for layer, _ in held) for kind in range(len(EVENTS))]
    events = {event: Range(*row) for event, row, known in zip(EVENTS, busy.tolist(), timed, strict=True) if known}
    return BusyTime(cores[held], tuple(layer for layer, _ in held), events, total(events.values()))


def _layer_time(layer: str, cores: dict[Held, int], graph: IntegerGraph, work: dict[str, _Work]) -> BusyTime:
    """Return the work for a layer in a whole sample, on the core with most of its neurons."""
    neurons, core = max((dict(held)[layer], index) for held, index in cores.items() if layer in dict(held))
    alone: Held = ((layer, neurons),)
    return _busy_time({alone: core}, alone, graph, work)


def _ends(range_: Range) -> Array:
    """Return low, value and high; 0 if unpublished."""
    return np.array([range_.low or 0.0, range_.value or 0.0, range_.high or 0.0])


def _per_second(us: Range) -> Range:
    """Return how many times per second something happens that takes this long."""
    if us.low is None or us.value is None or us.high is None:
        return UNPRICED
    return Range(*(_US_PER_S / end if end else None for end in (us.high, us.value, us.low)))

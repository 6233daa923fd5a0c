"""Place: cut every layer over as many cores as it needs, and give the cores places with short message paths.

A core holds neurons ``first`` to ``last``, inclusive, of one or several layers. A scan and the LIF that its soma edge
feeds are one microcode neuron: both are listed for each of their cores. Every entry of a core has the core's index and
the resources used by all entries together. The input needs no core. docs/placement.md has the method and its results.
"""

from __future__ import annotations

import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...errors import DoesNotFit
from ...graph import Core, IntegerGraph, MapCut, PlacedGraph, Placement, WorstCore
from ...hardware import HardwareProfile
from ...nodes.arithmetic import Array
from ...record import RunRecord
from .bounds import CoreBound, core_bound, traffic_bound
from .design_rules import rule_violations, violations
from .memory import Footprint, Need, same_memory
from .mesh import ALIKE, Hops, Mesh
from .partition import core_load, partition
from .parts import Part
from .traffic import Traffic, between, flows, rates


def place(
    graph: IntegerGraph,
    profile: HardwareProfile,
    *,
    traffic: RunRecord | None = None,
    seed: int = 0,
    effort: float = 1.0,
    plastic: Mapping[str, int] | None = None,
) -> PlacedGraph:
    """Return the graph on its cores (none in a simulation); raises DoesNotFit with every violated rule.

    ``traffic`` is a run whose message counts weight the paths (without it every neuron counts the same); ``effort`` 0
    leaves the cores in order, row by row; ``plastic`` is as in `memory.Footprint`.
    """
    started = time.perf_counter()
    footprint = Footprint(graph, profile, plastic)
    if findings := violations(footprint):
        raise DoesNotFit(findings)
    if profile.usable_cores is None:
        return PlacedGraph(graph, profile.name, ())
    bound = core_bound(footprint)
    placed = lay(footprint, partition(footprint, bound.cores), bound)
    return arrange(placed, profile, traffic=traffic, seed=seed, effort=effort, started=started)


def moved(before: PlacedGraph, graph: IntegerGraph, profile: HardwareProfile) -> PlacedGraph | None:
    """Return the graph on the cores of another, None unless both need the same memory, neuron by neuron.

    So graphs that differ only in constants of their neurons are cut and annealed once; `DoesNotFit` as in `place`.
    """
    if not same_memory(before.graph, graph):
        return None
    if findings := rule_violations(graph, profile):
        raise DoesNotFit(findings)
    return replace(before, graph=graph)


def lay(footprint: Footprint, parts: Sequence[tuple[Part, ...]], bound: CoreBound) -> PlacedGraph:
    """Return the graph with these parts on cores 0, 1, 2, ... in order."""
    needs = [footprint.together(held) for held in parts]
    return PlacedGraph(
        footprint.graph,
        footprint.profile.name,
        tuple(_cores(footprint, parts, needs)),
        tuple(flows(footprint.graph, parts, needs)),
        _placement(footprint, parts, needs, bound),
    )


def arrange(
    placed: PlacedGraph,
    profile: HardwareProfile,
    *,
    traffic: RunRecord | None = None,
    seed: int = 0,
    effort: float = 1.0,
    started: float | None = None,
    price: Hops = ALIKE,
    sites: Array | None = None,
) -> PlacedGraph:
    """Return the same cores at better places, for the messages of a run; arguments as in `place`.

    ``price`` is the cost of a hop of each kind; if ``sites`` is given, core i goes to ``sites[i]``.
    """
    started = time.perf_counter() if started is None else started
    if placed.placement is None:
        return placed
    order = {index: core for core, index in enumerate(dict.fromkeys(core.index for core in placed.cores))}
    mesh, rate = Mesh.of(profile, len(order)), rates(placed.graph, traffic)
    numbered = [flow._replace(source=order[flow.source], target=order[flow.target]) for flow in placed.flows]
    messages = between(numbered, rate, len(order))
    naive = mesh.places[: len(order)]
    if sites is None:
        sites = _sites(messages, mesh, seed, effort, price)
    place_of = {index: int(sites[core]) for index, core in order.items()}
    flows_there = tuple(f._replace(source=int(sites[f.source]), target=int(sites[f.target])) for f in numbered)
    way = messages.hops(mesh, sites)
    placement = replace(
        placed.placement,
        chips=len(set((sites // mesh.cores).tolist())),
        traffic_hops=way.total,
        naive_traffic_hops=messages.hops(mesh, naive).total,
        traffic_lower_bound=traffic_bound(messages, mesh),
        chip_hops=way.links,
        measured=traffic is not None,
        worst_core=replace(placed.placement.worst_core, index=place_of[placed.placement.worst_core.index]),
        seconds=placed.placement.seconds + time.perf_counter() - started,
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    cores = tuple(replace(core, index=place_of[core.index]) for core in placed.cores)
    return replace(placed, cores=cores, flows=flows_there, placement=placement)


def _sites(messages: Traffic, mesh: Mesh, seed: int, effort: float, price: Hops) -> Array:
    """Return the place of every core, (cores,), chosen for short message paths."""
    cores = len(messages.starts) - 1
    if effort <= 0 or messages.silent or cores < 2 or (cores == 2 and price == ALIKE):  # two are neighbours
        return mesh.places[:cores]
    from .anneal import anneal  # numba is slow to import

    return anneal(messages, mesh, seed, effort, price)


def average_hops(placed: PlacedGraph, profile: HardwareProfile) -> dict[str, Hops]:
    """Return, for each layer, the hops of a neuron's message to all its target cores, as a mean over the neurons."""
    hops = {layer: np.zeros(3) for layer in placed.graph.nodes}
    ends = np.array([(flow.source, flow.target) for flow in placed.flows], np.int64).reshape(-1, 2)
    ways = np.stack(Mesh.of(profile, 1).hops(ends[:, 0], ends[:, 1]), axis=1) if placed.flows else ends
    for flow, way in zip(placed.flows, ways, strict=True):
        hops[flow.layer] += way * flow.neurons / placed.graph.nodes[flow.layer].neurons
    return {layer: Hops(*map(float, way)) for layer, way in hops.items()}


def _cores(footprint: Footprint, parts: Sequence[tuple[Part, ...]], needs: Sequence[Need]) -> Iterator[Core]:
    for index, (held, need) in enumerate(zip(parts, needs, strict=True)):
        usage = footprint.usage(need)
        for part in held:
            for layer in footprint.layers[part.layer]:
                yield Core(index, layer, part.first, part.last, usage, part.channels)


def _placement(
    footprint: Footprint, parts: Sequence[tuple[Part, ...]], needs: Sequence[Need], bound: CoreBound
) -> Placement:
    encodings: dict[str, Counter[str]] = defaultdict(Counter)
    list_words: Counter[str] = Counter()
    for need in needs:
        list_words.update(need.list_words)
        for edge, encoding in need.encodings.items():
            encodings[edge][encoding] += 1
    index = max(range(len(needs)), key=lambda core: core_load(footprint, needs[core]))
    usage = footprint.usage(needs[index])
    name = max(usage, key=lambda name: usage[name][0] / max(usage[name][1], 1e-9))
    layer = max(parts[index], key=lambda part: part.neurons).layer
    worst = WorstCore(index, layer, name, *usage[name])
    return Placement(
        len(parts),
        bound.cores,
        bound.binding,
        worst,
        {edge: dict(n) for edge, n in encodings.items()},
        list_words=dict(list_words),
        cuts=dict(_map_cuts(footprint)),
    )


def _map_cuts(footprint: Footprint) -> Iterator[tuple[str, MapCut]]:
    """Yield how each feature map that no core holds alone is cut."""
    for layer in footprint.layers:
        cut = footprint.way_of(layer)
        if cut.by != "neurons":
            yield layer, MapCut(cut.by, len(cut.parts), cut.other, cut.unfinished)

"""Links: loads of the mesh equal a walk of every message; a step is the longest of all single events and loads."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tiny_net import known

from bim_neuro.compilers.align import align
from bim_neuro.estimates.latency import latency
from bim_neuro.estimates.links import LinkTraffic, link_shares
from bim_neuro.graph import Core, Edge, Flow, IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.nodes import Dense, Encoder, IntegerLIF, IntegerReadout, Source
from bim_neuro.record import LayerCount, RunRecord

Link = tuple[int, int]


def board(
    columns: int, cores: int, chips: int, chip_columns: int, hop_ns: float, chip_hop_ns: float
) -> HardwareProfile:
    """Return a board whose links are slow, and on which nothing else takes time."""
    profile = load_profile("loihi2")
    none, zero = known(0, 0, 0, "us"), known(0, 0, 0, "ns")
    timing = replace(
        profile.timing,
        **dict.fromkeys(("step_us", "barrier_us"), none),
        **dict.fromkeys(("synop_ns", "update_pass_ns", "lif_update_ns", "read_ns"), zero),
        hop_ns=known(hop_ns, hop_ns, hop_ns, "ns"),
        chip_hop_ns=known(chip_hop_ns, chip_hop_ns, chip_hop_ns, "ns"),
    )
    capacity = replace(
        profile.capacity,
        cores=known(cores, cores, cores, "cores"),
        mesh_columns=known(columns, columns, columns, "cores"),
    )
    grid = replace(
        profile.board,
        chips=known(chips, chips, chips, "chips"),
        chip_columns=known(chip_columns, chip_columns, chip_columns, "chips"),
    )
    return replace(profile, timing=timing, capacity=capacity, board=grid)


def chain(sizes: list[int]) -> IntegerGraph:
    """Return layers that read each other in a row."""
    nodes = {"input": Source(1, graded=False)}
    edges = []
    for index, neurons in enumerate(sizes):
        last, before = index == len(sizes) - 1, list(nodes)[-1]
        bias = np.zeros(neurons, int)
        lif = IntegerLIF(neurons, 4095, 100, 10, bias)
        nodes[f"n{index}"] = IntegerReadout(60000, np.ones(neurons, int), 0, bias) if last else lif
        weight = np.ones((neurons, nodes[before].neurons), np.int8)
        edges.append(Edge(before, f"n{index}", "a" if last else "i", Dense(weight)))
    return align(IntegerGraph(nodes, tuple(edges), 1e-3, Encoder("spikes", np.ones(1), np.zeros(1))))


def walk(profile: HardwareProfile, source: int, target: int) -> list[Link]:
    """Return every link that one message takes: along its row first, one core at a time."""
    columns, cores = int(profile.capacity.mesh_columns.number), int(profile.capacity.cores.number)
    wide, rows = int(profile.board.chip_columns.number), -(-cores // columns)

    def place(core: int) -> list[int]:
        chip, at = divmod(core, cores)
        return [chip % wide * columns + at % columns, chip // wide * rows + at // columns]

    def core(x: int, y: int) -> int:
        return (y // rows * wide + x // columns) * cores + y % rows * columns + x % columns

    at, end, taken = place(source), place(target), []
    for axis in (0, 1):
        while at[axis] != end[axis]:
            before = core(*at)
            at[axis] += 1 if end[axis] > at[axis] else -1
            taken.append((before, core(*at)))
    return taken


def drawn(seed: int) -> tuple[PlacedGraph, RunRecord, HardwareProfile]:
    """Return layers cut over cores at random places of a board of one to four chips, and messages of a run."""
    draw = np.random.default_rng(seed)
    chips, wide = [(1, 1), (2, 2), (4, 2)][seed % 3]
    profile = board(int(draw.integers(2, 5)), 12, chips, wide, 7.0, 31.0)
    sizes = draw.integers(2, 7, 3).tolist()
    graph, steps = chain(sizes), int(draw.integers(2, 5))
    places = draw.permutation(12 * chips).tolist()
    cores = []
    for layer, neurons in zip(("n0", "n1", "n2"), sizes, strict=True):
        half = neurons // 2
        cores += [Core(places.pop(), layer, 0, half - 1, {}), Core(places.pop(), layer, half, neurons - 1, {})]
    pairs = [("n0", "n1"), ("n1", "n2")]
    flows = [
        Flow(sender, one.index, other.index, one.last - one.first + 1)
        for sender, reader in pairs
        for one in (core for core in cores if core.layer == sender)
        for other in (core for core in cores if core.layer == reader)
    ]
    zeros = np.zeros(steps, np.int64)
    layers = {name: LayerCount(zeros, zeros, zeros, draw.integers(0, 40, steps), zeros) for name in graph.nodes}
    record = RunRecord("drawn", 2, steps, steps, layers, np.zeros((2, sizes[-1]), int))
    return PlacedGraph(graph, "drawn", tuple(cores), tuple(flows)), record, profile


def crossed(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, step: int) -> Counter[Link]:
    """Return a sample's messages over each link in a step of the chip, by a walk of every flow."""
    graph, found = placed.graph, Counter[Link]()
    for flow in placed.flows:
        sent = record.layers[flow.layer].messages[(step - graph.depth[flow.layer]) % record.period]
        for link in walk(profile, flow.source, flow.target):
            found[link] += sent * flow.neurons / graph.nodes[flow.layer].neurons / record.samples
    return found


@pytest.mark.parametrize("seed", range(12))
def test_the_longest_link_of_every_step_is_that_of_a_walk_of_every_message(seed: int) -> None:
    placed, record, profile = drawn(seed)
    per_chip, sample = int(profile.capacity.cores.number), 0.0
    for step in range(record.period):
        times = [
            load * (7.0 if source // per_chip == target // per_chip else 31.0)
            for (source, target), load in crossed(placed, record, profile, step).items()
        ]
        sample += max(times) / 1000
    assert latency(placed, record, profile).sample_us.value == pytest.approx(sample, rel=1e-12)


TIMES = {
    "step_us": known(0.05, 0.2, 0.3, "us"),
    "barrier_us": known(0.1, 0.25, 0.4, "us"),
    "lif_update_ns": known(20, 30, 40, "ns"),
    "update_pass_ns": known(10, 50, 80, "ns"),
    "synop_ns": known(1, 9, 12, "ns"),
    "read_ns": known(2, 17, 40, "ns"),
}
"""So that each term is the longest in some step of some drawn run."""


def busy(seed: int) -> tuple[PlacedGraph, RunRecord, HardwareProfile]:
    """Return a drawn run whose neurons and synapses take time as well, two halves of different layers on one core."""
    placed, record, profile = drawn(seed)
    draw = np.random.default_rng(1000 + seed)
    shared = placed.cores[0].index, placed.cores[-1].index
    cores = tuple(replace(core, index=shared[1] if core.index == shared[0] else core.index) for core in placed.cores)
    moved = [flow._replace(source=shared[1] if flow.source == shared[0] else flow.source) for flow in placed.flows]
    flows = tuple(flow for flow in moved if flow.source != flow.target)
    layers = {
        name: replace(
            counts,
            **dict.fromkeys(("synops_hardware", "synops_effective"), draw.integers(0, 120, record.period)),
            updates=draw.integers(0, 14, record.period),
        )
        for name, counts in record.layers.items()
    }
    timing = replace(profile.timing, **TIMES)
    return replace(placed, cores=cores, flows=flows), replace(record, layers=layers), replace(profile, timing=timing)


def worked(placed: PlacedGraph, record: RunRecord, step: int) -> dict[int, Counter[str]]:
    """Return {core: the work of each of its units in ns}, one event after another; a sample's, so half of the run's."""
    done: dict[int, Counter[str]] = {}
    for core in placed.cores:
        node, counts = placed.graph.nodes[core.layer], record.layers[core.layer]
        at = (step - placed.graph.depth[core.layer]) % record.period
        share = (core.last - core.first + 1) / node.neurons / record.samples
        units = done.setdefault(core.index, Counter())
        for _ in range(int(counts.updates[at])):
            units["neurons"] += share * (30.0 if isinstance(node, IntegerLIF) else 2.2 * 50.0)
        held = max(1, round(node.neurons / 2))
        words = -(-(held * (1 + 12) + 10) // 64)  # all weights are 1, which takes a bit
        for _ in range(int(counts.synops_hardware[at])):
            units["synapses"] += share * 9.0
            units["memory"] += share * 17.0 * words / held
    return done


def test_a_step_is_the_longest_of_every_event_on_every_core_and_every_message_on_every_link() -> None:
    waited = set()
    for seed in range(24):
        placed, record, profile = busy(seed)
        per_chip, sample = int(profile.capacity.cores.number), 0.0
        for step in range(record.period):
            times = {"floor": 200.0, "barrier": 250.0}
            for units in worked(placed, record, step).values():
                times |= {unit: max(ns, times.get(unit, 0.0)) for unit, ns in units.items()}
            for (source, target), load in crossed(placed, record, profile, step).items():
                each = 7.0 if source // per_chip == target // per_chip else 31.0
                times["link"] = max(times.get("link", 0.0), load * each)
            waited.add(max(times, key=lambda term: times[term]))
            sample += max(times.values()) / 1000
        assert latency(placed, record, profile).sample_us.value == pytest.approx(sample, rel=1e-12)
    assert waited == {"barrier", "neurons", "synapses", "memory", "link"}


def test_every_link_is_named_by_the_cores_at_its_ends() -> None:
    placed, _, profile = drawn(2)
    links = link_shares(placed, profile)
    shares: Counter[Link] = Counter()
    for flow in placed.flows:
        for link in walk(profile, flow.source, flow.target):
            shares[link] += flow.neurons / placed.graph.nodes[flow.layer].neurons
    named = zip(links.source.tolist(), links.target.tolist(), links.share.sum(axis=1).A1, strict=True)
    assert {(source, target): pytest.approx(share) for source, target, share in named} == dict(shares)


def test_a_thousand_cores_have_their_link_loads_in_seconds() -> None:
    draw, profile = np.random.default_rng(0), load_profile("kapoho_point")
    graph = chain([4000, 4000, 2])
    cores = draw.permutation(960).tolist()
    flows = tuple(
        Flow(layer, source, target, 8)
        for layer, sources in (("n0", cores[:480]), ("n1", cores[480:]))
        for source in sources
        for target in draw.choice(cores, 20).tolist()
        if target != source
    )
    counts = [np.full(200, 4000, np.int64)] * 5
    record = RunRecord("drawn", 1, 200, 200, {name: LayerCount(*counts) for name in graph.nodes}, np.zeros((1, 2), int))
    started = time.perf_counter()
    loads = LinkTraffic.of(PlacedGraph(graph, "kapoho_point", (), flows), record, profile).loads
    assert time.perf_counter() - started < 100
    assert loads.shape == (2, 200)
    assert (loads > 0).all()

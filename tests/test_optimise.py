"""Optimise: the placement it chooses is the best of those it tried, by the models, and stays within every limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import small_graphs, small_input
from tiny_net import known

import bim_neuro
from bim_neuro.compilers.align import align
from bim_neuro.compilers.bounds import CoreBound
from bim_neuro.compilers.memory import Footprint, Part
from bim_neuro.compilers.place import arrange, lay, place
from bim_neuro.compilers.spread import even
from bim_neuro.energy import price
from bim_neuro.engine.reference import simulate
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, Quantity, load_profile
from bim_neuro.latency import latency
from bim_neuro.nodes import Dense, Encoder, IntegerLIF, IntegerReadout, Source
from bim_neuro.optimise import OBJECTIVES, cores_used, optimise
from bim_neuro.record import RunRecord
from bim_neuro.tasks import load_task

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def case() -> tuple[PlacedGraph, RunRecord, HardwareProfile]:
    """Return a block that takes one core of a Loihi 2 whose steps may be as short as its busiest core lets them be."""
    _, graph = small_graphs(channels=16, states=8)
    record = simulate(graph, graph.encoder.encode(small_input()))
    profile = load_profile("loihi2")
    profile = replace(profile, timing=replace(profile.timing, step_us=known(1, 1, 1, "us")))
    return place(graph, profile, traffic=record), record, profile


@pytest.fixture(scope="module")
def best(case: tuple[PlacedGraph, RunRecord, HardwareProfile]) -> dict[str, PlacedGraph]:
    """Return what is chosen for each objective."""
    return {objective: optimise(*case, objective) for objective in OBJECTIVES}


def test_the_soonest_answer_takes_more_cores_and_less_time_than_the_fewest_cores(case, best) -> None:
    _, record, profile = case
    soon, few = best["latency"], best["cores"]
    assert cores_used(soon) > 2 * cores_used(few)
    assert latency(soon, record, profile).answer_us.value < 0.5 * latency(few, record, profile).answer_us.value


def test_the_least_energy_is_less_than_that_of_the_soonest_answer_and_of_the_fewest_cores(case, best) -> None:
    _, record, profile = case
    costs = {goal: price(best[goal], record, profile).energy_uj.value for goal in OBJECTIVES}
    assert costs["energy"] <= costs["latency"]
    assert costs["energy"] < 0.6 * costs["cores"]


def test_static_power_decides_over_how_many_cores_a_graph_is_spread(case, best) -> None:
    """Where static power costs nothing one core is best: no message takes a hop."""
    placed, record, profile = case
    free = replace(profile, energy=replace(profile.energy, static_mw=known(0, 0, 0, "mW")))
    assert cores_used(optimise(placed, record, free, "energy")) == 1
    assert cores_used(best["energy"]) > 1


def test_no_more_cores_are_taken_than_allowed(case, best) -> None:
    _, record, profile = case
    free, few = best["latency"], optimise(*case, "latency", max_cores=4)
    assert 1 < cores_used(few) <= 4 < cores_used(free)
    assert latency(few, record, profile).answer_us.value > latency(free, record, profile).answer_us.value


def test_a_spread_placement_has_the_chip_s_limits_and_every_neuron_once(case, best) -> None:
    placed, _, profile = case
    soon = best["latency"]
    for core in soon.cores:
        for name, (used, limit) in core.resources.items():
            assert limit == getattr(profile.capacity, name).number
            assert used <= limit
    for layer, node in placed.graph.nodes.items():
        if layer != placed.graph.source:
            neurons = [range(core.first, core.last + 1) for core in soon.cores_of(layer)]
            assert sorted(neuron for part in neurons for neuron in part) == list(range(node.neurons))
    assert soon.placement.cores == cores_used(soon)
    assert soon.placement.lower_bound == placed.placement.lower_bound
    worst = soon.placement.worst_core
    assert (worst.used, worst.limit) in {core.resources.get(worst.resource) for core in soon.cores}


def test_a_simulation_has_no_places_to_choose_from(case) -> None:
    placed, record, _ = case
    nowhere = PlacedGraph(placed.graph, "lava_cpu", ())
    assert optimise(nowhere, record, load_profile("lava_cpu"), "latency") is nowhere


def test_without_published_numbers_there_is_nothing_to_compare_by(case) -> None:
    placed, record, profile = case
    unpublished = {name: replace(getattr(profile.energy, name), value=None) for name in ("synop_pj", "update_pass_pj")}
    hops = ("hop_east_west_pj", "hop_north_south_pj", "learning_update_pj")
    unpublished |= {name: replace(getattr(profile.energy, name), value=None) for name in hops}
    silent = replace(profile, energy=replace(profile.energy, **unpublished))
    with pytest.raises(InputError, match="no published static power or energy prices, --optimise energy has nothing"):
        optimise(placed, record, silent, "energy")
    idle = replace(profile, energy=replace(profile.energy, static_mw=replace(profile.energy.static_mw, value=None)))
    with pytest.raises(InputError, match="no published static power"):
        optimise(placed, record, idle, "energy")


def chain(draw: np.random.Generator, layers: int) -> IntegerGraph:
    """Return LIFs of 2 to 8 neurons, each layer read whole by the next, and a readout."""
    nodes: dict[str, Any] = {"input": Source(3, graded=False)}
    edges, before = [], "input"
    for index in range(layers):
        neurons, last, name = int(draw.integers(2, 9)), index == layers - 1, f"n{index}"
        zeros = np.zeros(neurons, int)
        lif = IntegerLIF(neurons, 4095, 2000, int(draw.integers(5, 60)), zeros)
        nodes[name] = IntegerReadout(60000, np.ones(neurons, int), 0, zeros) if last else lif
        weight = draw.integers(-30, 60, (neurons, nodes[before].neurons)).astype(np.int8)
        edges.append(Edge(before, name, "a" if last else "i", Dense(weight)))
        before = name
    return align(IntegerGraph(nodes, tuple(edges), 1e-3, Encoder("spikes", np.ones(3), np.zeros(3))))


def prices(draw: np.random.Generator) -> HardwareProfile:
    """Return a Loihi 2 on which now the hops, now the static power, now the least time of a step counts most."""
    profile = load_profile("loihi2")

    def some(low: float, high: float, unit: str) -> Quantity:
        value = 10.0 ** draw.uniform(low, high)
        return known(value, value, value, unit)

    timing = replace(
        profile.timing,
        step_us=some(-2, 0, "us"),
        barrier_us=known(0.02, 0.02, 0.02, "us"),
        synop_ns=known(20, 20, 20, "ns"),
    )
    hop = some(0, 3, "pJ")
    energy = replace(profile.energy, static_mw=some(-1, 2.5, "mW"), hop_east_west_pj=hop, hop_north_south_pj=hop)
    return replace(profile, timing=timing, energy=energy)


def groupings(parts: list[Part]) -> Iterator[list[list[Part]]]:
    """Yield every way to put parts on cores, no two of one layer together."""
    if not parts:
        yield []
        return
    for held in groupings(parts[1:]):
        yield [[parts[0]], *held]
        for index, core in enumerate(held):
            if all(part.layer != parts[0].layer for part in core):
                yield [*held[:index], [parts[0], *core], *held[index + 1 :]]


def exhaustive(graph: IntegerGraph, record: RunRecord, profile: HardwareProfile, most: int) -> float:
    """Return the least energy of all ways to cut each layer over up to ``most`` cores and to put the parts together."""
    footprint, least = Footprint(graph, profile), inf
    for counts in product(*(range(1, min(most, graph.nodes[layer].neurons) + 1) for layer in footprint.layers)):
        cut = [even(layer, graph.nodes[layer].neurons, n) for layer, n in zip(footprint.layers, counts, strict=True)]
        for held in groupings([part for parts in cut for part in parts]):
            laid = lay(footprint, [tuple(parts) for parts in held], CoreBound(1, "groups"))
            placed = arrange(laid, profile, traffic=record, effort=0.01)
            least = min(least, OBJECTIVES["energy"](placed, record, profile))
    return least


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.slow] if seed else []) for seed in range(20)])
def test_no_placement_of_all_costs_less_than_the_one_that_is_chosen(seed: int) -> None:
    draw = np.random.default_rng(seed)
    layers = 2 + seed % 2
    graph = chain(draw, layers)
    record = simulate(graph, (draw.random((2, 6, 3)) < 0.5).astype(np.int64))
    profile = prices(draw)
    chosen = optimise(place(graph, profile, traffic=record), record, profile, "energy", max_cores=6)
    least = exhaustive(graph, record, profile, most=3 if layers == 2 else 2)
    assert price(chosen, record, profile).energy_uj.value <= least * (1 + 1e-9)


@pytest.mark.slow
def test_the_digits_cost_less_than_half_of_what_the_fewest_cores_do() -> None:
    program = bim_neuro.compile(EXAMPLES / "digits.pt")
    record = program.run(load_task("digits", None).test.x[:8])
    placed = arrange(program.placed, program.profile, traffic=record)
    before = price(placed, record, program.profile)
    chosen = optimise(placed, record, program.profile, "energy")
    after = price(chosen, record, program.profile)
    assert before.energy_uj.value == pytest.approx(66, abs=0.5)
    assert after.energy_uj.value < 0.6 * before.energy_uj.value
    assert after.dynamic_uj.value == pytest.approx(before.dynamic_uj.value, rel=0.01)

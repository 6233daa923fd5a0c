"""Optimise: the placement it chooses is the best of those it tried, by the models, and stays within every limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_models import small_graphs, small_input
from tiny_net import known

from bim_neuro.compilers.place import place
from bim_neuro.energy import price
from bim_neuro.engine.reference import simulate
from bim_neuro.errors import InputError
from bim_neuro.graph import PlacedGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.latency import latency
from bim_neuro.optimise import OBJECTIVES, cores_used, optimise
from bim_neuro.record import RunRecord


@pytest.fixture(scope="module")
def case() -> tuple[PlacedGraph, RunRecord, HardwareProfile]:
    """Return a block that takes one core of a Loihi 2 whose steps may be as short as its busiest core lets them be."""
    _, graph = small_graphs(channels=32, states=4)
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


def test_the_least_energy_is_less_than_that_of_the_soonest_answer(case, best) -> None:
    _, record, profile = case
    costs = {goal: price(best[goal], record, profile).dynamic.value for goal in ("energy", "latency")}
    assert costs["energy"] < costs["latency"]


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
    with pytest.raises(InputError, match="has no published numbers for --optimise energy"):
        optimise(placed, record, silent, "energy")

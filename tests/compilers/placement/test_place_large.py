"""Placement of large generated models: good beside a naive one, quick, and within every limit."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.cases import generated_bim
from benchmarks.generated import bim, sheet
from bim_neuro.compilers.placement.place import place
from bim_neuro.graph import PlacedGraph
from bim_neuro.hardware import load_profile

pytestmark = pytest.mark.slow


def assert_whole(placed: PlacedGraph) -> None:
    """Every neuron on one core, every core within its limits."""
    held = Counter[str]()
    for core in placed.cores:
        held[core.layer] += core.last - core.first + 1
        assert all(used <= limit for used, limit in core.resources.values())
    graph = placed.graph
    assert held == {name: node.neurons for name, node in graph.nodes.items() if name != graph.source}


def test_a_bim_of_four_blocks_takes_as_few_cores_as_there_can_be() -> None:
    placed = place(generated_bim(256, 16, 4, 20, 1)[0], load_profile("loihi2"))
    assert placed.placement is not None
    assert placed.placement.cores <= max(placed.placement.lower_bound + 1, 1.1 * placed.placement.lower_bound)
    assert_whole(placed)


def test_a_hundred_cores_carry_less_than_six_tenths_of_the_naive_traffic() -> None:
    placed = place(sheet(100, 900, 9), load_profile("loihi2"))
    assert placed.placement is not None
    assert 95 <= placed.placement.cores <= 105
    assert placed.placement.traffic_hops <= 0.6 * placed.placement.naive_traffic_hops
    assert_whole(placed)


def test_a_bim_on_a_hundred_cores_has_few_more_than_the_bound_and_less_traffic() -> None:
    placed = place(bim(512, 16, 9), load_profile("loihi2"))
    assert placed.placement is not None
    assert placed.placement.cores <= 1.1 * placed.placement.lower_bound
    assert placed.placement.traffic_hops <= 0.75 * placed.placement.naive_traffic_hops
    assert_whole(placed)


@pytest.mark.timeout(600)
def test_a_million_neurons_are_placed_on_nine_chips_in_minutes() -> None:
    placed = place(sheet(1000, 1000, 5), load_profile("hala_point"))
    assert placed.placement is not None
    assert placed.placement.cores >= 900
    assert placed.placement.chips >= 8
    assert placed.placement.seconds < 300
    assert_whole(placed)

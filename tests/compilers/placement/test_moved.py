"""Cutting and annealing are done once: a graph that differs in constants alone takes the cores of the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from random_graphs import random_graph
from small_models import small_checkpoint, small_graphs, small_input

import bim_neuro
from bim_neuro.compilers.placement.bounds import core_bound
from bim_neuro.compilers.placement.memory import Footprint
from bim_neuro.compilers.placement.partition import partition
from bim_neuro.compilers.placement.place import moved, place
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import IntegerGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.model.export import export
from bim_neuro.nodes import Dense, IntegerLIF
from bim_neuro.nodes.lif import V_THRESHOLD_MAX
from bim_neuro.pipeline import compile_model

LOIHI2 = load_profile("loihi2")


def graph() -> IntegerGraph:
    return small_graphs()[1]


def with_lif(graph: IntegerGraph, **constants: object) -> IntegerGraph:
    """Return the graph with other constants in its first LIF."""
    name = next(name for name, node in graph.nodes.items() if isinstance(node, IntegerLIF))
    return replace(graph, nodes=graph.nodes | {name: replace(graph.nodes[name], **constants)})  # type: ignore[type-var]


def with_core_words(words: int) -> HardwareProfile:
    """Return loihi2 with small cores, so that small graphs take several."""
    capacity = replace(LOIHI2.capacity, core_words=replace(LOIHI2.capacity.core_words, value=words))
    return replace(LOIHI2, capacity=capacity)


def test_other_constants_stay_on_the_same_cores() -> None:
    before = place(graph(), LOIHI2)
    other = with_lif(graph(), v_threshold=17)
    there = moved(before, other, LOIHI2)
    assert there is not None
    again = place(other, LOIHI2)
    assert (there.cores, there.flows, there.placement) == (again.cores, again.flows, again.placement)
    assert there.graph is other


def test_one_weight_more_is_another_cut() -> None:
    one = graph()
    first, *rest = one.edges
    assert isinstance(first.synapse, Dense)
    weight = first.synapse.weight.copy()
    weight[0, 0] += 1
    edges = (replace(first, synapse=Dense(weight)), *rest)
    assert moved(place(one, LOIHI2), replace(one, edges=edges), LOIHI2) is None
    assert moved(place(one, LOIHI2), replace(one, edges=one.edges[:-1]), LOIHI2) is None


def test_a_constant_that_no_field_holds_is_refused_as_ever() -> None:
    other = with_lif(graph(), v_threshold=V_THRESHOLD_MAX + 1)
    with pytest.raises(DoesNotFit) as before:
        place(other, LOIHI2)
    with pytest.raises(DoesNotFit) as now:
        moved(place(graph(), LOIHI2), other, LOIHI2)
    assert now.value.findings == before.value.findings


def test_calibrating_leaves_the_cores_where_compiling_puts_them() -> None:
    bare = export(replace(small_checkpoint(), ranges={}))
    late = bim_neuro.compile(bare).calibrated(small_input())
    early = bim_neuro.compile(bare, input=small_input())
    assert (late.placed.cores, late.placed.flows) == (early.placed.cores, early.placed.flows)
    assert late.placed.placement == early.placed.placement


@given(st.integers(0, 10**6), st.integers(60, 300))
@example(seed=253, words=180)
@settings(max_examples=60)
def test_a_lower_bound_changes_no_cut(seed: int, words: int) -> None:
    drawn = random_graph(seed, layers=5, width=20, loud=False, loops=False)
    profile = with_core_words(words)
    footprint = Footprint(drawn, profile)
    alone = [footprint.need(part) for core in partition(footprint) for part in core]
    assume(all(map(footprint.fits, alone)))  # where one neuron fits no core nothing is placed, and nothing is bounded
    bound = core_bound(footprint).cores
    assert partition(Footprint(drawn, profile), bound) == partition(Footprint(drawn, profile))


def test_a_command_finds_the_places_that_the_program_finds() -> None:
    """It leaves the cores row by row until the run has counted the messages."""
    program = bim_neuro.compile(export(small_checkpoint()))
    unsettled = compile_model(export(small_checkpoint()), effort=0.0)
    x = small_input()
    assert program.energy(x) == unsettled.energy(x)

"""A block learns the same whatever its layers are called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plastic_models import plastic_case
from small_models import small_checkpoint, small_input

from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.compilers.plasticity.channel import plastic_channel
from bim_neuro.compilers.plasticity.circuit import engine_learner
from bim_neuro.compilers.plasticity.roles import roles_of
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import FloatGraph
from bim_neuro.hardware import load_profile
from bim_neuro.model.export import export
from bim_neuro.nodes import LIF, Dense
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner


def renamed(graph: FloatGraph, names: dict[str, str]) -> FloatGraph:
    nodes = {names[name]: node for name, node in graph.nodes.items()}
    edges = tuple(replace(edge, source=names[edge.source], target=names[edge.target]) for edge in graph.edges)
    return replace(graph, nodes=nodes, edges=edges)


def letters(graph: FloatGraph) -> dict[str, str]:
    return {name: chr(ord("z") - at) for at, name in enumerate(graph.nodes)}


def test_a_renamed_block_learns_the_same_weights_by_its_trace_process() -> None:
    case = plastic_case()
    plasticity = Plasticity("rtrl", rate=0.2)
    learnt = []
    for graph in (case.reference, renamed(case.reference, letters(case.reference))):
        learner = TraceLearner(plastic_block(graph, plasticity, case.x))
        learner.run(case.x, case.y)
        learnt.append(learner.weights)
    assert any((learnt[0][group] != case.block.weights()[group]).any() for group in learnt[0])
    for group, weight in learnt[0].items():
        np.testing.assert_array_equal(learnt[1][group], weight)


def test_a_renamed_block_is_the_same_channel_of_the_learning_engine() -> None:
    case = plastic_case(spiking=True, states=1, taps=1)
    made = [
        plastic_channel(graph, case.x, signal_unit=1.0, largest_signal=1.0)
        for graph in (case.reference, renamed(case.reference, letters(case.reference)))
    ]
    np.testing.assert_array_equal(made[0].words, made[1].words)
    np.testing.assert_array_equal(made[0].tag_unit, made[1].tag_unit)
    assert made[0].units == made[1].units
    for name, stream in made[0].streams(case.x[0]).items():
        np.testing.assert_array_equal(made[1].streams(case.x[0])[name], stream)


def test_a_renamed_block_learns_the_same_weights_in_the_tags_of_the_learning_engine() -> None:
    case = plastic_case(2, samples=8, steps=24, spiking=True, channels=16, states=1, taps=1)
    scan = roles_of(case.reference).scan
    usual = case.reference.with_nodes(
        {**case.reference.nodes, scan: replace(case.reference.nodes[scan], d_skip=np.full(16, 1e-3))}
    )
    ends, before = [], {}
    for graph in (usual, renamed(usual, letters(usual))):
        block = plastic_block(graph, Plasticity("rtrl", rate=0.4), case.x)
        made = engine_learner(graph, block, load_profile("loihi2"), case.x, case.y)
        before = {group: np.array(synapses.weights) for group, synapses in made.plastic.items()}
        made.run(case.x, case.y)
        ends.append({group: np.array(synapses.weights) for group, synapses in made.plastic.items()})
    for group in ("w_u", "w_o"):
        assert (ends[0][group] != before[group]).any()
        np.testing.assert_array_equal(ends[1][group], ends[0][group])


def test_a_part_of_another_kind_is_refused_by_its_name() -> None:
    graph = export(small_checkpoint(0))
    relay = roles_of(graph).relays["B"]
    wrong = replace(graph, nodes={**graph.nodes, relay: LIF(graph.nodes[relay].neurons, 0.5, 1.0, np.zeros(3))})
    with pytest.raises(DoesNotFit, match=f"layer '{relay}' is a LIF, where a Relay is needed"):
        plastic_block(wrong, Plasticity("rtrl"), graph.encoder.encode(small_input(2, 6)))


def test_two_projections_into_one_relay_are_refused() -> None:
    graph = export(small_checkpoint(0))
    twice = next(edge for edge in graph.edges if edge.target == roles_of(graph).relays["C"])
    more = replace(
        graph, edges=(*graph.edges, replace(twice, synapse=Dense(np.ones_like(twice.synapse.weight)), delay=1))
    )
    with pytest.raises(DoesNotFit, match="has 2 synapses at its port a, one dense one is needed"):
        roles_of(more)

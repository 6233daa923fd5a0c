"""A layer that is too large is split over cores, and the split program computes the same integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_graph, random_input
from small_models import small_graphs, small_input

from bim_neuro.compilers.placement.place import place
from bim_neuro.compilers.placement.split import parts_of, split
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.graph import IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.nodes import Dense
from bim_neuro.record import RunRecord
from bim_neuro.simulation import simulate, simulate_engine


def tight(neuron_words: int) -> HardwareProfile:
    """Return loihi2 with so many neuron words a core, and cores enough."""
    profile = load_profile("loihi2")
    capacity = profile.capacity
    words = replace(capacity.neuron_words, value=neuron_words, low=neuron_words, high=neuron_words)
    cores = replace(capacity.cores, value=1000, high=1000)
    return replace(profile, capacity=replace(capacity, neuron_words=words, cores=cores))


def differences(placed: PlacedGraph, whole: RunRecord, cut: RunRecord) -> list[str]:
    """Name every message and state of a layer that its parts, side by side, do not equal."""
    wrong = []
    for key, values in whole.probes.items():
        layer, what = key.rsplit(".", 1)
        parts = np.concatenate([cut.probes[f"{name}.{what}"] for name in parts_of(placed, layer)], axis=2)
        if not np.array_equal(values, parts):
            wrong.append(key)
    return wrong


@pytest.fixture(scope="module")
def blocks() -> IntegerGraph:
    return small_graphs(blocks=2)[1]


def test_a_block_is_cut_layer_by_layer_and_its_output_joined(blocks: IntegerGraph) -> None:
    placed = place(blocks, tight(16))  # 4 words a channel, a word a class: 4 channels a core
    program = split(placed)
    assert {name: node.neurons for name, node in program.nodes.items() if name.startswith("block1.scan")} == {
        "block1.scan#0": 4,
        "block1.scan#1": 4,
        "block1.scan#2": 4,
    }
    assert program.output == "readout"
    assert len(program.edges) > len(blocks.edges)


def test_the_split_program_computes_the_same_integers_on_every_backend(blocks: IntegerGraph) -> None:
    x = blocks.encoder.encode(small_input(2, 8))
    placed, whole = place(blocks, tight(16)), simulate(blocks, x, probe=True)
    program = split(placed)
    assert np.count_nonzero(whole.probes["block2.lif.message"]) > 0
    for run in (simulate, simulate_engine):
        cut = run(program, x, probe=True)
        assert differences(placed, whole, cut) == []
        np.testing.assert_array_equal(cut.output, whole.output)


@pytest.mark.lava
@pytest.mark.slow
def test_the_split_program_computes_the_same_integers_on_lava() -> None:
    graph = small_graphs(channels=6, states=2, taps=2)[1]
    x = graph.encoder.encode(small_input(1, 6))
    profile = tight(9)  # three channels a core, so the block is cut in two
    placed = place(graph, profile)
    program = split(placed)
    assert {"block1.scan#0", "block1.scan#1"} <= set(program.nodes)
    judged = run_lava(program, x, time_limit=90)
    assert differences(placed, simulate_engine(graph, x, probe=True), judged) == []


def test_a_wrong_slice_is_convicted(blocks: IntegerGraph) -> None:
    x = blocks.encoder.encode(small_input(2, 8))
    placed, whole = place(blocks, tight(16)), simulate(blocks, x, probe=True)
    program = split(placed)
    victim = next(edge for edge in program.edges if edge.target == "block1.scan#1" and isinstance(edge.synapse, Dense))
    assert isinstance(victim.synapse, Dense)
    rolled = replace(victim, synapse=Dense(np.roll(victim.synapse.weight, 1, axis=0)))
    wrong = replace(program, edges=tuple(rolled if edge is victim else edge for edge in program.edges))
    assert differences(placed, whole, simulate(wrong, x, probe=True)) != []


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), words=st.integers(6, 24), layers=st.integers(1, 6), loops=st.booleans())
def test_any_graph_split_computes_the_same_integers(seed: int, words: int, layers: int, loops: bool) -> None:
    graph = random_graph(seed, layers=layers, width=12, loud=False, loops=loops)
    placed = place(graph, tight(words), effort=0)
    x = random_input(graph, seed, samples=2, steps=5, activity=0.4)
    whole, cut = simulate(graph, x, probe=True), simulate(split(placed), x, probe=True)
    assert differences(placed, whole, cut) == []
    np.testing.assert_array_equal(cut.output, whole.output)

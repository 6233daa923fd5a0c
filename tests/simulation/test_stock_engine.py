"""The engine on processes that Lava ships for graded messages: every integer and count of the numpy law."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_input, random_stock_graph

from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Dense, Encoder, IntegerGraded, Source
from bim_neuro.record import LayerCount
from bim_neuro.simulation import Engine, Tuning, simulate

GRAPHS: dict[str, Any] = {
    "seed": st.integers(0, 2**32 - 1),
    "layers": st.integers(1, 6),
    "width": st.sampled_from([1, 3, 8, 17, 70]),
    "loud": st.booleans(),
    "loops": st.booleans(),
    "samples": st.integers(1, 3),
    "steps": st.integers(1, 12),
}


@settings(max_examples=50)
@given(**GRAPHS)
def test_random_stock_graphs_equal_the_numpy_law(**drawn: Any) -> None:
    check_a_random_graph(**drawn)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=500)
@given(**GRAPHS)
def test_five_hundred_random_stock_graphs_equal_the_numpy_law(**drawn: Any) -> None:
    check_a_random_graph(**drawn)


def check_a_random_graph(seed: int, layers: int, width: int, loud: bool, loops: bool, samples: int, steps: int) -> None:
    """One and two threads, over samples and over neurons."""
    graph = random_stock_graph(seed, layers=layers, width=width, loud=loud, loops=loops)
    x = random_input(graph, seed, samples=samples, steps=steps, activity=0.6)
    expected = simulate(graph, x, probe=True)
    engine = Engine(graph)
    for threads, tuning in ((1, Tuning("events")), (2, Tuning("auto", batch=1)), (None, Tuning("events", 2))):
        record = engine.run(x, probe=True, threads=threads, tuning=tuning)
        for key, values in expected.probes.items():
            np.testing.assert_array_equal(record.probes[key], values, err_msg=key)
        np.testing.assert_array_equal(record.output, expected.output)
        for name, count in expected.layers.items():
            for counter in fields(LayerCount):
                theirs = getattr(record.layers[name], counter.name)
                np.testing.assert_array_equal(theirs, getattr(count, counter.name), err_msg=f"{name} {counter.name}")


def test_loud_graphs_wrap_and_are_counted() -> None:
    """The random graphs above would prove little if nothing in them left 32 bits."""
    wrapped = 0
    for seed in range(10):
        graph = random_stock_graph(seed, layers=5, width=8, loud=True, loops=False)
        record = simulate(graph, random_input(graph, seed, samples=2, steps=6, activity=1.0))
        wrapped += sum(int(count.saturations.sum()) for count in record.layers.values())
    assert wrapped > 100


def test_messages_of_32_bits_over_a_plain_synapse_are_refused() -> None:
    nodes = {"input": Source(2), "first": IntegerGraded(2), "second": IntegerGraded(2)}
    weight = Dense(np.ones((2, 2), np.int8))
    edges = (Edge("input", "first", "a", weight), Edge("first", "second", "a", weight))
    depth = {"input": 0, "first": 1, "second": 2}
    graph = IntegerGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(2), np.zeros(2)), depth=depth)
    with pytest.raises(InputError, match=r"'first -> second\.a' is dense, messages of a graded neuron have 32 bits"):
        Engine(graph).run(np.ones((1, 2, 2), np.int64))

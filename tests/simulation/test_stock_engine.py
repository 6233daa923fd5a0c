"""The engine on processes that Lava ships for graded messages: every integer and count of the numpy law."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_input, random_stock_graph

from bim_neuro.compilers.align import align
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Dense, Encoder, IntegerGraded, IntegerProd, Source
from bim_neuro.nodes.synapses import shifted_of
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


def test_a_sum_beyond_32_bits_wraps_and_is_counted_in_the_engine_too() -> None:
    """Random graphs have few of them in graded neurons, whose messages rarely grow so large."""
    nodes = {"input": Source(2), "sum": IntegerGraded(3), "product": IntegerProd(3, 8)}
    rows, columns = np.repeat(range(3), 2), np.tile(range(2), 3)
    wide = shifted_of(np.array([127, 127, -127, -127, 127, 1]), np.array([16, 17] * 3), (rows, columns), (3, 2))
    same = shifted_of(np.ones(3, int), np.zeros(3, int), (np.arange(3), np.arange(3)), (3, 3))
    edges = (Edge("input", "sum", "a", wide), *(Edge("sum", "product", port, same) for port in ("a1", "a2")))
    graph = align(IntegerGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(2), np.zeros(2))))
    x = np.full((1, 2, 2), 127)
    law, engine = simulate(graph, x, probe=True), Engine(graph).run(x, probe=True)
    assert law.layers["sum"].saturations.sum() == 4  # the first two neurons in both steps
    assert law.probes["sum.message"][0, 1, 0] == 3 * 127 * 127 * 2**16 - 2**32
    for name in ("sum", "product"):
        np.testing.assert_array_equal(engine.layers[name].saturations, law.layers[name].saturations)
        np.testing.assert_array_equal(engine.probes[f"{name}.message"], law.probes[f"{name}.message"])


def test_messages_of_32_bits_over_a_plain_synapse_are_refused() -> None:
    nodes = {"input": Source(2), "first": IntegerGraded(2), "second": IntegerGraded(2)}
    weight = Dense(np.ones((2, 2), np.int8))
    edges = (Edge("input", "first", "a", weight), Edge("first", "second", "a", weight))
    depth = {"input": 0, "first": 1, "second": 2}
    graph = IntegerGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(2), np.zeros(2)), depth=depth)
    with pytest.raises(InputError, match=r"'first -> second\.a' is dense, messages of a graded neuron have 32 bits"):
        Engine(graph).run(np.ones((1, 2, 2), np.int64))

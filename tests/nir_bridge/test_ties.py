"""The float law beside a framework's record: ties are counted apart, everything else must be equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bim_neuro
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nodes import LIF, Cuba, Dense, Encoder, Source
from bim_neuro.simulation import simulate_float
from bim_neuro.simulation.beside import simulate_beside


def adding(threshold: float, **switches: str) -> FloatGraph:
    """One neuron that adds up inputs of 0.1 without a leak."""
    one, zero = np.ones(1), np.zeros(1)
    node = Cuba(one, zero, one, zero, threshold * one, zero, zero, np.full(1, -np.inf), **switches)
    if not switches:
        node = LIF(1, 1.0, threshold, zero)
    edge = Edge("x", "n", "a" if switches else "i", Dense(np.full((1, 1), 0.1)))
    return FloatGraph({"x": Source(1, graded=False), "n": node}, (edge,), 1e-3, Encoder("spikes", one, zero))


def ties(graph: FloatGraph, x: np.ndarray) -> list[list[int]]:
    """Sample, step and neuron of every tie of 'n', whose recording is what the law itself sends."""
    sent = {"n": simulate_float(graph, x).probes["n.message"]}
    found: list[list[int]] = simulate_beside(graph, x, sent, ["n"]).ties("n").tolist()
    return found


def test_a_sum_at_the_threshold_is_a_tie() -> None:
    """0.1 + 0.1 + 0.1 is above 0.3 in 64 bits, and 0.30000001 above 0.3 in 32; then the neuron begins anew."""
    graph, x = adding(0.3), np.ones((2, 7, 1))
    assert simulate_float(graph, x).probes["n.message"][0, :, 0].tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert ties(graph, x) == [[0, 2, 0], [1, 2, 0], [0, 5, 0], [1, 5, 0]]


def test_every_multiple_of_a_threshold_is_one_where_spikes_are_counted() -> None:
    graph = adding(0.05, counts="many", reset="subtract")
    assert [step for _, step, _ in ties(graph, np.ones((1, 3, 1)))] == [0, 1, 2]
    assert ties(adding(0.0501, counts="many", reset="subtract"), np.ones((1, 1, 1))) == []


@pytest.mark.parametrize("switches", [{}, {"compare": ">="}, {"reset_when": "next"}, {"lag": True}])
def test_a_neuron_goes_on_from_a_tie_as_was_recorded(switches: dict[str, Any]) -> None:
    """It did not fire at 0.3, and so did at 0.4; what follows is compared from there. Elsewhere nothing may differ."""
    graph, x, late = adding(0.3, **switches), np.ones((1, 8, 1)), int(switches.get("lag", False))
    later = np.zeros((1, 8, 1))
    later[0, [3 + late, 6 + late], 0] = 1
    program = bim_neuro.compile(graph)
    [row] = bim_neuro.against(program, x, {"n": later})
    assert (row.differ_at_ties, row.differ, row.ties) == (1, 0, 2)
    [row] = bim_neuro.against(program, x, {"n": np.roll(later, 1, axis=1)})
    assert row.differ > 0


def test_in_32_bits_every_state_is() -> None:
    """2^24 + 1 is no number of 32 bits: a neuron that adds 1 stands still there."""
    graph = adding(1e9)
    edges = (Edge("x", "n", "i", Dense(np.full((1, 1), 2.0**24))),)
    graph = FloatGraph({"x": graph.nodes["x"], "n": LIF(1, 1.0, 1e9, np.ones(1))}, edges, graph.dt, graph.encoder)
    x = np.array([1.0, 0, 0])[None, :, None]
    runs = {bits: simulate_float(graph, x, bits=bits).probes["n.v"] for bits in (64, 32)}
    assert runs[64][0, :, 0].tolist() == [2**24 + 1, 2**24 + 2, 2**24 + 3]
    assert (runs[32].dtype, runs[32][0, :, 0].tolist()) == (np.float32, [2**24, 2**24, 2**24])
    with pytest.raises(InputError, match="bits is 16, allowed: 32, 64"):
        simulate_float(graph, x, bits=16)


def test_a_difference_at_a_tie_is_counted_apart() -> None:
    graph, x = adding(0.3), np.ones((1, 3, 1))
    program = bim_neuro.compile(graph)
    [row] = bim_neuro.against(program, x, {"n": np.zeros((1, 3, 1))})
    assert (row.differ, row.differ_at_ties, row.ties, row.bins, row.first) == (0, 1, 1, 3, (0, 2, 0))
    [row] = bim_neuro.against(program, x, {"n": np.array([0, 1, 1]).reshape(1, 3, 1)})
    assert (row.differ, row.differ_at_ties, row.first) == (1, 0, (0, 1, 0))
    with pytest.raises(InputError, match="the graph has no layer 'm'"):
        bim_neuro.against(program, x, {"m": x})
    with pytest.raises(InputError, match=r"'n' sends .* \(1, 3, 1\), the record of the given table is \(1, 2, 1\)"):
        bim_neuro.against(program, x, {"n": x[:, :2]})

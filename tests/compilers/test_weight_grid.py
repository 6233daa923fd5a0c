"""Grids of weights are kept, thresholds beyond a LIF's field make the unit coarser, and 16 bits are two lists of 8."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from random_graphs import random_graph

from bim_neuro.compilers.align import align
from bim_neuro.compilers.calibrate import calibrated
from bim_neuro.compilers.quantise import quantise, quantise_with_units
from bim_neuro.compilers.two_lists import HIGH, WIDE_MAX, in_two_lists, whole_weights
from bim_neuro.compilers.weight_grid import common_unit, grid_unit
from bim_neuro.compilers.wider_weights import with_weight_bits
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nodes import LIF, Conv, Cuba, Dense, Diagonal, Encoder, IntegerCuba, IntegerLIF, Readout, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import Node, is_spiking
from bim_neuro.nodes.synapses import WEIGHTED
from bim_neuro.pipeline import compile_model
from bim_neuro.simulation import Engine, simulate_float


def layered(weights: list[Array], nodes: list[Node], lines: int) -> FloatGraph:
    named: dict[str, Node] = {"in": Source(lines, graded=False)}
    edges = []
    for index, (weight, node) in enumerate(zip(weights, nodes, strict=True)):
        edges.append(Edge(list(named)[-1], f"n{index}", next(iter(node.ports)), Dense(weight)))
        named[f"n{index}"] = node
    return FloatGraph(named, tuple(edges), 1e-3, Encoder("spikes", np.ones(lines), np.zeros(lines)))


def lif(neurons: int, threshold: float, decay: float = 1.0) -> LIF:
    return LIF(neurons, decay, threshold, np.zeros(neurons))


def differing(graph: FloatGraph, x: Array) -> tuple[int, int]:
    """Spikes that float and integers do not share, and spikes of either, of all layers."""
    chip = align(quantise(calibrated(graph, x)))
    ours, theirs = Engine(chip).run(x, probe=True), simulate_float(graph, x)
    pairs = [
        (ours.probes[f"{name}.message"][:, : x.shape[1]], theirs.probes[f"{name}.message"])
        for name, node in graph.nodes.items()
        if is_spiking(node)
    ]
    return sum(int(np.abs(a - b).sum()) for a, b in pairs), sum(int(np.maximum(a, b).sum()) for a, b in pairs)


@pytest.mark.parametrize(
    ("weights", "unit"),
    [
        ([1, -2, 3, 0], 1.0),
        ([4, 8, -12], 4.0),
        ([0.5, 0.75, -1.25], 0.25),
        ([1 / 32, 5 / 32], 1 / 32),
        ([3 * 2.0**-40, 2.0**-39], 2.0**-40),
        ([0.1, 0.3, -0.7], 0.1),
        ([0.2, 0.3], 0.1),
        ([1, 128], 0.0),
        ([0.123456, 0.654321, 0.3141592], 0.0),
        ([0, 0], 0.0),
    ],
)
def test_the_common_unit_by_hand(weights: list[float], unit: float) -> None:
    assert common_unit(np.array(weights, dtype=float), 127) == pytest.approx(unit, abs=0)
    assert common_unit(np.array(weights, dtype=np.float32).astype(float), 127) == pytest.approx(unit, rel=1e-6)


def test_a_grid_is_made_finer_as_far_as_weights_and_threshold_allow() -> None:
    """3 units of 1 become 3 x 32 = 96; a threshold of 10,000 allows 8 parts of 131,071."""
    assert grid_unit(np.array([1, 2, 3.0]), 127) == 1 / 32
    assert grid_unit(np.array([1, 2, 3.0]), 127, 10_000, 131_071) == 1 / 8
    assert grid_unit(np.array([1, 2, 3.0]), 127, 200_000, 131_071) == 0
    assert grid_unit(np.array([0.7, -0.7]), 127) == 0.7 / 64


@pytest.mark.parametrize("unit", [1.0, 1 / 32, 0.1])
def test_a_net_of_whole_numbers_gives_its_float_spikes(unit: float) -> None:
    """Integrate and fire, two layers of weights from -5 to 5 units and thresholds on and between the units."""
    draw = np.random.default_rng(0)
    first, second = draw.integers(-5, 6, (30, 12)) * unit, draw.integers(-5, 6, (8, 30)) * unit
    graph = layered([first, second], [lif(30, 3.5 * unit), lif(8, 2.5 * unit)], 12)
    differ, fired = differing(graph, (draw.random((4, 60, 12)) < 0.3).astype(np.int64))
    assert fired > 1000
    assert differ == 0


def test_by_subtraction_too() -> None:
    draw, n = np.random.default_rng(1), 20
    ones, zeros = np.ones(n), np.zeros(n)
    cuba = Cuba(ones, zeros, ones, zeros, 3 * ones, zeros, zeros, np.full(n, -np.inf), "subtract", compare=">=")
    graph = layered([draw.integers(-5, 6, (n, 12)) * 1.0], [cuba], 12)
    differ, fired = differing(graph, (draw.random((4, 60, 12)) < 0.3).astype(np.int64))
    assert (differ, fired > 500) == (0, True)


@pytest.mark.parametrize("bits", [8, 16])
def test_windows_of_equal_weights_meet_their_threshold_exactly(bits: int) -> None:
    """Four of 1 / 4 against 1 / 2: a quarter of 127 would be rounded, and half of the sums that meet it would miss."""
    draw, grid = np.random.default_rng(4), (2, 6, 6)
    average = Conv(np.full((2, 1, 2, 2), 0.25), grid, stride=(2, 2), groups=2)
    ones, zeros = np.ones(18), np.zeros(18)
    for compare in (">", ">="):
        node = Cuba(ones, zeros, ones, zeros, ones / 2, zeros, zeros, np.full(18, -np.inf), "subtract", compare=compare)
        graph = layered([], [], 72)
        graph = replace(
            graph, nodes={**graph.nodes, "pool": node, "lif": lif(18, 0.5)},
            edges=(Edge("in", "pool", "a", average), Edge("pool", "lif", "i", Diagonal(ones / 4))),
        )  # fmt: skip
        x = (draw.random((3, 40, 72)) < 0.4).astype(np.int64)
        differ, fired = differing(with_weight_bits(graph, bits), x)
        assert (differ, fired > 1000) == (0, True)


def test_an_integrator_fires_beyond_its_threshold_not_beside_it() -> None:
    """In units of 1 / 32, of which the weights 1 and 2 are whole multiples, 2.76 is 88.3 and 2.74 is 87.7."""
    for threshold, units in ((2.76, 88), (2.74, 87), (2.75, 88)):
        got = quantise(layered([np.array([[1.0, 2.0]])], [lif(1, threshold)], 2)).nodes["n0"]
        assert isinstance(got, IntegerLIF)
        assert got.v_threshold == units


def test_a_threshold_beyond_17_bits_makes_the_weights_coarser() -> None:
    """2,000 times the largest weight: 254,000 units of 1 / 127, but 130,000 of 1 / 65."""
    weight = np.random.default_rng(2).uniform(-1, 1, (3, 8))
    weight[0, 0] = 1
    graph = quantise(layered([weight], [lif(3, 2000.0)], 8))
    got, kept = graph.nodes["n0"], graph.edges[0].synapse
    assert isinstance(got, IntegerLIF)
    assert got.v_threshold in (131_070, 131_071)
    assert isinstance(kept, Dense)
    assert np.abs(kept.weight).max() == 66  # 131,071 / 2,000, rounded


def test_two_lists_are_the_weight_and_each_fits_8_bits() -> None:
    weight = np.array([[WIDE_MAX, -WIDE_MAX, 127, -127, 129, 255, 256, 0]], np.int16)
    low, high = (edge.synapse.weight for edge in in_two_lists(Edge("a", "b", "a", Dense(weight))))  # type: ignore[attr-defined]
    assert (low.astype(int) + 256 * high.astype(int)).tolist() == weight.tolist()
    assert (low.dtype, high.dtype) == (np.int8, np.int8)
    assert max(np.abs(low).max(), np.abs(high).max()) == 127


def test_a_remainder_of_128_has_no_two_parts_and_loses_a_unit() -> None:
    weight = np.array([[128, -128, 384, -384, 32639 - 127 + 128]], np.int64)
    low, high = (edge.synapse.weight for edge in in_two_lists(Edge("a", "b", "a", Dense(weight))))  # type: ignore[attr-defined]
    assert (low.astype(int) + 256 * high.astype(int)).tolist() == [[127, -127, 383, -383, 32639]]


def mlp(seed: int = 3) -> tuple[FloatGraph, Array]:
    draw = np.random.default_rng(seed)
    sizes, weights, nodes = (16, 60, 30), [], list[Node]()
    for pre, post in itertools.pairwise(sizes):
        weights.append(draw.normal(size=(post, pre)) * 1.5 / np.sqrt(pre))
        nodes.append(LIF(post, 0.9, 0.6, np.zeros(post)))
    weights.append(draw.normal(size=(4, 30)))
    nodes.append(Readout(0.9, np.zeros(4)))
    return layered(weights, nodes, 16), (draw.random((8, 100, 16)) < 0.2).astype(np.int64)


def test_16_bits_are_a_tenth_of_the_difference_of_8() -> None:
    """At most 1 % of the spikes; the same graph at 8 bits differs in several times as many."""
    graph, x = mlp()
    eight, fired = differing(graph, x)
    sixteen, _ = differing(with_weight_bits(graph, 16), x)
    assert fired > 5000
    assert sixteen <= 0.01 * fired
    assert sixteen < eight / 4


def test_two_lists_find_each_other_among_edges_of_the_same_ends() -> None:
    """A random graph has several synapses between two nodes, and upper parts that belong to no other."""
    for seed in range(40):
        graph = random_graph(seed, layers=5, width=20, loud=False, loops=True, maps=True)
        lists = [part for edge in graph.edges if edge.port != HIGH for part in in_two_lists(edge)]
        alone = [edge for edge in graph.edges if edge.port == HIGH]
        whole = whole_weights(replace(graph, edges=tuple(lists)))
        assert [edge.name for edge in whole] == [edge.name for edge in graph.edges if edge.port != HIGH]
        for edge, before in zip(whole, (edge for edge in graph.edges if edge.port != HIGH), strict=True):
            if isinstance(edge.synapse, WEIGHTED) and isinstance(before.synapse, WEIGHTED):
                assert np.array_equal(edge.synapse.weight, before.synapse.weight)
        assert whole_weights(replace(graph, edges=tuple(alone))) == alone


def test_a_factor_of_16_bit_weights_is_not_rounded() -> None:
    """Weight times factor is the weight in state units, off by one of 32,639 units of the largest at most."""
    draw, n = np.random.default_rng(5), 40
    ones, zeros = np.ones(n), np.zeros(n)
    gain = draw.uniform(0.05, 1, n)
    node = Cuba(0.9 * ones, zeros, gain, zeros, ones, zeros, zeros, np.full(n, -np.inf), v_range=3.0, wide=True)
    weight = draw.normal(size=(n, 12))
    chip, units = quantise_with_units(layered([weight], [node], 12))
    got = chip.nodes["n0"]
    assert isinstance(got, IntegerCuba)
    state = got.v_threshold[0]  # 1.0 in units of the state, a power of two
    factor = units.sums["n0"]["a"] * gain * state
    np.testing.assert_allclose(got.multiplier * 2.0**-got.shift, factor, rtol=1e-12)
    assert np.log2(state) % 1 == 0
    whole = whole_weights(chip)[0].synapse.weight  # type: ignore[union-attr]
    off = np.abs(whole * units.sums["n0"]["a"][:, None] - weight).max(axis=1) / np.abs(weight).max(axis=1)
    assert off.max() < 1.1 / 32_639  # half a unit, one where a remainder of 128 loses it, of units a little larger


def test_16_bits_are_said_counted_and_in_the_program(tmp_path: object) -> None:
    graph, x = mlp()
    program, narrow = (compile_model(graph, input=x[:2].astype(float), weight_bits=bits) for bits in (16, 8))
    assert any("the weights into n0, n1, n2 have 16 bits" in line for line in program.assumptions)
    assert all(isinstance(program.graph.nodes[name], IntegerCuba) for name in ("n0", "n1", "n2"))
    assert sum(e.synapse.count for e in program.graph.edges) == 2 * sum(e.synapse.count for e in narrow.graph.edges)
    whole = {edge.target: edge.synapse.weight for edge in whole_weights(program.graph)}  # type: ignore[attr-defined]
    assert np.abs(whole["n0"]).max() == WIDE_MAX
    assert program.run(x[:2].astype(float)).output.shape == (2, 4)


def test_other_widths_are_refused() -> None:
    with pytest.raises(InputError, match="weights have 8 or 16 bits, not 12"):
        with_weight_bits(mlp()[0], 12)

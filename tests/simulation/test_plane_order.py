"""LIF layers behind a convolution in plane order: the same record as the numpy law, which knows no order but NIR's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bim_neuro.compilers.align import align
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Conv, Dense, Encoder, IntegerLIF, Source, Sparse
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.synapses.sparse import sparse_of
from bim_neuro.simulation import Engine, Tuning, simulate
from bim_neuro.simulation.kernels import layout
from bim_neuro.simulation.plane_order import PlaneOrder


def conv(draw: np.random.Generator, outputs: int, grid: tuple[int, int, int], kernel: int, step: int = 1) -> Conv:
    weight = np.clip(np.rint(draw.normal(0, 30, (outputs, grid[0], kernel, kernel))), -127, 127).astype(np.int8)
    return Conv(weight, grid, stride=(step, step), padding=(kernel // 2,) * 4)


def lif(draw: np.random.Generator, layer: Conv, threshold: int) -> IntegerLIF:
    """Biases of a channel, of every neuron, or none."""
    kinds = [np.zeros(layer.post), draw.integers(-3, 4, layer.post)]
    kinds.append(np.repeat(draw.integers(-3, 4, len(layer.weight)), layer.out[1] * layer.out[2]))
    bias = kinds[draw.integers(3)].astype(np.int64)
    return IntegerLIF(layer.post, 4095, int(draw.integers(0, 900)), threshold, bias, int(draw.integers(0, 3)))


def graph_of(nodes: dict[str, IntegerLIF], synapses: list[Conv | Dense | Sparse]) -> IntegerGraph:
    """A chain."""
    pre = synapses[0].pre if isinstance(synapses[0], Conv) else 0
    names = ["input", *nodes]
    edges = [Edge(a, b, "i", synapse) for a, b, synapse in zip(names, names[1:], synapses, strict=False)]
    encoder = Encoder("spikes", np.ones(pre), np.zeros(pre))
    return align(IntegerGraph({"input": Source(pre, graded=False), **nodes}, tuple(edges), 1e-3, encoder))


def same_record(graph: IntegerGraph, x: Array) -> Engine:
    """Run quietly, watched and in numpy: the same output and counters."""
    engine, expected = Engine(graph), simulate(graph, x)
    for record in (engine.run(x, tuning=Tuning("events")), engine.run(x, probe=True), engine.run(x, threads=1)):
        np.testing.assert_array_equal(record.output, expected.output)
        for name, count in expected.layers.items():
            for key, value in vars(count).items():
                np.testing.assert_array_equal(getattr(record.layers[name], key), value, f"{name} {key}")
    return engine


def kinds(engine: Engine) -> list[int]:
    return [int(kind) for kind in engine.quiet.tables.nodes[:, layout.KIND]]


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_chains_of_convolutions_run_as_in_the_law(seed: int) -> None:
    check_a_chain(seed)


@pytest.mark.slow
@settings(max_examples=300)
@given(seed=st.integers(0, 2**32 - 1))
def test_many_chains_of_convolutions_run_as_in_the_law(seed: int) -> None:
    check_a_chain(seed)


def check_a_chain(seed: int) -> None:
    """One tile and several, strides, 1 x 1 to 5 x 5, biases, and a dense, a sparse or no layer behind."""
    draw = np.random.default_rng(seed)
    side, kernel, step = (int(draw.choice(some)) for some in ([4, 8, 12], [1, 3, 5], [1, 2]))
    first = conv(draw, int(draw.choice([2, 8, 24, 64, 128])), (int(draw.integers(1, 4)), side, side), kernel)
    second = conv(draw, int(draw.choice([2, 8, 48, 96, 130])), first.out, 3, step)
    nodes, synapses = {"a": lif(draw, first, 80), "b": lif(draw, second, 400)}, [first, second]
    behind = draw.integers(3)
    if behind:
        matrix = np.where(draw.random((10, second.post)) < 0.3, draw.integers(-128, 128, (10, second.post)), 0)
        kept = sparse_of(csr_array(matrix))
        some = replace(kept, weight=kept.weight.astype(np.int8))
        synapses.append(Dense(matrix.astype(np.int8)) if behind == 1 else some)
        nodes["c"] = IntegerLIF(10, 4095, 400, 300, np.zeros(10, np.int64))
    graph = graph_of(nodes, synapses)
    x = (draw.random((3, 7, first.pre)) < draw.choice([0.02, 0.3, 1.0])).astype(np.int8)
    same_record(graph, x)


def test_which_layers_lie_so() -> None:
    """Rows of whole vectors do; not 130 channels, which two tiles do not share evenly, nor a row of 3 x 2 neurons."""
    draw = np.random.default_rng(0)
    for outputs, side, kind in ((64, 8, layout.PLANE_LIF), (130, 8, layout.LIF), (2, 3, layout.LIF)):
        layer = conv(draw, outputs, (2, side, side), 3)
        engine = Engine(graph_of({"a": lif(draw, layer, 90)}, [layer]))
        assert kinds(engine) == [layout.SOURCE, kind]
        assert int(engine.plan.tables.nodes[1, layout.KIND]) in (layout.LIF, layout.WIDE_LIF)


def test_who_hears_a_group_of_channels_or_a_neuron_each_keeps_nirs_order() -> None:
    draw = np.random.default_rng(1)
    first = conv(draw, 16, (1, 4, 4), 3)
    pool = Conv(np.ones((16, 1, 2, 2), np.int8), first.out, (2, 2), groups=16)
    nodes = {"a": lif(draw, first, 80), "b": IntegerLIF(64, 4095, 400, 1, np.zeros(64, np.int64))}
    engine = same_record(graph_of(nodes, [first, pool]), np.ones((1, 5, 16), np.int8))
    assert kinds(engine)[1] == layout.LIF


@pytest.mark.parametrize(("tiles", "channels", "places"), [(1, 3, 5), (2, 4, 6)])
def test_an_order_is_put_back(tiles: int, channels: int, places: int) -> None:
    """By hand: the second neuron of the plane is the second channel's first, ``places`` on in NIR's order."""
    order, neurons = PlaneOrder(tiles, channels, places), np.arange(tiles * channels * places)
    assert order.take(neurons)[:2].tolist() == [0, places]
    np.testing.assert_array_equal(order.put_back(order.take(neurons)), neurons)

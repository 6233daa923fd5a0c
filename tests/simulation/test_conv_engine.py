"""Sparse synapses and convolutions in the engine: torch's and scipy's sums, and counters by hand at the borders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import random_conv
from scipy.sparse import csr_array

from bim_neuro.compilers.align import align
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Conv, Encoder, IntegerReadout, Source, Sparse
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.synapses.sparse import sparse_of
from bim_neuro.simulation import Engine, Tuning, simulate, simulate_engine
from bim_neuro.simulation.kernels import layout


def sums_of(synapse: Conv | Sparse, *, graded: bool) -> IntegerGraph:
    """A readout that forgets: what it says is what arrived, as long as 24 bits hold it."""
    post = synapse.post
    readout = IntegerReadout(0, np.ones(post, int), 0, np.zeros(post, int))
    nodes = {"input": Source(synapse.pre, graded=graded), "sums": readout}
    encoder = Encoder("graded" if graded else "spikes", np.ones(synapse.pre), np.zeros(synapse.pre))
    return align(IntegerGraph(nodes, (Edge("input", "sums", "a", synapse),), 1e-3, encoder))


def lines(draw: np.random.Generator, pre: int, *, graded: bool, steps: int = 5) -> Array:
    """From silence to every line."""
    active = draw.random((1, steps, pre)) < np.linspace(0, 1, steps)[:, None]
    return np.where(active, draw.integers(-128, 128, active.shape) if graded else 1, 0)


def by_torch(conv: Conv, x: Array) -> Array:
    """Return (steps, post): pad, or crop, and convolve."""
    top, bottom, left, right = conv.padding
    grid = torch.tensor(x[0].reshape(-1, *conv.grid), dtype=torch.float64)
    padded = torch.nn.functional.pad(grid, [max(0, side) for side in (left, right, top, bottom)])
    rows, columns = (range(padded.shape[2])[max(0, -top) :], range(padded.shape[3])[max(0, -left) :])
    padded = padded[:, :, rows.start : rows.stop - max(0, -bottom), columns.start : columns.stop - max(0, -right)]
    weight = torch.tensor(conv.weight, dtype=torch.float64)
    sums = torch.nn.functional.conv2d(padded, weight, None, conv.stride, 0, conv.dilation, conv.groups)
    return sums.reshape(len(sums), -1).numpy()


@given(seed=st.integers(0, 2**32 - 1), graded=st.booleans())
def test_a_convolution_sums_as_torch_does(seed: int, graded: bool) -> None:
    """Any geometry: strides, dilations, groups, borders, negative padding, senders that reach nobody."""
    draw = np.random.default_rng(seed)
    pre, post = draw.choice([1, 8, 60, 144, 210], 2).tolist()
    conv = random_conv(draw, pre, post)
    x = lines(draw, pre, graded=graded)
    graph = sums_of(conv, graded=graded)
    record = simulate_engine(graph, x, probe=True)
    np.testing.assert_array_equal(record.probes["sums.message"][0], by_torch(conv, x))
    count, expected = record.layers["sums"], simulate(graph, x).layers["sums"]
    np.testing.assert_array_equal(count.synops_hardware, expected.synops_hardware)
    np.testing.assert_array_equal(count.synops_effective, expected.synops_effective)


WIDE = [(64, 3, 48), (3, 5, 80), (33, 3, 33), (17, 1, 130), (2, 3, 16)]


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize(("senders", "kernel", "outputs"), WIDE)
def test_many_channels_and_extreme_weights_sum_as_torch_does(
    senders: int, kernel: int, outputs: int, graded: bool
) -> None:
    """Tiles that are full and tiles that are not, weights of one sign, and one to three threads on a layer."""
    draw = np.random.default_rng(senders)
    for extreme in (None, 127, -128):
        weight = draw.integers(-128, 128, (outputs, senders, kernel, kernel)).astype(np.int8)
        weight = weight if extreme is None else np.full_like(weight, extreme)
        pad = kernel // 2
        conv = Conv(weight, (senders, 9, 18), padding=(pad, pad, pad, pad))
        x, engine = lines(draw, conv.pre, graded=graded), Engine(sums_of(conv, graded=graded))
        for threads in (1, 2, 3):
            record = engine.run(x, probe=True, tuning=Tuning("events", threads))
            np.testing.assert_array_equal(record.probes["sums.message"][0], by_torch(conv, x))


@pytest.mark.parametrize(("last", "bits"), [(1, 16), (2, 32), (-128, 16)])
def test_accumulators_are_as_wide_as_sums_of_one_sign(last: int, bits: int) -> None:
    """258 weights of 127 and one of 1 sum up to 2^15 - 1; what falls takes nothing away from what rises."""
    weight = np.append(np.full(258, 127, np.int8), np.int8(last))
    conv = Conv(weight.reshape(1, 259, 1, 1), (259, 1, 3))
    graph = sums_of(conv, graded=False)
    engine = Engine(graph)
    shape = engine.plan.tables.edges[0][layout.SHAPE]
    assert engine.plan.tables.words64[shape + layout.BITS] == bits
    x = np.ones((1, 3, conv.pre), int)
    np.testing.assert_array_equal(engine.run(x, probe=True).probes["sums.message"][0], by_torch(conv, x))


def test_a_corner_reaches_four_neurons_an_edge_six_and_the_centre_nine() -> None:
    weight = np.zeros((1, 1, 3, 3), np.int8)
    weight[0, 0, 1] = [0, 5, 7]  # a sender reaches the neuron at its place by 5, and the one left of it by 7
    graph = sums_of(Conv(weight, (1, 3, 3), padding=(1, 1, 1, 1)), graded=False)
    x = np.eye(9, dtype=int)[None]
    count = simulate_engine(graph, x).layers["sums"]
    assert count.synops_hardware.tolist() == [4, 6, 4, 6, 9, 6, 4, 6, 4]
    assert count.synops_effective.tolist() == [1, 2, 2, 1, 2, 2, 1, 2, 2]


@pytest.mark.parametrize("graded", [False, True])
def test_a_sparse_synapse_sums_as_scipy_does(graded: bool) -> None:
    draw = np.random.default_rng(3)
    matrix = csr_array(draw.integers(-128, 128, (300, 70)) * (draw.random((300, 70)) < 0.1))
    kept = sparse_of(matrix)
    synapse = replace(kept, weight=kept.weight.astype(np.int8))
    graph, x = sums_of(synapse, graded=graded), lines(draw, 70, graded=graded)
    for threads in (1, 3):
        record = Engine(graph).run(x, probe=True, tuning=Tuning("events", threads))
        np.testing.assert_array_equal(record.probes["sums.message"][0], (matrix @ x[0].T).T)
    reached = np.count_nonzero(x[0], axis=0) @ np.bincount(matrix.indices, minlength=70)
    assert record.layers["sums"].totals()["synops_hardware"] == reached


@pytest.mark.parametrize(
    ("synapse", "says"),
    [
        (Conv(np.full((1, 1, 1, 1), 200), (1, 2, 2)), "weight runs from 200 to 200"),
        (Conv(np.ones((1, 2, 1, 1), np.int8), (1, 2, 2)), "1 groups do not divide 1 channels"),
        (Sparse(np.ones(2, np.int8), np.array([1, 0], np.int32), np.array([0, 2]), 4), "columns do not rise"),
    ],
)
def test_maps_the_kernels_cannot_hold_are_refused(synapse: Conv | Sparse, says: str) -> None:
    with pytest.raises(InputError, match=f"'input -> sums.a': .*{says}"):
        Engine(sums_of(synapse, graded=False))

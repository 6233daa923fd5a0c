"""Sparse and Conv: the map that torch computes, the counts of its pairs, and the same map weight by weight."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bim_neuro.nodes.synapses import Conv, Dense, Sparse, sparse_of


@st.composite
def convs(draw: st.DrawFn) -> Conv:
    whole = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    groups, outputs, inputs = whole(1, 3), whole(1, 3), whole(1, 2)
    kernel, dilation = (whole(1, 3), whole(1, 4)), (whole(1, 2), whole(1, 3))
    padding = (whole(0, 2), whole(0, 2), whole(0, 2), whole(0, 2))
    reach = [dilation[k] * (kernel[k] - 1) + 1 - padding[2 * k] - padding[2 * k + 1] for k in (0, 1)]
    grid = (groups * inputs, max(1, reach[0]) + whole(0, 4), max(1, reach[1]) + whole(0, 4))
    rng = np.random.default_rng(whole(0, 2**32 - 1))
    weight = rng.integers(-3, 4, (groups * outputs, inputs, *kernel)).astype(np.int8)
    return Conv(weight, grid, (whole(1, 3), whole(1, 3)), padding, dilation, groups)


def by_torch(conv: Conv, x: np.ndarray) -> np.ndarray:
    top, bottom, left, right = conv.padding
    image = torch.from_numpy(x.astype(np.float64)).reshape(-1, *conv.grid)
    padded = torch.nn.functional.pad(image, (left, right, top, bottom))
    weight = torch.from_numpy(conv.weight.astype(np.float64))
    made = torch.nn.functional.conv2d(padded, weight, None, conv.stride, 0, conv.dilation, conv.groups)
    return made.reshape(*x.shape[:-1], -1).numpy()


@settings(deadline=None, max_examples=200)
@given(convs(), st.integers(0, 2**32 - 1))
def test_a_conv_is_torch_s_and_its_unrolled_weights_are_the_same_map(conv: Conv, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-2, 3, (2, 3, conv.pre))
    expected = by_torch(conv, x)
    assert conv.apply(x).dtype == np.int64
    assert np.array_equal(conv.apply(x), expected)
    assert np.array_equal(conv.apply(x.astype(np.float64)), expected)
    assert np.array_equal(conv.unrolled().apply(x), expected)


@settings(deadline=None, max_examples=200)
@given(convs(), st.integers(0, 2**32 - 1))
def test_a_conv_counts_the_pairs_it_joins(conv: Conv, seed: int) -> None:
    """A spike of each neuron alone, through a kernel of ones, reaches as many targets as its fan says."""
    ones = Conv(np.ones_like(conv.weight), conv.grid, conv.stride, conv.padding, conv.dilation, conv.groups)
    joined = ones.apply(np.eye(conv.pre, dtype=np.int64)).sum(axis=1)
    weighted = (conv.unrolled().matrix() != 0).sum(axis=0)
    assert conv.count == joined.sum()
    assert conv.nonzero == conv.unrolled().nonzero == weighted.sum()
    active = np.random.default_rng(seed).integers(0, 3, conv.pre)
    assert conv.synops(active) == (active @ joined, active @ weighted)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_sparse_synapses_are_the_dense_ones_without_their_zeros(post: int, pre: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(-3, 4, (post, pre)) * rng.integers(0, 2, (post, pre))
    dense = Dense(weight.astype(np.int8))
    sparse = sparse_of(weight)
    x, active = rng.integers(-2, 3, (2, 3, pre)), rng.integers(0, 3, pre)
    assert np.array_equal(sparse.apply(x), dense.apply(x))
    assert sparse.nonzero == sparse.count == dense.nonzero
    assert sparse.synops(active) == (dense.synops(active)[1],) * 2


def test_a_weight_that_became_zero_is_executed_and_not_effective() -> None:
    sparse = Sparse(np.array([2, 0], np.int8), np.array([0, 1], np.int32), np.array([0, 2], np.int64), 2)
    assert (sparse.count, sparse.nonzero) == (2, 1)
    assert sparse.synops(np.array([3, 4])) == (7, 3)


def test_negative_padding_leaves_neurons_out() -> None:
    """A pool of 2 on 5 columns: the fifth is left over, and its spike goes nowhere."""
    pool = Conv(np.ones((1, 1, 1, 2), np.int8), (1, 1, 5), stride=(1, 2), padding=(0, 0, 0, -1))
    assert pool.out == (1, 1, 2)
    assert pool.apply(np.array([1, 2, 4, 8, 16])).tolist() == [3, 12]

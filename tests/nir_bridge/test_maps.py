"""Linear maps put after each other, scaled and added: the same matrix, and no larger a map than it needs to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bim_neuro.nir_bridge import maps
from bim_neuro.nir_bridge.maps import Map, added, compose, ends, scaled
from bim_neuro.nodes import Dense, Diagonal
from bim_neuro.nodes.synapses import Conv, Sparse, sparse_of


def matrix(map_: Map) -> np.ndarray:
    return map_.apply(np.eye(ends(map_)[1])).T


@st.composite
def conv_on(draw: st.DrawFn, grid: tuple[int, int, int], channels: int | None = None) -> Conv:
    whole = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if grid[0] % g == 0]))
    outputs = channels or groups * whole(1, 2)
    groups = groups if outputs % groups == 0 else 1
    padding = (whole(0, 2), whole(0, 2), whole(0, 2), whole(0, 2))
    kernel = tuple(whole(1, min(3, grid[1 + k] + padding[2 * k] + padding[2 * k + 1])) for k in (0, 1))
    dilation = tuple(
        1 if kernel[k] == 1 or 2 * (kernel[k] - 1) >= grid[1 + k] + sum(padding[2 * k : 2 * k + 2]) else whole(1, 2)
        for k in (0, 1)
    )
    weight = np.random.default_rng(whole(0, 2**32 - 1)).integers(-3, 4, (outputs, grid[0] // groups, *kernel))
    return Conv(weight.astype(np.float64), grid, (whole(1, 3), whole(1, 3)), padding, dilation, groups)


@st.composite
def map_from(draw: st.DrawFn, grid: tuple[int, int, int]) -> Map:
    kind = draw(st.sampled_from(["conv", "dense", "sparse", "diagonal", "channels"]))
    if kind == "conv":
        return draw(conv_on(grid))
    rng, size = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), int(np.prod(grid))
    if kind == "channels":
        return Diagonal(np.repeat(rng.integers(-2, 3, grid[0]), size // grid[0]).astype(float))
    if kind == "diagonal":
        return Diagonal(rng.integers(-2, 3, size).astype(float))
    weight = rng.integers(-2, 3, (draw(st.integers(1, 5)), size)).astype(float)
    return Dense(weight) if kind == "dense" else sparse_of(weight)


GRIDS = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))


@settings(deadline=None, max_examples=400)
@given(st.data(), GRIDS)
def test_a_map_after_another_is_the_product_of_their_matrices(data: st.DataObject, grid: tuple[int, int, int]) -> None:
    inner = data.draw(map_from(grid))
    between = inner.out if isinstance(inner, Conv) else (1, 1, ends(inner)[0])
    between = grid if isinstance(inner, Diagonal) else between
    outer = data.draw(map_from(between))
    made = compose(outer, inner)
    assert ends(made) == (ends(outer)[0], ends(inner)[1])
    assert np.array_equal(matrix(made), matrix(outer) @ matrix(inner))
    assert maps.bytes_of(made) <= maps.bytes_of_composed(outer, inner) + 8 * (len(matrix(made)) + 1)


@settings(deadline=None, max_examples=200)
@given(st.data(), GRIDS)
def test_maps_scaled_and_added_are_their_matrices_scaled_and_added(
    data: st.DataObject, grid: tuple[int, int, int]
) -> None:
    left = data.draw(map_from(grid))
    factor = np.random.default_rng(0).integers(-2, 3, ends(left)[0]).astype(float)
    assert np.array_equal(matrix(scaled(left, factor)), factor[:, None] * matrix(left))
    twin = data.draw(st.sampled_from([left, scaled(left, factor), Dense(matrix(left))]))
    assert np.array_equal(matrix(added(left, twin)), matrix(left) + matrix(twin))


IMAGE = Conv(np.ones((4, 2, 3, 3)), (2, 12, 12), padding=(1, 1, 1, 1))
POOL = Conv(np.ones((4, 1, 2, 2)), (4, 12, 12), stride=(2, 2), groups=4)


def test_a_conv_stays_a_conv_through_pool_scale_and_the_next_conv() -> None:
    after = Conv(np.ones((3, 4, 3, 3)), (4, 6, 6), padding=(1, 1, 1, 1))
    channels = Diagonal(np.repeat([1.0, 2, 3, 4], 144))
    pooled = compose(POOL, compose(channels, IMAGE))
    assert isinstance(pooled, Conv)
    assert (pooled.weight.shape, pooled.stride, pooled.out) == ((4, 2, 4, 4), (2, 2), (4, 6, 6))
    assert isinstance(compose(after, POOL), Conv)
    assert isinstance(compose(after, pooled), Sparse)  # a pooled place beyond the border would see the border's senders


def test_a_factor_a_neuron_makes_a_conv_sparse() -> None:
    assert isinstance(scaled(IMAGE, np.arange(576.0)), Sparse)
    assert isinstance(compose(IMAGE, Diagonal(np.arange(288.0))), Sparse)


@pytest.mark.parametrize("left_over", [0, 1])
def test_a_column_that_a_pool_leaves_out_is_seen_by_no_later_kernel(left_over: int) -> None:
    pool = Conv(np.ones((1, 1, 1, 2)), (1, 1, 6 + left_over), stride=(1, 2), groups=1)
    after = Conv(np.ones((1, 1, 1, 3)), (1, 1, 3), padding=(0, 0, 1, 1))
    made = compose(after, pool)
    assert isinstance(made, Sparse if left_over else Conv)
    assert np.array_equal(matrix(made), matrix(after) @ matrix(pool))

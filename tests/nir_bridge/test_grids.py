"""Convolutions and pools of NIR: the float graph gives torch's own numbers, and what is no map on a grid is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch

from bim_neuro.errors import DoesNotFit
from bim_neuro.nir_bridge import read_nir
from bim_neuro.nodes import Conv, Sparse
from bim_neuro.simulation import simulate_float

DT = 1e-3


def conv2d(weight: np.ndarray, shape: tuple[int, int] | None, **fields: Any) -> nir.Conv2d:
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(len(weight))} | fields
    layer = nir.Conv2d(input_shape=None, weight=weight, **given)
    layer.input_shape = shape  # else nir computes a shape, and fails where there is none
    return layer


def net(path: Path, shape: list[int], *layers: nir.NIRNode) -> Path:
    """The layers one after another, and an integrator (I, r = 1 / dt) of each of their values; no shape at the end."""
    nodes = {"in": nir.Input(np.array(shape)), **{f"l{at}": layer for at, layer in enumerate(layers)}}
    nodes["sum"] = nir.I(np.full(1, 1 / DT))
    nodes["out"] = nir.Output(np.array([1]))
    names = list(nodes)
    nir.write(path, nir.NIRGraph(nodes, list(itertools.pairwise(names)), type_check=False))
    with h5py.File(path, "r+") as file:
        del file["node/nodes/out/shape"]
    return path


def values(path: Path, x: np.ndarray) -> np.ndarray:
    """What one step gives."""
    graph = read_nir(path, DT)
    return simulate_float(graph, x.reshape(len(x), 1, -1)).probes[f"{graph.output}.message"][:, 0]


RNG = np.random.default_rng(0)
CASES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "plain": ({}, (4, 2, 3, 3)),
    "strided and padded": ({"stride": (2, 1), "padding": (1, 2)}, (4, 2, 3, 5)),
    "dilated": ({"dilation": (1, 2)}, (3, 2, 2, 3)),
    "groups": ({"groups": 2}, (4, 1, 3, 3)),
    "same": ({"padding": "same", "dilation": (2, 1)}, (4, 2, 4, 3)),
    "valid": ({"padding": "valid"}, (4, 2, 4, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_conv2d_is_torch_s(name: str, tmp_path: Path) -> None:
    fields, shape = CASES[name]
    weight, bias = RNG.normal(size=shape), RNG.normal(size=shape[0])
    x = RNG.integers(0, 2, (3, 2, 9, 8)).astype(float)
    path = net(tmp_path / "g.nir", [2, 9, 8], conv2d(weight, (9, 8), bias=bias, **fields))
    want = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight), torch.from_numpy(bias), **fields)
    np.testing.assert_allclose(values(path, x), want.numpy().reshape(3, -1), atol=1e-12)


def test_a_conv1d_is_torch_s(tmp_path: Path) -> None:
    weight, x = RNG.normal(size=(4, 2, 3)), RNG.integers(0, 2, (3, 2, 11)).astype(float)
    layer = nir.Conv1d(11, weight, 2, 1, 1, 1, np.zeros(4))
    want = torch.nn.functional.conv1d(torch.from_numpy(x), torch.from_numpy(weight), stride=2, padding=1)
    path = net(tmp_path / "g.nir", [2, 11], layer)
    np.testing.assert_allclose(values(path, x), want.numpy().reshape(3, -1), atol=1e-12)


@pytest.mark.parametrize("pool", ["SumPool2d", "AvgPool2d"])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [((2, 2), (2, 2), (0, 0)), ((3, 2), (1, 2), (1, 1))])
def test_a_pool_is_torch_s_and_folds_into_the_conv_behind_it(
    pool: str, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], tmp_path: Path
) -> None:
    layer = getattr(nir, pool)(np.array(kernel), np.array(stride), np.array(padding))
    weight, x = RNG.normal(size=(3, 2, 2, 2)), RNG.integers(0, 2, (3, 2, 9, 8)).astype(float)
    pooled = torch.nn.functional.avg_pool2d(torch.from_numpy(x), kernel, stride, padding)
    pooled *= kernel[0] * kernel[1] if pool == "SumPool2d" else 1
    np.testing.assert_allclose(
        values(net(tmp_path / "p.nir", [2, 9, 8], layer), x), pooled.numpy().reshape(3, -1), atol=1e-12
    )
    path = net(tmp_path / "g.nir", [2, 9, 8], layer, conv2d(weight, tuple(pooled.shape[2:])))
    want = torch.nn.functional.conv2d(pooled, torch.from_numpy(weight))
    np.testing.assert_allclose(values(path, x), want.numpy().reshape(3, -1), atol=1e-12)
    [edge] = read_nir(path, DT).edges
    assert isinstance(edge.synapse, Conv)


def test_a_scale_a_channel_keeps_a_conv_and_one_a_neuron_does_not(tmp_path: Path) -> None:
    weight, x = RNG.normal(size=(3, 2, 3, 3)), RNG.integers(0, 2, (2, 2, 6, 6)).astype(float)
    conv = conv2d(weight, (6, 6))
    for scale, kind in ((RNG.normal(size=(3, 1, 1)), Conv), (RNG.normal(size=(3, 4, 4)), Sparse)):
        path = net(tmp_path / f"{kind.__name__}.nir", [2, 6, 6], conv, nir.Scale(scale))
        [edge] = read_nir(path, DT).edges
        assert isinstance(edge.synapse, kind)
        want = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight)).numpy() * scale
        np.testing.assert_allclose(values(path, x), want.reshape(2, -1), atol=1e-12)


WRONG: dict[str, tuple[nir.NIRNode, list[int], str]] = {
    "kernel": (
        conv2d(np.ones((1, 1, 5, 5)), (3, 3)),
        [1, 3, 3],
        "kernel of 5 x 5, larger than its padded input of 3 x 3",
    ),
    "stride": (
        conv2d(np.ones((1, 1, 2, 2)), (3, 3), stride=(0, 1)),
        [1, 3, 3],
        "has stride 0, it needs a whole number from 1",
    ),
    "groups": (conv2d(np.ones((3, 1, 2, 2)), (3, 3), groups=2), [2, 3, 3], "3 output channels in 2 groups"),
    "channels": (conv2d(np.ones((1, 3, 2, 2)), (3, 3)), [2, 3, 3], "takes 3 channels, it receives 2"),
    "grid": (conv2d(np.ones((1, 1, 2, 2)), (3, 3)), [7], "receives 7, it needs channels, rows and columns"),
    "bias": (conv2d(np.ones((4, 1, 2, 2)), (3, 3), bias=np.zeros(3)), [1, 3, 3], "3 biases for 4 output channels"),
    "huge pool": (
        nir.SumPool2d(np.full(2, 2**30), np.ones(2, int), np.zeros(2, int)),
        [1, 3, 3],
        "larger than its padded",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_map_on_a_grid_is_a_finding(what: str, tmp_path: Path) -> None:
    layer, shape, said = WRONG[what]
    with pytest.raises(DoesNotFit) as refusal:
        read_nir(net(tmp_path / "g.nir", shape, layer), DT)
    [finding] = refusal.value.findings
    assert finding.layer == "l0"
    assert said in finding.message


def test_a_pool_on_the_input_reads_a_grid_even_where_it_has_as_many_columns_as_its_kernel_axes(tmp_path: Path) -> None:
    """A kernel_size of two numbers is no width of two."""
    pool = nir.SumPool2d(np.array([2, 1]), np.array([2, 1]), np.array([0, 0]))
    x = np.arange(8.0).reshape(1, 1, 4, 2)
    assert values(net(tmp_path / "g.nir", [1, 4, 2], pool), x).tolist() == [[2, 4, 10, 12]]


def test_an_input_shape_that_the_wire_contradicts_is_said_and_not_used(tmp_path: Path) -> None:
    weight, x = RNG.normal(size=(1, 1, 2, 2)), RNG.normal(size=(1, 1, 4, 3))
    honest, lying = (net(tmp_path / f"{rows}.nir", [1, 4, 3], conv2d(weight, (rows, 3))) for rows in (4, 5))
    assert np.array_equal(values(honest, x), values(lying, x))
    said = "'l0' says input_shape (5, 3), it reads a grid of (4, 3)"
    assert [said in read_nir(path, DT).extra["assumptions"] for path in (honest, lying)] == [False, True]

"""``--verify lava`` on convolutions, from a .nir to the summary, through the command itself."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from commands import ROOT, bim_compile, finish, start

NET = ROOT / "tests" / "frameworks_data" / "snntorch_conv_digits"
SAMPLES, STEPS = 2, 8

pytestmark = [pytest.mark.lava, pytest.mark.slow]


def verified(folder: Path, *arguments: object) -> dict[str, Any]:
    """Compile, run and verify what is given; return the summary."""
    out = folder / "out"
    few = ("--samples", SAMPLES, "--steps", STEPS, "--input", folder / "x.npz")
    ended = finish(start("compile", *arguments, *few, "--verify", "lava", "-o", out))
    assert ended.code == 0, ended
    assert bim_compile(out / "model.bimn", "--self-test").code == 0
    summary = json.loads((out / "summary.json").read_text())
    assert isinstance(summary, dict)
    return summary


def compared(summary: dict[str, Any], layer: str, what: str) -> int:
    """Return how many values of a layer were something else than 0, all values equal."""
    [found] = [row for row in summary["verify"]["layers"] if (row["layer"], row["what"]) == (layer, what)]
    assert found["values"] == found["equal"]
    return int(found["nonzero_equal"])


def test_a_conv_a_pool_and_a_linear_into_lifs_are_lavas_alone(tmp_path: Path) -> None:
    """Not square, one stride for two axes, a border, and a pool that folds into the layer behind the neurons."""
    draw = np.random.default_rng(1)
    lif = {"r": np.full(1, 20.0), "v_leak": np.zeros(1), "v_threshold": np.ones(1)}
    layers = {
        "input": nir.Input(np.array([2, 9, 7])),
        "conv": nir.Conv2d((9, 7), draw.normal(size=(3, 2, 3, 2)), 2, 1, 1, 1, np.zeros(3)),
        "map": nir.LIF(tau=np.full(1, 0.02), **lif),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1),
        "linear": nir.Linear(draw.normal(size=(4, 12))),
        "last": nir.LIF(tau=np.full(1, 0.02), **lif),
        "output": nir.Output(np.array([4])),
    }
    names = list(layers)
    edges = list(pairwise(names))
    nir.write(tmp_path / "g.nir", nir.NIRGraph(layers, edges, type_check=False))
    np.savez(tmp_path / "x.npz", x=(draw.random((SAMPLES, STEPS, 2, 9, 7)) < 0.4).astype(np.float32), layout="BTCHW")
    summary = verified(tmp_path, tmp_path / "g.nir", "--dt", 1e-3)
    assert [row["judge"] for row in summary["layers"]] == ["lava", "lava"]
    fired, last = (compared(summary, layer, "message") for layer in ("map", "last"))
    assert fired > SAMPLES * STEPS * 3  # of 60 neurons, every channel of them each step
    assert last > 1
    assert min(compared(summary, layer, "v") for layer in ("map", "last")) > 20


def test_a_convolution_of_a_framework_is_verified(tmp_path: Path) -> None:
    with np.load(NET / "io.npz") as file:
        x, meta = file["x"], json.loads(str(file["meta"]))  # (steps, samples, channels, rows, columns)
    assert set(meta["dialect"]) == {"name"}
    np.savez(tmp_path / "x.npz", x=x.swapaxes(0, 1).astype(np.float32), layout="BTCHW")
    given = ("--dt", meta["dt"], "--dialect", meta["dialect"]["name"])
    summary = verified(tmp_path, NET / "graph.nir", *given)
    assert compared(summary, "1", "message") > 1000
    assert compared(summary, "5", "v") == SAMPLES * STEPS * 10

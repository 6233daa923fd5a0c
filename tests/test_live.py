"""Models in memory: networks and weights of one's own loop, and graphs of the package nir."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import nn

import bim_neuro
from bim_neuro.errors import InputError
from bim_neuro.live import Said, checkpoint_of, read_any
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.pack import equal

CONFIG = NetworkConfig(inputs=6, classes=3, channels=8, states=2, taps=2)
DT = 1e-3
ROOT = Path(__file__).parent.parent


def network() -> BIMNetwork:
    torch.manual_seed(0)
    return BIMNetwork(CONFIG)


def spikes(samples: int = 4, steps: int = 12) -> np.ndarray:
    return (np.random.default_rng(0).random((samples, steps, CONFIG.inputs)) < 0.4).astype(float)


# ---- networks of one's own loop


def test_a_network_in_memory_is_the_model_that_its_file_would_be(tmp_path: Path) -> None:
    net, x = network(), spikes()
    bim_neuro.save(net, tmp_path / "own.pt", x=x, dt=DT, labels=("a", "b", "c"))
    saved = bim_neuro.compile(tmp_path / "own.pt")
    live = bim_neuro.compile(net, dt=DT, input=x)
    assert saved.reference.labels == ("a", "b", "c")
    answers = [program.run(x, backend="reference").output for program in (saved, live)]
    np.testing.assert_array_equal(*answers)
    with torch.no_grad():
        logits = net(torch.from_numpy(x).float().transpose(0, 1)).numpy()
    np.testing.assert_allclose(live.run_float(x).output / x.shape[1], logits, atol=1e-4)


HELD: dict[str, Any] = {
    "plain": lambda w: w,
    "data parallel": lambda w: {f"module.{name}": value for name, value in w.items()},
    "compiled": lambda w: {f"_orig_mod.{name}": value for name, value in w.items()},
    "lightning": lambda w: {
        "epoch": 3, "pytorch-lightning_version": "2.5", "hyper_parameters": {"lr": 1e-3}, "optimizer_states": [],
        "state_dict": {**{f"model._orig_mod.{k}": v for k, v in w.items()}, "loss.weight": torch.ones(3)},
    },
    "a loop's own": lambda w: {"model_state_dict": w, "optimizer_state_dict": {}, "epoch": 3},
}  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_weights_are_found_in_what_a_loop_saved(name: str, tmp_path: Path) -> None:
    expected = read_any(network(), Said(dt=DT))
    held = HELD[name](network().state_dict())
    torch.save(held, tmp_path / "weights.pt")
    for model in (held, tmp_path / "weights.pt"):
        assert equal(read_any(model, Said(dt=DT, config=asdict(CONFIG))), expected)


WEIGHTS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no config": (lambda w: w, {"config": None}, "weights do not say what network they are of"),
    "no dt": (lambda w: w, {"dt": None}, "a network does not say how long a step is"),
    "a dialect": (lambda w: w, {"dialect": "norse"}, "dialect has no effect on weights"),
    "none there": (lambda _w: {"fc.weight": torch.ones(3)}, {}, "no weights of a BIMNetwork: 'w_o' is not there"),
    "two networks": (lambda w: {**w, "old.w_o": torch.ones(3)}, {}, "weights of 2 networks: '', 'old.'"),
    "another width": (lambda w: w, {"config": {**asdict(CONFIG), "inputs": 7}}, "the config wants"),
    "a lacking weight": (lambda w: {k: v for k, v in w.items() if k != "b_o"}, {}, "'b_o' is absent"),
    "another field": (lambda w: w, {"config": {"inputs": 6, "classes": 3, "depth": 2}}, "keyword argument 'depth'"),
    "a word": (lambda w: {**w, "b_o": "none"}, {}, "'b_o' is 'none', a tensor is needed"),
    "not finite": (lambda w: {**w, "b_o": torch.full((3,), torch.nan)}, {}, "3 of 3 values of 'b_o' are not finite"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_refused_by_name(name: str) -> None:
    change, said, message = WEIGHTS[name]
    with pytest.raises(InputError, match=message):
        bim_neuro.compile(change(network().state_dict()), **{"dt": DT, "config": asdict(CONFIG), **said})


@pytest.mark.parametrize(
    ("file", "message"),
    [("examples/digits.pt", "brings its own config"), ("tests/frameworks_data/norse_real.nir", "no file of weights")],
)
def test_a_file_that_says_its_config_takes_no_other(file: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bim_neuro.compile(ROOT / file, dt=DT, config=asdict(CONFIG))
    with pytest.raises(InputError, match="sample has no effect on a file"):
        bim_neuro.compile(ROOT / file, sample=np.zeros((1, 6)))


def test_what_save_writes_it_must_know(tmp_path: Path) -> None:
    path, net = tmp_path / "own.pt", network()
    for given, message in (
        ({"dt": DT}, "model.pt holds the ranges of its layers"),
        ({"x": spikes()}, "a network does not say how long a step is"),
        ({"x": spikes()[..., :3], "dt": DT}, r"x has shape \(4, 12, 3\)"),
        ({"x": spikes(), "dt": DT, "labels": ("a",)}, "1 labels for 3 classes"),
        ({"x": spikes() / 2, "dt": DT}, "are neither 0 nor 1, this model reads spikes"),
        ({"x": spikes(), "dt": DT, "encoder": "counts"}, "unknown encoder 'counts'"),
    ):
        with pytest.raises(InputError, match=message):
            bim_neuro.save(net, path, **given)
    assert not path.exists()
    with pytest.raises(InputError, match=r"model is a Linear, model\.pt holds a BIMNetwork"):
        bim_neuro.save(nn.Linear(2, 2), path, x=spikes(), dt=DT)
    with pytest.raises(InputError, match="artefact is None"):
        bim_neuro.save(None, path)


def test_raw_values_of_ones_own_loop_keep_their_scale(tmp_path: Path) -> None:
    """The network was trained on the raw values; the file says so, and messages take their measured scale."""
    net, x = network(), np.random.default_rng(1).normal(size=(4, 12, CONFIG.inputs)) * 3
    bim_neuro.save(net, tmp_path / "own.pt", x=x, dt=DT, encoder="graded")
    program = bim_neuro.compile(tmp_path / "own.pt")
    with torch.no_grad():
        logits = net(torch.from_numpy(x).float().transpose(0, 1)).numpy()
    np.testing.assert_allclose(program.run_float(x).output / x.shape[1], logits, atol=1e-4)
    assert checkpoint_of(net, DT, "graded").encoder.unmeasured
    assert not program.reference.encoder.unmeasured


# ---- graphs of the package nir


def test_a_graph_in_memory_is_the_file_that_it_would_be(tmp_path: Path) -> None:
    one = np.ones(4)
    nodes = {
        "input": nir.Input(np.array([1, 5, 5])),
        "conv": nir.Conv2d(None, np.ones((1, 1, 4, 4)), 1, 0, 1, 1, np.ones(1)),
        "flat": nir.Flatten({"input": np.array([1, 2, 2])}, 0), "lif": nir.LIF(5e-3 * one, one, 0 * one, 2 * one),
        "output": nir.Output(np.array([4])),
    }  # fmt: skip
    graph = nir.NIRGraph(nodes, list(pairwise(nodes)), type_check=False)
    graph.nodes["conv"].input_shape = None
    read = read_any(graph, Said(dt=DT, dialect="spikingjelly"))
    assert graph.nodes["conv"].input_shape is None  # left as it was
    graph.infer_types()
    nir.write(tmp_path / "g.nir", graph)
    assert equal(read, bim_neuro.read_nir(tmp_path / "g.nir", DT, dialect="spikingjelly"))
    with pytest.raises(InputError, match="a NIR graph does not say how long a step is"):
        bim_neuro.compile(graph)
    with pytest.raises(InputError, match="sample has no effect on a NIR graph"):
        bim_neuro.compile(graph, dt=DT, sample=one)

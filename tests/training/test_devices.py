"""Training on a device, in parts of a batch and in several processes: the same weights; and what is refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from second_device import NAME, SecondDevice

from bim_neuro.errors import InputError
from bim_neuro.model.network import NetworkConfig
from bim_neuro.model.selective_scan import BlockState, Drive, ScanWeights, SomaLaw, selective_scan
from bim_neuro.training import trainer
from bim_neuro.training.device import find_device, memory_told
from bim_neuro.training.progress import Epoch, Start
from bim_neuro.training.rules import RULES, Learning
from bim_neuro.training.trainer import Recipe, train

CONFIG = NetworkConfig(3, 3, channels=6, states=2, taps=2)
RECIPE = Recipe(epochs=1, batch=8, learning_rate=0.02)


def data(samples: int = 11, steps: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = np.arange(samples) % 3
    return (rng.random((samples, steps, 3)) < 0.3).astype(np.float32) + np.eye(3, dtype=np.float32)[y][:, None], y


def trained(
    learning: Learning, recipe: Recipe = RECIPE, blocks: int = 1, device: str = "auto", **more: Any
) -> dict[str, torch.Tensor]:
    network, _ = train(
        replace(CONFIG, blocks=blocks), replace(recipe, device=device), data(), data(), learning=learning, **more
    )
    return dict(network.state_dict())


def farthest(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in b)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> SecondDevice:
    monkeypatch.setattr(trainer, "find_device", lambda wanted: torch.device("cpu" if wanted == "cpu" else NAME))
    return SecondDevice()


KINDS = {
    **{name: Learning(name) for name in RULES},
    "online": Learning("hybrid", online=3),
    "pruned": Learning("rtrl", sparsity=0.6),
    "local": Learning("rtrl", credit="local"),
}


ELSEWHERE = pytest.mark.filterwarnings("ignore:.* to a meta parameter")  # here meta tensors have numbers


@ELSEWHERE
@pytest.mark.parametrize("kind", KINDS)
def test_another_device_ends_with_the_same_weights(kind: str, elsewhere: SecondDevice) -> None:
    blocks = 2 if kind in ("rtrl", "local", "s-tllr") else 1
    with elsewhere:
        there = trained(KINDS[kind], blocks=blocks)
    assert farthest(there, trained(KINDS[kind], blocks=blocks, device="cpu")) < 1e-5


class Killed(Exception):
    """The process ends here."""


def killed(epoch: Epoch) -> None:
    raise Killed


@ELSEWHERE
@pytest.mark.parametrize(("first", "then"), [("cpu", "auto"), ("auto", "cpu")])
def test_a_run_goes_on_on_another_device(first: str, then: str, elsewhere: SecondDevice, tmp_path: Path) -> None:
    learning, recipe = Learning("rtrl", sparsity=0.6), replace(RECIPE, epochs=2)
    resume = tmp_path / "run.resume"
    with elsewhere, pytest.raises(Killed):
        trained(learning, recipe, start=Start(resume), on_epoch=killed, device=first)
    with elsewhere:
        finished = trained(learning, recipe, start=Start(resume), device=then)
    assert farthest(finished, trained(learning, recipe, device="cpu")) < 1e-5


@pytest.mark.parametrize("rule", ["bptt", "rtrl", "hybrid", "s-tllr"])
def test_a_batch_in_parts_gives_the_same_weights(rule: str) -> None:
    whole = trained(Learning(rule))
    in_parts = trained(Learning(rule), replace(RECIPE, accumulate=3))  # of 8 rows, then of 3
    assert 0 < farthest(in_parts, whole) < 1e-5


def test_online_updates_are_not_added_up() -> None:
    with pytest.raises(InputError, match="online updates and train"):
        trained(Learning("rtrl", online=2), replace(RECIPE, accumulate=2))


PROCESS = """
import sys, torch
sys.path[:0] = sys.argv[2:]
from test_devices import RECIPE, Learning, replace, trained
torch.set_num_threads(1)
learnings = {"bptt": Learning("bptt"), "hybrid": Learning("hybrid"), "online": Learning("rtrl", online=2)}
recipe = replace(RECIPE, batch=5)  # the last of three batches has one row: one process has none
weights = {name: trained(learning, recipe) for name, learning in learnings.items()}
torch.save(weights, sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_end_with_the_weights_of_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    torchrun = {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}

    def start(name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", PROCESS, str(tmp_path / name), *paths]
        return subprocess.Popen(command, env={**os.environ, **environment})

    started = [start("alone", {})]
    try:
        assert started[0].wait(300) == 0  # and the kernels are compiled
        started += [start(f"of two, {rank}", {**torchrun, "RANK": str(rank)}) for rank in range(2)]
        assert [process.wait(300) for process in started] == [0, 0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
    first, second, alone = (torch.load(tmp_path / name) for name in ("of two, 0", "of two, 1", "alone"))
    for rule, weights in alone.items():
        assert farthest(first[rule], second[rule]) == 0
        assert 0 < farthest(first[rule], weights) < 1e-5


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused() -> None:
    assert find_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match=rf"no CUDA device: PyTorch {torch.__version__.split('+')[0]}.* finds 0 dev"):
        find_device("cuda")
    with pytest.raises(InputError, match="gpu"):
        find_device("gpu")


def test_the_tensor_that_finds_no_memory_is_named() -> None:
    steps, batch, channels = 2**21, 2**11, 2**10  # 16 TiB a tensor
    large, one = torch.zeros(1).expand(steps, batch, channels), torch.zeros(channels, 1)
    weights = ScanWeights(one, one[:, 0], one, one[:, 0], torch.tensor(0.5), torch.tensor(1.0))
    drive, state = Drive(large, large, large[..., :1], large[..., :1]), BlockState(large[:0], *[large[0]] * 3)
    told = r"cpu has no memory for delta, u, taps of selective_scan: 16,384 GiB were asked for\n.*--batch below 2,048"
    with pytest.raises(InputError, match=told), memory_told(torch.device("cpu"), batch, steps):
        selective_scan(drive, weights, SomaLaw(), state)
    with pytest.raises(RuntimeError, match="something else"), memory_told(torch.device("cpu"), 1, 1):
        raise RuntimeError("something else")

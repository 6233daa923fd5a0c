"""bim-train with a baseline: our trainer, budget and record, a file that no chip takes, and a table beside ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import bim_compile, bim_report, bim_train

from bim_neuro.choices import BASELINES
from bim_neuro.jobs.baseline import read_baseline
from bim_neuro.model.network import NetworkConfig
from bim_neuro.training.baselines import BaselineConfig

STEPS, SHORT = 8, ("--epochs", 2, "--batch", 16, "--channels", 8, "--states", 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled sequences whose class is the channel that is loud."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.normal(size=(60, STEPS, 3)).astype(np.float32)
    x[np.arange(60), :, y] += 2
    file = tmp_path_factory.mktemp("data") / "own.npz"
    np.savez(file, x=x, y=y, layout="BTC")
    return file


def trained(data: Path, output: Path, *more: Any) -> dict[str, Any]:
    record = output.with_suffix(".json")
    ended = bim_train("own", "--data", data, "-o", output, "--json", record, *SHORT, *more)
    assert ended.code == 0, ended.err
    return dict(json.loads(record.read_text()))


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_trained_in_the_size_of_ours(data: Path, tmp_path: Path, name: str) -> None:
    record = trained(data, tmp_path / "it.pt", "--set", f"train.model={name}")
    config = BaselineConfig(**read_baseline(tmp_path / "it.pt").config)
    assert (record["model"], record["implementation"], record["epochs"]) == (name, "torch", 2)
    assert record["parameters"] == config.parameters
    ours = NetworkConfig(config.inputs, 3, channels=8, states=2).parameters
    smaller, larger = (BaselineConfig(**{**config.plain, "width": max(4, config.width + off)}) for off in (-4, 4))
    assert abs(config.parameters - ours) <= min(abs(near.parameters - ours) for near in (smaller, larger))


def test_the_same_command_gives_the_same_weights_and_goes_on_after_a_stop(data: Path, tmp_path: Path) -> None:
    asked = ("--set", "train.model=lstm", "--set", "train.parameters=400")
    whole = trained(data, tmp_path / "whole.pt", *asked)
    again = trained(data, tmp_path / "again.pt", *asked)
    assert whole["log"] == again["log"]
    states = [read_baseline(tmp_path / f"{name}.pt").state for name in ("whole", "again")]
    assert all(bool((states[0][name] == states[1][name]).all()) for name in states[0])


def test_final_opens_the_test_split_and_a_second_time_counts(data: Path, tmp_path: Path) -> None:
    for times in (1, 2):
        record = trained(data, tmp_path / "it.pt", "--set", "train.model=linear", "--final")
        assert record["test_opened"] == times
        assert set(record["test"]) == {"date", "samples", "float"}


def test_no_chip_takes_a_baseline(data: Path, tmp_path: Path) -> None:
    trained(data, tmp_path / "it.pt", "--set", "train.model=rnn")
    ended = bim_compile(tmp_path / "it.pt", "--input", data, "-o", tmp_path / "out")
    assert (ended.code, ended.out) == (2, "")
    assert "is a baseline (rnn), which no chip takes" in ended.err


def test_a_baseline_stands_beside_ours_in_the_table_of_runs(data: Path, tmp_path: Path) -> None:
    trained(data, tmp_path / "rnn.pt", "--set", "train.model=rnn")
    trained(data, tmp_path / "ours.pt")
    table = json.loads(bim_report("runs", tmp_path, "--json").out)
    models = {row["values"]["train.model"]: row["metrics"]["parameters"] for row in table["runs"]}
    assert set(models) == {"rnn", "bim"}
    assert 0.5 < models["rnn"] / models["bim"] < 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("--set", "train.parameters=9"), "train.parameters has no effect without a baseline"),
        (("--set", "train.model=lstm", "--rule", "rtrl"), "--rule has no effect with a baseline"),
        (("--set", "train.model=gru"), "train.model is gru, allowed"),
    ],
)
def test_what_a_baseline_does_not_know_is_refused(
    data: Path, tmp_path: Path, asked: tuple[str, ...], words: str
) -> None:
    ended = bim_train("own", "--data", data, "-o", tmp_path / "it.pt", *asked)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert not (tmp_path / "it.pt").exists()

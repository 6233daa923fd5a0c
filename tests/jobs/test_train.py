"""Training a person's own sequences: it learns, it repeats itself, and it goes on after a kill."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Ended, bim_compile, bim_train, finish, start

from bim_neuro.jobs.train import plan_for, train_task
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.model.network import NetworkConfig
from bim_neuro.tasks import load_task
from bim_neuro.tasks.scores import Score
from bim_neuro.training.progress import Epoch
from bim_neuro.training.trainer import Recipe, train

SMALL = ("--channels", 8, "--states", 2, "--set", "train.taps=2", "--batch", 16, "--learning-rate", 0.03)


def sequences(samples: int = 120, steps: int = 6, seed: int = 0) -> dict[str, Any]:
    """Three classes: which of three channels is high on average."""
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 3
    x = rng.normal(0, 0.5, (samples, steps, 3)) + np.eye(3)[y][:, None, :]
    return {"x": x, "y": y}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "own.npz"
    np.savez(path, **sequences(), class_names=["left", "right", "[up]"], dt=0.002)
    return path


def own(data: Path, model: Path, *options: object) -> Ended:
    return bim_train("own", "--data", data, "-o", model, *SMALL, *options)


def weights(model: Path) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in load_checkpoint(model).state.items()}


def log(model: Path) -> list[dict[str, float]]:
    return list(load_checkpoint(model).training["log"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> tuple[Path, Ended]:
    model = tmp_path_factory.mktemp("model") / "own.pt"
    return model, own(data, model, "--epochs", 12, "--final", "--json", model.with_suffix(".json"), "--baseline")


def test_it_learns_far_beyond_chance(trained: tuple[Path, Ended]) -> None:
    model, ended = trained
    assert (ended.code, ended.errors) == (0, [])
    assert f"model: {model}" in ended.out
    scores = load_checkpoint(model).training["test"]
    assert scores["float"]["accuracy"] > 0.7
    assert scores["integer"]["accuracy"] > 0.7


def test_the_model_says_what_it_is(trained: tuple[Path, Ended]) -> None:
    checkpoint = load_checkpoint(trained[0])
    assert (checkpoint.task, checkpoint.dt, checkpoint.labels) == ("own", 0.002, ("left", "right", "[up]"))
    assert checkpoint.ranges["block1.scan.h"] > 0


def test_the_record_is_json_beside_the_model(trained: tuple[Path, Ended]) -> None:
    record = json.loads(trained[0].with_suffix(".json").read_text())
    assert record["rule"] == "bptt"
    assert record["recipe"]["epochs"] == record["epochs"] == len(record["log"]) == 12
    assert [row["epoch"] for row in record["log"]] == list(range(1, 13))
    assert record["test"]["samples"] == 18
    assert 1 / 3 <= record["test"]["majority"] < 1
    assert record["command"].startswith("bim-train own --data ")
    assert 0 <= record["baseline"]["accuracy"] <= 1
    stored = load_checkpoint(trained[0]).training
    assert {key: record[key] for key in stored} == stored


def test_the_compiler_takes_the_model(tmp_path: Path, trained: tuple[Path, Ended], data: Path) -> None:
    ended = bim_compile(trained[0], "--input", data, "-o", tmp_path / "out", "--json")
    assert (ended.code, ended.errors) == (0, [])
    assert json.loads(ended.out)["accuracy"]["metrics"]["integer"]["sensitivity"].keys() == {"left", "right", "[up]"}


def test_nothing_is_left_beside_the_model(tmp_path: Path, data: Path) -> None:
    assert own(data, tmp_path / "own.pt", "--epochs", 1).code == 0
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["own.pt", "own.pt.request.toml"]


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path: Path, data: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert own(data, tmp_path / f"{name}.pt", "--epochs", 2, "--seed", seed).code == 0
        torch.rand(7)  # whatever else drew random numbers in between
    assert weights(tmp_path / "a.pt") == weights(tmp_path / "b.pt") != weights(tmp_path / "c.pt")


class Killed(Exception):
    pass


def interrupted(data: Path, model: Path, after: int, **changes: Any) -> None:
    """Train until ``after`` epochs are done, and no further."""

    def report(epoch: Epoch) -> None:
        if epoch.epoch == after:
            raise Killed

    small = {"channels": 8, "states": 2, "taps": 2, "batch": 16, "learning_rate": 0.03}
    plan = plan_for(load_task("own", data), Path(f"{model}.resume"), **small, **changes)
    with pytest.raises(Killed):
        train_task(plan, model, on_epoch=report)


@pytest.mark.parametrize("after", [4, *(pytest.param(after, marks=pytest.mark.slow) for after in (1, 5))])
def test_a_resumed_run_ends_with_the_weights_of_one_that_was_not_interrupted(
    tmp_path: Path, data: Path, after: int
) -> None:
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    assert own(data, whole, "--epochs", 5).code == 0
    interrupted(data, parts, after, epochs=5)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "parts.pt.resume",
        "whole.pt",
        "whole.pt.request.toml",
    ]
    assert own(data, parts, "--epochs", 5).code == 0
    assert weights(whole) == weights(parts)
    assert log(whole) == log(parts)
    assert not Path(f"{parts}.resume").exists()


@pytest.mark.slow
def test_a_run_killed_outright_goes_on_where_it_was(tmp_path: Path, data: Path) -> None:
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    resume = Path(f"{parts}.resume")
    assert own(data, whole, "--epochs", 40, "--set", "train.patience=40").code == 0
    arguments = ("own", "--data", data, "-o", parts, *SMALL, "--epochs", 40, "--set", "train.patience=40")
    process = start("train", *arguments)
    deadline = time.monotonic() + 200
    while not resume.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert finish(process).code == -9
    assert resume.exists()
    assert not parts.exists()
    assert own(data, parts, "--epochs", 40, "--set", "train.patience=40").code == 0
    assert weights(whole) == weights(parts)


@pytest.mark.parametrize(
    "options",
    [("--epochs", 6), ("--seed", 1), ("--channels", 9), ("--encoder", "delta"), ("--learning-rate", 0.02)],
    ids=lambda options: options[0],
)
def test_resuming_with_other_options_is_refused_until_restart(
    tmp_path: Path, data: Path, options: tuple[object, ...]
) -> None:
    model = tmp_path / "own.pt"
    interrupted(data, model, 1, epochs=5)
    ended = own(data, model, "--epochs", 5, *options)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "other options or data" in ended.err
    assert "--restart" in ended.err
    assert not model.exists()
    assert own(data, model, "--epochs", 5, *options, "--restart").code == 0


def test_resuming_with_other_data_is_refused(tmp_path: Path, data: Path) -> None:
    """As many samples of the same shape, one value moved."""
    arrays = dict(np.load(data))
    arrays["x"][0, 0, 0] += 1
    other = tmp_path / "other.npz"
    np.savez(other, **arrays)
    interrupted(data, tmp_path / "own.pt", 1, epochs=5)
    ended = own(other, tmp_path / "own.pt", "--epochs", 5)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "other options or data" in ended.err


@pytest.mark.parametrize("damage", ["empty", "cut", "emptied"])
def test_a_damaged_resume_file_is_refused(tmp_path: Path, data: Path, damage: str) -> None:
    model, resume = tmp_path / "own.pt", tmp_path / "own.pt.resume"
    interrupted(data, model, 1, epochs=5)
    if damage == "emptied":
        torch.save({**torch.load(resume, weights_only=True), "network": {}}, resume)
    else:
        resume.write_bytes(resume.read_bytes()[: 0 if damage == "empty" else 700])
    ended = own(data, model, "--epochs", 5)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert str(resume) in ended.err
    assert not model.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: arrays["x"].__setitem__((3, 2, 1), np.nan), "nan at sample 3, step 2, channel 1"),
        (lambda arrays: arrays.pop("y"), "no array 'y'"),
        (lambda arrays: arrays.update(y=arrays["y"] - 1), "-1"),
        (lambda arrays: arrays.update(y=arrays["y"] + 0.5), "integer"),
        (lambda arrays: arrays.update(y=arrays["y"][1:]), "shape"),
        (lambda arrays: arrays.update(x=arrays["x"][:2], y=arrays["y"][:2]), "3 are needed"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    arrays = sequences()
    change(arrays)
    np.savez(tmp_path / "bad.npz", **arrays)
    ended = own(tmp_path / "bad.npz", tmp_path / "own.pt")
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert words in ended.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.npz"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("own",), "--data"),
        (("nothing",), "no task is called 'nothing'"),
        (("own", "--encoder", "morse"), "unknown encoder 'morse'"),
        (("own", "-o", "no/such/folder/own.pt"), "there is no folder"),
        (("own", "-o", "."), "is a folder"),
        (("own", "--json", "no/such/folder/own.json"), "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bim_neuro.jobs.training_run.train", lambda *args, **options: pytest.fail("it trained"))
    ended = bim_train(*arguments, *(("--data", data) if len(arguments) > 1 else ()))
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert words in ended.err
    assert list(tmp_path.iterdir()) == []


def toy(recipe: Recipe, **options: Any) -> Any:
    task = {name: (arrays["x"].astype(np.float32), arrays["y"]) for name, arrays in
            (("training", sequences(48)), ("validation", sequences(24, seed=1)))}  # fmt: skip
    return train(NetworkConfig(3, 3, 4, 1, 1), recipe, **task, **options)[1]


def test_early_stopping_counts_epochs_without_a_better_score() -> None:
    scores = iter([0.1, 0.3, 0.2, 0.3, 0.25, 0.9])
    run = toy(Recipe(epochs=50, patience=3), score=Score("made", lambda y, answers: next(scores)))
    assert (run.epoch, run.best_epoch, run.best_score) == (5, 1, 0.3)


def test_the_weights_kept_are_the_best_on_validation(tmp_path: Path) -> None:
    seen: list[Epoch] = []
    run = toy(Recipe(epochs=6, learning_rate=0.05, patience=50), on_epoch=seen.append)
    assert run.best_score == max(epoch.score for epoch in seen) == seen[-1].best
    assert all(math.isfinite(epoch.loss) for epoch in seen)


def test_training_that_diverges_stops_with_a_hint(tmp_path: Path, data: Path) -> None:
    ended = own(data, tmp_path / "own.pt", "--epochs", 3, "--learning-rate", 1e30)
    assert ended.code == 2
    assert re.search(r"training diverged in epoch \d, batch \d+: .*\n.*--learning-rate", ended.err)
    assert not (tmp_path / "own.pt").exists()

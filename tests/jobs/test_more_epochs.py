"""bim-train with more epochs of a finished model, with several seeds, with logs, and with input that cannot train."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from commands import Ended, bim_train

from bim_neuro.jobs import train
from bim_neuro.model.checkpoint import load_checkpoint

SMALL = ("--channels", 6, "--states", 2, "--batch", 16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, y = np.random.default_rng(0), np.arange(60) % 3
    path = tmp_path_factory.mktemp("data") / "own.npz"
    np.savez(path, x=rng.normal(0, 0.5, (60, 5, 3)) + np.eye(3)[y][:, None, :], y=y)
    return path


def own(data: Path, model: Path, *options: object) -> Ended:
    return bim_train("own", "--data", data, "-o", model, *options)


def refused(ended: Ended, *words: str) -> None:
    assert (ended.code, ended.out) == (2, ""), ended.err
    for word in words:
        assert word in ended.err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    path = tmp_path_factory.mktemp("model") / "own.pt"
    assert own(data, path, *SMALL, "--rule", "rtrl", "--epochs", 2).code == 0
    return path


def copy_of(model: Path, folder: Path) -> Path:
    copy = folder / model.name
    copy.write_bytes(model.read_bytes())
    return copy


def test_more_epochs_keep_shape_and_rule_and_say_their_schedule(data: Path, model: Path, tmp_path: Path) -> None:
    longer, log = copy_of(model, tmp_path), tmp_path / "log.csv"
    ended = own(data, longer, "--more-epochs", 3, "--set", f"train.csv={log}")
    assert ended.code == 0, ended.err
    assert "3 more epochs after 2: the optimiser starts anew, one cycle up to learning rate 0.008" in ended.err
    before, after = load_checkpoint(model), load_checkpoint(longer)
    assert after.config == before.config
    assert (after.training["rule"], after.training["epochs"]) == ("rtrl", 5)
    assert after.training["log"][:2] == before.training["log"]
    with log.open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["3", "4", "5"]


@pytest.mark.parametrize("number", ["-3", "0", "1.5", "+-2", "many"])
def test_a_number_of_epochs_that_is_none_is_refused(data: Path, model: Path, number: str) -> None:
    before = model.read_bytes()
    refused(own(data, model, "--more-epochs", number), "--more-epochs")
    assert model.read_bytes() == before


def test_what_a_model_brings_is_not_asked_for_again(data: Path, model: Path) -> None:
    refused(own(data, model, "--more-epochs", 1, "--channels", 9), "--channels has no effect with --more-epochs")


def test_more_epochs_of_no_model_and_on_other_data_are_refused(data: Path, model: Path, tmp_path: Path) -> None:
    refused(own(data, tmp_path / "none.pt", "--more-epochs", 1), "none.pt")
    arrays = dict(np.load(data))
    np.savez(tmp_path / "wide.npz", x=np.repeat(arrays["x"], 2, axis=2), y=arrays["y"])
    refused(own(tmp_path / "wide.npz", model, "--more-epochs", 1), "reads 3 channels, the data have 6")


def test_seeds_are_a_file_each_and_a_table(data: Path, tmp_path: Path) -> None:
    model, table = tmp_path / "own.pt", tmp_path / "table.json"
    ended = own(data, model, *SMALL, "--epochs", 1, "--seeds", 3, "--seed", 4, "--final", "--json", table, "--set",
                f"train.csv={tmp_path / 'log.csv'}")  # fmt: skip
    assert ended.code == 0, ended.err
    found = json.loads(table.read_text())
    for seed, row in zip((4, 5, 6), found["seeds"], strict=True):
        record = load_checkpoint(tmp_path / f"own.seed{seed}.pt").training
        assert (row["seed"], record["seed"]) == (seed, seed)
        assert row["scores"]["test float accuracy"] == record["test"]["float"]["accuracy"]
        assert (tmp_path / f"log.seed{seed}.csv").exists()
    values = [row["scores"]["test integer accuracy"] for row in found["seeds"]]
    summary = found["summary"]["test integer accuracy"]
    assert summary["mean"] == pytest.approx(np.mean(values))
    assert summary["deviation"] == pytest.approx(np.std(values, ddof=1))
    assert summary["spread"] == pytest.approx(np.ptp(values))
    assert f"mean {summary['mean']:.4f}  spread {summary['spread']:.4f}" in ended.out
    assert not model.exists()
    assert not Path(f"{model}.seeds").exists()


def test_a_command_of_seeds_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    model = tmp_path / "own.pt"
    (tmp_path / "own.pt.seeds").write_text(json.dumps({"command": "another", "rows": []}))
    refused(own(data, model, *SMALL, "--epochs", 1, "--seeds", 1), "belongs to another command", "--restart")
    assert own(data, model, *SMALL, "--epochs", 1, "--seeds", 1, "--restart").code == 0


@pytest.mark.parametrize("shape", [(0, 5, 3), (60, 0, 3)], ids=["no samples", "no steps"])
def test_data_without_samples_or_steps_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "empty.npz", x=np.zeros(shape), y=np.arange(shape[0]) % 3)
    refused(own(tmp_path / "empty.npz", tmp_path / "own.pt", "--epochs", 1), "empty.npz")


def test_a_batch_of_nothing_is_refused(data: Path, tmp_path: Path) -> None:
    refused(own(data, tmp_path / "own.pt", "--batch", 0), "--batch")


def test_more_epochs_stopped_while_tested_are_not_trained_twice(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is written before it is tested: the same command then tests it, and adds no further epochs."""
    longer = copy_of(model, tmp_path)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "evaluate", stopped)
        assert own(data, longer, "--more-epochs", 3, "--final").code != 0
    weights = load_checkpoint(longer).state
    assert own(data, longer, "--more-epochs", 3, "--final").code == 0
    after = load_checkpoint(longer)
    assert after.training["epochs"] == 5
    assert "test" in after.training
    assert all((after.state[name] == value).all() for name, value in weights.items())

"""Habits of a training: callbacks that stop it, logs beside it, and a kill that no weight shows, for every rule."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bim_neuro.errors import BackendMissing, InputError
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training import logs, trainer
from bim_neuro.training.logs import CsvLog, TensorBoardLog, each_of, stop_at
from bim_neuro.training.progress import Epoch, OnEpoch, Progress, Start
from bim_neuro.training.rules import RULES, Learning
from bim_neuro.training.trainer import Recipe, train

RECIPE = Recipe(epochs=4, batch=8, learning_rate=0.03, patience=9)
KINDS = {
    **{rule: Learning(rule) for rule in RULES},
    "local": Learning("rtrl", credit="local"),
    "online": Learning("rtrl", online=2),
    "pruned": Learning(sparsity=0.5),
}


def samples() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Two classes: which of two channels is high on average."""
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    return (rng.normal(0, 0.5, (24, 5, 2)) + np.eye(2)[y][:, None]).astype(np.float32), y


def trained(
    learning: Learning, start: Start | None = None, on_epoch: OnEpoch = lambda epoch: None, **changes: Any
) -> tuple[BIMNetwork, Progress]:
    blocks = 2 if learning.rule == "rtrl" else 1
    config, recipe = NetworkConfig(2, 2, channels=4, states=2, blocks=blocks), replace(RECIPE, **changes)
    return train(config, recipe, samples(), samples(), learning=learning, start=start, on_epoch=on_epoch)


def bytes_of(network: BIMNetwork) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


class Killed(Exception):
    """The process ends here."""


def killed_after(epochs: int) -> OnEpoch:
    def call(epoch: Epoch) -> None:
        if epoch.epoch == epochs:
            raise Killed

    return call


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_and_resume_shows_in_no_bit(kind: str, tmp_path: Path) -> None:
    whole, log = trained(KINDS[kind])
    start = Start(tmp_path / "run.resume")
    with pytest.raises(Killed):
        trained(KINDS[kind], start, killed_after(2))
    torch.rand(7)  # whatever else draws random numbers in between
    resumed, again = trained(KINDS[kind], start)
    assert bytes_of(resumed) == bytes_of(whole)
    assert again.log == log.log


def test_a_callback_that_returns_true_ends_the_training() -> None:
    assert trained(Learning(), on_epoch=lambda epoch: epoch.epoch == 2)[1].epoch == 2


@pytest.mark.parametrize("value", [None, 1, "stop", False])
def test_any_other_value_does_not(value: object) -> None:
    assert trained(Learning(), on_epoch=lambda epoch: value, epochs=2)[1].epoch == 2


def test_a_stopped_training_that_is_run_again_does_not_go_on(tmp_path: Path) -> None:
    start = Start(tmp_path / "run.resume")
    first, _ = trained(Learning(), start, lambda epoch: epoch.epoch == 2)
    again, progress = trained(Learning(), start)
    assert progress.epoch == 2
    assert bytes_of(first) == bytes_of(again)


def test_stop_at_a_score_and_several_callbacks() -> None:
    seen: list[Epoch] = []
    _, progress = trained(Learning(), on_epoch=each_of(seen.append, stop_at(0.0)))
    assert progress.epoch == len(seen) == 1


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_csv_log_is_the_log(tmp_path: Path) -> None:
    _, progress = trained(Learning(), on_epoch=CsvLog(tmp_path / "log.csv"))
    rows = rows_of(tmp_path / "log.csv")
    assert [(int(row["epoch"]), float(row["loss"]), float(row["score"])) for row in rows] == [
        (row["epoch"], row["loss"], row["score"]) for row in progress.log
    ]
    rates = [float(row["learning_rate"]) for row in rows]
    assert max(rates) == rates[0] > rates[1] > rates[2] > rates[3] > 0  # one cycle, at its top in the first epoch


def test_after_a_kill_the_csv_log_goes_on_without_a_row_twice(tmp_path: Path) -> None:
    start, path = Start(tmp_path / "run.resume"), tmp_path / "log.csv"
    with pytest.raises(Killed):
        trained(Learning(), start, each_of(CsvLog(path), killed_after(3)))
    path.write_text(path.read_text() + "4,0.5,0.5,0.5,0.1\n")  # of an epoch that was not kept
    trained(Learning(), start, CsvLog(path))
    assert [row["epoch"] for row in rows_of(path)] == ["1", "2", "3", "4"]
    assert rows_of(path)[-1]["loss"] != "0.5"


def test_without_tensorboard_its_log_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bim_neuro.extras.find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match="tensorboard") as refused:
        TensorBoardLog(tmp_path)
    assert "pip install 'bim-neuro[tensorboard]'" in str(refused.value.hint)


def test_tensorboard_gets_a_point_an_epoch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its writer is replaced by a list, as the extra is not part of the tests' environment."""
    points: list[tuple[str, float, int]] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            points.append((folder, 0.0, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            points.append((name, value, step))

        def flush(self) -> None: ...

    monkeypatch.setattr(logs, "check_extra", lambda *_: None)
    monkeypatch.setitem(
        __import__("sys").modules, "torch.utils.tensorboard", type("Module", (), {"SummaryWriter": Writer})
    )
    log = TensorBoardLog(tmp_path / "runs")
    for number in (3, 4):
        log(Epoch(number, 0.5, 0.75, 0.75, 0.01))
    assert points[0] == (str(tmp_path / "runs"), 0.0, 3)
    assert points[1:5] == [("loss", 0.5, 3), ("score", 0.75, 3), ("best", 0.75, 3), ("learning_rate", 0.01, 3)]
    assert len(points) == 9


def test_a_loss_that_is_not_finite_names_epoch_and_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = iter(range(100))
    gradients: Callable[..., float] = trainer.BatchParts.gradients

    def fifth_fails(self: trainer.BatchParts, *args: Any) -> float:
        loss = gradients(self, *args)
        return math.nan if next(batches) == 4 else loss

    monkeypatch.setattr(trainer.BatchParts, "gradients", fifth_fails)
    with pytest.raises(InputError, match=r"diverged in epoch 2, batch 2: the loss is nan"):
        trained(Learning())


def begun(network: BIMNetwork, progress: Progress, **changes: Any) -> Start:
    start = Start(
        None, dict(network.state_dict()), "first", progress.epoch, progress.best_epoch + 1, tuple(progress.log)
    )
    return replace(start, **changes)


def test_more_epochs_go_on_counting_and_never_end_worse() -> None:
    network, first = trained(Learning(), epochs=2)
    _, more = trained(Learning(), begun(network, first), epochs=3)
    assert [row["epoch"] for row in more.log] == [1, 2, 3, 4, 5]
    assert more.log[:2] == first.log
    assert more.best_score >= first.best_score


def test_more_epochs_that_are_all_worse_leave_the_weights() -> None:
    network, first = trained(Learning(), epochs=4)
    start = begun(network, first)
    again, progress = trained(Learning("no-trace"), start, epochs=1, learning_rate=1e-9)
    assert progress.best_epoch + 1 + progress.before == start.best_epoch
    assert bytes_of(again) == bytes_of(network)


def test_more_epochs_are_resumed_bit_by_bit_and_only_from_their_own_start(tmp_path: Path) -> None:
    network, first = trained(Learning(), epochs=2)
    file = tmp_path / "run.resume"
    whole, _ = trained(Learning(), begun(network, first))
    with pytest.raises(Killed):
        trained(Learning(), begun(network, first, resume_file=file), killed_after(4))
    with pytest.raises(InputError, match="other options or data"):
        trained(Learning(), begun(network, first, resume_file=file, name="another"))
    resumed, _ = trained(Learning(), begun(network, first, resume_file=file))
    assert bytes_of(resumed) == bytes_of(whole)

"""A task of every head from data to model.pt, with padding: it learns, in integers too, and a kill shows nowhere."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from bim_neuro.choices import EVERY_STEP, HEADS
from bim_neuro.errors import InputError
from bim_neuro.jobs.evaluate import encoded, evaluate
from bim_neuro.jobs.train import TrainingPlan, plan_for, train_task
from bim_neuro.model.checkpoint import Checkpoint, load_checkpoint
from bim_neuro.tasks import Dataset, Task
from bim_neuro.tasks.answers import Answers
from bim_neuro.tasks.scores import area, edits, error_rate, figures, score_of
from bim_neuro.training.predict import answers, predict
from bim_neuro.training.progress import Epoch, Start
from bim_neuro.training.rules import Learning

C, STEPS = 3, 12
SMALL: dict[str, Any] = {"channels": 12, "states": 2, "taps": 2, "batch": 16, "learning_rate": 0.03}


def split(head: str, samples: int, seed: int, more: int = 0) -> Dataset:
    """Three channels, one of them high at each step; a head asks for it in its own way. Padding is loud noise.

    ``more``: steps of padding that no sample of the split needs.
    """
    rng = np.random.default_rng(seed)
    high, lengths = rng.integers(0, C, (samples, STEPS)), rng.integers(6, STEPS + 1, samples)
    if head == "ctc":  # a symbol in steps 1 and 2, and another one, or none, in steps 4 and 5
        first = rng.integers(1, C, samples)
        second = np.where(rng.random(samples) < 0.5, C - first, 0)
        high[:] = 0
        high[:, 1:3], high[:, 4:6] = first[:, None], second[:, None]
    x = 2 * np.eye(C)[high] + rng.normal(0, 0.3, (samples, STEPS, C))
    late = np.arange(STEPS) >= lengths[:, None]
    x[late] = rng.normal(0, 1, (late.sum(), C))
    counts = np.stack([np.bincount(row[:n], minlength=C) for row, n in zip(high, lengths, strict=True)])
    y = {
        "class": counts.argmax(1),
        "labels": (counts > lengths[:, None] / 3).astype(np.int64),
        "ctc": np.stack([high[:, 1], np.where(high[:, 4] > 0, high[:, 4], -1)], 1),
    }.get(head, np.where(late, -1, high))
    x = np.pad(x, ((0, 0), (0, more), (0, 0)), constant_values=3)
    y = np.pad(y, ((0, 0), (0, more)), constant_values=-1) if head in EVERY_STEP else y
    return Dataset(x.astype(np.float32), y, lengths=lengths)


def task(head: str) -> Task:
    """Each split is as long as the longest sample of its own, as those of speech are."""
    parts = (split(head, samples, seed, more) for seed, (samples, more) in enumerate(((96, 1), (48, 0), (48, 3))))
    return Task("own", "one of three", ("a", "b", "c"), ("x", "y", "z"), 0.001, *parts, head=head)


def plan(head: str, rule: str = "bptt", **changes: Any) -> TrainingPlan:
    return plan_for(task(head), changes.pop("resume_file", None), Learning(rule), **{**SMALL, **changes})


@cache
def _trained(head: str, folder: Path) -> Checkpoint:
    return train_task(plan(head, epochs=25), folder / f"{head}.pt", final=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heads")


REACHED = {"class": ("accuracy", 0.65), "step": ("accuracy", 0.8), "next": ("bits", 0.9), "labels": ("auc", 0.8),
           "ctc": ("error_rate", 0.3)}  # fmt: skip
TRIVIAL = {"class": 0.55, "step": 0.4, "next": np.log2(3), "labels": 0.5, "ctc": 1.0}


@pytest.mark.parametrize("head", HEADS)
def test_a_task_of_every_head_becomes_a_model(head: str, folder: Path) -> None:
    made = _trained(head, folder)
    stored = load_checkpoint(folder / f"{head}.pt")
    assert (stored.head, stored.training.get("head", "class")) == (head, head)
    name, least = REACHED[head]
    better = (lambda a, b: a < b) if score_of(head, name).lower else (lambda a, b: a > b)
    assert better(least, TRIVIAL[head])  # a bound that a constant answer misses
    for law in ("float", "integer"):
        assert better(made.training["test"][law][name], least), law
    best = [row["score"] for row in made.training["log"]]
    assert made.training["validation"][name] == (min if score_of(head, name).lower else max)(best)


@pytest.mark.parametrize("head", HEADS)
def test_padding_changes_no_answer(head: str, folder: Path) -> None:
    made, data = _trained(head, folder), task(head).test
    network, (x, _, lengths) = made.network(), encoded(made.encoder, data)
    assert lengths is not None
    whole = predict(network, x, head=head, lengths=lengths)
    for sample, steps in itertools.islice(enumerate(lengths), 12):
        alone = predict(network, x[sample : sample + 1, :steps], head=head)[0]
        if alone.ndim:
            assert (whole[sample, len(alone) :] == -1).all()
        np.testing.assert_allclose(whole[sample][: len(alone)] if alone.ndim else whole[sample], alone, rtol=1e-5)
    one = data.take(slice(0, 1))
    n = int(one.valid[0])
    cut = Dataset(one.x[:, :n], one.y[:, :n] if head in ("step", "next") and one.y is not None else one.y)
    if head not in ("labels",):  # whose area needs several samples
        assert evaluate(made, network, one)["integer"] == evaluate(made, network, cut)["integer"]


class Killed(Exception):
    """The process ends here."""


def killed_after(updates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise within the epoch after so many updates."""
    from bim_neuro.training import trainer

    step, done = trainer.Run._step, itertools.count(1)

    def some(self: trainer.Run) -> None:
        if next(done) > updates:
            raise Killed
        step(self)

    monkeypatch.setattr(trainer.Run, "_step", some)


CASES = [("ctc", "bptt"), ("step", "rtrl"), ("labels", "tbptt")]
MORE = [*((head, "bptt") for head in HEADS if head != "ctc"), ("class", "rtrl")]


@pytest.mark.parametrize(("head", "rule"), [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)])
def test_a_kill_within_an_epoch_shows_in_no_bit(
    head: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six batches an epoch; the kill is in the midst of the second."""
    whole = train_task(plan(head, rule, epochs=2), tmp_path / "whole.pt")
    resume = tmp_path / "parts.resume"
    parts = plan(head, rule, epochs=2, resume_file=resume)
    parts = TrainingPlan(parts.task, parts.default, resume, parts.learning, start=Start(minutes=0))
    with monkeypatch.context() as patched:
        killed_after(8, patched)
        with pytest.raises(Killed):
            train_task(parts, tmp_path / "parts.pt")
    assert len(torch.load(resume, weights_only=True)["progress"]["log"]) == 1
    got = train_task(parts, tmp_path / "parts.pt")
    assert got.training["log"] == whole.training["log"]
    for name, weight in whole.state.items():
        assert torch.equal(got.state[name], weight), name


def test_so_many_updates_and_no_more(tmp_path: Path) -> None:
    """Six batches an epoch; the schedule ends with the updates, as it does with so many epochs."""
    seen: list[Epoch] = []
    made = train_task(plan("step", epochs=50, max_updates=8), tmp_path / "m.pt", on_epoch=seen.append)
    assert (made.training["epochs"], len(seen), made.training["updates"]) == (2, 2, 8)
    most = train_task(plan("step", epochs=50, max_updates=12), tmp_path / "most.pt")
    whole = train_task(plan("step", epochs=2), tmp_path / "whole.pt")
    assert all(torch.equal(most.state[name], weight) for name, weight in whole.state.items())


@pytest.mark.parametrize("at_once", [1, 100])
def test_data_encoded_in_parts_or_when_asked_for_give_the_same_weights(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_task(plan("step", epochs=1), tmp_path / "whole.pt")
    monkeypatch.setattr("bim_neuro.jobs.evaluate.AT_ONCE", at_once if at_once == 1 else 2**28)
    monkeypatch.setattr("bim_neuro.jobs.evaluate.ENCODED_AT_ONCE", at_once)
    again = train_task(plan("step", epochs=1), tmp_path / "again.pt")
    assert again.ranges == whole.ranges
    assert all(torch.equal(again.state[name], weight) for name, weight in whole.state.items())


@pytest.mark.parametrize("head", ["class", "step"])
def test_a_batch_in_parts_gives_the_same_weights(head: str, tmp_path: Path) -> None:
    whole = train_task(plan(head, epochs=1), tmp_path / "whole.pt").state
    parts = train_task(plan(head, epochs=1, accumulate=3), tmp_path / "parts.pt").state
    assert 0 < max(float((parts[name] - weight).abs().max()) for name, weight in whole.items()) < 1e-5


@pytest.mark.parametrize(
    ("head", "rule", "changes", "words"),
    [
        ("ctc", "rtrl", {}, "CTC needs the whole utterance"),
        ("class", "hybrid", {}, "pairs the spikes of padding"),
        ("step", "bptt", {"balance": 0.5}, "balance 0.5 weighs classes"),
    ],
)
def test_what_a_head_cannot_is_refused_before_training(
    head: str, rule: str, changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        train_task(plan(head, rule, **changes), tmp_path / "m.pt", on_epoch=lambda epoch: pytest.fail("it trained"))
    assert list(tmp_path.iterdir()) == []


def test_the_best_path_by_hand() -> None:
    r = np.eye(3)[[[1, 1, 0, 1, 2, 2, 0, 1]]]
    found = Answers("ctc", np.array([7]), (8, 3))
    found.add(0, 0, r[:, :3])
    found.add(0, 3, r[:, 3:])
    assert found.predicted.tolist() == [[1, 1, 2, -1, -1, -1, -1, -1]]
    assert edits([1, 2, 2], [2, 2, 1]) == 2
    assert error_rate(np.array([[1, 2], [1, -1]]), np.array([[1, -1], [1, 2]])) == 2 / 3


def test_bits_are_torchs_cross_entropy_and_areas_those_of_scikit_learn(folder: Path) -> None:
    rng = np.random.default_rng(0)
    r, y = rng.normal(size=(4, 6, 3)), rng.integers(-1, 3, (4, 6))
    found = Answers("next", np.full(4, 6), (6, 3), y, 0.5)
    for first in (0, 2):
        found.add(first, 0, r[first : first + 2])
    wanted = F.cross_entropy(torch.as_tensor(r.reshape(-1, 3) / 2), torch.as_tensor(y.ravel()), ignore_index=-1)
    assert abs(found.bits - float(wanted) / np.log(2)) < 1e-12
    made, data = _trained("labels", folder), task("labels").test
    x, y, lengths = encoded(made.encoder, data)
    said = answers(made.network(), x, y, head="labels", lengths=lengths)
    assert (
        abs(figures("labels", y, said, made.labels)["auc"] - roc_auc_score(y, said.predicted, average="macro")) < 1e-12
    )
    assert area(np.array([0, 1, 1]), np.array([0.2, 0.2, 0.4])) == 0.75

"""Replay: what is kept and learnt again; and the measure of forgetting that it is judged by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plastic_models import plastic_case

from benchmarks.chip_adapt import MODEL
from benchmarks.chip_rivals import ridge_accuracy
from benchmarks.chip_sequence import Setup, backward_transfer, learn_all, learner_of, stream_of
from bim_neuro.errors import InputError
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.plasticity.replay import learn_with_replay, learnt_in_all, with_replay
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.tasks import load_task


def test_without_replay_a_stream_comes_as_it_is() -> None:
    order, fresh = with_replay(np.array([1, 0, 1]), 0, seed=0)
    np.testing.assert_array_equal(order, [0, 1, 2])
    assert fresh.all()


@pytest.mark.parametrize("kept", [1, 3])
def test_each_new_sample_is_followed_by_an_earlier_one_and_few_are_kept(kept: int) -> None:
    y = np.repeat([0, 1, 2], 40)
    order, fresh = with_replay(y, kept, seed=1)
    assert len(order) == learnt_in_all(len(y), kept) == 2 * len(y) - 1
    np.testing.assert_array_equal(order[fresh], np.arange(len(y)))
    replayed = order[2::2]
    assert (replayed < np.arange(1, len(y))).all()
    late = replayed[-20:]  # class 0 went by long ago: what is left of it are at most so many samples
    assert 0 < len(set(late[y[late] == 0].tolist())) <= kept
    assert set(y[late].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("samples", [0, 1, 2, 5])
@pytest.mark.parametrize("kept", [0, 1, 9])
def test_as_many_are_learnt_as_are_said(samples: int, kept: int) -> None:
    order, fresh = with_replay(np.arange(samples), kept, seed=0)
    assert len(order) == len(fresh) == learnt_in_all(samples, kept)
    assert fresh.sum() == samples


def test_a_reservoir_keeps_early_and_late_samples_alike() -> None:
    y = np.zeros(50, np.int64)
    last = [with_replay(y, 1, seed)[0][-1] for seed in range(400)]
    assert np.mean(last) == pytest.approx(24, abs=3)  # uniform over 0 to 48: sd of the mean 0.7


def test_replay_learns_more_and_reports_new_samples_alone() -> None:
    case = plastic_case(samples=8, rate=1.0)
    plasticity = replace(case.block.plasticity, replay=2)
    learners = [TraceLearner(case.block) for _ in range(2)]
    plain = learn_with_replay(learners[0], case.x, case.y, case.block.plasticity)
    record = learn_with_replay(learners[1], case.x, case.y, plasticity)
    assert record.correct.shape == plain.correct.shape == (8,)
    assert record.updates == {group: count // 8 * 15 for group, count in plain.updates.items()}
    assert learners[0].rates == learners[1].rates


@pytest.mark.parametrize("kept", [-1, 0.5, 10_001, True])
def test_a_wrong_number_of_kept_samples_is_refused(kept: object) -> None:
    with pytest.raises(InputError, match="replay is"):
        Plasticity(replay=kept)  # type: ignore[arg-type]


def test_backward_transfer_by_hand() -> None:
    accuracy = np.array([[0.9, 0.1, 0.2], [0.6, 0.8, 0.3], [0.5, 0.7, 0.9]])
    assert backward_transfer(accuracy) == pytest.approx(((0.5 - 0.9) + (0.7 - 0.8)) / 2)


def test_ridge_regression_finds_a_linear_rule() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(300, 4)), np.ones((300, 1))], 1)
    y = (x[:, 0] > x[:, 1]).astype(np.int64)
    part = [(x[each], y[each]) for each in (slice(200), slice(200, 250), slice(250, 300))]
    assert ridge_accuracy(*part) > 0.9


@pytest.mark.parametrize("setup", [Setup("chip", kept=1), Setup("float", sgd=0.01, times=2)])
def test_tasks_are_learnt_one_after_another(setup: Setup) -> None:
    model, task = load_checkpoint(Path(MODEL)), load_task("digits", None)
    stream = stream_of(model, task.train, task.test.take(slice(10)), seed=0, samples=17)
    accuracy = learn_all(learner_of(model, stream.x[0], setup, 0), stream, setup, 0)
    assert accuracy.shape == (4, 4)
    assert ((accuracy >= 0) & (accuracy <= 1)).all()
    assert len(np.unique(accuracy, axis=0)) > 1  # it learns between the rows

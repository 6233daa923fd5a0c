"""What each field reports of a task: the figures of the field's own libraries, on answers made by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bim_neuro.choices import NOT_ASKED
from bim_neuro.tasks.answers import Answers
from bim_neuro.tasks.dataset import Dataset, Task, TextUnits
from bim_neuro.tasks.metrics.field import field_figures
from bim_neuro.tasks.scores import validation_figures

RNG = np.random.default_rng(5)


def task(name: str, head: str, classes: tuple[str, ...], x: Any, y: Any, **more: Any) -> Task:
    """A task whose validation is (x, y)."""
    empty = Dataset(x[:0], y[:0])
    place = {"place": np.arange(len(x))}
    return Task(name, "", classes, ("a",), 1e-3, empty, Dataset(x, y, **place), empty, head=head, **more)


def answered(made: Task, r: Any) -> Answers:
    """Answers from readings (samples, steps, classes)."""
    data = made.validation
    found = Answers(made.head, data.valid, (data.x.shape[1], len(made.class_names)), data.y)
    found.add(0, 0, r)
    return found


def test_a_text_is_told_in_bits_a_character_and_perplexity_a_word() -> None:
    y = RNG.integers(4, size=(3, 5))
    y[0, 0] = NOT_ASKED
    names = ("a", "b", "c", "d")
    made = task("language", "next", names, np.zeros((3, 5, 1), np.int64), y,
                units={"validation": TextUnits(characters=7, words=2)})  # fmt: skip
    found = field_figures(made, "validation", answered(made, np.zeros((3, 5, 4))))  # 14 times 2 bits
    assert found == pytest.approx({"bits_a_character": 4.0, "perplexity": math.exp(14 * math.log(4) / 2)})


def test_strings_are_held_to_jiwer() -> None:
    jiwer = pytest.importorskip("jiwer", reason="of the extra tasks")
    y = np.array([[3, 1, 3, -1, -1, -1], [2, -1, -1, -1, -1, -1]])
    said = np.array([[3, 0, 1, 1, 0, 0], [2, 2, 0, 2, 0, 0]])  # by best path: 3 1; 2 2
    x, r = np.zeros((2, 6, 1), np.float32), np.eye(4)[said]
    letters = task("speech", "ctc", ("blank", " ", "A", "B"), x, y)
    truth, heard = ["B B", "A"], ["B ", "AA"]
    assert field_figures(letters, "validation", answered(letters, r)) == {
        "word_error_rate": jiwer.wer(truth, heard),
        "character_error_rate": jiwer.cer(truth, heard),
    }
    digits = task("connected-digits", "ctc", ("blank", "one", "two", "three"), x, y)
    found = field_figures(digits, "validation", answered(digits, r))
    assert found["word_error_rate"] == jiwer.wer(["three one three", "two"], ["three one", "two two"])


@pytest.mark.parametrize("name", ["bonn", "bonn-bands", "eeg"])
def test_two_classes_have_areas_and_eeg_its_alarms(name: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="of the extra train")
    if name == "eeg":
        pytest.importorskip("timescoring", reason="of the extra tasks")
    y = np.repeat([0, 1, 0], [20, 3, 20])
    r = RNG.normal(size=(len(y), 2, 2)) + np.eye(2)[y][:, None]
    made = task(name, "class", ("rest", "ictal"), np.zeros((len(y), 2, 1), np.float32), y)
    found = field_figures(made, "validation", answered(made, r))
    margin = (r[..., 1] - r[..., 0]).mean(1)
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(y, margin))
    assert found["auprc"] == pytest.approx(metrics.average_precision_score(y, margin))
    assert found["prevalence"] == pytest.approx(3 / 43)
    assert ("false_alarms_a_day" in found) == ("seizures_found" in found) == (name == "eeg")
    one = task(name, "class", ("rest", "ictal"), made.validation.x, np.zeros_like(y))
    assert set(field_figures(one, "validation", answered(one, r))) <= {"false_alarms_a_day"}


def test_labels_have_an_interval_where_there_are_enough_samples() -> None:
    pytest.importorskip("sklearn", reason="of the extra train")
    y = RNG.integers(2, size=(80, 3))
    r = RNG.normal(size=(80, 1, 3)) + y[:, None]
    made = task("ptbxl", "labels", ("a", "b", "c"), np.zeros((80, 1, 1), np.float32), y)
    found = field_figures(made, "validation", answered(made, r))
    assert 0.5 < found["auc_low"] < found["auc_high"] < 1
    few = task("ptbxl", "labels", ("a", "b", "c"), np.zeros((2, 1, 1), np.float32), np.array([[1, 1, 1], [1, 1, 1]]))
    assert field_figures(few, "validation", answered(few, r[:2])) == {}


def test_a_task_without_figures_of_its_own_has_none() -> None:
    made = task("own", "class", ("a", "b"), np.zeros((2, 1, 1), np.float32), np.array([0, 1]))
    assert field_figures(made, "validation", answered(made, np.zeros((2, 1, 2)))) == {}


@pytest.mark.parametrize(
    ("validation", "found"),
    [
        ({"accuracy": 0.5, "samples": 3}, {"validation": 0.5}),
        ({"bits": 2.0, "samples": 3, "bits_a_character": 2.1}, {"validation_error": 2.0}),
        ({"error_rate": 0.5, "samples": 3}, {"validation_error": 0.5}),
        ({}, {}),
    ],
)
def test_less_bits_and_errors_are_better(validation: dict[str, float], found: dict[str, float]) -> None:
    assert validation_figures({"validation": validation}) == found

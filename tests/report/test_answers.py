"""Accuracies of the summary: matrices as scikit-learn's, intervals as scipy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from bim_neuro.record import RunRecord
from bim_neuro.report.answers import CONFUSED, accuracy


def run_of(answers: Any, classes: int) -> RunRecord:
    return RunRecord("engine", len(answers), 1, 1, {}, np.eye(classes)[answers])


@pytest.mark.parametrize("labels", [("rest", "left", "right"), ()])
def test_the_matrices_are_those_of_scikit_learn(labels: tuple[str, ...]) -> None:
    rng = np.random.default_rng(5)
    y, left, right = rng.integers(0, 3, (3, 200))
    found = accuracy(y, run_of(left, 3), run_of(right, 3), labels)
    assert found is not None
    assert found.confusion is not None
    assert found.confusion.classes == (labels or ("0", "1", "2"))
    assert np.array_equal(found.confusion.float, confusion_matrix(y, left, labels=range(3)))
    assert np.array_equal(found.confusion.integer, confusion_matrix(y, right, labels=range(3)))
    wanted = binomtest(int(np.sum(right == y)), 200).proportion_ci(0.95, method="wilson")
    assert found.integer_interval is not None
    assert (found.integer_interval.low, found.integer_interval.high) == pytest.approx((wanted.low, wanted.high))
    assert (found.samples, found.integer) == (200, np.mean(right == y))


def test_a_matrix_of_too_many_classes_is_left_out_and_one_output_has_none() -> None:
    y = np.arange(CONFUSED + 1)
    many = run_of(y, CONFUSED + 1)
    found = accuracy(y, many, many, ())
    assert found is not None
    assert found.confusion is None
    single = run_of(np.zeros(3, int), 1)
    found = accuracy(np.zeros(3, np.int64), single, single, ())
    assert found is not None
    assert found.confusion is None
    assert accuracy(None, single, single, ()) is None

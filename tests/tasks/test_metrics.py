"""Metrics as each field reports them, against cases counted by hand and against the library that others use."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.tasks import load_task
from bim_neuro.tasks.dataset import TextUnits
from bim_neuro.tasks.metrics.events import event_scores, events_of
from bim_neuro.tasks.metrics.scores import binary_scores, macro_auc
from bim_neuro.tasks.metrics.strings import error_rates
from bim_neuro.tasks.metrics.text import text_scores


def test_a_text_told_evenly_costs_its_bits() -> None:
    scores = text_scores(1000 * math.log(256), TextUnits(characters=500, words=125))
    assert scores["bits_a_character"] == pytest.approx(16)  # two bytes a character, 8 bits each
    assert scores["perplexity"] == pytest.approx(256**8)
    assert text_scores(1e9, TextUnits(1, 1))["perplexity"] == math.inf


@pytest.mark.parametrize(("nats", "size"), [(math.nan, (1, 1)), (-1.0, (1, 1)), (1.0, (1, 0)), (1.0, (0, 1))])
def test_a_text_without_a_likelihood_or_words_is_refused(nats: float, size: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        text_scores(nats, TextUnits(*size))


def test_the_unigram_perplexity_of_wikitext_is_what_others_count(recordings: Path) -> None:
    task = load_task("language-words", recordings / "wikitext2")
    counts, classes = Counter(task.train.x.ravel().tolist()), len(task.class_names)
    assert task.test.y is not None
    told = Counter(task.test.y[task.test.y >= 0].tolist())
    total = counts.total() + classes
    nats = -sum(times * math.log((counts[token] + 1) / total) for token, times in told.items())
    assert text_scores(nats, task.units["test"])["perplexity"] == pytest.approx(914.4, abs=0.5)


def test_error_rates_worked_out_by_hand() -> None:
    pytest.importorskip("jiwer")
    rates = error_rates(["ONE TWO THREE", "FOUR"], ["ONE TOO", "FOUR FIVE"])
    assert rates["words"] == pytest.approx(3 / 4)  # a substitution, a deletion and an insertion in four words
    assert rates["characters"] == pytest.approx((1 + 6 + 5) / (13 + 4))
    assert error_rates(["1 2 3 4"], ["1 2 2 3 4"])["words"] == pytest.approx(1 / 4)


@pytest.mark.parametrize(("truth", "said"), [([], []), (["A"], ["A", "B"]), (["A", " "], ["A", "B"])])
def test_strings_without_a_truth_are_refused(truth: list[str], said: list[str]) -> None:
    pytest.importorskip("jiwer")
    with pytest.raises(InputError):
        error_rates(truth, said)


def test_binary_scores_worked_out_by_hand() -> None:
    scores = binary_scores(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))
    assert scores == pytest.approx({"auroc": 3 / 4, "auprc": 0.5 * 1 + 0.5 * 2 / 3, "prevalence": 0.5})


def test_macro_auc_is_that_of_scikit_learn_and_its_interval_holds_it() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    y = (rng.random((200, 3)) < (0.5, 0.2, 0.1)).astype(int)
    score = np.round(y + rng.normal(0, 1.5, y.shape), 1)  # with ties
    found = macro_auc(y, score, ("a", "b", "c"))
    assert found["auc"] == pytest.approx(roc_auc_score(y, score, average="macro"), abs=1e-12)
    assert found["each"]["b"] == pytest.approx(roc_auc_score(y[:, 1], score[:, 1]), abs=1e-12)
    assert found["low"] < found["auc"] < found["high"]
    assert macro_auc(y, score, ("a", "b", "c")) == found
    assert macro_auc(y, score, ("a", "b", "c"), seed=1)["low"] != found["low"]


@pytest.mark.parametrize(
    ("y", "score", "words"),
    [
        ([[1], [1]], [[0.1], [0.2]], "every sample has 1 for 'a'"),
        ([[1], [0]], [[0.1], [np.nan]], "a score is nan"),
        ([[1], [2]], [[0.1], [0.2]], "neither 0 nor 1"),
        ([[1], [0]], [0.1, 0.2], "cannot be compared"),
    ],
)
def test_scores_that_say_nothing_are_refused(y: list[object], score: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        macro_auc(np.array(y), np.array(score), ("a",))


def test_events_worked_out_by_hand() -> None:
    pytest.importorskip("timescoring")
    hour = 3600.0
    truth = [[(100.0, 130.0), (1000.0, 1050.0)], []]
    found = [[(85.0, 90.0), (2000.0, 2010.0)], [(5.0, 15.0)]]  # the first lies within the 30 s before an event
    scores = event_scores(truth, found, [hour, hour])
    assert scores == {"sensitivity": 0.5, "false_alarms_a_day": 2 / (2 / 24), "events": 2}
    assert math.isnan(event_scores([[]], [[]], [hour])["sensitivity"])


def test_windows_next_to_each_other_are_one_event() -> None:
    positive = np.array([False, True, True, False, True])
    assert events_of(positive, np.arange(5) * 10.0, 10.0) == [(10.0, 30.0), (40.0, 50.0)]


@pytest.mark.parametrize("alarms", [[(5.0, 4.0)], [(5.0, 20.0), (10.0, 30.0)], [(0.0, 200.0)]])
def test_alarms_out_of_order_or_outside_the_recording_are_refused(alarms: list[tuple[float, float]]) -> None:
    pytest.importorskip("timescoring")
    with pytest.raises(InputError, match="they come in order"):
        event_scores([[]], [alarms], [100.0])

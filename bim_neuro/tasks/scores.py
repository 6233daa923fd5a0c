r"""The figures of a task by its head, and the one that early stopping watches.

head     watched       figures
class    accuracy      or macro_f1; sensitivity of each class
step     accuracy      the same, over the steps that are asked
next     bits          mean of -log2 p a token asked for; perplexity 2^bits; accuracy
labels   auc           mean area under the ROC of the labels that have both values; area of each
ctc      error_rate    edits between string and truth, over symbols of the truth
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import NOT_ASKED
from ..errors import InputError
from .answers import Answers
from .metrics import metrics

Array = NDArray[Any]
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """One number for what was answered to a head: ``of`` takes (y, answers); larger is better unless ``lower``."""

    name: str
    of: Callable[[Array, Answers], float]
    lower: bool = False
    head: str = "class"

    def merit(self, value: float) -> float:
        """Return a value's merit, the larger the better, or a merit's value."""
        return -value if self.lower else value


def figures(head: str, y: Array, answers: Answers, names: Sequence[str]) -> Figures:
    """Return the head's figures by name; those of classes are `metrics`'."""
    predicted = answers.predicted
    if head == "class":
        return dict(metrics(y, predicted, names))
    if head == "labels":
        areas = {name: area(y[:, c], predicted[:, c]) for c, name in enumerate(names) if 0 < y[:, c].mean() < 1}
        if not areas:
            raise InputError("every label has the same value in all samples: an AUC needs both", "give more samples")
        return {"auc": float(np.mean(list(areas.values()))), "aucs": areas}
    if head == "ctc":
        return {"error_rate": error_rate(y, predicted)}
    asked = y != NOT_ASKED
    if head == "next":
        right = float((predicted[asked] == y[asked]).mean())
        return {"bits": answers.bits, "perplexity": float(np.exp2(answers.bits)), "accuracy": right}
    return dict(metrics(np.asarray(y[asked], np.int64), predicted[asked], names))


def area(y: Array, score: Array) -> float:
    """Return the area under the ROC of ``score`` (samples,) for ``y`` of 0 and 1, both among it (Mann and Whitney).

    >>> area(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    0.75
    """
    from scipy.stats import rankdata  # a second's import, which classes do without

    positive = int(y.sum())
    above = rankdata(score)[y == 1].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(y) - positive)))


def error_rate(truth: Array, said: Array) -> float:
    """Return the edits from rows ``said`` to rows of ``truth``, both padded with -1, over the symbols of the truth."""
    strings = [[row[row != NOT_ASKED].tolist() for row in side] for side in (truth, said)]
    return sum(map(edits, *strings)) / sum(map(len, strings[0]))


def edits(truth: Sequence[int], said: Sequence[int]) -> int:
    """Return how many symbols must be inserted, left out or replaced (Levenshtein).

    >>> edits([1, 2, 3], [1, 3, 3, 3])
    2
    """
    before = list(range(len(said) + 1))
    for wanted in truth:
        row = [before[0] + 1]
        for place, symbol in enumerate(said):
            row.append(min(before[place] + (symbol != wanted), before[place + 1] + 1, row[place] + 1))
        before = row
    return before[-1]


def _of(head: str, name: str) -> Callable[[Array, Answers], float]:
    return lambda y, answers: float(figures(head, y, answers, _numbers(answers, y))[name])


def _numbers(answers: Answers, y: Array) -> tuple[str, ...]:
    """Classes by their numbers, as many as occur."""
    if answers.head == "labels":
        return tuple(map(str, range(y.shape[1])))
    largest = max(int(np.max(y, initial=0)), int(np.max(answers.predicted, initial=0)))
    return tuple(map(str, range(largest + 1)))


SCORES: dict[str, dict[str, Score]] = {
    "class": {name: Score(name, _of("class", name)) for name in ("accuracy", "macro_f1")},
    "step": {name: Score(name, _of("step", name), head="step") for name in ("accuracy", "macro_f1")},
    "next": {"bits": Score("bits", lambda y, answers: answers.bits, lower=True, head="next")},
    "labels": {"auc": Score("auc", _of("labels", "auc"), head="labels")},
    "ctc": {"error_rate": Score("error_rate", _of("ctc", "error_rate"), lower=True, head="ctc")},
}
"""The scores that early stopping may watch, by head; the first is the default."""


def validation_figures(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the score a training watched, from its record: ``validation``, or ``validation_error`` if less is better.

    >>> validation_figures({"validation": {"bits": 2.1, "samples": 8}})
    {'validation_error': 2.1}
    """
    lower = {score.name for scores in SCORES.values() for score in scores.values() if score.lower}
    watched = [name for name in record.get("validation", {}) if name != "samples"][:1]
    return {f"validation{'_error' * (name in lower)}": record["validation"][name] for name in watched}


def score_of(head: str, name: str) -> Score:
    """Return the score called so, or the head's own where it has none of that name."""
    own = SCORES[head]
    return own.get(name) or next(iter(own.values()))

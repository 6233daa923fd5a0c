"""The figures that the field of a task reports, beside those of its head (tasks/scores.py).

language, language-words     perplexity a word, bits a character of the text itself
speech, connected-digits     error rates of words (or digits) and characters
bonn, bonn-bands, eeg        AUROC, AUPRC beside the prevalence; eeg: seizures found, false alarms a day
ptbxl                        the 95 % interval of the macro AUC

Where a split holds one class only, what needs both is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...choices import NOT_ASKED
from ...errors import InputError
from ..answers import Answers
from ..dataset import Task
from ..eeg import seizure_scores
from .scores import binary_scores, macro_auc
from .strings import error_rates
from .text import text_scores

Figures = dict[str, Any]


def field_figures(task: Task, split: str, answers: Answers) -> Figures:
    """Return the figures of the ``answers`` to a split of the task by name; none where its field has no others."""
    own = FIELD.get(task.name)
    return {} if own is None else own(task, split, answers)


def _text(task: Task, split: str, answers: Answers) -> Figures:
    return dict(text_scores(float(answers.nats.sum()), task.units[split]))


def _strings(task: Task, split: str, answers: Answers) -> Figures:
    apart = " " if task.name == "connected-digits" else ""  # letters have the blank among them
    truth, said = (
        [apart.join(task.class_names[symbol] for symbol in row[row != NOT_ASKED]) for row in side]
        for side in (np.asarray(task.split(split).y), answers.predicted)
    )
    rates = error_rates(truth, said)
    return {"word_error_rate": rates["words"], "character_error_rate": rates["characters"]}


def _binary(task: Task, split: str, answers: Answers) -> Figures:
    y = np.asarray(task.split(split).y)
    if y.min() == y.max():
        return {}
    margin = answers.total[:, 1] - answers.total[:, 0]
    return dict(binary_scores(y, margin / answers.lengths))


def _seizures(task: Task, split: str, answers: Answers) -> Figures:
    found = seizure_scores(task.split(split), answers.predicted)
    events = {"seizures_found": found["sensitivity"]} if found["events"] else {}
    return {**_binary(task, split, answers), **events, "false_alarms_a_day": found["false_alarms_a_day"]}


def _labels(task: Task, split: str, answers: Answers) -> Figures:
    y = np.asarray(task.split(split).y)
    both = np.flatnonzero((y.min(0) == 0) & (y.max(0) == 1))
    if not len(both):
        return {}
    try:
        found = macro_auc(y[:, both], answers.predicted[:, both], tuple(task.class_names[label] for label in both))
    except InputError:  # too few samples for an interval
        return {}
    return {"auc_low": found["low"], "auc_high": found["high"]}


FIELD: Mapping[str, Callable[[Task, str, Answers], Figures]] = {
    "language": _text,
    "language-words": _text,
    "speech": _strings,
    "connected-digits": _strings,
    "bonn": _binary,
    "bonn-bands": _binary,
    "eeg": _seizures,
    "ptbxl": _labels,
}

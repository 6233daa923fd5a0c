"""How often both runs answer right, and which class they take for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..nodes.arithmetic import Array
from ..record import RunRecord
from ..tasks import majority, metrics
from ..tasks.metrics import wilson
from . import models

CONFUSED = 64  # classes; a matrix of more is left out


def accuracy(y: Array | None, floats: RunRecord, integers: RunRecord, labels: Sequence[str]) -> models.Accuracy | None:
    """Return accuracies beside that of the most frequent class, and metrics of named ones; None without labels."""
    if y is None:
        return None
    share, name = majority(y, labels)
    sides = models.Sides(*(_metrics(y, run.predicted, labels) for run in (floats, integers))) if labels else None
    left, right = (int(np.sum(run.predicted == y)) for run in (floats, integers))
    return models.Accuracy(
        float=left / len(y),
        integer=right / len(y),
        majority=share,
        majority_class=name,
        metrics=sides,
        samples=len(y),
        float_interval=models.Interval(*wilson(left, len(y))),
        integer_interval=models.Interval(*wilson(right, len(y))),
        confusion=_confusion(y, floats, integers, labels),
    )


def _metrics(y: Array, predicted: Array, labels: Sequence[str]) -> models.Metrics:
    return models.made(models.Metrics, metrics(y, predicted, labels))


def _confusion(y: Array, floats: RunRecord, integers: RunRecord, labels: Sequence[str]) -> models.Confusion | None:
    classes = max(floats.output.shape[1], int(y.max(initial=0)) + 1)
    if not 1 < classes <= CONFUSED:
        return None
    names = tuple(labels) if len(labels) == classes else tuple(map(str, range(classes)))
    matrices = (
        np.bincount(y.astype(np.int64) * classes + run.predicted, minlength=classes**2) for run in (floats, integers)
    )
    sides = (tuple(map(tuple, matrix.reshape(classes, classes).tolist())) for matrix in matrices)
    return models.Confusion(names, *sides)

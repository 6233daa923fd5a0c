"""The linear baseline: logistic regression on the flattened sequence."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..extras import check_extra
from .dataset import Dataset, Float32Array, Int64Array, Task
from .metrics import Metrics, metrics


def logistic_regression_baseline(task: Task, split: str = "test") -> Metrics:
    """Fit on ``task.train`` and measure on the ``split``.

    Every step of every channel is one feature, standardised by the training split's mean and deviation. Classes
    weigh the same however rare they are; L2 penalty C = 1, at most 1000 iterations of L-BFGS. No other split is used.
    """
    check_extra("train", "sklearn", "the logistic regression")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = task.split("train"), task.split(split)
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    model.fit(_flat(train), labels_of(train))
    return metrics(labels_of(test), model.predict(_flat(test)), task.class_names)


def labels_of(data: Dataset) -> Int64Array:
    """``data.y``; InputError where it has none, or not one class a sequence."""
    if data.y is None:
        raise InputError("these sequences have no labels")
    if data.y.ndim != 1 or data.lengths is not None:
        raise InputError("the logistic regression needs one class a sequence, and sequences of one length")
    return data.y


def _flat(data: Dataset) -> Float32Array:
    return np.asarray(data.x).reshape(len(data), -1)

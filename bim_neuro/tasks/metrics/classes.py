r"""Classification metrics, including those sensitive to rare classes.

accuracy        = right / all
sensitivity[c]  = right of class c / all of class c                       (recall)
F1[c]           = 2 right[c] / (all of class c + all predicted as c)
macro_f1        = mean of F1[c] over the classes that occur, as truth or as prediction

These are scikit-learn's numbers (tests/tasks/test_tasks.py), counted here because reports of the light core do without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError


class Metrics(TypedDict):
    """Fractions in [0, 1]; a class without a sample has no sensitivity and is left out of that dict."""

    accuracy: float
    sensitivity: dict[str, float]
    macro_f1: float


def metrics(y: NDArray[Any], predicted: NDArray[Any], class_names: Sequence[str]) -> Metrics:
    """Compare ``predicted`` (samples,) with the truth ``y`` (samples,), both class indices.

    >>> metrics(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]), ("rest", "move"))
    {'accuracy': 0.75, 'sensitivity': {'rest': 1.0, 'move': 0.5}, 'macro_f1': 0.7333333333333334}
    """
    if len(y) == 0 or y.shape != predicted.shape:
        raise InputError(f"{len(predicted)} predictions cannot be compared with {len(y)} labels")
    classes = len(class_names)
    right = np.bincount(y[y == predicted], minlength=classes)
    actual = np.bincount(y, minlength=classes)
    claimed = np.bincount(predicted, minlength=classes)
    occurs = (actual + claimed) > 0
    return {
        "accuracy": float(right.sum() / len(y)),
        "sensitivity": {name: float(right[c] / actual[c]) for c, name in enumerate(class_names) if actual[c]},
        "macro_f1": float(np.mean(2 * right[occurs] / (actual + claimed)[occurs])),
    }


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of ``right`` in ``of`` samples (Wilson 1927, without continuity correction).

        (p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n)         p = right / n, z = 1.96

    >>> tuple(round(end, 3) for end in wilson(7, 8))
    (0.529, 0.978)
    """
    if not 0 <= right <= of or of == 0:
        raise InputError(f"{right} of {of} samples is no share")
    share, z = right / of, 1.959963984540054
    middle = share + z**2 / (2 * of)
    half = z * float(np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2)))
    whole = 1 + z**2 / of
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def majority(y: NDArray[Any], class_names: Sequence[str] = ()) -> tuple[float, str]:
    """Return the accuracy of always answering the most frequent class, and that class.

    >>> majority(np.array([0, 1, 1, 1]), ("rest", "move"))
    (0.75, 'move')
    """
    counts = np.bincount(y)
    often = int(counts.argmax())
    return int(counts[often]) / len(y), class_names[often] if class_names else str(often)

"""How well a score tells one class from the rest, whatever the threshold (scikit-learn).

AUROC      the chance that a sample of the class scores above one of the rest; ties count half
AUPRC      average precision: the sum of (R_k - R_{k-1}) P_k over thresholds; a random score has the prevalence
macro AUC  the mean AUROC of several labels
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ... import arguments
from ...errors import InputError
from ...extras import check_extra

DRAWS = 1000
"""Of the bootstrap."""
INTERVAL = (2.5, 97.5)
"""Percentiles of the draws that the interval is between."""
MOST_FAILURES = 100
"""Draws in a row in which some label has but one value."""


class BinaryScores(TypedDict):
    """Fractions in [0, 1]."""

    auroc: float
    auprc: float
    prevalence: float


class MacroAuc(TypedDict):
    """The mean AUROC, the 95 % interval of the bootstrap, and the AUROC of each label."""

    auc: float
    low: float
    high: float
    each: dict[str, float]


def binary_scores(y: NDArray[Any], score: NDArray[Any]) -> BinaryScores:
    """AUROC and AUPRC of ``score`` (samples,), the higher the likelier, for the truth ``y`` (samples,) of 0 and 1."""
    check_extra("train", "sklearn", "an AUROC")
    from sklearn.metrics import average_precision_score, roc_auc_score

    y, score = _checked(np.asarray(y)[:, None], np.asarray(score)[:, None], ("class 1",))
    return {
        "auroc": float(roc_auc_score(y[:, 0], score[:, 0])),
        "auprc": float(average_precision_score(y[:, 0], score[:, 0])),
        "prevalence": float(y.mean()),
    }


def macro_auc(y: NDArray[Any], score: NDArray[Any], names: tuple[str, ...], seed: int = 0) -> MacroAuc:
    """Macro AUC of scores (samples, labels) for the truth (samples, labels) of 0 and 1, with its bootstrap interval.

    ``seed`` draws the samples, with replacement; a draw in which a label has but one value is drawn again.
    """
    y, score = _checked(np.asarray(y), np.asarray(score), names)
    arguments.whole(seed, "seed", 0, 2**32 - 1)
    rng, failures = np.random.default_rng(seed), 0
    means: list[float] = []
    while len(means) < DRAWS:
        drawn = rng.integers(len(y), size=len(y))
        share = y[drawn].mean(0)
        if ((share == 0) | (share == 1)).any():
            failures += 1
            if failures > MOST_FAILURES and not means:
                raise InputError(f"{len(y)} samples are too few for a bootstrap: a label is nearly always missing")
            continue
        means.append(float(_aurocs(y[drawn], score[drawn]).mean()))
    each = _aurocs(y, score)
    low, high = np.percentile(means, INTERVAL)
    labelled = dict(zip(names, each.tolist(), strict=True))
    return {"auc": float(each.mean()), "low": float(low), "high": float(high), "each": labelled}


def _aurocs(y: NDArray[Any], score: NDArray[Any]) -> NDArray[np.float64]:
    """The AUROC of each column by ranks (Mann and Whitney): a thousand draws take a second."""
    from scipy.stats import rankdata

    ranks = rankdata(score, axis=0)
    positive = y.sum(0)
    won: NDArray[np.float64] = (ranks * y).sum(0) - positive * (positive + 1) / 2
    return np.asarray(won / (positive * (len(y) - positive)), np.float64)


def _checked(y: NDArray[Any], score: NDArray[Any], names: tuple[str, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the truth as 0. and 1.; refuse what cannot be compared, and a label with but one value."""
    if not len(y) or y.shape != score.shape or y.shape[1:] != (len(names),):
        raise InputError(f"scores of shape {score.shape} cannot be compared with labels of shape {y.shape}")
    if not np.isin(y, (0, 1)).all():
        raise InputError("a label is neither 0 nor 1")
    if not np.isfinite(score).all():
        raise InputError(f"a score is {score[~np.isfinite(score)][0]}, finite numbers are needed")
    single = np.flatnonzero(y.min(0) == y.max(0))
    if len(single):
        name, value = names[int(single[0])], y[0, int(single[0])]
        raise InputError(f"every sample has {value} for '{name}': an AUROC needs both", "measure on more samples")
    return y.astype(np.float64), score.astype(np.float64)

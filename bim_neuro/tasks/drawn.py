"""Splits that a seed draws: class by class, or group by group, so that no group lies in two of them."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .dataset import Int64Array

HELD_OUT = 0.15
"""Fraction of the samples, or groups, in the validation split, and again in the test split."""


def split_by_class(y: Int64Array, rng: np.random.Generator) -> list[Int64Array]:
    """Positions of the training, validation and test samples, each class in proportion."""
    parts: list[list[Int64Array]] = [[], [], []]
    for c in np.unique(y):
        for part, members in zip(parts, _deal(np.flatnonzero(y == c), f"class {c}", rng), strict=True):
            part.append(members)
    return [np.sort(np.concatenate(part)) for part in parts]


def split_by_group(group: Int64Array, rng: np.random.Generator) -> list[Int64Array]:
    """Positions of the training, validation and test samples, each group whole."""
    dealt = _deal(np.unique(group), "group", rng)
    return [np.flatnonzero(np.isin(group, members)) for members in dealt]


def _deal(members: Int64Array, who: str, rng: np.random.Generator) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Shuffle and divide into training, validation and test, at least one in each."""
    if len(members) < 3:
        raise InputError(f"{who} has {len(members)} members, 3 are needed: one for each split")
    held = max(1, round(HELD_OUT * len(members)))
    shuffled = rng.permutation(members)
    return shuffled[2 * held :], shuffled[:held], shuffled[held : 2 * held]

"""Handwritten digits that ship with scikit-learn: 1,797 images of 8 x 8 pixels, read row by row.

An image is 8 steps (rows, from the top) x 8 channels (pixels of the row), 0..16 scaled to 0..1. A step has no
duration of its own; one millisecond is a convention. A stratified third is the test split, 15 % of the rest the
validation split.

Source: scikit-learn ``load_digits``, the test set of UCI "Optical Recognition of Handwritten Digits".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..extras import check_extra
from .dataset import Dataset, Int64Array, Task

PIXEL_MAX = 16.0
DT_S = 0.001
TEST_FRACTION = 1 / 3
VALIDATION_FRACTION = 0.15


def load_digits_task(data: Path | None = None, seed: int = 0) -> Task:
    """The digits task; ``seed`` draws the split. It brings its own data: InputError for a ``data`` path."""
    if data is not None:
        raise InputError(
            f"task 'digits' brings its own data, '{data}' was given",
            hint="leave out --data, or choose task 'own'",
        )
    check_extra("train", "sklearn", "task 'digits'")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    y: Int64Array = bunch.target.astype(np.int64)
    every = Dataset((bunch.images / PIXEL_MAX).astype(np.float32), y)
    rest, test = train_test_split(np.arange(len(y)), test_size=TEST_FRACTION, stratify=y, random_state=seed)
    train, validation = train_test_split(rest, test_size=VALIDATION_FRACTION, stratify=y[rest], random_state=seed)
    return Task(
        name="digits",
        title="handwritten digits of 8 x 8 pixels, one row a step",
        class_names=tuple(str(digit) for digit in range(10)),
        channel_names=tuple(f"pixel{column}" for column in range(8)),
        dt=DT_S,
        train=every.take(train),
        validation=every.take(validation),
        test=every.take(test),
    )

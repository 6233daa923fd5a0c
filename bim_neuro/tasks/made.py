"""Tasks whose sequences are made by a random generator: the same for everybody, given the seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .dataset import Dataset, Float32Array, Int64Array

Maker = Callable[[np.random.Generator, int], tuple[Float32Array, Int64Array]]

SIZES = (2000, 500, 1000)
"""Samples of the training, validation and test split."""


def make_splits(make: Maker, seed: int) -> tuple[Dataset, Dataset, Dataset]:
    """Draw the three splits; ``make`` returns x (samples, steps, channels) and y of that many samples."""
    rng = np.random.default_rng(seed)
    train, validation, test = (Dataset(*make(rng, samples)) for samples in SIZES)
    return train, validation, test

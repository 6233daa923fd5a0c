"""Data as a network in training reads them."""

from __future__ import annotations

import math

import numpy as np

from ..nodes import Encoder
from ..nodes.arithmetic import Array
from ..tasks import Dataset

AT_ONCE = 2**20
"""Values of the data, samples times steps times channels, that are encoded at a time."""


def encoded(encoder: Encoder, data: Dataset) -> tuple[Array, Array]:
    """Return x float32 (samples, steps, lines) as the encoder gives it, and y (samples,).

    Some samples at a time, as 64-bit integers and floats lie in between.
    """
    assert data.y is not None  # load_task refuses unlabelled training data
    x = np.empty((*data.x.shape[:2], encoder.source.neurons), np.float32)
    at_once = max(1, AT_ONCE // max(1, math.prod(data.x.shape[1:])))
    for first in range(0, len(x), at_once):
        part = slice(first, first + at_once)
        x[part] = encoder.to_float(encoder.encode(data.x[part]))
    return x, data.y

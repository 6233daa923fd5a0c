"""Calibration: run the float law on training input and note the largest magnitude of every message and register."""

from __future__ import annotations

import numpy as np

from ..engine.reference import simulate_float
from ..graph import FloatGraph
from ..nodes.arithmetic import Array

_BATCH = 256


def calibrate(graph: FloatGraph, x: Array) -> dict[str, float]:
    """Return {'block1.scan.h': 3.2, ...} for x (samples, steps, lines) as the float model reads it."""
    largest: dict[str, float] = {}
    for first in range(0, len(x), _BATCH):
        probes = simulate_float(graph, x[first : first + _BATCH], probe=True).probes
        for key, values in probes.items():
            largest[key] = max(largest.get(key, 0.0), float(np.abs(values).max()))
    return largest

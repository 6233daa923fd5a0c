"""Calibration: run the float law on training input and note the largest magnitude of every message and register."""

from __future__ import annotations

import numpy as np

from ..engine.reference import simulate_float
from ..graph import FloatGraph
from ..nodes.arithmetic import Array


def calibrate(graph: FloatGraph, x: Array) -> dict[str, float]:
    """Return {'block1.scan.h': 3.2, ...} for x (samples, steps, lines) as the float model reads it."""
    record = simulate_float(graph, x, probe=True)
    return {key: float(np.abs(values).max()) for key, values in record.probes.items()}

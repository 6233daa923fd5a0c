"""Power of an EEG in the five bands that clinicians name, as a logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Float32Array

BANDS_HZ = ((0.5, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 40.0))
BAND_NAMES = ("delta", "theta", "alpha", "beta", "gamma")
LEAST_POWER = 1e-3
"""uV^2: keeps the logarithm of a flat line finite."""


def log_band_powers(windows: NDArray[Any], rate: float) -> Float32Array:
    """(..., 5): log10 of the power in each band, in uV^2, from the Hann periodogram of windows (..., samples) in uV."""
    from scipy.signal import periodogram

    frequency, density = periodogram(windows.astype(np.float64), rate, "hann")
    width = frequency[1]
    powers = [density[..., (frequency >= low) & (frequency < high)].sum(-1) * width for low, high in BANDS_HZ]
    return np.log10(np.stack(powers, -1) + LEAST_POWER).astype(np.float32)

r"""Log-mel energies: what most recognisers of speech hear.

    windows of 25 ms every 10 ms, Hann, power spectrum over the next power of two of samples
    mel(f) = 2595 log10(1 + f / 700)                       triangles, equal steps of mel from 20 Hz to half the rate
    feature = log(energy + floor), less the recording's mean of each band

The scale of mel and the triangles are those of HTK (O'Shaughnessy 1987); librosa's with ``htk=True, norm=None``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .dataset import Float32Array

WINDOW_S, HOP_S = 0.025, 0.010
LOWEST_HZ = 20.0
FLOOR = 1e-6
"""Of an energy, at full scale 1: some 60 dB below speech."""


def steps_of(samples: int, rate: int) -> int:
    """How many windows begin in a recording; its end is filled up with silence."""
    return max(1, -(-samples // round(HOP_S * rate)))


def log_mel(samples: NDArray[np.floating], rate: int, bands: int) -> Float32Array:
    """(steps, bands) of a recording (samples,) between -1 and 1."""
    width, hop = round(WINDOW_S * rate), round(HOP_S * rate)
    steps = steps_of(len(samples), rate)
    padded = np.zeros((steps - 1) * hop + width)
    padded[: len(samples)] = samples[: len(padded)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
    size = 1 << (width - 1).bit_length()
    power = np.abs(np.fft.rfft(frames * np.hanning(width + 1)[:-1], size)) ** 2
    energy = np.log(power @ mel_filters(rate, size, bands).T + FLOOR)
    return np.asarray(energy - energy.mean(0), np.float32)


@cache
def mel_filters(rate: int, size: int, bands: int) -> NDArray[np.float64]:
    """(bands, size / 2 + 1): the triangles over the bins of a spectrum of ``size`` samples."""
    edges = _hertz(np.linspace(_mel(LOWEST_HZ), _mel(rate / 2), bands + 2))
    bins = np.arange(size // 2 + 1) * rate / size
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)

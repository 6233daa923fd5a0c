"""Heart beats made up: a WFDB record and a prepared archive that hold the same ones."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

RHYTHM = 300
"""Samples between the beats of the made record: 0.83 s."""


def made_signal(beats: int, height: int = 200) -> np.ndarray:
    """A spike of ``height`` ADC units, one mV at 200, at each beat; the baseline is 0 mV."""
    signal = np.zeros((beats + 1) * RHYTHM, int)
    signal[RHYTHM : (beats + 1) * RHYTHM : RHYTHM] = height
    return signal


def write_record(folder: Path, name: str, symbols: str, *, fs: int = 360) -> None:
    """A WFDB record with one spike, and one annotation, each 300 samples; a '+' before each of them marks no beat."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb

        signal = made_signal(len(symbols)) + 1024
        both = np.stack([np.full_like(signal, 1024), signal], axis=1)
        form = {"fmt": ["212", "212"], "adc_gain": [200.0, 200.0], "baseline": [1024, 1024]}
        wfdb.wrsamp(name, fs, ["mV", "mV"], ["V5", "MLII"], d_signal=both, write_dir=str(folder), **form)
        beats = RHYTHM * np.arange(1, len(symbols) + 1)
        samples = np.stack([beats - 10, beats], axis=1).ravel()
        marks = [mark for symbol in symbols for mark in ("+", symbol)]
        wfdb.wrann(name, "atr", samples, marks, write_dir=str(folder))


def write_archive(path: Path, record: int, symbols: str) -> Path:
    """The same record as a prepared archive."""
    signal, beats = made_signal(len(symbols)), RHYTHM * np.arange(1, len(symbols) + 1)
    window = signal[(beats[:, None] + np.arange(-90, 166)).clip(0, len(signal) - 1)].astype(np.int16)
    rr = np.diff(beats, prepend=beats[0])
    np.savez(path, X=window, rec=np.full(len(beats), record), pos=beats, sym=np.array(list(symbols)), rr_prev=rr)
    return path

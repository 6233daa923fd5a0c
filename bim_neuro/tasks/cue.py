"""Delayed cue recall: one of four lines spikes in the first step, and 29 noisy steps later the answer is asked for.

Four cue lines and one line that marks the cue. In the first step the mark and one cue line spike; in all later steps
each cue line spikes by chance, so without the mark nothing tells the cue from noise. The class is the cue line; the
loss comes at the end only. A rule that forgets its traces at every step sees nothing but the last step's noise and
stays at chance (0.25). What the task does not tell: whether the scan, the membrane or the leaky readout remembers.

The layout follows the cue tasks of e-prop (Bellec et al. 2020) in the smallest form that separates learning rules.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dataset import Float32Array, Int64Array, Task
from .made import make_splits
from .reckon_cue import load_reckon_cue_task

STEPS = 30
CUES = 4
NOISE = 0.15
"""Probability of a spike of each cue line in each step after the first."""
DT_S = 0.001


def load_cue_task(data: Path | None = None, seed: int = 0) -> Task:
    """The cue task; ``seed`` draws the sequences. With ``data`` it is ReckOn's task in that folder, 'cue-reckon'."""
    if data is not None:
        return load_reckon_cue_task(data, seed)
    train, validation, test = make_splits(_make, seed)
    return Task(
        name="cue",
        title=f"recall of one of {CUES} cues after {STEPS} noisy steps",
        class_names=tuple(f"cue{cue}" for cue in range(CUES)),
        channel_names=(*(f"line{cue}" for cue in range(CUES)), "mark"),
        dt=DT_S,
        train=train,
        validation=validation,
        test=test,
    )


def _make(rng: np.random.Generator, samples: int) -> tuple[Float32Array, Int64Array]:
    y = rng.integers(CUES, size=samples)
    x = np.zeros((samples, STEPS, CUES + 1), np.float32)
    x[:, 1:, :CUES] = rng.random((samples, STEPS - 1, CUES)) < NOISE
    x[np.arange(samples), 0, y] = 1
    x[:, 0, CUES] = 1
    return x, y.astype(np.int64)

"""Copy from memory: a symbol is shown, and again another, and the last step asks for the first or for the second.

    copy            asked 10 steps after the second symbol
    copy-60         60 steps after; so copy-120 and copy-250

Two symbols of three lines each appear one after the other, a silent delay follows, and one of two ask lines spikes: the
class is the symbol that was shown first, or the one shown second. A readout that merely adds up cannot answer, as
what counts is known only at the end: the block's own state must hold both symbols, and the question must select.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ..errors import InputError
from .dataset import Float32Array, Int64Array, Task
from .made import make_splits

SYMBOLS = 3
SHOWN = (1, 5)
"""Steps in which the first and the second symbol are shown."""
DELAY = 10
"""Steps from the second symbol to the question."""
AFTER = 2
"""Steps after the question."""
DT_S = 0.001


def load_copy_task(data: Path | None = None, seed: int = 0, delay: int = DELAY) -> Task:
    """The copy task; ``seed`` draws the sequences. InputError for a ``data`` path."""
    name = "copy" if delay == DELAY else f"copy-{delay}"
    if data is not None:
        raise InputError(f"task '{name}' makes its own data, '{data}' was given", hint="leave out --data")
    train, validation, test = make_splits(partial(_make, asked_at=SHOWN[1] + delay), seed)
    return Task(
        name=name,
        title=f"copy of one of two symbols, asked for {delay} steps later",
        class_names=tuple(f"symbol{symbol}" for symbol in range(SYMBOLS)),
        channel_names=(*(f"symbol{symbol}" for symbol in range(SYMBOLS)), "ask first", "ask second"),
        dt=DT_S,
        train=train,
        validation=validation,
        test=test,
    )


def _make(rng: np.random.Generator, samples: int, asked_at: int) -> tuple[Float32Array, Int64Array]:
    shown, asked = rng.integers(SYMBOLS, size=(samples, 2)), rng.integers(2, size=samples)
    x = np.zeros((samples, asked_at + AFTER + 1, SYMBOLS + 2), np.float32)
    every = np.arange(samples)
    for place, step in enumerate(SHOWN):
        x[every, step, shown[:, place]] = 1
    x[every, asked_at, SYMBOLS + asked] = 1
    return x, shown[every, asked].astype(np.int64)

"""The Bonn EEG: 500 segments of 23.6 s from one channel, seizure against all else, or sets A to E.

    bonn        a step is 16 samples (92 ms), 256 steps, in uV        rest, ictal
    bonn-bands  a step is 1 s, log power of five bands, 23 steps      rest, ictal
    bonn-sets   as bonn                                               A, B, C, D, E

Files: set A is Z000..., B O, C N, D F and E S (ictal), a text file of 4,097 whole numbers a segment, in folders or
all in one. The recordings were filtered at .53 to 40 Hz by their authors; nothing is filtered here. There is no
official split: a segment is the unit, and ``seed`` draws 70 / 15 / 15 % of each set.

Andrzejak et al., Phys. Rev. E 64, 061907 (2001).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..intake import opened
from .band_power import BAND_NAMES, log_band_powers
from .dataset import Dataset, Float32Array, Int64Array, Task
from .drawn import split_by_class
from .official import official_folder

FS_HZ = 173.61
SAMPLES = 4097
SETS = "ZONFS"
ICTAL = SETS.index("S")
STEP_SAMPLES = 16
SECOND = 178
"""Samples of a window of band powers: 1.03 s, 23 to a segment, as the cut of the set at UCI has them."""
MOST_BYTES = 256 * 2**10
"""Of a file; a segment takes 18 kB."""


def load_bonn_task(data: Path | None = None, seed: int = 0, variant: str = "") -> Task:
    """The task from a folder of the 500 text files, or of fewer; ``variant`` is '', 'bands' or 'sets'."""
    folder = official_folder("bonn", data)
    segments, sets = _read(folder)
    bands = variant == "bands"
    y = sets if variant == "sets" else (sets == ICTAL).astype(np.int64)
    every = Dataset(band_powers(segments) if bands else in_steps(segments), y, np.arange(len(y)), np.arange(len(y)))
    train, validation, test = (every.take(members) for members in split_by_class(sets, np.random.default_rng(seed)))
    return Task(
        name=f"bonn-{variant}" if variant else "bonn",
        title="Bonn EEG: " + ("sets A to E" if variant == "sets" else "seizure or not"),
        class_names=tuple("ABCDE") if variant == "sets" else ("rest", "ictal"),
        channel_names=BAND_NAMES if bands else tuple(f"sample{sample}" for sample in range(STEP_SAMPLES)),
        dt=(SECOND if bands else STEP_SAMPLES) / FS_HZ,
        train=train,
        validation=validation,
        test=test,
        notes=(f"{len(y)} segments, split by segment, each set in proportion",),
    )


def in_steps(segments: NDArray[np.int64]) -> Float32Array:
    """(samples, 256, 16): whole steps of the segment, in uV."""
    steps = SAMPLES // STEP_SAMPLES
    return segments[:, : steps * STEP_SAMPLES].reshape(len(segments), steps, STEP_SAMPLES).astype(np.float32)


def band_powers(segments: NDArray[np.int64]) -> Float32Array:
    """(samples, 23, 5): log10 of the power in each band, in uV^2, from the Hann periodogram of each window."""
    steps = SAMPLES // SECOND
    return log_band_powers(segments[:, : steps * SECOND].reshape(len(segments), steps, SECOND), FS_HZ)


def _read(folder: Path) -> tuple[NDArray[np.int64], Int64Array]:
    """The segments (samples, 4097) and the position of each in SETS; every set must be there."""
    found: dict[tuple[int, int], Path] = {}
    for path in sorted([*folder.glob("*.[Tt][Xx][Tt]"), *folder.glob("*/*.[Tt][Xx][Tt]")]):
        if named := re.fullmatch(r"([ZONFS])(\d{3})", path.stem.upper()):
            key = (SETS.index(named[1]), int(named[2]))
            if key in found:
                raise InputError(f"segment {named[0]} is there twice: '{found[key]}' and '{path}'", "remove one")
            found[key] = path
    sets = np.array([place for place, _ in sorted(found)], np.int64)
    for place, letter in enumerate(SETS):
        if not (sets == place).any():
            raise InputError(f"'{folder}' has no segment of set {'ABCDE'[place]}: {letter}001.txt and those after it")
    return np.array([_segment(found[key]) for key in sorted(found)]), sets


def _segment(path: Path) -> NDArray[np.int64]:
    with opened(path) as file:
        content = os.read(file.descriptor, MOST_BYTES + 1)
    words = content.decode("ascii", "replace").split()
    if len(content) > MOST_BYTES or len(words) != SAMPLES:
        held = f"more than {MOST_BYTES:,} bytes" if len(content) > MOST_BYTES else f"{len(words):,} values"
        raise InputError(f"'{path}' holds {held}, a segment has {SAMPLES:,} values", "download the set again")
    for line, word in enumerate(words, 1):
        if not re.fullmatch(r"-?[0-9]{1,5}", word):
            raise InputError(f"'{path}' holds '{word:.20}' as value {line}, whole numbers are needed")
    return np.array(words, np.int64)

"""Cue accumulation as the chip ReckOn was tested on it: seven cues on two sides, and, two seconds on, which had more.

A step is 1 ms, some 2,250 of them; 40 lines: ten a side for cues, ten that ask, ten of noise; 0.6 % of all spike. Fifty
samples are for training, of which the last ten are held out for validation, and fifty for the test. The readout is read
over the whole sample here; ReckOn's is supervised from the question on.

Files: dataset_cueAcc_train.dat and dataset_cueAcc_test.dat of github.com/ChFrenkel/ReckOn (src/data): how many samples,
then a line, step pair a spike; -2 and the label; -1 at the end of a sample. Frenkel and Indiveri, ISSCC 2022.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..intake import opened
from .dataset import Dataset, Float32Array, Int64Array, Task
from .official import official_file, official_folder

LINES = 40
DT_S = 0.001
HELD = 10
LABEL, END = -2, -1
"""Instead of a line's number."""
MOST_BYTES, MOST_STEPS = 8 * 2**20, 10_000


def load_reckon_cue_task(data: Path | None = None, seed: int = 0) -> Task:
    """The task from ReckOn's two files; ``seed`` changes nothing."""
    folder = official_folder("cue-reckon", data)
    train, test = (
        read_spikes(official_file("cue-reckon", folder, f"dataset_cueAcc_{part}.dat")) for part in ("train", "test")
    )
    if len(train[1]) <= HELD:
        raise InputError(f"'{folder}' has {len(train[1])} training samples, {HELD} are held out for validation")
    steps = max(train[0].shape[1], test[0].shape[1])
    every, tested = (Dataset(_padded(x, steps), y, place=np.arange(len(y))) for x, y in (train, test))
    return Task(
        name="cue-reckon",
        title="which side had more of seven cues (ReckOn's files)",
        class_names=("left", "right"),
        channel_names=tuple(f"line{line}" for line in range(LINES)),
        dt=DT_S,
        train=every.take(slice(-HELD)),
        validation=every.take(slice(-HELD, None)),
        test=tested,
        notes=(f"the last {HELD} training samples are for validation",),
    )


def read_spikes(path: Path) -> tuple[Float32Array, Int64Array]:
    """The spikes (samples, steps, 40) of 0 and 1 and the labels (samples,) of a file."""
    with opened(path) as file:
        content = os.read(file.descriptor, MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"'{path}' has more than {MOST_BYTES:,} bytes")
    head, *lines = content.decode("ascii", "replace").split("\n")
    pairs = [_pair(path, number, line) for number, line in enumerate(lines, 2) if line.strip()]
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    ends, labels = rows[:, 0] == END, rows[rows[:, 0] == LABEL, 1]
    if head.strip() != str(int(ends.sum())) or len(labels) != ends.sum() or not len(labels) or not ends[-1]:
        found = f"{ends.sum()} samples with {len(labels)} labels"
        raise InputError(f"'{path}' declares '{head:.10}' samples, it holds {found}", "download the file again")
    sample = np.cumsum(ends) - ends
    if not (sample[rows[:, 0] == LABEL] == np.arange(len(labels))).all() or not ((labels == 0) | (labels == 1)).all():
        raise InputError(f"'{path}': each sample needs one label, 0 or 1", "download the file again")
    spikes = rows[:, 0] >= 0
    x = np.zeros((len(labels), int(rows[spikes, 1].max(initial=0)) + 1, LINES), np.float32)
    x[sample[spikes], rows[spikes, 1], rows[spikes, 0]] = 1
    return x, labels


def _pair(path: Path, number: int, line: str) -> tuple[int, int]:
    """A line of the file: two whole numbers."""
    found = re.fullmatch(r"\s*(-?[0-9]{1,6})\s*,\s*(-?[0-9]{1,6})\s*", line)
    first, second = (int(found[1]), int(found[2])) if found else (LINES, 0)
    if not LABEL <= first < LINES or (first >= 0 and not 0 <= second < MOST_STEPS):
        raise InputError(f"'{path}', line {number} is '{line:.30}', a line from 0 to 39 and a step are needed")
    return first, second


def _padded(x: Float32Array, steps: int) -> Float32Array:
    return np.pad(x, ((0, 0), (0, steps - x.shape[1]), (0, 0)))

"""Heartbeats of the MIT-BIH Arrhythmia Database, sorted into N, S, V and F on patients unseen in training.

A beat (``mitbih``) is cut into 16 steps x 16 samples in time order, so a step lasts 16/360 s. Channels that compare the
beat with the record's earlier beats follow, the same on every step (``features``). Nothing looks past the end of the
beat's window.

Classes (AAMI EC57): N normal and bundle branch block, S supraventricular ectopic, V ventricular ectopic, F fusion of
N and V. Q (paced, unclassifiable) is dropped, and so is a beat whose window leaves the record; both still count as
the past of the beats after them.

The split is the inter-patient one of de Chazal, O'Dwyer and Reilly, "Automatic classification of heartbeats using ECG
morphology and heartbeat interval features", IEEE Trans. Biomed. Eng. 51(7), 2004: 22 records (DS1) for development,
22 (DS2) for the test, the four paced records left out. Whole records of DS1 are held out for validation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, Float32Array, Int64Array, Task
from .mitbih import BEFORE, DS1, DS2, FS_HZ, HINT, Beats, read_beats
from .official import refuse_other

STEPS, SAMPLES_A_STEP = 16, 16
CLASS_NAMES = ("N", "S", "V", "F")
VALIDATION = (116, 118, 119, 205, 220)
"""Records of DS1 held out for validation: 194 of its 944 S beats, 640 of 3,788 V, 11 of 415 F.

Record 208 has 373 of the F beats and 209 has 383 of the S beats: without them training has few of the class. Records
201 and 223 are the hardest of DS1 (docs/decisions/0007-ecg-model.md) and are there to learn from."""


def load_ecg_task(data: Path | None = None, seed: int = 0) -> Task:
    """The heartbeat task from ``data``: a prepared npz, a folder that has one, or a folder of WFDB records.

    Any of the 44 records will do. Test records are those of DS2 and nothing else: a folder without any gives an empty
    test split, one without DS1 an empty training split. Where training or validation would stay empty, the last third
    of the DS1 records at hand is held out for validation; of a single DS1 record the last fifth of its beats (then
    validation is not on unseen patients). Paced records and those of other databases are passed over. ``seed``
    changes nothing: the split is fixed.
    """
    if data is None:
        raise InputError("task 'ecg' needs the MIT-BIH recordings", hint=HINT)
    datasets = {beats.record: _dataset(beats) for beats in read_beats(data)}
    datasets = {record: dataset for record, dataset in datasets.items() if len(dataset)}
    if not datasets:
        refuse_other("ecg", data)
        raise InputError(f"'{data}' has no beat of the 44 records of DS1 and DS2", hint=HINT)
    train, validation = _split_ds1({record: datasets[record] for record in DS1 if record in datasets})
    return Task(
        name="ecg",
        title="MIT-BIH heartbeats: normal, supraventricular, ventricular, fusion",
        class_names=CLASS_NAMES,
        channel_names=CHANNEL_NAMES,
        dt=SAMPLES_A_STEP / FS_HZ,
        train=_join(train),
        validation=_join(validation),
        test=_join([datasets[record] for record in DS2 if record in datasets]),
    )


def _split_ds1(datasets: dict[int, Dataset]) -> tuple[list[Dataset], list[Dataset]]:
    """Training and validation records."""
    kept = [dataset for record, dataset in datasets.items() if record not in VALIDATION]
    held = [dataset for record, dataset in datasets.items() if record in VALIDATION]
    if not datasets or (kept and held):
        return kept, held
    if len(datasets) == 1:
        (only,) = datasets.values()
        cut = len(only) - len(only) // 5
        return [only.take(slice(cut))], [only.take(slice(cut, None))]
    third = max(1, len(datasets) // 3)
    return (kept or held)[:-third], (kept or held)[-third:]


def _dataset(beats: Beats) -> Dataset:
    keep = beats.whole & (beats.label < len(CLASS_NAMES))
    return Dataset(features(beats)[keep], beats.label[keep], np.full(int(keep.sum()), beats.record, np.int64))


def _join(parts: list[Dataset]) -> Dataset:
    x = [np.empty((0, STEPS, len(CHANNEL_NAMES)), np.float32)] + [part.x for part in parts]
    y = [np.empty(0, np.int64)] + [part.y for part in parts if part.y is not None]
    group = [np.empty(0, np.int64)] + [part.group for part in parts if part.group is not None]
    return Dataset(np.concatenate(x), np.concatenate(y), np.concatenate(group))


CHANNEL_NAMES = (
    *(f"mlii{sample}" for sample in range(SAMPLES_A_STEP)),
    "rr",
    "rr_to_mean",
    "previous_rr_to_mean",
    "qrs_change",
    "p_change",
    "t_change",
    "qrs_match",
)
QRS = slice(BEFORE - 20, BEFORE + 30)
P_WAVE = slice(BEFORE - 70, BEFORE - 20)
T_WAVE = slice(BEFORE + 30, BEFORE + 150)
AMPLITUDE = slice(BEFORE - 30, BEFORE + 30)
MATCH = slice(BEFORE - 30, BEFORE + 50)
"""Parts of the window, in samples: where the waves of a normal beat lie."""
RR_MEMORY, BEAT_MEMORY = 100, 16
"""Beats over which the running mean interval and the running mean beat forget."""
RR_RANGE_S = (0.2, 2.0)
DEFAULT_RR_S = 0.8
"""Interval assumed before the first beat of a record: 75 beats a minute."""
MIN_QRS_MV = 0.2
MAX_WINDOW = 4.0
"""Limit of the scaled window, in running QRS amplitudes: 99.98 % of the samples of DS1 are within."""
MAX_CHANGE = 4.0


def features(beats: Beats) -> Float32Array:
    r"""The (beats, 16, 23) sequences of one record's beats.

    With m the mean beat and r the mean interval of the beats before (running means, see ``_mean_before``):

        mlii0..7              window / (max m - min m around R), within +-4
        rr                    the interval since the beat before, in s, within 0.2..2
        rr_to_mean            log2(rr / r)
        previous_rr_to_mean   log2(rr of the beat before / r)
        qrs_change            log2(0.05 + rms(window - m in the QRS) / rms(m in the QRS)), at most 4
        p_change, t_change    log2(0.02 + the same difference in the P and T waves / rms(m in the QRS)), at most 4
        qrs_match             correlation of window and m around R

    The choice and what it was compared with: docs/decisions/0001-ecg-features.md.
    """
    if not len(beats.rr):
        return np.empty((0, STEPS, len(CHANNEL_NAMES)), np.float32)
    mean_beat = _mean_before(beats.window.astype(np.float64), BEAT_MEMORY)
    amplitude = np.ptp(mean_beat[:, AMPLITUDE], axis=1).clip(MIN_QRS_MV)
    window = (beats.window / amplitude[:, None]).clip(-MAX_WINDOW, MAX_WINDOW)
    context = np.concatenate([_rhythm(beats.rr), _likeness(beats.window, mean_beat)], axis=1)
    steps = window.reshape(-1, STEPS, SAMPLES_A_STEP)
    return np.concatenate([steps, np.repeat(context[:, None, :], STEPS, axis=1)], axis=2).astype(np.float32)


def _rhythm(rr: Int64Array) -> NDArray[np.float64]:
    """(beats, 3): rr, rr_to_mean, previous_rr_to_mean."""
    seconds = np.where(rr > 0, rr / FS_HZ, DEFAULT_RR_S).clip(*RR_RANGE_S)
    mean = _mean_before(seconds, RR_MEMORY)
    previous = np.concatenate([seconds[:1], seconds[:-1]])
    return np.stack([seconds, np.log2(seconds / mean), np.log2(previous / mean)], axis=1)


def _likeness(window: Float32Array, mean_beat: NDArray[np.float64]) -> NDArray[np.float64]:
    """(beats, 4): qrs_change, p_change, t_change, qrs_match."""
    difference, scale = window - mean_beat, _rms(mean_beat[:, QRS])
    parts = ((QRS, 0.05), (P_WAVE, 0.02), (T_WAVE, 0.02))
    changes = [np.log2(floor + _rms(difference[:, part]) / scale).clip(max=MAX_CHANGE) for part, floor in parts]
    a, b = (beat[:, MATCH] - beat[:, MATCH].mean(axis=1, keepdims=True) for beat in (window, mean_beat))
    return np.stack([*changes, (a * b).mean(axis=1) / (_rms(a) * _rms(b))], axis=1)


def _rms(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean square of each row, in mV; a floor of 1 uV keeps it from 0."""
    return np.asarray(np.sqrt((x.astype(np.float64) ** 2).mean(axis=1) + 1e-6))


def _mean_before(values: NDArray[np.float64], memory: int) -> NDArray[np.float64]:
    """Running mean of the rows before each row; the first row, with none before it, is its own mean.

    m[0] = m[1] = v[0];   m[i+1] = m[i] + (v[i] - m[i]) / min(i + 1, memory)
    """
    mean = np.empty_like(values)
    now = values[0]
    for i, value in enumerate(values):
        mean[i] = now
        now = now + (value - now) / min(i + 1, memory)
    return mean

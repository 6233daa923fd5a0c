"""Heartbeats of the MIT-BIH Arrhythmia Database, sorted into N, S, V and F on patients unseen in training.

A beat is 256 samples of the MLII lead at 360 Hz, 90 before its R annotation and 165 after: 32 steps x 8 samples in
time order, so a step lasts 8/360 s. Channels that compare the beat with the record's earlier beats follow, the
same on every step (``features``). Nothing looks past the end of the window.

Classes (AAMI EC57): N normal and bundle branch block, S supraventricular ectopic, V ventricular ectopic, F fusion of
the two. Q (paced, unclassifiable) is dropped after the features are taken; annotations that mark no beat are skipped
before. A beat whose window leaves the record is dropped, the next beat still counts its interval from it.

The split is the inter-patient one of de Chazal, O'Dwyer and Reilly, "Automatic classification of heartbeats using ECG
morphology and heartbeat interval features", IEEE Trans. Biomed. Eng. 51(7), 2004: 22 records (DS1) for development,
22 (DS2) for the test, the four paced records left out. Whole records of DS1 are held out for validation.

Data: PhysioNet ``mitdb`` 1.0.0 (Moody and Mark), doi:10.13026/C2F305, Open Data Commons Attribution 1.0.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, Float32Array, Int64Array, Task, first_line, read_arrays

# fmt: off
DS1 = (101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122,
       124, 201, 203, 205, 207, 208, 209, 215, 220, 223, 230)
DS2 = (100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210,
       212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234)
# fmt: on
"""Records for development and for the test: de Chazal et al. 2004."""

VALIDATION = (118, 124, 201, 205, 223)
"""Records of DS1 held out for validation: 331 of its 944 S beats, 805 of 3,788 V, 33 of 415 F.

Record 208 has 373 of the F beats and 209 has 383 of the S beats: without them training has few of the class."""

FS_HZ = 360
BEFORE, AFTER = 90, 166
"""Samples of a beat: from R - 90 up to, but without, R + 166."""
STEPS, SAMPLES_A_STEP = 32, 8
RECORD_SAMPLES = 650_000
"""Length of every MIT-BIH record; the prepared archive does not carry it."""
NPZ_NAME = "mitbih_beats.npz"
ADU_PER_MV = 200.0

CLASS_NAMES = ("N", "S", "V", "F")
AAMI = {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}
"""Annotation symbols of each AAMI class; every other symbol marks no beat."""
CLASS_OF = {symbol: c for c, symbols in enumerate(AAMI.values()) for symbol in symbols}

HINT = (
    "download MIT-BIH (PhysioNet mitdb 1.0.0) and give its folder of .hea, .dat and .atr files as --data DIR; "
    f"a prepared {NPZ_NAME} works too"
)


@dataclass(frozen=True, eq=False)
class Beats:
    """Every annotated beat of one record, Q included, in time order.

    ``window``  (beats, 256) float32, mV; samples outside the record repeat its first or last one
    ``rr``      (beats,) int64, samples since the beat before, 0 for the first
    ``label``   (beats,) int64, position in AAMI
    ``whole``   (beats,) bool, the window lies inside the record
    """

    record: int
    window: Float32Array
    rr: Int64Array
    label: Int64Array
    whole: NDArray[np.bool_]


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
    "qrs_match",
)
QRS = slice(BEFORE - 30, BEFORE + 30)
"""Where the R peak stands out: 83 ms on both sides of it, for the amplitude."""
QRS_CHANGE = slice(BEFORE - 20, BEFORE + 30)
QRS_MATCH = slice(BEFORE - 30, BEFORE + 50)
RR_MEMORY, BEAT_MEMORY = 100, 16
"""Beats over which the running mean interval and the running mean beat forget."""
RR_RANGE_S = (0.2, 2.0)
DEFAULT_RR_S = 0.8
"""Interval assumed before the first beat of a record: 75 beats a minute."""
MIN_QRS_MV = 0.2
MAX_WINDOW = 4.0
"""Limit of the scaled window, in running QRS amplitudes: 99.98 % of DS1's samples are below it."""


def features(beats: Beats) -> Float32Array:
    r"""The (beats, 32, 13) sequences of one record's beats.

    With m the mean beat and r the mean interval of the beats before (running means, see ``_mean_before``):

        mlii0..7              window / (max m - min m around R), within +-4
        rr                    the interval since the beat before, in s, within 0.2..2
        rr_to_mean            log2(rr / r)
        previous_rr_to_mean   log2(rr of the beat before / r)
        qrs_change            log2(rms(window - m) / rms(m) + 0.05)   around R
        qrs_match             correlation of window and m             around R

    The choice and what it was compared with: docs/decisions/0001-ecg-features.md.
    """
    if not len(beats.rr):
        return np.empty((0, STEPS, len(CHANNEL_NAMES)), np.float32)
    mean_beat = _mean_before(beats.window.astype(np.float64), BEAT_MEMORY)
    amplitude = np.ptp(mean_beat[:, QRS], axis=1).clip(MIN_QRS_MV)
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
    """(beats, 2): qrs_change, qrs_match."""
    difference = _rms((window - mean_beat)[:, QRS_CHANGE]) / _rms(mean_beat[:, QRS_CHANGE])
    a, b = (beat[:, QRS_MATCH] - beat[:, QRS_MATCH].mean(axis=1, keepdims=True) for beat in (window, mean_beat))
    match = (a * b).mean(axis=1) / (_rms(a) * _rms(b))
    return np.stack([np.log2(difference + 0.05), match], axis=1)


def _rms(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean square of each row, never 0."""
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


def read_beats(data: Path) -> Iterator[Beats]:
    """The beats of each DS1 and DS2 record in ``data``, record by record; InputError where it cannot be read."""
    if not data.exists():
        raise InputError(f"there is no '{data}'", hint=HINT)
    if data.is_file() or (data / NPZ_NAME).exists():
        return _read_npz(data if data.is_file() else data / NPZ_NAME)
    known = {str(record) for record in DS1 + DS2}
    return (_read_wfdb(header) for header in sorted(data.glob("*.hea")) if header.stem in known)


def _read_npz(path: Path) -> Iterator[Beats]:
    """From the arrays X (beats, 256) in ADC units, rec, pos, sym and rr_prev (beats,), each record in time order."""
    arrays = read_arrays(path)
    names = ("X", "rec", "pos", "sym", "rr_prev")
    missing = [name for name in names if name not in arrays]
    if missing:
        raise InputError(f"'{path}' lacks the arrays {', '.join(missing)}", hint=HINT)
    x, record, position, symbol, rr = (arrays[name] for name in names)
    if x.ndim != 2 or x.shape[1] != BEFORE + AFTER:
        raise InputError(f"X of '{path}' has shape {x.shape}, (beats, {BEFORE + AFTER}) is needed")
    for name, column in zip(names[1:], (record, position, symbol, rr), strict=True):
        if column.shape != (len(x),):
            raise InputError(f"{name} of '{path}' has shape {column.shape}, X has {len(x)} beats")
    label = _labels(symbol)
    for number in np.intersect1d(record, DS1 + DS2):
        rows = np.flatnonzero((record == number) & (label >= 0))
        whole = (position[rows] >= BEFORE) & (position[rows] + AFTER <= RECORD_SAMPLES)
        window = (x[rows] / ADU_PER_MV).astype(np.float32)
        yield Beats(int(number), window, rr[rows].astype(np.int64), label[rows], whole)


def _read_wfdb(header: Path) -> Beats:
    signal, symbol, position = _read_record(header)
    label = _labels(symbol)
    position, label = position[label >= 0], label[label >= 0]
    whole = (position >= BEFORE) & (position + AFTER <= len(signal))
    window = signal[(position[:, None] + np.arange(-BEFORE, AFTER)).clip(0, len(signal) - 1)]
    rr = np.diff(position, prepend=position[:1])
    return Beats(int(header.stem), window.astype(np.float32), rr, label, whole)


def _read_record(header: Path) -> tuple[NDArray[np.float64], NDArray[np.str_], Int64Array]:
    """Lead MLII, or the first, in mV (samples,); symbol and sample of each annotation."""
    name = str(header.with_suffix(""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3.1 calls pandas in a deprecated way
        try:
            import wfdb

            head = wfdb.rdheader(name)
            if head.fs != FS_HZ:
                raise InputError(f"'{header}' was sampled at {head.fs} Hz, MIT-BIH records at {FS_HZ} Hz", hint=HINT)
            lead = head.sig_name.index("MLII") if "MLII" in head.sig_name else 0
            signal = wfdb.rdrecord(name, channels=[lead]).p_signal[:, 0]
            annotation = wfdb.rdann(name, "atr")
        except ImportError as error:
            raise InputError("WFDB records need the package wfdb", hint="pip install wfdb") from error
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"cannot read the record '{name}': {first_line(error)}",
                hint="a record is three files: .hea, .dat, .atr",
            ) from error
    if not np.isfinite(signal).all():
        raise InputError(f"record '{name}' has no value at sample {int(np.argmin(np.isfinite(signal)))}")
    return signal, np.array(annotation.symbol, dtype=np.str_), np.asarray(annotation.sample, dtype=np.int64)


def _labels(symbols: NDArray[np.str_]) -> Int64Array:
    """Position of each symbol's class in AAMI, -1 where it marks no beat."""
    return np.array([CLASS_OF.get(symbol, -1) for symbol in symbols.tolist()], dtype=np.int64)

"""Heartbeats of the MIT-BIH Arrhythmia Database, sorted into N, S, V and F by patient-independent training.

A beat is 256 samples of the MLII lead at 360 Hz, 90 before its R annotation and 165 after. As a sequence it is 32 steps x 8
channels, eight samples in time order a step, so a step lasts 8/360 s. Channels with the beat's rhythm follow, the same on every
step. They look only back: the interval to the beat before, and how it compares with the intervals before that.

Classes (AAMI EC57): N normal and bundle branch block, S supraventricular ectopic, V ventricular ectopic, F fusion of the two.
Q (paced, unclassifiable) is dropped after the intervals are taken; annotations that are no beats are skipped before.

The split is the inter-patient one of de Chazal, O'Dwyer and Reilly, "Automatic classification of heartbeats using ECG
morphology and heartbeat interval features", IEEE Trans. Biomed. Eng. 51(7), 2004: 22 records (DS1) for development, 22 others
(DS2) for the test, the four paced records left out. We hold out whole records of DS1 for validation.

Data: PhysioNet ``mitdb`` 1.0.0 (Moody and Mark), doi:10.13026/C2F305, Open Data Commons Attribution 1.0.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bim_neuro.errors import InputError
from bim_neuro.tasks.dataset import Dataset, Float32Array, Int64Array, Task, read_arrays

DS1 = (
    101,
    106,
    108,
    109,
    112,
    114,
    115,
    116,
    118,
    119,
    122,
    124,
    201,
    203,
    205,
    207,
    208,
    209,
    215,
    220,
    223,
    230,
)
DS2 = (
    100,
    103,
    105,
    111,
    113,
    117,
    121,
    123,
    200,
    202,
    210,
    212,
    213,
    214,
    219,
    221,
    222,
    228,
    231,
    232,
    233,
    234,
)
"""Records for development and for the test: de Chazal et al. 2004, table I."""

VALIDATION = (118, 124, 201, 205, 223)
"""Records of DS1 held out for validation: 331 of its 944 S beats, 805 of 3,788 V, 33 of 415 F. Record 208 has 373 of the F
beats and 209 has 383 of the S beats: both stay in the training split, which could not learn the class without them."""

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
_CLASS_OF = {symbol: c for c, symbols in enumerate(AAMI.values()) for symbol in symbols}

TITLE = "MIT-BIH heartbeats: normal, supraventricular, ventricular, fusion"
HINT = (
    "download MIT-BIH (PhysioNet mitdb 1.0.0) and pass its folder of .hea, .dat and .atr files as --data DIR; "
    f"a prepared {NPZ_NAME} works too"
)


@dataclass(frozen=True, eq=False)
class Beats:
    """Every annotated beat of one record, Q included, in time order.

    ``window``  (beats, 256) float32, mV
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
    """The heartbeat task from ``data``: a prepared npz, a folder that has one, or a folder of WFDB records (any of the 44).

    Test records are those of DS2 and nothing else; a folder without any gives an empty test split, one without DS1 an empty
    training split. Where the records at hand leave training or validation empty, the last third of the DS1 records is held
    out for validation; with a single DS1 record the last fifth of its beats (then validation is not patient-independent).
    Paced records and records that are not MIT-BIH's are passed over. ``seed`` changes nothing: the split is fixed.
    """
    if data is None:
        raise InputError("task 'ecg' needs the MIT-BIH recordings", hint=HINT)
    datasets = {beats.record: _dataset(beats) for beats in read_beats(data)}
    if not datasets:
        raise InputError(f"'{data}' has none of the 44 records of DS1 and DS2", hint=HINT)
    train, validation = _split_ds1([datasets[record] for record in DS1 if record in datasets])
    return Task(
        name="ecg",
        title=TITLE,
        class_names=CLASS_NAMES,
        channel_names=CHANNEL_NAMES,
        dt=SAMPLES_A_STEP / FS_HZ,
        train=_join(train),
        validation=_join(validation),
        test=_join([datasets[record] for record in DS2 if record in datasets]),
    )


def _split_ds1(records: list[Dataset]) -> tuple[list[Dataset], list[Dataset]]:
    """Training and validation records."""
    held = [data for data in records if _record(data) in VALIDATION]
    kept = [data for data in records if _record(data) not in VALIDATION]
    if not records or (held and kept):
        return kept, held
    if len(records) > 1:
        cut = len(records) - max(1, len(records) // 3)
        return records[:cut], records[cut:]
    beats = len(records[0])
    cut = beats - beats // 5
    return [records[0].take(slice(cut))], [records[0].take(slice(cut, beats))]


def _record(data: Dataset) -> int:
    return int(data.group[0]) if data.group is not None and len(data) else -1


def _join(parts: list[Dataset]) -> Dataset:
    x = [np.empty((0, STEPS, len(CHANNEL_NAMES)), np.float32)] + [part.x for part in parts]
    y = [np.empty(0, np.int64)] + [part.y for part in parts if part.y is not None]
    group = [np.empty(0, np.int64)] + [part.group for part in parts if part.group is not None]
    return Dataset(np.concatenate(x), np.concatenate(y), np.concatenate(group))


# --- features -----------------------------------------------------------------------------------------------------------------

CHANNEL_NAMES = (*(f"mlii{sample}" for sample in range(SAMPLES_A_STEP)), "rr", "rr_to_mean", "rr_to_previous")
MEAN_OF = 10
"""Intervals before the present one in the running mean."""
RR_RANGE_S = (0.2, 2.0)
DEFAULT_RR_S = 0.8
"""Interval assumed before the first beat of a record: 75 beats a minute."""


def features(beats: Beats) -> Float32Array:
    """The (beats, 32, 11) sequences of one record's beats, from past and present samples only."""
    steps = beats.window.reshape(-1, STEPS, SAMPLES_A_STEP)
    rhythm = np.repeat(_rhythm(beats.rr)[:, None, :], STEPS, axis=1)
    return np.concatenate([steps, rhythm], axis=2).astype(np.float32)


def _rhythm(rr: Int64Array) -> Float32Array:
    """(beats, 3): the interval in s, log2 of it over the mean of the ten before it, log2 of it over the one before it."""
    seconds = np.where(rr > 0, rr / FS_HZ, DEFAULT_RR_S).clip(*RR_RANGE_S)
    total = np.concatenate([[0.0], np.cumsum(seconds)])
    at = np.arange(len(rr))
    start = np.maximum(at - MEAN_OF, 0)
    mean = (total[at] - total[start]) / np.maximum(at - start, 1)
    mean[:1] = seconds[:1]
    previous = np.concatenate([seconds[:1], seconds[:-1]])
    return np.stack([seconds, np.log2(seconds / mean), np.log2(seconds / previous)], axis=1).astype(
        np.float32
    )


def _dataset(beats: Beats) -> Dataset:
    keep = beats.whole & (beats.label < len(CLASS_NAMES))
    return Dataset(features(beats)[keep], beats.label[keep], np.full(int(keep.sum()), beats.record, np.int64))


# --- reading ------------------------------------------------------------------------------------------------------------------


def read_beats(data: Path) -> Iterator[Beats]:
    """The beats of each DS1 and DS2 record in ``data``, one record at a time; InputError where it cannot be read."""
    if data.is_dir() and not (data / NPZ_NAME).exists():
        headers = sorted(data.glob("*.hea"))
        if not headers:
            raise InputError(f"'{data}' has neither {NPZ_NAME} nor a WFDB header (.hea)", hint=HINT)
        return (
            _read_wfdb(header) for header in headers if header.stem in {str(record) for record in DS1 + DS2}
        )
    return _read_npz(data / NPZ_NAME if data.is_dir() else data)


def _read_npz(path: Path) -> Iterator[Beats]:
    arrays = read_arrays(path)
    missing = [name for name in ("X", "rec", "pos", "sym", "rr_prev") if name not in arrays]
    if missing:
        raise InputError(f"'{path}' lacks {', '.join(missing)}", hint=HINT)
    x, record, position, symbol, rr = (arrays[name] for name in ("X", "rec", "pos", "sym", "rr_prev"))
    if (
        x.ndim != 2
        or x.shape[1] != BEFORE + AFTER
        or len({len(x), len(record), len(position), len(symbol), len(rr)}) != 1
    ):
        raise InputError(f"X of '{path}' has shape {x.shape}, ({len(record)}, {BEFORE + AFTER}) is needed")
    label = _labels(symbol)
    for name in np.unique(record):
        rows = np.flatnonzero((record == name) & (label >= 0))
        if name in DS1 + DS2:
            at = position[rows]
            whole = (at >= BEFORE) & (at + AFTER <= RECORD_SAMPLES)
            yield Beats(
                int(name),
                (x[rows] / ADU_PER_MV).astype(np.float32),
                rr[rows].astype(np.int64),
                label[rows],
                whole,
            )


def _read_wfdb(header: Path) -> Beats:
    signal, symbols, position = _read_record(header)
    label = _labels(symbols)
    position = position[label >= 0]
    whole = (position >= BEFORE) & (position + AFTER <= len(signal))
    window = signal[(position[:, None] + np.arange(-BEFORE, AFTER)).clip(0, len(signal) - 1)]
    return Beats(
        int(header.stem),
        window.astype(np.float32),
        np.diff(position, prepend=position[:1]),
        label[label >= 0],
        whole,
    )


def _read_record(header: Path) -> tuple[NDArray[np.float64], NDArray[np.str_], Int64Array]:
    """One lead in mV (samples,), and the symbol and sample of each annotation."""
    name = str(header.with_suffix(""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3.1 speaks to pandas in a deprecated way
        try:
            import wfdb

            head = wfdb.rdheader(name)
            if head.fs != FS_HZ:
                raise InputError(
                    f"'{header}' was sampled at {head.fs} Hz, MIT-BIH records are {FS_HZ} Hz", hint=HINT
                )
            lead = head.sig_name.index("MLII") if "MLII" in head.sig_name else 0
            signal = wfdb.rdrecord(name, channels=[lead]).p_signal[:, 0]
            annotation = wfdb.rdann(name, "atr")
        except ImportError as error:
            raise InputError("WFDB records need the package wfdb", hint="pip install wfdb") from error
        except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"cannot read the record '{name}': {error}",
                hint="a record is three files: .hea, .dat and .atr",
            ) from error
    return signal, np.array(annotation.symbol, dtype=np.str_), np.asarray(annotation.sample, dtype=np.int64)


def _labels(symbols: NDArray[np.str_]) -> Int64Array:
    """Position of each symbol's class in AAMI, -1 where it marks no beat."""
    return np.array([_CLASS_OF.get(symbol, -1) for symbol in symbols.tolist()], dtype=np.int64)

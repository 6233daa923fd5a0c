"""The MIT-BIH Arrhythmia Database, beat by beat: from WFDB records or from a prepared archive, with the same result.

A beat is 256 samples of the MLII lead at 360 Hz, 90 before its R annotation and 165 after. Annotations that mark no
beat are skipped.

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
from ..intake import Answer, Budget, Format, Opened, check_kind, read, read_npz
from .dataset import Float32Array, Int64Array
from .wfdb_files import check_header

# fmt: off
DS1 = (101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122,
       124, 201, 203, 205, 207, 208, 209, 215, 220, 223, 230)
DS2 = (100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210,
       212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234)
# fmt: on
"""Records for development and for the test: de Chazal et al. 2004 (see ``ecg``)."""

FS_HZ = 360
BEFORE, AFTER = 90, 166
"""Samples of a beat: from R - 90 up to, but without, R + 166."""
RECORD_SAMPLES = 650_000
"""Length of every MIT-BIH record; the prepared archive does not carry it."""
NPZ_NAME = "mitbih_beats.npz"
ADU_PER_MV = 200.0

AAMI = {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}
"""Annotation symbols of each AAMI class; every other symbol marks no beat."""
CLASS_OF = {symbol: c for c, symbols in enumerate(AAMI.values()) for symbol in symbols}

HINT = (
    "download MIT-BIH (PhysioNet mitdb 1.0.0) and give its folder of .hea, .dat and .atr files as --data DIR; "
    f"a prepared {NPZ_NAME} works too"
)
WFDB = Format("a WFDB record", "a record is three files: .hea, .dat, .atr")


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


def read_beats(data: Path) -> Iterator[Beats]:
    """The beats of each DS1 and DS2 record in ``data``, record by record; InputError where it cannot be read."""
    if not data.exists() and not data.is_symlink():
        raise InputError(f"there is no '{data}'", hint=HINT)
    if not data.is_dir():
        check_kind(data)
    if data.is_file() or (data / NPZ_NAME).exists():
        return _read_npz(data if data.is_file() else data / NPZ_NAME)
    known = {str(record) for record in DS1 + DS2}
    return (_read_wfdb(header) for header in sorted(data.glob("*.hea")) if header.stem in known)


def _read_npz(path: Path) -> Iterator[Beats]:
    """From the arrays X (beats, 256) in ADC units, rec, pos, sym and rr_prev (beats,), each record in time order."""
    names = ("X", "rec", "pos", "sym", "rr_prev")
    arrays = read_npz(path, names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise InputError(f"'{path}' lacks the arrays {', '.join(missing)}", hint=HINT)
    x, record, position, symbol, rr = (arrays[name] for name in names)
    if x.ndim != 2 or x.shape[1] != BEFORE + AFTER:
        raise InputError(f"X of '{path}' has shape {x.shape}, (beats, {BEFORE + AFTER}) is needed")
    for name, column in zip(names[1:], (record, position, symbol, rr), strict=True):
        if column.shape != (len(x),):
            raise InputError(f"{name} of '{path}' has shape {column.shape}, X has {len(x)} beats")
        if column.dtype.kind not in ("U" if name == "sym" else "iu"):
            raise InputError(f"{name} of '{path}' holds {column.dtype}, {'texts' if name == 'sym' else 'integers'} do")
    if x.dtype.kind not in "iuf" or not np.isfinite(x).all():
        raise InputError(f"X of '{path}' holds {x.dtype}, finite numbers are needed")
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3.1 calls pandas in a deprecated way
        try:
            import wfdb  # noqa: F401  before the child that reads with it starts
        except ImportError as error:
            raise InputError("WFDB records need the package wfdb", hint="pip install wfdb") from error
    try:
        check_header(header, WFDB.hint)
        check_kind(header.with_suffix(".atr"))
        symbols, arrays = read(header, _read_with_wfdb, WFDB, files=True)
    except InputError as error:
        raise InputError(f"cannot read the record '{header.stem}': {error.message}", error.hint or WFDB.hint) from None
    signal, position = arrays["signal"], arrays["position"].astype(np.int64)
    if not np.isfinite(signal).all():
        raise InputError(f"record '{header}' has no value at sample {int(np.argmin(np.isfinite(signal)))}")
    if len(symbols) != len(position) or (len(position) and not 0 <= position.min() <= position.max() < len(signal)):
        raise InputError(f"record '{header}' has annotations outside its {len(signal):,} samples", WFDB.hint)
    return signal, np.array(symbols, dtype=np.str_), position


def _read_with_wfdb(file: Opened, budget: Budget) -> Answer:
    """Read a record in the child; whatever wfdb makes of a header that lies stays there."""
    import wfdb

    name = str(file.path.with_suffix(""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = wfdb.rdheader(name)
        if head.fs != FS_HZ:
            raise InputError(f"{file.path} was sampled at {head.fs} Hz, MIT-BIH records at {FS_HZ} Hz", hint=HINT)
        lead = head.sig_name.index("MLII") if "MLII" in head.sig_name else 0
        signal = wfdb.rdrecord(name, channels=[lead]).p_signal[:, 0]
        annotation = wfdb.rdann(name, "atr")
    position = np.asarray(annotation.sample, dtype=np.int64)
    return [str(symbol) for symbol in annotation.symbol], {"signal": signal.astype(np.float64), "position": position}


def _labels(symbols: NDArray[np.str_]) -> Int64Array:
    """Position of each symbol's class in AAMI, -1 where it marks no beat."""
    return np.array([CLASS_OF.get(symbol, -1) for symbol in symbols.tolist()], dtype=np.int64)

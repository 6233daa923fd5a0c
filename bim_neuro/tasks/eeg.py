"""Seizures in the scalp EEG of CHB-MIT, on patients unseen in training.

A sample is a window of 10 s, windows follow each other. A step is 1 s: the log power of five bands in 16 bipolar
channels, 80 lines. Before, each channel goes through a causal band-pass of 0.5 to 40 Hz (Butterworth, 4th order) and a
notch at 60 Hz. A window is ictal if a seizure overlaps it. Recordings that lack one of the channels are left out.

Patients 22 and 23 are the test and 19 and 20 validation, close to the split of BIOT (Yang et al., arXiv 2305.10351:
subjects 22, 23 and 20, 21). Case chb21 is patient 1 again, years later, and stays in training. Where the test or
validation would be empty, whole patients of those at hand are held out, the last ones; of a single patient of training
the last third of the recordings is for validation.

Shoeb, PhD thesis, MIT 2009; PhysioNet chbmit 1.0.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..extras import check_extra
from ..intake import Answer, Budget, Format, Opened, read
from .band_power import BAND_NAMES, log_band_powers
from .chbmit import HINT, EegRecording, recordings_of
from .dataset import SPLITS, Dataset, Float32Array, Task
from .metrics.events import EventScores, event_scores, events_of
from .official import official_folder
from .prepared import Arrays, prepared

FS_HZ = 256
WINDOW_S = 10
CHANNELS = (
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP2-F8", "F8-T8", "T8-P8", "P8-O2"),
    *("FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
)
SAME_PATIENT = {21: 1}
VALIDATION, TEST = (19, 20), (22, 23)
"""Patients."""
PASS_HZ, ORDER = (0.5, 40.0), 4
MAINS_HZ, MAINS_Q = 60.0, 30.0
EDF = Format("an EDF file", HINT)


def load_eeg_task(data: Path | None = None, seed: int = 0) -> Task:
    """The task from CHB-MIT's folder, or from some of its cases; ``seed`` changes nothing: the split is by patient."""
    recordings, notes = recordings_of(official_folder("eeg", data))
    whole = [recording for recording in recordings if recording.seconds >= WINDOW_S and has_channels(recording.path)]
    if len(whole) < len(recordings):
        notes.append(f"{len(recordings) - len(whole)} recordings lack a channel or last under {WINDOW_S} s: left out")
    if not whole:
        raise InputError(f"'{data}' has no recording with the 16 channels {CHANNELS[0]} to {CHANNELS[-1]}", HINT)
    parts = split(whole)
    for name, some in parts.items():
        patients = ", ".join(str(patient) for patient in sorted({patient_of(recording) for recording in some}))
        ictal = sum(len(recording.seizures) for recording in some)
        notes.append(f"{name}: patients {patients or 'none'}; {len(some)} recordings, {ictal} seizures")
    starts = dict(zip(whole, _starts(whole), strict=True))
    return Task(
        name="eeg",
        title="CHB-MIT: windows of 10 s with a seizure",
        class_names=("rest", "ictal"),
        channel_names=tuple(f"{channel} {band}" for channel in CHANNELS for band in BAND_NAMES),
        dt=1.0,
        train=_dataset(parts["train"], starts, "train"),
        validation=_dataset(parts["validation"], starts, "validation"),
        test=_dataset(parts["test"], starts, "test"),
        notes=(*notes, "band-pass 0.5 to 40 Hz and notch at 60 Hz, causal; log power of five bands a second"),
    )


def seizure_scores(data: Dataset, predicted: NDArray[Any]) -> EventScores:
    """Seizures found and false alarms a day of a split, of windows (samples,) that are ``predicted`` to be ictal.

    A recording ends where ``place`` leaves a number out; the times of seizures are those of their windows.
    """
    if data.y is None or data.place is None or np.shape(predicted) != (len(data),) or not len(data):
        raise InputError(f"predictions of shape {np.shape(predicted)} do not answer {len(data)} windows in their order")
    ends = np.flatnonzero(np.diff(data.place) != 1) + 1
    truth, found = (
        [events_of(some, np.arange(len(some), dtype=np.float64) * WINDOW_S, WINDOW_S) for some in np.split(flags, ends)]
        for flags in (data.y == 1, np.asarray(predicted) == 1)
    )
    return event_scores(truth, found, [float(WINDOW_S * len(some)) for some in np.split(data.y, ends)])


def patient_of(recording: EegRecording) -> int:
    """The number of the patient, who may have had two cases."""
    return SAME_PATIENT.get(recording.case, recording.case)


def split(recordings: list[EegRecording]) -> dict[str, list[EegRecording]]:
    """Divide recordings into SPLITS by patient; see the head of this module."""
    patients = sorted({patient_of(recording) for recording in recordings})
    test = [patient for patient in patients if patient in TEST] or (patients[-1:] if len(patients) > 1 else [])
    rest = [patient for patient in patients if patient not in test]
    validation = [patient for patient in rest if patient in VALIDATION] or (rest[-1:] if len(rest) > 1 else [])
    if validation == rest:  # both patients of validation and none of training
        validation = rest[-1:] if len(rest) > 1 else []
    named = dict.fromkeys(patients, "train") | dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")
    parts: dict[str, list[EegRecording]] = {name: [] for name in SPLITS}
    for recording in recordings:
        parts[named[patient_of(recording)]].append(recording)
    if not parts["validation"] and len(parts["train"]) > 1:
        third = max(1, len(parts["train"]) // 3)
        parts["train"], parts["validation"] = parts["train"][:-third], parts["train"][-third:]
    return parts


def _starts(recordings: list[EegRecording]) -> list[int]:
    """The number of each recording's first window; one is left out between recordings."""
    windows = [recording.seconds // WINDOW_S + 1 for recording in recordings]
    return [sum(windows[:place]) for place in range(len(windows))]


def _dataset(recordings: list[EegRecording], starts: dict[EegRecording, int], name: str) -> Dataset:
    windows = [recording.seconds // WINDOW_S for recording in recordings]
    total = sum(windows)
    lines = len(CHANNELS) * len(BAND_NAMES)
    if not total:
        empty = np.empty(0, np.int64)
        return Dataset(np.empty((0, WINDOW_S, lines), np.float32), empty, empty, empty)

    def fill(arrays: Arrays, first: int) -> Iterator[int]:
        end = 0
        for recording, count in zip(recordings, windows, strict=True):
            begin, end = end, end + count
            if end > first:
                arrays["x"][begin:end] = _powers(recording.path, count)
                yield end

    shapes: Any = {"x": ((total, WINDOW_S, lines), np.float32)}
    x = prepared(f"eeg-{name}", shapes, fill, [recording.path for recording in recordings])["x"]
    y, group, place = np.zeros(total, np.int64), np.repeat([patient_of(each) for each in recordings], windows), []
    end = 0
    for recording, count in zip(recordings, windows, strict=True):
        begins = np.arange(count) * WINDOW_S
        for onset, offset in recording.seizures:
            y[end : end + count] |= (begins < offset) & (begins + WINDOW_S > onset)
        place.append(starts[recording] + np.arange(count))
        end += count
    return Dataset(x, y, group.astype(np.int64), np.concatenate(place).astype(np.int64))


def has_channels(path: Path) -> bool:
    """Whether an EDF file has all CHANNELS."""
    check_extra("tasks", "edfio", "task 'eeg'")
    import edfio  # before the child that reads with it starts

    def labels_of(file: Opened, budget: Budget) -> Answer:
        return [signal.label for signal in edfio.read_edf(file.path, lazy_load_data=True).signals], {}

    labels, _ = read(path, labels_of, EDF, files=True)
    return set(CHANNELS) <= {str(label).strip().upper() for label in labels}


def _powers(path: Path, windows: int) -> Float32Array:
    """The log band powers of a recording, (windows, 10, 80)."""
    import scipy.signal  # noqa: F401  as edfio above

    def powers_of(file: Opened, budget: Budget) -> Answer:
        return [], {"powers": band_powers(file.path, windows)}

    powers = read(path, powers_of, EDF, files=True)[1]["powers"]
    shape = (windows, WINDOW_S, len(CHANNELS) * len(BAND_NAMES))
    if powers.shape != shape or not np.isfinite(powers).all():
        raise InputError(f"'{path}' gave powers of shape {powers.shape}, {shape} finite ones are needed", HINT)
    return powers.astype(np.float32)


def band_powers(path: Path, windows: int) -> Float32Array:
    """Read and filter a recording channel by channel, in the child; (windows, 10, 80)."""
    import edfio

    samples = windows * WINDOW_S * FS_HZ
    powers = np.empty((windows * WINDOW_S, len(CHANNELS), len(BAND_NAMES)), np.float32)
    signals: dict[str, Any] = {}
    for signal in edfio.read_edf(path, lazy_load_data=True).signals:
        signals.setdefault(signal.label.strip().upper(), signal)  # T8-P8 is there twice, with the same values
    for place, channel in enumerate(CHANNELS):
        signal = signals[channel]
        if signal.sampling_frequency != FS_HZ:
            raise InputError(
                f"'{path}', {channel} was sampled at {signal.sampling_frequency:g} Hz, {FS_HZ} Hz are read"
            )
        if len(signal.data) < samples:
            raise InputError(f"'{path}', {channel} has {len(signal.data):,} samples, {samples:,} are declared", HINT)
        cleaned = filtered(signal.data[:samples].astype(np.float64))
        powers[:, place] = log_band_powers(cleaned.reshape(-1, FS_HZ), FS_HZ)
    return powers.reshape(windows, WINDOW_S, -1)


def filtered(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """A channel (samples,) behind band-pass and notch, both at rest on its first value."""
    from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, tf2sos

    band = butter(ORDER, PASS_HZ, "bandpass", fs=FS_HZ, output="sos")
    stages = np.concatenate([band, tf2sos(*iirnotch(MAINS_HZ, MAINS_Q, FS_HZ))])
    return np.asarray(sosfilt(stages, signal, zi=sosfilt_zi(stages) * signal[0])[0], np.float64)

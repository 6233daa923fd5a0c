"""Event files: an .npz of t, x, y, p as an event camera gives them, or of one array of records with these fields.

    numpy.savez("mine.npz", t=t, x=x, y=y, p=p)           one number an event; one sample
    numpy.savez("mine.npz", events=events)                the fields t, x, y, p, as tonic and N-MNIST have them

docs/inputs.md lists the arrays beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..intake import Budget
from .events import Events, binned, check_places, check_times
from .layouts import Shape, said
from .model_input import SECONDS, ModelInput

RECORDS = "events"
FIELDS = ("t", "x", "y", "p")
KEYS = (*FIELDS, RECORDS, "sample", "duration", "sensor_size", "labels")
"""The arrays of an event file beyond those of every file."""
_WHICH = "docs/inputs.md lists the arrays of an event file"

Arrays = dict[str, NDArray[Any]]


def is_event_file(names: dict[str, tuple[int, ...]]) -> bool:
    """Whether the arrays of a file, shapes by name, are a list of events."""
    return RECORDS in names or ("t" in names and len(names.get("x", (0,))) == 1)


def sequences_of_events(
    arrays: Arrays, path: Path, reads: ModelInput, dt: float
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return x (samples, steps, lines) of an event file, and how it was read."""
    who = f"'{path}'"
    columns = _columns(arrays, who)
    samples, sample = _samples(arrays, columns["t"], who)
    check_times(columns["t"], sample, f"t of {who}")
    unit, why = _unit(columns["t"], reads)
    grid, line = _lines(arrays, columns, reads, who)
    events = Events(who, samples, sample, columns["t"].astype(np.float64) * SECONDS[unit], line)
    duration = _one_number(arrays["duration"], f"duration of {who}") if "duration" in arrays else None
    budget = Budget.of_file(path.stat().st_size)
    x, merged = binned(events, int(np.prod(grid)), dt, duration, budget, count=reads.counted)
    said_first = f"{len(line):,} events of {who} became steps of {dt:g} s on {said(grid)} lines; t is in {unit}: {why}"
    return x, (said_first, *merged)


def _columns(arrays: Arrays, who: str) -> Arrays:
    """Return t, x, y and p, all of one length; y and p may be missing."""
    prefix = f"{RECORDS}/" if any(name.startswith(f"{RECORDS}/") for name in arrays) else ""
    columns = {field: arrays[prefix + field] for field in FIELDS if prefix + field in arrays}
    for field in ("t", "x"):
        if field not in columns:
            raise InputError(f"{who} has no {field} of its events, it has: {', '.join(columns) or 'none'}", _WHICH)
    for field, column in columns.items():
        if column.ndim != 1 or column.dtype.kind not in "iufb":
            message = f"{field} of {who} is {column.dtype} of shape {column.shape}, one number an event is needed"
            raise InputError(message, _WHICH)
        if len(column) != len(columns["t"]):
            raise InputError(f"t of {who} has {len(columns['t']):,} entries, {field} has {len(column):,}")
    whole = {field: _whole(column, f"{field} of {who}") for field, column in columns.items() if field != "t"}
    return {"t": columns["t"], **whole}


def _whole(column: NDArray[Any], who: str) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        found = column.astype(np.int64)
    wrong = np.flatnonzero(found != column)
    if len(wrong):
        raise InputError(f"{who} is {column[wrong[0]]} at event {wrong[0]}, a whole number is needed")
    return found


def _samples(arrays: Arrays, t: NDArray[Any], who: str) -> tuple[int, NDArray[np.int64]]:
    """Return how many samples there are, and which one each event belongs to."""
    labels = len(arrays["labels"]) if "labels" in arrays and arrays["labels"].ndim else None
    if "sample" not in arrays:
        if labels not in (None, 1):
            raise InputError(f"labels of {who} has {labels} entries, it holds one sample", "add the array sample")
        return 1, np.zeros(len(t), np.int64)
    column = arrays["sample"]
    if column.shape != t.shape or column.dtype.kind not in "iuf":
        raise InputError(f"sample of {who} has shape {column.shape}, t has {len(t):,} events", _WHICH)
    sample = _whole(column, f"sample of {who}")
    count = labels if labels is not None else int(sample.max(initial=0)) + 1
    check_places(sample, count, "sample", who)
    return count, sample


def _unit(t: NDArray[Any], reads: ModelInput) -> tuple[str, str]:
    if reads.time_unit is not None:
        return reads.time_unit, "as input.time_unit says"
    return ("us", "it holds whole numbers") if t.dtype.kind in "iub" else ("s", "it holds fractions")


def _lines(arrays: Arrays, columns: Arrays, reads: ModelInput, who: str) -> tuple[Shape, NDArray[np.int64]]:
    """Return (channels, height, width) and the line of every event."""
    grid = channels, height, width = _grid(arrays, columns, reads, who)
    channel = _channel(columns, channels, who)
    rows = columns.get("y", np.zeros(len(columns["x"]), np.int64))
    check_places(columns["x"], width, "x", who)
    check_places(rows, height, "y", who)
    return grid, (channel * height + rows) * width + columns["x"]


def _grid(arrays: Arrays, columns: Arrays, reads: ModelInput, who: str) -> Shape:
    """Return the grid of the sensor: that of the graph's input, or what the file says where the input is flat."""
    size: Shape | None = None
    if "sensor_size" in arrays:
        given = _whole(arrays["sensor_size"].ravel(), f"sensor_size of {who}").tolist()
        if len(given) != 3 or min(given) < 1:
            raise InputError(f"sensor_size of {who} is {given}, three numbers are needed: width, height, polarities")
        size = (given[2], given[1], given[0])
    shape = reads.shape
    if len(shape) in (2, 3):
        grid = shape if len(shape) == 3 else (shape[0], 1, shape[1])
        if size not in (None, grid):
            raise InputError(f"the sensor of {who} is {said(size or ())}, the graph's Input reads {said(shape)}")
        return grid
    lines = int(np.prod(shape))
    if size is None and "y" not in columns and shape:
        channels = 2 if "p" in columns and len(np.unique(columns["p"])) == 2 else 1
        size = (channels, 1, lines // channels)
    if size is None:
        hint = "add sensor_size (width, height, polarities), as tonic calls it"
        raise InputError(f"{who} does not say how large its sensor is, and the model's input is flat", hint)
    if shape and int(np.prod(size)) != lines:
        raise InputError(f"the sensor of {who} has {said(size)} = {np.prod(size):,} lines, the model reads {lines:,}")
    return size


def _channel(columns: Arrays, channels: int, who: str) -> NDArray[np.int64]:
    """Return the channel of every event: polarities -1 and 1 are read as 0 and 1."""
    if "p" not in columns:
        if channels != 1:
            raise InputError(f"{who} has no p, and the model's input has {channels} channels", _WHICH)
        return np.zeros(len(columns["x"]), np.int64)
    polarity = columns["p"]
    if set(np.unique(polarity).tolist()) <= {-1, 1} and polarity.min(initial=0) < 0:
        polarity = (polarity + 1) // 2
    if channels == 1 and len(np.unique(polarity)) > 1:
        raise InputError(f"{who} has {len(np.unique(polarity))} polarities, the model's input has one channel",
                         "leave p out to add them up")  # fmt: skip
    if channels == 1:
        return np.zeros(len(polarity), np.int64)
    check_places(polarity, channels, "p", who)
    return polarity


def _one_number(array: NDArray[Any], who: str) -> float:
    if array.size != 1 or array.dtype.kind not in "iuf" or not 0 < float(array.item()) < np.inf:
        raise InputError(f"{who} must be one positive number of seconds, it is {array.tolist()!s:.60}")
    return float(array.item())

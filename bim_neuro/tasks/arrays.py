"""The reader of a user's own sequences: every known array of an ``.npz``, checked by name.

docs/inputs.md lists the arrays. Training, ``--input`` and ``learn.test`` read through here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import arguments
from ..choices import LAYOUTS as LAYOUTS
from ..errors import InputError
from ..intake import read_npz, read_npz_headers
from ..printable import counted
from .dataset import SPLITS, Dataset, Int64Array, check_sequences

KEYS = ("x", "y", "group", "class_names", "dt", "x_test", "y_test", "split", "layout")
WANTED = "x is (samples, steps, channels); y is one class index a sample, counting from 0 (docs/inputs.md)"
TRAIN, VALIDATION, TEST = range(len(SPLITS))

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Recordings:
    """The sequences of a file, x before x_test, with what else it says.

    ``split``  (samples,) int8, positions in SPLITS, or None where the file does not split them
    ``notes``  how the file was read, one sentence each, for the report
    """

    path: Path
    data: Dataset
    split: NDArray[np.int8] | None
    class_names: tuple[str, ...] | None
    dt: float | None
    layout: str
    notes: tuple[str, ...]


def read_recordings(
    path: Path, layout: str | None = None, steps: int | None = None, *, labels_for: str = ""
) -> Recordings:
    """Read a file; ``layout`` is 'BTC' or 'TBC' where it is known, ``steps`` what the model was trained on.

    ``labels_for`` refuses a file without labels, and says what needs them.
    """
    held = read_npz_headers(path)
    if "x" not in held:
        raise InputError(f"'{path}' has no array 'x', it has: {', '.join(held) or 'none'}", hint=WANTED)
    if labels_for and "y" not in held:
        raise InputError(f"'{path}' has no array 'y', and {labels_for} needs labels", hint=WANTED)
    arrays = read_npz(path, KEYS)
    for name in ("x", "x_test"):
        if name in arrays:
            check_sequences(arrays[name], f"{name} of '{path}'")
            if not len(arrays[name]):
                raise InputError(f"{name} of '{path}' is empty: its shape is {arrays[name].shape}")
    _check_pairs(arrays, path)
    columns: dict[str, Int64Array] = {
        name: _integers(arrays[name], f"{name} of '{path}'") for name in ("y", "y_test", "group") if name in arrays
    }
    for name in ("y", "y_test"):
        _check_labels(columns.get(name), f"{name} of '{path}'")
    split = _split(arrays["split"], path) if "split" in arrays else None
    lengths = {name: len(column) for name, column in columns.items()} | ({} if split is None else {"split": len(split)})
    chosen, why = _layout(arrays, lengths, path, layout, steps)
    parts = [_dataset(arrays["x"], columns.get("y"), columns.get("group"), chosen)]
    if split is not None and len(split) != len(parts[0]):
        raise InputError(f"split of '{path}' has {len(split)} entries, x has {len(parts[0])} samples")
    if "x_test" in arrays:
        parts.append(_dataset(arrays["x_test"], columns.get("y_test"), None, chosen))
        if parts[0].x.shape[1:] != parts[1].x.shape[1:]:
            shapes = " and ".join(f"{part.x.shape[1]} steps of {part.x.shape[2]} channels" for part in parts)
            raise InputError(f"x and x_test of '{path}' differ: {shapes} a sample")
        split = np.repeat(np.array([TRAIN, TEST], np.int8), [len(part) for part in parts])
    unread = [f"'{name}'" for name in held if name not in KEYS]
    notes = [why] if why else []
    if unread:
        verbs = ("means", "was") if len(unread) == 1 else ("mean", "were")
        notes.append(f"{', '.join(unread)} of '{path}' {verbs[0]} nothing here and {verbs[1]} not read")
    names = _class_names(arrays["class_names"], path) if "class_names" in arrays else None
    dt = _dt(arrays["dt"], path) if "dt" in arrays else None
    return Recordings(path, _joined(parts), split, names, dt, chosen, tuple(notes))


def read_sequences(path: Path, layout: str | None = None, steps: int | None = None) -> Dataset:
    """Sequences to run a model on: ``x``, and ``y`` and ``group`` where the file has them."""
    return read_recordings(path, layout, steps).data


def check_layout(layout: str | None) -> None:
    """Refuse a name that is no layout."""
    if layout is not None and arguments.text(layout, "layout") not in LAYOUTS:
        raise InputError(
            f"no layout is called '{layout}'",
            "BTC is (samples, steps, channels), TBC is (steps, samples, channels), time first",
        )


def _check_pairs(arrays: Arrays, path: Path) -> None:
    """Refuse halves of what belongs together."""
    if "y_test" in arrays and "x_test" not in arrays:
        raise InputError(f"'{path}' has y_test without x_test", hint=WANTED)
    if "x_test" in arrays:
        if "split" in arrays:
            raise InputError(f"'{path}' has both x_test and split", "give one of them: each defines the test split")
        if ("y" in arrays) != ("y_test" in arrays):
            has, lacks = ("y", "y_test") if "y" in arrays else ("y_test", "y")
            raise InputError(f"'{path}' has {has} and no {lacks}", "label both x and x_test, or neither")


def _layout(
    arrays: Arrays, lengths: dict[str, int], path: Path, asked: str | None, steps: int | None
) -> tuple[str, str]:
    """Return which of the first two axes is time, and a sentence if it is the first.

    The request or the file decides. Else the numbers of labels, groups and splits decide, then the steps the model was
    trained on; if both readings are possible, the file is refused.
    """
    check_layout(asked)
    stored = _word(arrays["layout"], f"layout of '{path}'") if "layout" in arrays else None
    check_layout(stored)
    if asked and stored and asked != stored:
        raise InputError(f"'{path}' says that its layout is {stored}, {asked} was asked for", "leave --layout out")
    shape = arrays["x"].shape
    known = asked or stored
    if known:
        return known, _time_first(path, shape, "as was asked for" if asked else "as it says") if known == "TBC" else ""
    fitting = [name for axis, name in enumerate(LAYOUTS) if _fits(arrays, lengths, axis)]
    if not fitting:
        return "BTC", ""  # nothing fits: a later check names the array
    if lengths and len(fitting) == 1:
        name = next(iter(lengths))
        why = f"{name} has {lengths[name]} entries"
        return ("TBC", _time_first(path, shape, why)) if fitting == ["TBC"] else ("BTC", "")
    agreeing = [name for name in fitting if steps == shape[1 - LAYOUTS.index(name)]]
    if len(agreeing) == 1 or len(fitting) == 1:
        (name,) = agreeing if len(agreeing) == 1 else fitting
        why = f"the model was trained on {steps} steps" if agreeing else "x_test has as many steps"
        return name, _time_first(path, shape, why) if name == "TBC" else ""
    samples, steps_read = counted(shape[0], "sample"), counted(shape[1], "step")
    samples_first, steps_first = counted(shape[1], "sample"), counted(shape[0], "step")
    raise InputError(
        f"x of '{path}' has shape {shape}: {samples} of {steps_read} or, time first, {samples_first} of {steps_first}?",
        "--layout BTC reads (samples, steps, channels), --layout TBC reads (steps, samples, channels); the file may "
        "say so itself, as numpy.savez(path, x=x, layout='TBC')",
    )


def _fits(arrays: Arrays, lengths: dict[str, int], axis: int) -> bool:
    """Whether every column has one entry a sample, if samples lie on ``axis``, and x_test as many steps as x."""
    owner = {"y_test": "x_test"}
    if any(length != arrays[owner.get(name, "x")].shape[axis] for name, length in lengths.items()):
        return False
    return "x_test" not in arrays or arrays["x"].shape[1 - axis] == arrays["x_test"].shape[1 - axis]


def _time_first(path: Path, shape: tuple[int, ...], why: str) -> str:
    steps, samples = shape[:2]
    return f"x of '{path}' is read time first, {counted(samples, 'sample')} of {counted(steps, 'step')}: {why}"


def _dataset(x: NDArray[Any], y: Int64Array | None, group: Int64Array | None, layout: str) -> Dataset:
    if layout == "TBC":
        x = x.swapaxes(0, 1)
    with np.errstate(over="ignore"):  # a number too large for float32 becomes inf, which Dataset refuses
        return Dataset(np.ascontiguousarray(x, dtype=np.float32), y, group, np.arange(len(x)))


def _joined(parts: list[Dataset]) -> Dataset:
    """Put x_test behind x; its samples belong to no group."""
    if len(parts) == 1:
        return parts[0]
    rest, test = parts
    x = np.concatenate([rest.x, test.x])
    y = None if rest.y is None or test.y is None else np.concatenate([rest.y, test.y])
    group = None if rest.group is None else np.concatenate([rest.group, np.full(len(test), -1, np.int64)])
    return Dataset(x, y, group, np.arange(len(x)))


def _integers(column: NDArray[Any], who: str) -> Int64Array:
    """One whole number a sample, of whatever type it is, as (samples,) or (samples, 1)."""
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.dtype.kind not in "iubf" or column.ndim != 1:
        message = f"{who} is {column.dtype} of shape {column.shape}, one integer a sample is needed"
        raise InputError(message, _as_integers(column))
    with np.errstate(invalid="ignore"):
        whole = column.astype(np.int64)
    wrong = np.flatnonzero(~((whole == column) & (np.abs(column.astype(np.float64)) < 2**62)))
    if len(wrong):
        raise InputError(
            f"{who} is {column[wrong[0]]} at sample {wrong[0]}, one integer a sample is needed", hint=WANTED
        )
    return whole


def _as_integers(column: NDArray[Any]) -> str:
    if column.ndim == 2 and column.dtype.kind in "iubf":
        return "one-hot rows become numbers by y.argmax(1)"
    if column.ndim == 1 and column.dtype.kind in "US":
        return "names become numbers by class_names, y = numpy.unique(y, return_inverse=True); save both"
    return WANTED


def _check_labels(y: Int64Array | None, who: str) -> None:
    if y is not None and len(y) and y.min() < 0:
        raise InputError(
            f"{who}: labels run from {y.min()} to {y.max()}",
            "labels count from 0: renumber them, as numpy.unique(y, return_inverse=True)[1] does",
        )


def _split(column: NDArray[Any], path: Path) -> NDArray[np.int8]:
    """Positions in SPLITS, from their names or from 0, 1, 2."""
    who = f"split of '{path}'"
    hint = "split holds 'train', 'validation' or 'test', or 0, 1 or 2, one a sample"
    if column.ndim == 1 and column.dtype.kind in "US":
        words = [_text(word, who) for word in column.tolist()]
        strange = [word for word in words if word not in SPLITS]
        if strange:
            raise InputError(f"{who} holds '{strange[0]}'", hint)
        codes = np.array([SPLITS.index(word) for word in words], np.int64)
    else:
        codes = _integers(column, who)
        if len(codes) and not 0 <= codes.min() <= codes.max() <= TEST:
            raise InputError(f"{who} holds numbers from {codes.min()} to {codes.max()}", hint)
    return codes.astype(np.int8)


def _class_names(names: NDArray[Any], path: Path) -> tuple[str, ...]:
    """Different names, one per class; control characters in them are escaped when printed."""
    who = f"class_names of '{path}'"
    if names.ndim != 1 or names.dtype.kind not in "US" or not len(names):
        raise InputError(
            f"{who} is {names.dtype} of shape {names.shape}, one list of names is needed",
            "one string a class, as class_names=['left', 'right']",
        )
    words = tuple(_text(name, who) for name in names.tolist())
    for index, word in enumerate(words):
        if not word.strip():
            raise InputError(f"{who}: class {index} is called {word!r}", "give each class a name")
        if word in words[:index]:
            raise InputError(f"{who}: classes {words.index(word)} and {index} are both called '{word}'")
    return words


def _dt(dt: NDArray[Any], path: Path) -> float:
    if dt.size != 1 or dt.dtype.kind not in "fiu" or not 0 < dt.item() < np.inf:
        raise InputError(f"dt of '{path}' must be one positive number of seconds, it is {dt.tolist()}")
    return float(dt.item())


def _word(array: NDArray[Any], who: str) -> str:
    if array.size != 1 or array.dtype.kind not in "US":
        raise InputError(f"{who} must be one word, it is {array.dtype} of shape {array.shape}")
    return _text(array.item(), who)


def _text(word: str | bytes, who: str) -> str:
    """Text as it is; bytes are read as UTF-8."""
    if isinstance(word, str):
        return word
    try:
        return word.decode()
    except UnicodeDecodeError:
        raise InputError(f"{who} holds bytes that are no text: {word!r}", "give strings, or bytes of UTF-8") from None

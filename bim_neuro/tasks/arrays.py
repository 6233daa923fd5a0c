"""The reader of a user's own sequences: every known array of a file, checked by name.

docs/inputs.md lists the arrays and the kinds of files (`content`). Training, ``--input`` and ``learn.test`` read
through here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..arguments import choice as check_choice
from ..choices import HEADS
from ..choices import LAYOUTS as LAYOUTS
from ..errors import InputError
from ..intake import is_stored
from .content import KEYS as KEYS
from .content import WANTED as WANTED
from .content import content_of
from .dataset import SPLITS, Dataset, Int64Array
from .layout_choice import as_text, layout_of, word
from .layouts import check_grid, finite_numbers, sequences_of
from .layouts import check_layout as check_layout
from .model_input import ModelInput

TRAIN, VALIDATION, TEST = range(len(SPLITS))

Arrays = dict[str, NDArray[Any]]
_ANY = ModelInput()
_FLAT = 3  # axes of an array without places


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
    layout: str | None
    notes: tuple[str, ...]
    why: str = ""  # this layout was taken
    head: str = "class"  # what y answers: one of choices.HEADS


def read_recordings(
    path: Path,
    layout: str | None = None,
    steps: int | None = None,
    *,
    labels_for: str = "",
    reads: ModelInput = _ANY,
    stored: bool = False,
) -> Recordings:
    """Read a file; ``layout`` is one of `LAYOUTS` where it is known, ``steps`` what the model was trained on.

    ``labels_for`` refuses a file without labels, and says what needs them. ``reads`` is what the model reads: events
    become steps of its length, and pictures must be of its size. With ``stored`` a large x may stay in its file.
    """
    content = content_of(path, layout, reads, stored=stored)
    arrays = content.arrays
    if labels_for and "y" not in arrays:
        raise InputError(f"'{path}' has no array 'y', and {labels_for} needs labels", hint=WANTED)
    if not content.layout:
        for name in ("x", "x_test"):
            if name in arrays:
                finite_numbers(arrays[name], f"{name} of '{path}'")
    _check_pairs(arrays, path)
    head = check_choice(word(arrays["head"], f"head of '{path}'"), HEADS, "head") if "head" in arrays else "class"
    columns: dict[str, Int64Array] = {
        name: _integers(arrays[name], f"{name} of '{path}'", rows=head != "class" and name in ("y", "y_test"))
        for name in ("y", "y_test", "group", "lengths")
        if name in arrays
    }
    for name in ("y", "y_test") if head == "class" else ():
        _check_labels(columns.get(name), f"{name} of '{path}'")
    split = _split(arrays["split"], path) if "split" in arrays else None
    lengths = {name: len(column) for name, column in columns.items()} | ({} if split is None else {"split": len(split)})
    chosen = content.layout or layout_of(arrays, lengths, path, layout, steps)
    for name in ("x", "x_test"):
        if name in arrays and arrays[name].ndim > _FLAT and reads.shape:
            check_grid(arrays[name].shape, chosen.name, reads.shape, f"{name} of '{path}'")
    parts = [_dataset(arrays["x"], columns.get("y"), columns.get("group"), chosen.name, columns.get("lengths"))]
    if split is not None and len(split) != len(parts[0]):
        raise InputError(f"split of '{path}' has {len(split)} entries, x has {len(parts[0])} samples")
    if "x_test" in arrays:
        parts.append(_dataset(arrays["x_test"], columns.get("y_test"), None, chosen.name))
        if parts[0].x.shape[1:] != parts[1].x.shape[1:]:
            shapes = " and ".join(f"{part.x.shape[1]} steps of {part.x.shape[2]} channels" for part in parts)
            raise InputError(f"x and x_test of '{path}' differ: {shapes} a sample")
        split = np.repeat(np.array([TRAIN, TEST], np.int8), [len(part) for part in parts])
    names = _class_names(arrays["class_names"], path) if "class_names" in arrays else None
    dt = _dt(arrays["dt"], path) if "dt" in arrays else content.dt
    notes = (*([chosen.note] if chosen.note else []), *content.notes)
    order = chosen.name or None
    return Recordings(path, _joined(parts), split, names, dt, order, notes, chosen.why, head)


def read_sequences(path: Path, layout: str | None = None, steps: int | None = None) -> Dataset:
    """Sequences to run a model on: ``x``, and ``y`` and ``group`` where the file has them."""
    return read_recordings(path, layout, steps).data


def _check_pairs(arrays: Arrays, path: Path) -> None:
    """Refuse halves of what belongs together."""
    if "y_test" in arrays and "x_test" not in arrays:
        raise InputError(f"'{path}' has y_test without x_test", hint=WANTED)
    if "x_test" in arrays:
        if "lengths" in arrays:
            raise InputError(f"'{path}' has both x_test and lengths", "put all sequences into x, and give split")
        if "split" in arrays:
            raise InputError(f"'{path}' has both x_test and split", "give one of them: each defines the test split")
        if arrays["x"].ndim != arrays["x_test"].ndim:
            raise InputError(f"x of '{path}' has {arrays['x'].ndim} axes, x_test has {arrays['x_test'].ndim}")
        if ("y" in arrays) != ("y_test" in arrays):
            has, lacks = ("y", "y_test") if "y" in arrays else ("y_test", "y")
            raise InputError(f"'{path}' has {has} and no {lacks}", "label both x and x_test, or neither")


def _dataset(
    x: NDArray[Any], y: Int64Array | None, group: Int64Array | None, layout: str, lengths: Int64Array | None = None
) -> Dataset:
    if is_stored(x) and layout in ("", LAYOUTS[0]):
        return Dataset(cast(Any, x), y, group, np.arange(len(x)), lengths)
    x = sequences_of(np.asarray(x), layout) if layout else x
    with np.errstate(over="ignore"):  # a number too large for float32 becomes inf, which Dataset refuses
        return Dataset(np.ascontiguousarray(x, dtype=np.float32), y, group, np.arange(len(x)), lengths)


def _joined(parts: list[Dataset]) -> Dataset:
    """Put x_test behind x; its samples belong to no group."""
    if len(parts) == 1:
        return parts[0]
    rest, test = parts
    x = np.concatenate([rest.x, test.x])
    y = None if rest.y is None or test.y is None else np.concatenate([rest.y, test.y])
    group = None if rest.group is None else np.concatenate([rest.group, np.full(len(test), -1, np.int64)])
    return Dataset(x, y, group, np.arange(len(x)))


def _integers(column: NDArray[Any], who: str, *, rows: bool = False) -> Int64Array:
    """One whole number a sample, of whatever type it is, as (samples,) or (samples, 1); or ``rows`` of them."""
    if column.ndim == 2 and column.shape[1] == 1 and not rows:
        column = column[:, 0]
    if rows and (column.dtype.kind not in "iubf" or column.ndim != 2):
        raise InputError(f"{who} is {column.dtype} of shape {column.shape}, a row of integers a sample is needed")
    if column.dtype.kind not in "iubf" or column.ndim != 1 + rows:
        message = f"{who} is {column.dtype} of shape {column.shape}, one integer a sample is needed"
        raise InputError(message, _as_integers(column))
    with np.errstate(invalid="ignore"):
        whole = column.astype(np.int64)
    right = (whole == column) & (np.abs(column.astype(np.float64)) < 2**62)
    wrong = np.flatnonzero(~right.reshape(len(column), -1).all(1))
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
        words = [as_text(word, who) for word in column.tolist()]
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
    words = tuple(as_text(name, who) for name in names.tolist())
    for index, name in enumerate(words):
        if not name.strip():
            raise InputError(f"{who}: class {index} is called {name!r}", "give each class a name")
        if name in words[:index]:
            raise InputError(f"{who}: classes {words.index(name)} and {index} are both called '{name}'")
    return words


def _dt(dt: NDArray[Any], path: Path) -> float:
    if dt.size != 1 or dt.dtype.kind not in "fiu" or not 0 < dt.item() < np.inf:
        raise InputError(f"dt of '{path}' must be one positive number of seconds, it is {dt.tolist()}")
    return float(dt.item())

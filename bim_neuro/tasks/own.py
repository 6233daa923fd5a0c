"""A person's own labelled sequences, from one ``.npz`` file.

    x            (samples, steps, channels) real numbers
    y            (samples,) integers counting from 0
    class_names  (classes,) strings, optional: '0', '1', ...
    dt           seconds a step, optional: 0.001
    group        (samples,) integers, optional: samples of one group (patient, recording) stay in one split

70 % of the samples are for training, 15 % for validation, 15 % for the test: drawn by ``seed`` class by class,
or, where ``group`` is given, group by group (then 15 % of the groups, and the classes fall as the groups bring them).

    numpy.savez("mine.npz", x=x, y=y)
    task = load_task("own", Path("mine.npz"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dataset import Dataset, Int64Array, Task, check_sequences, read_arrays

DT_S = 0.001
HELD_OUT = 0.15
"""Fraction of the samples, or groups, in the validation split, and again in the test split."""
WANTED = "x is (samples, steps, channels); y is one class index a sample, counting from 0"


def load_own_task(data: Path | None = None, seed: int = 0) -> Task:
    """The task in the file ``data``; InputError says which array is missing or wrong."""
    if data is None:
        raise InputError("task 'own' needs a file", hint=f"--data FILE.npz with arrays x and y: {WANTED}")
    arrays = read_arrays(data)
    every = _dataset(arrays, data)
    if every.y is None:
        raise InputError(f"'{data}' has no array 'y', and training needs labels", hint=WANTED)
    rng = np.random.default_rng(seed)
    dealt = _split(every.y, rng) if every.group is None else _split_groups(every.group, rng)
    train, validation, test = (every.take(members) for members in dealt)
    return Task(
        name="own",
        title=f"sequences of {data.name}",
        class_names=_class_names(arrays, every.y, data),
        channel_names=tuple(f"channel{channel}" for channel in range(every.x.shape[2])),
        dt=_dt(arrays.get("dt", np.array(DT_S)), f"dt of '{data}'"),
        train=train,
        validation=validation,
        test=test,
    )


def read_sequences(path: Path) -> Dataset:
    """Sequences to run a model on: ``x``, and ``y`` and ``group`` where the file has them."""
    return _dataset(read_arrays(path), path)


def _dataset(arrays: dict[str, NDArray[Any]], path: Path) -> Dataset:
    if "x" not in arrays:
        raise InputError(f"'{path}' has no array 'x', it has: {', '.join(arrays) or 'none'}", hint=WANTED)
    check_sequences(arrays["x"], f"x of '{path}'")
    if not len(arrays["x"]):
        raise InputError(f"x of '{path}' is empty: it has 0 samples")
    y, group = (_integers(arrays[name], f"{name} of '{path}'") if name in arrays else None for name in ("y", "group"))
    with np.errstate(over="ignore"):  # a number too large for float32 becomes inf, which Dataset refuses
        return Dataset(arrays["x"].astype(np.float32), y, group)


def _integers(column: NDArray[Any], who: str) -> Int64Array:
    if column.dtype.kind not in "iu" or column.ndim != 1:
        raise InputError(
            f"{who} is {column.dtype} of shape {column.shape}, one integer a sample is needed", hint=WANTED
        )
    return column.astype(np.int64)


def _class_names(arrays: dict[str, NDArray[Any]], y: Int64Array, path: Path) -> tuple[str, ...]:
    if "class_names" not in arrays:
        if y.max() >= len(y):
            raise InputError(f"y of '{path}' goes up to {y.max()}, with {len(y)} samples", hint=WANTED)
        return tuple(str(c) for c in range(int(y.max()) + 1))
    names = arrays["class_names"]
    if names.ndim != 1 or len(set(names.tolist())) != len(names):
        raise InputError(f"class_names of '{path}' must be one list of different names, its shape is {names.shape}")
    return tuple(str(name) for name in names.tolist())


def _dt(dt: NDArray[Any], who: str) -> float:
    if dt.size != 1 or dt.dtype.kind not in "fiu" or not 0 < dt.item() < np.inf:
        raise InputError(f"{who} must be one positive number of seconds, it is {dt.tolist()}")
    return float(dt.item())


def _split(y: Int64Array, rng: np.random.Generator) -> list[Int64Array]:
    """Positions of the training, validation and test samples, each class in proportion."""
    parts: list[list[Int64Array]] = [[], [], []]
    for c in np.unique(y):
        for part, members in zip(parts, _deal(np.flatnonzero(y == c), f"class {c}", rng), strict=True):
            part.append(members)
    return [np.sort(np.concatenate(part)) for part in parts]


def _split_groups(group: Int64Array, rng: np.random.Generator) -> list[Int64Array]:
    """Positions of the training, validation and test samples, each group whole."""
    dealt = _deal(np.unique(group), "group", rng)
    return [np.flatnonzero(np.isin(group, members)) for members in dealt]


def _deal(members: Int64Array, who: str, rng: np.random.Generator) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Shuffle and deal to training, validation and test, at least one to each."""
    if len(members) < 3:
        raise InputError(f"{who} has {len(members)} members, 3 are needed: one for each split")
    held = max(1, round(HELD_OUT * len(members)))
    shuffled = rng.permutation(members)
    return shuffled[2 * held :], shuffled[:held], shuffled[held : 2 * held]

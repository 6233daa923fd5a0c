"""A person's own labelled sequences, from one ``.npz`` file.

    x            (samples, steps, channels) real numbers
    y            (samples,) integers counting from 0
    class_names  (classes,) strings, optional: '0', '1', ...
    dt           seconds a step, optional: 0.001
    group        (samples,) integers, optional: samples of one group (patient, recording) stay in one split

70 % of the samples are for training, 15 % for validation, 15 % for the test: drawn by ``seed`` class by class, or group by group
where ``group`` is given (then classes fall as the groups bring them).

>>> import numpy as np
>>> np.savez("mine.npz", x=np.zeros((60, 20, 4)), y=np.arange(60) % 3)    # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_neuro.errors import InputError
from bim_neuro.tasks.dataset import Dataset, Int64Array, Task, check_sequences, read_arrays

DT_S = 0.001
HELD_OUT = 0.15
"""Fraction of the samples in the validation split, and again in the test split."""


def load_own_task(data: Path | None = None, seed: int = 0) -> Task:
    """The task in the file ``data``; InputError says which array is missing or wrong."""
    if data is None:
        raise InputError(
            "task 'own' needs a file",
            hint="--data FILE.npz with x (samples, steps, channels) and y (samples,) integers",
        )
    arrays = read_arrays(data)
    for name in ("x", "y"):
        if name not in arrays:
            raise InputError(
                f"'{data}' has no array '{name}', it has: {', '.join(arrays) or 'none'}",
                hint="x is (samples, steps, channels); y is one class index a sample",
            )
    check_sequences(arrays["x"], f"x of '{data}'")
    every = Dataset(
        arrays["x"].astype(np.float32),
        _integers(arrays, "y", data),
        _integers(arrays, "group", data) if "group" in arrays else None,
    )
    class_names = _class_names(arrays, data)
    train, validation, test = _split(every, class_names, np.random.default_rng(seed))
    return Task(
        name="own",
        title=f"sequences of {data.name}",
        class_names=class_names,
        channel_names=tuple(f"channel{channel}" for channel in range(every.x.shape[2])),
        dt=_dt(arrays, data),
        train=every.take(train),
        validation=every.take(validation),
        test=every.take(test),
    )


def _integers(arrays: dict[str, NDArray[Any]], name: str, path: Path) -> Int64Array:
    column = arrays[name]
    if column.dtype.kind not in "iu" or column.ndim != 1:
        raise InputError(
            f"{name} of '{path}' is {column.dtype} of shape {column.shape}, one integer a sample is needed"
        )
    return column.astype(np.int64)


def _class_names(arrays: dict[str, NDArray[Any]], path: Path) -> tuple[str, ...]:
    y = arrays["y"]
    if "class_names" not in arrays:
        return tuple(str(c) for c in range(int(y.max(initial=0)) + 1))
    names = arrays["class_names"]
    if names.ndim != 1 or len(set(names.tolist())) != len(names):
        raise InputError(
            f"class_names of '{path}' must be one list of different names, its shape is {names.shape}"
        )
    return tuple(str(name) for name in names.tolist())


def _dt(arrays: dict[str, NDArray[Any]], path: Path) -> float:
    dt = arrays.get("dt", np.array(DT_S))
    if dt.size != 1 or dt.dtype.kind not in "fiu" or not 0 < float(dt.reshape(())) < np.inf:
        raise InputError(f"dt of '{path}' must be one positive number of seconds, it is {dt.tolist()}")
    return float(dt.reshape(()))


def _split(every: Dataset, class_names: tuple[str, ...], rng: np.random.Generator) -> list[Int64Array]:
    """Positions of the training, validation and test samples."""
    assert every.y is not None
    if every.group is not None:
        return _split_groups(every.group, rng)
    parts: list[list[Int64Array]] = [[], [], []]
    for c in np.unique(every.y):
        members = rng.permutation(np.flatnonzero(every.y == c))
        if len(members) < 3:
            name = class_names[c] if 0 <= c < len(class_names) else str(c)
            raise InputError(f"class '{name}' has {len(members)} samples, 3 are needed: one a split")
        held = max(1, round(HELD_OUT * len(members)))
        for part, piece in zip(parts, (members[2 * held :], members[:held], members[held : 2 * held])):
            part.append(piece)
    if not parts[0]:
        raise InputError("x is empty: it has 0 samples")
    return [np.sort(np.concatenate(part)) for part in parts]


def _split_groups(group: Int64Array, rng: np.random.Generator) -> list[Int64Array]:
    groups = rng.permutation(np.unique(group))
    if len(groups) < 3:
        raise InputError(
            f"group names {len(groups)} groups, 3 are needed: one a split",
            hint="leave group out to split by sample",
        )
    held = max(1, round(HELD_OUT * len(groups)))
    return [
        np.flatnonzero(np.isin(group, chosen))
        for chosen in (groups[2 * held :], groups[:held], groups[held : 2 * held])
    ]

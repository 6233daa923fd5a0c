"""A user's own labelled sequences, from one ``.npz`` file (docs/inputs.md lists its arrays).

    numpy.savez("mine.npz", x=x, y=y)                 x (samples, steps, channels), y (samples,) from 0
    task = load_task("own", Path("mine.npz"))

Where the file names no splits (``split``, ``x_test``), 70 % of the samples are for training, 15 % for validation, 15 %
for the test: drawn by ``seed`` class by class, or, where ``group`` is given, group by group (then 15 % of the groups,
and the classes fall as the groups bring them). Where it names a test and no validation, 15 % of the rest, drawn alike,
is the validation split. scikit-learn's splitters draw other samples from the same seed, hence the drawing is ours:
models of before were trained on these.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import Finding, InputError
from .arrays import TEST, TRAIN, VALIDATION, WANTED, Recordings, read_recordings
from .dataset import SPLITS, Int64Array, Task
from .drawn import HELD_OUT, split_by_class, split_by_group
from .model_input import DT_S


def load_own_task(data: Path | None = None, seed: int = 0, layout: str | None = None, *, stored: bool = False) -> Task:
    """The task in the file ``data``; InputError says which array is missing or wrong.

    With ``stored`` a large x stays in the file where it can.
    """
    if data is None:
        raise InputError("task 'own' needs a file", hint=f"--data FILE.npz with arrays x and y: {WANTED}")
    file = read_recordings(data, layout, labels_for="training", stored=stored)
    every = file.data
    assert every.y is not None
    of_classes = file.head == "class"
    names = file.class_names or (_numbered(every.y, data) if of_classes else _counted(file.head, every.y))
    rng, strata = np.random.default_rng(seed), every.y if of_classes else np.zeros(len(every), np.int64)
    train, validation, test = (every.take(members) for members in _dealt(file, strata, rng))
    lacking = _unlearnable(train.y, every.y, names, data, named=file.class_names is not None) if of_classes else ()
    return Task(
        name="own",
        title=f"sequences of {data.name}",
        class_names=names,
        channel_names=tuple(f"channel{channel}" for channel in range(every.x.shape[2])),
        dt=DT_S if file.dt is None else file.dt,
        train=train,
        validation=validation,
        test=test,
        findings=tuple(lacking),
        notes=file.notes,
        head=file.head,
    )


def _counted(head: str, y: Int64Array) -> tuple[str, ...]:
    """Names for classes that have none where each sample has a row of them: their numbers."""
    return tuple(map(str, range(y.shape[1] if head == "labels" else int(y.max(initial=0)) + 1)))


def _numbered(y: Int64Array, path: Path) -> tuple[str, ...]:
    """Names for classes that have none: their numbers; each of them must have a sample."""
    present = np.unique(y)
    first, last = int(present[0]), int(present[-1])
    if last + 1 == len(present):
        return tuple(str(c) for c in range(len(present)))
    if last - first + 1 == len(present):
        missing = "class 0 has no sample" if first == 1 else f"classes 0 to {first - 1} have no sample"
        whose = "class 0" if first == 1 else f"classes 0 to {first - 1} too"
        raise InputError(
            f"y of '{path}': labels run from {first} to {last}, so {missing}",
            f"labels count from 0: subtract {first}, as y - y.min() does, or give class_names with a name for {whose}",
        )
    gap = int(np.flatnonzero(np.diff(present, prepend=-1) > 1)[0])
    absent = int(present[gap - 1]) + 1 if gap else 0
    raise InputError(
        f"y of '{path}': labels run from {first} to {last} with gaps: class {absent} has no sample",
        "renumber them, as numpy.unique(y, return_inverse=True)[1] does, or give class_names with a name for each",
    )


def _unlearnable(
    y: Int64Array | None, every: Int64Array, names: tuple[str, ...], path: Path, *, named: bool
) -> Iterator[Finding]:
    """Name classes that have no sample to be learnt from: refused, unless the file names its classes."""
    present = set(np.unique(y).tolist() if y is not None else [])
    for c in sorted(set(range(len(names))) - present):
        message = f"class {c}, '{names[c]}', has no sample in the training split of '{path}'"
        elsewhere = "give the array split, or other groups, so that the training split has each class"
        hint = elsewhere if (every == c).any() else "no split has one: add samples, or remove its name"
        if not named:
            raise InputError(message, hint)
        yield Finding("class-without-samples", "readout", message, 0, None, hint, "warning")
    if len(present) < 2:
        only = ", ".join(str(c) for c in present) or "none"
        hint = "training needs at least two classes: is y the right array?"
        raise InputError(f"the training split of '{path}' has one class ({only})", hint)


def _dealt(file: Recordings, y: Int64Array, rng: np.random.Generator) -> list[Int64Array]:
    """Positions of the training, validation and test samples."""
    group = file.data.group
    if file.split is None:
        return split_by_class(y, rng) if group is None else split_by_group(group, rng)
    parts = [np.flatnonzero(file.split == code) for code in (TRAIN, VALIDATION, TEST)]
    if not len(parts[VALIDATION]):
        parts[:2] = _held_out(parts[TRAIN], y, group, rng)
    for name, part in zip(SPLITS, parts, strict=True):
        if not len(part):
            raise InputError(f"split of '{file.path}' leaves no sample for '{name}'", "training needs all three")
    if group is not None:
        _check_groups(group, parts, file.path)
    return parts


def _held_out(
    rest: Int64Array, y: Int64Array, group: Int64Array | None, rng: np.random.Generator
) -> tuple[Int64Array, Int64Array]:
    """Split the samples outside the test into training and validation, class by class or group by group."""
    held: list[Int64Array] = []
    if group is None:
        for c in np.unique(y[rest]):
            members = rest[y[rest] == c]
            if len(members) < 2:
                raise InputError(f"class {c} has {len(members)} members outside the test split, 2 are needed")
            held.append(rng.permutation(members)[: max(1, round(HELD_OUT * len(members)))])
    else:
        groups = np.unique(group[rest])
        if len(groups) < 2:
            raise InputError(f"{len(groups)} group is no test, 2 are needed: one to train on, one for validation")
        chosen = rng.permutation(groups)[: max(1, round(HELD_OUT * len(groups)))]
        held.append(rest[np.isin(group[rest], chosen)])
    validation = np.sort(np.concatenate(held)) if held else rest[:0]
    return np.setdiff1d(rest, validation), validation


def _check_groups(group: Int64Array, parts: list[Int64Array], path: Path) -> None:
    """Refuse splits that divide a group; -1 marks the samples of x_test, which have no group."""
    for first, second in ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)):
        torn = np.setdiff1d(np.intersect1d(group[parts[first]], group[parts[second]]), [-1])
        if len(torn):
            raise InputError(
                f"group {torn[0]} of '{path}' lies in the splits {SPLITS[first]} and {SPLITS[second]}",
                "samples of one group must stay in one split; leave the array group out if this is intended",
            )

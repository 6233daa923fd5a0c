"""What a task is: labelled sequences in three splits, and the checks every sequence passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import arguments
from ..choices import SPLITS as SPLITS
from ..errors import Finding, InputError, first_line
from ..printable import counted

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences of one length, their labels and where they come from.

    ``x``      (samples, steps, channels) float32, finite
    ``y``      (samples,) int64 class index, or None
    ``group``  (samples,) int64, samples of one group stay in one split (patient, recording), or None
    ``place``  (samples,) int64, the sample's number in the file it comes from, or None

    Raises InputError that names the array, the place and the value.
    """

    x: Float32Array
    y: Int64Array | None = None
    group: Int64Array | None = None
    place: Int64Array | None = None

    def __repr__(self) -> str:
        samples, steps, channels = self.x.shape
        labels = "no labels" if self.y is None else counted(len(np.unique(self.y)), "class", "classes")
        each = f"{counted(steps, 'step')}, {counted(channels, 'channel')}"
        return f"<Dataset of {counted(samples, 'sample')}: {each}, {labels}>"

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", check_sequences(self.x, "x"))
        for name, column in (("y", self.y), ("group", self.group), ("place", self.place)):
            if column is not None:
                object.__setattr__(self, name, arguments.labels(column, name, len(self.x)))

    def __len__(self) -> int:
        return len(self.x)

    def of_classes(self, classes: int) -> Dataset:
        """Return the dataset; labels that a model of so many classes has no name for are refused."""
        y = self.y
        if y is not None and len(y) and not 0 <= y.min() <= y.max() < classes:
            hint = f"labels count from 0: subtract {y.min()}" if y.min() and y.max() - y.min() < classes else ""
            raise InputError(f"labels run from {y.min()} to {y.max()}, the model has {classes} classes", hint)
        return self

    def take(self, index: Any) -> Dataset:
        """The samples at ``index``: a slice, a mask or an array of positions."""
        try:
            columns = [None if column is None else column[index] for column in (self.y, self.group, self.place)]
            return Dataset(self.x[index], *columns)
        except (IndexError, TypeError, ValueError) as error:
            raise InputError(f"no such samples among {len(self)}: {first_line(error)}") from None


@dataclass(frozen=True, eq=False)
class Task:
    """A named problem: the names of classes and channels, the time step in seconds, and three splits.

    A split may be empty if the data has nothing for it (an ECG folder with test recordings only). ``findings`` are
    warnings about the data, ``notes`` say how they were read.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    channel_names: tuple[str, ...]
    dt: float
    train: Dataset
    validation: Dataset
    test: Dataset
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for split in SPLITS:
            data: Dataset = getattr(self, split)
            who = f"task '{self.name}', {split} split"
            if data.x.shape[2] != len(self.channel_names):
                raise InputError(f"{who}: {data.x.shape[2]} channels, {len(self.channel_names)} are named")
            classes = len(self.class_names)
            if data.y is not None and len(data) and (data.y.min() < 0 or data.y.max() >= classes):
                raise InputError(
                    f"{who}: labels run from {data.y.min()} to {data.y.max()}, {classes} classes are named",
                    hint="labels count from 0: subtract their lowest, y - y.min(), or name every class",
                )

    def split(self, name: str) -> Dataset:
        """The split called ``name``; InputError where it is unknown or empty."""
        if arguments.text(name, "split") not in SPLITS:
            raise InputError(f"no split is called '{name}'", hint=f"one of: {', '.join(SPLITS)}")
        data: Dataset = getattr(self, name)
        if not len(data):
            raise InputError(
                f"task '{self.name}': this data has no samples for the {name} split",
                hint="the task's module says which records belong to which split",
            )
        return data


def check_sequences(x: Any, name: str) -> NDArray[Any]:
    """Return (samples, steps, channels) of finite numbers; refuse all else, naming the first bad place."""
    return arguments.sequences(x, name, empty=True)

"""What a task is: labelled sequences in three splits, and the checks every sequence passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import arguments
from ..choices import HEADS as HEADS
from ..choices import NOT_ASKED
from ..choices import SPLITS as SPLITS
from ..errors import Finding, InputError, first_line
from ..intake import is_stored
from ..printable import counted
from .heads import check_lengths, check_targets

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences of one length, their labels and where they come from.

    ``x``        (samples, steps, channels) float32, finite; or whole numbers, tokens (samples, steps, 1)
    ``y``        (samples,) int64 class index, or a row of them a sample as the task's head asks (heads.py), or None
    ``group``    (samples,) int64, samples of one group stay in one split (patient, recording), or None
    ``place``    (samples,) int64, the sample's number in the file it comes from, or None
    ``lengths``  (samples,) int64, the steps that count, the rest of x is padding at its end; None: all of them

    An array may be a file mapped into memory (np.memmap): it stays there, in its own type of integers, and is read a
    few samples at a time. Where that was asked for (`load_task`), ``x`` may be rows that stay in their .npz file.
    Raises InputError that names the array, the place and the value.
    """

    x: Float32Array
    y: Int64Array | None = None
    group: Int64Array | None = None
    place: Int64Array | None = None
    lengths: Int64Array | None = None

    def __repr__(self) -> str:
        samples, steps, channels = self.x.shape
        labels = "no labels" if self.y is None else "a row of labels each"
        if self.y is not None and self.y.ndim == 1:
            labels = counted(len(np.unique(self.y)), "class", "classes")
        each = f"{counted(steps, 'step')}, {counted(channels, 'channel')}"
        return f"<Dataset of {counted(samples, 'sample')}: {each}, {labels}>"

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", check_sequences(self.x, "x"))
        for name in ("y", "group", "place", "lengths"):
            column = getattr(self, name)
            if column is not None:
                object.__setattr__(self, name, arguments.labels(column, name, len(self.x), rows=name == "y"))
        if self.lengths is not None:
            check_lengths(self.lengths, self.x.shape[1])

    @property
    def valid(self) -> Int64Array:
        """The steps of each sample that count, (samples,)."""
        return np.full(len(self), self.x.shape[1]) if self.lengths is None else self.lengths

    def __len__(self) -> int:
        return len(self.x)

    def of_classes(self, classes: int) -> Dataset:
        """Return the dataset; labels that a model of so many classes has no name for are refused."""
        y = self.y
        lowest = 0 if y is None or y.ndim == 1 else NOT_ASKED
        if y is not None and y.size and not lowest <= y.min() <= y.max() < classes:
            hint = f"labels count from 0: subtract {y.min()}" if y.min() and y.max() - y.min() < classes else ""
            raise InputError(f"labels run from {y.min()} to {y.max()}, the model has {classes} classes", hint)
        return self

    def take(self, index: Any) -> Dataset:
        """The samples at ``index``: a slice, a mask or an array of positions."""
        try:
            every = (self.y, self.group, self.place, self.lengths)
            columns = [None if column is None else column[index] for column in every]
            x: Any = self.x.taken(index) if is_stored(self.x) else self.x[index]
            return Dataset(x, *columns)
        except (IndexError, TypeError, ValueError) as error:
            raise InputError(f"no such samples among {len(self)}: {first_line(error)}") from None


@dataclass(frozen=True)
class TextUnits:
    """What the likelihood of a text is divided by: its characters, and its words, ends of lines among them."""

    characters: int
    words: int


@dataclass(frozen=True, eq=False)
class Task:
    """A named problem: the names of classes and channels, the time step in seconds, and three splits.

    ``head`` is what is asked of a sequence: one of `HEADS` (heads.py says what ``y`` then holds).
    A split may be empty if the data has nothing for it (an ECG folder with test recordings only). ``findings`` are
    warnings about the data, ``notes`` say how they were read. ``units`` are those of each split's text, by its name.
    A group of the test split lies in no other.
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
    head: str = "class"
    units: Mapping[str, TextUnits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arguments.choice(self.head, HEADS, "head")
        for split in SPLITS:
            data: Dataset = getattr(self, split)
            who = f"task '{self.name}', {split} split"
            if data.x.shape[2] != len(self.channel_names):
                raise InputError(f"{who}: {data.x.shape[2]} channels, {len(self.channel_names)} are named")
            if data.y is not None:
                try:
                    check_targets(self.head, data.y, data.valid, data.x.shape[1], len(self.class_names))
                except InputError as refusal:
                    raise InputError(f"{who}: {refusal.message}", hint=refusal.hint) from None
        self._check_groups()

    def _check_groups(self) -> None:
        """Refuse a test on patients, speakers or recordings that training or its early stopping sees."""
        for split in SPLITS[:-1]:
            seen, tested = getattr(self, split).group, self.test.group
            if seen is not None and tested is not None and len(torn := np.intersect1d(seen, tested)) and torn[-1] >= 0:
                raise InputError(f"task '{self.name}': group {torn[-1]} lies in the splits {split} and test")

    def of_classes(self, who: str) -> Task:
        """Return the task; one with another head than a class a sequence, or with lengths, is refused."""
        padded = any(getattr(self, split).lengths is not None for split in SPLITS)
        if self.head != "class" or padded:
            what = f"head '{self.head}'" + (" and sequences of several lengths" if padded else "")
            raise InputError(f"task '{self.name}' has {what}; {who} knows one class a sequence only", "leave it out")
        return self

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
    """Return (samples, steps, channels) of finite numbers; refuse all else, naming the first bad place.

    Stored samples are checked once, by the reader of their file: a split of them is not read again.
    """
    if is_stored(x):
        return cast(NDArray[Any], x)
    return arguments.sequences(x, name, empty=True)

"""What a task is: labelled sequences in three splits, and the checks every sequence passes.

The split names are fields, ``train``, ``validation`` and ``test``. A split may be empty where the data has nothing for it (an
ECG folder with test records only); ``Task.split`` refuses an empty one in words.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_neuro.errors import InputError

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences of one length, their labels and where they come from.

    ``x``      (samples, steps, channels) float32, finite
    ``y``      (samples,) int64 class index, or None
    ``group``  (samples,) int64, what must not be torn apart by a split (the patient, the record), or None

    Raises InputError that names the array, the place and the value.
    """

    x: Float32Array
    y: Int64Array | None = None
    group: Int64Array | None = None

    def __post_init__(self) -> None:
        check_sequences(self.x, "x")
        for name, column in (("y", self.y), ("group", self.group)):
            if column is not None and column.shape != (len(self.x),):
                raise InputError(
                    f"{name} has shape {column.shape}, x has {len(self.x)} samples",
                    hint=f"{name} needs one integer a sample",
                )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Any) -> Dataset:
        """The samples at ``index`` (a slice, a mask or an array of positions), with their labels and groups."""
        return Dataset(
            self.x[index],
            None if self.y is None else self.y[index],
            None if self.group is None else self.group[index],
        )


@dataclass(frozen=True, eq=False)
class Task:
    """A named problem: what the classes and channels are called, the time step in seconds and the three splits."""

    name: str
    title: str
    class_names: tuple[str, ...]
    channel_names: tuple[str, ...]
    dt: float
    train: Dataset
    validation: Dataset
    test: Dataset

    def __post_init__(self) -> None:
        for split in SPLITS:
            data: Dataset = getattr(self, split)
            if data.x.shape[2] != len(self.channel_names):
                raise InputError(
                    f"task '{self.name}': the {split} split has {data.x.shape[2]} channels, {len(self.channel_names)} are named"
                )
            if (
                data.y is not None
                and len(data)
                and not (0 <= data.y.min() and data.y.max() < len(self.class_names))
            ):
                raise InputError(
                    f"task '{self.name}': labels of the {split} split run from {data.y.min()} to {data.y.max()}, "
                    f"there are {len(self.class_names)} class names",
                    hint="labels count from 0",
                )

    def split(self, name: str) -> Dataset:
        """The split called ``name``; InputError where it is unknown or empty."""
        if name not in SPLITS:
            raise InputError(f"no split is called '{name}'", hint=f"one of: {', '.join(SPLITS)}")
        data: Dataset = getattr(self, name)
        if not len(data):
            raise InputError(
                f"task '{self.name}': this data has no samples for the {name} split",
                hint="the task's documentation says which records belong to which split",
            )
        return data


def check_sequences(x: NDArray[Any], name: str) -> None:
    """Refuse what is not (samples, steps, channels) of finite numbers, naming the first bad place."""
    if x.ndim != 3:
        raise InputError(
            f"{name} has {x.ndim} dimensions {x.shape}, 3 are needed",
            hint="the axes are samples, steps, channels",
        )
    if x.dtype.kind not in "fiub":
        raise InputError(f"{name} holds {x.dtype}, real numbers are needed")
    if 0 in x.shape[1:]:
        raise InputError(f"{name} is empty: its shape is {x.shape}")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        sample, step, channel = np.argwhere(~np.isfinite(x))[0].tolist()
        raise InputError(
            f"{name} holds {x[sample, step, channel]} at sample {sample}, step {step}, channel {channel}",
            hint="replace or leave out samples that are not finite",
        )


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an ``.npz`` file, by name; nothing is unpickled.

    InputError for a missing or damaged file, a file of another kind, or an array of Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(
                    f"'{path}' holds one bare array, an .npz archive is needed",
                    hint="write it with numpy.savez(path, x=..., y=...)",
                )
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        hint = (
            "arrays of Python objects are refused: store numbers or fixed-length strings"
            if "pickle" in str(error)
            else "write it with numpy.savez"
        )
        raise InputError(f"cannot read '{path}': {_first_line(error)}", hint=hint) from error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]

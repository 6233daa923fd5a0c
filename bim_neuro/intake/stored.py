"""Samples that stay in their file, an ``.npz`` that holds them without compression, and are read when asked for.

    x = stored_samples(path, "x")        None where the array is compressed or in Fortran order
    x[3], x[rows], x[first:last]         float32 arrays; np.asarray(x) is all of it
    x.taken(rows)                        the samples of a split, which stay in the file too

They come by positioned reads into memory of their own, not by mapped pages, which count as memory of the process: a
training on a file of any size takes the memory of a batch.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .kind import above_streams, opened
from .npz import ArrayPlace, find_array, status_of

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class OpenFile:
    """A file that stays open as long as this object lives, and what it was when its content was checked."""

    path: Path
    descriptor: int
    status: tuple[int, ...]

    def __post_init__(self) -> None:
        weakref.finalize(self, os.close, self.descriptor)

    def read(self, offset: int, array: NDArray[Any]) -> None:
        """Fill a contiguous array; InputError where the file has changed."""
        left = array.reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")
        while left:
            count = os.preadv(self.descriptor, [left], offset)
            if not count:
                break
            left, offset = left[count:], offset + count
        if left or status_of(self.descriptor) != self.status:
            hint = "leave the file as it is while it is in use, and run the command again"
            raise InputError(f"{self.path} was changed while it was being read", hint)


@dataclass(frozen=True, eq=False)
class StoredSamples:
    """Samples ``rows`` of an array (samples, ...) in a file; where an array is expected it stands in for one."""

    file: OpenFile
    place: ArrayPlace
    rows: NDArray[np.int64]

    dtype = np.dtype(np.float32)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.place.shape[1:])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Float32Array]:
        return (self._sample(row) for row in self.rows)

    def __getitem__(self, index: Any) -> Float32Array:
        """Read one sample, or those of a slice, a mask or positions."""
        rows: Any = None if isinstance(index, tuple) else self.rows[index]
        if rows is None or np.ndim(rows) > 1:
            raise IndexError("samples of a file are chosen by a number, a slice, a mask or positions; steps, of these")
        if not isinstance(rows, np.ndarray):
            return self._sample(rows)
        found = np.empty((len(rows), *self.shape[1:]), np.float32)
        for at, row in enumerate(rows):
            found[at] = self._sample(row)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read all of it."""
        if copy is False:
            raise ValueError("samples of a file become an array by a copy only")
        return self[:].astype(dtype or self.dtype, copy=False)

    def taken(self, index: Any) -> StoredSamples:
        """Return the samples of a slice, a mask or positions; none is read."""
        return StoredSamples(self.file, self.place, np.atleast_1d(self.rows[index]))

    def _sample(self, row: Any) -> Float32Array:
        raw = np.empty(self.place.shape[1:], self.place.dtype)
        self.file.read(self.place.offset + int(row) * raw.nbytes, raw)
        with np.errstate(over="ignore"):  # a number too large for float32 becomes inf, which is refused
            return raw.astype(np.float32, copy=False)


def is_stored(x: object) -> TypeGuard[StoredSamples]:
    """Whether these samples, declared as an array, are rows that stay in their file."""
    return isinstance(x, StoredSamples)


def stored_samples(path: Path, name: str) -> StoredSamples | None:
    """Return the samples of an array of numbers whose bytes lie in an ``.npz`` file as they are, else None.

    The archive is checked as `read_npz` checks it, its checksum too. The file stays open, and must stay as it is.
    """
    place = find_array(path, name)
    if place is None or not place.shape:
        return None
    with opened(path) as file:
        held = OpenFile(path, above_streams(os.dup(file.descriptor)), place.status)
    held.read(place.offset, np.empty(0, np.uint8))  # it is still the file that was checked
    return StoredSamples(held, place, np.arange(place.shape[0]))

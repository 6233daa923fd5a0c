"""Arrays that are prepared row by row: in memory where they are small, else in a cache of files mapped into memory.

    CACHE/speech-1f0c.../x.npy, y.npy      named by a hash of the source files and the options
    CACHE/speech-1f0c.../done              how many rows are finished; an interrupted preparation goes on from there

CACHE is $BIM_NEURO_CACHE, else bim-neuro in $XDG_CACHE_HOME or ~/.cache. A file counts as the same while its path, size
and time of change are: a data set of 60 GB is not read to be recognised. A folder of the cache may be removed at will.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import atomic, kept
from ..errors import InputError, NoRoom
from . import progress

LARGE_BYTES = 128 * 2**20
"""Of all arrays of a preparation; more are kept in files."""
KEEP_SECONDS = 2.0
"""Between two notes of how far a preparation has come."""
LAYOUT = 1
"""Of the cache and of every preparation: another number makes all of them anew."""

Arrays = dict[str, NDArray[Any]]
Shapes = Mapping[str, tuple[tuple[int, ...], type[np.generic]]]
"""Shape and type of each array; the first axis of all of them counts the same rows."""
Fill = Callable[[Arrays, int], Iterator[int]]
"""Writes rows from a first one on, and gives the number of finished rows each time some are."""


def prepared(what: str, shapes: Shapes, fill: Fill, sources: Iterable[Path], **options: Any) -> Arrays:
    """Return the arrays that ``fill`` writes, all zeros before; mapped for reading only where they are large.

    ``what`` begins the name in the cache; ``sources`` and ``options`` are what the rows depend on. Raises NoRoom where
    the disk does not take them.
    """
    rows = {shape[0] for shape, _ in shapes.values()}
    if len(rows) != 1:
        raise InputError(f"arrays of {sorted(rows)} rows are not prepared together")
    total = rows.pop()
    size = sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in shapes.values())
    if size <= LARGE_BYTES:
        arrays = {name: np.zeros(shape, kind) for name, (shape, kind) in shapes.items()}
        for done in fill(arrays, 0):
            progress.say(f"{what}: preparing", done, total)
        return arrays
    folder = cache() / f"{what}-{_name(sources, shapes, options)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.cannot_write(folder, error) from None
    with atomic.alone(folder / "done"):
        if _done(folder) < total:
            _fill(folder, what, shapes, fill, total)
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in shapes}


def cache() -> Path:
    """The folder of prepared data."""
    if named := os.environ.get("BIM_NEURO_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bim-neuro"


def _fill(folder: Path, what: str, shapes: Shapes, fill: Fill, total: int) -> None:
    done = _done(folder)
    arrays = {
        name: _opened(folder / f"{name}.npy", shape, kind, new=not done) for name, (shape, kind) in shapes.items()
    }

    def keep(done: int) -> None:
        for array in arrays.values():
            array.flush()
        atomic.write(folder / "done", f"{done}\n")
        kept.say("preparation", f"{done:,} of {total:,} rows of {what} are kept in {folder}: the same command goes on")

    last = time.monotonic()
    for done in fill(dict(arrays), done):  # noqa: B020  the rows finished so far, before and after
        progress.say(f"{what}: preparing", done, total)
        if time.monotonic() - last > KEEP_SECONDS:
            keep(done)
            last = time.monotonic()
    if done != total:
        raise InputError(f"the preparation of {what} ended after {done:,} of {total:,} rows")
    keep(done)
    kept.forget("preparation")


def _opened(path: Path, shape: tuple[int, ...], kind: type[np.generic], *, new: bool) -> np.memmap[Any, Any]:
    """Open an array for writing; a new one gets its whole room now: a full disk would kill the process later."""
    if not new:
        return np.lib.format.open_memmap(path, "r+")
    try:
        array = np.lib.format.open_memmap(path, "w+", np.dtype(kind), shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        path.unlink(missing_ok=True)
        refusal = atomic.cannot_write(path, error, size)
        hint = "set BIM_NEURO_CACHE to a folder with more room" if error.errno == errno.ENOSPC else refusal.hint
        raise NoRoom(refusal.message, hint) from None
    return array


def _done(folder: Path) -> int:
    with suppress(OSError, ValueError):
        return int((folder / "done").read_text())
    return 0


def _name(sources: Iterable[Path], shapes: Shapes, options: Mapping[str, Any]) -> str:
    files = [(str(path.resolve()), (status := path.stat()).st_size, status.st_mtime_ns) for path in sources]
    arrays = {name: (shape, np.dtype(kind).str) for name, (shape, kind) in shapes.items()}
    text = json.dumps([LAYOUT, files, arrays, options], sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()

"""Shards: the finished parts of a long run on disk, so that an interrupted run resumes where it stopped.

    FOLDER/manifest.json     {"key": ...}                    identifies the run: program, input, backend and version
    FOLDER/00007.npz         one part: the arrays of its run record and comparison

A folder with another key is refused, not mixed in. A part is written completely or not at all; a damaged part is run
again. Only the job that holds the lock of the output uses the folder.
"""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..atomic import write
from ..errors import InputError
from ..graph import Graph
from ..intake import read_json, read_npz
from ..nodes import InputSeen
from ..nodes.arithmetic import Array
from ..pack import pack
from ..record import LayerCount, RunRecord

MANIFEST = "manifest.json"
SHA256 = "sha256"


class Shards:
    """The parts of one run, by index; ``key`` says which run, see `run_key`."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        if _begun(folder):
            _check_key(folder, key)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / MANIFEST, json.dumps({"key": key}) + "\n")

    def save(self, index: int, arrays: dict[str, Array]) -> None:
        """Keep a finished part."""
        memory = io.BytesIO()  # a full disk would leave zipfile with an archive it cannot close
        np.savez(memory, **{**arrays, SHA256: np.array(_digest(arrays))})  # type: ignore[arg-type]
        write(self._file(index), memory.getbuffer())

    def load(self, index: int) -> dict[str, Array] | None:
        """Return a finished part; None if there is none or it cannot be read."""
        try:
            arrays = read_npz(self._file(index))
        except InputError:
            return None
        said = arrays.pop(SHA256, None)
        return arrays if said is not None and str(said) == _digest(arrays) else None

    def forget(self) -> None:
        """Remove all parts: the run is complete. Other files, and then the folder, stay."""
        for file in self.folder.glob("[0-9][0-9][0-9][0-9][0-9].npz"):
            file.unlink()
        (self.folder / MANIFEST).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _file(self, index: int) -> Path:
        return self.folder / f"{index:05d}.npz"


def _digest(arrays: dict[str, Array]) -> str:
    """Return a checksum, to detect a part that was changed after it was written."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def run_key(graphs: tuple[Graph[Any], ...], x: Array, *words: str) -> str:
    """Return the key of a run: a hash of the programs, the input, ``words`` and the version."""
    digest = hashlib.sha256(" ".join((__version__, *words, str(x.shape), str(x.dtype))).encode())
    for graph in graphs:
        header, arrays = pack(graph)
        digest.update(json.dumps(header, sort_keys=True, default=str).encode())
        for name in sorted(arrays):
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    for part in x:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def to_arrays(record: RunRecord, prefix: str) -> dict[str, Array]:
    """Return a record without probes as arrays."""
    seen = record.seen
    met = {} if seen is None else {f"{prefix}/seen": np.stack([seen.clipped, seen.low, seen.high])}
    counters = [list(vars(count).values()) for count in record.layers.values()]
    return {
        f"{prefix}/layers": np.array(list(record.layers)),
        f"{prefix}/counters": np.array(counters),
        f"{prefix}/output": record.output,
        f"{prefix}/header": np.array([record.samples, record.steps, record.period]),
        f"{prefix}/backend": np.array([record.backend, json.dumps([record.extra, record.learning_updates])]),
    } | met


def from_arrays(arrays: dict[str, Array], prefix: str) -> RunRecord:
    """Return the record that `to_arrays` took apart."""
    backend, extra = arrays[f"{prefix}/backend"].tolist()
    samples, steps, period = arrays[f"{prefix}/header"].tolist()
    names = arrays[f"{prefix}/layers"].tolist()
    layers = {name: LayerCount(*rows) for name, rows in zip(names, arrays[f"{prefix}/counters"], strict=True)}
    output = arrays[f"{prefix}/output"]
    met = arrays.get(f"{prefix}/seen")
    seen = None if met is None else InputSeen(samples * steps, met[0].astype(np.int64), *met[1:])
    notes, learned = json.loads(extra)
    return RunRecord(backend, samples, steps, period, layers, output, {}, notes, learned, seen)


def _begun(folder: Path) -> bool:
    """Whether parts of a run exist; leftovers of a killed write are removed."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _check_key(folder: Path, key: str) -> None:
    hint = f"delete the folder {folder}, or move it away, to start anew"
    try:
        found = read_json(folder / MANIFEST)["key"]
    except InputError as error:
        raise InputError(f"{folder} does not hold parts of a run: {error.message}", hint) from None
    except (LookupError, TypeError):
        raise InputError(f"{folder} does not hold parts of a run: {MANIFEST} has no key", hint) from None
    if found != key:
        raise InputError(f"{folder} holds parts of another run: other model, input, backend or version", hint)

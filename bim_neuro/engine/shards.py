"""Shards: the finished parts of a long run on disk, so that an interrupted one goes on where it was.

    FOLDER/manifest.json     {"key": ...}                    what run this is: program, input, backend and version
    FOLDER/00007.npz         one part: the arrays a run record and its comparison are made of

A folder with another key is refused, not mixed in; a part is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from .._version import __version__
from ..atomic import replacing
from ..errors import InputError
from ..graph import Graph
from ..nodes import InputSeen
from ..nodes.arithmetic import Array
from ..pack import pack
from ..record import LayerCount, RunRecord

MANIFEST = "manifest.json"


class Shards:
    """The parts of one run, by index; ``key`` says which run, see `run_key`."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        if folder.exists():
            _check_key(folder, key)
        else:
            folder.mkdir(parents=True)
            with replacing(folder / MANIFEST) as temporary:
                temporary.write_text(json.dumps({"key": key}) + "\n")

    def save(self, index: int, arrays: dict[str, Array]) -> None:
        """Keep a finished part."""
        with replacing(self._file(index)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def load(self, index: int) -> dict[str, Array] | None:
        """Return a part that was finished before, or None."""
        file = self._file(index)
        if not file.exists():
            return None
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
                return dict(archive.items())
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            raise InputError(f"{file} is damaged: {error}", f"delete the folder {self.folder}") from None

    def forget(self) -> None:
        """Remove all parts: the run is complete."""
        shutil.rmtree(self.folder)

    def _file(self, index: int) -> Path:
        return self.folder / f"{index:05d}.npz"


def run_key(graphs: tuple[Graph[Any], ...], x: Array, *words: str) -> str:
    """Return what tells one run from another: a hash of the programs, the input, ``words`` and our version."""
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


def _check_key(folder: Path, key: str) -> None:
    hint = f"delete the folder {folder}, or move it away, to start anew"
    try:
        found = json.loads((folder / MANIFEST).read_text())["key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is not the beginning of a run of ours: {error}", hint) from None
    if found != key:
        raise InputError(f"{folder} holds the beginning of another run: other model, input, backend or version", hint)

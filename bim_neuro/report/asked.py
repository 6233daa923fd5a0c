"""The request of a run and its inputs: every option, hashes of the files read, seeds and versions."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..errors import InputError
from ..hardware import HardwareProfile
from ..intake import opened
from ..nodes.arithmetic import Array

LIBRARIES = ("numpy", "numba", "torch", "nir", "lava-nc")
_CHUNK = 1 << 20


def asked(
    options: Mapping[str, Any],
    model: Path | None,
    profile: HardwareProfile,
    raw: Array,
    y: Array | None,
    learning: int | None,
) -> dict[str, Any]:
    """Return summary.json's ``request``; ``options`` may hold options in options, ``learning`` is the noise's seed."""
    return {
        "options": dict(_flat(options)),
        "hashes": {
            "model": file_hash(model) if model else None,
            "input": array_hash(raw, y),
            "target": hashlib.sha256(json.dumps(asdict(profile), sort_keys=True, default=str).encode()).hexdigest(),
        },
        "seeds": {"placement": 0, "learning": learning},
        "versions": {"bim-neuro": __version__, "python": platform.python_version(), **dict(_libraries())},
    }


def file_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if it can no longer be read."""
    digest = hashlib.sha256()
    try:
        with opened(path, empty=True) as file:
            while chunk := os.read(file.descriptor, _CHUNK):
                digest.update(chunk)
    except (InputError, OSError):
        return None
    return digest.hexdigest()


def array_hash(*arrays: Array | None) -> str:
    """Return a SHA-256 of the values, shapes and types of arrays, read sample by sample."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.shape} {array.dtype}".encode())
            for part in array:
                digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        label = f"{prefix} {name}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, label)
        elif isinstance(value, list | tuple):
            yield label, ", ".join(map(str, value))
        else:
            yield label, value if isinstance(value, str | int | float | bool | None) else str(value)


def _libraries() -> Iterator[tuple[str, str]]:
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)

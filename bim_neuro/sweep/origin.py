"""Origin: hashes of all that a result depends on besides its request: code, libraries, model, data, profile."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..hardware import load_profile

LIBRARIES = ("numpy", "scipy", "numba", "h5py", "nir", "torch", "scikit-learn", "wfdb", "lava-nc")
_SOURCES = (".py", ".toml")
_CHUNK = 1 << 20
_SHORT = 20


@cache
def code() -> str:
    """Return a hash of the installed files of this package and of the versions of the libraries it computes with."""
    root = Path(str(files("bim_neuro")))
    digest = hashlib.sha256(json.dumps(libraries(), sort_keys=True).encode())
    for folder in (root, root / "compilers", root / "hardware_profiles"):  # the last two may be links
        for file in sorted(folder.rglob("*")):
            if file.suffix in _SOURCES and file.is_file():
                digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def libraries() -> dict[str, str]:
    """Return the versions of Python and of the libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@cache
def profile_hash(target: str) -> str:
    """Return a hash of every number of a profile."""
    return digest_of(asdict(load_profile(target)))


def content_hash(path: Path) -> str:
    """Return a hash of a file, or of every file in a folder by its name; what has not changed is read once."""
    try:
        parts = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
        looks = [(part.stat().st_size, part.stat().st_mtime_ns) for part in parts]
        return _content_hash(path, tuple(parts), tuple(looks))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


@lru_cache(256)
def _content_hash(path: Path, parts: tuple[Path, ...], looks: tuple[tuple[int, int], ...]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"" if part == path else f"{part.relative_to(path)}\0".encode())
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def digest_of(plain: Any) -> str:
    """Return a hash of plain values."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()


def key_of(plain: Mapping[str, Any]) -> str:
    """Return the name of a folder for what these values say."""
    return digest_of(plain)[:_SHORT]

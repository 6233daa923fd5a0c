"""The compiler of this folder's kernels: numba with a disk cache, typed for mypy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped,unused-ignore]

F = TypeVar("F", bound=Callable[..., Any])

_njit: Any = numba.njit
_FILES = sorted(Path(__file__).parent.glob("*kernel*.py"))
_STAMP = hashlib.sha256(b"".join([numba.__version__.encode(), *(file.read_bytes() for file in _FILES)])).hexdigest()


def compiled(function: F) -> F:
    """Compile a kernel; the cache is dropped when any kernel file of the folder changes."""
    return _compile(function)


def inlined(function: F) -> F:
    """Compile a function of a few operations into its callers."""
    return _compile(function, inline="always")


def _compile(function: F, **options: str) -> F:
    try:
        kernel = _njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # nowhere to write: compile in every process
        return cast(F, _njit(nogil=True, **options)(function))
    if not getattr(numba.config, "DISABLE_JIT", False):
        kernel._cache._cache_file._source_stamp = _STAMP
    return cast(F, kernel)

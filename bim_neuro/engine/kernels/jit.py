"""The compiler: numba, typed for mypy, with a disk cache that notices a change in any kernel.

Numba keeps machine code beside the source and drops it when that one file changes. A kernel holds the code of the
kernels it calls, so an edit in another file would leave stale numbers; here all files of the folder share one stamp.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function on its first call: without the interpreter's lock, cached on disk, exact integer arithmetic."""
    compiled = numba.njit(nogil=True, cache=True)(function)
    compiled._cache._cache_file._source_stamp = _STAMP
    return cast(F, compiled)


def _stamp() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


_STAMP = _stamp()

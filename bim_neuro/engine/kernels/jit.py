"""The compiler: numba, typed for mypy, with a disk cache that notices a change in any kernel.

Numba keeps machine code beside the source and drops it when that one file changes. A kernel holds the code of the
kernels it calls, so an edit in another file would leave stale numbers; here all files of the folder share one stamp.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped,unused-ignore]

F = TypeVar("F", bound=Callable[..., Any])


def _stamp() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


_STAMP = _stamp()
_njit: Any = numba.njit  # `_nrt`, no reference counts, is an option that its types do not list


def _compiled(function: F, **options: bool) -> F:
    options |= {"nogil": True, "_nrt": False}
    try:
        compiled = _njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # nowhere to write: compile in every process
        return cast(F, _njit(error_model="numpy", **options)(function))
    if not getattr(numba.config, "DISABLE_JIT", False):
        compiled._cache._cache_file._source_stamp = _STAMP
    return cast(F, compiled)


def kernel(function: F) -> F:
    """Compile a function that only kernels call; no wrapper for Python is made, which halves the first run."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def entry(function: F) -> F:
    """Compile a function that Python calls; it runs without the interpreter's lock."""
    return _compiled(function, no_cfunc_wrapper=True)

"""The compiler: numba, typed for mypy, with a disk cache that notices a change in any kernel.

Numba keeps machine code beside the source and drops it when that one file changes. A kernel holds the code of the
kernels it calls, so an edit in another file would leave stale numbers; here all files of the folder share one stamp.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
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


def _compiled(function: F, **options: Any) -> F:
    options |= {"nogil": True, "_nrt": False, "error_model": "numpy"}
    try:
        compiled = _njit(cache=True, **options)(function)
    except RuntimeError:
        _warn_uncached()
        return cast(F, _njit(**options)(function))
    if not getattr(numba.config, "DISABLE_JIT", False):
        compiled._cache._cache_file._source_stamp = _STAMP
    return cast(F, compiled)


@cache
def _warn_uncached() -> None:
    """Say, once, why every process is slow to start."""
    text = "no folder to keep compiled kernels in, so that every process compiles them anew: set NUMBA_CACHE_DIR"
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def kernel(function: F) -> F:
    """Compile a function that only kernels call; no wrapper for Python is made, which halves the first run."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def part(function: F) -> F:
    """Compile a function into its callers: a call would copy all tables, some 150 words, a tenth of a microsecond."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def section(function: F) -> F:
    """Set a function into its only caller before either is compiled: the optimiser sees it once, not twice."""
    return _compiled(function, inline="always")


def entry(function: F) -> F:
    """Compile a function that Python calls; it runs without the interpreter's lock."""
    return _compiled(function, no_cfunc_wrapper=True)

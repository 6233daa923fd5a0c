"""Compilation of all kernels: numba, typed for mypy, with a disk cache that may fail and that notices changes.

Numba keeps machine code beside the source and drops it when that one file changes. A kernel holds the code of the
kernels it calls, so an edit in another file would leave stale code; here all files of a folder share one stamp. If the
cache cannot be written or is damaged, a kernel is compiled in the process that needs it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped,unused-ignore]
from llvmlite import binding  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model  # type: ignore[import-untyped,unused-ignore]

__all__ = [
    "address_of",
    "can_keep",
    "code_tools",
    "compiled",
    "compiles_for",
    "entry",
    "inlined",
    "intrinsic",
    "is_kept",
    "kernel",
    "may_compile",
    "new_type",
    "operator_of",
    "part",
    "pointer_to",
    "section",
    "type_of",
    "types",
    "unit",
    "vectorised",
]

F = TypeVar("F", bound=Callable[..., Any])

_typeof: Any = numba.typeof
pointer_to: Any = types.CPointer
_njit: Any = numba.njit  # `_nrt`, no reference counts, is an option that its types do not list
_Type: Any = types.Type
_Model: Any = models.PrimitiveModel
_Template: Any = AbstractTemplate
_register_model: Any = register_model
_infer: Any = infer_global
_lower: Any = lower_builtin
code_tools: Any = cgutils  # loops and variables for intrinsics; untyped
_EVERYWHERE = (
    *("jit.py", "denormals.py", "simulation/kernels/words.py"),
    *("plasticity/noise.py", "plasticity/surrogate.py"),
)
"""Files whose kernels those of other folders call."""
_BARE = {"_nrt": False, "error_model": "numpy"}


def compiled(function: F) -> F:
    """Compile a function that runs without the GIL."""
    return _compile(function)


def inlined(function: F) -> F:
    """Compile a function of a few operations into its callers."""
    return _compile(function, inline="always")


def vectorised(function: F) -> F:
    """Compile; sums may be reordered and contracted into vector instructions; nan and inf keep their meaning."""
    return _compile(function, fastmath={"reassoc", "contract"}, error_model="numpy", no_cfunc_wrapper=True)


def kernel(function: F) -> F:
    """Compile a function that only kernels call; no wrapper for Python is made, which halves the first run."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_BARE)


def part(function: F) -> F:
    """Compile a function into its callers: a call would copy all tables, some 150 words, a tenth of a microsecond."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True, **_BARE)


def section(function: F) -> F:
    """Inline a function into its only caller before either is compiled: the optimiser sees it once, not twice."""
    return _compile(function, inline="always", **_BARE)


def entry(function: F) -> F:
    """Compile a function that Python calls, and that makes no arrays."""
    return _compile(function, no_cfunc_wrapper=True, **_BARE)


def unit(function: F) -> F:
    """Compile a function that kernels call by its address, `address_of`: only those are compiled that a run uses."""
    return _compile(function, no_cpython_wrapper=True, **_BARE)


def address_of(function: Callable[..., Any], place: Any) -> int:
    """Return where the code of a unit lies; it takes what `place` is the type of, and whole numbers."""
    made: Any = function
    signature = types.int64(pointer_to(place), *[types.int64] * (made.py_func.__code__.co_argcount - 1))
    made.compile(signature)
    found = made.overloads[signature.args]
    return int(found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name))


def type_of(value: Any) -> Any:
    """Return the type that kernels see."""
    return _typeof(value)


def new_type(name: str, machine: Any) -> Any:
    """Return a type of kernels for what is one value of a machine type of LLVM."""

    class Type(_Type):  # type: ignore[misc]
        pass

    class Model(_Model):  # type: ignore[misc]
        def __init__(self, manager: Any, kind: Any) -> None:
            super().__init__(manager, kind, machine)

    _register_model(Type)(Model)
    return Type(name)


def operator_of(
    operator: Callable[..., Any], kinds: Collection[Any], build: Callable[[Any, Any], tuple[Any, Any]]
) -> None:
    """Give an operator a meaning for two values of one of ``kinds``, or one and a number: its type and its code."""

    class Template(_Template):  # type: ignore[misc]
        def generic(self, operands: Any, named: Any) -> Any:
            ours = len(operands) == 2 and any(kind in kinds for kind in operands)
            return build(*operands)[0](*operands) if ours else None

    _infer(operator)(Template)

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return build(*signature.args)[1](context, builder, signature, values)

    for kind in kinds:
        for operands in ((kind, kind), (kind, types.Number), (types.Number, kind)):
            _lower(operator, *operands)(code)


def compiles_for(feature: str) -> bool:
    """Whether kernels are compiled for a processor with a feature of LLVM: this one, or what numba is told."""
    told = getattr(numba.config, "CPU_FEATURES", None)
    return bool(binding.get_host_cpu_features().get(feature)) if told is None else f"+{feature}" in told


def _compile(function: F, **options: Any) -> F:
    try:
        made = _njit(cache=True, nogil=True, **options)(function)
    except (RuntimeError, OSError):  # numba found no folder with write permission
        _warn_uncached()
        return cast(F, _njit(nogil=True, **options)(function))
    if may_compile():
        made._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
        _forgive(made._cache)
    return cast(F, made)


def may_compile() -> bool:
    """Whether numba was not told to leave every function to Python, which has none of the kernels' instructions."""
    return not getattr(numba.config, "DISABLE_JIT", False)


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether a kernel needs no compiling: it is plain Python, or this process or the disk has its machine code."""
    made: Any = function
    if not hasattr(made, "signatures") or made.signatures:
        return True
    try:
        return bool(made._cache._cache_file._load_index())
    except Exception:  # noqa: BLE001  unpickling raises whatever damaged bytes lead it to; some kernels have no cache
        return False


def can_keep(function: Callable[..., Any]) -> bool:
    """Whether the disk can have a kernel's machine code."""
    return hasattr(getattr(function, "_cache", None), "_cache_file")


@cache
def _stamp(folder: Path) -> str:
    """Return what changes when numba or any source file of a folder does, or one that any folder's kernels call."""
    digest = hashlib.sha256(numba.__version__.encode())
    for file in [*sorted(folder.glob("*.py")), *(Path(__file__).parent / name for name in _EVERYWHERE)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _forgive(kept: Any) -> None:
    """A cache that cannot be read or written (full disk, half a file) only costs compile time."""
    load, save = kept.load_overload, kept.save_overload

    def load_overload(*where: Any) -> Any:
        try:
            return load(*where)
        except Exception:  # noqa: BLE001  unpickling raises whatever damaged bytes lead it to
            return None

    def save_overload(*what: Any) -> None:
        try:
            save(*what)
        except Exception:  # noqa: BLE001  it reads the index first, which may name what an update took away
            try:
                kept._cache_file.flush()
                save(*what)
            except Exception:  # noqa: BLE001
                _warn_uncached()

    kept.load_overload, kept.save_overload = load_overload, save_overload


@cache
def _warn_uncached() -> None:
    """Warn once why every process is slow to start."""
    text = "compiled kernels cannot be kept on disk, so every process compiles them again: set NUMBA_CACHE_DIR"
    warnings.warn(text, RuntimeWarning, stacklevel=2)

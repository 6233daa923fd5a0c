"""Flush denormals to 0: numbers too small for a full mantissa, which processors handle a hundred times slower.

Traces, states and gradients that decay without input become denormal. Kernels write

    mode = flush_denormals()
    ...
    restore_denormals(mode)

and Python ``with denormals_flushed():``. Both apply to the calling thread and to threads that it starts meanwhile; the
former mode is restored. On processors without such a mode nothing changes; code is only slower.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from .errors import InputError
from .jit import entry, intrinsic, may_compile, types

_X86_BITS = 0x8040  # of MXCSR: results (bit 15) and operands (bit 6) that are denormal count as 0
_ARM_BIT = 1 << 24  # of FPCR
_WORD, _HALF = ir.IntType(64), ir.IntType(32)


def _call(builder: Any, name: str, result: Any, *values: Any) -> Any:
    kind = ir.FunctionType(result, [value.type for value in values])
    module = builder.module
    function = module.globals.get(name) or ir.Function(module, kind, name)
    return builder.call(function, values)


def _through_memory(builder: Any, name: str, value: Any = None) -> Any:
    """Store MXCSR into a word, or load it from there."""
    at = builder.alloca(_HALF)
    if value is not None:
        builder.store(value, at)
    _call(builder, name, ir.VoidType(), builder.bitcast(at, ir.IntType(8).as_pointer()))
    return builder.load(at)


def _read(builder: Any) -> Any:
    if platform.machine() in ("x86_64", "AMD64"):
        return builder.zext(_through_memory(builder, "llvm.x86.sse.stmxcsr"), _WORD)
    if platform.machine() in ("aarch64", "arm64"):
        return _call(builder, "llvm.aarch64.get.fpcr", _WORD)
    return _WORD(0)


def _write(builder: Any, mode: Any) -> None:
    if platform.machine() in ("x86_64", "AMD64"):
        _through_memory(builder, "llvm.x86.sse.ldmxcsr", builder.trunc(mode, _HALF))
    elif platform.machine() in ("aarch64", "arm64"):
        _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), mode)


def _flushing(typing: Any) -> Any:
    """Flush denormals to 0 in this thread; return the former mode, for `restore_denormals`."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        before = _read(builder)
        bits = _ARM_BIT if platform.machine() in ("aarch64", "arm64") else _X86_BITS
        _write(builder, builder.or_(before, _WORD(bits)))
        return before

    return types.int64(), code


def _restoring(typing: Any, mode: Any) -> Any:
    """Set the mode that `flush_denormals` found."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _write(builder, values[0])
        return context.get_dummy_value()

    return types.void(types.int64), code


flush_denormals: Any = intrinsic(_flushing)
restore_denormals: Any = intrinsic(_restoring)


@entry
def _flush() -> int:
    return int(flush_denormals())


@entry
def _restore(mode: int) -> None:
    restore_denormals(mode)


def check_compiles() -> None:
    """Refuse to go on where no kernel can be compiled."""
    if not may_compile():
        raise InputError("NUMBA_DISABLE_JIT is set, but the kernels are machine code alone", "unset it")


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Flush denormals to 0 in this thread, for numpy and PyTorch too."""
    check_compiles()
    mode = _flush()
    try:
        yield
    finally:
        _restore(mode)

"""Calls: how a unit, a kernel that is compiled by itself, is called by its address, with all that a run knows.

Tables and memory are some 150 words, and to copy them takes a tenth of a microsecond: a unit is given a place where
they lie, and reads there what it uses.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, intrinsic, pointer_to, types


def _lay_down(typing: Any, value: Any) -> Any:
    """Return the address of a copy of ``value``, which lives as long as the kernel that makes it."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = signature.args[0]
        place = code_tools.alloca_once(builder, context.get_data_type(kind))
        context.pack_value(builder, kind, values[0], place)
        return place

    return pointer_to(value)(value), code


def _read(typing: Any, place: Any) -> Any:
    """Return what lies at an address."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.unpack_value(builder, signature.return_type, values[0])

    return place.dtype(place), code


def _call(typing: Any, address: Any, place: Any, numbers: Any) -> Any:
    """Call the unit at ``address`` with a place and whole numbers."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        long = ir.IntType(64)
        parts = code_tools.unpack_tuple(builder, values[2])
        kinds = signature.args[2].types
        given = [context.cast(builder, x, kind, types.int64) for x, kind in zip(parts, kinds, strict=True)]
        function = ir.FunctionType(long, [values[1].type, *[long] * len(given)])
        return builder.call(builder.inttoptr(values[0], function.as_pointer()), [values[1], *given])

    return types.int64(types.int64, place, numbers), code


lay_down: Any = intrinsic(_lay_down)
read: Any = intrinsic(_read)
call: Any = intrinsic(_call)

"""Vectors: the few operations that numba's compiler does not find by itself, written as vectors of LLVM.

They are plain LLVM: every processor gets them in registers of whatever width it has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import intrinsic, types

_LANE = ir.IntType(32)


def vector(lanes: int, bits: int) -> Any:
    """Return the type of so many integers."""
    return ir.VectorType(ir.IntType(bits), lanes)


def spread(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector with the value in every lane."""
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_LANE, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(vector(lanes, 32), [0] * lanes))


def address(context: Any, builder: Any, kind: Any, array: Any, place: Any, lanes: Any) -> Any:
    """Return the address of array[place] as one of a vector."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), lanes.as_pointer())


def _write_places(typing: Any, row: Any, at: Any, places: Any, first: Any) -> Any:
    """Write first + p for the eight bytes p of ``places`` to row[at], row[at + 1], ..."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        array, place, packed, start = values
        eight = builder.zext(builder.bitcast(packed, vector(8, 8)), vector(8, 32))
        to = address(context, builder, signature.args[0], array, place, vector(8, 32))
        builder.store(builder.add(eight, spread(builder, start, 8)), to, align=4)

    return types.void(row, types.uint64, types.uint64, types.int32), code


write_places: Any = intrinsic(_write_places)

_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
PLACES = np.argsort(1 - _BITS, axis=1, kind="stable").astype(np.uint8).view("<u8").reshape(-1)
"""Which of eight bits are set, as eight bytes in a word, those that are set first; one word for each byte of bits."""

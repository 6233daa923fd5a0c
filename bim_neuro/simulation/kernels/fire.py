"""Fire: a step of LIF without a current of their own (N7 in 32 bits), sixteen at a time, and the list of who fired.

The list is written from the mask of a comparison, so that who fired is never read back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, intrinsic, kernel, types
from ...nodes.arithmetic import Array
from .vectors import PLACES, Lanes, Place, spread, vector, write_places
from .words import WORD_MAX

LANES = 16
_u64, _i32 = np.uint64, np.int32
_BYTE = _u64(255)


def _step(typing: Any, words: Any, sums: Any, state: Any, places: Any, numbers: Any) -> Any:
    """Build u = 64 s, v = leak(v) + u + bias, fire and reset for sixteen neurons.

    ``places``: of the biases, sums, u and v; ``numbers``: membrane factor and threshold. Returned are a bit for each
    that fired, from bit 16 on how many of the first eight and from bit 24 on of all, from bit 32 on how many saturated.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        rows = [Place(context, builder, kind, value) for kind, value in zip(signature.args, values, strict=True)]
        at_bias, at_sum, at_u, at_v = code_tools.unpack_tuple(builder, values[3])
        factor, threshold = (
            Lanes(builder, spread(builder, n, 16)) for n in code_tools.unpack_tuple(builder, values[4])
        )
        v, current = rows[2].load(at_v), rows[1].load(at_sum) * 64
        leaked = v.down(12) * factor + (((v & 4095) * factor + (v.sign() & 4095)) >> 12)
        wide = leaked + current + rows[0].load(at_bias)
        word = wide.at_most(WORD_MAX).at_least(-WORD_MAX)
        fired = builder.icmp_signed(">", word.value, threshold.value)
        rows[2].store(current, at_u)
        rows[2].store(Lanes(builder, builder.select(fired, vector(16, 32)([0] * 16), word.value)), at_v)
        half, whole, long = ir.IntType(8), ir.IntType(16), ir.IntType(64)
        bits = builder.bitcast(fired, whole)
        lost = builder.bitcast(builder.icmp_unsigned("!=", word.value, wide.value), whole)
        packed = builder.zext(bits, long)
        for place, some in ((16, builder.trunc(bits, half)), (24, bits), (32, lost)):
            counted = builder.zext(builder.ctpop(some), long)
            packed = builder.or_(packed, builder.shl(counted, long(place)))
        return packed

    return types.uint64(words, sums, state, places, numbers), code


_sixteen: Any = intrinsic(_step)


@kernel
def _list(message: Array, count: np.uint64, bits: np.uint64, first: int, left: int) -> None:
    """List up to eight neurons whose bit is set; no place beyond the ``left`` is written, it is another thread's."""
    if left >= 8:
        write_places(message, count, PLACES[bits], _i32(first))
    else:
        for k in range(left):
            message[count] = first + k
            count += (bits >> _u64(k)) & _u64(1)


@kernel
def fire(
    words: Array, biases: int, sums: Array, at: int, state: Array, places: tuple[int, int], message: Array, first: int
) -> tuple[int, int]:
    """Let neurons ``first`` on step, as many as ``message`` has room for; return how many saturated and how many fired.

    Rows of state, sums and biases are filled up to sixteen with neurons that never fire.
    """
    numbers, lost, count = (words[1], words[2]), _u64(0), _u64(0)
    for j in range(0, len(message), LANES):
        packed = _sixteen(words, sums, state, (biases + j, at + j, places[0] + j, places[1] + j), numbers)
        _list(message, count, packed & _BYTE, first + j, len(message) - j)
        high = count + ((packed >> _u64(16)) & _BYTE)
        _list(message, high, (packed >> _u64(8)) & _BYTE, first + j + 8, len(message) - j - 8)
        count += (packed >> _u64(24)) & _BYTE
        lost += packed >> _u64(32)
    return int(lost), int(count)

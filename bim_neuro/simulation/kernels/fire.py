"""Fire: a step of LIF without a current of their own (N7 in 32 bits), sixteen at a time, and the list of who fired.

The list is written from the mask of a comparison, so that who fired is never read back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, compiles_for, intrinsic, kernel, part, types
from ...nodes.arithmetic import Array
from .layout import MARGIN, OUT_COLUMNS, OUT_ROWS, PERIOD, PLANE_SIZE, TILE, TILES
from .synapses import clear
from .vectors import PLACES, Lanes, Place, spread, vector, write_places, write_set
from .words import WORD_MAX

LANES = 16
_u64, _i32 = np.uint64, np.int32
_BYTE = _u64(255)


def _step(bits: int) -> Any:
    """Build u = 64 s, v = leak(v) + u + bias, fire and reset for sixteen neurons.

    ``places``: of the biases, sums, u and v; ``numbers``: membrane factor and threshold. Returned are a bit for each
    that fired, from bit 16 on how many of the first eight and from bit 24 on of all, from bit 32 on how many saturated.
    Sums of 16 ``bits`` are accumulators: they are 0 afterwards, and u, which nobody will ask for, is not kept.
    """

    def typed(typing: Any, words: Any, sums: Any, state: Any, places: Any, numbers: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            rows = [Place(context, builder, kind, value) for kind, value in zip(signature.args, values, strict=True)]
            at_bias, at_sum, at_u, at_v = code_tools.unpack_tuple(builder, values[3])
            factor, threshold = (
                Lanes(builder, spread(builder, n, 16)) for n in code_tools.unpack_tuple(builder, values[4])
            )
            v, arrived = rows[2].load(at_v), rows[1].load(at_sum) if bits == 32 else rows[1].take_half(at_sum)
            current = arrived * 64
            leaked = v.down(12) * factor + (((v & 4095) * factor + (v.sign() & 4095)) >> 12)
            wide = leaked + current + rows[0].load(at_bias)
            word = wide.at_most(WORD_MAX).at_least(-WORD_MAX)
            fired = builder.icmp_signed(">", word.value, threshold.value)
            if bits == 32:
                rows[2].store(current, at_u)
            rows[2].store(Lanes(builder, builder.select(fired, vector(16, 32)([0] * 16), word.value)), at_v)
            half, whole, long = ir.IntType(8), ir.IntType(16), ir.IntType(64)
            bits_fired = builder.bitcast(fired, whole)
            lost = builder.bitcast(builder.icmp_unsigned("!=", word.value, wide.value), whole)
            packed = builder.zext(bits_fired, long)
            for place, some in ((16, builder.trunc(bits_fired, half)), (24, bits_fired), (32, lost)):
                counted = builder.zext(builder.ctpop(some), long)
                packed = builder.or_(packed, builder.shl(counted, long(place)))
            return packed

        return types.uint64(words, sums, state, places, numbers), code

    return intrinsic(typed)


_sixteen, _sixteen_of_plane = _step(32), _step(16)


@part
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
        _list_fired(message, count, packed, first + j, len(message) - j)
        count += (packed >> _u64(24)) & _BYTE
        lost += packed >> _u64(32)
    return int(lost), int(count)


@part
def _list_by_table(message: Array, count: np.uint64, packed: np.uint64, first: int, left: int) -> None:
    """List who fired of sixteen, eight and eight."""
    _list(message, count, packed & _BYTE, first, left)
    _list(message, count + ((packed >> _u64(16)) & _BYTE), (packed >> _u64(8)) & _BYTE, first + 8, left - 8)


@part
def _list_at_once(message: Array, count: np.uint64, packed: np.uint64, first: int, left: int) -> None:
    if left >= LANES:
        write_set(message, count, packed, _i32(first))
    else:
        _list_by_table(message, count, packed, first, left)


_list_fired: Any = _list_at_once if compiles_for("avx512f") else _list_by_table


@kernel
def fire_plane(words: Array, at: int, plane: Array, conv: Array, state: Array, v: int, message: Array) -> Any:
    """Let a layer in plane order step from the accumulators of its tiles; return the same. They are 0 afterwards.

    ``at``: of the LIF's words; ``conv``: the words of the convolution in front.
    """
    numbers, lost, count, j = (words[at + 1], words[at + 2]), _u64(0), _u64(0), 0
    period, biases = words[at + PERIOD], at + PERIOD + 1
    row, margin = conv[OUT_COLUMNS] * conv[TILE], conv[MARGIN] * conv[TILE]
    for tile in range(conv[TILES]):
        bias, start = 0, tile * conv[PLANE_SIZE]
        clear(plane[start : start + margin])
        start += margin
        for _ in range(conv[OUT_ROWS]):
            for k in range(0, row, LANES):
                places = biases + bias, start + k, 0, v + j
                packed = _sixteen_of_plane(words, plane, state, places, numbers)
                _list_fired(message, count, packed, j, len(message) - j)
                count += (packed >> _u64(24)) & _BYTE
                lost += packed >> _u64(32)
                j += LANES
                bias = bias + LANES if bias + LANES < period else 0
            clear(plane[start + row : start + row + 2 * margin])
            start += row + 2 * margin
        biases += period
    return int(lost), int(count)

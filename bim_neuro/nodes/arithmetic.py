"""The integer arithmetic of a microcode neuron: saturation, products, and the two functions of the scan.

Rules N1 to N5 of docs/numerics.md. Every function takes and returns int64 arrays that hold 24-bit words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WORD_BITS = 24  # a state word: sign and 23 bits of magnitude
WORD_MAX = 2 ** (WORD_BITS - 1) - 1
FACTOR_BITS = 16  # the second factor of a product: sign and 16 bits of magnitude
FACTOR_MAX = 2**FACTOR_BITS - 1
LONG_MAX = 2**31 - 1  # Lava's processes compute in 32 bits
FRACTION_BITS = 20  # exp2 and softplus return units of 2^-20

_EXP2_SEGMENTS = 64
_EXP2_TABLE = np.rint(2.0 ** (FRACTION_BITS - np.arange(_EXP2_SEGMENTS + 1) / _EXP2_SEGMENTS)).astype(np.int64)
_LOG2E_BITS = 15
_LOG2E = round(np.log2(np.e) * 2**_LOG2E_BITS)
Z_BITS = 16  # softplus reads its argument in units of 2^-16
_G_SEGMENTS = 32
_G_BITS = 15


def _g_table() -> Array:
    """Tabulate g(e) = ln(1 + e) / e on [0, 1], in units of 2^-15."""
    e = np.arange(1, _G_SEGMENTS + 1) / _G_SEGMENTS
    table: Array = np.rint(np.concatenate([[1.0], np.log1p(e) / e]) * 2**_G_BITS).astype(np.int64)
    return table


_G_TABLE = _g_table()


def ceil_div(amount: int, size: int) -> int:
    """Return amount / size, rounded up."""
    return -(-amount // size)


def saturate(word: Array, maximum: int = WORD_MAX) -> tuple[Array, int]:
    """N1. Clip to -maximum..maximum; also return how many words were clipped."""
    clipped = np.clip(word, -maximum, maximum)
    return clipped, int(np.count_nonzero(clipped != word))


def wrap32(word: Array) -> Array:
    """Keep the lowest 32 bits, signed."""
    return np.asarray(((word + 2**31) & (2**32 - 1)) - 2**31)


def wrapped32(word: Array) -> tuple[Array, int]:
    """N25. Keep the lowest 32 bits, signed; also return how many words changed."""
    kept = wrap32(word)
    return kept, int(np.count_nonzero(kept != word))


def magnitude32(word: Array) -> Array:
    """Return |word| as 32 bits hold it: that of -2^31 is itself."""
    return wrap32(np.abs(word))


def multiply_shift(word: Array, factor: Array | int, shift: int) -> Array:
    r"""N2. Multiply a 24-bit word by a 16-bit factor and shift right, towards zero.

        sign(word * factor) * (|word * factor| >> shift)

    Lava's LIF decays with the same rounding (lava/proc/lif/models.py, subthr_dynamics).
    """
    product: Array = np.asarray(word, dtype=np.int64) * factor
    return np.asarray(np.sign(product) * (np.abs(product) >> shift))


def interpolate(table: Array, position: Array, segment_bits: int) -> Array:
    """N3. Piecewise linear: interpolate from the table's entry at ``position >> segment_bits`` to the next."""
    segment = position >> segment_bits
    rest = position & ((1 << segment_bits) - 1)
    left: Array = table[segment]
    return np.asarray(left + (((table[segment + 1] - left) * rest) >> segment_bits))


def exp2_minus(p: Array) -> Array:
    """N4. 2^-p for p >= 0, both in units of 2^-20; the absolute error stays below 2^-16.

    Source of the bound: tests/nodes/test_arithmetic.py.
    """
    fraction = p & (2**FRACTION_BITS - 1)
    mantissa = interpolate(_EXP2_TABLE, fraction, FRACTION_BITS - 6)
    return np.asarray(mantissa >> np.minimum(p >> FRACTION_BITS, FRACTION_BITS + 1))


def softplus(z: Array) -> tuple[Array, int]:
    r"""N5. softplus(z) = ln(1 + exp z), z in units of 2^-16, the result in units of 2^-20 and below 8.

        e = 2^(-|z| log2 e)                       N4
        softplus(z) = max(z, 0) + e g(e)          g(e) = ln(1 + e) / e by table

    Also returns how many results were clipped at 8. Absolute error below 2^-14, relative error below 0.2 % for z >= -7.
    """
    p = np.minimum(multiply_shift(np.abs(z), _LOG2E, Z_BITS + _LOG2E_BITS - FRACTION_BITS), 2**WORD_BITS - 1)
    e = exp2_minus(p)
    g = interpolate(_G_TABLE, np.minimum(e, 2**FRACTION_BITS - 1), FRACTION_BITS - 5)
    return saturate((np.maximum(z, 0) << (FRACTION_BITS - Z_BITS)) + multiply_shift(e, g, _G_BITS))


def rescale(accumulated: Array, multiplier: Array, shift: int, bias: Array) -> tuple[Array, int]:
    """N6. Bring an accumulated sum into a neuron's own format: saturate, multiply, shift, add the bias."""
    word, clipped = saturate(accumulated)
    return multiply_shift(word, multiplier, shift) + bias, clipped

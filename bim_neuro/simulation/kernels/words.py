"""Words: the integer arithmetic of docs/numerics.md, N1 to N5, one number at a time.

The tables are made here again from their definition, so that a slip in `nodes.arithmetic` shows as a difference.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...jit import kernel
from ...nodes.arithmetic import Array

WORD_MAX = 2**23 - 1
NEAR_FACTOR = NEAR_BIAS = 2**29  # factors and biases of `near` stay below
NEAR_SHIFT = 31  # and so do its shifts
_FAR = 2.0**30  # beyond every limit and bias
_i32, _f64 = np.int32, np.float64


def _segments(values: list[int]) -> Array:
    """Pack value and step to the next of every segment into one word, so that a lookup is one load."""
    left = np.array(values, np.int64)  # below 2^32 and not below 0, so that the step, of either sign, is free above
    return np.asarray(left[:-1] | (np.diff(left) << 32))


_EXP2 = _segments([round(2.0 ** (20 - i / 64)) for i in range(65)])
_LOG2E = round(math.log2(math.e) * 2**15)
_G = _segments([2**15] + [round(math.log1p(i / 32) / (i / 32) * 2**15) for i in range(1, 33)])


@kernel
def clip(word: int, limit: int) -> int:
    """N1. The word, at most ``limit`` either way."""
    return min(max(word, -limit), limit)


@kernel
def shift_towards_zero(product: int, shift: int) -> int:
    """N2. sign(p) (|p| >> s): below zero, add 2^s - 1 before the arithmetic shift."""
    # product >> 63 is 0, or all ones below zero: the mask adds its 2^s - 1 there alone, without a branch
    return (product + ((product >> 63) & ((1 << shift) - 1))) >> shift


@kernel
def exp2_minus(p: int) -> int:
    """N4. 2^-p, both in units of 2^-20, for 0 <= p < 2^24."""
    # p from above: 4 bits of whole octaves, which are a shift; 6 bits of segment; 14 bits of place within it
    segment = _EXP2[(p >> 14) & 63]
    mantissa = (segment & 0xFFFFFFFF) + (((segment >> 32) * (p & 16383)) >> 14)
    return int(mantissa >> (p >> 20))


@kernel
def softplus(z: int) -> int:
    """N5. ln(1 + exp z), z in units of 2^-16, the answer in units of 2^-20, not yet clipped."""
    p = min((abs(z) * _LOG2E) >> 11, 2**24 - 1)  # units of 2^-16 times 2^-15 become 2^-20: 11 bits fewer
    e = exp2_minus(p)
    position = min(e, 2**20 - 1)  # z = 0 makes e = 2^20, one beyond the last segment
    segment = _G[position >> 15]
    g = (segment & 0xFFFFFFFF) + (((segment >> 32) * (position & 32767)) >> 15)
    return int((max(z, 0) << 4) + ((e * g) >> 15))


@kernel
def rescale(accumulated: int, multiplier: int, shift: int, bias: int) -> int:
    """N6. Saturate the sum, multiply, shift, add the bias."""
    return shift_towards_zero(clip(accumulated, WORD_MAX) * multiplier, shift) + bias


@kernel
def near(total: np.int32, factor: np.int32, scale: Any, bias: np.int32) -> np.int32:
    """N6 without 64-bit products, for |factor|, |bias| < 2^29 and a shift below 31; ``scale`` is 2^-shift.

    The saturated sum has 23 bits, so that the product has 52 and is exact in a double, as is a power of two times it;
    to turn it into a whole number cuts towards zero, as N2 does. What is beyond 2^30 is cut there: with the bias it is
    still beyond 2^29, and saturates whatever word it goes into.
    """
    word = min(max(total, _i32(-WORD_MAX)), _i32(WORD_MAX))
    product: Any = _f64(word) * _f64(factor) * scale
    return _i32(_i32(min(max(product, -_FAR), _FAR)) + bias)

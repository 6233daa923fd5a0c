"""Words: the integer arithmetic of docs/numerics.md, N1 to N5, one number at a time.

The tables are made here again from their definition, so that a slip in `nodes.arithmetic` shows as a difference.
"""

from __future__ import annotations

import math

import numpy as np

from ...jit import kernel
from ...nodes.arithmetic import Array

WORD_MAX = 2**23 - 1


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

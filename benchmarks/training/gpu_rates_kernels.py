"""A Triton kernel that does nothing but exponentials."""

from __future__ import annotations

import triton
import triton.language as tl

TILE, TURNS = 1024, 512
_TILE, _TURNS = tl.constexpr(TILE), tl.constexpr(TURNS)


@triton.jit
def exponentials_kernel(numbers):
    """Take 2^-x of each number again and again."""
    at = tl.program_id(0) * _TILE + tl.arange(0, _TILE)
    x = tl.load(numbers + at)
    for _ in range(_TURNS):
        x = tl.exp2(-x)
    tl.store(numbers + at, x)

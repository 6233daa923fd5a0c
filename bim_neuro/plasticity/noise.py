"""Noise for rounding: a hash of (seed, counter), so that every value has its own and order does not matter.

    z = (seed * C1 + counter + 1) * C2;  z ^= z >> 30;  z *= C3;  z ^= z >> 27;  z *= C4;  z ^= z >> 31

The finaliser is SplitMix64's (Steele, Lea, Flood 2014). A chip would use one shift register per core; here draws only
need to be independent and the same in every backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import kernel
from ..nodes.arithmetic import Array

# Unsigned, all of them: of a signed and an unsigned word numba makes a float, and a signed shift keeps the sign.
_STRIDE = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _ONE = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(1)
_SEED_STRIDE = np.uint64(0xD1342543DE82EF95)


def noise(seed: int, first: int, shape: tuple[int, ...], bits: int) -> Array:
    """Return integers in [0, 2^bits), one for each of the counters first, first + 1, ... in C order."""
    with np.errstate(over="ignore"):
        counter = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(first)
        z = (np.uint64(seed) * _SEED_STRIDE + counter + np.uint64(1)) * _STRIDE
        z = (z ^ (z >> _S30)) * _MIX1
        z = (z ^ (z >> _S27)) * _MIX2
        z ^= z >> _S31
    return np.asarray((z >> np.uint64(64 - bits)).astype(np.int64).reshape(shape))


@kernel
def random_bits(seed: Any, counter: Any) -> Any:
    """Return the 64 bits of one counter, of which `noise` takes the highest; both unsigned."""
    z = (seed * _SEED_STRIDE + counter + _ONE) * _STRIDE  # 1 more, for 0 would be hashed to 0
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)

"""A learning rate as the chip has it: a mantissa of a few bits over a power of two."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2

from ...errors import InputError

MANTISSA_BITS = 4


@dataclass(frozen=True)
class FixedRate:
    """A rate as the chip has it, ``mantissa / 2^shift``, and its relative error."""

    mantissa: int
    shift: int
    error: float


def as_rate(wanted: float) -> FixedRate:
    """Write a rate as a four-bit mantissa over a power of two; 0 stays 0."""
    if wanted <= 0:
        return FixedRate(0, 1, 0.0)
    shift = MANTISSA_BITS - 1 - floor(log2(wanted))
    if not 1 <= shift <= 62:
        raise InputError(f"a rate of {wanted:.3g} needs a shift of {shift} bits, allowed: 1 to 62")
    mantissa = round(wanted * 2.0**shift)
    return FixedRate(mantissa, shift, mantissa * 2.0**-shift / wanted - 1)

"""What a dense synapse of netx multiplies by: the file's weights, but for three cases, told here.

netx shifts the weights of a layer left until the largest fills 8 bits, Lava's Dense drops the bits below the precision
that is left, and shifts their sum back (netx/utils.py, lava/utils/weightutils.py). So they come through as they are,
except that

    of positive and negative ones, those beyond -256 and 254 are cut off there;
    of negative ones alone, -256 after the shift becomes -255 before the bits are dropped;
    what would be dropped by less than 0 bits, or leave a fraction of the sum, has no such law and is refused.
"""

from __future__ import annotations

import numpy as np

from ..errors import DoesNotFit, Finding
from ..nodes.arithmetic import Array

LOWEST, HIGHEST = -256, 254
"""Where netx cuts weights of both signs off."""
_BYTE = 255
_PRECISION = 8


def held(parts: list[Array], who: str) -> list[Array]:
    """Return the weights that count, of arrays that netx shifts together: those of the input and of recurrence."""
    whole = np.concatenate([part.ravel() for part in parts])
    if not whole.any():
        return parts
    low, high = int(whole.min()), int(whole.max())
    if low < 0 < high:
        parts, whole = [np.clip(part, LOWEST, HIGHEST) for part in parts], np.clip(whole, LOWEST, HIGHEST)
        low, high = int(whole.min()), int(whole.max())
    signed = low < 0 <= high
    scale = -(_BYTE + 1) / low if high < 0 else _BYTE / high if low >= 0 else _of_both(low, high)
    shift = int(np.floor(np.log2(scale))) + signed
    if shift < 0:
        message = f"{who} has weights from {low} to {high}, netx holds -256 to -1 or 0 to {_BYTE} of one sign"
        raise DoesNotFit([Finding("netx-weights", who, message, float(max(-low, high)), _BYTE, _HINT)])
    bits = _PRECISION - shift - (_even_bits(whole) - signed)
    return [_in_lava(part, shift, bits, who) for part in parts]


_HINT = "scale the weights and the threshold of the layer"


def _of_both(low: int, high: int) -> float:
    """Return how far weights with negative ones, and perhaps positive ones, may grow in a byte with a sign."""
    return min(127 / high if high else np.inf, -128 / low)


def _even_bits(weights: Array) -> int:
    """Return how many of the last bits, at most 8, are zero in all weights."""
    all_bits = int(np.bitwise_or.reduce(weights)) | 1 << _PRECISION
    return (all_bits & -all_bits).bit_length() - 1


def _in_lava(weight: Array, shift: int, bits: int, who: str) -> Array:
    """Return what Lava's Dense leaves of shifted weights; it looks at the signs of each array by itself."""
    low, high = int(weight.min()), int(weight.max())
    sign = -1 if high <= 0 and low < 0 else 1
    mixed = low < 0 < high
    size = np.clip(sign * (weight << shift), -(_BYTE + 1) if mixed else 0, _BYTE)
    dropped = _PRECISION - bits + mixed
    kept = sign * ((size >> dropped) << dropped) if dropped >= 0 else size
    if dropped < 0 or (kept % (1 << shift)).any():
        message = f"{who} has weights from {low} to {high} without a positive one, of which Lava's Dense drops a part"
        raise DoesNotFit([Finding("netx-weights", who, message, low, -_BYTE, _HINT)])
    return np.asarray(kept >> shift)

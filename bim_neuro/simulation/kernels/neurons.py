"""Neurons: one step of a layer of LIF, relay or readout neurons. Each kernel returns how many words saturated."""

from __future__ import annotations

import numpy as np

from ...jit import kernel
from ...nodes.arithmetic import Array
from .words import WORD_MAX, clip, near, rescale, shift_towards_zero

MESSAGE_MAX = 2**15 - 1
_WRAP = 2**23
_i32, _f64 = np.int32, np.float64


@kernel
def decay32(word: np.int32, factor: np.int32) -> np.int32:
    """Multiply by factor / 4096, towards zero, without leaving 32 bits.

        w f >> 12 = (w >> 12) f + ((w & 4095) f + r >> 12)        r = 4095 where w < 0: towards zero, not down

    Exact for |w| <= 2^23 and 0 <= f <= 4096; sixteen words go through one vector register.
    """
    rest = _i32(_i32(_i32(word & 4095) * factor) + _i32(_i32(word >> 31) & 4095))
    return _i32(_i32(_i32(word >> 12) * factor) + _i32(rest >> 12))


@kernel
def wrap32(word: np.int32) -> np.int32:
    """Wrap into -2^23 < w <= 2^23, once, for |w| < 3 * 2^23: sign-extend the lowest 24 bits of w - 1."""
    return _i32(_i32(_i32(_i32(word - 1) << 8) >> 8) + 1)


@kernel
def lif(words: Array, bias: Array, sums: Array, u: Array, v: Array, flags: Array) -> int:
    """N7 in 32 bits. ``words``: current factor, membrane factor, threshold, calm, then the bias of every neuron.

    `engine.tables` sends here only layers whose input stays within 2^18, so that no 32-bit sum can overflow.
    """
    current, membrane, threshold = words[0], words[1], words[2]
    saturated = _i32(0)
    for j in range(len(sums)):
        wide = _i32(_i32(sums[j] << 6) + decay32(u[j], current))
        wrapped = wrap32(wide)
        x = _i32(_i32(decay32(v[j], membrane) + wrapped) + bias[j])
        y = _i32(min(max(x, _i32(-WORD_MAX)), _i32(WORD_MAX)))
        saturated = _i32(_i32(saturated + _i32(wrapped != wide)) + _i32(y != x))
        fired = y > threshold
        u[j] = wrapped
        v[j] = _i32(0) if fired else y
        flags[j] = fired
    return int(saturated)


@kernel
def wide_lif(words: Array, bias: Array, sums: Array, u: Array, v: Array, flags: Array) -> int:
    """N7 in 64 bits, for layers whose input may leave 2^18; a current wraps once, as in Lava, and may stay outside."""
    current, membrane, threshold = words[0], words[1], words[2]
    saturated = 0
    for j in range(len(sums)):
        wide = shift_towards_zero(u[j] * current, 12) + (sums[j] << 6)
        wrapped = wide - 2 * _WRAP if wide > _WRAP else (wide + 2 * _WRAP if wide <= -_WRAP else wide)
        x = shift_towards_zero(v[j] * membrane, 12) + wrapped + bias[j]
        y = clip(x, WORD_MAX)
        saturated += (wrapped != wide) + (y != x)
        fired = y > threshold
        u[j] = wrapped
        v[j] = 0 if fired else y
        flags[j] = fired
    return saturated


@kernel
def narrow_relay(words: Array, sums: Array, message: Array, pitch: int, first: int) -> tuple[int, int]:
    """N8 in 32 bits. ``words``: shift, multipliers, biases; return how many saturated, and how many are not zero."""
    scale, multiplier, bias = 1.0 / _f64(1 << words[0]), words[1 + first :], words[1 + pitch + first :]
    saturated, sent = _i32(0), _i32(0)
    for j in range(len(message)):
        r = near(sums[j], multiplier[j], scale, bias[j])
        y = min(max(r, _i32(-MESSAGE_MAX)), _i32(MESSAGE_MAX))
        saturated = _i32(_i32(saturated + _i32(abs(sums[j]) > _i32(WORD_MAX))) + _i32(y != r))
        sent = _i32(sent + _i32(y != _i32(0)))
        message[j] = y
    return int(saturated), int(sent)


@kernel
def narrow_readout(words: Array, sums: Array, v: Array, message: Array, pitch: int, first: int) -> tuple[int, int]:
    """N10 in 32 bits. ``words``: shift, decay, multipliers, biases; return the same.

    23 bits of voltage times at most 2^16 of decay are exact in a double, and are cut towards zero, as N2 does.
    """
    scale, decay = 1.0 / _f64(1 << words[0]), _f64(words[1]) / 65536.0
    multiplier, bias = words[2 + first :], words[2 + pitch + first :]
    saturated, sent = _i32(0), _i32(0)
    for j in range(len(message)):
        x = _i32(_i32(_f64(v[j]) * decay) + near(sums[j], multiplier[j], scale, bias[j]))
        y = min(max(x, _i32(-WORD_MAX)), _i32(WORD_MAX))
        saturated = _i32(_i32(saturated + _i32(abs(sums[j]) > _i32(WORD_MAX))) + _i32(y != x))
        sent = _i32(sent + _i32(y != _i32(0)))
        v[j] = y
        message[j] = y
    return int(saturated), int(sent)


@kernel
def relay(words: Array, sums: Array, message: Array, width: int, first: int) -> int:
    """N8. ``words``: shift, then multipliers, then biases."""
    shift, multiplier, bias = words[0], words[1 + first :], words[1 + width + first :]
    saturated = 0
    for j in range(len(sums)):
        r = rescale(sums[j], multiplier[j], shift, bias[j])
        sent = clip(r, MESSAGE_MAX)
        saturated += (abs(sums[j]) > WORD_MAX) + (sent != r)
        message[j] = _i32(sent)
    return saturated


@kernel
def readout(words: Array, sums: Array, v: Array, message: Array, width: int, first: int) -> int:
    """N10. ``words``: shift, decay, then multipliers, then biases."""
    shift, decay, multiplier, bias = words[0], words[1], words[2 + first :], words[2 + width + first :]
    saturated = 0
    for j in range(len(sums)):
        x = shift_towards_zero(v[j] * decay, 16) + rescale(sums[j], multiplier[j], shift, bias[j])
        y = clip(x, WORD_MAX)
        saturated += (abs(sums[j]) > WORD_MAX) + (y != x)
        v[j] = y
        message[j] = _i32(y)
    return saturated

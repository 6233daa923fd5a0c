"""Neurons: one step of a layer of LIF, relay or readout neurons. Each kernel returns how many words saturated."""

from __future__ import annotations

import numpy as np

from ...nodes.arithmetic import Array
from .jit import kernel
from .words import WORD_MAX, clip, rescale, shift_towards_zero

MESSAGE_MAX = 2**15 - 1
_WRAP = 2**23
_i32 = np.int32


@kernel
def decay32(word: np.int32, factor: np.int32) -> np.int32:
    """Multiply by factor / 4096, towards zero, in 32 bits: |w| f >> 12 = (|w| >> 12) f + (((|w| & 4095) f) >> 12).

    Exact for |w| <= 2^23 and 0 <= f <= 4096; sixteen words go through one vector register.
    """
    size = _i32(abs(word))
    decayed = _i32(_i32(_i32(size >> 12) * factor) + _i32(_i32(_i32(size & 4095) * factor) >> 12))
    return _i32(-decayed) if word < 0 else decayed


@kernel
def lif(words: Array, sums: Array, u: Array, v: Array, flags: Array, width: int) -> int:
    """N7 in 32 bits. ``words``: current factor, membrane factor, threshold, then the bias of every neuron.

    `engine.tables` sends here only layers whose input stays within 2^18, so that no 32-bit sum can overflow.
    """
    current, membrane, threshold, bias = words[0], words[1], words[2], words[3:]
    saturated = 0
    if current == 0:
        for j in range(width):
            u[j] = _i32(sums[j] << 6)
    else:
        for j in range(width):
            u[j] = _i32(decay32(u[j], current) + _i32(sums[j] << 6))
    for j in range(width):
        wide = u[j]
        wrapped = _i32(wide - 2 * _WRAP) if wide > _WRAP else (_i32(wide + 2 * _WRAP) if wide <= -_WRAP else wide)
        x = _i32(_i32(decay32(v[j], membrane) + wrapped) + bias[j])
        y = _i32(min(max(x, _i32(-WORD_MAX)), _i32(WORD_MAX)))
        saturated += (wrapped != wide) + (y != x)
        fired = y > threshold
        u[j] = wrapped
        v[j] = _i32(0) if fired else y
        flags[j] = fired
    return saturated


@kernel
def wide_lif(words: Array, sums: Array, u: Array, v: Array, flags: Array, width: int) -> int:
    """N7 in 64 bits, for layers whose input may leave 2^18; a current wraps once, as in Lava, and may stay outside."""
    current, membrane, threshold, bias = words[0], words[1], words[2], words[3:]
    saturated = 0
    for j in range(width):
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
def relay(words: Array, sums: Array, message: Array, width: int) -> int:
    """N8. ``words``: shift, then multipliers, then biases."""
    shift, multiplier, bias = words[0], words[1 : 1 + width], words[1 + width :]
    saturated = 0
    for j in range(width):
        r = rescale(sums[j], multiplier[j], shift, bias[j])
        sent = clip(r, MESSAGE_MAX)
        saturated += (abs(sums[j]) > WORD_MAX) + (sent != r)
        message[j] = _i32(sent)
    return saturated


@kernel
def readout(words: Array, sums: Array, v: Array, message: Array, width: int) -> int:
    """N10. ``words``: shift, decay, then multipliers, then biases."""
    shift, decay, multiplier, bias = words[0], words[1], words[2 : 2 + width], words[2 + width :]
    saturated = 0
    for j in range(width):
        x = shift_towards_zero(v[j] * decay, 16) + rescale(sums[j], multiplier[j], shift, bias[j])
        y = clip(x, WORD_MAX)
        saturated += (abs(sums[j]) > WORD_MAX) + (y != x)
        v[j] = y
        message[j] = _i32(y)
    return saturated

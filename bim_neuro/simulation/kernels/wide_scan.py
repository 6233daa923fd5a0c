"""Wide scan: one step of D channels with N states each (N9) in 64 bits, for what `scan` cannot hold, in two passes.

The state lies transposed, [N, D], so that the inner loop runs over channels: B and C are then one number a pass, and
all of the vector unit works however few states there are.
"""

from __future__ import annotations

import numpy as np

from ...jit import kernel
from ...nodes.arithmetic import Array
from .rows import COLUMNS
from .words import WORD_MAX, clip, exp2_minus, rescale, shift_towards_zero, softplus

Y_MAX = 2**17 - 1
U_MAX = 2**15 - 1


@kernel
def wide_scan(
    words: Array, sums: Array, h: Array, channels: Array, message: Array, width: int, states: int, first: int
) -> int:
    """Advance the channels of ``message``, from ``first`` on, by one step; return how many words saturated.

    ``words``: seven shifts (u, dt, alpha, du, B, C, D), then u and dt multipliers and biases, D_skip, and alpha [N, D].
    ``sums``: the ports u, dt, B, C, each filled up. ``channels``: scratch rows delta, delta u, y.
    """
    count = len(message)
    delta, du, y = channels[0, :count], channels[1, :count], channels[2, :count]
    saturated = _gates(words, sums, delta, du, y, width, first)
    rates = 7 + 5 * width + first
    alpha_shift, b_shift, c_shift = words[2], words[4], words[5]
    ports = (width + COLUMNS - 1) & -COLUMNS
    b, c = sums[2 * ports :], sums[2 * ports + ((states + COLUMNS - 1) & -COLUMNS) :]
    for n in range(states):
        row = h[n * width + first :]
        rate = words[rates + n * width :]
        saturated += _state(row, rate, alpha_shift, delta, du, y, b[n], b_shift, c[n], c_shift)
    for d in range(count):
        sent = clip(y[d], Y_MAX)
        saturated += sent != y[d]
        message[d] = np.int32(sent)
    return saturated


@kernel
def _gates(words: Array, sums: Array, delta: Array, du: Array, y: Array, width: int, first: int) -> int:
    """Step size delta = softplus(z), input u and their product; y starts as D_skip u."""
    u_shift, dt_shift, du_shift, d_shift = words[0], words[1], words[3], words[6]
    own = words[7 + first :]
    u_factor, dt_factor, u_bias, dt_bias, skip = (
        own, own[width:], own[2 * width :], own[3 * width :], own[4 * width :]
    )  # fmt: skip
    u_sums, dt_sums = sums[first:], sums[((width + COLUMNS - 1) & -COLUMNS) + first :]
    saturated = 0
    for d in range(len(delta)):
        z = rescale(dt_sums[d], dt_factor[d], dt_shift, dt_bias[d])
        z_word = clip(z, WORD_MAX)
        step = softplus(z_word)
        delta[d] = min(step, WORD_MAX)
        saturated += (abs(dt_sums[d]) > WORD_MAX) + (z_word != z) + (step > WORD_MAX)
    for d in range(len(delta)):
        wide_u = rescale(u_sums[d], u_factor[d], u_shift, u_bias[d])
        u = clip(wide_u, U_MAX)
        wide_du = shift_towards_zero(delta[d] * u, du_shift)
        du[d] = clip(wide_du, WORD_MAX)
        y[d] = shift_towards_zero(skip[d] * u, d_shift)
        saturated += (abs(u_sums[d]) > WORD_MAX) + (u != wide_u) + (du[d] != wide_du)
    return saturated


@kernel
def _state(
    h: Array,
    alpha: Array,
    alpha_shift: int,
    delta: Array,
    du: Array,
    y: Array,
    b: int,
    b_shift: int,
    c: int,
    c_shift: int,
) -> int:
    """h <- decay h + (delta u) B and y <- y + C h for one state of every channel."""
    saturated = 0
    for d in range(len(delta)):
        p = min((delta[d] * alpha[d]) >> alpha_shift, 2**24 - 1)
        decay = min(exp2_minus(p) >> 4, 2**16 - 1)
        x = shift_towards_zero(h[d] * decay, 16) + shift_towards_zero(du[d] * b, b_shift)
        word = clip(x, WORD_MAX)
        saturated += word != x
        h[d] = word
        y[d] += shift_towards_zero(word * c, c_shift)
    return saturated

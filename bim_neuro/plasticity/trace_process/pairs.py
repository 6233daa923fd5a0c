r"""Pairs: STDP between the block's input lines and its spikes in integers, alone or times the learning signal.

    pre_j[t]  = (pre_j[t-1] + 2^12 x_j[t-1]) f+ / 2^16        Omega = sum_t a+ s_i pre_j - a- post_i x_j
    post_i[t] = (post_i[t-1] + 2^12 s_i[t-1]) f- / 2^16       f = 2^16 exp(-1 / tau)

Traces are 24-bit words (N1). W(0) = 0, as they are read before the step's spikes are added (docs/learning.md). The
three-factor form (S-TLLR) puts psi in the place of the post spike and counts pairs of one step as causal.
"""

from __future__ import annotations

from math import exp

import numpy as np

from ...nodes.arithmetic import Array, multiply_shift, saturate
from ..request import Plasticity

IMPULSE_BITS = 12
AMPLITUDE_BITS = 8
KEPT_BITS = 8  # fraction bits of an eligibility
_PSI_BITS = 16


def pair_stdp(plasticity: Plasticity, x: Array, spikes: Array) -> Array:
    """Return Omega (D, M) of one sample: x (T, M), spikes (T, D)."""
    pre = _before(x, plasticity.tau_plus)
    post = _before(spikes, plasticity.tau_minus)
    a_plus, a_minus = _amplitudes(plasticity)
    return np.asarray(a_plus * (spikes.T @ pre) - a_minus * (post.T @ x))


def three_factor(plasticity: Plasticity, x: Array, psi: Array, shown: Array, omega: Array) -> Array:
    """Return the eligibilities (D, M) of one sample in units of 2^-8; psi and omega psi (T, D), omega (T,): 16 bits."""
    pre = _before(x, plasticity.tau_plus) + (x << IMPULSE_BITS)
    post = (omega[:, None] * _before(psi, plasticity.tau_minus, impulse_bits=0)) >> _PSI_BITS
    a_plus, a_minus = _amplitudes(plasticity)
    surplus = _PSI_BITS + AMPLITUDE_BITS - KEPT_BITS
    causal = multiply_shift(a_plus * (shown.T @ pre), 1, surplus + IMPULSE_BITS)
    return np.asarray(causal - multiply_shift(a_minus * (post.T @ x), 1, surplus))


def _before(lines: Array, tau: float, impulse_bits: int = IMPULSE_BITS) -> Array:
    """Return the trace before each step's spikes are added, (T, lines)."""
    factor = round(2**16 * exp(-1 / tau))
    met = np.zeros_like(lines)
    for t in range(1, len(lines)):
        word, _ = saturate(met[t - 1] + (lines[t - 1] << impulse_bits))
        met[t] = multiply_shift(word, factor, 16)
    return met


def _amplitudes(plasticity: Plasticity) -> tuple[int, int]:
    return round(plasticity.a_plus * 2**AMPLITUDE_BITS), round(plasticity.a_minus * 2**AMPLITUDE_BITS)

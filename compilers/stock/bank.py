r"""Bank: functions of one variable as sums of rectified differences, in integers, with a proof of their range.

    f(z) = f_0 + sum_j w_j relu(z - k_j) 2^e        knots k_0 < ... < k_K, sum of w_j = 0

Below the first knot f is f_0, beyond the last it is constant too: z is clipped by the bank itself. Slopes are whole
numbers of 6 bits and a sign; each is chosen so that the next knot is met as well as it can be, with the error that is
left so far (error diffusion). Between knots f is linear, so that its largest and smallest values lie at knots.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...nodes.arithmetic import Array

SLOPE_MAX = 63
"""Two slopes differ by at most 126, and the last one ends in 0: all changes are weights of 8 bits."""
_GRID = 512  # points of a channel's range at which the curvature is measured
_LEAST = 0.05  # share of an even spread in the density of knots


class Rows(NamedTuple):
    """Fitted functions: ``base`` (rows,), ``weight`` (rows, knots), ``exponent`` (rows,), and ``at`` the knots."""

    base: Array
    weight: Array
    exponent: Array
    at: Array  # (rows, knots), exact


def place_knots(low: Array, high: Array, curves: Callable[[Array], Array], segments: int) -> Array:
    """Return knots (channels, segments + 1) from ``low`` to ``high``, dense where the functions bend.

    ``curves`` gives functions of z (channels, points), (functions, channels, points), each of a range near 1. The error
    of a straight piece is its length squared times the second derivative: its root is the best density.
    """
    z = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _GRID)
    bend = np.abs(np.gradient(np.gradient(curves(z), axis=-1), axis=-1)).max(axis=0)
    density = np.sqrt(bend)
    density = density + _LEAST * density.mean(axis=1, keepdims=True) + 1e-12
    mass = np.cumsum(density, axis=1)
    mass = (mass - mass[:, :1]) / (mass[:, -1:] - mass[:, :1])
    shares = np.linspace(0, 1, segments + 1)
    return np.stack([np.interp(shares, row, points) for row, points in zip(mass, z, strict=True)])


def whole_knots(knots: Array, unit: Array) -> Array:
    """Return knots in units of z, each at least one beyond the one before."""
    whole = np.rint(knots / unit[:, None]).astype(np.int64)
    steps = np.arange(knots.shape[1])
    return np.asarray(np.maximum.accumulate(whole - steps, axis=1) + steps)


def fit(knots: Array, wanted: Array, low: float, high: float) -> Rows:
    """Fit rows of functions to ``wanted`` (rows, knots) at ``knots`` (rows, knots); values stay in low..high."""
    gaps = np.diff(knots, axis=1).astype(np.float64)
    steepest = np.abs(np.diff(wanted, axis=1) / gaps).max(axis=1)
    exponent = np.ceil(np.log2(np.maximum(steepest, 2.0**-60) / SLOPE_MAX)).astype(np.int64)
    exponent = np.maximum(exponent, -29)
    value = np.clip(np.rint(wanted[:, 0]), low, high)
    base, slopes, at = value.astype(np.int64), [], [value]
    for k in range(gaps.shape[1]):
        step = gaps[:, k] * 2.0**exponent
        least = np.ceil(np.maximum((low - value) / step, -SLOPE_MAX))
        most = np.floor(np.minimum((high - value) / step, SLOPE_MAX))
        slope = np.clip(np.rint((wanted[:, k + 1] - value) / step), least, most)
        value = value + slope * step
        slopes.append(slope)
        at.append(value)
    weight = np.diff(np.stack(slopes, axis=1), axis=1, prepend=0, append=0)
    return Rows(base, weight.astype(np.int64), exponent, np.stack(at, axis=1))

"""Grids: weights that are whole multiples of one unit keep it, so that nothing of them is rounded.

A net that was trained on a grid (whole numbers, 32nds) and scaled to the largest weight anew would lose it: 1, 2 and 3
become 42, 85 and 127. Kept are grids of at most as many units as a weight has.
"""

from __future__ import annotations

from math import floor, log2

import numpy as np

from ..nodes.arithmetic import Array

_WIDEST = 2.0**40
"""Units in the largest weight from which on weights are any floats, on the grid of their last bits alone."""
_PARTS = (1, 2, 3, 4)
"""A decimal grid is looked for in the smallest weight divided by these."""
_SOME = 2**12
"""Weights that are looked at first: what has no grid shows it early."""
_OFF = 1e-5
"""What a weight may lie beside a decimal grid, in units: float32 holds 100 x .1 to 1e-5."""


def common_unit(weights: Array, most: int) -> float:
    """Return the largest unit of which all weights are whole multiples, 0 where the largest is more than ``most``."""
    if weights.size > _SOME and not common_unit(weights[:_SOME], most) and weights[:_SOME].any():
        return 0.0
    sizes = np.unique(np.abs(weights[weights != 0]))
    if not sizes.size:
        return 0.0
    for unit in (_binary(sizes), *(float(sizes[0]) / part for part in _PARTS)):
        times = sizes / unit if unit else np.full(1, np.inf)
        if times[-1] <= most + _OFF and np.abs(times - np.rint(times)).max() <= _OFF:
            return unit
    return 0.0


def grid_unit(weights: Array, most: int, anchor: float = 0.0, anchor_most: int = 0) -> float:
    """Return the finest unit that keeps the grid of weights, as `common_unit` over a power of two; 0 for no grid.

    It is as fine as the largest weight (at most ``most`` units) and an ``anchor`` (at most ``anchor_most``) allow.
    """
    sizes = np.abs(weights[weights != 0])
    if not sizes.size or not (unit := common_unit(weights, most)):
        return 0.0
    finer = log2(most / (float(sizes.max()) / unit))
    if anchor > 0:
        finer = min(finer, log2(anchor_most / (anchor / unit)))
    return unit * 2.0 ** -floor(finer + 1e-9) if finer >= 0 else 0.0


def one_magnitude(weights: Array) -> bool:
    """Whether all weights but zeros have one size: any unit that divides it holds them."""
    return np.unique(np.abs(weights[weights != 0])).size == 1


def _binary(sizes: Array) -> float:
    """Return the greatest common divisor of positive floats, 0 where the largest holds too many of them."""
    mantissa, exponent = np.frexp(sizes)
    whole = (mantissa * 2.0**53).astype(np.int64)
    last = exponent - 53 + np.log2(whole & -whole).astype(np.int64)  # the place of the last bit that is set
    step = 2.0 ** int(last.min())
    if sizes[-1] / step > _WIDEST:
        return 0.0
    return float(np.gcd.reduce(np.rint(sizes / step).astype(np.int64))) * step

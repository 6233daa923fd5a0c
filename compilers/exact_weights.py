"""Units of weights that are integers already, as those of lava-dl: none is rounded, and sums stay exact.

A LIF counts its threshold in units of a weight, so its unit is given. A switch neuron multiplies its sums: there every
neuron has the finest unit in which its weights are whole, so that few messages fill a word no sooner than the state.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import DoesNotFit, Finding
from ..nodes.arithmetic import Array
from ..nodes.cuba import HIGH_BITS
from ..nodes.lif import ACCUMULATOR_SHIFT
from ..nodes.synapses import WEIGHT_MAX

Rows = Mapping[tuple[int, int], Array]
"""The weights that share a scale, by the neurons (first, last) that they lead to."""
_FAR = 2.0**40
"""Weights beyond so many units are clipped before they become integers, and then refused."""


def exact_units(rows: Rows, unit: Array, given: float, most_wide: int | None, layer: str) -> Array:
    """Return units in which no weight is rounded; refuse weights that have none.

    All weights are multiples of ``given``, which is the unit itself where ``most_wide`` is None; else that is how many
    units a weight in two lists may have, 0 where there is one list.
    """
    kept = unit.copy()
    for (first, last), row in rows.items():
        whole = np.rint(np.clip(row / given, -_FAR, _FAR)).astype(np.int64)
        if most_wide is None:
            finest = float(np.abs(whole).max(initial=0) <= WEIGHT_MAX)
        else:
            finest = exact_unit(whole, WEIGHT_MAX, most_wide)
        if not finest or (whole * given != row).any():
            raise DoesNotFit([_inexact(layer, first, row)])
        kept[first:last] = given * finest
    return kept


def exact_unit(whole: Array, most: int, most_wide: int = 0) -> float:
    """Return the finest unit, at least that of the state, in which whole numbers are weights as they are; 0 for none.

    They are at most ``most`` units, or ``most_wide`` in two lists; those hold every number but one that lies 128 beyond
    a multiple of 256.
    """
    common = int(np.gcd.reduce(whole, initial=0)) or 1
    for fits in (lambda units: np.abs(units).max(initial=0) <= most, lambda units: _in_two_lists(units, most_wide)):
        for finer in range(ACCUMULATOR_SHIFT, -1, -1):
            if fits((whole // common) << finer):
                return common * 2.0**-finer
    return 0.0


def _in_two_lists(units: Array, most: int) -> bool:
    """Whether two lists of 8 bits, the upper one worth 256, hold whole numbers without 128 in either."""
    return bool(np.abs(units).max(initial=0) <= most and (units % 2**HIGH_BITS != 2 ** (HIGH_BITS - 1)).all())


def _inexact(layer: str, neuron: int, row: Array) -> Finding:
    """Return the finding of weights that 8 bits, or 16, do not hold as they are."""
    largest = float(np.abs(row).max(initial=0.0))
    message = (
        f"layer '{layer}' has weights of up to {largest:g} into neuron {neuron} that no list of synapses holds whole"
    )
    return Finding("exact-weights", layer, message, largest, hint="make the largest weight smaller, or use fewer bits")

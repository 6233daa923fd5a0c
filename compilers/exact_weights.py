"""Units of weights that are integers already, as those of lava-dl: none is rounded, and sums stay exact.

A LIF counts its threshold in units of a weight, so its unit is given. A switch neuron multiplies its sums: there every
neuron has the finest unit in which its weights are whole, so that few messages fill a word no sooner than the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    for places, weights in _of_one_length(rows):
        whole = np.rint(np.clip(weights / given, -_FAR, _FAR)).astype(np.int64)
        if most_wide is None:
            finest = (np.abs(whole).max(axis=1, initial=0) <= WEIGHT_MAX).astype(np.float64)
        else:
            finest = finest_units(whole, WEIGHT_MAX, most_wide)
        wrong = (finest == 0) | (whole * given != weights).any(axis=1)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise DoesNotFit([_inexact(layer, places[first][0], weights[first])])
        for (first, last), found in zip(places, finest.tolist(), strict=True):
            kept[first:last] = given * found
    return kept


def _of_one_length(rows: Rows) -> Iterator[tuple[list[tuple[int, int]], Array]]:
    """Yield rows of the same length together, and the places of each."""
    places: dict[int, list[tuple[int, int]]] = {}
    for place, row in rows.items():
        places.setdefault(len(row), []).append(place)
    for same in places.values():
        yield same, np.stack([rows[place] for place in same])


def finest_units(whole: Array, most: int, most_wide: int = 0) -> Array:
    """Return for each row the finest unit, at least that of the state, in which it is whole weights; 0 for none.

    They are at most ``most`` units, or ``most_wide`` in two lists; those hold every number but one that lies 128 beyond
    a multiple of 256.
    """
    common = np.maximum(np.gcd.reduce(whole, axis=1, initial=0), 1)
    size = np.abs(whole).max(axis=1, initial=0) // common
    found = np.zeros(len(whole))
    for finer in range(ACCUMULATOR_SHIFT + 1):
        found = np.where(size << finer <= most, common * 2.0**-finer, found)
    wide = np.flatnonzero(found == 0)
    if most_wide and wide.size:
        found[wide] = _in_two_lists(whole[wide], common[wide], most_wide)
    return found


def _in_two_lists(whole: Array, common: Array, most: int) -> Array:
    """Return the finest units in which two lists of 8 bits, the upper worth 256, hold rows without 128 in either."""
    found = np.zeros(len(whole))
    for finer in range(ACCUMULATOR_SHIFT + 1):
        units = (whole // common[:, None]) << finer
        odd = (units % 2**HIGH_BITS == 2 ** (HIGH_BITS - 1)).any(axis=1)
        fits = ~odd & (np.abs(units).max(axis=1) <= most)
        found = np.where(fits, common * 2.0**-finer, found)
    return found


def _inexact(layer: str, neuron: int, row: Array) -> Finding:
    """Return the finding of weights that 8 bits, or 16, do not hold as they are."""
    largest = float(np.abs(row).max(initial=0.0))
    message = (
        f"layer '{layer}' has weights of up to {largest:g} into neuron {neuron} that no list of synapses holds whole"
    )
    return Finding("exact-weights", layer, message, largest, hint="make the largest weight smaller, or use fewer bits")

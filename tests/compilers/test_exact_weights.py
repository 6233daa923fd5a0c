"""Units of weights that are integers already: what the lists of a chip hold is what was given, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from bim_neuro.compilers.exact_weights import exact_units, finest_units
from bim_neuro.compilers.two_lists import WIDE_MAX, in_two_lists
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge
from bim_neuro.nodes import Dense


@pytest.mark.parametrize(
    ("row", "most_wide", "unit"),
    [
        ([1, 0, -3], 0, 1 / 32),  # 96 of 127
        ([1, 1, 1], 0, 1 / 64),  # never finer than the state
        ([254, -2, 0], 0, 2.0),
        ([0, 0, 0], 0, 1 / 64),
        ([200, 1, 0], 0, 0.0),
        ([200, 1, 0], WIDE_MAX, 1 / 64),
        ([200, 2, 1], WIDE_MAX, 1 / 32),  # 2 * 64 would leave 128
    ],
)
def test_the_unit_of_a_row_by_hand(row: list[int], most_wide: int, unit: float) -> None:
    assert finest_units(np.array([row]), 127, most_wide).tolist() == [unit]


def test_two_lists_hold_every_row_that_has_a_unit() -> None:
    rng = np.random.default_rng(4)
    rows = rng.integers(-256, 256, (400, 6))
    units = finest_units(rows, 127, WIDE_MAX)
    assert (units > 0).mean() > 0.9
    rows, units = rows[units > 0], units[units > 0]
    weight = rows / units[:, None]
    assert (weight == np.rint(weight)).all()
    lists = [part.synapse for part in in_two_lists(Edge("a", "b", "a", Dense(weight.astype(np.int16))))]
    low, high = (part.weight.astype(int) for part in lists)  # type: ignore[attr-defined]
    assert np.array_equal((low + 256 * high) * units[:, None], rows)


def test_a_row_without_a_unit_is_refused_with_its_neuron() -> None:
    rows = {(0, 1): np.array([1.0, 2.0]), (1, 2): np.array([129.0, 2.0]), (2, 3): np.array([0.5, 1.0])}
    with pytest.raises(DoesNotFit, match="weights of up to 129 into neuron 1"):
        exact_units(rows, np.ones(3), 1.0, 0, "fc")
    with pytest.raises(DoesNotFit, match="weights of up to 1 into neuron 2"):
        exact_units(rows, np.ones(3), 1.0, WIDE_MAX, "fc")

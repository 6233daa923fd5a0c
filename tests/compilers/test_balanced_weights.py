"""Weights of 16 bits are rounded so that the errors of a row cancel: a membrane adds their mean up over many steps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bim_neuro.compilers.quantise_weights import balanced


def test_the_errors_of_a_row_cancel_by_hand() -> None:
    """.4 three times lacks 1.2, so one is rounded up; -.5 + .1 and a row of whole numbers stay; 0 is no weight."""
    weight = np.array([200.4, 0.0, 0.3, 100.45, -2.5, 7.1, 3.0, -4.0])
    whole = balanced(weight, np.array([0, 4, 6, 8]))
    assert whole.tolist() == [200.0, 0.0, 0.0, 101.0, -2.0, 7.0, 3.0, -4.0]


@given(st.integers(0, 2**32 - 1))
def test_no_row_is_off_by_more_than_half_a_unit(seed: int) -> None:
    draw = np.random.default_rng(seed)
    start = np.concatenate([[0], np.cumsum(draw.integers(0, 40, draw.integers(1, 8)))])
    weight = np.where(draw.random(start[-1]) < 0.2, 0.0, draw.normal(0, 1000, start[-1]))
    whole = balanced(weight, start)
    row = np.repeat(np.arange(len(start) - 1), np.diff(start))
    off = np.bincount(row, whole - weight, len(start) - 1)
    assert np.abs(off).max(initial=0) <= 0.5 + 1e-9
    assert (np.abs(whole - weight) < 1).all()
    assert (whole[weight == 0] == 0).all()

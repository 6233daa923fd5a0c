"""Rules N1 to N6: words, products, exp2 and softplus, with their asserted errors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bim_neuro.nodes.arithmetic import WORD_MAX, exp2_minus, multiply_shift, rescale, saturate, softplus

words = st.integers(-WORD_MAX, WORD_MAX)
factors = st.integers(-(2**16 - 1), 2**16 - 1)


def test_n1_saturates_on_both_sides_and_counts() -> None:
    clipped, count = saturate(np.array([WORD_MAX + 1, -WORD_MAX - 5, 7]))
    assert clipped.tolist() == [8388607, -8388607, 7]
    assert count == 2


@given(words, factors, st.integers(0, 40))
def test_n2_rounds_towards_zero(word: int, factor: int, shift: int) -> None:
    exact = abs(word * factor) // 2**shift * (1 if word * factor >= 0 else -1)
    assert int(multiply_shift(np.array(word), factor, shift)) == exact


def test_n4_exp2_is_within_its_stated_error() -> None:
    p = np.arange(0, 2**24, 7)
    error = np.abs(exp2_minus(p) / 2**20 - 2.0 ** (-p / 2**20))
    assert error.max() < 2**-16


def test_n4_of_zero_is_one_and_never_grows() -> None:
    values = exp2_minus(np.arange(0, 2**24, 1013))
    assert values[0] == 2**20
    assert (np.diff(values) <= 0).all()


def test_n5_softplus_is_within_its_stated_errors() -> None:
    z = np.arange(-10 * 2**16, 7 * 2**16, 13)
    answer, clipped = softplus(z)
    exact = np.log1p(np.exp(z / 2**16))
    error = np.abs(answer / 2**20 - exact)
    assert clipped == 0
    assert error.max() < 2**-14
    assert (error / exact)[z >= -7 * 2**16].max() < 0.002


def test_n5_softplus_saturates_at_eight() -> None:
    answer, clipped = softplus(np.array([20 * 2**16]))
    assert answer.tolist() == [WORD_MAX]
    assert clipped == 1


def test_n6_rescale_by_hand() -> None:
    word, clipped = rescale(np.array([1000, -1000]), np.array([3, 3]), 1, np.array([10, 0]))
    assert word.tolist() == [1510, -1500]
    assert clipped == 0

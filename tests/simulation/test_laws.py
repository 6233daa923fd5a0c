"""The laws in 32 bits are those of numpy where their proofs end, and beyond their borders others are chosen."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from bim_neuro.nodes import IntegerReadout, IntegerRelay
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation.forms import form
from bim_neuro.simulation.kernels import layout
from bim_neuro.simulation.kernels.neurons import narrow_readout, narrow_relay

WIDTH = 37


@numba.njit  # type: ignore[untyped-decorator]
def one_relay(words: Array, sums: Array, message: Array) -> tuple[int, int]:
    """The kernel has no face to Python."""
    return narrow_relay(words, sums, message, len(message), 0)


@numba.njit  # type: ignore[untyped-decorator]
def one_readout(words: Array, sums: Array, v: Array, message: Array) -> tuple[int, int]:
    return narrow_readout(words, sums, v, message, len(message), 0)


def some(draw: np.random.Generator, limit: int, *, signed: bool = True) -> Array:
    """Numbers as large as allowed, next to it, small, and 0."""
    values = draw.choice(np.array([0, 1, 2, limit // 3, limit - 1, limit]), WIDTH)
    return np.asarray(values * draw.choice([-1, 1], WIDTH) if signed else values)


def sums_of(draw: np.random.Generator) -> Array:
    """Sums at the borders of 24 bits, of 31, and drawn in between."""
    drawn = draw.integers(-(2**24), 2**24, WIDTH)
    return np.where(draw.random(WIDTH) < 0.5, drawn, some(draw, int(draw.choice([2**23, 2**31 - 1]))))


@pytest.mark.parametrize("shift", [0, 1, 16, 23, 30])
@pytest.mark.parametrize("seed", range(6))
def test_relay_and_readout_in_32_bits_equal_the_law_at_their_borders(seed: int, shift: int) -> None:
    draw = np.random.default_rng([seed, shift])
    factor, bias = some(draw, 2**29 - 1), some(draw, 2**29 - 1)
    relay = IntegerRelay(factor, shift, bias)
    readout = IntegerReadout(int(draw.choice([0, 1, 2**15 + 1, 2**16 - 1, 2**16])), factor, shift, bias)
    made = [form(node, {"a": 2**31 - 1}, "node") for node in (relay, readout)]
    assert [law.kind for law in made] == [layout.NARROW_RELAY, layout.NARROW_READOUT]
    words = [law.words.astype(np.int32) for law in made]
    message, v, state = np.zeros(WIDTH, np.int32), np.zeros(WIDTH, np.int32), readout.initial(())
    for _ in range(30):
        sums = sums_of(draw)
        step = relay.step({}, {"a": sums})
        assert one_relay(words[0], sums.astype(np.int32), message) == (step.saturated, np.count_nonzero(step.message))
        np.testing.assert_array_equal(message, step.message)
        step = readout.step(state, {"a": sums})
        state = step.state
        told = one_readout(words[1], sums.astype(np.int32), v, message)
        assert told == (step.saturated, np.count_nonzero(step.message))
        np.testing.assert_array_equal(v, state["v"])


@pytest.mark.parametrize(
    ("bound", "factor", "shift", "bias"),
    [(2**31, 1, 0, 0), (1, 2**29, 0, 0), (1, 1, 31, 0), (1, 1, 0, -(2**29))],
)
def test_what_the_proof_does_not_cover_is_left_to_64_bits(bound: int, factor: int, shift: int, bias: int) -> None:
    rows: tuple[Any, ...] = (np.array([factor]), shift, np.array([bias]))
    assert form(IntegerRelay(*rows), {"a": bound}, "relay").kind == layout.RELAY
    assert form(IntegerReadout(0, *rows), {"a": bound}, "readout").kind == layout.READOUT

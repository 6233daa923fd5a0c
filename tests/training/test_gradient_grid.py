"""The grid of gradients: what it skips and says, and that the jitted rival computes our gradient."""

from __future__ import annotations

import os

import pytest

from benchmarks.training.__main__ import reason_to_skip
from benchmarks.training.cells import SILENCE, Cell, chosen, star
from benchmarks.training.play import JAX, play


def test_the_quick_cells_come_first_and_each_once() -> None:
    cells = star()
    assert [cell.work for cell in cells] == sorted(cell.work for cell in cells)
    assert len(set(cells)) == len(cells) == len({cell.key for cell in cells})


def test_only_names_cells_by_their_words() -> None:
    assert chosen([Cell(), Cell(steps=100), Cell(rate=SILENCE)], ["rate=silence B=1"]) == [Cell(rate=SILENCE)]


@pytest.mark.parametrize(("seconds", "memory", "says"), [(1.0, 9.0, "2 s"), (9.0, 0.5, "1.0 GiB"), (9.0, 9.0, None)])
def test_a_cell_is_skipped_by_what_a_smaller_one_took(seconds: float, memory: float, says: str | None) -> None:
    small = Cell(steps=1000)
    results = {small.key: {"work": small.work, "methods": {"law": {"ms": 200.0, "peak_bytes": 2**30 // 10}}}}
    found = reason_to_skip(Cell(steps=10_000), "law", results, seconds, memory)
    assert found is None if says is None else says in str(found)


@pytest.mark.slow
def test_the_jitted_rival_computes_our_gradient() -> None:
    if JAX not in os.environ:
        pytest.skip(f"{JAX} names no Python with jax")
    cell = Cell(steps=60, channels=24, batch=2, blocks=2, inputs=12, states=4)
    found = play(cell, ["bptt", "jax"], 0, exact=True, variants=["1"])
    assert found["jax"]["worst"] < 1e-5
    assert found["bptt"]["worst"] < 1e-5
    assert found["jax"]["loss"] == pytest.approx(found["bptt"]["loss"], rel=1e-5)

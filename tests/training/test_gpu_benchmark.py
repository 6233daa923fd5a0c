"""The benchmark for a CUDA device: its arithmetic by made-up rates and a clock; and its words without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.training import gpu
from benchmarks.training.cells import Cell
from benchmarks.training.gpu import FOUR_BLOCKS, H200_BYTES, ONE_BLOCK, Line, of_backpropagation
from benchmarks.training.gpu_rates import LAUNCHES, Rates, measured
from benchmarks.training.methods import METHODS
from bim_neuro.model.network import BIMNetwork

FAST = Rates(bytes=H200_BYTES, exponentials=1e30, operations=1e30, launches=1e30)


def test_the_bound_is_the_longest_of_what_goes_on_side_by_side() -> None:
    cell = Cell(steps=10, channels=2, batch=3, inputs=4, states=8, blocks=2)
    elements, states = 30, 30 * 2 * 8
    # of a block: inputs read twice; w, delta, B, C written once and read twice, gradients too; v, spikes, some states
    first, second = (2 * m + 5 * 20 + 2 * (4 + 16 / 32) for m in (4, 2))
    moved = 4 * elements * (first + second + 2)
    exponentials = 2 * (states + 4 * elements * 2)
    operations = 2 * elements * 4 * 20 * 2 + 2 * elements * 2 * 20 * 3 + 2 * 24 * states
    slow = Rates(1e3 * moved, 1e3 * exponentials, 1e3 * operations, 1e3 * 2 * LAUNCHES)  # a millisecond each
    assert slow.bound_ms(cell) == pytest.approx(
        {"bytes_ms": 1, "exponentials_ms": 1, "products_ms": 1, "launches_ms": 1, "bptt_ms": 2}
    )
    assert replace(slow, bytes=100 * moved).bound_ms(cell)["bptt_ms"] == pytest.approx(10)
    assert replace(slow, launches=LAUNCHES).bound_ms(cell)["bptt_ms"] == pytest.approx(2000)


@pytest.mark.parametrize(("cell", "limit"), [(ONE_BLOCK, 9), (FOUR_BLOCKS, 36)])
def test_limits_follow_the_copy_of_the_device(cell: Cell, limit: float) -> None:
    ms, bounds, memory = of_backpropagation(cell, FAST, limit, 2**30)
    assert (ms.missed, memory.missed) == (False, False)
    assert bounds.figure == pytest.approx(limit / FAST.bound_ms(cell)["bptt_ms"])
    assert of_backpropagation(cell, FAST, limit + 0.1, 2**30 + 1)[0].missed
    assert of_backpropagation(cell, FAST, limit, 2**30 + 1)[2].missed
    half = replace(FAST, bytes=H200_BYTES / 2)
    assert of_backpropagation(cell, half, 2 * limit, 0)[0].limit == 2 * limit
    three = 3 * FAST.bound_ms(cell)["bptt_ms"]
    assert [of_backpropagation(cell, FAST, three * by, 0)[1].missed for by in (0.99, 1.01)] == [False, True]


def test_a_line_says_limit_figure_and_verdict() -> None:
    assert str(Line("a step", 9.25, "ms", 9.0)).split() == ["a", "step", "9.25", "ms", "<=", "9", "MISS"]
    assert str(Line("cosine", 0.9, "", 0.8, least=True)).split() == ["cosine", "0.9", ">=", "0.8", "pass"]
    assert str(Line("rival", None, why="it is not installed")).endswith("not measured: it is not installed")
    assert Line("a step", float("nan"), "ms", 9.0).missed


def test_rates_are_what_a_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.training.gpu_rates.COPY_NUMBERS", 2**12)
    monkeypatch.setattr("benchmarks.training.gpu_rates._exponentials", lambda numbers, clock: 7.0)

    def clock(call: Callable[[], object]) -> tuple[float, int]:
        call()
        return 2.0, 0

    found = measured(torch.device("cpu"), clock, Cell(steps=10, batch=3, inputs=4, channels=2, states=8))
    assert found == Rates(2**12 * 8 / 2e-3, 7e3, 2 * 30 * 4 * 20 / 2e-3, 1000 / 2e-3)


def test_every_claim_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On small cells and the CPU, by a clock that gives every method the same time."""
    small = Cell(steps=12, batch=2, inputs=3, channels=4, states=2, classes=2)
    several = replace(small, blocks=4)
    for name, value in {
        "ONE_BLOCK": small, "FOUR_BLOCKS": several, "CELLS": (small, several), "SHORT": 12,
        "LIMITS_MS": {small: 9.0, several: 36.0},
    }.items():  # fmt: skip
        monkeypatch.setattr(gpu, name, value)
    law = METHODS["law"]

    def wrong(net: BIMNetwork) -> Callable[[Tensor, Tensor], object]:
        def call(x: Tensor, y: Tensor) -> None:
            law(net)(x, y)
            net.w_o.grad = -torch.ones_like(net.w_o)

        return call

    def broken(net: BIMNetwork) -> Callable[[Tensor, Tensor], object]:
        raise ValueError("no compiler")

    for name, method in {"bptt": law, "rtrl": wrong, "compile": broken}.items():
        monkeypatch.setitem(METHODS, name, method)

    def clock(call: Callable[[], object]) -> tuple[float, int]:
        call()
        return 6.0, 2**20

    found = {line.what: line for line in gpu.lines(torch.device("cpu"), FAST, clock)}
    assert found[f"rtrl {small.key}: times backpropagation"].figure == 1
    cosines = [line for what, line in found.items() if what.endswith("cosine to float64")]
    assert [line.missed for line in cosines] == [False, False, True]
    assert found[f"torch.compile {small.key}"].why == "ValueError: no compiler"
    rivals = [line for what, line in found.items() if what.startswith(("mamba_ssm", "spikingjelly"))]
    assert len(rivals) >= 2
    assert all(line.why or line.figure == 6 or line.unit == "MiB" for line in rivals)


def test_without_a_device_one_line_says_so() -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.training.gpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=hidden)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"error: there is no CUDA device to measure: PyTorch .*finds none\n", done.stderr)

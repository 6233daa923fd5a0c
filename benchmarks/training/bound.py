"""The bound of a cell: what this machine needs at least, from rates measured in this run on one core.

    bytes         what a fused backpropagation moves once, at the rate of a copy of as many bytes
    exponentials  one a state and step, and four a channel and step (softplus, its slope, the surrogate)
    products      the projections forward and twice backward, and the scan's multiply-adds, at the rate of a GEMM
    traces        for forward traces: all of them read and written once a step, at the rate of a copy of that size

A fused kernel may hide bytes behind arithmetic: the bound is the larger of bytes and of the sum of the other two.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache

import torch

from bim_neuro.model.block import BIMBlock
from bim_neuro.training.traces import Traces

from .cells import Cell

KEPT_EVERY = 32
"""Steps between the states that a fused backpropagation keeps."""
SCAN_FLOPS = 24
"""Additions and multiplications a state and step: 6 forward, 4 to compute a state again, 14 backward."""
FLOAT = 4  # bytes
_LEAST = 2**16  # bytes; a smaller copy measures the call


def work(cell: Cell) -> tuple[float, float, float]:
    """Return what a fused backpropagation needs: bytes moved, exponentials, and operations of products."""
    elements, width = cell.steps * cell.batch, 2 * cell.channels + 2 * cell.states
    moved = flops = exponentials = 0.0
    for index in range(cell.blocks):
        inputs = cell.channels if index else cell.inputs
        states = elements * cell.channels * cell.states
        kept = 2 * cell.channels + cell.channels * cell.states / KEPT_EVERY  # membrane, spikes, states
        moved += FLOAT * elements * (2 * inputs + 5 * width + 2 * kept + (inputs if index else 0))
        flops += 2 * elements * inputs * width * (3 if index else 2) + SCAN_FLOPS * states
        exponentials += states + 4 * elements * cell.channels
    return moved, exponentials, flops


def bound(cell: Cell) -> dict[str, float]:
    """Return milliseconds of each part, the bound of backpropagation, and of forward traces."""
    moved, exponentials, flops = work(cell)
    parts = {
        "bytes_ms": 1e3 * moved / copy_rate(moved),
        "exponentials_ms": 1e3 * exponentials / exponential_rate(),
        "products_ms": 1e3 * flops / product_rate(cell.inputs, 2 * cell.channels + 2 * cell.states),
    }
    bptt = max(parts["bytes_ms"], parts["exponentials_ms"] + parts["products_ms"])
    traces = 2 * trace_bytes(cell)
    return parts | {"bptt_ms": bptt, "traces_ms": 1e3 * cell.steps * traces / copy_rate(traces)}


def trace_bytes(cell: Cell) -> int:
    """Return the bytes of all forward traces of exact credit, were every block's kept."""
    widths = [cell.inputs] + [cell.channels] * (cell.blocks - 1)
    one = [Traces(BIMBlock(width, cell.channels, cell.states, cell.taps), 1).nbytes for width in widths]
    return cell.batch * sum(one)


def copy_rate(moved: float) -> float:
    """Bytes a second, read and written, of a copy that moves as many, up to an array of 256 MiB."""
    return _copy_rate(min(28, math.ceil(math.log2(max(moved / 2, _LEAST)))))


@cache
def _copy_rate(log_bytes: int) -> float:
    source = torch.zeros(2**log_bytes // FLOAT)
    target = torch.ones_like(source)
    return 2 * source.nbytes / _best_seconds(lambda: target.copy_(source))


@cache
def exponential_rate() -> float:
    """Exponentials a second, in cache."""
    x = torch.linspace(-4, 0, 4096)
    y = torch.empty_like(x)
    return len(x) / _best_seconds(lambda: torch.exp(x, out=y))


@cache
def product_rate(inputs: int, width: int, rows: int = 1024) -> float:
    """Floating-point operations a second of a GEMM of this shape."""
    a, b = torch.rand(rows, inputs), torch.rand(inputs, width)
    out = torch.empty(rows, width)
    return 2 * rows * inputs * width / _best_seconds(lambda: torch.mm(a, b, out=out))


def _best_seconds(call: Callable[[], object], rounds: int = 7, least: float = 2e-3) -> float:
    """Return the best time of a call, over rounds long enough for the clock."""
    call()
    start = time.perf_counter()
    call()
    repeats = max(1, math.ceil(least / max(time.perf_counter() - start, 1e-7)))
    best = math.inf
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        best = min(best, (time.perf_counter() - start) / repeats)
    return best

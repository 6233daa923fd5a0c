"""What a CUDA device does in a second, measured: bytes copied, exponentials, operations of a product, launches."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .bound import work
from .cells import Cell

COPY_NUMBERS = 2**28
"""1 GiB: no cache holds it."""
ROUNDS = 15
LAUNCHES = 17
"""Kernels that a gradient of a block cannot do without: the operator's five, four projections, forward and back."""


@dataclass(frozen=True)
class Rates:
    """A second of a device."""

    bytes: float  # read and written
    exponentials: float
    operations: float  # of float32 products
    launches: float

    def bound_ms(self, cell: Cell) -> dict[str, float]:
        """Return the parts of a cell's bound and the bound: the longest of what can go on side by side."""
        moved, exponentials, operations = work(cell)
        parts = {
            "bytes_ms": 1e3 * moved / self.bytes,
            "exponentials_ms": 1e3 * exponentials / self.exponentials,
            "products_ms": 1e3 * operations / self.operations,
            "launches_ms": 1e3 * LAUNCHES * cell.blocks / self.launches,
        }
        compute = parts["exponentials_ms"] + parts["products_ms"]
        return parts | {"bptt_ms": max(parts["bytes_ms"], compute, parts["launches_ms"])}


Clock = Callable[[Callable[[], object]], tuple[float, int]]
"""Milliseconds and peak bytes, above what lies there before, of a call."""


def cuda_clock(call: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, int]:
    """Time a call by the device's own events: the median of some rounds, after three that compile and warm."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before, times = torch.cuda.memory_allocated(), []
    for _ in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(float(begin.elapsed_time(end)))
    return statistics.median(times), torch.cuda.max_memory_allocated() - before


def measured(device: torch.device, clock: Clock, cell: Cell) -> Rates:
    """Measure a device; its products have the shape of the cell's projections."""
    source = torch.zeros(COPY_NUMBERS, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.nbytes / clock(lambda: target.copy_(source))[0]
    rows, width = cell.steps * cell.batch, 2 * cell.channels + 2 * cell.states
    a, b = torch.rand(rows, cell.inputs, device=device), torch.rand(cell.inputs, width, device=device)
    out = torch.empty(rows, width, device=device)
    multiplied = 2 * rows * cell.inputs * width / clock(lambda: torch.mm(a, b, out=out))[0]
    one, many = source[:1], 1000
    launched = many / clock(lambda: [one.add_(1) for _ in range(many)])[0]
    return Rates(1e3 * copied, 1e3 * _exponentials(target, clock), 1e3 * multiplied, 1e3 * launched)


def _exponentials(numbers: torch.Tensor, clock: Clock) -> float:
    """Return exponentials a millisecond, of numbers that lie in registers."""
    from .gpu_rates_kernels import TILE, TURNS, exponentials_kernel

    programs = 4096
    kernel: Any = exponentials_kernel
    return programs * TILE * TURNS / clock(lambda: kernel[(programs,)](numbers))[0]

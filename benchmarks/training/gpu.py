"""The GPU kernels beside what a CUDA device can do: one run, one line a claim with its limit, figure and verdict.

    python -m benchmarks.training.gpu --json gpu.json

It measures the device first (gpu_rates.py), then a step of backpropagation and exact forward traces. The limits in
milliseconds were set for an H200, whose copy ran at `H200_BYTES`, and are scaled by this device's. A rival that is not
installed is said. Exit code 1: a limit is missed; 2: there is no CUDA device.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.learning import machine

from .cells import LOUD, Cell
from .gpu_rates import Clock, Rates, cuda_clock, measured
from .gpu_rivals import RIVALS
from .methods import METHODS, Skip, reference
from .worker import network

H200_BYTES = 4261e9
"""Bytes a second of the copy on the H200 that the limits were set for (docs/learning.md)."""
ONE_BLOCK = Cell(steps=1000, batch=64, channels=256)
FOUR_BLOCKS = replace(ONE_BLOCK, blocks=4)
CELLS = (Cell(30, 32, 32, inputs=5, states=8), replace(ONE_BLOCK, steps=256, channels=128), ONE_BLOCK, FOUR_BLOCKS)
LIMITS_MS = {ONE_BLOCK: 9.0, FOUR_BLOCKS: 36.0}
"""Of a step of backpropagation on that H200."""
BOUNDS, TRACES, MEMORY = 3.0, 4.0, 2**30
"""Most bounds a step may take; most times its own backpropagation a gradient by traces; most bytes of a step."""
COSINE, SHORT = 0.99999, 100
"""Least cosine to float64 of autograd through the law, on so many steps."""


@dataclass(frozen=True)
class Line:
    """A claim: what was measured beside its limit. Without a limit it is a figure alone, without a figure a reason."""

    what: str
    figure: float | None
    unit: str = ""
    limit: float | None = None
    least: bool = False  # the limit is the least, not the most
    why: str = ""

    @property
    def missed(self) -> bool:
        if self.limit is None:
            return False
        return self.figure is None or not (self.figure >= self.limit if self.least else self.figure <= self.limit)

    def __str__(self) -> str:
        if self.figure is None:
            return f"{self.what:62} {'not measured: ' + self.why}"
        limit = "" if self.limit is None else f"{'>=' if self.least else '<='} {self.limit:.6g}"
        verdict = "" if self.limit is None else "MISS" if self.missed else "pass"
        return f"{self.what:62} {self.figure:12.6g} {self.unit:7} {limit:14} {verdict}".rstrip()


def sequences(cell: Cell, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return x (T, batch, M) and y (batch,) of a cell, always the same."""
    seeded = torch.Generator().manual_seed(0)
    x = (torch.rand(cell.steps, cell.batch, cell.inputs, generator=seeded) < LOUD).float()
    return x.to(device), (torch.arange(cell.batch) % cell.classes).to(device)


def played(method: str, cell: Cell, device: torch.device, clock: Clock) -> tuple[float, int]:
    """Return milliseconds and bytes of a gradient."""
    (x, y), call = sequences(cell, device), METHODS[method](network(cell).to(device))
    return clock(partial(call, x, y))


def of_backpropagation(cell: Cell, rates: Rates, ms: float, peak: int) -> list[Line]:
    """Judge a step of backpropagation."""
    name, bound = f"bptt {cell.key}", rates.bound_ms(cell)["bptt_ms"]
    limit = LIMITS_MS.get(cell)
    scaled = None if limit is None else limit * H200_BYTES / rates.bytes
    bounds, memory = (None, None) if limit is None else (BOUNDS, MEMORY / 2**20)
    return [
        Line(name, ms, "ms", scaled),
        Line(f"{name}: of its bound of {bound:.3g} ms", ms / bound, "bounds", bounds),
        Line(f"{name}: peak of memory", peak / 2**20, "MiB", memory),
    ]


def cosine(method: str, cell: Cell, device: torch.device) -> float:
    """Return the cosine of a gradient to float64's, both on the device."""
    x, y = sequences(cell, device)
    found, exact = network(cell).to(device), network(cell).to(device)
    METHODS[method](found)(x, y)
    reference(exact, x, y)
    a, b = (torch.cat([p.grad.double().flatten() for p in net.parameters() if p.grad is not None])
            for net in (found, exact))  # fmt: skip
    return float(a @ b / (a.norm() * b.norm()))


def attempt(what: str, call: Callable[[], tuple[float, int]]) -> list[Line]:
    """Time what need not run on this machine, or say why it does not."""
    try:
        ms, peak = call()
    except Skip as why:
        return [Line(what, None, why=str(why))]
    except Exception as error:  # noqa: BLE001  whatever a rival breaks with, the run goes on without it
        return [Line(what, None, why=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")]
    return [Line(what, ms, "ms"), Line(f"{what}: peak of memory", peak / 2**20, "MiB")]


def lines(device: torch.device, rates: Rates, clock: Clock) -> Iterator[Line]:
    """Measure everything, a claim at a time."""
    for cell in CELLS:
        ms, peak = played("bptt", cell, device, clock)
        yield from of_backpropagation(cell, rates, ms, peak)
        if cell == ONE_BLOCK:
            by_traces, traces_peak = played("rtrl", cell, device, clock)
            yield Line(f"rtrl {cell.key}", by_traces, "ms")
            yield Line(f"rtrl {cell.key}: times backpropagation", by_traces / ms, "times", TRACES)
            yield Line(f"rtrl {cell.key}: peak of memory", traces_peak / 2**20, "MiB")
    for cell in (replace(ONE_BLOCK, steps=SHORT), replace(FOUR_BLOCKS, steps=SHORT)):
        yield Line(f"bptt {cell.key}: cosine to float64", cosine("bptt", cell, device), "", COSINE, least=True)
    cell = replace(ONE_BLOCK, steps=SHORT)
    yield Line(f"rtrl {cell.key}: cosine to float64", cosine("rtrl", cell, device), "", COSINE, least=True)
    yield from attempt(f"torch.compile {cell.key}", lambda: played("compile", cell, device, clock))
    for name, prepare in RIVALS.items():
        yield from attempt(f"{name} {ONE_BLOCK.key}", lambda: clock(prepare(ONE_BLOCK, device)))  # noqa: B023


def main() -> int:
    """Measure, print, write; return the exit code."""
    parser = argparse.ArgumentParser(description="The GPU kernels beside what a CUDA device can do.")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
        found = f"PyTorch {torch.__version__}, built for {built}, finds none"
        print(f"error: there is no CUDA device to measure: {found}", file=sys.stderr)
        return 2
    device = torch.device("cuda")
    rates = measured(device, cuda_clock, ONE_BLOCK)
    name = torch.cuda.get_device_name(device)
    print(f"{name}: copies {rates.bytes / 1e9:,.0f} GB/s (limits scaled by {H200_BYTES / rates.bytes:.2f}), "
          f"{rates.exponentials / 1e12:.2f} T exponentials/s, {rates.operations / 1e12:.1f} TFLOP/s of float32 "
          f"products, {1e6 / rates.launches:.1f} us a launch", flush=True)  # fmt: skip
    told: list[Line] = []
    for line in lines(device, rates, cuda_clock):
        told.append(line)
        print(line, flush=True)
    if options.json:
        bounds: dict[str, Any] = {cell.key: rates.bound_ms(cell) for cell in CELLS}
        content = {"machine": machine(), "device": name, "rates": asdict(rates), "bounds": bounds,
                   "lines": [asdict(line) | {"missed": line.missed} for line in told]}  # fmt: skip
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    missed = sum(line.missed for line in told)
    print(f"{missed} of {sum(line.limit is not None for line in told)} limits missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

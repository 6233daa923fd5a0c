"""Compile the Triton kernels for a card, as the operator launches them on a cell, on a machine that needs none.

    python -m benchmarks.training.compile_kernels
    python -m benchmarks.training.compile_kernels --arch 80 --channels 128

It prints registers, spilled bytes and shared memory of each kernel, and the cycles of a turn of its innermost loops
for a warp that has its scheduler for itself (machine_code.py): an estimate, from which follows one of the time.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from bim_neuro.model.block import BIMBlock
from bim_neuro.training.operator import cuda

from .cells import Cell
from .machine_code import Loop, MachineCode, read

KERNELS = ("drive_kernel", "scan_kernel", "scan_backward_kernel", "drive_backward_kernel")
WARP, DIVISOR = 32, 16
"""Threads of a warp; Triton compiles numbers and addresses divisible by 16 in a form of their own."""
CLOCK_HZ, SCHEDULERS = 1.7e9, 4 * 132
"""Of an H200 at work, about."""
_TYPES = {torch.float32: "*fp32", torch.float64: "*fp64", torch.bfloat16: "*bf16", torch.uint8: "*u8"}


@dataclass(frozen=True)
class Launch:
    """One call of a kernel: its grid, what it was given in order, and its constants by name."""

    kernel: str
    grid: tuple[int, int]
    given: tuple[Any, ...]
    constants: dict[str, Any]
    warps: int


class _Recorder:
    """Stands where a kernel was, and keeps how it is launched."""

    def __init__(self, kernel: str, found: list[Launch]) -> None:
        self.kernel, self.found = kernel, found

    def __getitem__(self, grid: tuple[int, int]) -> Callable[..., None]:
        def launch(*given: Any, num_warps: int = 4, **constants: Any) -> None:
            self.found.append(Launch(self.kernel, grid, given, constants, num_warps))

        return launch


@contextmanager
def _recorded() -> Iterator[list[Launch]]:
    from bim_neuro.training.operator import cuda_kernels

    found: list[Launch] = []
    with ExitStack() as stack:
        for kernel in KERNELS:
            stack.enter_context(patch.object(cuda_kernels, kernel, _Recorder(kernel, found)))
        yield found


def launches(cell: Cell, dtype: torch.dtype = torch.float32, masked: bool = False) -> list[Launch]:
    """Return what a gradient of one block launches, in order; nothing runs."""
    block = BIMBlock(cell.inputs, cell.channels, cell.states, cell.taps).to("meta", dtype)
    x = torch.empty(cell.steps, cell.batch, cell.inputs, device="meta", dtype=dtype)
    mask = torch.empty(cell.steps, cell.batch, device="meta", dtype=torch.bool) if masked else None
    with _recorded() as found:
        spikes, _ = cuda.scan(block.project(x), block.scan_weights, block.soma_law, block.initial(cell.batch), mask)
        spikes.sum().backward()
    return found


def compiled(launch: Launch, arch: int) -> tuple[MachineCode, int]:
    """Compile a launch for compute capability ``arch`` (H100, H200: 90); return it and its bytes of shared memory."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from bim_neuro.training.operator import cuda_kernels

    kernel = getattr(cuda_kernels, launch.kernel)
    signature, constants, divisible = {}, dict(launch.constants), {}
    for index, name in enumerate(kernel.arg_names):
        if name in constants:
            signature[name] = "constexpr"
            continue
        value = launch.given[index]
        if isinstance(value, int) and value == 1:
            signature[name], constants[name] = "constexpr", 1
            continue
        signature[name] = _TYPES[value.dtype] if isinstance(value, torch.Tensor) else "i32"
        if isinstance(value, torch.Tensor) or value % DIVISOR == 0:
            divisible[(index,)] = [["tt.divisibility", DIVISOR]]
    source = ASTSource(kernel, signature, constants, divisible)
    found = triton.compile(source, target=GPUTarget("cuda", arch, WARP), options={"num_warps": launch.warps})
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    return read(found.asm["cubin"], tools), found.metadata.shared


def innermost(loops: tuple[Loop, ...]) -> list[Loop]:
    """Return the loops that hold no loop."""
    return [inner for loop in loops for inner in (innermost(loop.inside) or [loop])]


def step_cycles(code: MachineCode, chunk: int = cuda.CHUNK) -> float:
    """Return the cycles of a step: a turn of each innermost loop, and a chunk's share of the rest around them."""
    inside = sum(loop.cycles for loop in innermost(code.loops))
    around = sum(loop.cycles for loop in code.loops) - inside
    return inside + around / chunk


def estimated_ms(launch: Launch, code: MachineCode, steps: int) -> float:
    """Return how long a kernel that goes from step to step takes where its warps share out an H200's schedulers."""
    warps = launch.warps * launch.grid[0] * launch.grid[1]
    at_once = -(-warps // SCHEDULERS)
    issued = sum(loop.instructions for loop in innermost(code.loops))
    return 1e3 * steps * max(step_cycles(code), at_once * issued) / CLOCK_HZ


def main() -> None:
    """Compile and print."""
    parser = argparse.ArgumentParser(description="Registers, spills and cycles of the CUDA kernels, without a card.")
    parser.add_argument("--arch", type=int, default=90, help="compute capability: 80 is A100, 90 is H100 and H200")
    for name, default in {"steps": 1000, "batch": 64, "channels": 256, "states": 16, "taps": 4}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = vars(parser.parse_args())
    arch = given.pop("arch")
    if find_spec("triton") is None:
        sys.exit("triton is not installed: pip install triton==3.7.1 (x86_64 Linux, Python 3.11 or later)")
    if os.environ.get("TRITON_INTERPRET") == "1":
        sys.exit("TRITON_INTERPRET=1 interprets the kernels, nothing is compiled: unset it")
    cell = Cell(**given)
    print(f"sm_{arch}  {cell.key}  N={cell.states} K={cell.taps}")
    total = 0.0
    for launch in launches(cell):
        code, shared = compiled(launch, arch)
        used = f"{code.registers:4} registers {code.spilled:4} B spilled {shared:6} B shared"
        turns = ", ".join(f"{loop.instructions} / {loop.cycles}" for loop in innermost(code.loops))
        told = f"  instructions / cycles of a turn: {turns}" if turns else ""
        if launch.kernel.startswith("scan"):
            took = estimated_ms(launch, code, cell.steps)
            total += took
            told += f"  about {took:.2f} ms"
        print(f"{launch.kernel:22}{launch.grid!s:12}{launch.warps:2} warps {used}{told}", flush=True)
    print(f"an estimate of the steps, one block, H200 at {CLOCK_HZ / 1e9:g} GHz: {total:.2f} ms")


if __name__ == "__main__":
    main()

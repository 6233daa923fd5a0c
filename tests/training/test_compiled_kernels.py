"""The CUDA kernels compile for cards that are not here, and what is read of their machine code is what stands there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks.training.cells import Cell
from benchmarks.training.compile_kernels import KERNELS, launches
from benchmarks.training.machine_code import Loop, cycles, loops, parse

pytest.importorskip("triton", reason="triton is not installed (it is for x86_64 Linux and Python 3.11 or later)")


def listed(*rows: tuple[int, str, int, int, int]) -> str:
    """A listing as cuobjdump writes it: address, text, stall, barrier that is set (7: none), barriers waited for."""
    lines = []
    for address, text, stall, sets, waits in rows:
        control = stall | 1 << 4 | sets << 5 | 7 << 8 | waits << 11
        lines.append(f"        /*{address:04x}*/                   {text} ;        /* 0x0000000000000000 */")
        lines.append(f"                                                       /* 0x{control << 41:016x} */")
    return "\n".join(lines)


def test_a_loop_lasts_as_long_as_its_chain() -> None:
    code = parse(
        listed(
            (0x00, "MOV R1, R2", 4, 7, 0),
            (0x10, "@!P1 MUFU.EX2 R1, R1", 1, 0, 0),  # sets barrier 0, 24 cycles
            (0x20, "FADD R2, R1, R2", 6, 7, 1),  # waits for it
            (0x30, "@P0 BRA 0x10", 5, 7, 0),
            (0x40, "EXIT", 5, 7, 0),
        )
    )
    assert [instruction.name for instruction in code] == ["MOV", "MUFU", "FADD", "BRA", "EXIT"]
    assert loops(code) == (Loop(3, 24 + 6 + 5),)


def test_exponentials_wait_for_their_unit_and_loops_hold_loops() -> None:
    many = [(0x10 * (1 + i), f"MUFU.EX2 R{i}, R9", 1, 7, 0) for i in range(4)]
    code = parse(listed((0x00, "NOP", 1, 7, 0), *many, (0x50, "BRA 0x10", 2, 7, 0), (0x60, "@P1 BRA 0x0", 5, 7, 0)))
    inner = Loop(5, 4 * 8)
    assert cycles(code[1:6]) == inner.cycles
    assert [loop.inside for loop in loops(code)] == [(inner,)]


@pytest.mark.parametrize("masked", [False, True])
def test_launches_are_those_of_a_gradient(masked: bool) -> None:
    cell = Cell(steps=33, batch=3, channels=40, states=16)
    found = launches(cell, masked=masked)
    drive, scan, back, drive_back = KERNELS
    assert [launch.kernel for launch in found] == [drive, scan, drive, back, drive_back]
    assert [launch.grid for launch in found[:2]] == [(7, 2), (3, 2)]  # 99 rows by 16, 3 sequences, 40 channels by 32
    assert found[1].constants["MASKED"] is masked


COMPILE = """
import json, sys, torch
from benchmarks.training.cells import Cell
from benchmarks.training.compile_kernels import compiled, launches
cell, kind = Cell(steps=1000, batch=64, channels=256, states=int(sys.argv[2])), getattr(torch, sys.argv[3])
found = launches(cell, kind, masked=sys.argv[4] == "masked")
found = {launch.kernel: compiled(launch, int(sys.argv[1]))[0] for launch in found}
print(json.dumps({name: (code.registers, code.spilled, len(code.loops)) for name, code in found.items()}))
"""
"""In a process of its own: the tests' own process interprets kernels."""
SPILLED = {(64, "scan_kernel"): 8}
"""Bytes of a thread that find no register, by states and kernel."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("arch", "states", "kind", "masked"),
    [(90, 16, "float32", ""), (80, 16, "float32", ""), (90, 16, "float32", "masked"), (90, 64, "float32", "")],
)
def test_no_kernel_spills_more_than_is_stated(arch: int, states: int, kind: str, masked: str) -> None:
    command = [sys.executable, "-c", COMPILE, str(arch), str(states), kind, masked]
    without = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(command, capture_output=True, text=True, env=without, timeout=1100)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == set(KERNELS)
    assert {name: spilled for name, (_, spilled, _) in found.items() if spilled > SPILLED.get((states, name), 0)} == {}
    assert found["scan_kernel"][2] == found["scan_backward_kernel"][2] == 1  # over chunks

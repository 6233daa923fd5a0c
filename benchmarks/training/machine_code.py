"""Machine code of a compiled kernel, without a card: registers, spills, and the cycles of its loops for a lone warp.

The assembler writes into every instruction how long to wait before the next one and which results to wait for. Played
in order, with a latency for what it leaves open, they say how long a warp that has its scheduler for itself takes
for a loop. It is an estimate: caches and other warps are not in it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

LATENCY = {"MUFU": 24, "LDS": 30, "SHFL": 25, "LDG": 300, "LDC": 40, "LDGSTS": 40, "STS": 20, "STG": 20}
"""Cycles until a result is there, about, on an A100 or H100 (Luo et al. 2024, arXiv 2402.13499: shared memory 29, L2
260). Asynchronous copies are begun two steps ahead: only the instruction counts."""
OTHER = 15
PIPE = {"MUFU": 8, **dict.fromkeys(("LDS", "SHFL", "LDG", "LDGSTS", "STS", "STG"), 4)}
"""Cycles for which an instruction occupies its unit: 4 exponentials a cycle and scheduler; 8 lanes of memory."""
BARRIER = 20
ROUNDS = 4
_TEXT = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+ +)?(.*?);\s+/\* 0x[0-9a-f]{16} \*/")
_CODE = re.compile(r"^\s+/\* 0x([0-9a-f]{16}) \*/")
_JUMP = re.compile(r"BRA\b.*?0x([0-9a-f]+)")
_USED = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)")


@dataclass(frozen=True)
class Instruction:
    """One instruction with what its control bits say."""

    address: int
    text: str
    stall: int  # cycles before the next one
    sets: tuple[int, ...]  # barriers that fall when it has read or written
    waits: tuple[int, ...]

    @property
    def name(self) -> str:
        return re.split(r"[. ]", self.text, maxsplit=1)[0]


@dataclass(frozen=True)
class Loop:
    """A loop: how many instructions, and cycles a turn; ``inside`` are its own loops, each counted for one turn."""

    instructions: int
    cycles: int
    inside: tuple[Loop, ...] = ()


@dataclass(frozen=True)
class MachineCode:
    """What a thread takes, in registers and in bytes that found none, and the outer loops."""

    registers: int
    spilled: int
    loops: tuple[Loop, ...]


def read(cubin: bytes, tools: Path) -> MachineCode:
    """Read a compiled kernel with cuobjdump in the folder ``tools``."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        used = _USED.search(_run(tools, "-res-usage", file.name))
        code = parse(_run(tools, "-sass", file.name))
    assert used is not None
    registers, stack, local = (int(part) for part in used.groups())
    return MachineCode(registers, stack + local, loops(code))


def _run(tools: Path, *arguments: str) -> str:
    done = subprocess.run([tools / "cuobjdump", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def parse(listing: str) -> list[Instruction]:
    """Return the instructions of a listing: two words each, the upper one holds the control bits."""
    code = []
    for line, below in pairwise(listing.splitlines()):
        text, upper = _TEXT.search(line), _CODE.match(below)
        if text is None or upper is None:
            continue
        control = int(upper[1], 16) >> 41
        sets = tuple(barrier for barrier in (control >> 5 & 7, control >> 8 & 7) if barrier < 6)
        waits = tuple(barrier for barrier in range(6) if control >> 11 >> barrier & 1)
        code.append(Instruction(int(text[1], 16), text[2].strip(), control & 15, sets, waits))
    return code


def loops(code: list[Instruction]) -> tuple[Loop, ...]:
    """Return the outer loops in order; one is what lies between a jump back and where it goes."""
    place = {instruction.address: index for index, instruction in enumerate(code)}
    spans = []
    for index, instruction in enumerate(code):
        jump = _JUMP.match(instruction.text)
        target = place.get(int(jump[1], 16)) if jump else None
        if target is not None and target < index:
            spans.append((target, index + 1))
    return _nested(code, sorted(spans, key=lambda span: (span[0], -span[1])))


def _nested(code: list[Instruction], spans: list[tuple[int, int]]) -> tuple[Loop, ...]:
    found = []
    while spans:
        (first, last), *rest = spans
        inside = [span for span in rest if span[1] <= last]
        spans = [span for span in rest if span[1] > last]
        found.append(Loop(last - first, cycles(code[first:last]), _nested(code, inside)))
    return tuple(found)


def cycles(body: list[Instruction]) -> int:
    """Return the cycles of a turn of a loop that a lone warp has reached its pace in."""
    now, ends = 0, []
    ready, free = [0] * 6, dict.fromkeys(PIPE, 0)
    for _ in range(ROUNDS):
        for instruction in body:
            name = instruction.name
            now = max([now, *(ready[barrier] for barrier in instruction.waits), free.get(name, 0)])
            if name in PIPE:
                free[name] = now + PIPE[name]
            for barrier in instruction.sets:
                ready[barrier] = max(ready[barrier], now + LATENCY.get(name, OTHER))
            now += max(instruction.stall, BARRIER if name == "BAR" else 1)
        ends.append(now)
    return ends[-1] - ends[-2]

"""Instructions: how many a step takes, counted by valgrind's callgrind: the same every time, on the busiest machine.

    python -m benchmarks.instructions [--only N1_02]

Valgrind knows AVX2 and not AVX-512, so the kernels are compiled for AVX2 here, apart from those in use: the figure
stands beside an earlier one, not beside a speed. Counted is one `Engine.run` after a first one, less what a run of half
the steps takes, so that what a call costs is left out.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bim_neuro.nodes.arithmetic import Array

_MARKS = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(void) { CALLGRIND_DUMP_STATS; CALLGRIND_STOP_INSTRUMENTATION; }
"""
_AVX2 = "+sse4.2,+popcnt,+avx,+avx2,+bmi,+bmi2,+fma,+lzcnt,+movbe"
SECONDS = 480.0


class NotMeasurable(Exception):
    """Why instructions cannot be counted here."""


def instructions_a_step(graph: object, x: Array) -> float:
    """Return the instructions that a step of ``x`` (samples, steps, lines) takes on one thread."""
    valgrind, compiler = shutil.which("valgrind"), shutil.which("cc") or shutil.which("gcc")
    if valgrind is None or compiler is None:
        raise NotMeasurable("valgrind and a C compiler are not here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "marks.c").write_text(_MARKS)
        made = [compiler, "-O1", "-shared", "-fPIC", str(folder / "marks.c"), "-o", str(folder / "marks.so")]
        if subprocess.run(made, check=False, capture_output=True).returncode:
            raise NotMeasurable("valgrind's headers are not here")
        (folder / "case.pickle").write_bytes(pickle.dumps((graph, x)))
        child = [sys.executable, "-m", "benchmarks.instructions", "--child", name]
        cache = Path(tempfile.gettempdir()) / "bim-neuro-avx2"
        environment = os.environ | {
            "NUMBA_CPU_NAME": "haswell",
            "NUMBA_CPU_FEATURES": _AVX2,
            "NUMBA_CACHE_DIR": str(cache),
        }
        subprocess.run(child, check=True, env=environment)  # compiles
        output = f"--callgrind-out-file={folder / 'counts'}"
        watched = [valgrind, "--tool=callgrind", "--instr-atstart=no", "-q", output, *child]
        subprocess.run(watched, check=True, env=environment, timeout=SECONDS, capture_output=True)
        few, many = sorted(_counted(file) for file in folder.glob("counts*") if _counted(file))[:2]
    steps = x.shape[0] * x.shape[1]
    return (many - few) / (steps - steps // 2)


def _counted(file: Path) -> int:
    """Return the instructions that one dump of callgrind holds."""
    totals = [line.split()[1] for line in file.read_text().splitlines() if line.startswith(("summary:", "totals:"))]
    return int(totals[0]) if totals else 0


def _child(folder: Path) -> None:
    from bim_neuro.simulation import Engine

    marks = ctypes.CDLL(str(folder / "marks.so"))
    graph, x = pickle.loads((folder / "case.pickle").read_bytes())
    half = x[: len(x) // 2] if len(x) > 1 else x[:, : x.shape[1] // 2]
    engine = Engine(graph)
    for lines in (half, x):
        engine.run(lines, threads=1)
        marks.begin()
        engine.run(lines, threads=1)
        marks.end()


def main() -> None:
    """Count the cases asked for."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--only", action="append", help="one case (may be repeated)")
    arguments.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        _child(given.child)
        return
    from .cases import cases

    makers = cases(None)
    for name in given.only or makers:
        case = makers[name]()
        x = case.x[:64] if len(case.x) > 1 else case.x[:, :256]
        print(f"{name:8} {instructions_a_step(case.graph, x):12,.0f} instructions a step, in AVX2")


if __name__ == "__main__":
    main()

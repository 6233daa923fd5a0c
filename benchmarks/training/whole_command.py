"""Peak memory of a whole `bim-train own --rule rtrl`, validation included, over the length of the sequences.

    python -m benchmarks.training.whole_command --json memory.json          (some minutes, one core)

The same number of sequences at every T, so that the data grow with T and nothing else should. Printed: the peak of
resident memory, of the command or of a process that it started, whichever is larger; the bytes of x as float32; and the
rise since the shortest T in bytes and in copies of the data that came with it. One run before fills the compiled
kernels' cache. Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning import machine
from bim_neuro.errors import InputError

STEPS = (100, 1000, 10_000)
SAMPLES, LINES, CLASSES, RATE = 60, 16, 3, 0.05
KIB = 1 if sys.platform == "darwin" else 1024
"""Bytes of a unit of ru_maxrss."""
COMMAND = "import sys; from bim_neuro.cli import train_main; sys.exit(train_main())"


def make_data(path: Path, steps: int) -> int:
    """Write x (samples, steps, lines) of spikes, and y; return the bytes of x."""
    rng = np.random.default_rng(0)
    x, y = (rng.random((SAMPLES, steps, LINES)) < RATE).astype(np.float32), np.arange(SAMPLES) % CLASSES
    x[np.arange(SAMPLES), 0, y] = 1
    np.savez(path, x=x, y=y)
    return x.nbytes


def peak_of(data: Path, rule: str) -> int:
    """Return the most bytes that the command, or a process which it waited for, had in memory."""
    options = ["--rule", rule, "--epochs", "1", "--batch", "16", "--restart", "-o", str(data.with_suffix(".pt"))]
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "own", "--data", str(data), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    )  # fmt: skip
    assert child.stderr is not None
    said = child.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise InputError(f"bim-train ended with exit code {child.returncode}: {said.strip()[-300:]}")
    return usage.ru_maxrss * KIB


def peaks(lengths: Sequence[int], rule: str = "rtrl") -> list[dict[str, Any]]:
    """Return for each T the peak and the data in bytes, and the rise over the shortest."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder / "warm.npz", lengths[0])
        peak_of(folder / "warm.npz", rule)
        for steps in lengths:
            data = folder / f"{steps}.npz"
            rows.append({"steps": steps, "data_bytes": make_data(data, steps), "peak_bytes": peak_of(data, rule)})
    first = rows[0]
    for row in rows:
        row["rise_bytes"] = row["peak_bytes"] - first["peak_bytes"]
        more = row["data_bytes"] - first["data_bytes"]
        row["copies_of_data"] = row["rise_bytes"] / more if more else 0.0
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Peak memory of a whole bim-train over the length of the sequences.")
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument("--rule", default="rtrl")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    rows = peaks(options.steps, options.rule)
    for row in rows:
        print(
            f"T = {row['steps']:6,}  peak {row['peak_bytes'] / 2**20:6.0f} MiB  data {row['data_bytes'] / 2**20:5.1f}"
            f"  rise {row['rise_bytes'] / 2**20:5.1f} MiB, {row['copies_of_data']:.1f} copies of the data"
        )
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rule": options.rule, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Peak memory of a whole `bim-train own --rule rtrl`, validation included, over the length of the sequences.

    python -m benchmarks.training.whole_command --json memory.json          (some minutes, one core)
    python -m benchmarks.training.whole_command --equal                     as many steps in all at every T
    python -m benchmarks.training.whole_command --steps 10000 --times 1 10 --updates 3     files of so many times more

The same number of sequences at every T, so that the data grow with T and nothing else should; short sequences then do
not fill the pieces of steps that are computed at a time, with ``--equal`` they do. Printed: the peak of
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
import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from benchmarks.learning import machine
from bim_neuro.errors import InputError

STEPS = (100, 1000, 10_000)
SAMPLES, LINES, CLASSES, RATE = 60, 16, 3, 0.05
KIB = 1 if sys.platform == "darwin" else 1024
"""Bytes of a unit of ru_maxrss."""
COMMAND = "import sys; from bim_neuro.cli import train_main; sys.exit(train_main())"


def make_data(path: Path, samples: int, steps: int) -> int:
    """Write x (samples, steps, lines) of spikes, and y; return the bytes of x."""
    rng, y = np.random.default_rng(0), np.arange(samples) % CLASSES
    shape, kind = (samples, steps, LINES), np.dtype(np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        # a sample at a time: Linux counts a process's peak as that of the commands it starts
        with archive.open("x.npy", "w", force_zip64=True) as member:
            npy.write_array_header_1_0(member, {"descr": kind.str, "fortran_order": False, "shape": shape})
            for label in y:
                sample = (rng.random(shape[1:]) < RATE).astype(kind)
                sample[0, label] = 1
                member.write(sample.tobytes())
        with archive.open("y.npy", "w") as member:
            npy.write_array(member, y)
    return kind.itemsize * prod(shape)


def peak_of(data: Path, *options: str) -> int:
    """Return the most bytes that the command, or a process which it waited for, had in memory."""
    options = (*options, "--epochs", "1", "--batch", "16", "--restart", "-o", str(data.with_suffix(".pt")))
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


def peaks(sizes: Sequence[tuple[int, int]], *options: str) -> list[dict[str, Any]]:
    """Return for each pair of samples and T the peak and the data in bytes, and the rise over the first."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "own.npz"
        make_data(data, *sizes[0])
        peak_of(data, *options)
        for samples, steps in sizes:
            size = make_data(data, samples, steps)
            row = {"samples": samples, "steps": steps, "data_bytes": size, "peak_bytes": peak_of(data, *options)}
            rows.append(row)
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
    parser.add_argument("--equal", action="store_true", help="more sequences the shorter they are")
    parser.add_argument("--times", type=int, nargs="+", default=[1], help="of so many sequences more, each")
    parser.add_argument("--rule", default="rtrl")
    parser.add_argument("--updates", type=int, help="the most that are made")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    longest = max(options.steps)
    sizes = [
        (SAMPLES * times * (longest // steps if options.equal else 1), steps)
        for steps in options.steps
        for times in options.times
    ]
    updates = ["--max-updates", str(options.updates)] if options.updates else []
    rows = peaks(sizes, "--rule", options.rule, *updates)
    for row in rows:
        peak, data, rise = (row[name] / 2**20 for name in ("peak_bytes", "data_bytes", "rise_bytes"))
        print(f"{row['samples']:5,} of T = {row['steps']:6,}  peak {peak:6.0f} MiB  data {data:6.1f}", end="")
        print(f"  rise {rise:5.1f} MiB, {row['copies_of_data']:.1f} copies of the data")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rule": options.rule, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The gradient of ReckOn's cue-accumulation sequences (2,250 steps, .6 % of the lines spike) by every method.

    python -m benchmarks.reckon_cue --data ../shared/data/reckon_cue --json reckon_cue.json          (some minutes)

For each batch: microseconds a step, how far the peak of memory rises above what a short sequence left, the bytes of
traces that are among what it left, and the cosine of the whole gradient to float64's of the law. One block, D = 64,
N = 16, K = 4, two classes; the loss is that of the mean readout. All methods take turns on one core
(`benchmarks.training`). Source of the data: github.com/ChFrenkel/ReckOn, src/data.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning import machine
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.training.online import ForwardGradient

from .training.cells import Cell
from .training.play import play
from .training.worker import network

METHODS = ("events", "dense", "tbptt", "checkpointed", "bptt")
LABEL, END = -2, -1
"""Instead of a line's number in the first column."""
LINES = 40


def read(file: Path) -> tuple[Array, Array]:
    """Return x (samples, steps, lines) of 0 and 1, and y (samples,)."""
    rows = np.loadtxt(file, delimiter=",", skiprows=1, dtype=int)
    ends = np.flatnonzero(rows[:, 0] == END)
    sample = np.searchsorted(ends, np.arange(len(rows)))
    events = rows[:, 0] >= 0
    x = np.zeros((len(ends), rows[events, 1].max() + 1, LINES), np.float32)
    x[sample[events], rows[events, 1], rows[events, 0]] = 1
    return x, rows[rows[:, 0] == LABEL, 1]


def show(batch: int, steps: int, found: dict[str, dict[str, Any]]) -> None:
    """Print the methods of a batch."""
    print(f"batch {batch}")
    for method, row in found.items():
        if "skipped" in row:
            print(f"    {method:13} skipped: {row['skipped']}")
        else:
            print(
                f"    {method:13}{1e3 * row['ms'] / steps:9.2f} us a step{row['peak_bytes'] / 2**20:9.1f} MiB"
                f" + {row['trace_bytes'] / 2**20:5.1f} of traces   cosine {row['cosine']:.6f}"
            )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="The gradient of long, sparse sequences by every method.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with dataset_cueAcc_train.dat")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 10], help="the first so many sequences")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="where all are pinned")
    options = parser.parse_args()
    x, y = read(options.data / "dataset_cueAcc_train.dat")
    figures: dict[str, Any] = {"machine": machine(), "steps": x.shape[1], "activity": float(x.mean()), "batch": {}}
    for batch in options.batch:
        part = np.ascontiguousarray(x[:batch].transpose(1, 0, 2)), y[:batch]
        cell = Cell(steps=len(part[0]), batch=batch, inputs=LINES, classes=int(y.max()) + 1, rate=float(x.mean()))
        found = play(cell, options.methods, options.core, exact=True, sequences=part)
        for method, row in found.items():
            kept = method in ("events", "dense")
            row["trace_bytes"] = ForwardGradient(network(cell), batch, events=method == "events").nbytes if kept else 0
        figures["batch"][batch] = found
        show(batch, cell.steps, found)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

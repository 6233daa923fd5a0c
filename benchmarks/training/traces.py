"""Forward traces beside a loop in C that reads, changes and writes an array of their size once a step.

    python -m benchmarks.training.traces --json traces.json                     (some ten minutes, one core)

One block, M = D = 64, N = 16, T = 1,000, batch 1 and 16, from 20 % input to silence, loss on the mean readout. All take
turns on one core (`benchmarks.training`); medians of up to seven plays. Printed: microseconds a step of the C loop
(`traces.c`, -O3 -march=native), of dense traces, of event-driven ones and of those that `auto` takes, each over the C
loop; how much the slowest input costs over the quickest; and what events gain. Where BIM_JAX_PYTHON names a Python with
JAX, `bptt` over the jitted rival at 20 %.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch

from benchmarks.learning import machine

from .cells import AXES, LOUD, SILENCE, Cell
from .play import JAX, play

METHODS = ("touch", "dense", "events", "rtrl")
LIMITS = {"dense over C": 2.0, "bptt over jax": 1.3}
BATCHES = (1, 16)


def of_batch(batch: int, core: int) -> dict[str, Any]:
    """Return microseconds a step of every method at every rate, and the ratios."""
    rows: dict[str, dict[str, float]] = {}
    for rate in AXES["rate"]:
        cell = Cell(batch=batch, rate=rate)
        rivals = ("bptt", "jax") if rate == LOUD and os.environ.get(JAX) else ()
        found = play(cell, (*METHODS, *rivals), core, exact=False)
        name = "silence" if rate == SILENCE else f"{rate:g}"
        rows[name] = {
            method: 1e3 * row["median_ms"] / cell.steps for method, row in found.items() if "median_ms" in row
        }
    return {"us_a_step": rows, **ratios(rows)}


def ratios(rows: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return what the rows say: each method over the C loop, slowest over quickest input, what events gain."""
    methods = [method for method in METHODS if method != "touch" and all(method in row for row in rows.values())]
    over_c = {method: {rate: row[method] / row["touch"] for rate, row in rows.items() if "touch" in row}
              for method in methods}  # fmt: skip
    flat = {method: max(row[method] for row in rows.values()) / min(row[method] for row in rows.values())
            for method in methods}  # fmt: skip
    gain = {rate: row["dense"] / row["events"] for rate, row in rows.items() if {"dense", "events"} <= set(row)}
    auto = {rate: row["dense"] / row["rtrl"] for rate, row in rows.items() if {"dense", "rtrl"} <= set(row)}
    rival = {rate: row["bptt"] / row["jax"] for rate, row in rows.items() if {"bptt", "jax"} <= set(row)}
    return {"over_c": over_c, "slowest_over_quickest": flat, "events_gain": gain, "auto_gain": auto,
            "bptt_over_jax": rival}  # fmt: skip


def show(batch: int, result: dict[str, Any]) -> None:
    """Print a batch."""
    print(f"\nbatch {batch}: us a step (over the C loop)")
    for rate, row in result["us_a_step"].items():
        each = [f"{method} {value:.1f} ({value / row['touch']:.2f})" if method in METHODS and "touch" in row
                else f"{method} {value:.1f}" for method, value in row.items()]  # fmt: skip
        print(f"    {rate:8}", "   ".join(each))
    worst = max(result["over_c"].get("dense", {}).values(), default=float("nan"))
    print(f"    dense over C at most {worst:.2f} (limit {LIMITS['dense over C']})", end="; ")
    print("slowest over quickest input:", _listed(result["slowest_over_quickest"]))
    print("    dense over events:", _listed(result["events_gain"]), "  over auto:", _listed(result["auto_gain"]))
    for ratio in result["bptt_over_jax"].values():
        print(f"    bptt over the jitted rival {ratio:.2f} (limit {LIMITS['bptt over jax']})")


def _listed(ratios: dict[str, float]) -> str:
    return "  ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Forward traces beside a loop in C over an array of their size.")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="where all are pinned")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for batch in BATCHES:
        found[f"batch {batch}"] = of_batch(batch, options.core)
        show(batch, found[f"batch {batch}"])
        if options.json:
            options.json.write_text(json.dumps({"machine": machine(), **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The grid: time, peak memory and cosine to float64 of every method, beside the rivals and the bound.

    python -m benchmarks.training --json training.json                        every axis by itself, some tens of minutes
    python -m benchmarks.training --json training.json --grid whole           every combination, hours
    python -m benchmarks.training --json t.json --only "T=1000 B=16" --methods bptt jax

Each method runs in a process of its own, all on one core and in turns; the best of up to seven plays counts. What a
method took on the cells before says which of the larger ones it skips (--seconds, --memory). A second run with the
same file measures only what is not in it. At the end stands from which T on forward traces take less memory, or less
time, than backpropagation (`break_even`). The rival needs an environment of its own, named by BIM_JAX_PYTHON:

    python3.11 -m venv jax && jax/bin/pip install jax==0.10.2
    BIM_JAX_PYTHON=jax/bin/python python -m benchmarks.training --json training.json
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch

from benchmarks.learning import machine

from .bound import bound
from .break_even import break_evens
from .cells import Cell, chosen, star, whole
from .methods import METHODS
from .play import play
from .rivals import elsewhere

EXACT_WORK = 2e8
"""States times steps up to which the gradient is compared with float64's: some minutes."""
Results = dict[str, dict[str, Any]]


def reason_to_skip(cell: Cell, method: str, results: Results, seconds: float, memory: float) -> str | None:
    """Say why a method is left out of a cell, from the largest cell it has played; None: it plays."""
    played = [
        (row["work"], row["methods"][method]) for row in results.values() if "ms" in row["methods"].get(method, {})
    ]
    smaller = [(work, result) for work, result in played if work <= cell.work]
    if not smaller:
        return None
    work, result = max(smaller, key=lambda pair: pair[0])
    scale = cell.work / work
    if result["ms"] * scale / 1e3 > seconds:
        return f"a play would take about {result['ms'] * scale / 1e3:.0f} s, --seconds is {seconds:g}"
    if result["peak_bytes"] * scale / 2**30 > memory:
        return f"it would take about {result['peak_bytes'] * scale / 2**30:.1f} GiB, --memory is {memory:g}"
    return None


def measure(cell: Cell, methods: list[str], results: Results, options: argparse.Namespace) -> dict[str, Any]:
    """Play a cell; return its row."""
    skips = {method: reason_to_skip(cell, method, results, options.seconds, options.memory) for method in methods}
    exact = cell.work <= EXACT_WORK
    found = play(cell, [method for method in methods if skips[method] is None], options.core, exact=exact)
    found |= {method: {"skipped": why} for method, why in skips.items() if why is not None}
    return {"cell": cell.plain(), "work": cell.work, "bound": bound(cell), "exact": exact, "methods": found}


def show(key: str, row: dict[str, Any]) -> None:
    """Print a cell."""
    print(f"\n{key}\n    bound: {'  '.join(f'{name} {value:.3g}' for name, value in row['bound'].items())}")
    for method, result in row["methods"].items():
        if "skipped" in result:
            print(f"    {method:13} skipped: {result['skipped']}")
            continue
        cosine = f"  cosine {result['cosine']:.6f}" if "cosine" in result else "  no float64 beside it"
        of_bound = f"{result['ms'] / row['bound']['bptt_ms']:7.1f} bounds"
        print(
            f"    {method:13}{result['ms']:10.2f} ms {of_bound}{result['peak_bytes'] / 2**20:9.1f} MiB{cosine}"
            f"  {result.get('variant', '')}", flush=True,
        )  # fmt: skip


def main() -> None:
    """Measure what is asked for and not measured yet."""
    every = [*METHODS, "jax"]
    parser = argparse.ArgumentParser(description="The cost of a gradient, by every method.")
    parser.add_argument("--json", type=Path, required=True, help="results; a second run goes on from them")
    parser.add_argument("--grid", choices=["star", "whole"], default="star", help="every axis by itself, or all")
    parser.add_argument("--only", nargs="*", default=[], help="cells with these words, as 'T=1000 B=16'")
    parser.add_argument("--methods", nargs="+", default=every, choices=every)
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="where all are pinned")
    parser.add_argument("--seconds", type=float, default=20.0, help="longest play")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB a method may take")
    options = parser.parse_args()
    torch.set_num_threads(1)
    content = json.loads(options.json.read_text()) if options.json.exists() else {}
    results: Results = content.get("cells", {})
    for cell in chosen(whole() if options.grid == "whole" else star(), options.only):
        before = results.get(cell.key, {}).get("methods", {})
        missing = [method for method in options.methods if method not in before]
        if missing:
            row = measure(cell, missing, results, options)
            results[cell.key] = row | {"methods": before | row["methods"]}
            lines = [str(found) for found in break_evens(results)]
            content = {"machine": machine(), "elsewhere": elsewhere(), "cells": results, "break_even": lines}
            options.json.write_text(json.dumps(content, indent=1) + "\n")
        show(cell.key, results[cell.key])
    print()
    for found in break_evens(results):
        print(found)
    for name, why in elsewhere().items():
        print(f"\n{name}: {why}")


if __name__ == "__main__":
    main()

"""Learning rules side by side on a task, with the same budget: accuracy over seeds, seconds, trace bytes.

python -m benchmarks.rules digits --rules bptt rtrl --epochs 100 --seeds 3
python -m benchmarks.rules digits --rules hybrid --lambdas 1 0.9 0.5 0 --epochs 100
python -m benchmarks.rules digits --rules rtrl --prune 0.5 0.7 0.9 --epochs 100
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bim_neuro.jobs.train import plan_for, train_task
from bim_neuro.tasks import load_task
from bim_neuro.training.rules import RULES, Learning


def measure(task: str, data: Path | None, learning: Learning, seeds: int, epochs: int | None) -> dict[str, Any]:
    """Train with every seed; return the float and integer test accuracies."""
    floats, integers, seconds, record = [], [], [], {}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            plan = plan_for(load_task(task, data), learning=learning, seed=seed, epochs=epochs)
            record = train_task(plan, Path(folder) / "model.pt", final=True).training
        metric = "accuracy" if plan.default.score == "accuracy" else "macro_f1"
        floats.append(record["test"]["float"][metric])
        integers.append(record["test"]["integer"][metric])
        seconds.append(record["seconds"])
    return {
        "rule": learning.rule, "lambda": learning.mix, "sparsity": record["sparsity"], "metric": metric,
        "mean": statistics.mean(floats), "spread": max(floats) - min(floats), "integer_mean": statistics.mean(integers),
        "seeds": floats, "seconds": statistics.mean(seconds), "trace_bytes": record["trace_bytes"],
    }  # fmt: skip


def main() -> None:
    """Measure every combination asked for."""
    parser = argparse.ArgumentParser(description="Learning rules side by side.")
    parser.add_argument("task")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rules", nargs="+", default=["bptt", "rtrl"], choices=list(RULES))
    parser.add_argument("--lambdas", nargs="+", type=float, default=[0.9])
    parser.add_argument("--prune", nargs="+", type=float, default=[None])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for rule, mix, sparsity in itertools.product(options.rules, options.lambdas, options.prune):
        learning = Learning(rule, mix, sparsity=sparsity)
        rows.append(measure(options.task, options.data, learning, options.seeds, options.epochs))
        print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()

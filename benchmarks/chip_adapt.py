"""Adaptation on real data: digits.pt meets shifted digits and learns on the simulated chip from 2,000 of them.

Shifts: the rows of every image in another order (seed 0), and half the gain. A stream is shifted training samples in
random order, over and over; five seeds draw streams and noise. Rate 0.05 was chosen on the validation split, with seeds
of its own (`python -m benchmarks.chip_adapt`); 0.2, the default of `--learn`, and 0.1 stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.graph import IntegerGraph
from bim_neuro.jobs.learn import CALIBRATION
from bim_neuro.model.checkpoint import Checkpoint, load_checkpoint
from bim_neuro.model.export import export
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.request import GROUPS, Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.simulation.compiled import Engine
from bim_neuro.tasks import Dataset, Task, load_task

MODEL = Path(__file__).resolve().parent.parent / "examples" / "digits.pt"
STREAM = 2000
SEEDS = range(5)
CHOICE_SEEDS = range(100, 102)
_ORDER = np.random.default_rng(0).permutation(8)
Shift = Callable[[Array], Array]
SHIFTS: dict[str, Shift] = {
    "permuted rows": lambda images: images[:, _ORDER],
    "half the gain": lambda images: images / 2,
}
LEARNT = {"all groups": GROUPS, "readout alone": ("w_o",)}
RATES = (0.05, 0.1, 0.2, 0.4)
"""What was tried on the validation split."""
CHOSEN = 0.05
SHOWN = (CHOSEN, 0.1, 0.2)


def accuracy(model: Checkpoint, graph: IntegerGraph, data: Dataset, shift: Shift | None = None) -> float:
    """Return the share of right answers on the data, shifted or not."""
    raw = shift(data.x) if shift else data.x
    return float(np.mean(Engine(graph).run(model.encoder.encode(raw)).predicted == data.y))


def adapt_once(model: Checkpoint, task: Task, shift: Shift, plasticity: Plasticity, split: Dataset) -> dict[str, Any]:
    """Learn on one stream; return accuracies before and after, on shifted and on old data, and during."""
    rng = np.random.default_rng(plasticity.seed)
    passes = -(-STREAM // len(task.train))
    stream = task.train.take(np.concatenate([rng.permutation(len(task.train)) for _ in range(passes)])[:STREAM])
    x = model.encoder.encode(shift(stream.x))
    block = plastic_block(export(model), plasticity, x[:CALIBRATION])
    learner = TraceLearner(block)
    assert stream.y is not None
    record = learner.run(x, stream.y)
    old, before = (accuracy(model, block.graph, split, s) for s in (None, shift))
    after, kept = (accuracy(model, learner.graph(), split, s) for s in (shift, None))
    return {
        "old data before": old, "before": before, "after": after, "old data after": kept,
        "regained": (after - before) / (old - before), "saturated": record.saturated,
        "during": [float(part.mean()) for part in np.array_split(record.correct, 10)],
    }  # fmt: skip


def measure(split: str, seeds: range, rates: tuple[float, ...]) -> dict[str, list[dict[str, Any]]]:
    """Return the runs over the seeds, by shift, groups and rate."""
    task, model = load_task("digits", None), load_checkpoint(MODEL)
    table = {}
    for name, shift in SHIFTS.items():
        for what, groups in LEARNT.items():
            for rate in rates:
                requests = (Plasticity("rtrl", synapses=groups, rate=rate, seed=seed) for seed in seeds)
                runs = [adapt_once(model, task, shift, request, getattr(task, split)) for request in requests]
                table[f"{name}, {what}, rate {rate:g}"] = runs
                keys = ("old data before", "before", "after", "old data after", "regained")
                means = (f"{key} {np.mean([run[key] for run in runs]):.3f}" for key in keys)
                print(f"{name}, {what}, rate {rate:g}:", *means, flush=True)
    return table


def adapt() -> tuple[dict[str, Any], Figure]:
    """Read the test split with the settings chosen; the figure is the stream's accuracy as it goes by."""
    table = measure("test", SEEDS, SHOWN)
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for name in (name for name in table if name.endswith(f"rate {CHOSEN:g}")):
        during = np.mean([run["during"] for run in table[name]], axis=0)
        axes.plot(np.arange(0.5, 10) * STREAM / 10, during, label=name)
    axes.set(xlabel="samples of the stream", ylabel="accuracy before each update")
    axes.legend(fontsize=8)
    return {"seeds": len(SEEDS), "stream": STREAM, "table": table}, figure


if __name__ == "__main__":
    measure("validation", CHOICE_SEEDS, RATES)

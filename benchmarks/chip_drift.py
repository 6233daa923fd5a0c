"""Digits that drift while digits.pt learns on the simulated chip: what holds now is tested along the stream.

Drifts: the gain falls to a quarter, or rows are swapped, one pair more after each part. A stream is PARTS times SAMPLES
training samples; after each part the test split, drifted as far, is read. Frozen weights and ridge regression on the
part's samples stand beside it.

`undone` asks which of these shifts a readout alone can undo: ridge regression on the frozen block's spikes, fitted to
the whole shifted training split, stands for the best readout of that block; it is no strict bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.chip_adapt import MODEL
from benchmarks.chip_rivals import ridge_accuracy, spike_features, with_one
from benchmarks.chip_sequence import Learner, Setup, learner_of
from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.jobs.learn import CALIBRATION
from bim_neuro.model.checkpoint import Checkpoint, load_checkpoint
from bim_neuro.model.export import export
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.tasks import Task, load_task

PARTS, SAMPLES = 8, 125
SEEDS = range(5)
GAINS = np.linspace(1, 0.25, PARTS)
Shift = Callable[[Array, int], Array]


def swapped(parts: int) -> Array:
    """Return the order of the rows after so many swaps of a pair."""
    order, rng = np.arange(8), np.random.default_rng(0)
    for _ in range(parts):
        pair = rng.choice(8, 2, replace=False)
        order[pair] = order[pair[::-1]]
    return order


DRIFTS: dict[str, Shift] = {
    "the gain falls": lambda images, part: images * np.float32(GAINS[part]),
    "rows are swapped": lambda images, part: images[:, swapped(part + 1)],
}
ROWS = (Setup("chip, all groups"), Setup("chip, readout alone", groups=("w_o",)))
SHIFTS: dict[str, Callable[[Array], Array]] = {
    "half the gain": lambda images: images / 2,
    "a quarter of the gain": lambda images: images / 4,
}
UNDONE = (Setup("chip, all groups", rate=0.1), Setup("chip, readout alone", groups=("w_o",), rate=0.1))
UNDONE_SAMPLES = 1000


def right(learner: Learner, x: Array, y: Array) -> float:
    """Return the share of right answers."""
    return float(np.mean(learner.answers(x) == y))


def along(model: Checkpoint, task: Task, shift: Shift, setup: Setup, seed: int) -> dict[str, list[float]]:
    """Return the accuracy on the test split after each part, as it is shifted then: learning, and frozen."""
    rng = np.random.default_rng(seed)
    encode, train, test = model.encoder.encode, task.train, task.test
    assert train.y is not None
    assert test.y is not None
    learner = frozen = None
    found: dict[str, list[float]] = {"learning": [], "frozen": []}
    for part in range(PARTS):
        pick = rng.permutation(len(train.x))[:SAMPLES]
        x, now = encode(shift(train.x[pick], part)), encode(shift(test.x, part))
        learner, frozen = learner or learner_of(model, x, setup, seed), frozen or learner_of(model, x, setup, seed)
        learner.run(x, train.y[pick])
        found["learning"].append(right(learner, now, test.y))
        found["frozen"].append(right(frozen, now, test.y))
    return found


def ridge_along(model: Checkpoint, task: Task, shift: Shift, seed: int) -> dict[str, list[float]]:
    """Return the same of ridge regression on the part's samples: spikes of the frozen block, or pixels."""
    rng = np.random.default_rng(seed)
    encode, train, choose, test = model.encoder.encode, task.train, task.validation, task.test
    assert train.y is not None
    assert choose.y is not None
    assert test.y is not None
    frozen = frozen_of(model, encode(train.x[:CALIBRATION]))
    found: dict[str, list[float]] = {"ridge on spikes": [], "ridge on pixels": []}
    for part in range(PARTS):
        pick = rng.permutation(len(train.x))[:SAMPLES]
        sets = ((train.x[pick], train.y[pick]), (choose.x, choose.y), (test.x, test.y))
        encoded = [(encode(shift(x, part)), y) for x, y in sets]
        on_spikes, on_pixels = ([(kind(x), y) for x, y in encoded] for kind in (frozen_features(frozen), with_one))
        found["ridge on spikes"].append(ridge_accuracy(*on_spikes))
        found["ridge on pixels"].append(ridge_accuracy(*on_pixels))
    return found


def frozen_of(model: Checkpoint, x: Array) -> TraceLearner:
    """Return the block as it was trained."""
    return TraceLearner(plastic_block(export(model), Plasticity("rtrl"), x))


def frozen_features(frozen: TraceLearner) -> Callable[[Array], Array]:
    """Return what makes features of the frozen block's spikes."""
    return lambda x: spike_features(frozen, x)


def undone(split: str = "test") -> dict[str, Any]:
    """Learn each shift for UNDONE_SAMPLES; beside it the bound of a readout of the frozen block."""
    task, model = load_task("digits", None), load_checkpoint(MODEL)
    train, choose, test = task.train, task.validation, getattr(task, split)
    table: dict[str, Any] = {}
    for name, shift in SHIFTS.items():
        encoded = [model.encoder.encode(shift(data.x)) for data in (train, choose, test)]
        frozen = frozen_of(model, encoded[0][:CALIBRATION])
        sets = [(spike_features(frozen, x), data.y) for x, data in zip(encoded, (train, choose, test), strict=True)]
        row = {"bound of a readout": [ridge_accuracy(*sets)], "before": [right(frozen, encoded[2], test.y)]}
        for setup in UNDONE:
            for seed in SEEDS:
                rng = np.random.default_rng(seed)
                order = rng.permutation(len(train.x))[:UNDONE_SAMPLES]
                learner = learner_of(model, encoded[0][order], setup, seed)
                learner.run(encoded[0][order], train.y[order])
                row.setdefault(setup.name, []).append(right(learner, encoded[2], test.y))
        table[name] = row
        print(f"{name:24}", *(f"{key} {_range(row[key])}" for key in row), flush=True)
    return table


def _range(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def drift() -> tuple[dict[str, Any], Figure]:
    """Read the test split along both drifts; the figure is the mean of the seeds after each part."""
    task, model = load_task("digits", None), load_checkpoint(MODEL)
    table: dict[str, Any] = {}
    figure, panels = plt.subplots(1, len(DRIFTS), figsize=(10, 3.4), sharey=True, layout="constrained")
    for axes, (name, shift) in zip(panels, DRIFTS.items(), strict=True):
        rows: dict[str, list[list[float]]] = {}
        for setup in ROWS:
            for seed in SEEDS:
                found = along(model, task, shift, setup, seed)
                rows.setdefault(setup.name, []).append(found["learning"])
                if setup is ROWS[0]:
                    rows.setdefault("frozen weights", []).append(found["frozen"])
        for seed in SEEDS:
            for kind, curve in ridge_along(model, task, shift, seed).items():
                rows.setdefault(f"{kind} of the part", []).append(curve)
        table[name] = rows
        for row, curves in rows.items():
            print(f"{name}, {row:28} mean {_range([float(np.mean(curve)) for curve in curves])}",
                  f"last {_range([curve[-1] for curve in curves])}", flush=True)  # fmt: skip
            axes.plot(np.arange(1, PARTS + 1) * SAMPLES, np.mean(curves, axis=0), marker=".", label=row)
        axes.set(title=name, xlabel="samples of the stream")
    panels[0].set_ylabel("test accuracy on what holds now")
    panels[1].legend(fontsize=7)
    return {"seeds": len(SEEDS), "parts": PARTS, "samples_a_part": SAMPLES, "table": table, "undone": undone()}, figure

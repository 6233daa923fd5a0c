"""Tasks in sequence on the simulated chip: digits with their rows in four orders, one after another, and what is kept.

R[i][j] is the accuracy on task j after task i was learnt. Average accuracy is the mean of the last row; backward
transfer is the mean of R[T][j] - R[j][j] over all tasks but the last (Lopez-Paz and Ranzato 2017), below 0 where tasks
are forgotten.

`python -m benchmarks.chip_sequence` chooses on the validation split, with a seed of its own: samples kept a class for
replay, and the rates of fine-tuning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.chip_adapt import MODEL
from benchmarks.chip_rivals import FloatLearner, ridge_accuracy, spike_features, with_one
from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.jobs.learn import CALIBRATION
from bim_neuro.model.checkpoint import Checkpoint, load_checkpoint
from bim_neuro.model.export import export
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.replay import with_replay
from bim_neuro.plasticity.request import GROUPS, Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.tasks import Dataset, load_task

TASKS, SAMPLES = 4, 250
SEEDS, CHOICE_SEEDS = range(5), range(100, 101)
ORDERS = [np.random.default_rng(task).permutation(8) for task in range(TASKS)]
RATES = (0.003, 0.01, 0.03)
KEPT = (5, 20)
"""What was tried on the validation split: rates of SGD, samples kept a class."""
FLOAT_RATE, KEEP = 0.01, 20


class Learner(Protocol):
    """What learns a stream and answers."""

    def run(self, x: Array, y: Array, /) -> Any: ...

    def answers(self, x: Array, /) -> Array: ...


@dataclass(frozen=True)
class Setup:
    """One row: ``kept`` samples a class are replayed, each is learnt ``times``; by ``sgd`` in float at that rate."""

    name: str
    groups: tuple[str, ...] = GROUPS
    kept: int = 0
    times: int = 1
    sgd: float = 0.0
    rate: float = 0.05


ROWS = (
    Setup("chip, all groups"),
    Setup("chip, all groups, each sample twice", times=2),
    Setup(f"chip, all groups, replay of {KEEP} a class", kept=KEEP),
    Setup("chip, readout alone", groups=("w_o",)),
    Setup("float, SGD", sgd=FLOAT_RATE),
    Setup(f"float, SGD, replay of {KEEP} a class", sgd=FLOAT_RATE, kept=KEEP),
)


@dataclass(frozen=True)
class Stream:
    """The encoded samples of all tasks in their order, and the encoded test of each task."""

    x: Array  # (TASKS, SAMPLES, T, lines)
    y: Array  # (TASKS, SAMPLES)
    tests: Array  # (TASKS, samples, T, lines)
    test_y: Array


def backward_transfer(accuracy: Array) -> float:
    """Return the mean of R[T][j] - R[j][j] over all tasks but the last, for R (tasks, tasks)."""
    return float(np.mean(accuracy[-1, :-1] - np.diag(accuracy)[:-1]))


def stream_of(model: Checkpoint, train: Dataset, test: Dataset, seed: int, samples: int = SAMPLES) -> Stream:
    """Draw each task's samples from the training split."""
    rng = np.random.default_rng(seed)
    assert train.y is not None
    assert test.y is not None
    picks = [np.resize(rng.permutation(len(train.x)), samples) for _ in ORDERS]
    encode = model.encoder.encode
    x = np.stack([encode(train.x[pick][:, order]) for pick, order in zip(picks, ORDERS, strict=True)])
    tests = np.stack([encode(test.x[:, order]) for order in ORDERS])
    return Stream(x, np.stack([train.y[pick] for pick in picks]), tests, test.y)


def learn_all(learner: Learner, stream: Stream, setup: Setup, seed: int) -> Array:
    """Learn task after task; return R (tasks, tasks)."""
    tasks, samples = stream.y.shape
    x, y = stream.x.reshape(-1, *stream.x.shape[2:]), stream.y.ravel()
    order, fresh = with_replay(y, setup.kept, seed)
    order, fresh = np.repeat(order, setup.times), np.repeat(fresh, setup.times)
    task_of = (np.cumsum(fresh) - 1) // (samples * setup.times)
    rows = []
    for task in range(tasks):
        now = order[task_of == task]
        learner.run(x[now], y[now])
        rows.append(right_of_all(learner.answers, stream))
    return np.array(rows)


def right_of_all(answers: Callable[[Array], Array], stream: Stream) -> list[float]:
    """Return the accuracy on the test of each task."""
    return [float(np.mean(answers(test) == stream.test_y)) for test in stream.tests]


def learner_of(model: Checkpoint, stream_x: Array, setup: Setup, seed: int) -> Learner:
    """Return the chip's learner, or the float one."""
    if setup.sgd:
        return FloatLearner(model, setup.sgd, setup.groups)
    plasticity = Plasticity("rtrl", synapses=setup.groups, rate=setup.rate, seed=seed)
    return TraceLearner(plastic_block(export(model), plasticity, stream_x[:CALIBRATION]))


def measure(setups: Iterable[Setup], seeds: range, split: str) -> dict[str, dict[str, Any]]:
    """Return R, average accuracy and backward transfer of every row and seed."""
    task, model = load_task("digits", None), load_checkpoint(MODEL)
    table: dict[str, dict[str, Any]] = {}
    for setup in setups:
        matrices = []
        for seed in seeds:
            stream = stream_of(model, task.train, getattr(task, split), seed)
            matrices.append(learn_all(learner_of(model, stream.x[0], setup, seed), stream, setup, seed))
        table[setup.name] = summary(matrices)
        show(setup.name, table[setup.name])
    return table


def summary(matrices: list[Array]) -> dict[str, Any]:
    """Return what is told of the runs of a row."""
    return {
        "average": [float(matrix[-1].mean()) for matrix in matrices],
        "new": [float(np.diag(matrix).mean()) for matrix in matrices],
        "backward": [backward_transfer(matrix) for matrix in matrices],
        "R": np.mean(matrices, axis=0).round(4).tolist(),
    }


def show(name: str, row: dict[str, Any]) -> None:
    """Print a row: mean (smallest to largest)."""
    cells = (
        f"{key} {np.mean(row[key]):.3f} ({min(row[key]):.3f} to {max(row[key]):.3f})"
        for key in ("average", "new", "backward")
    )
    print(f"{name:44}", *cells, flush=True)


def ridges(split: str, seeds: range) -> dict[str, dict[str, Any]]:
    """Ridge regression on the same stream, computed anew from all samples so far, or from the last task's alone."""
    task, model = load_task("digits", None), load_checkpoint(MODEL)
    found: dict[str, list[Array]] = {}
    for seed in seeds:
        stream, choose = (stream_of(model, task.train, getattr(task, part), seed) for part in (split, "validation"))
        frozen = TraceLearner(plastic_block(export(model), Plasticity("rtrl"), stream.x[0][:CALIBRATION]))
        kinds: dict[str, Callable[[Array], Array]] = {
            "spikes": lambda x, frozen=frozen: spike_features(frozen, x),  # type: ignore[misc]
            "pixels": with_one,
        }
        for kind, features in kinds.items():
            learnt = np.stack([features(x) for x in stream.x])
            tests, chosen = ([features(x) for x in each.tests] for each in (stream, choose))
            for first, what in ((0, "all so far"), (None, "the last task")):
                parts = [slice(first if first == 0 else i, i + 1) for i in range(TASKS)]
                matrix = [
                    [
                        ridge_accuracy(
                            (np.concatenate(learnt[part]), stream.y[part].ravel()), (chosen[i], choose.test_y),
                            (test, stream.test_y),
                        )
                        for test in tests
                    ]
                    for i, part in enumerate(parts)
                ]  # fmt: skip
                found.setdefault(f"ridge on {kind}, {what}", []).append(np.array(matrix))
    table = {name: summary(matrices) for name, matrices in found.items()}
    for name, row in table.items():
        show(name, row)
    return table


def sequence() -> tuple[dict[str, Any], Figure]:
    """Read the test split with the settings chosen; the figure is each task's accuracy after each task."""
    table = measure(ROWS, SEEDS, "test") | ridges("test", SEEDS)
    shown = [ROWS[0], ROWS[2], ROWS[4]]
    figure, panels = plt.subplots(1, len(shown), figsize=(10, 3.2), sharey=True, layout="constrained")
    for axes, setup in zip(panels, shown, strict=True):
        for task, column in enumerate(np.array(table[setup.name]["R"]).T):
            axes.plot(range(task + 1, TASKS + 1), column[task:], marker="o", label=f"task {task + 1}")
        axes.set(title=setup.name, xlabel="tasks learnt", xticks=range(1, TASKS + 1))
    panels[0].set_ylabel("test accuracy")
    panels[0].legend(fontsize=8)
    return {"seeds": len(SEEDS), "tasks": TASKS, "samples_a_task": SAMPLES, "table": table}, figure


def choose() -> None:
    """Print what is to be chosen on the validation split."""
    measure([Setup(f"float, {rate:g}", sgd=rate) for rate in RATES], CHOICE_SEEDS, "validation")
    measure([Setup(f"replay of {kept}", kept=kept) for kept in KEPT], CHOICE_SEEDS, "validation")


if __name__ == "__main__":
    choose()

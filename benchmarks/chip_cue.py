"""The delayed cue learnt on the simulated chip from random weights: integers only, one sequence after another.

Five seeds draw the sequences, the model and the noise of rounding. A model of 32 channels with 8 states reads 2,000
training sequences twice (in the figure once), and is tested on 1,000. The rate is the default of `--learn`; how often
the sequences are read was chosen on the validation splits of six other seeds (once: 0.942 to 1, twice: 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.errors import InputError
from bim_neuro.jobs.learn import CALIBRATION
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes import fit_encoder
from bim_neuro.plasticity.record import LearnRecord
from bim_neuro.plasticity.request import ROUNDINGS, Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.simulation.compiled import Engine
from bim_neuro.tasks import Task
from bim_neuro.tasks.cue import load_cue_task

SEEDS, FIGURE_SEEDS = range(5), range(3)
RANGES = 64  # sequences whose float ranges the formats are from
TRACE_BITS = (6, 7, 8, 10, 12)
WEIGHT_BITS = (4, 5, 6, 8)


@dataclass(frozen=True)
class Setup:
    """One row; its defaults are those of `--learn` on 4,000 sequences."""

    name: str
    rate: float = 0.2
    weight_bits: int = 8
    rounding: str = "stochastic"  # of the update
    trace_bits: int = 12
    trace_rounding: str = "stochastic"
    forgetful: bool = False
    sequences: int = 4000


ROWS = (
    Setup("stochastic"),
    Setup("stochastic, read once", sequences=2000),
    Setup("nearest", rounding="nearest", trace_rounding="nearest"),
    Setup("truncated", rounding="truncate", trace_rounding="truncate"),
    Setup("stochastic, rate 0.05", rate=0.05),
    Setup("nearest, rate 0.05", rate=0.05, rounding="nearest", trace_rounding="nearest"),
    Setup("stochastic, rate 1", rate=1.0),
    Setup("nearest, rate 1", rate=1.0, rounding="nearest", trace_rounding="nearest"),
    Setup("no traces (control)", forgetful=True),
)


def random_model(task: Task, seed: int, channels: int = 32, states: int = 8) -> Checkpoint:
    """Return an untrained model with the ranges of its first training sequences."""
    torch.manual_seed(seed)
    encoder = fit_encoder("graded", task.train.x)
    config = NetworkConfig(encoder.source.neurons, len(task.class_names), channels, states)
    state = dict(BIMNetwork(config).state_dict())
    model = Checkpoint(config, task.dt, task.name, task.class_names, encoder, state, {})
    x = encoder.to_float(encoder.encode(task.train.x[:RANGES]))
    return replace(model, ranges=calibrate(export(model), x))


def learn_cue(setup: Setup, seed: int, split: str = "test") -> dict[str, Any]:
    """Learn from random weights; return the accuracy of the integer graph before and after, on ``split``."""
    task = load_cue_task(None, seed)
    model = random_model(task, seed)
    plasticity = Plasticity(
        "rtrl", rate=setup.rate, weight_bits=setup.weight_bits, trace_bits=setup.trace_bits, rounding=setup.rounding,
        seed=seed,
    )  # fmt: skip
    x = model.encoder.encode(task.train.x)
    block = plastic_block(export(model), plasticity, x[:CALIBRATION])
    block = replace(block, process=replace(block.process, rounding=setup.trace_rounding))
    rng = np.random.default_rng(seed)
    order = np.concatenate([np.arange(len(x)), *(rng.permutation(len(x)) for _ in range(setup.sequences // len(x)))])
    stream = order[: setup.sequences]
    assert task.train.y is not None
    learner = TraceLearner(block, forgetful=setup.forgetful)
    try:
        record = learner.run(x[stream], task.train.y[stream])
    except InputError:  # words so narrow that no spike leaves a trace: nothing is learnt
        record = LearnRecord(np.zeros(0, bool))
    data = getattr(task, split)
    lines = model.encoder.encode(data.x)
    before, after = (float(np.mean(Engine(g).run(lines).predicted == data.y)) for g in (block.graph, learner.graph()))
    updates = max(sum(record.updates.values()), 1)
    return {
        "before": before, "after": after, "saturated": record.saturated,
        "changed": sum(record.changed.values()) / updates, "clipped": sum(record.clipped.values()) / updates,
    }  # fmt: skip


def measure(setups: Iterable[Setup], seeds: Iterable[int]) -> dict[str, dict[str, list[float]]]:
    """Return every figure of `learn_cue`, a list over the seeds, by the name of the row."""
    table = {}
    for setup in setups:
        runs = [learn_cue(setup, seed) for seed in seeds]
        table[setup.name] = {key: [run[key] for run in runs] for key in runs[0]}
        print(f"{setup.name:40}", *(f"{value:.3f}" for value in table[setup.name]["after"]), flush=True)
    return table


def cue() -> tuple[dict[str, Any], Figure]:
    """The table over five seeds; the figure, over three, of accuracy against the bits of traces and of weights."""
    table = measure(ROWS, SEEDS)
    numbers, figure = sweep()
    return {"seeds": len(SEEDS), "figure_seeds": len(FIGURE_SEEDS), "table": table, "figure": numbers}, figure


def sweep() -> tuple[dict[str, dict[str, list[float]]], Figure]:
    """Bits of the traces by their rounding, and bits of the weights by rounding of the update; sequences read once."""
    traces = {r: [Setup(f"{b}-bit traces, {r}", trace_bits=b, trace_rounding=r) for b in TRACE_BITS] for r in ROUNDINGS}
    weights = {
        "stochastic": [Setup(f"{b}-bit weights", weight_bits=b) for b in WEIGHT_BITS],
        "stochastic, the same step in real units": [
            Setup(f"{b}-bit weights, same step", weight_bits=b, rate=0.2 * 2.0 ** (b - 8)) for b in WEIGHT_BITS
        ],
        "nearest": [Setup(f"{b}-bit weights, nearest", weight_bits=b, rounding="nearest") for b in WEIGHT_BITS],
    }
    once = [replace(s, sequences=2000) for setups in (*traces.values(), *weights.values()) for s in setups]
    numbers = measure(once, FIGURE_SEEDS)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for axes, lines, bits in ((left, traces, TRACE_BITS), (right, weights, WEIGHT_BITS)):
        for name, setups in lines.items():
            accuracy = np.array([numbers[setup.name]["after"] for setup in setups])
            axes.plot(bits, accuracy.mean(1), marker="o", label=name)
            axes.fill_between(bits, accuracy.min(1), accuracy.max(1), alpha=0.2)
        axes.axhline(0.25, color="grey", linestyle=":", linewidth=1)
        axes.legend(fontsize=8, title="rounding of the traces" if axes is left else "rounding of the update")
    left.set(xlabel="bits of a trace word (8-bit weights, stochastic update)", ylabel="test accuracy")
    right.set(xlabel="bits of a weight (12-bit traces)")
    return numbers, figure

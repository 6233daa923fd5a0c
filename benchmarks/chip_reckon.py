"""ReckOn's cue sequences learnt on the simulated chip from random weights: 2,250 steps, 40 samples, integers only.

A model of 16 channels with 4 states, initialised with slow states (a step of SLOW where the default is .01 to .5), a
readout that forgets one part in 2,000 a step (READOUT_DECAY: what counts was seen up to 2,000 steps ago), and
projections divided by their size (`norm`), as 0.6 % of the lines spike and an untrained block would stay silent.
It learns from the task's training split, one update a sample; the rate was chosen on the validation split with seeds of
its own (`python -m benchmarks.chip_reckon`), the test split is read once a row and seed.

The readout is read, and the error computed, from step ASKED on, as ReckOn's testbench does (src/tbench.sv of
github.com/ChFrenkel/ReckOn: target and answer from its tick 2,100 on); `bim-train cue-reckon` reads the whole sample.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.chip_rivals import ridge_accuracy, spike_features
from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes import fit_encoder
from bim_neuro.plasticity.request import GROUPS, Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.tasks import Task
from bim_neuro.tasks.reckon_cue import load_reckon_cue_task

DATA = Path(os.environ.get("BIM_RECKON_CUE", "../shared/data/reckon_cue"))
SEEDS, CHOICE_SEEDS = range(5), range(100, 103)
CHANNELS, STATES = 16, 4
SLOW = (0.0005, 0.005)
READOUT_DECAY = 0.9995
CALIBRATION = 2  # samples whose largest traces set the units; the law in numpy takes seconds for each
ASKED = 2100
EPOCHS = 8


@dataclass(frozen=True)
class Setup:
    """One row; ``read_from`` is the first step whose readout counts."""

    name: str
    read_from: int = ASKED
    rate: float = 0.2
    groups: tuple[str, ...] = GROUPS
    trace_bits: int = 12
    epochs: int = EPOCHS


ROWS = (Setup("every group"), Setup("readout alone", groups=("w_o",)))
MORE = (
    Setup("10-bit traces", trace_bits=10),
    Setup("16-bit traces", trace_bits=16),
    Setup("every group, read over the whole sample", read_from=0),
)
"""What `python -m benchmarks.chip_reckon more` measures besides."""
CHOICES = tuple(Setup(f"rate {rate:g}", rate=rate) for rate in (0.1, 0.2, 0.5))


def random_model(task: Task, seed: int) -> Checkpoint:
    """Return an untrained model with slow states, whose projections are divided by their size on the training split."""
    torch.manual_seed(seed)
    encoder = fit_encoder("graded", task.train.x)
    config = NetworkConfig(
        encoder.source.neurons, len(task.class_names), CHANNELS, STATES, norm=True, readout_decay=READOUT_DECAY,
        dt_min=SLOW[0], dt_max=SLOW[1],
    )  # fmt: skip
    network = BIMNetwork(config)
    x = encoder.to_float(encoder.encode(task.train.x))
    network.measure_norms(torch.as_tensor(x, dtype=torch.float32).transpose(0, 1))
    model = Checkpoint(config, task.dt, task.name, task.class_names, encoder, dict(network.state_dict()), {})
    return replace(model, ranges=calibrate(export(model), x))


def learn_cues(task: Task, setup: Setup, seed: int, split: str) -> dict[str, Any]:
    """Learn from random weights; return the accuracy on ``split`` before, and in the end, and while learning."""
    model = random_model(task, seed)
    plasticity = Plasticity("rtrl", synapses=setup.groups, rate=setup.rate, trace_bits=setup.trace_bits, seed=seed)
    x, y, data = model.encoder.encode(task.train.x), task.train.y, getattr(task, split)
    block = plastic_block(export(model), plasticity, x[:CALIBRATION], read_from=setup.read_from)
    learner, rng = TraceLearner(block), np.random.default_rng(seed)
    tested = model.encoder.encode(data.x)
    assert y is not None
    curve, during, saturated = [float(np.mean(learner.answers(tested) == data.y))], [], 0
    for _ in range(setup.epochs):
        order = rng.permutation(len(x))
        record = learner.run(x[order], y[order])
        saturated += record.saturated
        during.append(float(record.correct.mean()))
        if split == "validation":
            curve.append(float(np.mean(learner.answers(tested) == data.y)))
    if split != "validation":  # a test is read once
        curve.append(float(np.mean(learner.answers(tested) == data.y)))
    trained = float(np.mean(learner.answers(x) == y))
    return {"before": curve[0], "after": curve[-1], "curve": curve, "trained": trained, "during": during,
            "saturated": saturated}  # fmt: skip


def readout_bound(task: Task, seed: int, split: str, read_from: int = ASKED) -> float:
    """Return the accuracy of ridge regression on the untrained block's spikes, as the readout weighs them."""
    model = random_model(task, seed)
    x = [model.encoder.encode(data.x) for data in (task.train, task.validation, getattr(task, split))]
    frozen = TraceLearner(plastic_block(export(model), Plasticity("rtrl", seed=seed), x[0][:1], read_from=read_from))
    y = (task.train.y, task.validation.y, getattr(task, split).y)
    return ridge_accuracy(*((spike_features(frozen, each), label) for each, label in zip(x, y, strict=True)))


def measure(setups: Iterable[Setup], seeds: range, split: str, data: Path = DATA) -> dict[str, dict[str, list[Any]]]:
    """Return every figure of `learn_cues`, a list over the seeds, by the name of the row."""
    task = load_reckon_cue_task(data)
    table: dict[str, dict[str, list[Any]]] = {}
    for seed in seeds:
        for setup in setups:
            run = learn_cues(task, setup, seed, split)
            for key, value in run.items():
                table.setdefault(setup.name, {}).setdefault(key, []).append(value)
            print(f"seed {seed} {setup.name:52}", run, flush=True)
        bound = readout_bound(task, seed, split)
        table.setdefault("ridge on the untrained block's spikes", {}).setdefault("after", []).append(bound)
        print(f"seed {seed} bound {bound:.2f}", flush=True)
    return table


def reckon() -> tuple[dict[str, Any], Figure]:
    """Read the test split with the settings chosen; the figure is the accuracy of each epoch before its updates."""
    table = measure(ROWS, SEEDS, "test")
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for setup in ROWS:
        during = np.array(table[setup.name]["during"])
        epochs = range(1, during.shape[1] + 1)
        axes.plot(epochs, during.mean(0), marker="o", label=setup.name)
        axes.fill_between(epochs, during.min(0), during.max(0), alpha=0.1)
    axes.set(xlabel="epoch of 40 samples", ylabel="accuracy before each update")
    axes.legend(fontsize=7)
    return {"seeds": len(SEEDS), "epochs": EPOCHS, "table": table}, figure


if __name__ == "__main__":
    if sys.argv[1:] == ["more"]:
        measure(MORE, SEEDS, "test")
    else:
        measure(CHOICES, CHOICE_SEEDS, "validation")

"""The trained models of the benchmark of stock programs: digits by seed, two blocks, events, and 200 steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bim_neuro.errors import InputError
from bim_neuro.jobs.train import plan_for, train_task
from bim_neuro.tasks import Dataset, Task, load_task

from .cases import EXAMPLES

SEEDS = 5
HELD = 25
"""Steps for which 'held' shows each of the eight rows of a digit: 200 in all."""


@dataclass(frozen=True)
class Trained:
    """A model.pt, the samples that place its knots, and those that it is measured on."""

    what: str
    file: Path
    train: Dataset
    measured: Dataset
    split: str
    score: str = "accuracy"
    lava: int = 4  # samples that Lava plays too


def models(folder: Path, data: Path | None, ecg_split: str) -> dict[str, Callable[[], Trained]]:
    """Return what trains each model, or reads it where ``folder`` has it."""

    def digits(name: str, what: str, lava: int = 4, **changes: Any) -> Callable[[], Trained]:
        def made() -> Trained:
            task = load_task("digits")
            return Trained(what, _trained(folder, name, task, **changes), task.train, task.test, "test", lava=lava)

        return made

    def held() -> Trained:
        task = _slow_digits()
        what = f"digits, each row shown for {HELD} steps, 64 channels"
        file = _trained(folder, "held", task, epochs=40, learning_rate=4e-3)
        return Trained(what, file, task.train, task.test, "test", lava=1)

    def ecg() -> Trained:
        if data is None:
            raise InputError("the recordings of ecg are needed", "give --data")
        task = load_task("ecg", data)
        measured = task.split(ecg_split)
        return Trained("examples/ecg.pt", EXAMPLES / "ecg.pt", task.train, measured, ecg_split, "macro_f1")

    seeds = {f"digits_{seed}": digits(f"digits_{seed}", f"digits, seed {seed}", seed=seed) for seed in range(SEEDS)}
    others = {
        "two_blocks": digits("two_blocks", "digits, two blocks of 64 channels", 2, blocks=2, channels=64, epochs=150),
        "delta": digits("delta", "digits as events of changes", encoder="delta", epochs=150),
    }
    return {**seeds, **others, "held": held, "ecg": ecg}


def _trained(folder: Path, name: str, task: Task, **changes: Any) -> Path:
    """Return the model.pt of a task, trained now if it is not there."""
    file = folder / f"{name}.pt"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"training {name} ...", flush=True)
        unfinished = folder / f"{name}.unfinished.pt"
        train_task(plan_for(task, **changes), unfinished)
        unfinished.rename(file)
    return file


def _slow_digits() -> Task:
    """Return digits whose rows last so long that states must keep the first for 175 steps."""
    task = load_task("digits")
    parts = {
        name: replace(split, x=np.repeat(split.x, HELD, axis=1))
        for name, split in (("train", task.train), ("validation", task.validation), ("test", task.test))
    }
    return replace(task, name="own", **parts)

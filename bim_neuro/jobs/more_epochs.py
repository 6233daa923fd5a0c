"""More epochs of a trained model: its weights, recipe and rule, a fresh optimiser, and a schedule of their own.

    bim-train digits -o digits.pt --more-epochs 50

The one-cycle schedule of a finished training ends at a learning rate near 0, so it cannot simply go on: N more epochs
are one cycle of N epochs, up to the learning rate and down again. Where none of them is better on validation, the
weights stay as they were.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..model.checkpoint import Checkpoint, load_checkpoint, load_plain
from ..printable import counted
from ..tasks import Task
from ..tasks.clusters import row_names
from ..training.progress import Start, digest
from ..training.recipes import DEFAULTS, SHAPE, Default
from ..training.rules import Learning
from ..training.stdp import PairWindow
from ..training.trainer import Recipe


def begun(model: Path, task: Task, resume_file: Path) -> tuple[Checkpoint, Default, Learning, Start]:
    """Return a trained model with the shape, recipe and rule it was trained with, and where more epochs begin."""
    checkpoint = load_checkpoint(model)
    _check_data(model, checkpoint, task)
    record = checkpoint.training
    try:
        config, default = checkpoint.config, DEFAULTS[task.name]
        recipe = Recipe(**_of(record["recipe"], Recipe))
        window = PairWindow(**record["learning"]["window"])
        learning = Learning(**{**_of(record["learning"], Learning), "window": window})
        shape = {name: getattr(config, name) for name in SHAPE}
        shape |= {"softmax": ("adaptive" if config.adaptive else "full") if task.head == "next" else None}
        name = _name(checkpoint, resume_file)
        had = {"epochs": int(record["epochs"]), "best_epoch": int(record["best_epoch"])}
        start = Start(resume_file, dict(checkpoint.state), name, **had, log=tuple(record["log"]))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        hint = "train it anew, without --more-epochs"
        raise InputError(f"{model} has no record of its training to go on from ({error!r:.60})", hint) from None
    return checkpoint, replace(default, recipe=recipe, **shape), learning, start


def said(start: Start, recipe: Recipe) -> str:
    """Say which schedule more epochs take."""
    return (
        f"{counted(recipe.epochs, 'more epoch')} after {start.epochs:,}: the optimiser starts anew, one cycle up to "
        f"learning rate {recipe.learning_rate:g} and down; where no epoch is better on validation, the weights stay"
    )


def _of(plain: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return the entries that are fields; a newer version may have written others."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in plain.items() if name in names}


def _check_data(model: Path, checkpoint: Checkpoint, task: Task) -> None:
    if checkpoint.task != task.name:
        raise InputError(f"{model} was trained on '{checkpoint.task}', not on '{task.name}'", "name its own task")
    if checkpoint.labels != row_names(task.class_names, adaptive=checkpoint.config.adaptive):
        raise InputError(f"{model} has the classes {checkpoint.labels!r:.60}, the data {task.class_names!r:.60}")
    channels, given = checkpoint.encoder.channels, task.train.x.shape[-1]
    if channels != given:
        raise InputError(f"{model} reads {channels:,} channels, the data have {given:,}", "give data of the same kind")


def _name(model: Checkpoint, resume_file: Path) -> str:
    """Name the weights; of a model that a stopped run has written already, those which that run began with."""
    earlier = model.training.get("start")
    if earlier and resume_file.exists():
        with suppress(InputError, LookupError, TypeError):
            if load_plain(resume_file)["identity"]["start"] == earlier:
                return str(earlier)
    return digest(*(value.numpy() for value in model.state.values()))

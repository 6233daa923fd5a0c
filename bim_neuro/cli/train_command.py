"""bim-train: its options, the training with its progress, and what it prints."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID

from ..extras import check_extra
from ..jobs.settings import TRAIN, rows
from ..printable import as_json
from .asked import Asked, carry_out
from .config import Command, Config, Listed, Settings, print_settings
from .console import Paced, out, progress_bar, remark
from .shared import (
    AUTO,
    INPUT,
    LEARNING,
    MODEL,
    OUTPUT,
    TRAINING,
    Debug,
    Device,
    Layout,
    Version,
    in_panel,
    new_app,
)
from .streams import run_app
from .train_options import OPTIONS

if TYPE_CHECKING:
    from ..jobs.request import TrainRequest
    from ..jobs.train import TrainingPlan
    from ..training.progress import Epoch

train_app = new_app(Command("bim-train", TRAIN))

_FIELDS = ("data", "layout", "seed", "epochs", "batch", "learning_rate", "channels", "states", "blocks", "encoder",
            "rule", "device", "prune", "seeds", "more_epochs", "restart", "max_updates", "final",
            "baseline", "json")  # fmt: skip
"""The options that are fields of a `TrainRequest` as they are."""


@train_app.command()
def train_command(
    context: typer.Context,
    task: Annotated[str | None, typer.Argument(help="digits, ecg, cue, copy, or own (with --data my.npz).")] = None,
    data: Annotated[Path | None, in_panel(INPUT, help="Recordings of the task, or a .npz for 'own'.")] = None,
    output: Annotated[
        Path | None, in_panel(OUTPUT, "--output", "-o", help="Model file to write (default: TASK.pt).")
    ] = None,
    layout: Annotated[
        Layout | None,
        in_panel(INPUT, hidden=True, help="Axes of x for 'own': BTC (samples first) or TBC."),
    ] = None,
    seed: Annotated[int | None, in_panel(TRAINING, min=0, help="Seed of initial weights, batches and noise.")] = None,
    epochs: Annotated[int | None, in_panel(TRAINING, min=1, help="Most epochs to train.")] = None,
    batch: Annotated[int | None, in_panel(TRAINING, min=1, help="Batch size: samples per optimiser step.")] = None,
    learning_rate: Annotated[
        float | None, in_panel(TRAINING, min=1e-9, help="Peak learning rate of the one-cycle schedule.")
    ] = None,
    channels: Annotated[int | None, in_panel(MODEL, min=1, help="D, channels per block.")] = None,
    states: Annotated[int | None, in_panel(MODEL, min=1, help="N, states per channel.")] = None,
    blocks: Annotated[int | None, in_panel(MODEL, min=1, help="Number of BIM blocks in series.")] = None,
    encoder: Annotated[
        str | None,
        in_panel(
            MODEL,
            help="Input encoder: graded (8-bit), delta (send-on-delta), token (a line each), table (learnt rows).",
        ),
    ] = None,
    rule: Annotated[
        str, in_panel(LEARNING, help="Learning rule: bptt, tbptt, rtrl, hybrid, s-tllr, stdp, e-prop or no-trace.")
    ] = "bptt",
    max_updates: Annotated[
        int | None, in_panel(TRAINING, min=1, help="End after so many batches, in the midst of an epoch too.")
    ] = None,
    device: Annotated[Device, in_panel(TRAINING, help="Where to train: auto is cuda where there is one.")] = AUTO,
    prune: Annotated[float | None, in_panel(TRAINING, help="Share of the synapses to prune, for example 0.7.")] = None,
    more_epochs: Annotated[
        int | None,
        in_panel(TRAINING, min=1, hidden=True, help="Train the finished model of -o for so many epochs more."),
    ] = None,
    seeds: Annotated[
        int | None, in_panel(TRAINING, min=1, help="Train with so many seeds, a file each; print mean and spread.")
    ] = None,
    restart: Annotated[
        bool, in_panel(TRAINING, "--restart", help="Start anew instead of resuming an interrupted run.")
    ] = False,
    final: Annotated[
        bool, in_panel(OUTPUT, "--final", help="Open the test split: measure on it, once, at the end; it is logged.")
    ] = False,
    baseline: Annotated[
        bool, in_panel(OUTPUT, "--baseline", hidden=True, help="Also train and measure a logistic regression.")
    ] = False,
    json: Annotated[Path | None, in_panel(OUTPUT, "--json", help="Write the training log to this JSON file.")] = None,
    config: Config = None,
    settings: Settings = None,
    listed: Listed = None,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Train a Bio-Inspired Mamba and write model.pt; an interrupted run resumes where it stopped.

    \b
    bim-train digits -o digits.pt
    bim-train ecg --data mitbih/ -o ecg.pt
    bim-train copy-60 --json record.json
    bim-train own --data my.npz          (x (samples, steps, channels), y (samples,))
    """

    carry_out(context, _act)


def _act(asked: Asked) -> None:
    """Train, or list the settings."""
    if asked.options["listed"] is not None:
        _list_settings(asked)
        return
    check_extra("train", "torch", "training")
    from ..intake import allow_memory
    from ..jobs.seeds import train_seeds
    from ..jobs.train import train_to_file
    from ..report.training import show_seeds, show_training

    asked.check(OPTIONS)
    allow_memory(asked.settings.get("run.max_memory"))
    request = _request(asked)
    with progress_bar() as bar:
        course = _Course(bar)
        train_one = partial(train_to_file, begins=course.begins, epoch=course.epoch, tested=course.tested)
        record = train_one(request) if request.seeds is None else train_seeds(request, train_one)
    if "summary" in record:
        show_seeds(record, out)
    elif record:
        show_training(record, request.output, out)


def _list_settings(asked: Asked) -> None:
    from ..jobs.places import write_text

    found = rows(asked.options["listed"], asked.table)
    if asked.options["json"] is None:
        print_settings(asked.table)
    else:
        write_text(asked.options["json"], as_json(found) + "\n")


def _request(asked: Asked) -> TrainRequest:
    """Return the typed request."""
    from ..jobs.compose import compose_training

    task = asked.needs("task", "TASK", "name one, as digits; bim-train --help shows them")
    output = asked.options["output"] or Path(f"{task}.pt")
    return compose_training(
        task,
        output,
        asked.words(*_FIELDS),
        asked.settings,
        command=shlex.join(["bim-train", *sys.argv[1:]]),
        file=asked.file(task=task, output=output),
    )


class _Course:
    """Shows how a training goes: in a bar, and in lines where there is no terminal."""

    def __init__(self, bar: Progress) -> None:
        self.bar, self.tell = bar, Paced()
        self.tasks: list[TaskID] = []

    def begins(self, plan: TrainingPlan) -> None:
        for note in plan.notes:
            remark(note)
        for finding in plan.findings:
            remark(finding.message, finding.hint, kind="warning")
        self.most = plan.start.epochs + plan.default.recipe.epochs
        for task in self.tasks:  # of the seed before
            self.bar.remove_task(task)
        self.training = self.bar.add_task("train", total=self.most, note="")
        self.testing = self.bar.add_task("test", total=len(plan.task.test), note="", visible=False)
        self.tasks = [self.training, self.testing]

    def epoch(self, epoch: Epoch) -> None:
        note = f"loss {epoch.loss:.3f}  validation {epoch.score:.3f}  best {epoch.best:.3f}"
        self.bar.update(self.training, completed=epoch.epoch, note=note)
        self.tell(f"epoch {epoch.epoch} of {self.most}: {note}")

    def tested(self, done: int) -> None:
        self.bar.update(self.testing, advance=done, visible=True)


def train_main() -> None:
    """Entry point bim-train."""
    run_app(train_app)

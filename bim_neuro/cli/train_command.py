"""bim-train: its options, the training with its progress, and what it prints."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..extras import check_extra
from ..printable import as_json
from . import options
from .config import Config, Listed, Settings, print_settings, sections
from .console import Paced, guarded, out, progress_bar, remark
from .shared import INPUT, LEARNING, MODEL, OUTPUT, TRAINING, Debug, Layout, MaxMemory, Version, in_panel, new_app, word
from .streams import run_app

train_app = new_app()

_OF_LEARNING = {"train.lambda": "mix", "train.credit": "credit", "train.online": "online"}
"""Which settings are fields of a `Learning`, and which."""


@train_app.command()
def train_command(
    context: typer.Context,
    task: Annotated[str | None, typer.Argument(help="digits, ecg, cue, copy, or own (with --data my.npz).")] = None,
    data: Annotated[Path | None, in_panel(INPUT, help="Recordings of the task, or a .npz for 'own'.")] = None,
    output: Annotated[Path | None, in_panel(OUTPUT, "--output", "-o", help="File to write (default TASK.pt).")] = None,
    layout: Annotated[
        Layout | None, in_panel(INPUT, help="own: how x lies, BTC (samples first) or TBC (time first).")
    ] = None,
    seed: Annotated[int | None, in_panel(TRAINING, min=0, help="Seed of weights, batches and noise.")] = None,
    epochs: Annotated[int | None, in_panel(TRAINING, min=1, help="Most epochs.")] = None,
    batch: Annotated[int | None, in_panel(TRAINING, min=1, help="Samples a step of the optimiser.")] = None,
    learning_rate: Annotated[float | None, in_panel(TRAINING, min=1e-9, help="Peak of the one-cycle schedule.")] = None,
    channels: Annotated[int | None, in_panel(MODEL, min=1, help="D, channels a block.")] = None,
    states: Annotated[int | None, in_panel(MODEL, min=1, help="N, states a channel.")] = None,
    blocks: Annotated[int | None, in_panel(MODEL, min=1, help="BIM blocks in a chain.")] = None,
    encoder: Annotated[
        str | None, in_panel(MODEL, help="graded (8-bit values) or delta (send-on-delta events).")
    ] = None,
    rule: Annotated[
        str, in_panel(LEARNING, help="bptt, rtrl, hybrid, s-tllr, stdp, e-prop-like or no-trace.")
    ] = "bptt",
    prune: Annotated[float | None, in_panel(TRAINING, help="Share of the synapses to prune, as 0.7.")] = None,
    restart: Annotated[
        bool, in_panel(TRAINING, "--restart", help="Ignore an interrupted run instead of resuming.")
    ] = False,
    test: Annotated[bool, in_panel(OUTPUT, "--test/--no-test", help="Measure the test split once, at the end.")] = True,
    baseline: Annotated[bool, in_panel(OUTPUT, "--baseline", help="Also measure a logistic regression.")] = False,
    json_file: Annotated[Path | None, in_panel(OUTPUT, "--json", help="Write the training record here.")] = None,
    config: Config = None,
    settings: Settings = None,
    listed: Listed = None,
    max_memory: MaxMemory = None,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Train a Bio-Inspired Mamba and write model.pt; an interrupted run goes on where it was.

    \b
    bim-train digits -o digits.pt
    bim-train ecg --data mitbih/ -o ecg.pt
    bim-train cue --rule rtrl --json record.json
    bim-train own --data my.npz          (x (samples, steps, channels), y (samples,))
    """

    def command() -> None:
        check_extra("train", "torch", "training")
        from ..intake import allow_memory
        from ..jobs import settings as fine_print
        from ..jobs import train as training
        from ..jobs.places import check_file, training_place
        from ..jobs.sequences import task_for
        from ..training.rules import Learning
        from ..training.trainer import Epoch

        given = fine_print.chosen(fine_print.TRAIN, sections(context), settings or ())
        if listed is not None:
            print_settings(listed, fine_print.TRAIN, as_json=False)
            return
        if task is None:
            raise InputError("TASK is missing", "name one, as digits; bim-train --help shows them")
        of_rule = {field: given[name] for name, field in _OF_LEARNING.items() if name in given}
        learning = Learning(rule, sparsity=prune, **of_rule)
        options.refuse_without_effect(context, options.TRAIN, given)
        allow_memory(max_memory)
        model = output or Path(f"{task}.pt")
        for file in (model, json_file):
            check_file(file)
        tell = Paced()
        with training_place(model, restart) as resume_file, progress_bar() as bar:
            plan = training.plan_for(
                task_for(task, data, word(layout)), resume_file=resume_file, seed=seed, epochs=epochs,
                patience=given.get("train.patience"), batch=batch, learning_rate=learning_rate, channels=channels,
                states=states, blocks=blocks, taps=given.get("train.taps"), encoder=encoder, learning=learning,
            )  # fmt: skip
            for note in plan.task.notes:
                remark(note)
            for finding in plan.findings:
                remark(finding.message, finding.hint, kind="warning")
            epochs_in_all = plan.default.recipe.epochs

            def told(epoch: Epoch) -> None:
                note = f"loss {epoch.loss:.3f}  validation {epoch.score:.3f}  best {epoch.best:.3f}"
                bar.update(epochs_bar, completed=epoch.epoch, note=note)
                tell(f"epoch {epoch.epoch} of {epochs_in_all}: {note}")

            epochs_bar = bar.add_task("train", total=epochs_in_all, note="")
            test_bar = bar.add_task("test", total=len(plan.task.test), note="", visible=False)
            checkpoint = training.train_task(
                plan,
                model,
                command=shlex.join(["bim-train", *sys.argv[1:]]),
                report=told,
                progress=lambda done: bar.update(test_bar, advance=done, visible=True),
                test=test,
            )
        record = dict(checkpoint.training)
        _write_record(record, json_file)
        if baseline:
            from ..tasks import logistic_regression_baseline

            record["baseline"] = dict(logistic_regression_baseline(plan.task))
            _write_record(record, json_file)
        _print_training(record, model)

    guarded(command, debug)


def _write_record(record: dict[str, Any], file: Path | None) -> None:
    from ..jobs.places import write_text

    if file is not None:
        write_text(file, as_json(record) + "\n")


def _print_training(record: dict[str, Any], model: Path) -> None:
    from ..report.terminal import show_training

    show_training(record, model, out)


def train_main() -> None:
    """Entry point bim-train."""
    run_app(train_app)

"""Train on a task: data, encoder, a learning rule, calibration, the test numbers in float and in integers, model.pt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments, kept
from ..compilers.calibrate import calibrate
from ..errors import InputError
from ..graph import FloatGraph
from ..model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ..model.export import export
from ..model.network import BIMNetwork
from ..nodes import Encoder
from ..nodes.arithmetic import Array
from ..nodes.table import table_of
from ..printable import as_json
from ..simulation.reference import Progress
from ..tasks import logistic_regression_baseline
from ..tasks.clusters import row_names
from ..tasks.metrics.field import field_figures
from ..training.batches import SequenceRows
from ..training.device import find_device
from ..training.logs import CsvLog, TensorBoardLog, each_of
from ..training.processes import rank_of_environment
from ..training.progress import OnEpoch
from ..training.recipes import CHOSEN, SHAPE
from ..training.rules import Learning
from .baseline import train_baseline
from .evaluate import evaluate
from .more_epochs import begun
from .places import check_file, request_beside, resume_file_of, training_place, write_text
from .plan import TrainingPlan as TrainingPlan
from .plan import plan_for as plan_for
from .request import TrainRequest
from .sequences import task_for, trained_on
from .training_run import record_of, run_training

CALIBRATION_SAMPLES, CALIBRATION_NUMBERS = 2048, 2**25
SAMPLES_OF_MANY = 64
CALIBRATED_AT_ONCE = 2**20
"""Numbers of x that the float law takes at a time, in float64."""
_OF_LEARNING = ("mix", "credit", "segment", "traces", "online", "rate_penalty", "rate_target")
"""Fields of a request that are fields of a `Learning`."""
_OF_MORE = ("seed", "patience", "batch", "learning_rate", "accumulate", "device", "max_updates")
_CHANGES = (*_OF_MORE, "epochs", *SHAPE, *CHOSEN)
"""Fields of a request that change a task's default."""


def train_to_file(
    request: TrainRequest,
    *,
    begins: Callable[[TrainingPlan], None],
    epoch: OnEpoch,
    tested: Callable[[int], None],
) -> dict[str, Any]:
    """Train as requested; write the model, its request beside it and, if asked, the log; return the log.

    Of several processes that torchrun started, all but the first only help, and return nothing.

    ``begins`` is called with the plan before training, ``epoch`` with each epoch, ``tested`` with the number of samples
    tested since the last call.
    """
    find_device(request.device)  # refused before any data is read
    if rank_of_environment():  # one of several processes, of which the first alone writes
        run_training(_plan(request, resume_file_of(request.output)))
        return {}
    for file in (request.output, request_beside(request.output), request.json, request.csv):
        check_file(file)
    on_epoch = each_of(epoch, *_logs(request))
    with training_place(request.output, request.restart) as resume_file:
        plan = _plan(request, resume_file)
        if request.checkpoint_minutes is not None:
            plan = replace(plan, start=replace(plan.start, minutes=request.checkpoint_minutes))
        if request.final:
            plan.task.split("test")
        if request.baseline:
            plan.task.of_classes("the logistic regression")
        begins(plan)
        train_one = train_task if plan.default.model == "bim" else train_baseline
        checkpoint = train_one(
            plan,
            request.output,
            command=request.command,
            file=request.file,
            on_epoch=on_epoch,
            progress=tested,
            final=request.final,
        )
    record = dict(checkpoint.training)
    _write_record(record, request.json)
    if request.baseline:
        record["baseline"] = dict(logistic_regression_baseline(plan.task, "test" if request.final else "validation"))
        _write_record(record, request.json)
    return record


def _plan(request: TrainRequest, resume_file: Path) -> TrainingPlan:
    """Return what is to be trained."""
    task = task_for(request.task, request.data, request.layout)
    if request.more_epochs is None:
        learning = Learning(request.rule, sparsity=request.prune, **_given(request, *_OF_LEARNING))
        return plan_for(task, resume_file, learning, **_given(request, *_CHANGES))
    checkpoint, default, learning, start = begun(request.output, task, resume_file)
    recipe = replace(default.recipe, **_given(request, *_OF_MORE), epochs=request.more_epochs)
    return TrainingPlan(task, replace(default, recipe=recipe), resume_file, learning, checkpoint, start)


def _logs(request: TrainRequest) -> Iterator[OnEpoch]:
    """Give the logs that are asked for beside the record."""
    if request.csv is not None:
        yield CsvLog(request.csv)
    if request.tensorboard is not None:
        yield TensorBoardLog(request.tensorboard)


def _given(request: TrainRequest, *names: str) -> dict[str, Any]:
    return {name: getattr(request, name) for name in names if getattr(request, name) is not None}


def _write_record(record: dict[str, Any], file: Path | None) -> None:
    if file is not None:
        write_text(file, as_json(record) + "\n")


def train_task(
    plan: TrainingPlan,
    path: Path,
    *,
    command: str = "",
    file: str = "",
    on_epoch: OnEpoch = lambda epoch: None,
    progress: Progress | None = None,
    final: bool = False,
) -> Checkpoint:
    """Train, calibrate and write model.pt; return what was written.

    With ``final`` the test split is opened: the model is measured on it once, at the end, and the record has the date
    (``test``) and how often this has been done for the model at ``path`` (``test_opened``).

    ``on_epoch`` is called with each `Epoch`; where it returns True the training ends, with the best weights so far.
    ``file`` is the request as --config reads it; it is written beside the model.
    """
    arguments.instance(plan, TrainingPlan, "plan")
    path = arguments.new_file(path)
    start = time.perf_counter()
    task = plan.task
    network, run, x = run_training(plan, on_epoch)
    assert isinstance(network, BIMNetwork)
    opened = _opened(path)
    record = {"command": command, **record_of(plan, run, network), "seconds": time.perf_counter() - start}
    record |= {"test_opened": opened} if opened else {}
    labels = row_names(task.class_names, adaptive=network.config.adaptive)
    encoder = Encoder.of_table(table_of(network.table.numpy(force=True))) if network.config.table else plan.encoder
    checkpoint = Checkpoint(
        network.config, task.dt, task.name, labels, encoder, dict(network.state_dict()), {}, record,
        trained_on(task), task.head,
    )  # fmt: skip
    save_checkpoint(checkpoint, path)  # saved before it is measured, as measuring may fail
    if file:
        write_text(request_beside(path), file)
    kept.say("training", f"the trained model is kept in {path}, not calibrated yet: run the same command again")
    checkpoint = replace(checkpoint, ranges=_ranges(export(checkpoint), x))
    save_checkpoint(checkpoint, path)
    if final:
        kept.say("training", f"the trained model is in {path}, only its test numbers are missing: the same command "
                 "measures them without training again")  # fmt: skip
        found = {"date": datetime.now(timezone.utc).date().isoformat()}
        field = partial(field_figures, task, "test")
        found |= evaluate(checkpoint, network, task.split("test"), progress, field)
        checkpoint = replace(checkpoint, training=record | {"test": found, "test_opened": opened + 1})
        save_checkpoint(checkpoint, path)
    if plan.resume_file is not None:
        plan.resume_file.unlink(missing_ok=True)
    kept.say("training", f"the trained model is in {path}")
    return checkpoint


def _opened(path: Path) -> int:
    """Return how often the test split was opened for the model that lies at ``path``, if one does."""
    try:
        record = load_checkpoint(path).training
        return int(record.get("test_opened", "test" in record))
    except (InputError, OSError, TypeError, ValueError):
        return 0


def _ranges(graph: FloatGraph, x: SequenceRows) -> dict[str, float]:
    """Return the largest magnitudes on samples of x (samples, steps, lines or a token), some samples at a time."""
    shape = (*x.shape[:2], graph.nodes[graph.source].neurons)
    classes = graph.nodes[graph.output].neurons
    chosen, largest = _spread(shape, classes), dict[str, float]()
    at_once = max(1, CALIBRATED_AT_ONCE // (shape[1] * max(shape[2], classes)))
    for first in range(0, len(chosen), at_once):
        some = x[chosen[first : first + at_once]]
        heard = graph.encoder.for_float(some) if graph.encoder.kind == "table" else some
        for name, seen in calibrate(graph, heard).items():
            largest[name] = max(largest.get(name, 0.0), seen)
    return largest


def _spread(shape: tuple[int, ...], classes: int = 1) -> Array:
    """Return evenly spread indices, at most `CALIBRATION_SAMPLES`, of fewer numbers than `CALIBRATION_NUMBERS`.

    Where the readout of many ``classes`` gives more numbers than that, some samples are taken all the same.
    """
    samples, *of_each = shape
    read = max(SAMPLES_OF_MANY, CALIBRATION_NUMBERS // (of_each[0] * classes))
    most = max(1, min(samples, CALIBRATION_SAMPLES, CALIBRATION_NUMBERS // prod(of_each), read))
    return np.unique(np.linspace(0, samples - 1, most).astype(int))

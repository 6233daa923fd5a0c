"""Train on a task: data, encoder, a learning rule, calibration, the test numbers in float and in integers, model.pt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments, kept
from ..compilers.align import align
from ..compilers.calibrate import calibrate
from ..compilers.quantise import quantise
from ..errors import Finding
from ..model.checkpoint import Checkpoint, save_checkpoint
from ..model.export import export
from ..model.network import BIMNetwork, NetworkConfig
from ..nodes import Encoder, Fit, fit
from ..nodes.arithmetic import Array
from ..printable import as_json
from ..simulation import simulate_engine
from ..simulation.reference import Progress
from ..tasks import Dataset, Task, logistic_regression_baseline, majority, metrics
from ..training.device import find_device
from ..training.logs import CsvLog, TensorBoardLog, each_of
from ..training.predict import predict
from ..training.processes import rank_of_environment
from ..training.progress import OnEpoch, Start
from ..training.progress import Progress as TrainingProgress
from ..training.recipes import DEFAULTS, SHAPE, Default
from ..training.rules import Learning
from ..training.trainer import Recipe, accuracy, train
from .encoded import encoded
from .more_epochs import begun, said
from .places import check_file, request_beside, resume_file_of, training_place, write_text
from .request import TrainRequest
from .sequences import task_for, trained_on

CALIBRATION_SAMPLES = 2048
_OF_MORE = ("seed", "patience", "batch", "learning_rate", "accumulate", "device")
_CHANGES = ("seed", "epochs", "patience", "batch", "learning_rate", *SHAPE, "encoder", "accumulate",
            "device")  # fmt: skip
"""Fields of a request that change a task's default."""


@dataclass(frozen=True)
class TrainingPlan:
    """What to train: a task and the choices that differ from its default."""

    task: Task
    default: Default
    resume_file: Path | None = None
    learning: Learning = field(default_factory=Learning)
    begun: Checkpoint | None = None  # the model that gets more epochs
    start: Start = field(default_factory=Start)

    @cached_property
    def fit(self) -> Fit:
        """The encoder, fitted to the training split or that of the model, and warnings about the data."""
        if self.begun is not None:
            return Fit(self.begun.encoder, ())
        return fit(self.default.encoder, self.task.train.x, self.task.train.place)

    @property
    def encoder(self) -> Encoder:
        return self.fit.encoder

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing of the data and of the schedule."""
        return (*self.task.notes, *((said(self.start, self.default.recipe),) if self.begun is not None else ()))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings about the data, known before training."""
        return (*self.task.findings, *self.fit.findings)


def plan_for(
    task: Task,
    resume_file: Path | None = None,
    learning: Learning | None = None,
    **changes: Any,
) -> TrainingPlan:
    """Return a plan with the task's defaults, changed where a value is given (None: keep the default)."""
    default = DEFAULTS[arguments.choice(arguments.instance(task, Task, "task").name, tuple(DEFAULTS), "task")]
    known = [field.name for kind in (Recipe, Default) for field in fields(kind)]
    task.of_classes("training a model")
    for name in changes:
        arguments.choice(name, [setting for setting in known if setting not in ("recipe", "score")], "setting")
    if learning is not None:
        arguments.instance(learning, Learning, "learning")
    resume_file = None if resume_file is None else arguments.path(resume_file, "resume_file")
    given = {name: value for name, value in changes.items() if value is not None}
    shape = {name: given.pop(name) for name in (*SHAPE, "encoder") if name in given}
    return TrainingPlan(
        task,
        replace(default, recipe=replace(default.recipe, **given), **shape),
        resume_file,
        learning or Learning(),
    )


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
        _train(_plan(request, resume_file_of(request.output)))
        return {}
    for file in (request.output, request_beside(request.output), request.json, request.csv):
        check_file(file)
    on_epoch = each_of(epoch, *_logs(request))
    with training_place(request.output, request.restart) as resume_file:
        plan = _plan(request, resume_file)
        begins(plan)
        checkpoint = train_task(
            plan,
            request.output,
            command=request.command,
            file=request.file,
            on_epoch=on_epoch,
            progress=tested,
            test=request.test,
        )
    record = dict(checkpoint.training)
    _write_record(record, request.json)
    if request.baseline:
        record["baseline"] = dict(logistic_regression_baseline(plan.task))
        _write_record(record, request.json)
    return record


def _plan(request: TrainRequest, resume_file: Path) -> TrainingPlan:
    """Return what is to be trained."""
    task = task_for(request.task, request.data, request.layout)
    if request.more_epochs is None:
        learning = Learning(
            request.rule, sparsity=request.prune, **_given(request, "mix", "credit", "segment", "traces", "online")
        )
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
    test: bool = True,
) -> Checkpoint:
    """Train, calibrate, measure on the test split, and write model.pt; return what was written.

    ``on_epoch`` is called with each `Epoch`; where it returns True the training ends, with the best weights so far.
    ``file`` is the request as --config reads it; it is written beside the model.
    """
    arguments.instance(plan, TrainingPlan, "plan")
    path = arguments.new_file(path)
    start = time.perf_counter()
    task, encoder = plan.task, plan.encoder
    config, network, run, x = _train(plan, on_epoch)
    record = {"command": command, **_record(plan, run), "seconds": time.perf_counter() - start}
    checkpoint = Checkpoint(
        config, task.dt, task.name, task.class_names, encoder, dict(network.state_dict()), {}, record, trained_on(task)
    )
    save_checkpoint(checkpoint, path)  # saved before it is measured, as measuring may fail
    if file:
        write_text(request_beside(path), file)
    kept.say("training", f"the trained model is kept in {path}, not calibrated yet: run the same command again")
    ranges = calibrate(export(checkpoint), x[_spread(len(x))])
    checkpoint = replace(checkpoint, ranges=ranges)
    save_checkpoint(checkpoint, path)
    if test:
        kept.say("training", f"the trained model is in {path}, only its test numbers are missing: the same command "
                 "measures them without training again")  # fmt: skip
        checkpoint = replace(checkpoint, training=record | {"test": evaluate(checkpoint, network, task.test, progress)})
        save_checkpoint(checkpoint, path)
    if plan.resume_file is not None:
        plan.resume_file.unlink(missing_ok=True)
    kept.say("training", f"the trained model is in {path}")
    return checkpoint


def _train(
    plan: TrainingPlan, on_epoch: OnEpoch = lambda epoch: None
) -> tuple[NetworkConfig, BIMNetwork, TrainingProgress, Array]:
    """Return the shape, the trained network, its progress and the encoded training input."""
    task, encoder, shape = plan.task, plan.encoder, plan.default
    training, validation = (encoded(encoder, part) for part in (task.train, task.validation))
    config = NetworkConfig(
        encoder.source.neurons,
        len(task.class_names),
        **{name: getattr(shape, name) for name in SHAPE},
    )
    network, run = train(
        config,
        shape.recipe,
        training,
        validation,
        score=_score(plan),
        learning=plan.learning,
        start=replace(plan.start, resume_file=plan.resume_file),
        on_epoch=on_epoch,
    )
    return config, network, run, training[0]


def _record(plan: TrainingPlan, run: TrainingProgress) -> dict[str, Any]:
    """Return the training log: the settings and the scores."""
    recipe = plan.default.recipe
    return {
        "rule": plan.learning.rule,
        "seed": recipe.seed,
        "recipe": asdict(recipe),
        "learning": asdict(plan.learning),
        "implementation": run.implementation,
        "device": run.device,
        "trace_bytes": run.trace_bytes,
        "traces": run.traces,
        "sparsity": run.sparsity,
        "epochs": run.before + run.epoch,
        "best_epoch": run.before + run.best_epoch + 1,
        "validation": {plan.default.score: run.best_score, "samples": len(plan.task.validation)},
        "log": run.log,
        "findings": [asdict(finding) for finding in plan.findings],
        "notes": list(plan.notes),
        **({"start": plan.start.name} if plan.begun is not None else {}),
    }


def evaluate(
    checkpoint: Checkpoint, network: BIMNetwork, data: Dataset, progress: Progress | None = None
) -> dict[str, Any]:
    """Return {samples, accuracy, float, integer} of a labelled split; accuracy is float's, majority a constant's."""
    x, y = encoded(checkpoint.encoder, data)
    graph = align(quantise(export(checkpoint)))
    integers = simulate_engine(graph, checkpoint.encoder.encode(data.x), progress=progress)
    floats = metrics(y, predict(network, x), checkpoint.labels)
    share, name = majority(y, checkpoint.labels)
    return {
        "samples": len(y),
        "majority": share,
        "majority_class": name,
        "accuracy": floats["accuracy"],
        "float": dict(floats),
        "integer": dict(metrics(y, integers.predicted, checkpoint.labels)),
    }


def _score(plan: TrainingPlan) -> Callable[[Array, Array], float]:
    if plan.default.score == "accuracy":
        return accuracy
    return lambda y, predicted: float(metrics(y, predicted, plan.task.class_names)["macro_f1"])


def _spread(samples: int) -> Array:
    """Return evenly spread indices, at most `CALIBRATION_SAMPLES`."""
    return np.unique(np.linspace(0, samples - 1, min(samples, CALIBRATION_SAMPLES)).astype(int))

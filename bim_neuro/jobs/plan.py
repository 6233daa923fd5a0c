"""What is to be trained: a task, its default model and recipe with what was chosen instead, and the encoder."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..errors import Finding, InputError
from ..intake import check_available
from ..model.checkpoint import Checkpoint
from ..model.network import NetworkConfig
from ..nodes import Encoder, Fit, fit
from ..nodes.table import MOST_ROWS
from ..tasks import Task
from ..tasks.clusters import CLUSTERS, MANY, cutoffs
from ..tasks.scores import Score, score_of
from ..tasks.vocabulary import holds_tokens, vocabulary
from ..training.baselines import READ_LAST, BaselineConfig, sized
from ..training.progress import Start
from ..training.recipes import CHOSEN, DEFAULTS, SHAPE, Default, Recipe
from ..training.rules import Learning
from .more_epochs import said

TABLE_COPIES = 5
"""Of a table while it learns, in float32: itself, its gradient, two moments of the optimiser, the best so far."""


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
        return _fitted(self.default.encoder, self.task, self.default.embedding)

    @property
    def score(self) -> Score:
        """What early stopping watches: the default's score, or the head's own."""
        return score_of(self.task.head, self.default.score)

    @property
    def encoder(self) -> Encoder:
        return self.fit.encoder

    @property
    def config(self) -> NetworkConfig | BaselineConfig:
        """The network to be trained; a baseline has as many parameters as asked for, by default as bim's shape has."""
        shape, inputs, classes = self.default, self.encoder.source.neurons, len(self.task.class_names)
        of_tokens: dict[str, Any] = {"table": len(self.encoder.table), "adaptive": self.adaptive}
        classes += CLUSTERS * self.adaptive
        bim = NetworkConfig(inputs, classes, **{name: getattr(shape, name) for name in SHAPE}, **of_tokens)
        if shape.model == "bim":
            return bim
        return sized(shape.model, inputs, classes, shape.parameters or bim.parameters, shape.blocks, **of_tokens)

    @property
    def adaptive(self) -> bool:
        """Whether the softmax is adaptive: asked for, or the tokens are many and the model ends in a readout."""
        softmax, tokens = self.default.softmax, len(self.task.class_names)
        if self.task.head != "next" and softmax is not None:
            raise InputError(f"train.softmax has no effect on head '{self.task.head}'", "it is of the next token")
        if softmax is None:
            return self.task.head == "next" and tokens > MANY and self.default.model in ("bim", *READ_LAST)
        if softmax == "adaptive":
            cutoffs(tokens)  # refuses too few
        return softmax == "adaptive"

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
    for name in changes:
        arguments.choice(name, [setting for setting in known if setting not in ("recipe", "score")], "setting")
    if learning is not None:
        arguments.instance(learning, Learning, "learning")
    resume_file = None if resume_file is None else arguments.path(resume_file, "resume_file")
    given = {name: value for name, value in changes.items() if value is not None}
    shape = {name: given.pop(name) for name in (*SHAPE, *CHOSEN) if name in given}
    return TrainingPlan(
        task,
        replace(default, recipe=replace(default.recipe, **given), **shape),
        resume_file,
        learning or Learning(),
    )


def _fitted(kind: str, task: Task, embedding: int) -> Fit:
    """Fit an encoder to the steps that count: padding repeats the last of them."""
    data, x = task.train, task.train.x
    if kind in ("token", "table"):
        if x.shape[2] != 1:
            raise InputError(f"encoder {kind} reads one channel, the data have {x.shape[2]}", "choose --encoder graded")
        tokens = vocabulary(task)
        if kind == "token":
            return Fit(Encoder.of_tokens(tokens), ())
        if tokens > MOST_ROWS:
            raise InputError(f"{tokens:,} tokens need a row of the table each, at most {MOST_ROWS:,} are taken")
        size = TABLE_COPIES * 4 * tokens * embedding
        check_available(f"{tokens:,} rows of {embedding:,} numbers that learn", size, "give a smaller train.embedding")
        return Fit(Encoder.of_table(np.zeros((tokens, embedding), np.int8)), ())  # its rows are yet to be learnt
    if task.head == "next" and holds_tokens(data):
        hint = "choose --encoder token or table, or scale x where its numbers are sizes"
        raise InputError(f"encoder {kind} would read the number of a token as a size", hint)
    return fit(kind, x, data.place, data.lengths)

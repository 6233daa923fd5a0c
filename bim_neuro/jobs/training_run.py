"""The training itself, of whatever network a plan names, and its record."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from ..tasks.metrics.field import FIELD, field_figures
from ..training.batches import SequenceRows
from ..training.predict import answers
from ..training.progress import OnEpoch, Progress
from ..training.trainer import Network, train
from .evaluate import encoded
from .plan import TrainingPlan


def run_training(plan: TrainingPlan, on_epoch: OnEpoch = lambda epoch: None) -> tuple[Network, Progress, SequenceRows]:
    """Return the trained network, its progress and the encoded training input."""
    task = plan.task
    training, validation = (encoded(plan.encoder, task.split(name)) for name in ("train", "validation"))
    network, run = train(
        plan.config,
        plan.default.recipe,
        training,
        validation,
        score=plan.score,
        learning=plan.learning,
        start=replace(plan.start, resume_file=plan.resume_file),
        on_epoch=on_epoch,
    )
    return network, run, training.x


def validated(plan: TrainingPlan, network: Network) -> dict[str, Any]:
    """Return what the task's field reports of the validation split, in float; nothing where it reports no more."""
    if plan.task.name not in FIELD:
        return {}
    x, y, lengths = encoded(plan.encoder, plan.task.validation)
    found = answers(network, x, y, head=plan.task.head, lengths=lengths)
    return field_figures(plan.task, "validation", found)


def record_of(plan: TrainingPlan, run: Progress, network: Network) -> dict[str, Any]:
    """Return the training log: the settings and the scores, in float and on validation."""
    recipe, score, head = plan.default.recipe, plan.score, plan.task.head
    validation = {score.name: score.merit(run.best_score), "samples": len(plan.task.validation)}
    return {
        **({} if head == "class" else {"head": head}),
        **({} if plan.default.model == "bim" else {"model": plan.default.model}),
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
        "updates": run.updates,
        "best_epoch": run.before + run.best_epoch + 1,
        "validation": {**validation, **validated(plan, network)},
        "log": run.log,
        "findings": [asdict(finding) for finding in plan.findings],
        "notes": list(plan.notes),
        **({"start": plan.start.name} if plan.begun is not None else {}),
    }

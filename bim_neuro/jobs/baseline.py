"""Train a baseline: the task, encoder, budget and record of a model of ours, in a file that no compiler takes.

{"format": "bim-neuro baseline", "version": 1, "config": {name, inputs, classes, width, layers},
 "task": ..., "state": the network's state dict, "training": the record}
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import arguments, kept
from ..errors import InputError, first_line
from ..model.checkpoint import BASELINE_FORMAT, VERSION, is_same, load_plain, save_atomically
from ..simulation.reference import Progress
from ..tasks.metrics.field import field_figures
from ..tasks.scores import figures
from ..training.baselines import Baseline, BaselineConfig
from ..training.predict import answers
from ..training.progress import OnEpoch
from .evaluate import encoded
from .places import request_beside, write_text
from .plan import TrainingPlan
from .training_run import record_of, run_training


@dataclass(frozen=True)
class Trained:
    """A baseline that was trained: its file's content, by name."""

    task: str
    config: dict[str, Any]
    state: dict[str, Any]
    training: dict[str, Any]


def train_baseline(
    plan: TrainingPlan,
    path: Path,
    *,
    command: str = "",
    file: str = "",
    on_epoch: OnEpoch = lambda epoch: None,
    progress: Progress | None = None,
    final: bool = False,
) -> Trained:
    """Train and write the file; with ``final`` the test split is opened, in float alone. See `train_task`."""
    path, start = arguments.new_file(path), time.perf_counter()
    network, run, _ = run_training(plan, on_epoch)
    assert isinstance(network, Baseline)
    record = {"command": command, **record_of(plan, run, network), "seconds": time.perf_counter() - start}
    record |= {"parameters": network.config.parameters}
    opened = _opened(path)
    if final:
        record |= {"test": _tested(plan, network), "test_opened": opened + 1}
    elif opened:
        record |= {"test_opened": opened}
    made = Trained(plan.task.name, network.config.plain, dict(network.state_dict()), record)
    save_atomically({"format": BASELINE_FORMAT, "version": VERSION, **vars(made)}, path)
    if file:
        write_text(request_beside(path), file)
    if plan.resume_file is not None:
        plan.resume_file.unlink(missing_ok=True)
    kept.say("training", f"the trained baseline is in {path}")
    return made


def read_baseline(path: Path) -> Trained:
    """Read the file of a baseline; InputError where it is none, or is damaged."""
    content = load_plain(path)
    if not is_same(content.get("format"), BASELINE_FORMAT):
        raise InputError(f"{path} is no baseline of bim-neuro", "bim-train --set train.model=lstm writes one")
    try:
        made = Trained(str(content["task"]), *(dict(content[name]) for name in ("config", "state", "training")))
        BaselineConfig(**made.config)
        made.training["parameters"]
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path} has a missing or damaged field: {first_line(error)}") from None
    return made


def _opened(path: Path) -> int:
    """Return how often the test split was opened for the baseline that lies at ``path``, if one does."""
    try:
        return int(read_baseline(path).training.get("test_opened", 0))
    except (InputError, OSError, TypeError, ValueError):
        return 0


def _tested(plan: TrainingPlan, network: Baseline) -> dict[str, Any]:
    x, y, lengths = encoded(plan.encoder, plan.task.split("test"))
    found = answers(network, x, y, head=plan.task.head, lengths=lengths)
    date = datetime.now(timezone.utc).date().isoformat()
    told = {**figures(plan.task.head, y, found, plan.task.class_names), **field_figures(plan.task, "test", found)}
    return {"date": date, "samples": len(y), "float": told}

"""Progress of a training run, and the file that resumes it, on whatever device: its tensors lie on the CPU."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from .. import kept
from ..errors import InputError
from ..model.checkpoint import is_same, load_plain, save_atomically

if TYPE_CHECKING:
    from .trainer import Recipe, Run


@dataclass(frozen=True)
class Epoch:
    """One line of the training log."""

    epoch: int
    loss: float
    score: float
    best: float
    learning_rate: float = 0.0  # after it


MINUTES = 10.0
"""Between checkpoints within an epoch, unless others are asked for: what a kill loses at most."""

OnEpoch = Callable[[Epoch], object]
"""Called after each epoch; training ends where it returns True."""


@dataclass(frozen=True)
class Start:
    """Where a training begins: at new weights, or with more epochs of a model; ``resume_file`` outdoes both.

    That file is written after each epoch, and within one every so many ``minutes``, 0: after each update. Of a model:
    its weights ``state`` and their ``name``, the ``epochs`` it has had, which was best, and their log.
    """

    resume_file: Path | None = None
    state: dict[str, Tensor] | None = None
    name: str = ""
    epochs: int = 0
    best_epoch: int = 0
    log: tuple[dict[str, float], ...] = ()
    minutes: float = MINUTES

    @property
    def progress(self) -> Progress:
        """The progress before the first epoch."""
        return Progress(before=self.epochs, best_epoch=self.best_epoch - self.epochs - 1, log=list(self.log))


@dataclass(frozen=True)
class EpochPart:
    """How far an epoch is: batches and samples seen, the sum of their losses, the state of the generator."""

    batches: int = 0
    samples: int = 0
    total: float = 0.0
    generator: Tensor | None = None


@dataclass
class Progress:
    """Progress of a run: everything resume needs besides the recipe and the data.

    ``epoch`` and ``best_epoch`` count from ``before``, the epochs of an earlier training that this one goes on from;
    ``stopped``: a callback has ended it. ``part`` are the fields of a `EpochPart` of an epoch that is not at its end.
    ``best_score`` is a merit (tasks/scores.py): the larger the better.
    """

    epoch: int = 0
    before: int = 0
    stopped: bool = False
    best_score: float = -math.inf
    best_epoch: int = -1
    best_state: dict[str, Tensor] = field(default_factory=dict)
    log: list[dict[str, float]] = field(default_factory=list)
    trace_bytes: int = 0
    sparsity: float | None = None
    device: str = ""
    implementation: str = ""
    traces: list[str] = field(default_factory=list)
    updates: int = 0
    part: dict[str, Any] = field(default_factory=dict)

    def goes_on(self, recipe: Recipe) -> bool:
        """Whether another epoch follows, or the rest of one."""
        patient = self.epoch - max(self.best_epoch, -1) <= recipe.patience
        more = recipe.max_updates is None or self.updates < recipe.max_updates
        return self.epoch < recipe.epochs and patient and more and not self.stopped


def save(path: Path, identity: dict[str, Any], run: Run, progress: Progress) -> None:
    """Write all that `read` and `resume` need."""
    schedule = run.schedule.state_dict()
    save_atomically(
        on_cpu(
            {
                "format": "bim-neuro training",
                "identity": identity,
                "network": run.network.state_dict(),
                "optimiser": run.optimiser.state_dict(),
                "schedule": {k: v for k, v in schedule.items() if isinstance(v, (int, float, bool, list))},
                "learner": run.learner.state(),
                "pruner": run.pruner.state() if run.pruner else {},
                "progress": asdict(progress),
            }
        ),
        path,
    )


def on_cpu(value: Any) -> Any:
    """Return plain values with every tensor on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: on_cpu(part) for key, part in value.items()}
    return [on_cpu(part) for part in value] if isinstance(value, list) else value


def say_kept(progress: Progress, path: Path) -> None:
    """Tell whoever stops the run what is kept."""
    goes_on = "run the same command again to resume, --restart starts anew"
    within = f", batch {progress.part['batches']:,} of the next," if progress.part else ""
    kept.say("training", f"training is kept at epoch {progress.epoch}{within} in {path}: {goes_on}")


def read(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Return what `save` wrote, or refuse a file of another run."""
    saved = load_plain(path)
    if not is_same(saved.get("identity"), identity):
        hint = "use the same options and data, or start anew with --restart"
        raise InputError(f"{path} belongs to a run with other options or data", hint)
    return saved


def resume(saved: dict[str, Any], run: Run, path: Path) -> Progress:
    """Set a run to where a file left it."""
    try:
        run.network.load_state_dict(saved["network"])
        run.optimiser.load_state_dict(saved["optimiser"])
        run.schedule.load_state_dict(saved["schedule"])
        run.learner.load_state(saved["learner"])
        if run.pruner is not None:
            run.pruner.load_state(saved["pruner"])
        return Progress(**saved["progress"])
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, AssertionError) as error:
        raise InputError(f"{path} is damaged: {type(error).__name__}", "start anew with --restart") from None


def digest(*arrays: Any) -> str:
    """Return a short name of the arrays' content; rows that are made when asked say whose content names them."""
    content = hashlib.sha256()
    for array in arrays:
        if array is None:
            continue
        array = getattr(array, "told_by", array)
        content.update(f"{array.dtype}{array.shape}".encode())
        for part in array if len(array.shape) > 1 else (array,):  # it may be a file larger than memory
            content.update(np.ascontiguousarray(part).data)
    return content.hexdigest()

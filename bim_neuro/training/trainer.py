"""Training by any rule: seed, progress, early stopping on a validation split, a checkpoint an epoch, resume.

Everything random comes from one generator seeded by (seed, epoch), so an interrupted run that is resumed takes the
same batches and ends with the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import arguments, kept
from ..denormals import denormals_flushed
from ..errors import InputError
from ..intake import check_available
from ..model.checkpoint import is_same, load_plain, save_atomically
from ..model.network import BIMNetwork, NetworkConfig
from ..nodes.arithmetic import Array
from . import operator
from .predict import predict
from .pruning import EVERY, HARD_FROM, Pruner
from .rules import Learner, Learning


@dataclass(frozen=True)
class Recipe:
    """How to train. ``augment_gain`` and ``augment_noise`` are relative to the encoded range; ``patience`` in epochs.

    ``balance`` draws classes with weight count^-balance: 0 as they come, 1 all alike; ``epoch_samples`` caps an epoch.
    ``keep`` is 'best' (the weights of the best validation epoch) or 'last' (the end of the one-cycle schedule).
    """

    epochs: int = 300
    batch: int = 64
    learning_rate: float = 8e-3
    weight_decay: float = 0.0
    augment_gain: float = 0.10
    augment_noise: float = 0.03
    label_smoothing: float = 0.0
    balance: float = 0.0
    epoch_samples: int | None = None
    patience: int = 60
    keep: str = "best"
    seed: int = 0

    def __post_init__(self) -> None:
        arguments.numbers_of(self, _LIMITS, "recipe")
        arguments.choice(self.keep, ("best", "last"), "keep")


_LIMITS = (
    ("epochs", 1, 10**9), ("batch", 1, 10**9), ("learning_rate", 1e-9, 1e300), ("weight_decay", 0, 1e6),
    ("augment_gain", 0, 1e6), ("augment_noise", 0, 1e6), ("label_smoothing", 0, 1), ("balance", 0, 1e3),
    ("epoch_samples", 1, 10**12), ("patience", 0, 10**9), ("seed", 0, 2**63 - 1),
)  # fmt: skip


@dataclass(frozen=True)
class Epoch:
    """One line of the training log."""

    epoch: int
    loss: float
    score: float
    best: float


@dataclass
class Progress:
    """Progress of a run: everything resume needs besides the recipe and the data."""

    epoch: int = 0
    best_score: float = -math.inf
    best_epoch: int = -1
    best_state: dict[str, Tensor] = field(default_factory=dict)
    log: list[dict[str, float]] = field(default_factory=list)
    trace_bytes: int = 0
    sparsity: float | None = None
    implementation: str = ""
    traces: list[str] = field(default_factory=list)


Score = Callable[[Array, Array], float]


def accuracy(y: Array, predicted: Array) -> float:
    """Return the share of correct predictions."""
    return float((y == predicted).mean())


def train(
    config: NetworkConfig,
    recipe: Recipe,
    training: tuple[Array, Array],
    validation: tuple[Array, Array],
    *,
    score: Score = accuracy,
    learning: Learning | None = None,
    resume_file: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[BIMNetwork, Progress]:
    """Train on (x, y), x float (samples, steps, lines) as the encoder gives it; return the best network on validation.

    ``resume_file`` is written after every epoch and, where it exists, continued from.
    """
    learning = learning or Learning()
    if learning.rule == "bptt":
        batch, steps = min(recipe.batch, len(training[0])), training[0].shape[1]
        a_step = operator.step_bytes(config, operator.chosen(torch.empty(0)), learns=True)
        what = f"the states of {batch} samples of {steps:,} steps, which bptt keeps,"
        check_available(what, batch * steps * a_step, "choose a smaller --batch, or --rule rtrl")
    torch.manual_seed(recipe.seed)
    run = Run(BIMNetwork(config), recipe, learning, len(training[1]))
    progress = Progress()
    given = {"config": asdict(config), "recipe": asdict(recipe), "learning": asdict(learning)}
    identity = {**given, "data": _digest(*training, *validation)}
    if resume_file is not None and resume_file.exists():
        progress = _resume(resume_file, identity, run)
        _say_kept(progress, resume_file)
    x, y = torch.as_tensor(training[0], dtype=torch.float32), torch.as_tensor(training[1])
    while progress.epoch < recipe.epochs and progress.epoch - progress.best_epoch <= recipe.patience:
        loss = run.epoch(x, y, progress.epoch)
        with run.masked():
            _judge(run.network, validation, score, progress, loss, eligible=run.final)
        progress.epoch += 1
        progress.implementation = operator.chosen(run.network.w_o)
        progress.trace_bytes, progress.traces = run.learner.trace_bytes, run.learner.traces
        progress.sparsity = run.pruner.sparsity if run.pruner else None
        if resume_file is not None:
            _save(resume_file, identity, run, progress)
            _say_kept(progress, resume_file)
        report(Epoch(progress.epoch, loss, progress.log[-1]["score"], max(progress.best_score, 0.0)))
    if recipe.keep == "best":
        run.network.load_state_dict(progress.best_state)
    return run.network, progress


class Run:
    """A network in training: its rule, its optimiser, its masks."""

    def __init__(self, network: BIMNetwork, recipe: Recipe, learning: Learning, samples: int) -> None:
        self.network, self.recipe = network, recipe
        self.learner = Learner(network, learning)
        self.pruner = None if learning.sparsity is None else Pruner(network, learning.sparsity)
        self.optimiser = torch.optim.AdamW(
            self.learner.trainable, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        batches = math.ceil(_epoch_length(recipe, samples) / recipe.batch)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, max_lr=recipe.learning_rate, total_steps=max(2, batches * recipe.epochs)
        )

    @property
    def final(self) -> bool:
        """Whether the current model may be kept as the result: masks, if any, no longer change."""
        return self.pruner is None or self.pruner.hard

    def masked(self) -> AbstractContextManager[None]:
        """Compute with the masked weights."""
        return nullcontext() if self.pruner is None else self.pruner.masked()

    @denormals_flushed()
    def epoch(self, x: Tensor, y: Tensor, epoch: int) -> float:
        """Train one epoch; return the mean loss."""
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
        total = 0.0
        order = _draw(y, recipe, generator)
        if self.pruner is not None and not self.pruner.hard and epoch >= int(HARD_FROM * recipe.epochs):
            self.pruner.harden()
        self.network.train()
        for number, chosen in enumerate(order.split(recipe.batch)):
            if self.pruner is not None and number % EVERY == 0:
                self.pruner.update(generator)
            noisy = _augment(x[chosen], recipe, generator).transpose(0, 1)
            with self.masked():
                loss = self.learner.gradients(noisy, y[chosen], recipe.label_smoothing, self._step)
            self._step()
            self.schedule.step()
            total += loss * len(chosen)
        return total / len(order)

    def _step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.learner.trainable, 1.0)
        self.learner.step(self.optimiser)
        if self.pruner is not None:
            self.pruner.apply()


def _epoch_length(recipe: Recipe, samples: int) -> int:
    return min(recipe.epoch_samples or samples, samples)


def _draw(y: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Choose the samples of one epoch."""
    length = _epoch_length(recipe, len(y))
    if recipe.balance == 0 and length == len(y):
        return torch.randperm(len(y), generator=generator)
    weight = torch.bincount(y).clamp(min=1).double()[y] ** -recipe.balance
    return torch.multinomial(weight, length, replacement=True, generator=generator)


def _augment(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Scale each sample and add noise, both in units of the encoded range."""
    gain = 1 + recipe.augment_gain * torch.randn(len(x), 1, 1, generator=generator)
    return x * gain + recipe.augment_noise * torch.randn(x.shape, generator=generator)


def _judge(
    network: BIMNetwork,
    validation: tuple[Array, Array],
    score: Score,
    progress: Progress,
    loss: float,
    *,
    eligible: bool,
) -> None:
    network.eval()
    value = score(validation[1], predict(network, validation[0]))
    if not math.isfinite(loss):
        raise InputError(f"training diverged in epoch {progress.epoch + 1}: loss is {loss}", "lower --learning-rate")
    progress.log.append({"epoch": progress.epoch + 1, "loss": loss, "score": value})
    if not eligible:
        progress.best_epoch = progress.epoch  # patience begins when the masks are final
    elif value > progress.best_score:
        progress.best_score, progress.best_epoch = value, progress.epoch
        progress.best_state = {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _save(path: Path, identity: dict[str, Any], run: Run, progress: Progress) -> None:
    schedule = run.schedule.state_dict()
    save_atomically(
        {
            "format": "bim-neuro training",
            "identity": identity,
            "network": run.network.state_dict(),
            "optimiser": run.optimiser.state_dict(),
            "schedule": {k: v for k, v in schedule.items() if isinstance(v, (int, float, bool, list))},
            "learner": run.learner.state(),
            "pruner": run.pruner.state() if run.pruner else {},
            "progress": asdict(progress),
        },
        path,
    )


def _say_kept(progress: Progress, path: Path) -> None:
    goes_on = "run the same command again to resume, --restart starts anew"
    kept.say("training", f"training is kept at epoch {progress.epoch} in {path}: {goes_on}")


def _resume(path: Path, identity: dict[str, Any], run: Run) -> Progress:
    saved = load_plain(path)
    if not is_same(saved.get("identity"), identity):
        hint = "use the same options and data, or start anew with --restart"
        raise InputError(f"{path} belongs to a run with other options or data", hint)
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


def _digest(*arrays: Array) -> str:
    """Return a short name of the arrays' content."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()

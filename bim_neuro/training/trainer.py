"""Training by any rule: seed, progress, early stopping on a validation split, a checkpoint an epoch, resume.

Everything random comes from one generator seeded by (seed, epoch), so an interrupted run that is resumed takes the
same batches and ends with the same weights as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .. import arguments
from ..choices import DEVICES
from ..denormals import denormals_flushed
from ..errors import InputError
from ..intake import check_available
from ..model.network import BIMNetwork, NetworkConfig
from ..nodes.arithmetic import Array
from . import operator
from .device import describe, find_device, memory_told
from .parts import BatchParts
from .predict import predict
from .processes import ProcessGroup
from .progress import Epoch, OnEpoch, Progress, Start, digest, read, resume, save, say_kept
from .pruning import EVERY, HARD_FROM, Pruner
from .rules import Learner, Learning
from .threads import torch_in_one_thread


@dataclass(frozen=True)
class Recipe:
    """How to train. ``augment_gain`` and ``augment_noise`` are relative to the encoded range; ``patience`` in epochs.

    ``balance`` draws classes with weight count^-balance: 0 as they come, 1 all alike; ``epoch_samples`` caps an epoch.
    ``accumulate`` splits each batch into so many parts, one after another, for the same update in less memory;
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
    accumulate: int = 1
    device: str = "auto"

    def largest_part(self, samples: int, processes: int = 1) -> int:
        """Return how many samples are computed at a time."""
        return math.ceil(math.ceil(min(self.batch, samples) / processes) / self.accumulate)

    def __post_init__(self) -> None:
        arguments.numbers_of(self, _LIMITS, "recipe")
        arguments.choice(self.keep, ("best", "last"), "keep")
        arguments.choice(self.device, DEVICES, "device")


_LIMITS = (
    ("epochs", 1, 10**9), ("batch", 1, 10**9), ("learning_rate", 1e-9, 1e300), ("weight_decay", 0, 1e6),
    ("augment_gain", 0, 1e6), ("augment_noise", 0, 1e6), ("label_smoothing", 0, 1), ("balance", 0, 1e3),
    ("epoch_samples", 1, 10**12), ("patience", 0, 10**9), ("seed", 0, 2**63 - 1), ("accumulate", 1, 10**9),
)  # fmt: skip


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
    start: Start | None = None,
    on_epoch: OnEpoch = lambda epoch: None,
) -> tuple[BIMNetwork, Progress]:
    """Train on (x, y), x float (samples, steps, lines) as the encoder gives it; return the best network on validation.

    The resume file of ``start`` is written after every epoch and, where it exists, continued from, on whatever device.
    ``on_epoch`` is called after every epoch and ends the training by returning True. The network is on the CPU again.
    """
    start = start or Start()
    learning, place = learning or Learning(), find_device(recipe.device)
    processes = ProcessGroup.joined(place)
    if learning.online is not None and recipe.accumulate > 1:
        raise InputError("online updates and train.accumulate cannot be combined", "leave out one of the two")
    if learning.rule == "bptt" and place.type == "cpu":
        batch, steps = recipe.largest_part(len(training[0]), processes.count), training[0].shape[1]
        a_step = operator.step_bytes(config, operator.chosen(torch.empty(0)), learns=True)
        what = f"the states of {batch} samples of {steps:,} steps, which bptt keeps,"
        check_available(what, batch * steps * a_step, "choose a smaller --batch, or --rule rtrl")
    torch.manual_seed(recipe.seed)
    run = Run(BIMNetwork(config).to(place), recipe, learning, len(training[1]), processes)
    anywhere = replace(recipe, device="auto")
    given = {"config": config.plain, "recipe": asdict(anywhere), "learning": asdict(learning)}
    identity = {**given, "data": digest(*training, *validation)}
    if start.name:
        identity["start"] = start.name

    def judged() -> float:
        with run.masked():
            value = score(validation[1], predict(run.network.eval(), validation[0])) if processes.rank == 0 else 0.0
        return processes.of_first(value)

    few = torch.as_tensor(training[0][: recipe.batch], dtype=torch.float32).to(place).transpose(0, 1)
    progress = _begun(run, start, identity, judged, few)
    x, y = torch.as_tensor(training[0], dtype=torch.float32), torch.as_tensor(training[1])
    while progress.goes_on(recipe.epochs, recipe.patience):
        with memory_told(place, min(recipe.batch, len(y)), x.shape[1]):
            loss = run.epoch(x, y, progress)
        _judge(run.network, judged(), progress, loss, eligible=run.final)
        progress.epoch += 1
        progress.implementation = operator.chosen(run.network.w_o)
        progress.trace_bytes, progress.traces = run.learner.trace_bytes, run.learner.traces
        progress.sparsity = run.pruner.sparsity if run.pruner else None
        progress.device = describe(place)
        _keep(run, start, identity, progress)
        progress.stopped = processes.of_first(on_epoch(_line(run, progress)) is True)
        if progress.stopped:
            _keep(run, start, identity, progress)
    if recipe.keep == "best":
        run.network.load_state_dict(progress.best_state)
    return run.network.cpu(), progress


def _begun(run: Run, start: Start, identity: dict[str, Any], judged: Callable[[], float], first: Tensor) -> Progress:
    """Set a run to its start, or to where its resume file left it; return its progress.

    Norms are measured on the ``first`` samples (T, batch, lines).
    """
    processes, file = run.parts.processes, start.resume_file
    saved = None
    if processes.rank == 0 and file is not None and file.exists():
        saved = read(file, identity)
    if file is not None and (saved := processes.of_first(saved)) is not None:
        progress = resume(saved, run, file)
        say_kept(progress, file)
        return progress
    progress = start.progress
    if start.state is None:
        run.network.measure_norms(first)
    else:
        run.network.load_state_dict(start.state)
        if run.final:
            progress.best_score, progress.best_state = judged(), _weights(run.network)
    return progress


def _keep(run: Run, start: Start, identity: dict[str, Any], progress: Progress) -> None:
    """Write the resume file, if there is to be one."""
    if start.resume_file is not None and run.parts.processes.rank == 0:
        save(start.resume_file, identity, run, progress)
        say_kept(progress, start.resume_file)


def _line(run: Run, progress: Progress) -> Epoch:
    """Return the last epoch as a line of the training log."""
    last, rate = progress.log[-1], float(run.optimiser.param_groups[0]["lr"])
    return Epoch(progress.before + progress.epoch, last["loss"], last["score"], max(progress.best_score, 0.0), rate)


def _weights(network: BIMNetwork) -> dict[str, Tensor]:
    """Return a copy of the weights, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


class Run:
    """A network in training: its rule, its optimiser, its masks."""

    def __init__(
        self,
        network: BIMNetwork,
        recipe: Recipe,
        learning: Learning,
        samples: int,
        processes: ProcessGroup | None = None,
    ) -> None:
        self.network, self.recipe = network, recipe
        self.learner = Learner(network, learning)
        self.parts = BatchParts(self.learner, processes or ProcessGroup(), recipe.accumulate)
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

    @torch_in_one_thread()
    @denormals_flushed()
    def epoch(self, x: Tensor, y: Tensor, progress: Progress) -> float:
        """Train one epoch; return the mean loss."""
        recipe, epoch = self.recipe, progress.epoch
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + progress.before + epoch)
        total = 0.0
        order = _draw(y, recipe, generator)
        if self.pruner is not None and not self.pruner.hard and epoch >= int(HARD_FROM * recipe.epochs):
            self.pruner.harden()
        self.network.train()
        for number, chosen in enumerate(order.split(recipe.batch)):
            if self.pruner is not None and number % EVERY == 0:
                self.pruner.update(generator)
            device = self.network.w_o.device
            noisy = _augment(x[chosen], recipe, generator).to(device).transpose(0, 1)
            with self.masked():
                loss = self.parts.gradients(noisy, y[chosen].to(device), recipe.label_smoothing, self._step)
            if not math.isfinite(loss):
                where = f"epoch {progress.before + epoch + 1}, batch {number + 1}"
                raise InputError(f"training diverged in {where}: the loss is {loss}", "lower --learning-rate")
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
    noise = torch.randn(x.shape, generator=generator).mul_(recipe.augment_noise)
    return noise.add_(x * gain)  # in place: long sequences fill the memory


def _judge(network: BIMNetwork, value: float, progress: Progress, loss: float, *, eligible: bool) -> None:
    progress.log.append({"epoch": progress.before + progress.epoch + 1, "loss": loss, "score": value})
    if not eligible:
        progress.best_epoch = progress.epoch  # patience begins when the masks are final
    elif value > progress.best_score:
        progress.best_score, progress.best_epoch = value, progress.epoch
        progress.best_state = _weights(network)

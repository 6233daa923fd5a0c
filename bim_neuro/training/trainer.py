"""Training by any rule: seed, progress, early stopping on a validation split, checkpoints, resume.

Everything random comes from one generator seeded by (seed, epoch), whose state a checkpoint within an epoch holds: an
interrupted run that is resumed takes the same batches and ends with the same weights as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..denormals import denormals_flushed
from ..errors import InputError
from ..intake import check_available
from ..model.network import BIMNetwork, NetworkConfig
from ..nodes.arithmetic import Array
from ..tasks.scores import Score, score_of
from . import operator
from .baseline_learner import BaselineLearner
from .baselines import Baseline, BaselineConfig
from .batches import Sequences, batch_of, split_order
from .device import describe, find_device, memory_told
from .parts import BatchParts
from .predict import answers
from .processes import ProcessGroup
from .progress import Epoch, EpochPart, OnEpoch, Progress, Start, digest, read, resume, save, say_kept
from .pruning import EVERY, HARD_FROM, Pruner
from .recipes import Recipe as Recipe
from .rules import Learner, Learning, check_head
from .threads import torch_in_one_thread

Network = BIMNetwork | Baseline
Config = NetworkConfig | BaselineConfig


def train(
    config: Config,
    recipe: Recipe,
    training: tuple[Any, ...],
    validation: tuple[Any, ...],
    *,
    score: Score | None = None,
    learning: Learning | None = None,
    start: Start | None = None,
    on_epoch: OnEpoch = lambda epoch: None,
) -> tuple[Network, Progress]:
    """Train on `Sequences` (x, y, lengths or none), x (samples, steps, lines) float as the encoder gives it.

    ``score`` is one of `SCORES`, by default accuracy; y is what its head asks for (tasks/heads.py).
    Returns the best network on validation, on the CPU. The resume file of ``start`` is written after every epoch, and
    within one every so many minutes; where it exists it is continued from, on whatever device. ``on_epoch`` is called
    after every epoch and ends the training by returning True.
    """
    start, data, held_out = start or Start(), Sequences(*training), Sequences(*validation)
    learning, place, score = learning or Learning(), find_device(recipe.device), score or score_of("class", "accuracy")
    processes, head = ProcessGroup.joined(place), score.head
    _check(config, recipe, learning, data, head, place, processes)
    torch.manual_seed(recipe.seed)
    run = Run(_network(config).to(place), recipe, learning, len(data.x), processes, head)
    anywhere = replace(recipe, device="auto")
    given = {"config": config.plain, "recipe": asdict(anywhere), "learning": asdict(learning)}
    identity = {**given, "data": digest(*data, *held_out)}
    if head != "class":
        identity["head"] = head
    if start.name:
        identity["start"] = start.name

    def judged() -> float:
        if processes.rank:
            return float(processes.of_first(0.0))
        with run.masked():
            found = answers(run.network.eval(), *held_out[:2], head=head, lengths=held_out.lengths)
            return float(processes.of_first(score.of(held_out.y, found)))

    progress = _begun(run, start, identity, lambda: score.merit(judged()), data)
    while progress.goes_on(recipe):
        with memory_told(place, min(recipe.batch, len(data.x)), data.x.shape[1]):
            loss = run.epoch(data, progress, lambda: _keep(run, start, identity, progress), start.minutes)
        _judge(run.network, judged(), score, progress, loss, eligible=run.final)
        progress.epoch += 1
        progress.implementation = _implementation(run.network)
        progress.trace_bytes, progress.traces = run.learner.trace_bytes, run.learner.traces
        progress.sparsity = run.pruner.sparsity if run.pruner else None
        progress.device = describe(place)
        _keep(run, start, identity, progress)
        progress.stopped = processes.of_first(on_epoch(_line(run, score, progress)) is True)
        if progress.stopped:
            _keep(run, start, identity, progress)
    if recipe.keep == "best":
        run.network.load_state_dict(progress.best_state)
    return run.network.cpu(), progress


def _network(config: Config) -> Network:
    return Baseline(config) if isinstance(config, BaselineConfig) else BIMNetwork(config)


def _device(network: Network) -> torch.device:
    return next(network.parameters()).device


def _implementation(network: Network) -> str:
    """Return what computed the network: one of the operator's, or torch's own layers."""
    return "torch" if isinstance(network, Baseline) else operator.chosen(network.w_o)


def _check(
    config: Config,
    recipe: Recipe,
    learning: Learning,
    data: Sequences,
    head: str,
    place: torch.device,
    processes: ProcessGroup,
) -> None:
    """Refuse what cannot be combined, and what does not fit in memory, before anything is computed."""
    if learning.online is not None and recipe.accumulate > 1:
        raise InputError("online updates and train.accumulate cannot be combined", "leave out one of the two")
    if recipe.balance and head != "class":
        raise InputError(f"balance {recipe.balance:g} weighs classes, head '{head}' has several a sequence", "give 0")
    check_head(learning, head, padded=data.lengths is not None)
    if learning.rule == "bptt" and place.type == "cpu":
        batch, steps = recipe.largest_part(len(data.x), processes.count), data.x.shape[1]
        a_step = (
            config.step_bytes
            if isinstance(config, BaselineConfig)
            else operator.step_bytes(config, operator.chosen(torch.empty(0)), learns=True)
        )
        what = f"the states of {batch} samples of {steps:,} steps, which bptt keeps,"
        check_available(what, batch * steps * a_step, "choose a smaller --batch, or --rule rtrl")


def _begun(run: Run, start: Start, identity: dict[str, Any], judged: Callable[[], float], data: Sequences) -> Progress:
    """Set a run to its start, or to where its resume file left it; return its progress.

    Norms are measured on the first batch of the data as they lie.
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
        if isinstance(run.network, BIMNetwork):
            first, place = slice(run.recipe.batch), _device(run.network)
            lengths = None if data.lengths is None else torch.as_tensor(data.lengths[first]).to(place)
            x = torch.as_tensor(data.x[first], dtype=torch.float32).to(place).transpose(0, 1)
            run.network.measure_norms(x, lengths)
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


def _line(run: Run, score: Score, progress: Progress) -> Epoch:
    """Return the last epoch as a line of the training log."""
    last, rate = progress.log[-1], float(run.optimiser.param_groups[0]["lr"])
    best = score.merit(progress.best_score) if math.isfinite(progress.best_score) else 0.0
    return Epoch(progress.before + progress.epoch, last["loss"], last["score"], best, rate)


def _weights(network: Network) -> dict[str, Tensor]:
    """Return a copy of the weights, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


class Run:
    """A network in training: its rule, its optimiser, its masks."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        learning: Learning,
        samples: int,
        processes: ProcessGroup | None = None,
        head: str = "class",
    ) -> None:
        self.network, self.recipe, self.head = network, recipe, head
        self.learner = BaselineLearner(network) if isinstance(network, Baseline) else Learner(network, learning)
        self.parts = BatchParts(self.learner, processes or ProcessGroup(), recipe.accumulate)
        self.pruner = None if learning.sparsity is None else Pruner(network, learning.sparsity)
        self.optimiser = torch.optim.AdamW(
            self.learner.trainable, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        batches = math.ceil(_epoch_length(recipe, samples) / recipe.batch)
        updates = min(batches * recipe.epochs, recipe.max_updates or batches * recipe.epochs)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, max_lr=recipe.learning_rate, total_steps=max(2, updates)
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
    def epoch(
        self, data: Sequences, progress: Progress, keep: Callable[[], None] = lambda: None, minutes: float = math.inf
    ) -> float:
        """Train one epoch, or the rest of one; return the mean loss. ``keep`` is called every so many minutes."""
        recipe, epoch, kept = self.recipe, progress.epoch, time.monotonic()
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + progress.before + epoch)
        batches = split_order(_draw(data.y, recipe, generator), recipe.batch, data.lengths, generator)
        part, progress.part = EpochPart(**progress.part) if progress.part else EpochPart(), {}
        if part.generator is not None:
            generator.set_state(part.generator)
        if self.pruner is not None and not self.pruner.hard and epoch >= int(HARD_FROM * recipe.epochs):
            self.pruner.harden()
        self.network.train()
        for number in range(part.batches, len(batches)):
            if self.pruner is not None and number % EVERY == 0:
                self.pruner.update(generator)
            loss = self._update(data, batches[number], generator)
            if not math.isfinite(loss):
                where = f"epoch {progress.before + epoch + 1}, batch {number + 1}"
                raise InputError(f"training diverged in {where}: the loss is {loss}", "lower --learning-rate")
            samples = len(batches[number])
            part = EpochPart(number + 1, part.samples + samples, part.total + loss * samples)
            progress.updates += 1
            if progress.updates == recipe.max_updates:
                break
            if part.batches < len(batches) and time.monotonic() - kept >= 60 * minutes:
                progress.part = {**asdict(part), "generator": generator.get_state()}
                keep()
                progress.part, kept = {}, time.monotonic()
        return part.total / part.samples

    def _update(self, data: Sequences, chosen: Tensor, generator: torch.Generator) -> float:
        """Take one step on the samples ``chosen``; return their loss."""
        recipe = self.recipe
        noise = None if self.network.config.table else lambda x: _augment(x, recipe, generator)
        batch = batch_of(data, chosen, self.head, _device(self.network), noise)
        with self.masked():
            loss = self.parts.gradients(batch, recipe.label_smoothing, self._step, self.head)
        if math.isfinite(loss):
            self._step()
            self.schedule.step()
        return loss

    def _step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.learner.trainable, 1.0)
        self.learner.step(self.optimiser)
        if self.pruner is not None:
            self.pruner.apply()


def _epoch_length(recipe: Recipe, samples: int) -> int:
    return min(recipe.epoch_samples or samples, samples)


def _draw(y: Array, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Choose the samples of one epoch."""
    length = _epoch_length(recipe, len(y))
    if recipe.balance == 0 and length == len(y):
        return torch.randperm(len(y), generator=generator)
    classes = torch.as_tensor(y if y.ndim == 1 else np.zeros(len(y), np.int64))
    weight = torch.bincount(classes).clamp(min=1).double()[classes] ** -recipe.balance
    return torch.multinomial(weight, length, replacement=True, generator=generator)


def _augment(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Scale each sample of x, in place, and add noise, both in units of the encoded range."""
    gain = 1 + recipe.augment_gain * torch.randn(len(x), 1, 1, generator=generator)
    noise = torch.randn(x.shape, generator=generator).mul_(recipe.augment_noise)
    return noise.add_(x.mul_(gain))  # in place: long sequences fill the memory


def _judge(network: Network, value: float, score: Score, progress: Progress, loss: float, *, eligible: bool) -> None:
    progress.log.append({"epoch": progress.before + progress.epoch + 1, "loss": loss, "score": value})
    if not eligible:
        progress.best_epoch = progress.epoch  # patience begins when the masks are final
    elif score.merit(value) > progress.best_score:
        progress.best_score, progress.best_epoch = score.merit(value), progress.epoch
        progress.best_state = _weights(network)

r"""The gradient of a batch in parts: one after another where memory is short, one a process where there are several.

    dL/dp = sum_i (n_i / n) dL_i/dp        n_i samples in part i, whose loss L_i is their mean

So are the STDP terms, which are means over the batch too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .baseline_learner import BaselineLearner
from .batches import Batch
from .processes import ProcessGroup
from .rules import Learner


class BatchParts:
    """Gives a learner the batch in ``accumulate`` parts, and adds up what they and the other processes found."""

    def __init__(self, learner: Learner | BaselineLearner, processes: ProcessGroup, accumulate: int = 1) -> None:
        self.learner, self.processes, self.accumulate = learner, processes, accumulate

    def gradients(self, batch: Batch, smoothing: float, step: Callable[[], None], head: str = "class") -> float:
        """Set the gradients for a batch of all processes; return the loss.

        ``step`` is called within the sequence where the learner updates its weights online.
        """
        y = batch.y
        own = self.processes.rows(len(y))
        counts = len(own) > 0
        if not counts:  # joins the sums all the same, with a row whose share is 0
            own = torch.zeros(1, dtype=torch.long)
        loss = torch.zeros((), dtype=torch.float64, device=y.device)
        earlier: list[Tensor] = []
        for part in own.tensor_split(min(self.accumulate, len(own))):
            share = len(part) / len(y) if counts else 0.0

            def online(share: float = share) -> None:
                self._scale(share)
                self.processes.add(self._found())
                step()

            some = _rows(batch, part)
            loss += share * self.learner.gradients(some.x, some.y, smoothing, online, head=head, lengths=some.lengths)
            self._scale(share)
            earlier = self._with(earlier)
        self.processes.add(self._found())
        self.processes.add([loss])
        return float(loss)

    def _with(self, earlier: list[Tensor]) -> list[Tensor]:
        """Add what earlier parts found; return a copy of the sums, as the learner sets the next part's anew."""
        if self.accumulate == 1:
            return []
        for now, before in zip(self._found(), earlier, strict=False):
            now += before
        return [total.clone() for total in self._found()]

    def _found(self) -> list[Tensor]:
        """What the learner set for the step that comes."""
        grads = [parameter.grad for parameter in self.learner.trainable]
        return [*(grad for grad in grads if grad is not None), *self.learner.omegas]

    def _scale(self, share: float) -> None:
        if share != 1.0:
            for part in self._found():
                part *= share


def _rows(batch: Batch, rows: Tensor) -> Batch:
    """Some samples of a batch; the batch itself where they are all."""
    if len(rows) == len(batch.y):
        return batch
    chosen = rows.to(batch.x.device)
    return Batch(batch.x[:, chosen], batch.y[chosen], None if batch.lengths is None else batch.lengths[chosen])

"""Backpropagation through a baseline, as `BatchParts` and the trainer ask a learner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from ..denormals import denormals_flushed
from .baselines import READ_LAST, Baseline, mean_of
from .many_tokens import in_pieces
from .threads import torch_in_one_thread
from .whole_loss import loss_of, many


class BaselineLearner:
    """Sets the gradients of a baseline by backpropagation through time; nothing else is kept or added."""

    def __init__(self, network: Baseline) -> None:
        self.network = network
        self.omegas: list[Tensor] = []
        self.traces: list[str] = []
        self.trace_bytes = 0

    @property
    def trainable(self) -> list[nn.Parameter]:
        """All parameters the optimiser steps."""
        return list(self.network.parameters())

    @torch_in_one_thread()
    @denormals_flushed()
    def gradients(
        self,
        x: Tensor,
        y: Tensor,
        smoothing: float = 0.0,
        step: Callable[[], None] | None = None,
        *,
        head: str = "class",
        lengths: Tensor | None = None,
    ) -> float:
        """Set .grad of every parameter for x (T, batch, inputs), y as the ``head`` asks; return the loss."""
        self.network.zero_grad(set_to_none=True)
        config = self.network.config
        if config.name in READ_LAST and in_pieces(head, config):
            loss = many(*self.network.before_readout(x), y, smoothing, adaptive=config.adaptive)
        else:
            r = self.network(x)
            loss = loss_of(head, y, lambda: mean_of(r, lengths), lambda: r, smoothing, lengths)
        loss.backward()
        return float(loss.detach())

    def step(self, optimiser: Optimizer) -> None:
        """Take the optimiser's step."""
        optimiser.step()

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs besides network and optimiser."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""

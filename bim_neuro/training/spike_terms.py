"""What the spikes of a batch add to the rules: the term of pair STDP, or the eligibilities of S-TLLR."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .stdp import PairTraces, ThreeFactorTraces
from .steps import Steps

if TYPE_CHECKING:
    from .rules import Learner


class SpikeTerms:
    """Traces of the spikes of one batch: pair STDP, or the eligibilities of S-TLLR."""

    def __init__(self, learner: Learner, batch: int) -> None:
        self.learner, kind = learner, learner.learning.law.spikes
        window = learner.learning.window
        sizes = [(batch, block.w_u.shape[1], block.channels, block.w_u.detach()) for block in learner.blocks]
        self.pairs = [PairTraces(window, *size) for size in sizes] if kind == "pair" else []
        self.three = [ThreeFactorTraces(window, *size) for size in sizes] if kind == "three-factor" else []
        self.steps = [0] * len(sizes)
        self.heard: set[int] = set()  # blocks with a readout of their own

    def listen(self, index: int, steps: Steps, rho: float | None, omega: Tensor, signal: Tensor | None) -> None:
        """Process one segment."""
        x = steps.x[len(steps.x) - len(steps) :]
        self.steps[index] += len(steps)
        if self.pairs:
            self.pairs[index].advance(x, steps.s)
        if self.three and rho is not None:
            self.heard.add(index)
            self.three[index].advance(x, steps.psi, rho, omega, signal)

    def finish(self, index: int, signal: Tensor) -> None:
        """Process the learning signal at the end of the sequence."""
        if self.three:
            self.three[index].collect(signal)

    def take(self) -> dict[str, Tensor]:
        """Store Omega in the learner, and return the gradients that replace those of the traces."""
        for index, pair in enumerate(self.pairs):
            self.learner.omega[index] = pair.omega / (self.steps[index] * len(pair.pre))
            pair.omega = torch.zeros_like(pair.omega)
            self.steps[index] = 0
        taken = {f"blocks.{index}.w_u": self.three[index].gradient for index in self.heard}
        for three in self.three:
            three.gradient = torch.zeros_like(three.gradient)
        return taken

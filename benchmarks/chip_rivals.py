"""What stands beside the chip's learning on digits: the float model tuned on the same stream, and ridge regression.

Fine-tuning is SGD in PyTorch, one update a sample, on the same projections as the chip's. Ridge regression is on the
spikes of the frozen block, which stands for what its readout alone can do, or on the pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.request import GROUPS
from bim_neuro.plasticity.trace_process.learner import TraceLearner

PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Of ridge regression: the best on the validation split is taken."""


class FloatLearner:
    """The float network of a model, which learns one sample after another by SGD."""

    def __init__(self, model: Checkpoint, rate: float, groups: tuple[str, ...] = GROUPS) -> None:
        self.model, self.network = model, model.network()
        part = self.network.blocks[-1]
        self.learnt = [self.network.w_o if group == "w_o" else getattr(part, group) for group in groups]
        self.network.requires_grad_(False)
        for parameter in self.learnt:
            parameter.requires_grad_(True)
        self.optimiser = torch.optim.SGD(self.learnt, rate)

    def run(self, x: Array, y: Array) -> None:
        """Learn on encoded samples x (samples, T, lines)."""
        sequences = self._sequences(x)
        for index, target in enumerate(torch.as_tensor(y)):
            self.optimiser.zero_grad()
            F.cross_entropy(self.network(sequences[:, index : index + 1]), target[None]).backward()
            self.optimiser.step()

    @torch.no_grad()
    def answers(self, x: Array) -> Array:
        """Return the class of each encoded sample."""
        return np.asarray(self.network(self._sequences(x)).argmax(1))

    def _sequences(self, x: Array) -> torch.Tensor:
        return torch.as_tensor(self.model.encoder.to_float(x), dtype=torch.float32).transpose(0, 1)


def spike_features(learner: TraceLearner, x: Array) -> Array:
    """Return the sum of each channel's spikes as the readout weighs the steps, (samples, D), and a 1.

    The mean readout is linear in these, so a good fit of them shows what a readout of the block can learn.
    """
    spikes = learner.listen(x)[1]
    return with_one(np.einsum("t,std->sd", learner.block.omega / 2**16, spikes))


def with_one(x: Array) -> Array:
    """Return x (samples, ...) as (samples, features), and a 1."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    return np.concatenate([flat, np.ones((len(flat), 1))], 1)


def ridge(features: Array, y: Array, penalty: float) -> Array:
    """Return weights (features, classes) of least squares towards one-hot targets."""
    targets = np.eye(int(y.max()) + 1)[y]
    square = features.T @ features + penalty * np.eye(features.shape[1])
    return np.asarray(np.linalg.solve(square, features.T @ targets))


def ridge_accuracy(train: tuple[Array, Array], choose: tuple[Array, Array], test: tuple[Array, Array]) -> float:
    """Return the accuracy on ``test``, the penalty chosen on ``choose``; each is features and classes."""
    fits = [ridge(*train, penalty) for penalty in PENALTIES]
    right = [float(np.mean((choose[0] @ fit).argmax(1) == choose[1])) for fit in fits]
    return float(np.mean((test[0] @ fits[int(np.argmax(right))]).argmax(1) == test[1]))

"""What needs no memory: a linear map of each step, and the frequency of the classes alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """W x_t + b: of the mean over the steps it is the logistic regression of the mean input."""

    def __init__(self, inputs: int, classes: int, width: int = 0, layers: int = 0) -> None:
        super().__init__(inputs, classes)


class Unigram(nn.Module):
    """b alone: the log of how often each class occurs, whatever was read."""

    def __init__(self, inputs: int, classes: int, width: int = 0, layers: int = 0) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        """Give b (T, batch, classes) for x (T, batch, inputs)."""
        return self.b.expand(*x.shape[:2], -1)

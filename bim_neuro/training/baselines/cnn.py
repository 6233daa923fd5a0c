"""A temporal convolutional network (Bai, Kolter and Koltun 2018): causal, dilated, residual."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 5
DILATIONS = 4
"""Convolutions a layer, dilated by 1, 2, 4, 8: a layer sees 4 (1 + 2 + 4 + 8) = 60 steps back."""


class CNN(nn.Module):
    """x + relu(conv(x)) for each dilation of each layer, between two linear maps."""

    def __init__(self, inputs: int, classes: int, width: int, layers: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Linear(inputs, width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, KERNEL, dilation=2**power) for _ in range(layers) for power in range(DILATIONS)
        )
        self.readout = nn.Linear(width, classes)

    def heard(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give what the readout hears (T, batch, width)."""
        heard = self.embedding(x).permute(1, 2, 0)  # (batch, width, T)
        for convolution in self.convolutions:
            assert isinstance(convolution, nn.Conv1d)
            past = (KERNEL - 1) * convolution.dilation[0]
            heard = heard + F.relu(convolution(F.pad(heard, (past, 0))))
        steps_first: Tensor = heard.permute(2, 0, 1)
        return steps_first

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give (T, batch, classes)."""
        said: Tensor = self.readout(self.heard(x))
        return said

"""A recurrent network of tanh units (Elman 1990), torch's own."""

from __future__ import annotations

from torch import Tensor, nn


class RNN(nn.Module):
    """``layers`` of ``width`` units, and a linear readout of the last one's output at each step."""

    def __init__(self, inputs: int, classes: int, width: int, layers: int = 1) -> None:
        super().__init__()
        self.recurrent = nn.RNN(inputs, width, layers)
        self.readout = nn.Linear(width, classes)

    def heard(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give what the readout hears (T, batch, width)."""
        said: Tensor = self.recurrent(x)[0]
        return said

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give (T, batch, classes)."""
        said: Tensor = self.readout(self.heard(x))
        return said

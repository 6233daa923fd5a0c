"""A Transformer that looks back only (Vaswani et al. 2017), norm first, torch's own layers, sines for the places."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

HEADS = 4
WIDER = 4
"""The hidden layer over the width."""


class Transformer(nn.Module):
    """``layers`` of attention and of a hidden layer of four times the ``width``, without dropout."""

    def __init__(self, inputs: int, classes: int, width: int, layers: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Linear(inputs, width)
        layer = nn.TransformerEncoderLayer(width, HEADS, WIDER * width, dropout=0.0, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.readout = nn.Linear(width, classes)

    def heard(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give what the readout hears (T, batch, width)."""
        heard = self.embedding(x)
        heard = heard + places(len(x), heard.shape[2]).to(heard)[:, None]
        later = nn.Transformer.generate_square_subsequent_mask(len(x), device=x.device, dtype=x.dtype)
        said: Tensor = self.layers(heard, mask=later, is_causal=True)
        return said

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give (T, batch, classes)."""
        said: Tensor = self.readout(self.heard(x))
        return said


def places(steps: int, width: int) -> Tensor:
    """Return sin and cos of t / 10000^(2 i / width), (steps, width)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]

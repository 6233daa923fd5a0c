"""Readouts of the blocks below the top one, for local credit."""

from __future__ import annotations

import torch
from torch import nn

from ..model.block import _projection
from ..model.network import BIMNetwork
from .readout import Head


class LocalReadouts(nn.Module):
    """One readout for each block but the top one, for training only: a checkpoint does not hold them."""

    def __init__(self, network: BIMNetwork) -> None:
        super().__init__()
        classes, channels, below = network.config.classes, network.config.channels, network.config.blocks - 1
        self.w_o = nn.ParameterList(_projection(classes, channels) for _ in range(below))
        self.b_o = nn.ParameterList(nn.Parameter(torch.zeros(classes)) for _ in range(below))
        self.readout_logit = nn.ParameterList(nn.Parameter(network.config.first_readout_logit) for _ in range(below))

    def heads(self) -> list[Head]:
        """Return the readouts in the order of the blocks."""
        return [Head(*parts) for parts in zip(self.w_o, self.b_o, self.readout_logit, strict=True)]

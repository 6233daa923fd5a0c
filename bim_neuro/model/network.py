r"""The network: encoded input, BIM blocks, a leaky integrator a class; the logits are its mean over the steps.

r_t = gamma r_{t-1} + W_o s_t + b_o          logits = mean_t r_t
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from .block import BIMBlock, _projection
from .selective_scan import BlockState


@dataclass(frozen=True)
class NetworkConfig:
    """The shape: ``inputs`` source lines, ``channels`` D, ``states`` N, ``taps`` K, ``blocks``, ``classes``."""

    inputs: int
    classes: int
    channels: int = 128
    states: int = 8
    taps: int = 4
    blocks: int = 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or not 1 <= value <= 1_000_000:
                raise InputError(f"model config: {name} is {value!r}, it must be a whole number from 1 to 1,000,000")


class NetworkState(NamedTuple):
    """State of every block and of the readout."""

    blocks: tuple[BlockState, ...]
    r: Tensor


class BIMNetwork(nn.Module):
    """Blocks in series and a leaky readout."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.inputs] + [config.channels] * (config.blocks - 1)
        self.blocks = nn.ModuleList(BIMBlock(m, config.channels, config.states, config.taps) for m in widths)
        self.w_o = _projection(config.classes, config.channels)
        self.b_o = nn.Parameter(torch.zeros(config.classes))
        self.readout_logit = nn.Parameter(torch.tensor(2.0))

    @property
    def readout_decay(self) -> Tensor:
        """The readout's leak gamma, one scalar in (0, 1)."""
        return torch.sigmoid(self.readout_logit)

    def spikes(self, x: Tensor) -> list[Tensor]:
        """Return the spikes of each block, (T, batch, D), for x (T, batch, inputs)."""
        layers = []
        for block in self.blocks:
            x = block(x)
            layers.append(x)
        return layers

    def forward(self, x: Tensor) -> Tensor:
        """Sequence form: x (T, batch, inputs) to logits (batch, classes)."""
        return self.read(self.spikes(x)[-1])

    def read(self, s: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Spikes of the last block (T, batch, D) to logits: the mean of the leaky readout over the steps.

        The mean is linear, so the readout's loop is summed in closed form: spikes at step t weigh
        1 + gamma + ... + gamma^(T - t - 1), added up, as (1 - gamma^(T - t)) / (1 - gamma) is 0 / 0 where gamma is 1.
        ``lengths`` (batch,) are the steps T of each sequence; what stands after them is not read.
        """
        steps = len(s)
        passed = torch.arange(steps, dtype=s.dtype, device=s.device)
        summed = torch.exp(passed * F.logsigmoid(self.readout_logit)).cumsum(0)
        if lengths is not None:
            left = lengths - 1 - torch.arange(steps, device=s.device)[:, None]
            weights = torch.where(left >= 0, summed[left.clamp(min=0)], 0) / lengths  # (T, batch)
            return torch.einsum("tb,tbd->bd", weights, s) @ self.w_o.T + weights.sum(0)[:, None] * self.b_o
        weight = summed.flip(0)
        return (torch.einsum("t,tbd->bd", weight, s) @ self.w_o.T + weight.sum() * self.b_o) / steps

    def initial(self, batch: int) -> NetworkState:
        blocks = tuple(block.initial(batch) for block in self.blocks if isinstance(block, BIMBlock))
        return NetworkState(blocks, self.b_o.new_zeros(batch, self.config.classes))

    def step(self, x: Tensor, state: NetworkState) -> tuple[Tensor, NetworkState]:
        """Step form: x (batch, inputs) to the readout r_t (batch, classes)."""
        states = []
        for block, before in zip(self.blocks, state.blocks, strict=True):
            assert isinstance(block, BIMBlock)
            x, after = block.step(x, before)
            states.append(after)
        r = self.readout_decay * state.r + x @ self.w_o.T + self.b_o
        return r, NetworkState(tuple(states), r)

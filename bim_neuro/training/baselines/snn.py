r"""A spiking network without the scan: layers of leaky integrate-and-fire neurons and a leaky readout.

v_t = beta v_{t-1} o (1 - s_{t-1}) + W x_t + b      s_t = H(v_t - 1)     beta a neuron, learnt
r_t = gamma r_{t-1} + W_o s_t + b_o
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...model.selective_scan import ScanWeights, SomaLaw, fire

_LEAK = 2.0
"""The first logit of every leak: .88."""


class SpikingLayer(nn.Module):
    """One layer of LIF neurons, the soma of our block."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.synapses = nn.Linear(inputs, width)
        self.decay_logit = nn.Parameter(torch.full((width,), _LEAK))

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give spikes (T, batch, width)."""
        current = self.synapses(x)
        one, none = current.new_ones(()), current.new_zeros(0)
        weights = ScanWeights(none, none, none, none, torch.sigmoid(self.decay_logit), one)
        v, s, spikes = torch.zeros_like(current[0]), torch.zeros_like(current[0]), []
        for now in current.unbind(0):
            v, s = fire(now, v, s, weights, SomaLaw())
            spikes.append(s)
        return torch.stack(spikes)


class SNN(nn.Module):
    """``layers`` of ``width`` neurons, and a leaky readout."""

    def __init__(self, inputs: int, classes: int, width: int, layers: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(SpikingLayer(width if index else inputs, width) for index in range(layers)))
        self.readout = nn.Linear(width, classes)
        self.readout_logit = nn.Parameter(torch.tensor(_LEAK))

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give r (T, batch, classes)."""
        drive, gamma = self.readout(self.layers(x)), torch.sigmoid(self.readout_logit)
        r, said = torch.zeros_like(drive[0]), []
        for now in drive.unbind(0):
            r = gamma * r + now
            said.append(r)
        return torch.stack(said)

r"""Mamba (Gu and Dao 2023): our scan without its soma, gated and in a residual stream.

u, z   = W_in norm(x)                        twice the width each
y      = scan(silu(conv(u)); delta, B, C)    delta of low rank, D skip
x     <- x + W_out (y o silu(z))
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.block import _initial_dt_bias
from ...model.selective_scan import BlockState, Drive, ScanWeights, SomaLaw
from .. import operator

STATES, TAPS, WIDER = 16, 4, 2
_DT_RANGE = (1e-3, 0.1)
_EPSILON = 1e-5


class Norm(nn.Module):
    """x / rms(x) o w, over the last axis (Zhang and Sennrich 2019); torch has it from 2.4 on only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Read and give (..., width)."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + _EPSILON) * self.weight


class MambaBlock(nn.Module):
    """One residual block of ``width``; states, taps and ranks are Mamba's defaults."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner, rank = WIDER * width, math.ceil(width / 16)
        self.norm = Norm(width)
        self.w_in = nn.Linear(width, 2 * inner, bias=False)
        self.conv = nn.Conv1d(inner, inner, TAPS, groups=inner)
        self.w_x = nn.Linear(inner, rank + 2 * STATES, bias=False)
        self.w_dt = nn.Linear(rank, inner)
        self.a_log = nn.Parameter(torch.log(torch.arange(1.0, STATES + 1)).repeat(inner, 1))
        self.d_skip = nn.Parameter(torch.ones(inner))
        self.w_out = nn.Linear(inner, width, bias=False)
        self.w_dt.bias = nn.Parameter(_initial_dt_bias(inner, _DT_RANGE))

    def forward(self, x: Tensor) -> Tensor:
        """Read and give the stream (T, batch, width)."""
        u, z = self.w_in(self.norm(x)).chunk(2, -1)
        heard = F.silu(self.conv(F.pad(u.permute(1, 2, 0), (TAPS - 1, 0)))).permute(2, 0, 1)
        dt, b, c = self.w_x(heard).split([self.w_dt.in_features, STATES, STATES], -1)
        said: Tensor = x + self.w_out(self._scan(heard, self.w_dt(dt), b, c) * F.silu(z))
        return said

    def _scan(self, u: Tensor, rate: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """Run the operator with one tap of 1 and without a soma, so that y itself comes out."""
        batch, inner = u.shape[1:]
        one, zero, rows = u.new_ones(inner, 1), u.new_zeros(()), u.new_zeros(batch, inner)
        weights = ScanWeights(one, u.new_zeros(inner), self.a_log, self.d_skip, zero, zero + 1)
        state = BlockState(u.new_zeros(0, batch, inner), u.new_zeros(batch, inner, STATES), rows, rows)
        return operator.scan_for(u)(Drive(u, rate, b, c), weights, SomaLaw("none"), state)[0]


class Mamba(nn.Module):
    """``layers`` blocks between two linear maps, and a norm before the last."""

    def __init__(self, inputs: int, classes: int, width: int, layers: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Linear(inputs, width)
        self.blocks = nn.Sequential(*(MambaBlock(width) for _ in range(layers)))
        self.norm = Norm(width)
        self.readout = nn.Linear(width, classes)

    def heard(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give what the readout hears (T, batch, width)."""
        said: Tensor = self.norm(self.blocks(self.embedding(x)))
        return said

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give (T, batch, classes)."""
        said: Tensor = self.readout(self.heard(x))
        return said

r"""The BIM block in PyTorch: selective scan and spiking soma, in sequence form and in step form.

    u_t     = conv(W_u x_t) + b_u                       (D)    K causal taps a channel, no bias before them
    delta_t = softplus(W_dt x_t + b_dt)                 (D)
    B_t, C_t = W_B x_t + b_B, W_C x_t + b_C             (N each)
    h_t     = exp(delta_t A) o h_{t-1} + delta_t u_t B_t        A = -exp(A_log), (D, N)
    y_t     = sum_n C_t[n] h_t[:, n] + D_skip o u_t     (D)
    v_t     = beta v_{t-1} o (1 - s_{t-1}) + y_t        hard reset to 0, as Lava's LIF
    s_t     = H(v_t - th)                               surrogate gradient 1 / (1 + slope |v - th|)^2

Differences from the paper (docs/decisions/0003-float-law.md): selection reads the block input, not theta_t; the soma's
current is y; no lateral synapses. Tensors are time first: x (T, batch, M). To study learning rules, the soma can be
changed after construction: ``soma`` "soft" (v_t = beta v_{t-1} + y_t - th s_{t-1}) or "none" (s_t = v_t = y_t),
``reset_gradient`` False (no gradient through the reset). Only "hard" exists on the chip.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .selective_scan import BlockState, Drive, Reset, ScanWeights, SomaLaw, fire, selective_scan


class BIMBlock(nn.Module):
    """M inputs, D channels of N states, K conv taps."""

    def __init__(
        self,
        inputs: int,
        channels: int,
        states: int,
        taps: int = 4,
        dt_range: tuple[float, float] = (0.01, 0.5),
        surrogate_slope: float = 2.0,
    ) -> None:
        super().__init__()
        self.channels, self.states, self.taps, self.surrogate_slope = channels, states, taps, surrogate_slope
        self.soma: Reset = "hard"
        self.reset_gradient = True
        self.w_u = _projection(channels, inputs)
        self.conv = nn.Parameter(_initial_taps(channels, taps))
        self.b_u = nn.Parameter(torch.zeros(channels))
        self.w_dt = _projection(channels, inputs, scale=0.5)
        self.b_dt = nn.Parameter(_initial_dt_bias(channels, dt_range))
        self.w_b, self.b_b = _projection(states, inputs), nn.Parameter(torch.ones(states))
        self.w_c, self.b_c = _projection(states, inputs), nn.Parameter(torch.randn(states) / math.sqrt(states))
        self.a_log = nn.Parameter(torch.log(torch.arange(1, states + 1.0)).repeat(channels, 1))
        self.d_skip = nn.Parameter(torch.ones(channels))
        self.decay_logit = nn.Parameter(torch.tensor(1.5))
        self.log_threshold = nn.Parameter(torch.tensor(0.0))

    @property
    def decay(self) -> Tensor:
        """The leak beta of the soma, one scalar in (0, 1)."""
        return torch.sigmoid(self.decay_logit)

    @property
    def threshold(self) -> Tensor:
        """The firing threshold of the soma, one positive scalar."""
        return torch.exp(self.log_threshold)

    def initial(self, batch: int) -> BlockState:
        zeros = self.w_u.new_zeros
        channel = zeros(batch, self.channels)
        return BlockState(
            zeros(self.taps - 1, batch, self.channels), zeros(batch, self.channels, self.states), channel, channel
        )

    @property
    def scan_weights(self) -> ScanWeights:
        """The parameters behind the projections."""
        return ScanWeights(self.conv, self.b_u, self.a_log, self.d_skip, self.decay, self.threshold)

    @property
    def soma_law(self) -> SomaLaw:
        """How the soma resets."""
        return SomaLaw(self.soma, self.reset_gradient, self.surrogate_slope)

    def forward(self, x: Tensor) -> Tensor:
        """Sequence form: x (T, batch, M) to spikes (T, batch, D)."""
        return self.run(x, self.initial(x.shape[1]))[0]

    def run(self, x: Tensor, state: BlockState, mask: Tensor | None = None) -> tuple[Tensor, BlockState]:
        """Sequence form from ``state``: the spikes, and the state after them; ``mask`` as in `selective_scan`."""
        return selective_scan(self.project(x), self.scan_weights, self.soma_law, state, mask)

    def project(self, x: Tensor) -> Drive:
        """The projections of the block input (T, batch, M)."""
        rate = x @ self.w_dt.T + self.b_dt
        return Drive(x @ self.w_u.T, rate, x @ self.w_b.T + self.b_b, x @ self.w_c.T + self.b_c)

    def step(self, x: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        """Step form: x (batch, M) to spikes (batch, D), the same numbers as the sequence form."""
        w = (x @ self.w_u.T)[None]
        window = torch.cat([w, state.taps])  # newest first
        u = self.b_u + torch.einsum("dk,kbd->bd", self.conv, window)
        delta = F.softplus(x @ self.w_dt.T + self.b_dt)
        b, c = x @ self.w_b.T + self.b_b, x @ self.w_c.T + self.b_c
        decay = torch.exp(delta[..., None] * -torch.exp(self.a_log))
        h = decay * state.h + (delta * u)[..., None] * b[:, None, :]
        y = (h * c[:, None, :]).sum(-1) + self.d_skip * u
        v, s = fire(y, state.v, state.s, self.scan_weights, self.soma_law)
        return s, BlockState(window[: self.taps - 1], h, v, s)


def _projection(rows: int, columns: int, scale: float = 1.0) -> nn.Parameter:
    bound = scale * math.sqrt(3.0 / columns)
    return nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound))


def _initial_taps(channels: int, taps: int) -> Tensor:
    conv = torch.randn(channels, taps) * 0.3
    conv[:, 0] += 1.0
    return conv


def _initial_dt_bias(channels: int, dt_range: tuple[float, float]) -> Tensor:
    """The bias whose softplus is log-uniform in ``dt_range``, as in Mamba."""
    low, high = (math.log(bound) for bound in dt_range)
    dt = torch.exp(torch.rand(channels) * (high - low) + low)
    return dt + torch.log(-torch.expm1(-dt))

r"""The BIM block in PyTorch: selective scan and spiking soma, in sequence form and in step form.

    u_t     = conv(W_u x_t) + b_u                       (D)    K causal taps a channel, no bias before them
    delta_t = softplus(W_dt x_t + b_dt)                 (D)
    B_t, C_t = W_B x_t + b_B, W_C x_t + b_C             (N each)
    h_t     = exp(delta_t A) o h_{t-1} + delta_t u_t B_t        A = -exp(A_log), (D, N)
    y_t     = sum_n C_t[n] h_t[:, n] + D_skip o u_t     (D)
    v_t     = beta v_{t-1} o (1 - s_{t-1}) + y_t        hard reset to 0, as Lava's LIF
    s_t     = H(v_t - th)                               surrogate gradient 1 / (1 + slope |v - th|)^2

A block may have three more things, none of which asks the chip for more than a plain block of `scan_weights`:

    a threshold a channel    th r_d, so that the channel's current is y / r_d: taps conv_d / r_d, bias b_u / r_d
    a norm                   taps conv_d / spread_d, the RMS of W_u x that `BIMNetwork.measure_norms` found, a constant
    leaks in groups          beta of the group, channels D g // G to D (g + 1) // G: a LIF a group on the chip

The surrogate is read in units of each channel's threshold, th r_d.

Differences from the paper (docs/decisions/0003-float-law.md): selection reads the block input, not theta_t; the soma's
current is y; no lateral synapses. Tensors are time first: x (T, batch, M). To study learning rules, the soma can be
changed after construction: ``soma`` "soft" (v_t = beta v_{t-1} + y_t - th s_{t-1}) or "none" (s_t = v_t = y_t),
``reset_gradient`` False (no gradient through the reset). Only "hard" exists on the chip.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .selective_scan import BlockState, Drive, Reset, ScanWeights, SomaLaw, fire, selective_scan

LEAST_SPREAD = 1e-2
"""Of a norm: a channel that hears nothing is not made louder without limit."""
FOLDED = ("conv", "b_u", "log_ratio")
"""Parameters of which `BIMBlock.folded` is made."""


class Variant(NamedTuple):
    """What a block has beyond the plain one: ``thresholds`` a channel, ``leaks`` of as many groups, a ``norm``."""

    thresholds: bool = False
    leaks: int = 1
    norm: bool = False


class BIMBlock(nn.Module):
    """M inputs, D channels of N states, K conv taps."""

    spread: Tensor

    def __init__(
        self,
        inputs: int,
        channels: int,
        states: int,
        taps: int = 4,
        dt_range: tuple[float, float] = (0.01, 0.5),
        surrogate_slope: float = 2.0,
        variant: Variant = Variant(),  # noqa: B008  immutable
    ) -> None:
        super().__init__()
        self.variant = variant
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
        self.decay_logit = nn.Parameter(_initial_leaks(variant.leaks))
        self.log_threshold = nn.Parameter(torch.tensor(0.0))
        if variant.thresholds:
            self.log_ratio = nn.Parameter(torch.zeros(channels))
        if variant.norm:
            self.register_buffer("spread", torch.ones(channels))

    @property
    def decay(self) -> Tensor:
        """The leak beta of the soma, one scalar in (0, 1); of each channel, (D,), where groups have their own."""
        leak = torch.sigmoid(self.decay_logit)
        return leak if self.variant.leaks == 1 else leak[self.group]

    @property
    def groups(self) -> list[slice]:
        """The channels of each leak."""
        return leak_groups(self.channels, self.variant.leaks)

    @property
    def group(self) -> Tensor:
        """The leak that each channel has, (D,)."""
        sizes = torch.tensor([part.stop - part.start for part in self.groups])
        return torch.repeat_interleave(torch.arange(len(sizes)), sizes).to(self.w_u.device)

    @property
    def threshold(self) -> Tensor:
        """The firing threshold of the soma, one positive scalar; a channel's own is in `folded`."""
        return torch.exp(self.log_threshold)

    @property
    def folded(self) -> tuple[Tensor, Tensor]:
        """Taps (D, K) and bias (D,) of the plain block that computes the same spikes."""
        conv: Tensor = self.conv
        b_u: Tensor = self.b_u
        if self.variant.norm:
            conv = conv / self.spread[:, None]
        if self.variant.thresholds:
            gain = torch.exp(-self.log_ratio)
            conv, b_u = conv * gain[:, None], b_u * gain
        return conv, b_u

    @torch.enable_grad()  # type: ignore[untyped-decorator,misc,unused-ignore]
    def unfolded(self, gradient: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take a gradient by the plain block's parameters, with a leak a channel, to one by this block's own."""
        by_leak = gradient["decay_logit"]
        by_group = torch.stack([by_leak[part].sum() for part in self.groups]).view_as(self.decay_logit)
        gradient = {**gradient, "decay_logit": by_group}
        if not self.variant.norm and not self.variant.thresholds:
            return gradient
        own = {name: weight for name, weight in self.named_parameters() if name in FOLDED}
        by = (gradient["conv"], gradient["b_u"])
        found = torch.autograd.grad(self.folded, tuple(own.values()), by)
        return {**gradient, **dict(zip(own, found, strict=True))}

    def initial(self, batch: int) -> BlockState:
        zeros = self.w_u.new_zeros
        channel = zeros(batch, self.channels)
        return BlockState(
            zeros(self.taps - 1, batch, self.channels), zeros(batch, self.channels, self.states), channel, channel
        )

    @property
    def scan_weights(self) -> ScanWeights:
        """The parameters behind the projections."""
        return ScanWeights(*self.folded, self.a_log, self.d_skip, self.decay, self.threshold)

    @property
    def soma_law(self) -> SomaLaw:
        """How the soma resets."""
        return SomaLaw(self.soma, self.reset_gradient, self.surrogate_slope)

    @torch.no_grad()
    def measure_norm(self, x: Tensor) -> None:
        """Set the norm to the RMS of W_u x for typical inputs x (steps, M), and keep it."""
        self.spread.copy_((x @ self.w_u.T).square().mean(0).sqrt().clamp_min(LEAST_SPREAD))

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
        window, weights = torch.cat([w, state.taps]), self.scan_weights  # newest first
        u = weights.b_u + torch.einsum("dk,kbd->bd", weights.conv, window)
        delta = F.softplus(x @ self.w_dt.T + self.b_dt)
        b, c = x @ self.w_b.T + self.b_b, x @ self.w_c.T + self.b_c
        decay = torch.exp(delta[..., None] * -torch.exp(self.a_log))
        h = decay * state.h + (delta * u)[..., None] * b[:, None, :]
        y = (h * c[:, None, :]).sum(-1) + self.d_skip * u
        v, s = fire(y, state.v, state.s, weights, self.soma_law)
        return s, BlockState(window[: self.taps - 1], h, v, s)


def leak_groups(channels: int, leaks: int) -> list[slice]:
    """Return the channels of each of ``leaks`` groups."""
    bounds = [channels * group // leaks for group in range(leaks + 1)]
    return [slice(first, last) for first, last in itertools.pairwise(bounds)]


def _initial_leaks(count: int) -> Tensor:
    """Logits: one of .82, or several from .18 to .97, slow somas beside fast ones."""
    return torch.tensor(1.5) if count == 1 else torch.linspace(-1.5, 3.5, count)


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

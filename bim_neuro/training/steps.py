r"""A segment: some steps of one block, recorded with everything its forward traces need.

Besides the states, the soma gives the traces of any parameter p (th the threshold):

    dv_t/dp = kappa_t dv_{t-1}/dp + dy_t/dp + (direct terms of leak and threshold)
    ds_t/dp = psi_t (dv_t/dp - dth/dp)                        psi the surrogate derivative

    hard reset    kappa_t = beta (1 - s_{t-1}) - beta v_{t-1} psi_{t-1}      direct: v_{t-1} (1 - s_{t-1}) dbeta + beta v_{t-1} psi_{t-1} dth
    soft reset    kappa_t = beta - th psi_{t-1}                              direct: v_{t-1} dbeta - (s_{t-1} - th psi_{t-1}) dth
    no soma       kappa_t = 0, psi_t = 1, dth = 0

Without the reset's gradient every psi_{t-1} above is 0.
"""  # noqa: E501  one line an equation

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.block import BIMBlock
from . import kernels


class BlockMemory(NamedTuple):
    """State of a block between segments: K - 1 inputs and projections (oldest first), scan, soma, last surrogate."""

    x: Tensor  # (taps - 1, batch, M)
    w: Tensor  # (taps - 1, batch, D)
    h: Tensor  # (batch, D, N)
    v: Tensor  # (batch, D)
    s: Tensor  # (batch, D)
    psi: Tensor  # (batch, D), 0 before the first step


@dataclass(frozen=True)
class Steps:
    """T steps, time first; x and w begin taps - 1 steps early, h one step early."""

    x: Tensor  # (taps - 1 + T, batch, M)
    w: Tensor  # (taps - 1 + T, batch, D)
    delta: Tensor  # (T, batch, D)
    slope: Tensor  # (T, batch, D), d delta / d its argument
    u: Tensor  # (T, batch, D)
    b: Tensor  # (T, batch, N)
    c: Tensor  # (T, batch, N)
    decay: Tensor  # (T, batch, D, N), exp(delta A)
    h: Tensor  # (T + 1, batch, D, N)
    kappa: Tensor  # (T, batch, D)
    psi: Tensor  # (T, batch, D)
    direct: Tensor  # (T, batch, D, 3): dv_t by d_skip, decay_logit, log_threshold at fixed v_{t-1}
    s: Tensor  # (T, batch, D)

    def __len__(self) -> int:
        return len(self.delta)


class BlockWeights(NamedTuple):
    """The plain block's parameters in the form the scan reads, detached."""

    a: Tensor  # (D, N), -exp(a_log)
    conv: Tensor  # (D, K)
    d_skip: Tensor  # (D,)
    leak: Tensor  # (D,)
    threshold: float
    b_u: Tensor  # (D,)

    @classmethod
    def of(cls, block: BIMBlock) -> BlockWeights:
        threshold = 0.0 if block.soma == "none" else float(block.threshold.detach())
        conv, b_u = (part.detach() for part in block.folded)
        leak = block.decay.detach().expand(block.channels)
        return cls(-torch.exp(block.a_log.detach()), conv, block.d_skip.detach(), leak, threshold, b_u)


def begin(block: BIMBlock, batch: int) -> BlockMemory:
    """Return the memory before the first step."""
    zeros = block.w_u.detach().new_zeros
    channel = zeros(batch, block.channels)
    history = block.taps - 1
    return BlockMemory(
        zeros(history, batch, block.w_u.shape[1]), zeros(history, batch, block.channels),
        zeros(batch, block.channels, block.states), channel, channel, channel,
    )  # fmt: skip


@torch.no_grad()
def record(block: BIMBlock, x: Tensor, memory: BlockMemory, weights: BlockWeights) -> tuple[Steps, BlockMemory]:
    """Run x (T, batch, M) through the block from ``memory``; only this segment and the next memory are kept."""
    steps, history = len(x), block.taps - 1
    xs, ws = torch.cat([memory.x, x]), torch.cat([memory.w, x @ block.w_u.T])
    u = weights.b_u + sum(weights.conv[:, k] * ws[history - k : history - k + steps] for k in range(block.taps))
    rate = x @ block.w_dt.T + block.b_dt
    delta, slope = F.softplus(rate), torch.sigmoid(rate)
    b, c = x @ block.w_b.T + block.b_b, x @ block.w_c.T + block.b_c
    decay, h = _scan(delta, u, b, weights.a, memory.h)
    y = torch.einsum("tbdn,tbn->tbd", h[1:], c) + weights.d_skip * u
    v, s, psi = _fire(block, y, memory, weights)
    kappa, direct = _soma_terms(block, u, v[:-1], s[:-1], psi[:-1], weights)
    recorded = Steps(xs, ws, delta, slope, u, b, c, decay, h, kappa, psi[1:], direct, s[1:])
    return recorded, BlockMemory(xs[steps:], ws[steps:], h[-1], v[-1], s[-1], psi[-1])


def _scan(delta: Tensor, u: Tensor, b: Tensor, a: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp(delta A) (T, batch, D, N) and the states (T + 1, batch, D, N) from h (batch, D, N) on."""
    decay = torch.exp(delta[..., None] * a)
    drive = (delta * u)[..., None] * b[..., None, :]
    states = torch.cat([h[None], drive])
    if states.device.type == "cpu":
        kernels.scan(decay.flatten(1).numpy(), states.flatten(1).numpy())
    else:
        for t in range(len(drive)):
            states[t + 1].addcmul_(decay[t], states[t])
    return decay, states


def _fire(block: BIMBlock, y: Tensor, memory: BlockMemory, weights: BlockWeights) -> tuple[Tensor, Tensor, Tensor]:
    """Return v, s and psi (T + 1, batch, D), each beginning with the step before."""
    if block.soma == "none":
        v = torch.cat([memory.v[None], y])
        return v, v, torch.cat([memory.psi[None], torch.ones_like(y)])
    v, s = (torch.cat([before[None], torch.empty_like(y)]) for before in (memory.v, memory.s))
    if y.device.type == "cpu":
        number = y.numpy().dtype.type
        current, vs, ss = (part.flatten(1).numpy() for part in (y.contiguous(), v, s))
        leak = weights.leak.expand_as(memory.v).flatten().numpy()
        kernels.fire(current, vs, ss, leak, number(weights.threshold), block.soma == "hard")
    else:
        for t, y_t in enumerate(y):
            kept = v[t] * (1 - s[t]) if block.soma == "hard" else v[t]
            v[t + 1] = weights.leak * kept + y_t - (0.0 if block.soma == "hard" else weights.threshold * s[t])
            s[t + 1] = (v[t + 1] > weights.threshold).to(v.dtype)
    psi = (1 + block.surrogate_slope * (v[1:] - weights.threshold).abs()) ** -2
    return v, s, torch.cat([memory.psi[None], psi])


def _soma_terms(
    block: BIMBlock, u: Tensor, v: Tensor, s: Tensor, psi: Tensor, weights: BlockWeights
) -> tuple[Tensor, Tensor]:
    """Return kappa and the direct terms of the docstring above, from the states of the step before."""
    leak, threshold = weights.leak, weights.threshold
    if block.soma == "none":
        return torch.zeros_like(u), torch.stack([u, torch.zeros_like(u), torch.zeros_like(u)], -1)
    if not block.reset_gradient:
        psi = torch.zeros_like(psi)
    if block.soma == "hard":
        kept = v * (1 - s)
        kappa, by_threshold = leak * (1 - s - v * psi), leak * v * psi
    else:
        kept = v
        kappa, by_threshold = leak - threshold * psi, threshold * psi - s
    return kappa, torch.stack([u, leak * (1 - leak) * kept, threshold * by_threshold], -1)

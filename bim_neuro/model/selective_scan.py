r"""The law of a block behind its projections, in plain PyTorch: taps, selective scan and spiking soma.

    u_t     = sum_k conv_k o w_{t-k} + b_u              (D)    K causal taps a channel
    delta_t = softplus(rate_t)                          (D)
    h_t     = exp(delta_t A) o h_{t-1} + delta_t u_t B_t        A = -exp(A_log), (D, N)
    y_t     = sum_n C_t[n] h_t[:, n] + D_skip o u_t     (D)
    v_t     = beta v_{t-1} o (1 - s_{t-1}) + y_t        hard reset to 0, as Lava's LIF
    s_t     = H(v_t - th)                               surrogate gradient 1 / (1 + slope |v - th|)^2

``soma`` "soft" is v_t = beta v_{t-1} + y_t - th s_{t-1}, "none" is s_t = v_t = y_t. A step that ``mask`` leaves out
emits 0, passes h, v and s by, and the taps hear 0 of it. Compiled implementations of the same law:
`bim_neuro.training.operator`; this one is what they are held to.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Reset = Literal["hard", "soft", "none"]


class Drive(NamedTuple):
    """What the projections of the block input give, time first."""

    w: Tensor  # (T, batch, D), W_u x
    rate: Tensor  # (T, batch, D), W_dt x + b_dt
    b: Tensor  # (T, batch, N)
    c: Tensor  # (T, batch, N)


class ScanWeights(NamedTuple):
    """The parameters behind the projections."""

    conv: Tensor  # (D, K), the tap of the present step first
    b_u: Tensor  # (D,)
    a_log: Tensor  # (D, N)
    d_skip: Tensor  # (D,)
    decay: Tensor  # (), beta; or (D,), of channels whose leaks differ
    threshold: Tensor  # (), th


class BlockState(NamedTuple):
    """State of a block: the last K - 1 projections, the scan, the soma and its last spike."""

    taps: Tensor  # (K - 1, batch, D), newest first
    h: Tensor  # (batch, D, N)
    v: Tensor  # (batch, D), before the reset
    s: Tensor  # (batch, D)


class SomaLaw(NamedTuple):
    """How the soma resets, whether gradients pass the reset, and the surrogate's slope."""

    reset: Reset = "hard"
    reset_gradient: bool = True
    slope: float = 2.0


def selective_scan(
    drive: Drive, weights: ScanWeights, law: SomaLaw, state: BlockState, mask: Tensor | None = None
) -> tuple[Tensor, BlockState]:
    """Return the spikes (T, batch, D) and the state after them; ``mask`` (T, batch) is True where a step happens."""
    w = drive.w if mask is None else drive.w * mask[..., None]
    delta, u, taps = F.softplus(drive.rate), *convolved(w, weights, state.taps)
    decay = torch.exp(delta[..., None] * -torch.exp(weights.a_log))  # (T, batch, D, N)
    driven = (delta * u)[..., None] * drive.b[..., None, :]
    if mask is not None:
        happens = mask[..., None, None]
        decay, driven = torch.where(happens, decay, 1.0), torch.where(happens, driven, 0.0)
    h = LinearScan.apply(decay, driven, state.h)  # type: ignore[no-untyped-call]
    y = torch.einsum("tbdn,tbn->tbd", h, drive.c) + weights.d_skip * u
    v, s, spikes = state.v, state.s, []
    for t, y_t in enumerate(y.unbind(0)):
        v_t, s_t = fire(y_t, v, s, weights, law)
        if mask is not None:
            now = mask[t][:, None]
            v, s, s_t = torch.where(now, v_t, v), torch.where(now, s_t, s), torch.where(now, s_t, 0.0)
        else:
            v, s = v_t, s_t
        spikes.append(s_t)
    return torch.stack(spikes), BlockState(taps, h[-1], v, s)


def convolved(w: Tensor, weights: ScanWeights, taps: Tensor) -> tuple[Tensor, Tensor]:
    """Return u (T, batch, D) and the taps after it; ``taps`` are the K - 1 projections before w, newest first."""
    padded, history = torch.cat([taps.flip(0), w]), len(taps)
    heard = sum(weights.conv[:, k] * padded[history - k : history - k + len(w)] for k in range(history + 1))
    return weights.b_u + heard, padded[len(padded) - history :].flip(0)


def fire(y: Tensor, v: Tensor, s: Tensor, weights: ScanWeights, law: SomaLaw) -> tuple[Tensor, Tensor]:
    """One step of the soma from (v, s) at t - 1 to (v, s) at t, all (batch, D)."""
    if law.reset == "none":
        return y, y
    before = s if law.reset_gradient else s.detach()
    leak, threshold = weights.decay, weights.threshold
    v = leak * v * (1 - before) + y if law.reset == "hard" else leak * v + y - threshold * before
    return v, Spike.apply(v - threshold, law.slope)  # type: ignore[no-untyped-call]


class Spike(torch.autograd.Function):
    """H(x), strictly above zero; backward 1 / (1 + slope |x|)^2 (SuperSpike, Zenke and Ganguli 2018)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope  # type: ignore[attr-defined]
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad / (1 + ctx.slope * x.abs()) ** 2, None  # type: ignore[attr-defined]


class LinearScan(torch.autograd.Function):
    """h_t = a_t o h_{t-1} + b_t over the first axis from h_{-1}, with the reverse recurrence written out for speed."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, a: Tensor, b: Tensor, before: Tensor) -> Tensor:
        h = torch.empty_like(b)
        previous = before
        for t in range(len(b)):
            torch.addcmul(b[t], a[t], previous, out=h[t])
            previous = h[t]
        ctx.save_for_backward(a, h, before)
        return h

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, h, before = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_b, grad_a = torch.empty_like(h), torch.empty_like(h)
        carried = torch.zeros_like(h[0])
        for t in range(len(h) - 1, -1, -1):
            torch.add(grad[t], carried, out=grad_b[t])
            torch.mul(grad_b[t], h[t - 1] if t else before, out=grad_a[t])
            torch.mul(grad_b[t], a[t], out=carried)
        return grad_a, grad_b, carried

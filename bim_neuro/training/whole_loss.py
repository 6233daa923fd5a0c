r"""The loss of whole sequences for autograd, by head: what rule bptt descends.

class    cross entropy of the mean of r over the valid steps
step     cross entropy of r_t where y asks, the mean over a sequence's steps (next alike)
labels   binary cross entropy of that mean, the mean over classes
ctc      -log p(y | r) / length of y, by torch's CTC; class 0 is the blank
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..choices import EVERY_STEP, NOT_ASKED
from ..model.network import BIMNetwork
from .many_tokens import in_pieces, loss_of_tokens
from .readout import even_shares, leak_on


class _Leak(torch.autograd.Function):
    """r_t = gamma r_{t-1} + drive_t, and its adjoint a_t = e_t + gamma a_{t+1}."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, gamma: Tensor) -> Tensor:
        r = leak_on(torch.zeros_like(drive[0]), drive.detach(), float(gamma))
        ctx.save_for_backward(r, gamma)
        return r

    @staticmethod
    def backward(ctx: Any, *errors: Tensor) -> tuple[Tensor, Tensor]:
        r, gamma = ctx.saved_tensors
        adjoint = leak_on(torch.zeros_like(r[0]), errors[0].flip(0), float(gamma)).flip(0)
        return adjoint, (adjoint[1:] * r[:-1]).sum()


def readings(network: BIMNetwork, s: Tensor) -> Tensor:
    """Return r (T, batch, C) of the spikes s (T, batch, D) that the readout hears."""
    r: Tensor = _Leak.apply(s @ network.w_o.T + network.b_o, network.readout_decay)  # type: ignore[no-untyped-call]
    return r


def whole_loss(
    network: BIMNetwork,
    s: Tensor,
    y: Tensor,
    smoothing: float = 0.0,
    head: str = "class",
    lengths: Tensor | None = None,
) -> Tensor:
    """Return the loss of spikes s (T, batch, D) and y as the data have it, the samples first."""
    if in_pieces(head, network.config):
        z: Tensor = _Leak.apply(with_ones(s), network.readout_decay)  # type: ignore[no-untyped-call]
        w = torch.cat([network.w_o, network.b_o[:, None]], 1)
        return many(z, w, y, smoothing, adaptive=network.config.adaptive)
    return loss_of(head, y, lambda: network.read(s, lengths), lambda: readings(network, s), smoothing, lengths)


def with_ones(s: Tensor) -> Tensor:
    """Return (s, 1) over the last axis: the bias is the weight of a spike that is always there."""
    return torch.cat([s, torch.ones_like(s[..., :1])], -1)


def many(z: Tensor, w: Tensor, y: Tensor, smoothing: float, *, adaptive: bool) -> Tensor:
    """Return the loss of r = W z where y (batch, T) asks for one of many tokens, the mean over a sequence's steps."""
    p = even_shares(len(z), z.shape[1], z, y.T != NOT_ASKED)
    return loss_of_tokens(z, w, y.T, p, smoothing, adaptive=adaptive)


def rate_above(s: Tensor, target: float, lengths: Tensor | None = None) -> Tensor:
    """Return the mean over steps and sequences of max(0, mean_d s - target), for spikes s (T, batch, D) of a block.

    ``lengths`` (batch,) are the steps that count.
    """
    over = F.relu(s.mean(-1) - target)  # (T, batch)
    if lengths is None:
        return over.mean()
    return (over * (torch.arange(len(s), device=s.device)[:, None] < lengths)).sum(0).div(lengths).mean()


def loss_of(
    head: str,
    y: Tensor,
    mean: Callable[[], Tensor],
    readings: Callable[[], Tensor],
    smoothing: float = 0.0,
    lengths: Tensor | None = None,
) -> Tensor:
    """Return the loss of the ``mean`` (batch, C) of what a network says, or of all ``readings`` (T, batch, C)."""
    if head == "class":
        return F.cross_entropy(mean(), y, label_smoothing=smoothing)
    if head == "labels":
        said = mean()
        target = y.to(said.dtype) * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(said, target)
    r = readings()
    steps, batch = r.shape[:2]
    if head in EVERY_STEP:
        each = F.cross_entropy(
            r.flatten(0, 1), y.T.flatten(), ignore_index=NOT_ASKED, label_smoothing=smoothing, reduction="none"
        )
        p = even_shares(steps, batch, r, y.T != NOT_ASKED)
        return (each.view(p.shape) * p).sum() / batch
    valid = torch.full((batch,), steps) if lengths is None else lengths.cpu()
    symbols = (y != NOT_ASKED).sum(1).cpu()
    return F.ctc_loss(r.log_softmax(-1), y.clamp(min=0), valid, symbols)

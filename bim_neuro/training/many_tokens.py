r"""The next of many tokens: the loss, and its gradient, in memory that does not grow with steps times tokens.

    r_t = gamma r_{t-1} + W_o s_t + b_o  =  W z_t        z_t = gamma z_{t-1} + (s_t, 1)        W = (W_o, b_o)

The leaky readout is linear, so that the D spikes are filtered instead of the V readings, and rows of W are taken only
where they are asked: all of them (full), or the frequent tokens, the clusters, and a cluster's own at the steps whose
token lies in it (adaptive: tasks/clusters.py). Pieces of the steps follow each other; the gradient of each is found at
once and added up, so that no reading is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..choices import NOT_ASKED
from ..model.network import NetworkConfig
from ..tasks.clusters import CLUSTERS, MANY, cutoffs
from .baselines import BaselineConfig

AT_ONCE = 2**25
"""Bytes of readings that are computed at a time."""


def in_pieces(head: str, config: NetworkConfig | BaselineConfig) -> bool:
    """Whether the tokens are so many that their loss is found so."""
    return head == "next" and (config.adaptive or config.classes > MANY)


class Descended(NamedTuple):
    """A loss and its gradients by z (asked, D + 1) and by W (rows, D + 1)."""

    loss: Tensor
    by_z: Tensor
    by_w: Tensor


def descend(z: Tensor, w: Tensor, y: Tensor, share: Tensor, smoothing: float = 0.0, *, adaptive: bool) -> Descended:
    """Return the sum of share_i -log p(y_i | z_i) and its gradients, for y and share (asked,).

    ``smoothing`` moves so much of each target to an even one, of the head and of a cluster alike.
    """
    total, by_z, by_w = z.new_zeros(()), torch.zeros_like(z), torch.zeros_like(w)
    for asked, rows, at in _parts(w, y, adaptive=adaptive):
        own = w[rows]
        by_own = torch.zeros_like(own)
        for some in _pieces(len(at), len(own), z):
            now = asked[some]
            r = (z[now] @ own.T).requires_grad_()
            with torch.enable_grad():
                each = F.cross_entropy(r, at[some], label_smoothing=smoothing, reduction="none")
                loss = (each * share[now]).sum()
            (error,) = torch.autograd.grad(loss, r)
            total += loss.detach()
            by_z.index_add_(0, now, error @ own)
            by_own.addmm_(error.T, z[now])
        by_w[rows] += by_own
    return Descended(total, by_z, by_w)


def _parts(w: Tensor, y: Tensor, *, adaptive: bool) -> Iterator[tuple[Tensor, Any, Tensor]]:
    """Yield which of the asked read which rows of W, and where among these their token is."""
    every = torch.arange(len(y), device=y.device)
    if not adaptive:
        yield every, slice(None), y
        return
    tokens = len(w) - CLUSTERS
    cuts = cutoffs(tokens)
    ends = torch.tensor(cuts[1:], device=y.device)
    head = torch.cat([torch.arange(cuts[0]), torch.arange(tokens, len(w))]).to(y.device)
    yield every, head, torch.where(y < cuts[0], y, cuts[0] + torch.bucketize(y, ends, right=True))
    for first, last in pairwise(cuts):
        asked = ((y >= first) & (y < last)).nonzero()[:, 0]
        if len(asked):
            yield asked, slice(first, last), y[asked] - first


def _pieces(asked: int, classes: int, like: Tensor) -> Iterator[slice]:
    size = max(1, AT_ONCE // (classes * like.element_size()))
    for first in range(0, asked, size):
        yield slice(first, min(first + size, asked))


class _Loss(torch.autograd.Function):
    """`descend` for autograd: the gradients are found with the loss."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, w: Tensor, y: Tensor, share: Tensor, smoothing: float, adaptive: bool) -> Tensor:
        found = descend(z.detach(), w.detach(), y, share, smoothing, adaptive=adaptive)
        ctx.save_for_backward(found.by_z, found.by_w)
        return found.loss

    @staticmethod
    def backward(ctx: Any, by_loss: Tensor) -> tuple[Tensor | None, ...]:
        by_z, by_w = ctx.saved_tensors
        return by_loss * by_z, by_loss * by_w, None, None, None, None


def loss_of_tokens(z: Tensor, w: Tensor, y: Tensor, p: Tensor, smoothing: float = 0.0, *, adaptive: bool) -> Tensor:
    """Return the mean over the batch of sum_t p_t -log p(y_t), for z (T, batch, D + 1), W, y and p (T, batch)."""
    asked = y != NOT_ASKED
    loss: Tensor = _Loss.apply(z[asked], w, y[asked], p[asked] / y.shape[1], smoothing, adaptive)  # type: ignore[no-untyped-call]
    return loss

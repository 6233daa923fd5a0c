r"""The leaky readout's own forward traces, and how a loss reads it.

    r_t = gamma r_{t-1} + W_o s_t + b_o
    dr_t/dW_o[c] = z_t = gamma z_{t-1} + s_t        dr_t/dgamma = q_t = gamma q_{t-1} + r_{t-1}

A loss at the end reads the mean (or, with other shares, any weighted sum) of the readout; as that is linear, each
spike's traces are added up with the weight with which the spike will count, and no second sum over steps is kept:

    logits = sum_t p_t r_t = sum_t omega_t (W_o s_t + b_o)        omega_t = p_t + gamma omega_{t+1}

    loss at the end     rho = 1        omega_t as above: it needs to be known how long the sequence is
    loss every step     rho = gamma    omega_t = 1
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..choices import EVERY_STEP, NOT_ASKED
from ..errors import InputError
from . import kernels


class Head(NamedTuple):
    """A leaky readout's parameters: w_o (C, D), b_o (C,), readout_logit; gamma = sigmoid(readout_logit)."""

    w_o: nn.Parameter
    b_o: nn.Parameter
    readout_logit: nn.Parameter


class Loss(NamedTuple):
    """What is read and what it is held against, by the ``head``; a sequence counts as much as another.

        class    y (batch,)         cross entropy of the weighted sum of r at the end, or of r_t ``every`` step
        step     y (T, batch)       cross entropy of r_t where y is not -1 (``next`` alike)
        labels   y (batch, C)       binary cross entropy of the weighted sum of r, the mean over classes

    ``smoothing`` moves so much of each target to an even one.
    """

    y: Tensor
    every: bool = False
    smoothing: float = 0.0
    head: str = "class"

    @classmethod
    def of_head(cls, head: str, y: Tensor, smoothing: float = 0.0, *, online: bool = False) -> Loss:
        """Return the loss of y as the data have it, the samples first."""
        if head == "ctc":
            hint = "choose --rule bptt, or a task with a class a step (head step)"
            raise InputError("CTC needs the whole utterance: only rule bptt has it", hint)
        if head == "labels" and online:
            raise InputError("head 'labels' is read at the end, online updates need a loss at every step")
        by_step = head in EVERY_STEP
        return cls(y.T if by_step else y, online or by_step, smoothing, head)

    def shares(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return p (T, batch) for x (T, batch, inputs): the steps that are asked, of those that ``mask`` marks."""
        if self.head in EVERY_STEP:
            asked = self.y != NOT_ASKED
            mask = asked if mask is None else asked & mask
        return even_shares(len(x), x.shape[1], x, mask)

    def during(self, steps: slice) -> Loss:
        """Return the loss of these steps."""
        return self._replace(y=self.y[steps]) if self.head in EVERY_STEP else self

    def of(self, r: Tensor, share: Tensor) -> tuple[float, Tensor]:
        """Return the loss, weighted by share (..., batch), and its gradient by r (..., batch, C)."""
        batch, classes = r.shape[-2:]
        scale = share / batch
        if self.head == "labels":
            target = self.y.to(r.dtype) * (1 - self.smoothing) + self.smoothing / 2
            scale = scale / classes
            each = (F.softplus(r) - target * r).sum(-1)
            return float((each * scale).sum()), (torch.sigmoid(r) - target) * scale[..., None]
        target = F.one_hot(self.y.clamp(min=0), classes).to(r.dtype) * (1 - self.smoothing) + self.smoothing / classes
        logs = torch.log_softmax(r, -1)
        return float((-(target * logs).sum(-1) * scale).sum()), (logs.exp() - target) * scale[..., None]


def even_shares(steps: int, batch: int, like: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return p (T, batch): every step counts alike, or every step that ``mask`` (T, batch) marks."""
    p = like.new_ones(steps, batch) if mask is None else mask.to(like.dtype)
    return p / p.sum(0).clamp(min=1)


def discounted(p: Tensor, gamma: float) -> Tensor:
    """Return omega (T, batch): omega_t = p_t + gamma omega_{t+1}."""
    return leak_on(torch.zeros_like(p[0]), p.flip(0), gamma).flip(0)


def leak_on(before: Tensor, drive: Tensor, leak: float) -> Tensor:
    """Return x_t = leak x_{t-1} + drive_t (T, ...) from ``before`` (...)."""
    x = torch.cat([before[None], drive])
    if x.device.type == "cpu":
        flat = x.flatten(1).numpy()
        kernels.leak_through(flat, flat.dtype.type(leak))
    else:
        for t in range(len(drive)):
            x[t + 1] += leak * x[t]
    return x[1:]


def remembered(errors: Tensor, gamma: float) -> Tensor:
    """What each step's reading is worth within the segment: e_t + gamma e_{t+1} + ..."""
    worth = errors.clone()
    for t in range(len(worth) - 2, -1, -1):
        worth[t] += gamma * worth[t + 1]
    return worth


class ReadoutTraces:
    """State and traces of one readout for a batch."""

    def __init__(self, head: Head, batch: int, keep: bool = True) -> None:
        self.head, self.keep = head, float(keep)
        zeros = head.w_o.detach().new_zeros
        classes, channels = head.w_o.shape
        self.r, self.q = zeros(batch, classes), zeros(batch, classes)
        self.z = zeros(batch, channels + 1)  # the bias is the weight of a spike that is always there
        self.logits, self.logits_by_gamma = zeros(batch, classes), zeros(batch, classes)
        self._gradient = (torch.zeros_like(head.w_o), torch.zeros_like(head.b_o), torch.zeros_like(head.readout_logit))

    @property
    def nbytes(self) -> int:
        """Bytes of the readout's traces."""
        return sum(part.numel() * part.element_size() for part in (self.q, self.z, self.logits_by_gamma))

    @property
    def gamma(self) -> float:
        return float(torch.sigmoid(self.head.readout_logit.detach()))

    @torch.no_grad()
    def at_end(self, s: Tensor, p: Tensor, omega: Tensor) -> None:
        """Process spikes s (T, batch, D) with their shares p and weights omega (T, batch)."""
        r, q = self._run(s)
        self.logits += torch.einsum("tb,tbc->bc", p, r)
        if not self.keep:  # only the last step's own path is kept
            s, p, q, omega = s[-1:], p[-1:], q[-1:], omega[-1:]
            self.z, self.logits_by_gamma = torch.zeros_like(self.z), torch.zeros_like(self.logits)
        self.logits_by_gamma += torch.einsum("tb,tbc->bc", p, q)
        self.z[:, :-1] += torch.einsum("tb,tbd->bd", omega, s)
        self.z[:, -1] += omega.sum(0)

    @torch.no_grad()
    def every_step(self, s: Tensor, loss: Loss, p: Tensor) -> tuple[float, Tensor]:
        """Process spikes with a loss at each step; return its value and dL/dr (T, batch, C)."""
        r, q = self._run(s)
        z = leak_on(self.z, torch.cat([s, torch.ones_like(s[..., :1])], -1), self.gamma * self.keep)
        self.z = z[-1]
        value, error = loss.of(r, p)
        self._collect(torch.einsum("tbc,tbd->cd", error, z), (error * q).sum())
        return value, error

    def _run(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Return r and q = dr/dgamma (T, batch, C) of these spikes."""
        r = leak_on(self.r, s @ self.head.w_o.T + self.head.b_o, self.gamma)
        q = leak_on(self.q, torch.cat([self.r[None], r[:-1]]), self.gamma * self.keep)
        self.r, self.q = r[-1], q[-1]
        return r, q

    @torch.no_grad()
    def finish(self, loss: Loss) -> tuple[float, Tensor]:
        """Return the loss at the end and dL/dlogits (batch, C)."""
        value, error = loss.of(self.logits, torch.ones_like(self.z[:, 0]))
        self._collect(error.T @ self.z, (error * self.logits_by_gamma).sum())
        return value, error

    def take_gradient(self) -> dict[str, Tensor]:
        """Return what was added up for w_o, b_o and readout_logit since the last call."""
        names = ("w_o", "b_o", "readout_logit")
        taken = dict(zip(names, self._gradient, strict=True))
        self._gradient = tuple(torch.zeros_like(part) for part in self._gradient)  # type: ignore[assignment]
        return taken

    def _collect(self, by_line: Tensor, by_gamma: Tensor) -> None:
        w_o, b_o, logit = self._gradient
        gamma = self.gamma
        self._gradient = (w_o + by_line[:, :-1], b_o + by_line[:, -1], logit + gamma * (1 - gamma) * by_gamma)

r"""Pair STDP by two exponential traces, and its three-factor form (S-TLLR).

    Omega_ij = sum_f sum_n W(t_i^f - t_j^n)                         eq 5, t = t_post - t_pre
    W(t)     = A_+ exp(-t / tau_+) for t > 0,  -A_- exp(t / tau_-) for t < 0,  W(0) = 0        eq 6

The double sum needs every spike of the past; two traces a synapse's ends give the same number:

    pre_j[t]  = exp(-1/tau_+) (pre_j[t-1] + x_j[t-1])       what the post spike of step t meets
    post_i[t] = exp(-1/tau_-) (post_i[t-1] + s_i[t-1])      what the pre spike of step t meets
    Omega_ij  = sum_t A_+ s_i[t] pre_j[t] - A_- post_i[t] x_j[t]

The traces are read before the spikes of the step are added, hence W(0) = 0. S-TLLR (Apolinario and Roy, TMLR 2025)
takes both branches times the learning signal, with the surrogate psi in the place of the post spike and pairs of the
same step counted as causal:

    dL/dw_ij = sum_t delta_i[t] (a_post psi_i[t] pre'_j[t] + a_pre x_j[t] post'_i[t-1])
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import arguments
from .readout import leak_on


@dataclass(frozen=True)
class PairWindow:
    """The STDP window; time constants in steps."""

    a_plus: float = 1.0
    a_minus: float = 1.0
    tau_plus: float = 5.0
    tau_minus: float = 5.0

    def __post_init__(self) -> None:
        limits = [("a_plus", 0.0, 1e3), ("a_minus", 0.0, 1e3), ("tau_plus", 1e-3, 1e6), ("tau_minus", 1e-3, 1e6)]
        arguments.numbers_of(self, limits, "STDP window")

    def at(self, t: Tensor) -> Tensor:
        """W(t) of eq 6, for plots and for the double sum."""
        ltp, ltd = self.a_plus * torch.exp(-t / self.tau_plus), -self.a_minus * torch.exp(t / self.tau_minus)
        return torch.where(t > 0, ltp, torch.where(t < 0, ltd, torch.zeros_like(t)))


class PairTraces:
    """Omega of one projection, M inputs to D channels, added up over a batch and over time."""

    def __init__(self, window: PairWindow, batch: int, inputs: int, channels: int, like: Tensor) -> None:
        self.window = window
        self.pre, self.post = like.new_zeros(batch, inputs), like.new_zeros(batch, channels)
        self.omega = like.new_zeros(channels, inputs)

    @torch.no_grad()
    def advance(self, x: Tensor, s: Tensor) -> None:
        """Take pre spikes x (T, batch, M) and post spikes s (T, batch, D) in."""
        window = self.window
        pre, self.pre = _before(self.pre, x, window.tau_plus)
        post, self.post = _before(self.post, s, window.tau_minus)
        self.omega += window.a_plus * torch.einsum("tbd,tbm->dm", s, pre)
        self.omega -= window.a_minus * torch.einsum("tbd,tbm->dm", post, x)


class ThreeFactorTraces:
    """S-TLLR's eligibilities of one projection, with the readout's memory as in `Traces.read`: (batch, D, M)."""

    def __init__(
        self, window: PairWindow, batch: int, inputs: int, channels: int, like: Tensor, a_pre: float = -1.0
    ) -> None:
        self.window, self.a_pre = window, a_pre
        self.pre, self.post = like.new_zeros(batch, inputs), like.new_zeros(batch, channels)
        self.remembered = like.new_zeros(batch, channels, inputs)
        self.gradient = like.new_zeros(channels, inputs)

    @torch.no_grad()
    def advance(self, x: Tensor, psi: Tensor, rho: float, omega: Tensor, signal: Tensor | None = None) -> None:
        """Take x (T, batch, M) and psi (T, batch, D) in; rho, omega (T, batch) and signal as in `Traces.run`."""
        before, self.pre = _before(self.pre, x, self.window.tau_plus)
        pre = before + x
        post, self.post = _before(self.post, psi, self.window.tau_minus)
        causal, noncausal = self.window.a_plus * psi, self.a_pre * self.window.a_minus * post
        if signal is None and rho == 1.0:
            self.remembered += torch.einsum("tb,tbd,tbm->bdm", omega, causal, pre)
            self.remembered += torch.einsum("tb,tbd,tbm->bdm", omega, noncausal, x)
            return
        for t in range(len(x)):
            now = causal[t][..., None] * pre[t][:, None, :] + noncausal[t][..., None] * x[t][:, None, :]
            self.remembered.mul_(rho).add_(omega[t][:, None, None] * now)
            if signal is not None:
                self.collect(signal[t])

    @torch.no_grad()
    def collect(self, signal: Tensor) -> None:
        """Add the gradient for W_o^T dL/dr (batch, D)."""
        self.gradient += torch.einsum("bd,bdm->dm", signal, self.remembered)


def _before(trace: Tensor, spikes: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """Return what each step's spikes meet, (T, batch, lines), and the trace after the last step."""
    kept = math.exp(-1.0 / tau)
    after = leak_on(trace, spikes, kept)
    return kept * torch.cat([trace[None], after[:-1]]), after[-1]

r"""Exact forward traces of a BIM block: real-time recurrent learning in memory that does not grow with time.

The scan and the soma are diagonal and every projection reads the block input, so a parameter p reaches one channel
(or, for B and C, each channel separately), and three levels of traces follow it through time:

    S_t = dh_t/dp [d,n]  = decay_t S_{t-1} + (dh_t/dp at fixed h_{t-1})
    E_t = dv_t/dp [d]    = kappa_t E_{t-1} + sum_n C_t[n] S_t[d,n] + (direct terms)
    R_t = (the readout's memory of ds/dp) [d] = rho R_{t-1} + omega_t psi_t (E_t - dth/dp)
    dL/dp                = sum_d (W_o^T dL/dr)[d] R[d]

with, for x1 = [x_t, 1] and f1[d] = [sum_k conv[d,k] x_{t-k}, 1, w_t[d], ..., w_{t-K+1}[d]],

    family  parameters                       dh_t/dp at fixed h_{t-1}         S          E, R       direct in E
    a       a_log                            delta A decay h_{t-1}            D N        D N
    dt      w_dt, b_dt                       (A decay h_{t-1} + B u) slope x1 D N (M+1)  D (M+1)
    u       w_u, b_u, conv                   delta B f1                       D N (..)   D (M+1+K)  D_skip f1
    b       w_b, b_b  (shared by channels)   delta u x1                       D N (M+1)  D N (M+1)
    c       w_c, b_c  (shared by channels)   none                             0          D N (M+1)  h_t x1
    soma    d_skip, decay_logit, log_thresh. none                             0          D 3        Steps.direct

rho and omega say how the readout remembers (`bim_neuro.training.readout`). Source of the tractability argument: Zucchet
et al., NeurIPS 2023 (independent recurrent modules); the membrane level is e-prop's (Bellec et al. 2020) with the scan
as the neuron's inner state. Nothing is dropped: float64 equality with autograd BPTT is tests/training/test_traces.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ..model.block import BIMBlock
from .steps import BlockWeights, Steps


@dataclass(frozen=True)
class Keep:
    """Which traces are kept from step to step; approximate rules drop some."""

    scan: bool = True
    membrane: bool = True
    readout: bool = True
    shared: bool = True  # families b and c, whose weights every channel reads
    shared_readout: bool = True  # what the readout remembers of them

    @classmethod
    def nothing(cls) -> Keep:
        return cls(scan=False, membrane=False, readout=False, shared=False)

    @property
    def of_shared(self) -> Keep:
        """What is kept of families b and c."""
        if self.shared:
            return self
        return Keep(scan=False, membrane=False, readout=self.readout and self.shared_readout, shared=False)


@dataclass(frozen=True)
class Layout:
    """Offset of each trace in the numbers of one channel, level by level: scan, membrane, readout."""

    inputs: int
    states: int
    taps: int
    levels: int = 3

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        n, x1, f1 = self.states, self.inputs + 1, self.inputs + 1 + self.taps
        scan = {"a": (n,), "dt": (n, x1), "u": (n, f1), "b": (n, x1)}
        later = {"a": (n,), "dt": (x1,), "u": (f1,), "b": (n, x1), "c": (n, x1), "soma": (3,)}
        levels = {"scan": scan, "membrane": later, "readout": later}
        return {
            f"{level}.{family}": shape
            for level in list(levels)[: self.levels]
            for family, shape in levels[level].items()
        }

    @property
    def width(self) -> int:
        """Numbers a channel."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def views(self, memory: Tensor) -> dict[str, Tensor]:
        """Name the parts of memory (batch, D, width) without copying: each is (batch, D, *shape)."""
        parts = memory.split([math.prod(shape) for shape in self.shapes.values()], dim=-1)
        return {name: part.unflatten(-1, shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}


class Adjoint(NamedTuple):
    """The gradient of a segment's loss by what the projections give in each step."""

    rate: Tensor  # (T, batch, D), W_dt x + b_dt
    u: Tensor  # (T, batch, D), after the taps
    b: Tensor  # (T, batch, N)
    c: Tensor  # (T, batch, N)


class Traces:
    """The traces of one block: `advance` through recorded steps, `contract` with the learning signal.

    ``memory`` is all there is, (batch, D, width): its bytes do not depend on how long the sequence is.
    """

    form = "dense"

    def __init__(self, block: BIMBlock, batch: int, keep: Keep | None = None, levels: int = 3) -> None:
        self.keep = keep or Keep()
        self.layout = Layout(block.w_u.shape[1], block.states, block.taps, levels)
        self.memory = block.w_u.detach().new_zeros(batch, block.channels, self.layout.width)
        self.views = self.layout.views(self.memory)
        self._gradient: dict[str, Tensor] = {}

    def run(
        self, steps: Steps, weights: BlockWeights, rho: float, omega: Tensor, signal: Tensor | None = None
    ) -> Adjoint | None:
        """Advance through all steps; omega (T, batch). Where ``signal`` (T, batch, D) is given, add up the gradient.

        Where whole segments are taken at a time, return the gradient of the segment's loss by the projections.
        """
        for t in range(len(steps)):
            self.advance(steps, t, weights)
            self.read(steps, t, weights, rho, omega[t])
            if signal is not None:
                self.collect(signal[t])
        return None

    def collect(self, signal: Tensor) -> None:
        """Add `contract` of this signal to the gradient."""
        for name, value in self.contract(signal).items():
            self._gradient[name] = self._gradient[name] + value if name in self._gradient else value

    def take_gradient(self) -> dict[str, Tensor]:
        """Return what `run` and `collect` added up since the last call."""
        taken, self._gradient = self._gradient, {}
        return taken

    @property
    def nbytes(self) -> int:
        """Bytes of all traces."""
        return self.memory.numel() * self.memory.element_size()

    def reset(self) -> None:
        """Clear all traces: a new sequence begins."""
        self.memory.zero_()

    @torch.no_grad()
    def advance(self, steps: Steps, t: int, weights: BlockWeights) -> None:
        """Advance scan and membrane traces by step ``t`` of the segment."""
        x1 = _with_one(steps.x[len(weights.conv[0]) - 1 + t])
        f1 = _reach_of_u(steps, t, weights)
        self._advance_scan(steps, t, weights, x1, f1)
        self._advance_membrane(steps, t, weights, x1, f1)

    def _advance_scan(self, steps: Steps, t: int, weights: BlockWeights, x1: Tensor, f1: Tensor) -> None:
        """S <- decay S + immediate term, family by family."""
        view = self.views
        decay, h = steps.decay[t], steps.h[t]
        carried = decay * float(self.keep.scan)
        b, delta, u = steps.b[t][:, None, :], steps.delta[t][..., None], steps.u[t][..., None]
        through_a = weights.a * decay * h
        by_delta = (through_a + b * u) * steps.slope[t][..., None]
        view["scan.a"].mul_(carried).add_(delta * through_a)
        view["scan.dt"].mul_(carried[..., None]).add_(by_delta[..., None] * x1[:, None, None, :])
        view["scan.u"].mul_(carried[..., None]).add_((delta * b)[..., None] * f1[:, :, None, :])
        shared = (carried * float(self.keep.shared))[..., None]
        view["scan.b"].mul_(shared).add_((delta * u)[..., None] * x1[:, None, None, :])

    def _advance_membrane(self, steps: Steps, t: int, weights: BlockWeights, x1: Tensor, f1: Tensor) -> None:
        """E <- kappa E + sum_n C S + direct terms, family by family."""
        view = self.views
        c = steps.c[t][:, None, :]
        kappa = (steps.kappa[t] * float(self.keep.membrane))[..., None]
        shared = (kappa * float(self.keep.shared))[..., None]
        view["membrane.a"].mul_(kappa).add_(c * view["scan.a"])
        view["membrane.dt"].mul_(kappa).add_(torch.einsum("bdnj,bn->bdj", view["scan.dt"], steps.c[t]))
        view["membrane.u"].mul_(kappa).add_(torch.einsum("bdnj,bn->bdj", view["scan.u"], steps.c[t]))
        view["membrane.u"].add_(weights.d_skip[:, None] * f1)
        view["membrane.b"].mul_(shared).add_(c[..., None] * view["scan.b"])
        view["membrane.c"].mul_(shared).add_(steps.h[t + 1][..., None] * x1[:, None, None, :])
        view["membrane.soma"].mul_(kappa).add_(steps.direct[t])

    @torch.no_grad()
    def read(self, steps: Steps, t: int, weights: BlockWeights, rho: float, omega: Tensor) -> None:
        """R <- rho R + omega_t psi_t (E - dth): the readout's memory of the spikes' traces; omega (batch,)."""
        emit = omega[:, None] * steps.psi[t]
        for name, trace in self.views.items():
            level, family = name.split(".")
            if level == "readout":
                emitted = emit.reshape(*emit.shape, *[1] * (trace.dim() - 2))
                kept = self.keep.of_shared if family in ("b", "c") else self.keep
                trace.mul_(rho * float(kept.readout)).add_(emitted * self.views[f"membrane.{family}"])
        self.views["readout.soma"][..., 2].sub_(emit * weights.threshold)

    @torch.no_grad()
    def contract(self, signal: Tensor) -> dict[str, Tensor]:
        """Return the gradient of every parameter for the learning signal W_o^T dL/dr (batch, D)."""
        view = self.views
        local = {f: torch.einsum("bd,bd...->d...", signal, view[f"readout.{f}"]) for f in ("a", "dt", "u", "soma")}
        shared = {f: torch.einsum("bd,bdnj->nj", signal, view[f"readout.{f}"]) for f in ("b", "c")}
        return parameters({**local, **shared})


def parameters(family: dict[str, Tensor]) -> dict[str, Tensor]:
    """Split the families' gradients into the plain block's parameters, by name; the leak's are a channel's (D,)."""
    inputs = family["b"].shape[-1] - 1
    return {
        "a_log": family["a"],
        "w_dt": family["dt"][:, :inputs],
        "b_dt": family["dt"][:, inputs],
        "w_u": family["u"][:, :inputs],
        "b_u": family["u"][:, inputs],
        "conv": family["u"][:, inputs + 1 :],
        "w_b": family["b"][:, :inputs],
        "b_b": family["b"][:, inputs],
        "w_c": family["c"][:, :inputs],
        "b_c": family["c"][:, inputs],
        "d_skip": family["soma"][:, 0],
        "decay_logit": family["soma"][:, 1],
        "log_threshold": family["soma"][:, 2].sum(),
    }


def _with_one(x: Tensor) -> Tensor:
    """[x, 1]: the bias is the weight of a line that is always 1."""
    return torch.cat([x, x.new_ones(len(x), 1)], dim=1)


def _reach_of_u(steps: Steps, t: int, weights: BlockWeights) -> Tensor:
    """du_t/dp of w_u, b_u and conv: [sum_k conv x_{t-k}, 1, w_t, ..., w_{t-K+1}], (batch, D, M + 1 + K)."""
    taps = weights.conv.shape[1]
    x, w = steps.x[t : t + taps].flip(0), steps.w[t : t + taps].flip(0)  # newest first
    reach = torch.einsum("dk,kbm->bdm", weights.conv, x)
    return torch.cat([reach, reach.new_ones(*reach.shape[:2], 1), w.permute(1, 2, 0)], dim=2)

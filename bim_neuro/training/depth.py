r"""Credit for the blocks below the top one: layer-wise forward traces with spatial credit.

A block below reaches the readout through the blocks above. Of that path only the part inside one step is followed,

    G_t[c, d] = d (W_o s^top_t)[c] / d s_t[d]    with all states of step t - 1 held fixed,

and the readout's memory is kept for each class, as G changes from step to step:

    R_t[c, p] = rho R_{t-1}[c, p] + omega_t sum_d G_t[c, d] psi_t[d] (E_t - dth/dp)[d]
    dL/dp     = sum_c dL/dr[c] R[c, p]

Neglected: every path from this block's spikes through the state of a block above. The gradient of the top
block stays exact. Source of the scheme: Zucchet et al., NeurIPS 2023; measured cosines: docs/learning.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.block import BIMBlock
from .steps import BlockWeights, Steps
from .traces import Keep, Traces, parameters


class ClassTraces(Traces):
    """Scan and membrane traces of a lower block, and one readout trace a class."""

    form = "dense, by class"

    def __init__(self, block: BIMBlock, batch: int, classes: int, keep: Keep | None = None) -> None:
        super().__init__(block, batch, keep, levels=2)
        zeros, shapes = self.memory.new_zeros, self.layout.shapes
        self.classes: dict[str, Tensor] = {}
        for family in ("a", "dt", "u", "soma"):
            self.classes[family] = zeros(batch, classes, block.channels, *shapes[f"membrane.{family}"])
        for family in ("b", "c"):
            self.classes[family] = zeros(batch, classes, *shapes[f"membrane.{family}"])

    @property
    def nbytes(self) -> int:
        return super().nbytes + sum(trace.numel() * trace.element_size() for trace in self.classes.values())

    def reset(self) -> None:
        super().reset()
        for trace in self.classes.values():
            trace.zero_()

    @torch.no_grad()
    def read_classes(
        self, steps: Steps, t: int, weights: BlockWeights, rho: float, omega: Tensor, reach: Tensor
    ) -> None:
        """R <- rho R + omega G psi (E - dth); reach is G (batch, C, D), omega (batch,)."""
        emit = omega[:, None, None] * reach * steps.psi[t][:, None, :]
        carried = rho * float(self.keep.readout)
        for family, trace in self.classes.items():
            membrane = self.views[f"membrane.{family}"]
            if family in ("b", "c"):
                trace.mul_(rho * float(self.keep.of_shared.readout)).add_(
                    torch.einsum("bcd,bdnj->bcnj", emit, membrane)
                )
            else:
                trace.mul_(carried).add_(torch.einsum("bcd,bd...->bcd...", emit, membrane))
        self.classes["soma"][..., 2].sub_(emit * weights.threshold)

    @torch.no_grad()
    def contract(self, signal: Tensor) -> dict[str, Tensor]:
        """Return the gradient of every parameter for dL/dr (batch, C)."""
        return parameters({f: torch.einsum("bc,bc...->...", signal, trace) for f, trace in self.classes.items()})


@torch.no_grad()
def through(block: BIMBlock, steps: Steps, t: int, reach: Tensor, weights: BlockWeights) -> Tensor:
    """Take G from a block's spikes (batch, C, D) to the block's inputs (batch, C, M), inside step t.

    dy/dx = (sum_n C (A decay h + B u)) slope W_dt + (delta sum_n C B + D_skip) conv_0 W_u + C delta u W_B + h W_C
    """
    c, b, u, delta = steps.c[t], steps.b[t], steps.u[t], steps.delta[t]
    at_v = reach * steps.psi[t][:, None, :]
    by_delta = weights.a * steps.decay[t] * steps.h[t] + b[:, None, :] * u[..., None]
    to_dt = torch.einsum("bn,bdn->bd", c, by_delta) * steps.slope[t]
    to_u = (delta * (b * c).sum(1, keepdim=True) + weights.d_skip) * weights.conv[:, 0]
    to_b = torch.einsum("bcd,bd->bc", at_v, delta * u)[..., None] * c[:, None, :]
    return (
        (at_v * to_dt[:, None, :]) @ block.w_dt
        + (at_v * to_u[:, None, :]) @ block.w_u
        + to_b @ block.w_b
        + torch.einsum("bcd,bdn->bcn", at_v, steps.h[t + 1]) @ block.w_c
    )

r"""The readout of many tokens from segment to segment: its filtered spikes, and their derivative by the leak.

    z_t = gamma z_{t-1} + (s_t, 1)        dz_t/dgamma = q_t = gamma q_{t-1} + z_{t-1}
    dL/dW is `many_tokens.descend`'s, dL/dgamma = sum_t (dL/dz_t) . q_t

Both are exact over segments; what a spike is worth ends with its segment.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..choices import NOT_ASKED
from ..model.network import BIMNetwork
from .many_tokens import descend
from .readout import Loss, leak_on, remembered


class FilteredReadout:
    """State of the readout of a network for a batch of sequences, and its gradient so far."""

    def __init__(self, network: BIMNetwork, batch: int) -> None:
        self.adaptive = network.config.adaptive
        self.w = torch.cat([network.w_o.detach(), network.b_o.detach()[:, None]], 1)
        self.gamma = float(network.readout_decay.detach())
        self.z = self.w.new_zeros(batch, self.w.shape[1])
        self.q = torch.zeros_like(self.z)
        self.by_w, self.by_gamma = torch.zeros_like(self.w), self.w.new_zeros(())

    @torch.no_grad()
    def every_step(self, s: Tensor, loss: Loss, p: Tensor) -> tuple[float, Tensor]:
        """Process spikes s (T, batch, D) with shares p (T, batch); return the loss and its gradient by s."""
        z = leak_on(self.z, torch.cat([s, torch.ones_like(s[..., :1])], -1), self.gamma)
        q = leak_on(self.q, torch.cat([self.z[None], z[:-1]]), self.gamma)
        self.z, self.q = z[-1], q[-1]
        asked = loss.y != NOT_ASKED
        share = p[asked] / p.shape[1]
        found = descend(z[asked], self.w, loss.y[asked], share, loss.smoothing, adaptive=self.adaptive)
        by_z = torch.zeros_like(z)
        by_z[asked] = found.by_z
        self.by_w += found.by_w
        self.by_gamma += (by_z * q).sum()
        return float(found.loss), remembered(by_z[..., :-1], self.gamma)

    def gradient(self) -> dict[str, Tensor]:
        """Return the gradient of w_o, b_o and readout_logit."""
        logit = self.gamma * (1 - self.gamma) * self.by_gamma
        return {"w_o": self.by_w[:, :-1], "b_o": self.by_w[:, -1], "readout_logit": logit}

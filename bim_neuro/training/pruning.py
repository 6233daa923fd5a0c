r"""Adaptive pruning by a threshold that is adjusted towards a target sparsity.

    p_ij      = sigmoid(beta (theta - |w_ij|))          eq 9; printed: beta (|w| - theta), which prunes the large
    dtheta/dt = gamma (rho - sparsity)                    eq 10, as printed

|w| and theta are in units of the weights' root mean square, so that beta and gamma need not be chosen anew for every
matrix. Masks are drawn again from the dense weights at every update: a permanent mask could only grow. For the last
part of training `harden` prunes exactly the share rho of the smallest weights permanently: they are zeros in model.pt
and hence no synapses in the integer graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError

PRUNED = ("w_u", "w_dt", "w_b", "w_c", "w_o")
"""The dense synapse lists; taps, biases and constants stay."""
BETA, GAMMA = 50.0, 0.2
"""beta and gamma in units of the RMS: steep compared with the spread of weights; a fifth of the gap per update."""
EVERY = 5
"""Batches between two draws of the masks."""
HARD_FROM = 0.75
"""Share of the epochs after which the mask is final."""


def pruning_probability(w: Tensor, theta: float, beta: float = BETA) -> Tensor:
    """Eq 9, sign corrected; w in units of its root mean square."""
    return torch.sigmoid(beta * (theta - w.abs()))


class Pruner:
    """Masks of a network's dense synapses on the way to the sparsity ``target``."""

    def __init__(self, network: nn.Module, target: float, gamma: float = GAMMA) -> None:
        if not 0 <= target < 1:
            raise InputError(f"sparsity {target} is outside [0, 1)", "0.7 prunes 70 % of the synapses")
        self.target, self.gamma, self.hard = target, gamma, False
        self.weights = {
            name: weight
            for name, weight in network.named_parameters()
            if name.rsplit(".", 1)[-1] in PRUNED and not name.startswith("local.")
        }
        self.masks = {name: torch.ones_like(weight.detach()) for name, weight in self.weights.items()}
        self.theta = dict.fromkeys(self.weights, 0.0)

    @property
    def sparsity(self) -> float:
        """The share of masked synapses."""
        kept = sum(float(mask.sum()) for mask in self.masks.values())
        return 1 - kept / sum(mask.numel() for mask in self.masks.values())

    @torch.no_grad()
    def update(self, generator: torch.Generator) -> None:
        """Draw every mask anew and move every theta; a final mask stays."""
        if self.hard:
            return
        for name, weight in self.weights.items():
            scale = weight.square().mean().sqrt().clamp(min=1e-12)
            p = pruning_probability(weight / scale, self.theta[name])
            kept = torch.rand(p.shape, generator=generator).to(p) >= p
            self.masks[name] = kept.to(weight.dtype)
            self.theta[name] += self.gamma * (self.target - (1 - float(self.masks[name].mean())))

    @torch.no_grad()
    def harden(self) -> None:
        """Prune the share ``target`` of the smallest weights of every matrix permanently."""
        self.hard = True
        for name, weight in self.weights.items():
            cut = round(self.target * weight.numel())
            mask = torch.ones_like(weight).flatten()
            mask[weight.abs().flatten().argsort(stable=True)[:cut]] = 0
            self.masks[name] = mask.view_as(weight)
        self.apply()

    @torch.no_grad()
    def apply(self) -> None:
        """Set the weights under a final mask to 0."""
        if self.hard:
            for name, weight in self.weights.items():
                weight.mul_(self.masks[name])

    @contextmanager
    def masked(self) -> Iterator[None]:
        """Compute with the masked weights; at the end restore the dense weights and mask the gradients."""
        dense = {name: weight.detach().clone() for name, weight in self.weights.items()}
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.mul_(self.masks[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in self.weights.items():
                    weight.copy_(dense[name])
                    if weight.grad is not None:
                        weight.grad.mul_(self.masks[name])

    def state(self) -> dict[str, Any]:
        """Return the state that a resumed run needs."""
        return {"hard": self.hard, "theta": dict(self.theta), "masks": dict(self.masks)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        self.hard, self.theta = state["hard"], dict(state["theta"])
        self.masks = {name: state["masks"][name].to(weight) for name, weight in self.weights.items()}

"""Adaptive pruning reaches its sparsity with the sign corrected, and runs away with the printed one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bim_neuro.errors import InputError
from bim_neuro.training import pruning
from bim_neuro.training.pruning import Pruner


class Dense(nn.Module):
    """One list of 20,000 synapses."""

    def __init__(self) -> None:
        super().__init__()
        self.w_u = nn.Parameter(0.1 * torch.randn(100, 200, generator=torch.Generator().manual_seed(0)))


def settled(target: float, theta: float, updates: int = 300) -> Pruner:
    pruner = Pruner(Dense(), target)
    pruner.theta["w_u"] = theta
    generator = torch.Generator().manual_seed(1)
    for _ in range(updates):
        pruner.update(generator)
    return pruner


@pytest.mark.parametrize("target", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("theta", [0.0, 0.5, 5.0])
def test_it_settles_at_its_target_from_wherever_it_starts(target: float, theta: float) -> None:
    assert settled(target, theta).sparsity == pytest.approx(target, abs=0.02)


def test_the_small_weights_go() -> None:
    pruner = settled(0.7, 0.0)
    size = pruner.weights["w_u"].detach().abs()
    kept = size[pruner.masks["w_u"] == 1].mean()
    assert kept > 1.5 * size.mean()


@pytest.mark.parametrize(("theta", "end"), [(0.0, 1.0), (2.0, 0.0)])
def test_the_printed_sign_of_eq_9_runs_away(monkeypatch: pytest.MonkeyPatch, theta: float, end: float) -> None:
    printed = lambda w, theta, beta=pruning.BETA: torch.sigmoid(beta * (w.abs() - theta))  # noqa: E731
    monkeypatch.setattr(pruning, "pruning_probability", printed)
    pruner = settled(0.7, theta)
    assert pruner.sparsity == pytest.approx(end, abs=0.01)
    assert abs(pruner.theta["w_u"]) > 10


def test_a_final_mask_cuts_exactly_the_smallest_and_stays() -> None:
    pruner = settled(0.7, 0.0)
    size = pruner.weights["w_u"].detach().abs().clone()
    pruner.harden()
    weights = pruner.weights["w_u"].detach()
    assert int((weights == 0).sum()) == round(0.7 * weights.numel())
    assert size[weights == 0].max() <= size[weights != 0].min()
    mask = pruner.masks["w_u"]
    pruner.update(torch.Generator().manual_seed(2))
    assert torch.equal(pruner.masks["w_u"], mask)


def test_masks_are_lent_and_the_dense_weights_come_back() -> None:
    pruner = settled(0.5, 0.0)
    weight = pruner.weights["w_u"]
    dense = weight.detach().clone()
    with pruner.masked():
        assert int((weight == 0).sum()) > 9_000
        weight.square().sum().backward()
    assert torch.equal(weight, dense)
    assert weight.grad is not None
    assert int((weight.grad == 0).sum()) > 9_000


@pytest.mark.parametrize("target", [-0.1, 1.0, float("nan")])
def test_a_sparsity_out_of_range_is_refused(target: float) -> None:
    with pytest.raises(InputError, match="outside"):
        Pruner(Dense(), target)

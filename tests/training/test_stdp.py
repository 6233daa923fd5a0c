"""Pair STDP by traces is the double sum over all spike pairs; its printed sign, and eq 4's, are shown to be wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training.rules import Learner, Learning
from bim_neuro.training.stdp import PairTraces, PairWindow, ThreeFactorTraces

WINDOW = PairWindow(a_plus=0.7, a_minus=0.9, tau_plus=6.0, tau_minus=9.0)


def spikes(steps: int, batch: int, lines: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(steps, batch, lines, generator=generator) < 0.3).double()


def double_sum(pre: Tensor, post: Tensor, window: PairWindow) -> Tensor:
    """Equations 5 and 6, pair by pair."""
    steps, batch, _ = pre.shape
    omega = torch.zeros(post.shape[2], pre.shape[2], dtype=torch.float64)
    for i in range(steps):
        for j in range(steps):
            w = window.at(torch.tensor(float(i - j), dtype=torch.float64))
            for b in range(batch):
                omega += w * torch.outer(post[i, b], pre[j, b])
    return omega


@pytest.mark.parametrize("record", [1, 7, 60])
def test_two_traces_give_the_double_sum(record: int) -> None:
    pre, post = spikes(60, 2, 4, seed=0), spikes(60, 2, 3, seed=1)
    traces = PairTraces(WINDOW, 2, 4, 3, pre)
    for first in range(0, 60, record):
        traces.advance(pre[first : first + record], post[first : first + record])
    np.testing.assert_allclose(traces.omega, double_sum(pre, post, WINDOW), rtol=0, atol=1e-10)


@pytest.mark.parametrize("lag", [-4, -1, 0, 1, 4])
def test_one_pair_gives_the_window(lag: int) -> None:
    pre, post = torch.zeros(12, 1, 1, dtype=torch.float64), torch.zeros(12, 1, 1, dtype=torch.float64)
    pre[5], post[5 + lag] = 1, 1
    traces = PairTraces(WINDOW, 1, 1, 1, pre)
    traces.advance(pre, post)
    wanted = {0: 0.0}.get(lag, 0.7 * math.exp(-lag / 6) if lag > 0 else -0.9 * math.exp(lag / 9))
    assert traces.omega.item() == pytest.approx(wanted, abs=1e-12)
    assert WINDOW.at(torch.tensor(float(lag))).item() == pytest.approx(wanted, abs=1e-6)


def three_factor_sum(x: Tensor, psi: Tensor, signal: Tensor, a_pre: float) -> Tensor:
    """S-TLLR's sum, step by step, for a learning signal of every step and a readout without memory."""
    total = torch.zeros(psi.shape[2], x.shape[2], dtype=torch.float64)
    for t in range(len(x)):
        pre = sum(math.exp(-(t - n) / WINDOW.tau_plus) * x[n] for n in range(t + 1))
        post = sum((math.exp(-(t - n) / WINDOW.tau_minus) * psi[n] for n in range(t)), torch.zeros_like(psi[0]))
        causal = torch.einsum("bd,bd,bm->dm", signal[t], WINDOW.a_plus * psi[t], pre)
        total += causal + a_pre * WINDOW.a_minus * torch.einsum("bd,bd,bm->dm", signal[t], post, x[t])
    return total


def test_the_three_factor_traces_are_their_sum() -> None:
    x, psi, signal = spikes(30, 2, 4, seed=0), spikes(30, 2, 3, seed=1), torch.randn(30, 2, 3, dtype=torch.float64)
    traces = ThreeFactorTraces(WINDOW, 2, 4, 3, x, a_pre=-1.0)
    for now in (slice(0, 11), slice(11, 30)):
        traces.advance(x[now], psi[now], 0.0, torch.ones(len(x[now]), 2, dtype=x.dtype), signal[now])
    np.testing.assert_allclose(traces.gradient, three_factor_sum(x, psi, signal, -1.0), rtol=0, atol=1e-10)


def test_a_loss_at_the_end_sums_the_same_eligibilities() -> None:
    x, psi, end = spikes(30, 2, 4, seed=0), spikes(30, 2, 3, seed=1), torch.randn(2, 3, dtype=torch.float64)
    omega = torch.rand(30, 2, dtype=torch.float64)
    traces = ThreeFactorTraces(WINDOW, 2, 4, 3, x)
    traces.advance(x, psi, 1.0, omega)
    traces.collect(end)
    np.testing.assert_allclose(
        traces.gradient, three_factor_sum(x, psi, omega[..., None] * end, -1.0), rtol=0, atol=1e-10
    )


def loss_after_a_step(sign: float) -> float:
    """The loss after one small step of eq 4 with lambda 1, minus the loss before."""
    torch.manual_seed(0)
    network = BIMNetwork(NetworkConfig(4, 3, 12, 3))
    x, y = torch.randn(15, 8, 4), torch.arange(8) % 3
    learner = Learner(network, Learning("hybrid", mix=1.0))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05)
    before = learner.gradients(x, y)
    for parameter in network.parameters():
        assert parameter.grad is not None
        parameter.grad.mul_(sign)
    learner.step(optimiser)
    return learner.gradients(x, y) - before


def test_the_corrected_sign_of_eq_4_descends_and_the_printed_one_climbs() -> None:
    assert loss_after_a_step(+1) < -1e-3
    assert loss_after_a_step(-1) > 1e-3

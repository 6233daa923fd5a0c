"""The mean of the leaky readout at any leak, beside its loop over steps in float64."""

from __future__ import annotations

import pytest
import torch

from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training.predict import predict
from bim_neuro.training.rules import Learner, Learning

LEAKS = [-200.0, -3.0, 2.0, 17.0, 40.0, 1000.0]


@pytest.mark.parametrize("logit", LEAKS)
def test_the_mean_is_finite_and_right_at_every_leak(logit: float) -> None:
    torch.manual_seed(0)
    network = BIMNetwork(NetworkConfig(3, 2, channels=4))
    with torch.no_grad():
        network.readout_logit.fill_(logit)
        network.b_o.fill_(0.1)
    spikes = (torch.rand(500, 2, 4) < 0.3).float()
    logits = network.read(spikes)
    logits.sum().backward()
    network.double()
    leak, r, total = network.readout_decay.detach(), torch.zeros(2, 2, dtype=torch.float64), 0
    for s_t in spikes.double():
        r = leak * r + s_t @ network.w_o.detach().T + network.b_o.detach()
        total = total + r / len(spikes)
    torch.testing.assert_close(logits.detach().double(), total, rtol=1e-5, atol=1e-6)
    assert all(torch.isfinite(p.grad).all() for n, p in network.named_parameters() if not n.startswith("blocks"))


@pytest.mark.parametrize("traces", ["dense", "events"])
@pytest.mark.parametrize("logit", LEAKS)
def test_the_gradient_by_traces_is_backpropagations_at_every_leak(logit: float, traces: str) -> None:
    torch.manual_seed(0)
    network = BIMNetwork(NetworkConfig(3, 2, channels=4))
    with torch.no_grad():
        network.readout_logit.fill_(logit)
    x, y = (torch.rand(90, 2, 3) < 0.3).float(), torch.tensor([0, 1])
    loss = Learner(network, Learning("bptt")).gradients(x, y)
    wanted = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    assert Learner(network, Learning("rtrl", traces=traces)).gradients(x, y) == pytest.approx(loss, rel=1e-5)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-4, atol=1e-5, msg=name)
    assert all(torch.isfinite(gradient).all() for gradient in wanted.values())


@pytest.mark.parametrize("logit", LEAKS)
def test_predictions_are_those_of_the_mean_at_every_leak(logit: float) -> None:
    torch.manual_seed(0)
    network = BIMNetwork(NetworkConfig(3, 5, channels=4))
    with torch.no_grad():
        network.readout_logit.fill_(logit)
        x = (torch.rand(200, 8, 3) < 0.3).float()
        wanted = network(x).argmax(1)
    assert predict(network, x.transpose(0, 1).numpy()).tolist() == wanted.tolist()

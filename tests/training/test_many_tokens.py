"""The loss of many tokens: probabilities that add up, torch's own adaptive softmax, gradients, and memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bim_neuro.errors import InputError
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.tasks.answers import Answers
from bim_neuro.tasks.clusters import CLUSTERS, cutoffs, log_probabilities, most_probable
from bim_neuro.training import many_tokens
from bim_neuro.training.many_tokens import descend, loss_of_tokens
from bim_neuro.training.readout import Loss
from bim_neuro.training.rules import Learner, Learning
from bim_neuro.training.truncated import truncated_gradient
from bim_neuro.training.whole_loss import whole_loss

TOKENS, WIDTH, ASKED = 61, 7, 40


@pytest.fixture
def weights() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What is heard (asked, width), rows of W (tokens and clusters, width), and the tokens (asked,)."""
    torch.manual_seed(0)
    z, w = torch.randn(ASKED, WIDTH, dtype=torch.float64), torch.randn(TOKENS + CLUSTERS, WIDTH, dtype=torch.float64)
    return z, w, torch.randint(0, TOKENS, (ASKED,))


def test_probabilities_of_all_tokens_add_up_to_one(weights: tuple[torch.Tensor, ...]) -> None:
    z, w, _ = weights
    r = (z @ w.T).numpy()
    every = np.stack([log_probabilities(r, np.full(ASKED, token)) for token in range(TOKENS)], 1)
    np.testing.assert_allclose(np.exp(every).sum(1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(most_probable(r), every.argmax(1))


def theirs(w: torch.Tensor) -> torch.nn.AdaptiveLogSoftmaxWithLoss:
    """Torch's own with our rows: its clusters follow the frequent tokens, its projections leave all as it is."""
    first, second, _ = cutoffs(TOKENS)
    judge = torch.nn.AdaptiveLogSoftmaxWithLoss(WIDTH, TOKENS, [first, second], div_value=1.0).double()
    with torch.no_grad():
        judge.head.weight.copy_(torch.cat([w[:first], w[TOKENS:]]))
        for tail, rows in zip(judge.tail, (w[first:second], w[second:TOKENS]), strict=True):
            tail[0].weight.copy_(torch.eye(WIDTH))
            tail[1].weight.copy_(rows)
    return judge


def test_probabilities_and_gradients_are_those_of_torch(
    weights: tuple[torch.Tensor, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    z, w, y = weights
    heard = z.clone().requires_grad_()
    judge = theirs(w)
    told = judge(heard, y)
    told.loss.backward()
    np.testing.assert_allclose(log_probabilities((z @ w.T).numpy(), y.numpy()), told.output.detach(), rtol=1e-12)
    monkeypatch.setattr(many_tokens, "AT_ONCE", 8 * TOKENS * 3)  # three rows at a time
    found = descend(z, w, y, torch.full((ASKED,), 1 / ASKED, dtype=z.dtype), adaptive=True)
    torch.testing.assert_close(found.loss, told.loss.detach())
    torch.testing.assert_close(found.by_z, heard.grad)
    first, second, _ = cutoffs(TOKENS)
    head, tails = judge.head.weight.grad, [tail[1].weight.grad for tail in judge.tail]
    torch.testing.assert_close(found.by_w, torch.cat([head[:first], *tails, head[first:]]))
    assert (first, second) == (4, 12)


def test_the_full_softmax_in_pieces_is_cross_entropy(
    weights: tuple[torch.Tensor, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_tokens, "AT_ONCE", 8 * TOKENS * 3)
    z, w, y = weights[0].requires_grad_(), weights[1].requires_grad_(), weights[2].clone()
    y[::5] = -1
    p = torch.rand(ASKED // 4, 4, dtype=torch.float64)
    loss_of_tokens(z.view(-1, 4, WIDTH), w, y.view(-1, 4), p, 0.1, adaptive=False).backward()
    by_z, by_w = z.grad, w.grad
    z.grad = w.grad = None
    each = F.cross_entropy(z @ w.T, y, ignore_index=-1, label_smoothing=0.1, reduction="none")
    (each * p.flatten()).sum().div(4).backward()
    torch.testing.assert_close(by_z, z.grad)
    torch.testing.assert_close(by_w, w.grad)


def words(adaptive: bool) -> tuple[BIMNetwork, torch.Tensor, torch.Tensor]:
    """A network with a table, tokens x (T, batch, 1) and the next ones y (batch, T)."""
    torch.manual_seed(1)
    config = NetworkConfig(6, TOKENS + CLUSTERS * adaptive, 5, 3, 2, table=TOKENS, adaptive=adaptive)
    text = torch.randint(0, TOKENS, (3, 13))
    y = text[:, 1:].clone()
    y[0, 4] = -1
    return BIMNetwork(config).double(), text[:, :-1].T[..., None].double(), y


@pytest.mark.parametrize("adaptive", [True, False])
def test_filtered_spikes_give_what_filtered_readings_do(adaptive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law is the readout step by step, the loss of its readings; tbptt in one segment is bptt."""
    monkeypatch.setattr(many_tokens, "MANY", 8)
    network, x, y = words(adaptive)
    state, readings = network.initial(3), []
    for now in x:
        r, state = network.step(now, state)
        readings.append(r)
    found = Answers("next", np.full(3, 12), (12, network.config.classes), y.numpy(), adaptive=adaptive)
    found.add(0, 0, torch.stack(readings, 1).detach().numpy())
    asked = (y >= 0).sum(1).numpy()
    s = network.heard(network.spikes(x), x)
    loss = whole_loss(network, s, y, head="next")
    assert loss.item() == pytest.approx(np.mean(found.nats / asked), rel=1e-12)
    loss.backward()
    value, gradients = truncated_gradient(network, x, Loss.of_head("next", y), 12)
    assert value == pytest.approx(loss.item(), rel=1e-12)
    again = BIMNetwork(network.config).double()
    again.load_state_dict(network.state_dict())
    whole_loss(again, again.heard(again.spikes(x), x), y, head="next").backward()
    for name, parameter in again.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, msg=name)
    assert gradients["table"].abs().sum() > 0
    assert gradients["readout_logit"].abs() > 0


def test_truncated_readouts_are_exact_over_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The readout's own gradient does not depend on where segments end: full and adaptive agree with bptt."""
    monkeypatch.setattr(many_tokens, "MANY", 8)
    network, x, y = words(adaptive=True)
    whole, cut = (truncated_gradient(network, x, Loss.of_head("next", y), length)[1] for length in (12, 5))
    for name in ("w_o", "b_o", "readout_logit"):
        torch.testing.assert_close(whole[name], cut[name])


def test_readings_of_many_tokens_are_never_held_at_once() -> None:
    """4,096 steps over 33,278 tokens would be 545 MB of readings: no tensor of a tenth of it is made."""
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel() * out.element_size())
            return out

    tokens, steps = 33_278, 4096
    z, y = torch.randn(steps, 3), torch.randint(0, tokens, (steps,))
    for adaptive in (True, False):
        w = torch.randn(tokens + CLUSTERS * adaptive, 3)
        with Watch():
            descend(z, w, y, torch.full((steps,), 1 / steps), adaptive=adaptive)
    assert 1e6 < largest < 4 * tokens * steps / 10


def test_rules_with_forward_traces_refuse_a_table_and_clusters() -> None:
    network, *_ = words(adaptive=True)
    with pytest.raises(InputError, match="rule rtrl has no traces for a table of tokens") as refusal:
        Learner(network, Learning("rtrl"))
    assert refusal.value.hint == "choose --rule bptt or tbptt, or --encoder token"
    lines = BIMNetwork(NetworkConfig(TOKENS, TOKENS + CLUSTERS, 5, 3, 2, adaptive=True))
    with pytest.raises(InputError, match="rule hybrid has no traces for an adaptive softmax"):
        Learner(lines, Learning("hybrid"))


def test_few_tokens_have_no_clusters() -> None:
    with pytest.raises(InputError, match="29 tokens are too few for an adaptive softmax"):
        cutoffs(29)
    assert cutoffs(30) == (2, 6, 30)

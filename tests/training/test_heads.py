"""The losses of every head, with padding: each sequence on its own, by autograd and torch's losses in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bim_neuro.errors import InputError
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training.rules import Learner, Learning

M, C, STEPS = 4, 3, 24
LENGTHS = torch.tensor([24, 11, 3, 17])
SMOOTHING = 0.1
BOUND = 1e-10


def network(blocks: int = 1) -> BIMNetwork:
    torch.manual_seed(0)
    made = BIMNetwork(NetworkConfig(M, C, 6, 3, 4, blocks)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def batch(head: str) -> tuple[Tensor, Tensor]:
    """Return x (T, batch, M), noise in its padding too, and y."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(STEPS, len(LENGTHS), M, generator=generator, dtype=torch.float64)
    if head == "class":
        return x, torch.tensor([0, 2, 1, 1])
    if head == "labels":
        return x, torch.randint(0, 2, (len(LENGTHS), C), generator=generator)
    if head == "ctc":
        return x, torch.tensor([[1, 2, 2, 1], [2, 1, -1, -1], [1, -1, -1, -1], [1, 1, 2, -1]])
    y = torch.randint(0, C, (len(LENGTHS), STEPS), generator=generator)
    asked = (torch.arange(STEPS) < LENGTHS[:, None]) & (torch.rand(y.shape, generator=generator) < 0.6)
    asked[:, 0] = True
    return x, torch.where(asked, y, -1)


def of_one(net: BIMNetwork, x: Tensor, y: Tensor, head: str) -> Tensor:
    """The loss of one sequence x (T, M) without padding, by the step form."""
    state, readings = net.initial(1), []
    for x_t in x:
        r, state = net.step(x_t[None], state)
        readings.append(r[0])
    r = torch.stack(readings)
    if head == "class":
        return F.cross_entropy(r.mean(0), y, label_smoothing=SMOOTHING)
    if head == "labels":
        soft = y.double() * (1 - SMOOTHING) + SMOOTHING / 2
        return F.binary_cross_entropy_with_logits(r.mean(0), soft)
    if head == "ctc":
        y = y[y >= 0]
        return F.ctc_loss(r.log_softmax(-1), y, torch.tensor(len(r)), torch.tensor(len(y)), reduction="none") / len(y)
    return F.cross_entropy(r, y[: len(r)], ignore_index=-1, label_smoothing=SMOOTHING)


def wanted(net: BIMNetwork, head: str) -> tuple[float, dict[str, Tensor]]:
    x, y = batch(head)
    net.zero_grad()
    loss = sum(of_one(net, x[:n, i], y[i], head) for i, n in enumerate(LENGTHS.tolist())) / len(LENGTHS)
    assert isinstance(loss, Tensor)
    loss.backward()
    return float(loss.detach()), {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def found(net: BIMNetwork, head: str, learning: Learning) -> tuple[float, dict[str, Tensor]]:
    x, y = batch(head)
    value = Learner(net, learning).gradients(x, y, SMOOTHING, head=head, lengths=LENGTHS)
    return value, {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


CASES = [
    *((head, Learning("bptt"), 2) for head in ("class", "step", "next", "labels", "ctc")),
    *((head, Learning("tbptt", segment=STEPS), 2) for head in ("class", "step", "labels")),
    *((head, Learning("rtrl", traces=traces), 1)
      for head in ("class", "step", "next", "labels") for traces in ("dense", "events")),
    *((head, Learning("rtrl", segment=STEPS), 2) for head in ("class", "step", "labels")),
]  # fmt: skip


@pytest.mark.parametrize(("head", "learning", "blocks"), CASES)
def test_padding_counts_nothing_in_any_head_and_rule(head: str, learning: Learning, blocks: int) -> None:
    net = network(blocks)
    loss, gradient = wanted(net, head)
    value, got = found(net, head, learning)
    assert abs(value - loss) < BOUND
    assert got.keys() == gradient.keys()
    for name, right in gradient.items():
        assert (got[name] - right).abs().max() < BOUND * right.abs().max().clamp(min=1e-6), name


def test_segments_of_a_step_head_read_their_own_targets() -> None:
    """Truncation below the readout leaves the readout's gradient exact, in however many segments."""
    net = network()
    loss, gradient = wanted(net, "step")
    value, got = found(net, "step", Learning("tbptt", segment=5))
    assert abs(value - loss) < BOUND
    assert (got["w_o"] - gradient["w_o"]).abs().max() < BOUND
    assert (got["blocks.0.w_u"] - gradient["blocks.0.w_u"]).abs().max() > 1e-6  # a fault that must be seen


@pytest.mark.parametrize("rule", ["rtrl", "tbptt", "no-trace"])
def test_ctc_needs_the_whole_utterance(rule: str) -> None:
    with pytest.raises(InputError, match="CTC needs the whole utterance"):
        found(network(), "ctc", Learning(rule))


@pytest.mark.parametrize("rule", ["hybrid", "s-tllr", "stdp"])
def test_rules_that_pair_spikes_refuse_padding(rule: str) -> None:
    with pytest.raises(InputError, match=f"rule {rule} pairs the spikes of padding too"):
        found(network(), "class", Learning(rule))


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_rate_penalty_is_that_of_each_sequence_alone(blocks: int) -> None:
    net, weight, target = network(blocks), 3.0, 0.1
    x, y = batch("class")
    learner = Learner(net, Learning("bptt", rate_penalty=weight, rate_target=target))
    found = learner.gradients(x, y, SMOOTHING, lengths=LENGTHS)
    gradient = {name: of.grad.clone() for name, of in net.named_parameters() if of.grad is not None}
    net.zero_grad()
    total = torch.zeros((), dtype=torch.float64)
    for place, steps in enumerate(LENGTHS.tolist()):
        alone = x[:steps, place : place + 1]
        layers = net.spikes(alone)
        over = sum(sum(F.relu(s_t.mean() - target) for s_t in s) / steps for s in layers)
        total = total + F.cross_entropy(net.read(layers[-1]), y[place : place + 1], label_smoothing=SMOOTHING)
        total = total + weight * over
    mean = total / len(LENGTHS)
    mean.backward()
    assert found == pytest.approx(mean.item(), rel=1e-12)
    assert all(bool((s.mean(-1) > target).any()) for s in net.spikes(x))
    for name, of in net.named_parameters():
        assert of.grad is None or float((gradient[name] - of.grad).abs().max()) < BOUND


def test_other_rules_have_no_rate_penalty() -> None:
    with pytest.raises(InputError, match="rule rtrl has no rate penalty"):
        Learning("rtrl", rate_penalty=0.1)


def test_norms_are_measured_without_padding() -> None:
    made = [BIMNetwork(NetworkConfig(M, C, 6, 3, 4, 2, norm=True)).double() for _ in range(2)]
    made[1].load_state_dict(made[0].state_dict())
    x, _ = batch("class")
    rows = [x[:steps, place] for place, steps in enumerate(LENGTHS.tolist())]
    made[0].measure_norms(x, LENGTHS)
    rms = torch.cat(rows) @ made[0].blocks[0].w_u.detach().T
    assert torch.allclose(made[0].blocks[0].spread, rms.square().mean(0).sqrt())
    louder = x.clone()
    louder[torch.arange(STEPS)[:, None] >= LENGTHS] *= 100
    made[1].measure_norms(louder, LENGTHS)
    for one, other in zip(made[0].blocks, made[1].blocks, strict=True):
        assert torch.equal(one.spread, other.spread)

"""Exact traces by segments, credit over depth, and truncated backpropagation, each beside autograd."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training import online
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.readout import Loss
from bim_neuro.training.rules import RULES, Learner, Learning
from bim_neuro.training.segments import SegmentTraces
from bim_neuro.training.threads import torch_in_one_thread
from bim_neuro.training.traces import Keep
from bim_neuro.training.truncated import truncated_gradient

M, C, STEPS, BATCH = 5, 3, 22, 2
Gradient = dict[str, Tensor]


def network(blocks: int = 1, taps: int = 3) -> BIMNetwork:
    """A network in float64 whose every parameter is away from its special initial value."""
    torch.manual_seed(0)
    made = BIMNetwork(NetworkConfig(M, C, 6, 3, taps, blocks)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def sequence(every: bool) -> tuple[Tensor, Loss]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(STEPS, BATCH, M, generator=generator, dtype=torch.float64)
    return x, Loss(torch.randint(0, C, (BATCH,), generator=generator), every, smoothing=0.1)


def cut_backpropagation(net: BIMNetwork, x: Tensor, loss: Loss, length: int, blocks: tuple[int, ...]) -> Gradient:
    """Autograd through the step form; the states of some blocks are cut at every segment's beginning.

    With a loss at every step so is the readout, whose later readings a segment does not know.
    """
    net.zero_grad()
    state, readings = net.initial(BATCH), []
    for t, x_t in enumerate(x):
        if t % length == 0:
            parts = [
                type(block)(*(part.detach() for part in block)) if index in blocks else block
                for index, block in enumerate(state.blocks)
            ]
            state = state._replace(blocks=tuple(parts), r=state.r.detach() if loss.every else state.r)
        r, state = net.step(x_t, state)
        state = state._replace(r=r)
        readings.append(r)
    logits = torch.stack(readings) if loss.every else torch.stack(readings).mean(0, keepdim=True)
    F.cross_entropy(logits.flatten(0, 1), loss.y.repeat(len(logits)), label_smoothing=loss.smoothing).backward()
    return {name: p.grad.clone() for name, p in net.named_parameters()}


def worst(got: Gradient, wanted: Gradient, only: str = "") -> float:
    """The largest error of any parameter, relative to that parameter's largest gradient."""
    assert set(got) == set(wanted)
    names = [name for name in wanted if name.startswith(only)]
    return max(float((got[n] - wanted[n]).abs().max() / wanted[n].abs().max().clamp(min=1e-6)) for n in names)


def forwarded(net: BIMNetwork, x: Tensor, loss: Loss, **options: Any) -> Gradient:
    forward = ForwardGradient(net, BATCH, **options)
    forward.sequence(x, loss)
    return forward.take()


@pytest.fixture(params=["compiled", "torch"])
def either(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled form of a CPU, and the products in torch that other devices run."""
    if request.param == "torch":
        monkeypatch.setattr(online, "FusedTraces", SegmentTraces)


KEPT = [Keep(), Keep(shared=False), Keep(shared=False, shared_readout=False), Keep.nothing(), Keep(scan=False),
        Keep(membrane=False)]  # fmt: skip


@pytest.mark.parametrize("keep", KEPT)
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.usefixtures("either")
def test_segments_are_the_law_step_by_step_whatever_is_kept(keep: Keep, every: bool) -> None:
    for taps in (1, 3):
        net, (x, loss) = network(taps=taps), sequence(every)
        law = forwarded(net, x, loss, keep=keep, fused=False)
        for length in (1, 2, 9):
            assert worst(forwarded(net, x, loss, keep=keep, record_steps=length), law) < 1e-10


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.usefixtures("either")
def test_eprop_keeps_what_the_readout_remembers_of_shared_weights(every: bool) -> None:
    net, (x, loss) = network(), sequence(every)
    rtrl, eprop = forwarded(net, x, loss), forwarded(net, x, loss, keep=Keep(shared=False))
    readout_alone = forwarded(net, x, loss, keep=Keep(scan=False, membrane=False))
    for name, found in eprop.items():
        wanted = readout_alone if name.endswith(("w_b", "b_b", "w_c", "b_c")) else rtrl
        assert float((found - wanted[name]).abs().max()) < 1e-12, name


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.usefixtures("either")
def test_credit_by_segments_cuts_the_upper_memory_alone(every: bool) -> None:
    net, (x, loss) = network(blocks=3), sequence(every)
    for length in (1, 5, STEPS):
        got = forwarded(net, x, loss, credit="segment", record_steps=length)
        if length == STEPS:
            assert worst(got, cut_backpropagation(net, x, loss, STEPS, ())) < 1e-10
        assert worst(got, cut_backpropagation(net, x, loss, length, (1, 2)), "blocks.0") < 1e-10
    if not every:  # the top block and the readout are exact however short a segment is
        exact = cut_backpropagation(net, x, loss, STEPS, ())
        assert worst(forwarded(net, x, loss, credit="segment", record_steps=4), exact, "blocks.2") < 1e-10


@pytest.mark.parametrize("every", [False, True])
def test_credit_is_the_same_for_whoever_asks_for_none(every: bool) -> None:
    net, (x, loss) = network(blocks=2), sequence(every)
    x = torch.cat([x, x])  # longer than one segment
    named = forwarded(net, x, loss, credit="segment", record_steps=Learning("rtrl").segment)
    assert worst(forwarded(net, x, loss), named) == 0
    assert worst(forwarded(net, x, loss, credit="spatial"), named, "blocks.0") > 1e-2


@pytest.mark.parametrize("every", [False, True])
def test_truncated_backpropagation_cuts_every_memory(every: bool) -> None:
    net, (x, loss) = network(blocks=2), sequence(every)
    for length in (1, 5, STEPS):
        got = truncated_gradient(net, x, loss, length)[1]
        assert worst(got, cut_backpropagation(net, x, loss, length, (0, 1)), "blocks") < 1e-10
    readout = truncated_gradient(net, x, loss, 4)[1]["readout_logit"]
    assert torch.allclose(readout, forwarded(net, x, loss)["readout_logit"], rtol=1e-10)


def weights_after_steps(learning: Learning, blocks: int, threads: int) -> bytes:
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    net = BIMNetwork(NetworkConfig(90, C, 192, 8, blocks=blocks))
    learner = Learner(net, learning)
    optimiser = torch.optim.AdamW(learner.trainable, lr=1e-2)
    x, y = (torch.rand(40, 24, 90) < 0.2).float(), torch.arange(24) % C
    for _ in range(2):
        learner.gradients(x, y)
        with torch_in_one_thread():  # as `Run.epoch` is: the norm of 36,864 gradients is a sum in parts
            torch.nn.utils.clip_grad_norm_(learner.trainable, 1.0)
            learner.step(optimiser)
    return b"".join(value.numpy().tobytes() for value in net.state_dict().values())


KINDS = {
    **{name: (Learning(name), 2) for name in RULES},
    "spatial": (Learning("rtrl", credit="spatial"), 2),
    "segment": (Learning("rtrl", credit="segment", segment=16), 2),
    "local": (Learning("rtrl", credit="local"), 2),
    "online": (Learning("rtrl", online=8), 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads_does_not_change_a_bit_of_a_rule(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bim_neuro.training.fused.THREADS_FROM", 0)
    learning, blocks = KINDS[kind]
    before = torch.get_num_threads()
    try:
        weights = {threads: weights_after_steps(learning, blocks, threads) for threads in (1, 2, 3, 8)}
    finally:
        torch.set_num_threads(before)
    assert len(set(weights.values())) == 1

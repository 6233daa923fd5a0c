"""Event-driven traces equal backpropagation through time, for every parameter; and the comparison can fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from test_traces import BOUND, SOMAS, C, K, M, backpropagated, forwarded, network, worst
from torch import Tensor

from bim_neuro.errors import InputError
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training import events
from bim_neuro.training.events import EventTraces
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.readout import Loss
from bim_neuro.training.rules import Learner, Learning


def sparse(steps: int, batch: int, every: bool, rate: float = 0.15) -> tuple[Tensor, Loss]:
    """Graded numbers in a share of all places."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(steps, batch, M, generator=generator, dtype=torch.float64)
    x = torch.where(torch.rand(x.shape, generator=generator) < rate, x, 0.0)
    return x, Loss(torch.randint(0, C, (batch,), generator=generator), every, smoothing=0.1)


@pytest.mark.parametrize(("soma", "reset_gradient"), SOMAS)
@pytest.mark.parametrize("every", [False, True])
def test_every_gradient_equals_backpropagation(soma: str, reset_gradient: bool, every: bool) -> None:
    net = network(soma=soma, reset_gradient=reset_gradient)
    for steps in (1, 2, K - 1, K, 200):
        for batch in (1, 3):
            x, loss = sparse(steps, batch, every)
            wanted_loss, wanted = backpropagated(net, x, loss)
            got_loss, got = forwarded(net, x, loss, events=True, record_steps=7)
            assert abs(got_loss - wanted_loss) < 1e-12
            assert worst(got, wanted) < BOUND, (steps, batch)


@pytest.mark.parametrize("size", [(5, 8, 1, 1), (3, 21, 2, 6)])
def test_any_size(size: tuple[int, int, int, int]) -> None:
    inputs, channels, states, taps = size
    torch.manual_seed(0)
    net = BIMNetwork(NetworkConfig(inputs, C, channels, states, taps)).double()
    x, loss = sparse(40, 2, True)
    x = x[..., :inputs]
    for length in (1, 3, 64):
        got = forwarded(net, x, loss, events=True, record_steps=length)[1]
        assert worst(got, backpropagated(net, x, loss)[1]) < BOUND


@pytest.mark.parametrize("every", [False, True])
def test_masked_steps_and_pruned_weights_stay_exact(every: bool) -> None:
    net = network()
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name.endswith(("w_u", "w_dt", "w_b", "w_c", "w_o")):
                weight.mul_((torch.rand_like(weight) > 0.6).double())
    x, loss = sparse(50, 4, every)
    mask = torch.arange(50)[:, None] < torch.tensor([50, 31, 7, 1])
    assert worst(forwarded(net, x, loss, mask, events=True)[1], backpropagated(net, x, loss, mask)[1]) < BOUND


@pytest.mark.parametrize("every", [False, True])
def test_the_top_of_two_blocks_is_exact(every: bool) -> None:
    net = network(blocks=2)
    x, loss = sparse(40, 3, every)
    got, wanted = forwarded(net, x, loss, events=True)[1], backpropagated(net, x, loss)[1]
    assert worst(got, wanted, "blocks.1") < BOUND


def late_events(traces: EventTraces) -> None:
    """What came before the segment is not heard by its taps."""
    run = traces.run

    def deaf(steps: Any, *rest: Any) -> None:
        x = steps.x.clone()
        x[: K - 1] = 0
        run(replace(steps, x=x), *rest)

    traces.run = deaf  # type: ignore[method-assign]


def lost_segments(traces: EventTraces) -> None:
    """Traces are forgotten between segments."""
    run = traces.run

    def forgetful(*given: Any) -> None:
        traces.reset()
        run(*given)

    traces.run = forgetful  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", [late_events, lost_segments])
@pytest.mark.parametrize("every", [False, True])
def test_a_wrong_trace_is_seen(fault: Any, every: bool) -> None:
    net = network()
    x, loss = sparse(60, 2, every)
    forward = ForwardGradient(net, 2, events=True, record_steps=7)
    fault(forward.traces[0])
    forward.sequence(x, loss)
    assert worst(forward.take(), backpropagated(net, x, loss)[1]) > 1e-2


def test_a_second_batch_starts_from_nothing_and_bytes_do_not_grow() -> None:
    net = network()
    forward, sizes, gradients = ForwardGradient(net, 2, events=True), set(), []
    for steps in (10, 500, 10):
        forward.sequence(*sparse(steps, 2, True))
        gradients.append(forward.take())
        sizes.add(forward.nbytes)
    assert len(sizes) == 1
    assert worst(gradients[2], gradients[0]) == 0


def test_single_precision_stays_close() -> None:
    net = network()
    x, loss = sparse(200, 2, True)
    exact = forwarded(net, x, loss)[1]
    single = forwarded(net.float(), x.float(), loss, events=True)[1]
    assert worst({name: value.double() for name, value in single.items()}, exact) < 1e-3


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "THREADS_FROM", 0)
    torch.manual_seed(0)
    net = BIMNetwork(NetworkConfig(M, C, 100, 4))
    x, loss = sparse(40, 3, True)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            forward = ForwardGradient(net, 3, events=True)
            forward.sequence(x.float(), loss)
            results.append({name: value.numpy().tobytes() for name, value in forward.traces[0].take_gradient().items()})
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def learned(rate: float, rule: str = "rtrl", **choice: Any) -> tuple[list[str], dict[str, Tensor]]:
    """The form of the traces of each block, and the gradients, after one batch."""
    net = network()
    learner = Learner(net, Learning(rule, **choice))
    x, loss = sparse(30, 4, False, rate)
    learner.gradients(x, loss.y)
    return learner.traces, {name: value.grad for name, value in net.named_parameters() if value.grad is not None}


def test_the_inputs_activity_chooses_and_the_learner_says_which_ran() -> None:
    assert learned(0.1)[0] == ["events"]
    assert learned(1.0)[0] == ["dense"]
    assert learned(0.1, traces="dense")[0] == ["dense"]
    assert learned(0.1, "e-prop-like")[0] == ["dense"]
    assert worst(learned(1.0, traces="events")[1], learned(1.0)[1]) < BOUND


def test_a_rule_that_drops_traces_has_no_events() -> None:
    with pytest.raises(InputError, match="e-prop-like has no event-driven traces"):
        Learning("e-prop-like", traces="events")

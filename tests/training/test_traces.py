"""Forward traces equal backpropagation through time, for every parameter; and the comparison can fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training.fused import FusedTraces
from bim_neuro.training.online import Credit, ForwardGradient
from bim_neuro.training.readout import Loss, even_shares
from bim_neuro.training.traces import Keep, Traces

M, D, N, K, C = 5, 6, 3, 4, 3
BOUND = 1e-10
SOMAS = [("hard", True), ("hard", False), ("soft", True), ("soft", False), ("none", True)]


def network(blocks: int = 1, soma: Any = "hard", reset_gradient: bool = True, seed: int = 0) -> BIMNetwork:
    """A network in float64 whose every parameter is away from its special initial value."""
    torch.manual_seed(seed)
    made = BIMNetwork(NetworkConfig(M, C, D, N, K, blocks)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    for block in made.blocks:
        block.soma, block.reset_gradient = soma, reset_gradient
    return made


def sequences(steps: int, batch: int, every: bool, seed: int = 1) -> tuple[Tensor, Loss]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, batch, M, generator=generator, dtype=torch.float64)
    return x, Loss(torch.randint(0, C, (batch,), generator=generator), every, smoothing=0.1)


def weighted(r: Tensor, loss: Loss, p: Tensor) -> Tensor:
    """The loss, written for autograd: r (T, batch, C), p (T, batch)."""
    if not loss.every:
        return F.cross_entropy((p[..., None] * r).sum(0), loss.y, label_smoothing=loss.smoothing)
    each = [F.cross_entropy(r_t, loss.y, label_smoothing=loss.smoothing, reduction="none") for r_t in r]
    return (torch.stack(each) * p).sum() / len(loss.y)


def backpropagated(
    net: BIMNetwork, x: Tensor, loss: Loss, mask: Tensor | None = None, step_form: bool = False, cut: bool = False
) -> tuple[float, dict[str, Tensor]]:
    """The loss and its gradient by autograd; ``cut`` lets no gradient through the states of the upper block."""
    net.zero_grad()
    r = torch.zeros(x.shape[1], C, dtype=x.dtype)
    readings = []
    if step_form:
        state = net.initial(x.shape[1])
        for x_t in x:
            r, state = net.step(x_t, state)
            if cut:
                upper = type(state.blocks[1])(*(part.detach() for part in state.blocks[1]))
                state = state._replace(blocks=(state.blocks[0], upper))
            readings.append(r)
    else:
        for s_t in net.heard(net.spikes(x), x):
            r = net.readout_decay * r + s_t @ net.w_o.T + net.b_o
            readings.append(r)
    value = weighted(torch.stack(readings), loss, even_shares(len(x), x.shape[1], x, mask))
    value.backward()
    gradient = {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in net.named_parameters()}
    return value.item(), gradient


def forwarded(net: BIMNetwork, x: Tensor, loss: Loss, mask: Tensor | None = None, **options: Any) -> Any:
    forward = ForwardGradient(net, x.shape[1], **options)
    return forward.sequence(x, loss, mask=mask), forward.take()


def worst(got: dict[str, Tensor], wanted: dict[str, Tensor], only: str = "") -> float:
    """The largest error of any parameter, relative to that parameter's largest gradient."""
    assert set(got) == set(wanted)
    errors = {
        name: float((got[name] - wanted[name]).abs().max() / wanted[name].abs().max().clamp(min=1e-6))
        for name in wanted
        if name.startswith(only)
    }
    return max(errors.values())


def cases() -> Iterator[Any]:
    for soma, reset_gradient in SOMAS:
        for every in (False, True):
            for fused in (False, True):
                name = f"{soma}-{'kept' if reset_gradient else 'detached'}-{'every' if every else 'end'}-"
                yield pytest.param(soma, reset_gradient, every, fused, id=name + ("fused" if fused else "law"))


@pytest.mark.parametrize(("soma", "reset_gradient", "every", "fused"), [*cases()])
def test_every_gradient_equals_backpropagation(soma: str, reset_gradient: bool, every: bool, fused: bool) -> None:
    net = network(soma=soma, reset_gradient=reset_gradient)
    for steps in (1, 2, K - 1, K, 200):
        for batch in (1, 4):
            x, loss = sequences(steps, batch, every)
            wanted_loss, wanted = backpropagated(net, x, loss)
            got_loss, got = forwarded(net, x, loss, fused=fused)
            assert abs(got_loss - wanted_loss) < 1e-12
            assert worst(got, wanted) < BOUND, (steps, batch)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_masked_steps_do_not_count_and_masked_weights_stay_exact(every: bool, fused: bool) -> None:
    net = network()
    with torch.no_grad():  # pruned synapses
        for name, weight in net.named_parameters():
            if name.endswith(("w_u", "w_dt", "w_b", "w_c", "w_o")):
                weight.mul_((torch.rand_like(weight) > 0.6).double())
    x, loss = sequences(50, 4, every)
    ends = torch.tensor([50, 31, 7, 1])
    mask = torch.arange(50)[:, None] < ends
    assert worst(forwarded(net, x, loss, mask, fused=fused)[1], backpropagated(net, x, loss, mask)[1]) < BOUND


def test_the_step_form_gives_the_same_gradient() -> None:
    net = network(soma="soft")
    x, loss = sequences(20, 2, True)
    assert worst(backpropagated(net, x, loss, step_form=True)[1], backpropagated(net, x, loss)[1]) < BOUND


def test_a_mask_on_the_last_step_alone_reads_the_last_step() -> None:
    net = network()
    x, loss = sequences(30, 3, False)
    mask = (torch.arange(30) == 29)[:, None].expand(30, 3)
    assert worst(forwarded(net, x, loss, mask)[1], backpropagated(net, x, loss, mask)[1]) < BOUND


# ---- faults: what a wrong trace would look like must be seen


def forget(traces: Traces) -> None:
    traces.keep = Keep(scan=False)


def lose_a_tap(traces: Traces) -> None:
    law = traces.advance

    def advance(steps: Any, t: int, weights: Any) -> None:
        conv = weights.conv.clone()
        conv[:, -1] = 0
        law(steps, t, weights._replace(conv=conv))

    traces.advance = advance  # type: ignore[method-assign]


def see_one_channel(traces: Traces) -> None:
    law = traces.contract

    def contract(signal: Tensor) -> dict[str, Tensor]:
        gradient = law(signal)
        alone = torch.zeros_like(signal)
        alone[:, 0] = signal[:, 0]
        return {**gradient, "w_b": law(alone)["w_b"]}

    traces.contract = contract  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", [forget, lose_a_tap, see_one_channel])
@pytest.mark.parametrize("every", [False, True])
def test_a_wrong_trace_is_seen(fault: Any, every: bool) -> None:
    net = network()
    x, loss = sequences(60, 2, every)
    forward = ForwardGradient(net, 2, fused=False)
    fault(forward.traces[0])
    forward.sequence(x, loss)
    assert worst(forward.take(), backpropagated(net, x, loss)[1]) > 1e-2


# ---- depth


@pytest.mark.parametrize("every", [False, True])
def test_of_two_blocks_the_upper_is_exact_and_the_lower_is_not(every: bool) -> None:
    net = network(blocks=2)
    x, loss = sequences(40, 3, every)
    got, wanted = forwarded(net, x, loss, credit="spatial")[1], backpropagated(net, x, loss)[1]
    assert worst(got, wanted, "blocks.1") < BOUND
    assert worst(got, wanted, "w_o") < BOUND
    assert worst(got, wanted, "blocks.0") > 1e-2


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("soma", ["hard", "soft"])
def test_below_exactly_the_paths_through_the_upper_states_are_lost(every: bool, soma: str) -> None:
    net = network(blocks=2, soma=soma)
    x, loss = sequences(30, 3, every)
    cut = backpropagated(net, x, loss, step_form=True, cut=True)[1]
    assert worst(forwarded(net, x, loss, credit="spatial")[1], cut, "blocks.0") < BOUND


# ---- memory and threads


def test_trace_bytes_do_not_depend_on_the_number_of_steps() -> None:
    net = network()
    forward = ForwardGradient(net, 2)
    sizes = set()
    for steps in (10, 500):
        forward.sequence(*sequences(steps, 2, True))
        sizes.add(forward.nbytes)
    assert len(sizes) == 1


def test_backpropagation_keeps_more_the_longer_the_sequence() -> None:
    net = network()

    def saved(steps: int) -> int:
        total = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            x, loss = sequences(steps, 2, False)
            backpropagated(net, x, loss)
        return total

    assert saved(400) > 3.5 * saved(100)


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bim_neuro.training.fused.THREADS_FROM", 0)
    torch.manual_seed(0)
    net = BIMNetwork(NetworkConfig(7, 3, 100, 4))
    x, loss = torch.randn(40, 3, 7), Loss(torch.tensor([0, 1, 2]), True)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            forward = ForwardGradient(net, 3)
            forward.sequence(x, loss)
            results.append({name: value.numpy().tobytes() for name, value in forward.traces[0].take_gradient().items()})
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1]


@pytest.mark.parametrize(("blocks", "credit"), [(1, "segment"), (2, "segment"), (2, "spatial")])
def test_a_second_batch_starts_from_nothing(blocks: int, credit: Credit) -> None:
    forward = ForwardGradient(network(blocks), 2, credit=credit)
    x, loss = sequences(12, 2, False)
    forward.sequence(x, loss)
    first = forward.take()
    forward.sequence(x, loss)
    assert worst(forward.take(), first) == 0


def test_the_records_length_changes_nothing_but_rounding() -> None:
    net = network()
    x, loss = sequences(50, 2, True)
    wanted = forwarded(net, x, loss, record_steps=50)[1]
    for length in (1, 7, 32):
        assert worst(forwarded(net, x, loss, record_steps=length)[1], wanted) < 1e-12


def test_single_precision_stays_close() -> None:
    net = network()
    x, loss = sequences(200, 2, True)
    exact = forwarded(net, x, loss)[1]
    single = forwarded(net.float(), x.float(), loss)[1]
    assert worst({name: value.double() for name, value in single.items()}, exact) < 1e-3


def test_the_fused_kernels_hold_the_same_traces_as_the_law() -> None:
    net = network()
    x, loss = sequences(23, 2, True)
    law, fused = ForwardGradient(net, 2, fused=False), ForwardGradient(net, 2)
    assert isinstance(fused.traces[0], FusedTraces)
    for forward in (law, fused):
        forward.sequence(x, loss)
    np.testing.assert_allclose(fused.traces[0].memory.numpy(), law.traces[0].memory.numpy(), rtol=1e-9, atol=1e-12)

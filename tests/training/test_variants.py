"""Skips, thresholds a channel, leaks in groups and norms: one law, exact gradients, and a file's shape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import away_from_start, small_checkpoint, small_input
from test_traces import C, K, M, N, backpropagated, forwarded, sequences, worst

from bim_neuro.compilers.lower_stock import lower_stock
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.jobs.plan import plan_for
from bim_neuro.model.checkpoint import load_checkpoint, save_checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.simulation.reference import simulate_float
from bim_neuro.tasks import load_task
from bim_neuro.training import operator
from bim_neuro.training.local_readouts import LocalReadouts
from bim_neuro.training.predict import predict
from bim_neuro.training.truncated import truncated_gradient

CHANNELS = 9  # no multiple of the leaks
ALL: dict[str, Any] = {"thresholds": True, "leaks": 4, "norm": True}
OF_A_BLOCK: list[dict[str, Any]] = [{"thresholds": True}, {"leaks": 3}, {"norm": True}, ALL]


def network(blocks: int = 1, soma: Any = "hard", **variant: Any) -> BIMNetwork:
    """A network in float64 whose every parameter is away from its special initial value."""
    torch.manual_seed(3)
    made = away_from_start(BIMNetwork(NetworkConfig(M, C, CHANNELS, N, K, blocks, **variant)).double())
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    for block in made.blocks:
        block.soma = soma
    return made


@pytest.mark.parametrize("variant", OF_A_BLOCK, ids=str)
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("soma", ["hard", "soft", "none"])
def test_forward_traces_of_one_block_are_exact(variant: dict[str, Any], every: bool, soma: str) -> None:
    net = network(soma=soma, **variant)
    x, loss = sequences(40, 3, every)
    wanted = backpropagated(net, x, loss)[1]
    for options in ({"fused": True}, {"fused": False}, {"events": True}):
        assert worst(forwarded(net, x, loss, **options)[1], wanted) < 1e-10, options


@pytest.mark.parametrize("variant", [{}, ALL], ids=str)
@pytest.mark.parametrize("every", [False, True])
def test_credit_with_skips_is_exact_within_one_segment(variant: dict[str, Any], every: bool) -> None:
    net = network(blocks=3, skips=True, **variant)
    x, loss = sequences(20, 3, every)
    wanted = backpropagated(net, x, loss)[1]
    got = forwarded(net, x, loss, credit="segment", record_steps=20)[1]
    assert worst(got, wanted) < 1e-10
    assert worst(truncated_gradient(net, x, loss, 20)[1], wanted) < 1e-10
    spatial = forwarded(net, x, loss, credit="spatial")[1]
    assert worst(spatial, wanted, "blocks.2") < 1e-10 < worst(spatial, wanted, "blocks.0")


def test_spatial_credit_with_skips_is_exact_in_one_step() -> None:
    net = network(blocks=3, skips=True, **ALL)
    x, loss = sequences(1, 3, False)
    assert worst(forwarded(net, x, loss, credit="spatial")[1], backpropagated(net, x, loss)[1]) < 1e-10


def test_compiled_kernels_and_the_step_form_are_the_law() -> None:
    net = network(blocks=3, skips=True, **ALL)
    x = sequences(30, 3, True)[0]
    found = {}
    for implementation in ("law", "cpu"):
        net.zero_grad()
        layers = operator.spikes(net, x, implementation)  # type: ignore[arg-type]
        net.read(net.heard(layers, x)).square().sum().backward()
        found[implementation] = (
            layers,
            {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None},
        )
    assert all(torch.equal(a, b) for a, b in zip(found["law"][0], found["cpu"][0], strict=True))
    assert worst(found["cpu"][1], found["law"][1]) < 1e-10
    with torch.no_grad():
        state, readings = net.initial(3), []
        for x_t in x:
            r, state = net.step(x_t, state)
            readings.append(r)
        torch.testing.assert_close(torch.stack(readings).mean(0), net(x), rtol=0, atol=1e-12)
        classes = predict(net.float(), x.transpose(0, 1).numpy())
        assert classes.tolist() == net(x.float()).argmax(1).tolist()


def test_a_threshold_a_channel_is_the_threshold_of_that_channel() -> None:
    """The law of one soma with th r_d, beside the folded block's spikes."""
    block = network(thresholds=True).blocks[0]
    x = sequences(60, 2, True)[0]
    with torch.no_grad():
        spikes, thresholds = block(x), block.threshold * torch.exp(block.log_ratio)  # type: ignore[operator, arg-type]
        block.log_ratio.zero_()  # type: ignore[operator, union-attr]
        block.soma = "none"
        current, v = block(x), torch.zeros(2, CHANNELS, dtype=x.dtype)
        for y, s in zip(current, spikes, strict=True):
            v = block.decay * v + y  # type: ignore[operator]
            assert torch.equal((v > thresholds).double(), s)
            v = v * (1 - s)
    assert 0.05 < spikes.mean() < 0.95


def test_a_norm_is_the_size_of_a_projection_on_the_first_batch() -> None:
    net = network(blocks=2, skips=True, norm=True)
    x = sequences(50, 4, True)[0]
    net.measure_norms(x)
    with torch.no_grad():
        for block, heard in zip(net.blocks, (x, net.spikes(x)[0]), strict=True):
            size = (heard @ block.w_u.T / block.spread).square().mean((0, 1)).sqrt()  # type: ignore[operator, union-attr]
            torch.testing.assert_close(size, torch.ones(CHANNELS, dtype=x.dtype))


def test_the_float_graph_fires_as_the_network_does(tmp_path: Path) -> None:
    checkpoint = small_checkpoint(blocks=3, channels=13, skips=True, **ALL)
    x = checkpoint.encoder.to_float(checkpoint.encoder.encode(small_input(4, 20)))
    net, graph = checkpoint.network().double(), export(checkpoint)
    record = simulate_float(graph, x, probe=True)
    with torch.no_grad():
        layers = net.spikes(torch.as_tensor(x, dtype=torch.float64).transpose(0, 1))
    for index, layer in enumerate(layers):
        parts = [record.probes[f"block{index + 1}.leak{leak}.lif.message"] for leak in (1, 2, 3, 4)]
        np.testing.assert_array_equal(np.concatenate(parts, -1), layer.transpose(0, 1).numpy())
        assert layer.any()
    decays = [graph.nodes[f"block2.leak{leak}.lif"].decay for leak in (1, 2, 3, 4)]  # type: ignore[attr-defined]
    assert len(set(decays)) == 4
    save_checkpoint(checkpoint, tmp_path / "model.pt")
    read = load_checkpoint(tmp_path / "model.pt")
    assert read.config == checkpoint.config
    assert all(torch.equal(read.state[name], value) for name, value in checkpoint.state.items())


def test_a_readout_begins_with_the_decay_that_is_given(tmp_path: Path) -> None:
    checkpoint = small_checkpoint(blocks=2, readout_decay=0.05)
    net = BIMNetwork(checkpoint.config)
    assert float(net.readout_decay.detach()) == pytest.approx(0.05)
    assert [float(torch.sigmoid(logit.detach())) for logit in LocalReadouts(net).readout_logit] == pytest.approx([0.05])
    assert float(BIMNetwork(NetworkConfig(5, 4)).readout_logit.detach()) == 2.0, "as before, to the bit"
    save_checkpoint(checkpoint, tmp_path / "model.pt")
    assert load_checkpoint(tmp_path / "model.pt").config.readout_decay == 0.05


def test_the_states_begin_with_steps_between_those_that_are_given(tmp_path: Path) -> None:
    checkpoint = small_checkpoint(blocks=2, dt_min=0.001, dt_max=0.05)
    torch.manual_seed(0)
    for block in BIMNetwork(NetworkConfig(5, 4, 200, blocks=2, dt_min=0.001, dt_max=0.05)).blocks:
        dt = torch.nn.functional.softplus(block.b_dt.detach())  # type: ignore[arg-type]
        assert 0.001 <= float(dt.min()) < 0.0015
        assert 0.04 < float(dt.max()) <= 0.05001
    save_checkpoint(checkpoint, tmp_path / "model.pt")
    assert load_checkpoint(tmp_path / "model.pt").config == checkpoint.config


def test_long_delays_begin_with_slow_states() -> None:
    task = load_task("copy-60")
    shape = plan_for(task).config
    assert isinstance(shape, NetworkConfig)
    assert (shape.dt_min, shape.dt_max) == (0.001, 0.05)
    with pytest.raises(InputError, match=r"dt_min is 0\.2, it must not be above dt_max, 0\.05"):
        _ = plan_for(task, dt_min=0.2).config


def test_a_plain_network_is_written_as_older_versions_read_it() -> None:
    assert list(NetworkConfig(5, 4).plain) == ["inputs", "classes", "channels", "states", "taps", "blocks"]
    assert NetworkConfig(5, 4, blocks=2, skips=True).plain["skips"] is True


@pytest.mark.parametrize(("variant", "says"), [
    ({"leaks": 5}, "leaks is 5, it must be a whole number from 1 to 4"),
    ({"leaks": 3, "channels": 2}, "leaks is 3, it must be a whole number from 1 to 2"),
    ({"leaks": True}, "leaks is True"),
    ({"skips": 1}, "skips is 1, it must be true or false"),
    ({"norm": "yes"}, "norm is 'yes', it must be true or false"),
    ({"readout_decay": 0.0}, "readout_decay is 0.0, it must be a number from 0.0001 to 0.9999"),
    ({"readout_decay": float("nan")}, "readout_decay is nan"),
    ({"readout_decay": True}, "readout_decay is True"),
    ({"dt_min": 0.0}, "dt_min is 0.0, it must be a number from 1e-06 to 10"),
    ({"dt_max": float("nan")}, "dt_max is nan"),
    ({"dt_max": 1}, "dt_max is 1, it must be a number"),
    ({"dt_min": 0.6}, "dt_min is 0.6, it must not be above dt_max, 0.5"),
])  # fmt: skip
def test_what_no_network_has_is_refused(variant: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        NetworkConfig(5, 4, **variant)


@pytest.mark.parametrize(("name", "value"), [("spread", 0.0), ("log_ratio", -1000.0)])
def test_a_file_that_divides_by_nothing_is_refused(tmp_path: Path, name: str, value: float) -> None:
    checkpoint = small_checkpoint(thresholds=True, norm=True)
    state = {**checkpoint.state, f"blocks.0.{name}": torch.full((12,), value)}
    save_checkpoint(replace(checkpoint, state=state), tmp_path / "model.pt")
    with pytest.raises(InputError, match="divides by 0"):
        load_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize("variant", [{"skips": True, "blocks": 2}, {"leaks": 2}], ids=str)
def test_the_stock_lowering_refuses_what_it_has_no_law_for(variant: dict[str, Any]) -> None:
    graph = export(small_checkpoint(**variant))
    with pytest.raises(DoesNotFit, match="layer"):
        lower_stock(graph, small_input(), "the given input")


def test_the_stock_lowering_takes_thresholds_a_channel_and_norms() -> None:
    checkpoint = small_checkpoint(thresholds=True, norm=True)
    x = checkpoint.encoder.to_float(checkpoint.encoder.encode(small_input(8)))
    assert lower_stock(export(checkpoint), x, "the given input").graph.output == "readout"

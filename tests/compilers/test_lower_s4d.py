"""S4D from a plain state dict: floats of a torch reference, integers of Lava, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import bim_neuro
from bim_neuro.compilers.emptying import shares_run
from bim_neuro.compilers.lower_s4d import s4d_graph
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.errors import InputError
from bim_neuro.nodes import Encoder
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation import simulate, simulate_float

ENCODER = Encoder("graded", np.full(5, 127.0), np.zeros(5))
State = dict[str, torch.Tensor]


def reference(s: State, x: torch.Tensor) -> Array:
    """x (samples, steps, inputs) -> outputs (samples, steps, classes), S4D as its authors write it."""
    u = x @ s["encoder.weight"].T + s["encoder.bias"]
    rate, c = -torch.exp(s["log_A_real"]), s["C"]
    if "A_imag" in s:
        rate, c = rate + 1j * s["A_imag"], 2 * torch.view_as_complex(c)
    a = torch.exp(torch.exp(s["log_dt"])[:, None] * rate)
    h, out = torch.zeros(len(x), *a.shape, dtype=a.dtype), []
    for t in range(x.shape[1]):
        h = a * h + u[:, t, :, None]
        y = torch.relu((c * (a - 1) / rate * h).sum(-1).real + s["D"] * u[:, t])
        out.append(y @ s["decoder.weight"].T + s["decoder.bias"])
    return torch.stack(out, 1).numpy()


def state_dict(pairs: bool, channels: int = 6, states: int = 3) -> State:
    """Draw weights as S4D-Lin, or S4D-Real, initialises them."""
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    numbers = torch.arange(states, dtype=torch.float64).repeat(channels, 1)
    state = {
        "encoder.weight": normal(channels, 5) / math.sqrt(5),
        "encoder.bias": 0.1 * normal(channels),
        "decoder.weight": normal(4, channels) / math.sqrt(channels),
        "decoder.bias": 0.1 * normal(4),
        "log_dt": torch.log(0.01 + 0.09 * torch.rand(channels, generator=draw, dtype=torch.float64)),
        "D": normal(channels),
    }
    if pairs:
        rates = {"log_A_real": torch.full_like(numbers, math.log(0.5)), "A_imag": math.pi * numbers}
        return {**state, **rates, "C": normal(channels, states, 2)}
    return {**state, "log_A_real": torch.log(1 + numbers), "C": normal(channels, states)}


def given(steps: int) -> Array:
    """Return slow input within -1..1."""
    walk = np.random.default_rng(0).uniform(-1, 1, (8, steps, 5)).cumsum(axis=1)
    return np.clip(0.2 * walk, -1, 1)


@pytest.mark.parametrize("pairs", [True, False], ids=["complex pairs", "real"])
def test_floats_are_those_of_torch_and_integers_are_near_them(pairs: bool) -> None:
    state, x = state_dict(pairs), given(60)
    lowered = s4d_graph(state, ENCODER)
    encoder, unit = lowered.graph.encoder, 2.0 ** -lowered.exponents["readout"]
    wanted = reference(state, torch.tensor(ENCODER.to_float(ENCODER.encode(x))))
    floats = simulate_float(lowered.graph, encoder.for_float(x)).probes["readout.message"]
    np.testing.assert_allclose(floats * unit, wanted, rtol=1e-9, atol=1e-12)
    program = bim_neuro.compile(lowered.graph)
    record = program.run(x, probe=True)
    integers = record.probes["readout.message"][:, :60] * unit
    assert np.sqrt(np.mean((integers - wanted) ** 2) / np.mean(wanted**2)) < 0.02
    assert record.predicted.tolist() == wanted.sum(axis=1).argmax(axis=1).tolist()


@pytest.mark.parametrize("pairs", [True, False], ids=["complex pairs", "real"])
def test_no_input_leaves_31_bits(pairs: bool) -> None:
    graph = bim_neuro.compile(s4d_graph(state_dict(pairs), ENCODER).graph).graph
    x = np.random.default_rng(1).choice([-127, 127], (6, 80, 5))
    x[0] = 127
    record = simulate(graph, np.concatenate([x, np.ones((6, 80, 3), int)], axis=2))
    assert sum(int(count.saturations.sum()) for count in record.layers.values()) == 0


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.timeout(300)
@pytest.mark.parametrize("pairs", [True, False], ids=["complex pairs", "real"])
def test_lava_agrees_on_samples_that_share_a_run(pairs: bool) -> None:
    graph = bim_neuro.compile(s4d_graph(state_dict(pairs), ENCODER).graph).graph
    assert shares_run(graph)
    x = graph.encoder.encode(given(20)[:3])
    ours, lava = simulate(graph, x, probe=True), run_lava(graph, x)
    assert [name for name, values in ours.probes.items() if not np.array_equal(values, lava.probes[name])] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [({"log_dt": None}, "the state dict has no 'log_dt'"), ({"C": torch.zeros(6, 2)}, r"C is of \(6, 2\) states")],
)
def test_a_state_dict_of_something_else_is_refused(change: dict[str, torch.Tensor | None], says: str) -> None:
    state = {name: value for name, value in {**state_dict(False), **change}.items() if value is not None}
    with pytest.raises(InputError, match=says):
        s4d_graph(state, ENCODER)

"""S4D from a plain state dict: floats of a torch reference, integers of Lava, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import bim_compile

import bim_neuro
from bim_neuro.compilers.emptying import shares_run
from bim_neuro.compilers.lower_s4d import lower_s4d
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.errors import InputError
from bim_neuro.graph import FloatGraph, IntegerGraph
from bim_neuro.model.s4d import read_s4d
from bim_neuro.model.s4d_graph import s4d_graph
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation import simulate

State = dict[str, torch.Tensor]
KINDS = pytest.mark.parametrize("pairs", [True, False], ids=["complex pairs", "real"])


def reference(s: State, x: torch.Tensor, activation: str = "relu") -> Array:
    """x (samples, steps, inputs) -> outputs (samples, steps, classes), S4D as its authors write it."""
    u = x @ s["encoder.weight"].T + s["encoder.bias"]
    rate, c = -torch.exp(s["log_A_real"]), s["C"]
    if "A_imag" in s:
        rate, c = rate + 1j * s["A_imag"], 2 * torch.view_as_complex(c)
    a = torch.exp(torch.exp(s["log_dt"])[:, None] * rate)
    h, out = torch.zeros(len(x), *a.shape, dtype=a.dtype), []
    for t in range(x.shape[1]):
        h = a * h + u[:, t, :, None]
        y = (c * (a - 1) / rate * h).sum(-1).real + s["D"] * u[:, t]
        y = torch.relu(y) if activation == "relu" else y
        out.append(y @ s["decoder.weight"].T + s["decoder.bias"])
    return torch.stack(out, 1).numpy()


def state_dict(pairs: bool, channels: int = 6, states: int = 3, slowest: float = 0.01) -> State:
    """Draw weights as S4D-Lin, or S4D-Real, initialises them."""
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    numbers = torch.arange(states, dtype=torch.float64).repeat(channels, 1)
    steps = slowest + (0.1 - slowest) * torch.rand(channels, generator=draw, dtype=torch.float64)
    state = {
        "encoder.weight": normal(channels, 5) / math.sqrt(5),
        "encoder.bias": 0.1 * normal(channels),
        "decoder.weight": normal(4, channels) / math.sqrt(channels),
        "decoder.bias": 0.1 * normal(4),
        "log_dt": torch.log(steps),
        "D": normal(channels),
    }
    if pairs:
        rates = {"log_A_real": torch.full_like(numbers, math.log(0.5)), "A_imag": math.pi * numbers}
        return {**state, **rates, "C": normal(channels, states, 2)}
    return {**state, "log_A_real": torch.log(1 + numbers), "C": normal(channels, states)}


def given(steps: int) -> Array:
    """Return slow input within -3.7..3.7, a scale that has to be measured."""
    walk = np.random.default_rng(0).uniform(-1, 1, (8, steps, 5)).cumsum(axis=1)
    return 3.7 * np.clip(0.2 * walk, -1, 1)


def graph_of(state: State) -> FloatGraph:
    return s4d_graph(read_s4d(state), 1e-3)


def integers_of(state: State) -> IntegerGraph:
    return bim_neuro.compile(state, dt=1e-3, input=given(20)).graph


@KINDS
@pytest.mark.parametrize(("slowest", "activation"), [(0.01, "relu"), (0.001, "none")])
def test_floats_are_those_of_torch_and_integers_are_near_them(pairs: bool, slowest: float, activation: str) -> None:
    state, x = state_dict(pairs, slowest=slowest), given(80)
    program = bim_neuro.compile(state, dt=1e-3, input=x, activation=activation)
    wanted = reference(state, torch.tensor(x), activation)
    floats = program.run_float(x).probes["readout.message"]
    np.testing.assert_allclose(floats, wanted, rtol=1e-9, atol=1e-12)
    record = program.run(x, probe=True)
    integers = record.probes["readout.message"][:, :80] * 2.0 ** -program.exponents["readout"]
    assert np.sqrt(np.mean((integers - wanted) ** 2) / np.mean(wanted**2)) < 0.02
    assert record.predicted.tolist() == wanted.sum(axis=1).argmax(axis=1).tolist()


@KINDS
def test_no_input_leaves_31_bits(pairs: bool) -> None:
    """Random extremes, and those that drive the slowest state as far as it goes."""
    graph = integers_of(state_dict(pairs, slowest=0.001))
    x = np.random.default_rng(1).choice([-127, 127], (8, 300, 5))
    x[0], x[1] = 127, 127 * np.sign(np.sin(np.arange(300) / 20))[:, None]
    record = simulate(graph, np.concatenate([x, np.ones((8, 300, 3), int)], axis=2), probe=True)
    assert sum(int(count.saturations.sum()) for count in record.layers.values()) == 0
    for name, node in graph.nodes.items():
        if name != "input":
            assert 0 < np.abs(record.probes[f"{name}.message"]).max() <= node.largest, name  # type: ignore[attr-defined]


@pytest.mark.parametrize("a", [1 - 1e-12, -1 + 1e-12, (1 - 1e-9) * np.exp(0.3j), 0.5j])
def test_every_decay_that_is_held_decays(a: complex) -> None:
    state = state_dict(True)
    weights = read_s4d(state)._replace(a=np.full((6, 3), a, complex))
    node = lower_s4d(s4d_graph(weights, 1e-3)).graph.nodes["kept"]
    assert 0 < node.largest < 2**31  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.timeout(300)
@KINDS
def test_lava_agrees_on_samples_that_share_a_run(pairs: bool) -> None:
    graph = integers_of(state_dict(pairs))
    assert shares_run(graph)
    x = graph.encoder.encode(given(20)[:3])
    x[2, :, :5] = 127
    ours, lava = simulate(graph, x, probe=True), run_lava(graph, x)
    assert [name for name, values in ours.probes.items() if not np.array_equal(values, lava.probes[name])] == []


def test_names_of_other_code_are_found_behind_any_prefix() -> None:
    state = state_dict(True)
    layer = {
        "D": "net.layer.D",
        **{name: f"net.layer.kernel.{name}" for name in ("log_dt", "log_A_real", "A_imag", "C")},
    }
    around = {"encoder": "net.inner", "decoder": "net.outer"}
    named = {layer.get(k) or around[k.split(".")[0]] + "." + k.split(".")[1]: value for k, value in state.items()}
    named["net.layer.kernel.C"] = torch.view_as_complex(named["net.layer.kernel.C"])
    theirs = read_s4d({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in named.items()}})
    for ours, other in zip(read_s4d(state), theirs, strict=True):
        np.testing.assert_array_equal(ours, other)


def test_channels_read_the_input_where_no_layer_stands_before_them() -> None:
    state = {name: value for name, value in state_dict(False).items() if not name.startswith("encoder")}
    assert np.array_equal(read_s4d(state).w_in, np.eye(6))
    assert not read_s4d({name: value for name, value in state.items() if name != "decoder.bias"}).b_out.any()


REFUSED: list[tuple[dict[str, torch.Tensor | None], str]] = [
    ({"log_dt": None}, "the state dict has no 'log_dt'"),
    ({"D": None}, "the state dict has no 'D'"),
    ({"C": torch.zeros(6, 2)}, r"'C' is \(6, 2\)"),
    ({"D": torch.zeros(5)}, r"'D' is \(5,\)"),
    ({"log_dt": torch.full((6,), torch.nan)}, "6 of 6 values of 'log_dt' are not finite"),
    ({"log_A_real": torch.full((6, 3), 300.0)}, "'log_A_real' holds 300"),
    ({"norm.weight": torch.ones(6)}, "an S4D between two linear layers has no 'norm.weight'"),
    ({"output_linear.0.weight": torch.ones(12, 6, 1)}, "has no 'output_linear.0.weight'"),
    ({"middle.weight": torch.ones(6, 6)}, "the linear layers do not stand around 6 channels"),
    ({"decoder.weight": torch.ones(4, 7)}, "the linear layers do not stand around 6 channels"),
    ({"b.log_A_real": torch.zeros(6, 3)}, "2 state-space layers"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED)
def test_what_is_near_an_s4d_is_refused_by_name(change: dict[str, torch.Tensor | None], says: str) -> None:
    state = {name: value for name, value in {**state_dict(False), **change}.items() if value is not None}
    with pytest.raises(InputError, match=says):
        bim_neuro.compile(state, dt=1e-3)


def test_two_square_layers_that_nothing_tells_apart_are_refused() -> None:
    state = state_dict(False)
    square = {"a.weight": torch.ones(6, 6), "b.weight": torch.ones(6, 6)}
    rest = {name: value for name, value in state.items() if "coder" not in name}
    with pytest.raises(InputError, match="tell not which is first"):
        read_s4d({**rest, **square})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a state dict; beside it lies io.npz, what torch gave for an input."""
    folder = tmp_path_factory.mktemp("s4d")
    state, x = state_dict(True), given(40)
    torch.save({name: value.float() for name, value in state.items()}, folder / "s4d.pt")
    out = reference({name: value.float().double() for name, value in state.items()}, torch.tensor(x))
    np.savez(folder / "io.npz", x=x, out=out, layout="BTC")
    return folder / "s4d.pt"


def test_the_command_compiles_the_file_and_torch_s_own_output_agrees(file: Path) -> None:
    ended = bim_compile(file, "--dt", "1e-3", "--expect", file.parent / "io.npz", "-o", file.parent / "out")
    assert ended.code == 0, ended.err
    summary = json.loads((file.parent / "out" / "summary.json").read_text())
    assert (summary["expect"]["differing"], summary["expect"]["dialect"]) == (0, None)
    assert {layer["law"] for layer in summary["layers"]} == {"lava-fixed-point"}
    assert not (file.parent / "out" / "model.nir").exists()
    assert any("127 is 3.7" in line for line in summary["assumptions"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "does not say how long a step is"),
        (("--dt", "1e-3", "--lowering", "stock", "--set", "lowering.segments=4"), "lowering.segments has no effect"),
        (("--dt", "1e-3", "--set", "quantise.weight_bits=16"), "no weights of this model can have 16 bits"),
        (("--dt", "1e-3", "--dialect", "norse"), "--dialect has no effect"),
        (("--dt", "1e-3", "--encoder", "delta"), "encoder delta sends on 2 lines a channel"),
    ],
)
def test_options_that_an_s4d_has_no_use_for_are_refused(file: Path, options: tuple[str, ...], says: str) -> None:
    ended = bim_compile(file, "--input", file.parent / "io.npz", *options, "-o", file.parent / "no")
    assert (ended.code, says in ended.err) == (2, True), ended.err


def test_an_activation_of_another_model_is_refused(tmp_path: Path) -> None:
    ended = bim_compile("examples/digits.pt", "--set", "s4d.activation=none", "-o", tmp_path / "no")
    assert (ended.code, "no S4D's state dict" in ended.err) == (2, True), ended.err

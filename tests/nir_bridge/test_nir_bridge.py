"""NIR: our files come back bit for bit, other tools can open them, other frameworks' graphs give their spikes."""

from __future__ import annotations

import fcntl
import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch

from bim_neuro import pack
from bim_neuro.compilers.align import align
from bim_neuro.compilers.quantise import quantise
from bim_neuro.errors import BimError, DoesNotFit, InputError
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nir_bridge import exact, read_nir, write_nir
from bim_neuro.nir_bridge.check import check_extra
from bim_neuro.nodes import LIF, Dense, Diagonal, Encoder, Readout, Relay, Source
from bim_neuro.simulation.reference import simulate, simulate_float

DT = 1e-3


@pytest.fixture(scope="module")
def model() -> FloatGraph:
    """A random network of two blocks, with an encoder and calibration ranges."""
    torch.manual_seed(7)
    config = NetworkConfig(inputs=8, classes=10, channels=16, states=4, blocks=2)
    network = BIMNetwork(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    ranges = {f"block{k}.{key}": 0.5 + k for k in (1, 2) for key in ("u.message", "scan.h", "scan.du")}
    encoder = Encoder("graded", gain=np.linspace(3, 9, 8), offset=np.linspace(-1, 1, 8) / 3)
    labels = tuple("0123456789")
    return export(Checkpoint(config, DT, "digits", labels, encoder, network.state_dict(), {**ranges, "readout.v": 9.0}))


@pytest.fixture(scope="module")
def written(model: FloatGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nir") / "model.nir"
    write_nir(model, path)
    return path


def spiking_graph(**lif: Any) -> FloatGraph:
    """A graph without scan: source, two LIF layers (one delayed synapse), readout."""
    rng = np.random.default_rng(3)
    nodes = {
        "x": Source(5, graded=False),
        "hidden": LIF(6, **{"decay": 0.8, "v_threshold": 0.7, "bias": rng.normal(size=6) * 0.1, **lif}),
        "top": LIF(4, 0.9, 0.5, np.zeros(4)),
        "readout": Readout(0.95, rng.normal(size=3) * 0.1),
    }
    edges = (
        Edge("x", "hidden", "i", Dense(rng.normal(size=(6, 5)))),
        Edge("hidden", "top", "i", Dense(rng.normal(size=(4, 6)))),
        Edge("hidden", "top", "i", Dense(rng.normal(size=(4, 6))), delay=2),
        Edge("top", "readout", "a", Dense(rng.normal(size=(3, 4)))),
    )
    encoder = Encoder("spikes", np.ones(5), np.zeros(5))
    return FloatGraph(nodes, edges, DT, encoder, labels=("a", "b", "c"))


def spikes(samples: int, steps: int, lines: int) -> Any:
    return (np.random.default_rng(0).random((samples, steps, lines)) < 0.3).astype(float)


def chain(path: Path, *nodes: nir.NIRNode) -> Path:
    """Write a chain of NIR nodes, as another framework would."""
    nir.write(path, nir.NIRGraph.from_list(*nodes))
    return path


def lif(size: int = 3, **fields: Any) -> nir.LIF:
    values = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, **fields}
    return nir.LIF(**{name: np.full(size, value) for name, value in values.items()})


def affine(post: int = 3, pre: int = 2, bias: float = 0.0) -> nir.Affine:
    weight = np.random.default_rng(1).normal(size=(post, pre)) * 20
    return nir.Affine(weight, np.full(post, bias))


# ---------------------------------------------------------------------------------------------- our own files


def test_a_written_graph_is_read_back_bit_for_bit(model: FloatGraph, written: Path) -> None:
    assert pack.equal(model, read_nir(written))


def test_the_integer_graph_of_a_nir_file_is_that_of_the_checkpoint(model: FloatGraph, written: Path) -> None:
    expected, got = align(quantise(model)), align(quantise(read_nir(written)))
    assert list(expected.nodes) == list(got.nodes)
    assert [edge.name for edge in expected.edges] == [edge.name for edge in got.edges]
    assert pack.equal(expected, got)


def test_plain_nir_reads_the_file_with_type_checks_and_without_bim_neuro(written: Path) -> None:
    script = (
        "import nir, sys, collections; g = nir.read(sys.argv[1], type_check=True)\n"
        "assert 'bim_neuro' not in sys.modules\n"
        "print(len(g.nodes), sorted({type(n).__name__ for n in g.nodes.values()}), g.check_types())"
    )
    command = [sys.executable, "-c", script, str(written)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    kinds = ["Affine", "Delay", "Input", "LI", "LIF", "Output", "Scale"]
    assert done.stdout.strip() == f"40 {kinds} True"


def test_the_standard_layer_has_the_models_weights_under_its_names(model: FloatGraph, written: Path) -> None:
    standard = nir.read(written)
    weights = {edge.target: edge.synapse.weight for edge in model.edges if isinstance(edge.synapse, Dense)}
    np.testing.assert_array_equal(standard.nodes["block2.B"].weight, weights["block2.B"])
    leak = 1 - model.nodes["readout"].decay  # an LI has r = 1: its weights hold the rest
    np.testing.assert_allclose(standard.nodes["readout.a"].weight, weights["readout"] / leak, rtol=1e-6)
    np.testing.assert_allclose(standard.nodes["block1.scan.u3.delay"].delay, 3 * DT)
    soma = standard.nodes["block1.lif"]
    np.testing.assert_allclose(1 - DT / soma.tau, model.nodes["block1.lif"].decay, rtol=1e-5)
    np.testing.assert_allclose(DT / soma.tau * soma.r, 1, rtol=1e-5)


def test_the_standard_layer_holds_nothing_that_nir_1_0_4_cannot_read(written: Path) -> None:
    with h5py.File(written) as file:
        names = [f"{node}.{field}" for node, group in file["node/nodes"].items() for field in group]
    assert [name for name in names if name.endswith((".v_reset", ".metadata"))] == []


def test_the_metadata_say_what_nir_cannot(written: Path) -> None:
    said = json.loads(nir.read(written).metadata["bim_neuro"])
    assert (said["dt"], said["integrator"], said["task"]) == (DT, "forward Euler", "digits")
    assert said["labels"] == list("0123456789")
    assert said["nodes"]["block1.lif"]["reset"] == "hard, to 0, same step"
    scan = said["nodes"]["block1.scan"]
    assert scan["product"]["inputs"] == {
        "u": ["block1.u"],
        "dt": ["input"],
        "B": ["block1.B"],
        "C": ["block1.C"],
    }
    assert scan["ranges"] == {"u": 0.0, "du": 1.5, "h": 1.5, "y": 0.0}  # 0: nobody measured it
    assert scan["quantisation"] == scan["plasticity"] == {}


def test_the_linearised_scan_is_exact_at_zero_input(model: FloatGraph, tmp_path: Path) -> None:
    """At rest the surrogate's scan and the true one settle at the same value."""
    quiet = {**model.nodes, "block1.lif": replace(model.nodes["block1.lif"], v_threshold=1e9)}
    write_nir(replace(model, nodes=quiet), tmp_path / "quiet.nir")
    nodes = nir.read(tmp_path / "quiet.nir").nodes
    b, c = nodes["block1.B"].bias, nodes["block1.C"].bias
    spread = [nodes[f"block1.{port}.broadcast"] for port in "BC"]
    settled = nodes["block1.scan"].v_leak + sum(s.weight @ x + s.bias for s, x in zip(spread, (b, c), strict=True))
    true = simulate_float(model, np.zeros((1, 3000, 8))).probes["block1.scan.message"][0, -1]
    np.testing.assert_allclose(settled, true, rtol=1e-4, atol=1e-6)


def test_an_interrupted_write_leaves_the_former_file(
    model: FloatGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.nir"
    write_nir(spiking_graph(), path)
    before = path.read_bytes()
    monkeypatch.setattr(exact, "store", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_nir(model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_writing_twice_gives_the_same_bytes(model: FloatGraph, written: Path, tmp_path: Path) -> None:
    write_nir(model, tmp_path / "again.nir")
    assert (tmp_path / "again.nir").read_bytes() == written.read_bytes()


def test_a_folder_that_does_not_exist_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        write_nir(spiking_graph(), tmp_path / "nowhere" / "model.nir")


def test_truth_values_are_no_weights_and_objects_no_description(tmp_path: Path) -> None:
    graph = spiking_graph()
    first, *others = graph.edges
    yes = replace(graph, edges=(replace(first, synapse=Dense(first.synapse.weight > 0)), *others))
    with pytest.raises(InputError, match="holds bool, not numbers"):
        write_nir(yes, tmp_path / "model.nir")
    with pytest.raises(InputError, match="holds a Source, only numbers and texts"):
        check_extra({"plasticity": {"rule": [{"deep": graph.nodes["x"]}]}})


@pytest.mark.parametrize("dt", [DT, None])
def test_a_dt_that_agrees_with_the_file_is_accepted(written: Path, dt: float | None) -> None:
    assert read_nir(written, dt=dt).dt == DT


def test_a_dt_that_differs_from_the_files_is_refused(written: Path) -> None:
    with pytest.raises(InputError, match=r"dt = 0.001 s, --dt says 0.002 s"):
        read_nir(written, dt=2e-3)


# ---------------------------------------------------------------------- our files, rewritten by another tool


def rewritten(graph: FloatGraph, folder: Path) -> Path:
    """Write, read with nir and write with nir: the metadata survive, the exact copy does not."""
    write_nir(graph, folder / "ours.nir")
    nir.write(folder / "theirs.nir", nir.read(folder / "ours.nir"))
    return folder / "theirs.nir"


def test_a_rewritten_file_with_a_scan_says_what_is_lost(model: FloatGraph, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"selective products of block1.scan, block2.scan cannot be rebuilt"):
        read_nir(rewritten(model, tmp_path))


@pytest.mark.parametrize("fields", [{}, {"decay": 1.0}, {"current_decay": 0.5}, {"decay": 0.0}], ids=str)
def test_a_rewritten_file_without_scan_gives_the_same_messages(tmp_path: Path, fields: dict[str, float]) -> None:
    graph = spiking_graph(**fields)
    again = read_nir(rewritten(graph, tmp_path))
    assert (again.dt, again.labels, again.encoder.kind) == (graph.dt, graph.labels, "spikes")
    x = spikes(4, 50, 5)
    expected, got = simulate_float(graph, x), simulate_float(again, x)
    assert expected.probes["hidden.message"].any()
    for layer in ("hidden", "top", "readout"):
        np.testing.assert_allclose(got.probes[f"{layer}.message"], expected.probes[f"{layer}.message"], atol=1e-4)


def test_relays_and_diagonal_synapses_survive_a_rewrite(tmp_path: Path) -> None:
    graph = spiking_graph()
    more = {"relay": Relay(np.linspace(-1, 1, 6)), "late": Relay(np.zeros(6)), "constant": Relay(np.full(4, 0.2))}
    edges = (
        Edge("x", "relay", "a", Dense(np.eye(6, 5))),
        Edge("relay", "hidden", "i", Diagonal(np.linspace(0.1, 0.6, 6))),
        Edge("x", "late", "a", Dense(np.eye(6, 5))),
        Edge("late", "hidden", "i", Diagonal(np.full(6, 0.3)), delay=2),
        Edge("constant", "top", "i", Diagonal(np.ones(4))),
    )
    graph = replace(graph, nodes={**graph.nodes, **more}, edges=(*graph.edges, *edges))
    x = spikes(4, 50, 5)
    expected = simulate_float(graph, x).probes["readout.message"]
    got = simulate_float(read_nir(rewritten(graph, tmp_path)), x).probes["readout.message"]
    np.testing.assert_allclose(got, expected, atol=1e-4)


# ------------------------------------------------------------------------------ graphs of other frameworks


def _flat(value: np.ndarray) -> np.ndarray:
    return value.reshape(*value.shape[:2], -1)


def differing_bins(folder: Path, dt: float, integrator: str | None = None) -> dict[str, int]:
    """Run a set's input and count, layer by layer, the messages that are not that framework's own."""
    with np.load(folder / "io.npz") as file:
        io = dict(file)
    graph = read_nir(folder / "graph.nir", dt=dt, integrator=integrator)
    got = simulate_float(graph, _flat(io["x"].swapaxes(0, 1)).astype(float)).probes
    theirs = {"output": io["out"]} | {
        prefix + key.partition("__")[2]: value
        for key, value in io.items()
        for prefix in ("", "_")
        if key.startswith(("spk__", "out__"))
    }
    return {
        name: int((np.abs(_flat(value.swapaxes(0, 1)) - got[f"{name}.message"]) > 1e-4).sum())
        for name, value in theirs.items()
        if name in graph.nodes
    }


@pytest.mark.parametrize(
    ("name", "dt", "differing"),
    [
        ("norse_lif_mlp", 1e-3, {"1": 0, "3": 0, "output": 0}),
        ("norse_if_conv", 1.0, {"1": 0, "3": 0}),  # norse's IF adds its input without dt
        ("snntorch_leaky_zero", 1e-4, {"1": 0, "3": 0}),
        ("spikingjelly_lif_decay", 1e-4, {"_1": 0, "_3": 0}),
    ],
)
def test_graphs_with_a_hard_reset_give_their_frameworks_own_spikes(
    recordings: Path, name: str, dt: float, differing: dict[str, int]
) -> None:
    found = differing_bins(recordings / "nir_examples" / name, dt)
    found.pop("5", None)  # norse's readout rests at v_leak; our layer 'output' adds it
    assert found == differing


def test_the_wrong_integrator_gives_other_spikes(recordings: Path) -> None:
    found = differing_bins(recordings / "nir_examples" / "snntorch_leaky_zero", 1e-4, "exponential Euler")
    assert all(count > 0 for count in found.values())


def test_a_foreign_graph_needs_a_dt(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        read_nir(chain(tmp_path / "g.nir", affine(), lif()))
    assert "--dt" in refusal.value.hint


@pytest.mark.parametrize("dt", [0.0, -1e-3, float("nan"), float("inf")])
def test_a_dt_that_is_no_duration_is_refused(tmp_path: Path, dt: float) -> None:
    with pytest.raises(InputError, match="positive and finite"):
        read_nir(chain(tmp_path / "g.nir", affine(), lif()), dt=dt)


def test_a_step_longer_than_a_time_constant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match=r"dt = 0.02 s is longer than tau = 0.01 s of node 'lif'"):
        read_nir(chain(tmp_path / "g.nir", affine(), lif()), dt=0.02)


def test_the_integrator_and_every_other_choice_are_recorded(tmp_path: Path) -> None:
    path = chain(tmp_path / "g.nir", affine(), lif())
    names = ("forward Euler", "exponential Euler")
    assumed = [read_nir(path, DT, integrator=name).extra["assumptions"] for name in names]
    asks = "decay of a time constant tau in a step of dt"
    assert [said[:2] for said in assumed] == [
        ["a step takes dt = 0.001 s", f"dialect.integrator = forward (set): {asks}: 1 - dt / tau"],
        ["a step takes dt = 0.001 s", f"dialect.integrator = exponential (set): {asks}: exp(-dt / tau)"],
    ]
    reset = "what a spike does to the voltage: sets it to v_reset, 0 where the file has none"
    assert f"dialect.reset = value (default): {reset}" in assumed[0]
    with pytest.raises(InputError, match="unknown integrator 'midpoint'"):
        read_nir(path, DT, integrator="midpoint")


def nir_lif(x: Any, node: nir.LIF, w: nir.Affine) -> Any:
    """NIR's equations by forward Euler, one step at a time, v[-1] = 0."""
    v = np.zeros(len(w.bias))
    out = []
    for x_t in x:
        v = v + DT / node.tau * (node.v_leak - v + node.r * (w.weight @ x_t + w.bias))
        out.append(v > node.v_threshold)
        v = np.where(out[-1], 0, v)
    return np.array(out, dtype=float)


@pytest.mark.parametrize("threshold", [[0.5, 0.5, 0.5], [0.3, 0.6, 0.9]], ids=["one threshold", "three"])
def test_resistance_leak_and_thresholds_fold_into_the_weights(tmp_path: Path, threshold: list[float]) -> None:
    node = replace(lif(v_leak=0.2), r=np.array([0.5, 1.0, 2.0]), v_threshold=np.array(threshold))
    w = affine(bias=0.4)
    graph = read_nir(chain(tmp_path / "g.nir", w, node), DT)
    x = spikes(1, 200, 2)
    expected = nir_lif(x[0], node, w)
    assert expected.any()
    np.testing.assert_array_equal(simulate_float(graph, x).probes["lif.message"][0], expected)


def test_a_current_based_layer_filters_its_bias_too(tmp_path: Path) -> None:
    """CubaLIF by forward Euler against NIR's two equations; the bias flows through the synaptic current."""
    size = 3
    values = {"tau_syn": 0.004, "tau_mem": 0.02, "r": 2.0, "v_leak": 0.1, "v_threshold": 1.0, "w_in": 1.5}
    node = nir.CubaLIF(**{name: np.full(size, value) for name, value in values.items()})
    w = affine(bias=0.7)
    graph = read_nir(chain(tmp_path / "g.nir", w, node), DT)
    x = spikes(1, 200, 2)
    current, v, expected = np.zeros(size), np.zeros(size), []
    for x_t in x[0]:
        current = current + DT / node.tau_syn * (-current + node.w_in * (w.weight @ x_t + w.bias))
        v = v + DT / node.tau_mem * (node.v_leak - v + node.r * current)
        expected.append(v > node.v_threshold)
        v = np.where(expected[-1], 0, v)
    assert np.any(expected)
    got = simulate_float(graph, x).probes["cubalif.message"]
    np.testing.assert_array_equal(got[0], np.array(expected, dtype=float))
    integer = simulate(align(quantise(graph)), x.astype(np.int64), probe=True).probes["cubalif.message"]
    assert np.mean(integer[0, :200] == np.array(expected)) > 0.95  # the constant has an integer law too


def test_linear_nodes_between_neurons_fold_into_one_synapse(tmp_path: Path) -> None:
    """Scale, Linear, Flatten, a residual path and delays, against the same network stepped by hand."""
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(4, 2)), rng.normal(size=(3, 4))
    skip, scale = rng.normal(size=(3, 2)), rng.random(4)
    nodes = {
        "in": nir.Input(np.array([2])),
        "first": nir.Linear(first),
        "scale": nir.Scale(scale),
        "late": nir.Delay(np.array([0.0, 1, 1, 3]) * DT),
        "second": nir.Affine(second, np.full(3, 0.1)),
        "skip": nir.Linear(skip),
        "flat": nir.Flatten({"input": np.array([3])}, start_dim=0),
        "li": nir.LI(np.full(3, 0.01), np.full(3, 10.0), np.full(3, 0.25)),
        "out": nir.Output(np.array([3])),
    }
    path = tmp_path / "g.nir"
    edges = [*itertools.pairwise(name for name in nodes if name != "skip"), ("in", "skip"), ("skip", "flat")]
    nir.write(path, nir.NIRGraph(nodes, edges))
    x = spikes(1, 30, 2)
    record = simulate_float(read_nir(path, DT), x)

    delayed = [np.pad(x[0] @ first[i] * scale[i], (d, 0))[:30] for i, d in enumerate((0, 1, 1, 3))]
    drive = np.stack(delayed, axis=1) @ second.T + 0.1 + x[0] @ skip.T
    v, expected = np.full(3, 0.25), []
    for drive_t in drive:
        v = v + 0.1 * (0.25 - v + 10 * drive_t)
        expected.append(v)
    np.testing.assert_allclose(record.probes["out.message"][0], expected, rtol=1e-12)
    assert sorted(record.layers) == ["in", "li", "out"]


def test_a_graph_that_ends_in_weights_gets_a_readout_without_memory(tmp_path: Path) -> None:
    w = affine(4, 3, bias=0.5)
    graph = read_nir(chain(tmp_path / "g.nir", affine(), lif(), w), DT)
    readout = graph.nodes[graph.output]
    assert isinstance(readout, Readout)
    assert (graph.output, readout.decay, readout.v_range) == ("output", 0.0, 0.0)  # 0: nobody measured it
    np.testing.assert_array_equal(readout.bias, np.full(4, 0.5))
    probes = simulate_float(graph, spikes(1, 40, 2)).probes
    np.testing.assert_allclose(probes["output.message"], probes["lif.message"] @ w.weight.T + w.bias)


def test_neurons_that_the_output_does_not_read_are_left_out(tmp_path: Path) -> None:
    nodes = {"in": nir.Input(np.array([3])), "a": lif(), "b": lif(), "out": nir.Output(np.array([3]))}
    path = tmp_path / "g.nir"
    nir.write(path, nir.NIRGraph(nodes, [("in", "a"), ("a", "b"), ("a", "out")], type_check=False))
    graph = read_nir(path, DT)
    assert (list(graph.nodes), graph.output) == (["in", "a"], "a")
    assert "dropped, since the output does not depend on them: b" in graph.extra["assumptions"]


def test_a_nested_graph_is_expanded(tmp_path: Path) -> None:
    w, node = affine(), lif()
    inner = nir.NIRGraph.from_list(w, node)
    nodes = {"in": nir.Input(np.array([2])), "net": inner, "out": nir.Output(np.array([3]))}
    nir.write(tmp_path / "g.nir", nir.NIRGraph(nodes, [("in", "net"), ("net", "out")], type_check=False))
    x = spikes(1, 100, 2)
    got = simulate_float(read_nir(tmp_path / "g.nir", DT), x).probes["net.lif.message"][0]
    np.testing.assert_array_equal(got, nir_lif(x[0], node, w))


def test_every_unsupported_node_is_listed(tmp_path: Path) -> None:
    nodes = {
        "in": nir.Input(np.array([1, 8, 8])),
        "most": nir.Flatten({"input": np.array([1, 8, 8])}, 0, -1),
        "norm": nir.Flatten({"input": np.array([64])}, 0, -1),
        "up": nir.Flatten({"input": np.array([64])}, 0, -1),
        "other": nir.Flatten({"input": np.array([64])}, 0, -1),
        "neuron": lif(64),
        "out": nir.Output(np.array([64])),
    }
    nir.write(tmp_path / "g.nir", nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), type_check=False))
    types = {"most": "MaxPool2d", "norm": "BatchNorm2d", "up": "ConvTranspose2d", "other": "Softmax"}
    with h5py.File(tmp_path / "g.nir", "r+") as file:
        for name, kind in types.items():
            del file["node/nodes"][name]["type"]
            file["node/nodes"][name]["type"] = kind
    with pytest.raises(DoesNotFit) as refusal:
        read_nir(tmp_path / "g.nir", DT)
    found = {finding.layer: finding for finding in refusal.value.findings}
    assert {name: finding.rule for name, finding in found.items()} == dict.fromkeys(types, "supported-node")
    assert "node 'most' is a MaxPool2d" in str(refusal.value)
    assert "fold it into the layer before it" in found["norm"].hint
    assert "supported are" in found["other"].hint


def test_files_that_nir_read_refuses_are_read_where_they_are_sound(tmp_path: Path) -> None:
    """Scalar parameters, no v_reset, no v_leak, a batch axis in the input's shape, an edge twice."""
    path = chain(tmp_path / "g.nir", affine(), lif())
    expected = simulate_float(read_nir(path, DT), spikes(2, 60, 2)).probes["lif.message"]
    with h5py.File(path, "r+") as file:
        nodes = file["node/nodes"]
        for key in ("v_reset", "v_leak"):
            del nodes["lif"][key]
        for group, key, value in ((nodes["lif"], "tau", 0.01), (nodes["input"], "shape", [1, 100, 2])):
            del group[key]
            group[key] = value
        edges = file["node/edges"][()]
        del file["node/edges"]
        file["node/edges"] = np.concatenate([edges, edges[:1]])
    with pytest.raises((ValueError, AssertionError, AttributeError, TypeError, KeyError)):
        nir.read(path)
    graph = read_nir(path, DT)
    np.testing.assert_array_equal(simulate_float(graph, spikes(2, 60, 2)).probes["lif.message"], expected)
    assert "the input's shape [1, 100, 2] counts batch or time: 2 lines" in graph.extra["assumptions"]


def test_spike_input_is_passed_on_and_anything_else_refused() -> None:
    encoder = Encoder("spikes", np.ones(2), np.zeros(2))
    raw = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    assert encoder.source == Source(2, graded=False)
    np.testing.assert_array_equal(encoder.encode(raw), raw.astype(np.int64))
    np.testing.assert_array_equal(encoder.to_float(encoder.encode(raw)), raw)
    with pytest.raises(InputError, match="1 of 4 input values are neither 0 nor 1") as refusal:
        encoder.encode(raw + np.array([0.0, 0.5]) * (raw == 1))
    assert "make spikes of them first" in refusal.value.hint


# ------------------------------------------------------------------------------------------- damaged files


def refused(path: Path, dt: float | None = DT) -> str:
    """Return the one-line refusal of a file."""
    with pytest.raises(BimError) as refusal:
        read_nir(path, dt)
    assert "\n" not in refusal.value.message
    assert path.name in refusal.value.message or isinstance(refusal.value, DoesNotFit)
    return refusal.value.message


def test_a_file_that_is_no_nir_graph_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    assert "no such file" in refused(path)
    path.touch()
    assert "is empty" in refused(path)
    path.write_text("weights")
    assert "is not an HDF5 file" in refused(path)
    with h5py.File(path, "w") as file:
        file["other"] = 1
    assert "has no group /node" in refused(path)
    nir.write(path, affine())
    assert "a single Affine node, not a graph" in refused(path)
    assert "is not a file" in refused(tmp_path)


def edited(path: Path, folder: Path, key: str, value: Any) -> Path:
    """Copy a file with one dataset replaced."""
    copy = folder / "edited.nir"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        del file[key]
        file[key] = value
    return copy


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("bim_neuro/version", 99, "/bim_neuro has format version 99"),
        ("bim_neuro/header", '{"type": ', "/bim_neuro/header is not JSON"),
        ("bim_neuro/header", "{}", "its checksum is wrong"),
        ("bim_neuro/arrays/graph/nodes/readout/bias", np.zeros(10), "its checksum is wrong"),
        ("bim_neuro/sha256", 5, "is not a text"),
    ],
)
def test_a_damaged_exact_copy_is_refused(written: Path, tmp_path: Path, key: str, value: Any, message: str) -> None:
    assert message in refused(edited(written, tmp_path, key, value))


def tampered(model: FloatGraph, folder: Path, **change: Any) -> Path:
    """Write a file whose exact copy is consistent, checksum and all, but describes a wrong graph."""
    path = folder / "tampered.nir"
    write_nir(model, path)
    with h5py.File(path, "r+") as file:
        del file["bim_neuro"]
        exact.store(replace(model, **change), file)
    return path


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [
        ("readout", "bias", np.full(10, np.nan), "10 of 10 values of 'nodes.readout.bias' are not finite"),
        ("readout", "bias", np.zeros(9), "weight is (10, 16), it must be (9, 16)"),
        ("readout", "decay", "x", "node 'readout': decay is 'x'"),
        ("block1.lif", "v_threshold", float("nan"), "node 'block1.lif': v_threshold is nan"),
        ("block1.lif", "size", 15, "node 'block1.lif': bias is (16,), it must be (15,)"),
        ("block2.scan", "a", np.ones((16, 5)), "port is"),
    ],
)
def test_a_tampered_exact_copy_is_refused_by_name(
    model: FloatGraph, tmp_path: Path, name: str, field: str, value: Any, message: str
) -> None:
    nodes = {**model.nodes, name: replace(model.nodes[name], **{field: value})}
    said = refused(tampered(model, tmp_path, nodes=nodes))
    assert message in said or "block2.scan.B': size is 4, it must be 5" in said


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "node/nodes/affine/weight",
            np.full((3, 2), np.inf),
            "6 of 6 values of 'affine.weight' are not finite",
        ),
        ("node/nodes/affine/weight", np.ones((3, 5)), "node 'affine' (Affine) takes 5 values, it receives 2"),
        (
            "node/nodes/affine/weight",
            np.ones((4, 2)),
            "node 'affine' (Affine): bias has 3 values, its input has 4",
        ),
        ("node/nodes/lif/tau", np.full(4, 0.01), "node 'lif' (LIF): tau has 4 values, its input has 3"),
        ("node/nodes/lif/tau", np.zeros(3), "node 'lif' has tau = 0 s"),
        ("node/nodes/lif/tau", np.empty(0), "node 'lif' (LIF) lacks tau"),
        ("node/nodes/lif/tau", "long", "node 'lif' (LIF) lacks tau"),
        ("node/nodes/lif/type", 3, "is not a text"),
        ("node/edges", np.array([[b"input", b"affine"], [b"affine", b"elif"]]), "names a node 'elif'"),
        ("node/edges", np.array([b"input", b"affine"]), "must be pairs of names"),
        ("node/edges", np.array([[b"input", b"affine"]]), "has no input"),
    ],
)
def test_a_damaged_foreign_graph_is_refused_by_name(tmp_path: Path, key: str, value: Any, message: str) -> None:
    path = chain(tmp_path / "g.nir", affine(bias=0.1), lif())
    assert message in refused(edited(path, tmp_path, key, value))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 2}', '{"format": 1, "dt": "soon"}', "1" * 5000, "[" * 99999], ids=range(6)
)
def test_garbled_metadata_are_refused(tmp_path: Path, text: str) -> None:
    path = chain(tmp_path / "g.nir", affine(), lif())
    with h5py.File(path, "r+") as file:
        file["node/metadata/bim_neuro"] = text
    assert "metadata" in refused(path)


def read_damaged(path: Path) -> FloatGraph | None:
    """Read a damaged file; None if it was refused in one line, anything else is a fault."""
    try:
        return read_nir(path, DT)
    except BimError as error:
        message = error.message
    assert "\n" not in message
    return None


@pytest.mark.parametrize("ours", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["ours", "foreign"])
def test_truncated_files_are_refused(written: Path, tmp_path: Path, ours: bool) -> None:
    content = (written if ours else chain(tmp_path / "g.nir", affine(), lif())).read_bytes()
    cut = tmp_path / "cut.nir"
    for size in np.linspace(0, len(content) - 1, 60).astype(int):
        cut.write_bytes(content[:size])
        assert read_damaged(cut) is None


@pytest.mark.parametrize(
    ("ours", "times"),
    [(True, 30), *(pytest.param(ours, 100, marks=pytest.mark.slow) for ours in (True, False))],
)
def test_flipped_bytes_are_refused_or_harmless(
    model: FloatGraph, written: Path, tmp_path: Path, ours: bool, times: int
) -> None:
    content = (written if ours else chain(tmp_path / "g.nir", affine(), lif())).read_bytes()
    rng = np.random.default_rng(11)
    flipped = tmp_path / "flipped.nir"
    for position in rng.integers(0, len(content), times):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        flipped.write_bytes(bytes(damaged))
        graph = read_damaged(flipped)
        assert graph is None or not ours or pack.equal(model, graph)


def test_a_broken_table_of_texts_is_refused_and_not_walked_for_ever(tmp_path: Path) -> None:
    """The HDF5 library hangs on this file: a text that claims to reach into the table's empty end."""
    path = chain(tmp_path / "g.nir", affine(), lif())
    content = bytearray(path.read_bytes())
    first_text = content.index(b"GCOL") + 16
    content[first_text + 9] = 4  # its size grows by 1024
    path.write_bytes(bytes(content))
    assert "its table of texts is broken" in refused(path)


def test_a_file_that_hdf5_cannot_lock_is_read(tmp_path: Path) -> None:
    """As on a network file system without locks: the bytes are read, not the file opened by HDF5."""
    path = chain(tmp_path / "g.nir", affine(), lif())
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="lock"), h5py.File(path, "r", locking=True):
            pass
        assert list(read_nir(path, DT).nodes) == ["input", "lif"]


def test_fields_of_truth_values_are_zeros_and_ones(tmp_path: Path) -> None:
    nir.write(tmp_path / "g.nir", nir.NIRGraph.from_list(affine(3, 3), lif()))
    with h5py.File(tmp_path / "g.nir", "r+") as file:
        for name, node in file["node/nodes"].items():
            for field in {"tau", "weight", "bias"} & set(node):
                array = np.ones(node[field].shape, bool)
                del node[field]
                file[f"node/nodes/{name}/{field}"] = array
    graph = read_nir(tmp_path / "g.nir", DT)
    (edge,) = (edge for edge in graph.edges if isinstance(edge.synapse, Dense))
    assert np.unique(edge.synapse.weight).size == 1

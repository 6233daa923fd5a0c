"""Calibration: readouts of imported graphs keep their numbers, wherever they stand; bounds hold for any input."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from commands import bim_compile
from small_models import small_checkpoint, small_input

import bim_neuro
from bim_neuro import pack
from bim_neuro.compilers.calibrate import calibrate, with_bounds
from bim_neuro.compilers.quantise import quantise
from bim_neuro.graph import FloatGraph
from bim_neuro.model.export import export
from bim_neuro.nir_bridge import read_nir, write_nir
from bim_neuro.nodes import LIF, Readout
from bim_neuro.nodes.ranges import ranges_of, with_ranges
from bim_neuro.program import Program
from bim_neuro.record import RunRecord

DT = 1e-3
RNG = np.random.default_rng(11)
X = (np.random.default_rng(2).random((6, 50, 4)) < 0.3).astype(float)


def linear(post: int, pre: int, scale: float = 1.0) -> nir.Linear:
    return nir.Linear(np.random.default_rng(post + pre).normal(size=(post, pre)) * scale)


def li(size: int, v_leak: float = 0.0, r: float = 1.0) -> nir.LI:
    return nir.LI(np.full(size, 0.01), np.full(size, r), np.full(size, v_leak))


def lif(size: int, v_threshold: float = 0.05, **fields: float) -> nir.LIF:
    values = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": v_threshold, "v_reset": 0.0, **fields}
    return nir.LIF(**{name: np.full(size, value) for name, value in values.items()})


def cuba(size: int) -> nir.CubaLIF:
    values = {"tau_syn": 0.005, "tau_mem": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.05, "w_in": 1.0}
    return nir.CubaLIF(**{name: np.full(size, value) for name, value in values.items()})


def written(path: Path, skip: tuple[str, ...] = (), /, **nodes: Any) -> Path:
    """Write a chain from 4 lines to 'out', with an edge from the first to the second name of ``skip``."""
    chain = {"in": nir.Input(np.array([4])), **nodes}
    last = next(node for node in reversed(chain.values()))
    chain["out"] = nir.Output(np.array([len(getattr(last, "r", getattr(last, "weight", None)))]))
    edges = [*itertools.pairwise(chain), *([skip] if skip else [])]
    nir.write(path, nir.NIRGraph(chain, edges, type_check=False))
    return path


def saturations(record: RunRecord, but: str = "") -> int:
    return sum(layer.totals()["saturations"] for name, layer in record.layers.items() if name != but)


def output_error(program: Program) -> float:
    """Return how far the output is off the float law's, root mean square over root mean square, at the best scale."""
    key = f"{program.graph.output}.message"
    want, got = program.run_float(X).probes[key], program.run(X, probe=True).probes[key][:, : X.shape[1]]
    scale = float((want * got).sum() / (got * got).sum())
    return float(np.sqrt(((want - scale * got) ** 2).mean() / (want**2).mean()))


def equal_spikes(program: Program) -> float:
    """Return equal spikes over the spikes that either side fired, in the last layer."""
    key = f"{program.graph.output}.message"
    want, got = program.run_float(X).probes[key] > 0, program.run(X, probe=True).probes[key][:, : X.shape[1]] > 0
    assert want.any()
    return float((want & got).sum() / (want | got).sum())


@pytest.mark.parametrize("given", [None, X], ids=["bounds", "calibrated"])
def test_a_leaky_readout_with_a_resting_voltage_keeps_its_numbers(tmp_path: Path, given: Any) -> None:
    path = written(tmp_path / "g.nir", w=linear(6, 4, 50), li=li(6, v_leak=-0.5))
    program = bim_neuro.compile(path, dt=DT, input=given)
    record = program.run(X)
    assert saturations(record) == 0
    assert output_error(program) < 0.005
    np.testing.assert_array_equal(record.predicted, program.run_float(X).predicted)


@pytest.mark.parametrize("given", [None, X], ids=["bounds", "calibrated"])
@pytest.mark.parametrize("soma", [lif(8), lif(8, v_leak=0.03), cuba(8)], ids=["lif", "v_leak", "cuba"])
def test_spiking_neurons_may_read_voltages(tmp_path: Path, soma: nir.NIRNode, given: Any) -> None:
    path = written(tmp_path / "g.nir", w=linear(6, 4, 2), li=li(6), w2=nir.Affine(linear(8, 6).weight, RNG.random(8)),
                   soma=soma)  # fmt: skip
    program = bim_neuro.compile(path, dt=DT, input=given)
    assert saturations(program.run(X), but="soma") == 0  # a voltage far below 0 stays at the end of its word
    current = program.run(X, probe=True).probes["soma.u"]
    assert np.abs(current).max() < 2**22  # half of where a current wraps
    assert equal_spikes(program) > 0.94


def test_a_neuron_may_read_voltages_elementwise(tmp_path: Path) -> None:
    program = bim_neuro.compile(written(tmp_path / "g.nir", w=linear(6, 4, 2), li=li(6), soma=lif(6)), dt=DT, input=X)
    assert "li.out" not in program.graph.nodes  # one voltage a neuron fits the accumulator
    assert equal_spikes(program) > 0.94


@pytest.mark.parametrize("end", [{"soma": lif(8)}, {"li2": li(8)}, {}], ids=["lif", "li", "weights"])
def test_voltages_and_spikes_may_meet(tmp_path: Path, end: dict[str, Any]) -> None:
    """int8 weights with one scale a sum would round those of the voltages, 16 bits long, to nothing."""
    nodes = {"w": linear(6, 4, 2), "li": li(6), "w2": linear(8, 6), "add": nir.Scale(np.ones(8)), **end}
    direct = {"in": nir.Input(np.array([4])), "direct": linear(8, 4, 0.05)}
    chain = {"in": direct["in"], **nodes, "out": nir.Output(np.array([8]))}
    edges = [*itertools.pairwise(chain), ("in", "direct"), ("direct", "add")]
    nir.write(tmp_path / "g.nir", nir.NIRGraph({**chain, **direct}, edges, type_check=False))
    program = bim_neuro.compile(tmp_path / "g.nir", dt=DT, input=X)
    assert saturations(program.run(X)) == 0
    assert equal_spikes(program) > 0.94 if "soma" in end else output_error(program) < 0.01


def test_engine_and_law_agree_where_voltages_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "g.nir", ("in", "w3"), w=linear(4, 4, 2), li=li(4), w3=linear(5, 4), soma=cuba(5))
    program = bim_neuro.compile(path, dt=DT, input=X)
    engine, law = program.run(X, probe=True), program.run(X, probe=True, backend="reference")
    for key, values in law.probes.items():
        np.testing.assert_array_equal(engine.probes[key], values, err_msg=key)


def test_an_integrator_loses_nothing(tmp_path: Path) -> None:
    """A 16-bit decay of 65535/65536 takes one from every voltage at every step."""
    path = written(tmp_path / "g.nir", w=linear(3, 4), i=nir.I(np.full(3, 1.0)))
    program = bim_neuro.compile(path, dt=DT, input=X[:, :10])
    voltage = program.run(np.concatenate([X[:, :10], 0 * X[:, :30]], axis=1), probe=True).probes["i.v"][:, 9:40]
    assert voltage.any()
    np.testing.assert_array_equal(voltage, np.repeat(voltage[:, :1], 31, axis=1))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model", ["imported", "trained"])
def test_no_input_goes_beyond_a_bound(model: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    if model == "trained":
        graph = export(replace(small_checkpoint(seed), ranges={}))
        x = rng.choice([-127, 127], size=(4, 30, 5)) / 128
    else:
        graph = read_nir(written(tmp_path / "g.nir", w=linear(6, 4, 2), li=li(6), w2=linear(8, 6), soma=lif(8),
                                 w3=linear(3, 8), end=li(3)), DT)  # fmt: skip
        x = np.ones((4, 60, 4)) if seed == 0 else (rng.random((4, 60, 4)) < seed / 4).astype(float)
    measured, limits = calibrate(graph, x), with_bounds(graph)
    for name, node in limits.nodes.items():
        for key, limit in ranges_of(node).items():
            assert 0 < measured[f"{name}.{'message' if key == 'y' else key}"] <= limit * (1 + 1e-12), (name, key)


def test_a_trained_model_keeps_its_ranges() -> None:
    graph = export(small_checkpoint())
    assert with_bounds(graph) is graph
    plain, given = bim_neuro.compile(graph), bim_neuro.compile(graph, input=10 * small_input())
    assert pack.equal(plain.graph, given.graph)
    assert given.calibrated(small_input()) is given
    assert not [finding for finding in given.findings if finding.rule == "range"]


def test_a_trained_model_without_ranges_is_calibrated_on_its_input() -> None:
    bare = export(replace(small_checkpoint(), ranges={}))
    program = bim_neuro.compile(bare, input=small_input())
    probes = program.run_float(small_input()).probes
    assert program.reference.nodes["block1.scan"].ranges.y == pytest.approx(np.abs(probes["block1.scan.message"]).max())


def test_what_nobody_measured_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "g.nir", w=linear(3, 4), i=nir.I(np.full(3, 1.0)))
    [finding] = bim_neuro.compile(path, dt=DT).findings
    assert (finding.rule, finding.severity, finding.layer) == ("range", "warning", "i")
    assert finding.message.startswith("the ranges of i were not measured")
    assert "i have no leak, their bound holds for 1,000 steps" in finding.message
    calibrated = bim_neuro.compile(path, dt=DT, input=X)
    assert not calibrated.findings
    assert "the ranges of i were measured on 6 samples of the given input" in calibrated.assumptions


def test_at_most_32_samples_calibrate(tmp_path: Path) -> None:
    path = written(tmp_path / "g.nir", w=linear(3, 4), li=li(3))
    many = np.concatenate([X, X, X, X, X, X[:2], np.ones((9, 50, 4))])
    program = bim_neuro.compile(path, dt=DT, input=many)
    assert pack.equal(program.graph, bim_neuro.compile(path, dt=DT, input=X).graph)
    assert any("measured on 32 samples" in said for said in program.assumptions)


def test_the_command_calibrates_and_its_model_nir_gives_the_same_integers(tmp_path: Path) -> None:
    path = written(tmp_path / "g.nir", w=linear(6, 4, 2), li=li(6), w2=linear(8, 6), soma=lif(8),
                   w3=linear(3, 8, 50), end=li(3, v_leak=0.5))  # fmt: skip
    np.savez(tmp_path / "x.npz", x=X, layout="BTC")
    given = ("--dt", DT, "--input", tmp_path / "x.npz", "--samples", "4")
    assert bim_compile(path, *given, "-o", tmp_path / "out").code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    said = f"the ranges of li, soma.input, li.out, end, out were measured on 4 samples of {tmp_path / 'x.npz'}"
    assert said in summary["assumptions"]
    assert not [finding for finding in summary["findings"] if finding["rule"] == "range"]
    assert all(layer["saturations"] == 0 for layer in summary["layers"])

    again = bim_neuro.compile(tmp_path / "out" / "model.nir")
    assert pack.equal(again.graph, bim_neuro.compile(path, dt=DT, input=X[:4]).graph)
    assert said in again.assumptions


def test_ranges_survive_a_tool_that_drops_the_exact_copy(tmp_path: Path) -> None:
    graph = read_nir(written(tmp_path / "g.nir", w=linear(6, 4, 2), li=li(6), w2=linear(3, 6), end=li(3)), DT)
    program = bim_neuro.compile(graph, input=X)
    write_nir(program.reference, tmp_path / "ours.nir")
    with h5py.File(tmp_path / "ours.nir", "r+") as file:
        del file["bim_neuro"]
    restored = read_nir(tmp_path / "ours.nir")
    assert {name: ranges_of(node) for name, node in restored.nodes.items()} == {
        name: ranges_of(node) for name, node in program.reference.nodes.items()
    }
    assert restored.extra["calibration"] == program.reference.extra["calibration"]


def test_the_ranges_that_version_0_1_gave_to_imported_readouts_are_no_measurement(tmp_path: Path) -> None:
    """It wrote 1 for each; a file of today that measured 1 keeps it, and so does a trained model."""
    graph = read_nir(written(tmp_path / "g.nir", w=linear(3, 4, 50), end=li(3)), DT)
    old = graph.with_nodes({name: with_ranges(node, {"v": 1.0}) for name, node in graph.nodes.items()})
    for extra, kept in ({}, 0.0), ({"calibration": "measured"}, 1.0):
        write_nir(old.with_nodes(old.nodes, **extra), tmp_path / "old.nir")
        assert read_nir(tmp_path / "old.nir").nodes["end"].v_range == kept
    trained = FloatGraph(old.nodes, old.edges, DT, old.encoder)
    write_nir(trained, tmp_path / "trained.nir")
    assert read_nir(tmp_path / "trained.nir").nodes["end"].v_range == 1


def test_a_lif_is_not_asked_for_ranges() -> None:
    assert ranges_of(LIF(2, 0.5, 1.0, np.zeros(2))) == {}
    assert ranges_of(Readout(0.5, np.zeros(2))) == {"v": 0.0}


def test_integers_of_an_unmeasured_graph_are_those_of_its_bounds(tmp_path: Path) -> None:
    graph = read_nir(written(tmp_path / "g.nir", w=linear(6, 4, 2), li=li(6), w2=linear(3, 6), end=li(3)), DT)
    assert pack.equal(quantise(graph), quantise(with_bounds(graph)))

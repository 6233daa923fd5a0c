"""Rounding: what fixed point makes of each constant is said; what is far off is a finding with both values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from commands import bim_compile
from small_models import small_checkpoint

import bim_neuro
from bim_neuro.compilers.constants import Constant, Rounded
from bim_neuro.compilers.quantise import quantise_with_units
from bim_neuro.compilers.rounding import rounding
from bim_neuro.errors import DoesNotFit, Finding
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.model.export import export
from bim_neuro.nir_bridge import write_nir
from bim_neuro.nodes import LIF, Dense, Diagonal, Encoder, Readout, Scan, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import Node

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DT = 1e-3
WEIGHT = np.linspace(0.3, 1.27, 12).reshape(3, 4)  # the last bit is .01


def graph(node: Node, weight: Array = WEIGHT, dt: float = DT, **more: Array) -> FloatGraph:
    """Return a graph of one layer; ``more`` are the weights of further synapses into it."""
    port = "i" if isinstance(node, LIF) else "a"
    lines = weight.shape[-1]
    edges = [Edge("in", "layer", port, Dense(w) if w.ndim == 2 else Diagonal(w)) for w in (weight, *more.values())]
    edges = [replace(edge, delay=index) for index, edge in enumerate(edges)]
    encoder = Encoder("spikes", np.ones(lines), np.zeros(lines))
    return FloatGraph({"in": Source(lines, graded=False), "layer": node}, tuple(edges), dt, encoder)


def lif(size: int = 3, decay: float = 0.9, threshold: float = 1.0, bias: Any = 0.0, current: float = 0.0) -> LIF:
    return LIF(size, decay, threshold, np.broadcast_to(np.asarray(bias, float), size).copy(), current)


def rounded(model: FloatGraph) -> tuple[dict[str, Constant], dict[str, Finding]]:
    """Return the constants of the layer by name, and the findings by rule."""
    found = rounding(model, *quantise_with_units(model))
    return {constant.constant: constant for constant, _ in found}, {f.rule: f for _, f in found if f}


def tau(decay: float, dt: float = DT) -> float:
    return -dt / float(np.log(decay))


# ---------------------------------------------------------------------------------------------- decays


def test_a_leak_that_rounds_to_none_is_a_finding_that_asks_for_the_unit() -> None:
    """A tau of 1 s at .1 ms is 10,000 steps: a 4096th is 2.4 times its leak."""
    decay = float(np.exp(-1e-4))
    constants, findings = rounded(graph(lif(decay=decay), dt=1e-4))
    assert (constants["tau"].asked, constants["tau"].got) == (pytest.approx(1), None)
    assert constants["tau"].off is None
    found = findings["rounded-decay"]
    assert (found.layer, found.severity, found.limit, found.used) == ("layer", "warning", pytest.approx(1), None)
    assert "tau of 1 s is 10,000 steps of 0.0001 s, a decay of 12 bits makes it no leak" in found.message
    assert found.hint.startswith("is tau in seconds? If it is in milliseconds, it is 10 steps")


@pytest.mark.parametrize("slow", [lif(decay=1 - 5e-5), lif(current=1 - 5e-5), lif(decay=1 - 5e-5, bias=1e3)])
def test_a_layer_that_a_time_constant_makes_overflow_asks_for_its_unit(slow: LIF) -> None:
    """A tau of 20 ms, given as 20 s: the weights, which it divides, are too small beside threshold and bias."""
    with pytest.raises(DoesNotFit) as refusal:
        rounded(graph(slow, WEIGHT * 5e-6))
    (found,) = refusal.value.findings
    assert found.rule in ("lif-threshold", "lif-bias")
    assert found.hint.startswith("its time constant of 19,999 steps makes the weights small: is tau in seconds? else")
    with pytest.raises(DoesNotFit) as refusal:
        rounded(graph(lif(), WEIGHT * 5e-6))
    assert refusal.value.findings[0].hint.startswith("rescale the weights into this layer")


@pytest.mark.parametrize(
    ("steps", "kept", "far"), [(20, 3896, False), (400, 4086, False), (819, 4091, False), (3000, 4095, True)]
)
def test_time_constants_are_compared(steps: int, kept: int, far: bool) -> None:
    """A decay keeps ``kept`` 4096ths."""
    decay = float(np.exp(-1 / steps))
    constants, findings = rounded(graph(lif(decay=decay)))
    assert constants["tau"].got == pytest.approx(tau(kept / 4096))
    assert constants["tau"].off == pytest.approx(abs((1 - decay) / (1 - kept / 4096) - 1))
    assert ("rounded-decay" in findings) == far
    if far:
        assert f"{tau(kept / 4096):.3g} s" in findings["rounded-decay"].message


def test_the_hidden_one_of_du_is_counted() -> None:
    """Lava decays a current by 4096 - (du + 1) 4096ths, so that one which hardly leaks still leaks."""
    constants, findings = rounded(graph(lif(current=float(np.exp(-1e-4)))))
    assert constants["tau of the current"].got == pytest.approx(tau(4095 / 4096))
    assert "tau of the current of 10 s" in findings["rounded-decay"].message
    assert findings["rounded-decay"].used == pytest.approx(4.0955, rel=1e-4)


@pytest.mark.parametrize("decay", [0.0, 1.0, 1e-5])
def test_no_leak_and_no_memory_are_what_they_are(decay: float) -> None:
    assert not rounded(graph(lif(decay=decay)))[1]
    assert not rounded(graph(Readout(decay, np.zeros(3))))[1]


def test_a_readout_decays_by_16_bits() -> None:
    constants, findings = rounded(graph(Readout(float(np.exp(-1 / 5000)), np.zeros(3))))
    assert constants["tau"].off is not None
    assert constants["tau"].off < 0.01
    assert not findings
    found = rounded(graph(Readout(1 - 1e-6, np.zeros(3))))[1]["rounded-decay"]
    assert (found.limit, found.used) == (pytest.approx(1000), pytest.approx(65.5355))


def slow_scan(rates: Array) -> FloatGraph:
    model = export(small_checkpoint())
    scan = model.nodes["block1.scan"]
    assert isinstance(scan, Scan)
    return model.with_nodes({**model.nodes, "block1.scan": replace(scan, a=-np.broadcast_to(rates, scan.a.shape))})


def test_rates_of_a_scan_that_share_no_power_of_two_are_a_finding() -> None:
    assert "rounded-decay" not in rounded(slow_scan(np.array([1.0, 2.0, 3.0])))[1]
    constants, findings = rounded(slow_scan(np.array([3000.0, 1e-5, 2e-5])))
    assert constants["tau of a state at rest"].got == pytest.approx(65.5355)  # the slowest that 16 bits hold
    assert "67% of the states' time constants are more than 10% off" in findings["rounded-decay"].message


# ---------------------------------------------------------------------------------------------- thresholds


@pytest.mark.parametrize(
    ("threshold", "got", "far"),
    [(1.0, 1.0, False), (0.08, 0.08, False), (0.03, 0.03, False), (0.0734, 0.07, True), (0.004, 0.0, True)],
)
def test_a_coarse_threshold_is_a_finding_unless_it_lies_on_the_grid(threshold: float, got: float, far: bool) -> None:
    constants, findings = rounded(graph(lif(threshold=threshold)))
    assert (constants["threshold"].asked, constants["threshold"].got) == (threshold, pytest.approx(got))
    assert ("rounded-threshold" in findings) == far


def test_a_threshold_that_rounds_to_nothing_names_the_weight_that_did_it() -> None:
    outlier = WEIGHT.copy()
    outlier[1, 2] = 500
    found = rounded(graph(lif(), outlier))[1]["rounded-threshold"]
    assert (found.limit, found.used) == (1.0, 0.0)
    assert "a threshold of 1 is 0.254 units of the largest weight / 127 and becomes 0" in found.message
    assert "the largest weight, 500, sets the scale of all" in found.hint


# ---------------------------------------------------------------------------------------------- weights


def test_weights_that_one_outlier_zeroed_are_counted_and_it_is_named() -> None:
    weight = np.full((10, 10), 0.1)
    weight[3, 7], weight[0] = 100.0, 0.0
    constants, findings = rounded(graph(lif(10, threshold=20), weight))
    row = constants["weights of in"]
    assert (row.asked, row.got, row.unit, row.off) == (90, 1, "not 0", pytest.approx(89 / 90))
    found = findings["rounded-weights"]
    assert (found.limit, found.used) == (90, 1)
    assert "89 of 90 weights from 'in' became 0" in found.message
    assert "89 of them because of one weight, 100 from neuron 7 to neuron 3; the median is 0.1" in found.message


def test_an_outlier_of_one_neuron_leaves_the_others_alone_where_each_has_a_scale() -> None:
    weight = np.full((4, 10), 0.1)
    weight[2, 5] = -100.0
    found = rounded(graph(Readout(0.9, np.zeros(4)), weight))[1]["rounded-weights"]
    assert (found.limit, found.used) == (40, 31)
    assert "9 of them because of one weight, -100 from neuron 5 to neuron 2" in found.message


def test_many_large_weights_are_no_outlier() -> None:
    weight = np.where(np.arange(100).reshape(10, 10) % 2, 0.1, 100.0)
    found = rounded(graph(lif(10, threshold=20), weight))[1]["rounded-weights"]
    assert "50 of 100 weights from 'in' became 0" in found.message
    assert "one weight" not in found.message


def test_the_weights_of_each_tap_are_counted() -> None:
    constants, findings = rounded(graph(lif(4, threshold=20), np.full((4, 4), 100.0), tap=np.full(4, 0.1)))
    assert (constants["weights of in"].got, constants["weights of in[1]"].got) == (16, 0)
    assert "4 of 4 weights from 'in[1]' became 0" in findings["rounded-weights"].message


def test_pruned_weights_are_not_lost() -> None:
    weight = WEIGHT * (np.random.default_rng(0).random(WEIGHT.shape) < 0.5)
    constants, findings = rounded(graph(lif(), weight))
    assert constants["weights of in"].asked == constants["weights of in"].got == np.count_nonzero(weight)
    assert not findings
    assert not rounded(graph(lif(), np.zeros((3, 4))))[1]


def test_a_neuron_without_weights_does_not_coarsen_the_others() -> None:
    """Its sum is 0, whatever its scale: it once took the factors' bits."""
    weight = 1e-4 * WEIGHT
    weight[1] = 0
    constants, findings = rounded(graph(Readout(0.9, np.zeros(3)), weight))
    assert not findings
    got = quantise_with_units(graph(Readout(0.9, np.zeros(3)), weight))[0].nodes["layer"]
    assert got.multiplier.min() > 2**13  # type: ignore[union-attr]
    assert constants["weights of in"].off == 0


def test_neurons_whose_scale_is_lost_are_counted() -> None:
    weight = np.random.default_rng(1).normal(size=(5, 4)) * np.array([1, 1, 1, 1e-6, 1e-7])[:, None]
    constants, findings = rounded(graph(Readout(0.9, np.zeros(5)), weight))
    assert constants["scale of port a"].off == 1
    assert findings["rounded-scale"].message.startswith("layer 'layer': the weights into 2 of 5 neurons (port a)")
    assert findings["rounded-scale"].used == 2


# ---------------------------------------------------------------------------------------------- biases


def test_a_bias_that_an_outlier_zeroes_is_a_finding() -> None:
    outlier = WEIGHT.copy()
    outlier[0, 0] = 50_000.0
    constants, findings = rounded(graph(lif(threshold=500, bias=[0.9, 0.0, 1.2], decay=0.999), outlier))
    assert (constants["bias"].asked, constants["bias"].got, constants["bias"].off) == (pytest.approx(0.7), 0, 1)
    assert "bias is 100% off, 2 of 2 values became 0" in findings["rounded-bias"].message


def test_a_bias_that_makes_no_difference_is_none() -> None:
    """Rounded to nothing, but in ten time constants it would not lift the voltage by a hundredth of the threshold."""
    constants, findings = rounded(graph(lif(bias=1e-5)))
    assert constants["bias"].got == 0
    assert not findings


def test_one_small_bias_among_large_ones_is_no_finding() -> None:
    constants, findings = rounded(graph(lif(bias=[5.0, -4.0, 1e-4])))
    assert constants["bias"].off is not None
    assert constants["bias"].off < 0.01
    assert not findings


# ---------------------------------------------------------------------------------------------- the whole


@pytest.mark.parametrize("example", ["digits", "ecg"])
def test_the_examples_round_well(example: str) -> None:
    program = bim_neuro.compile(EXAMPLES / f"{example}.pt")
    assert not [finding for finding in program.findings if finding.rule.startswith("rounded")]
    assert len(program.constants) < 25
    assert max(constant.off or 0.0 for constant in program.constants) < 0.05


def test_it_measures_the_integers_and_not_the_intention() -> None:
    model = graph(lif())
    integer, units = quantise_with_units(model)
    soma, edge = integer.nodes["layer"], integer.edges[0]
    wrong = replace(soma, v_threshold=2 * soma.v_threshold, dv=0)  # type: ignore[type-var, union-attr]
    broken = replace(edge, synapse=Dense(0 * edge.synapse.weight))  # type: ignore[attr-defined]
    found = rounding(model, replace(integer, nodes={**integer.nodes, "layer": wrong}, edges=(broken,)), units)
    assert {f.rule for _, f in found if f} == {"rounded-decay", "rounded-threshold", "rounded-weights"}


def test_every_constant_is_json(tmp_path: Path) -> None:
    found = rounding(extreme := graph(lif(decay=1.0, bias=1e-12)), *quantise_with_units(extreme))
    assert all(isinstance(entry, Rounded) for entry in found)
    json.dumps([[constant.asked, constant.got, constant.off] for constant, _ in found], allow_nan=False)


def test_the_command_warns_and_strict_refuses(tmp_path: Path) -> None:
    model = graph(lif(decay=float(np.exp(-1e-4))), dt=1e-4)
    write_nir(model, tmp_path / "slow.nir")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).integers(0, 2, (2, 20, 4)) * 1.0, y=np.zeros(2, int))
    arguments = (tmp_path / "slow.nir", "--input", tmp_path / "x.npz", "-o", tmp_path / "out")
    plain = bim_compile(*arguments)
    assert plain.code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    [found] = [finding for finding in summary["findings"] if finding["rule"] == "rounded-decay"]
    assert found["message"] in plain.out
    assert found["hint"].split("?")[0] == "is tau in seconds"
    tau_row = next(row for row in summary["constants"] if row["constant"] == "tau")
    assert (tau_row["layer"], tau_row["asked"], tau_row["got"]) == ("layer", pytest.approx(1), None)
    assert (tau_row["unit"], tau_row["off"]) == ("s", None)
    strict = bim_compile(*arguments, "--strict")
    assert (strict.code, found["message"] in strict.err) == (3, True)
    checked = bim_compile(tmp_path / "slow.nir", "--check")
    assert (checked.code, found["message"] in checked.out) == (0, True)


def test_the_neuron_that_carries_a_bias_through_a_current_is_no_finding(tmp_path: Path) -> None:
    tau = {"tau_syn": np.full(3, 5e-3), "tau_mem": np.full(3, 2e-2), "v_leak": np.zeros(3), "w_in": np.ones(3)}
    layer = nir.CubaLIF(**tau, r=np.ones(3), v_threshold=np.ones(3))
    weight = nir.Affine(np.full((3, 4), 20.0, np.float32), np.full(3, 10.0, np.float32))
    ends = {"x": nir.Input({"input": np.array([4])}), "y": nir.Output({"output": np.array([3])})}
    edges = [("x", "weight"), ("weight", "layer"), ("layer", "y")]
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes={**ends, "weight": weight, "layer": layer}, edges=edges))
    spikes = np.random.default_rng(0).random((3, 7, 4)) < 0.5
    np.savez(tmp_path / "x.npz", x=spikes.astype(np.float32), layout="BTC")
    given = (tmp_path / "net.nir", "--dt", 1e-3, "--input", tmp_path / "x.npz", "-o", tmp_path / "out", "--strict")
    ended = bim_compile(*given)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["findings"] == []
    assert "layer.bias" in {layer["name"] for layer in summary["layers"]}
    assert ended.code == 0

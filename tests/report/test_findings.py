"""Findings: what speaks against the numbers of a run is in summary.json, in the terminal, and in the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import bim_compile, bim_report, save_input, save_model
from small_models import small_graphs

import bim_neuro
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import write_nir
from bim_neuro.nodes import LIF, Dense, Encoder, InputSeen, Readout, Source, fit_encoder
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.record import LayerCount, RunRecord, merge
from bim_neuro.report.findings import clipped_input, saturated_output, unused_classes
from bim_neuro.report.thresholds import Thresholds, missed
from bim_neuro.simulation.agreement import Agreement


def compiled(folder: Path, *arguments: object) -> tuple[dict[str, Any], Any]:
    """Compile into folder / 'out'; return its summary and how the command ended."""
    ended = bim_compile(*arguments, "-o", folder / "out")
    return json.loads((folder / "out" / "summary.json").read_text()), ended


def rules(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["rule"]: finding for finding in summary["findings"]}


def lif_file(folder: Path, weight: Array, bias: float = 0.0) -> Path:
    """Write a .nir of one LIF layer and a readout."""
    neurons, lines = weight.shape
    nodes = {
        "x": Source(lines, graded=False),
        "lif": LIF(neurons, 0.9, 1.0, np.full(neurons, bias)),
        "readout": Readout(0.9, np.zeros(3)),
    }
    out = np.random.default_rng(1).normal(size=(3, neurons))
    edges = (Edge("x", "lif", "i", Dense(weight)), Edge("lif", "readout", "a", Dense(out)))
    write_nir(FloatGraph(nodes, edges, 1e-3, Encoder("spikes", np.ones(lines), np.zeros(lines))), folder / "net.nir")
    return folder / "net.nir"


def spikes(folder: Path, rate: float = 0.3, lines: int = 5) -> Path:
    """Write spikes on all lines but the last, which stays silent."""
    x = np.random.default_rng(0).random((8, 40, lines)) < rate
    x[..., -1] = False
    np.savez(folder / "x.npz", x=x.astype(float), layout="BTC")
    return folder / "x.npz"


def test_a_layer_that_rounding_silences_does_not_agree(tmp_path: Path) -> None:
    """One outlier, on a line that never fires, sets the scale, and the weights that matter round to zero."""
    weight = np.full((6, 5), 0.3)
    weight[0, -1] = 1000.0
    arguments = (lif_file(tmp_path, weight), "--input", spikes(tmp_path, 0.1))
    summary, ended = compiled(tmp_path, *arguments, "--min-agreement", 0.98)
    row = next(row for row in summary["agreement"] if row["layer"] == "lif")
    assert (row["equal"], row["share"], row["rate_integer"]) == (0, 0.0, 0.0)
    assert row["of"] == round(row["rate_float"] * row["spike_slots"]) > 0
    assert ended.code == 3
    assert "layer 'lif' is silent in integers" in ended.err
    finding = rules(summary)["dying-layer"]
    assert (finding["layer"], finding["severity"], finding["limit"]) == ("lif", "warning", row["rate_float"])
    for text in (
        ended.out,
        (tmp_path / "out" / "report.html").read_text(),
        (tmp_path / "out" / "compile.log").read_text(),
    ):
        assert finding["message"] in text
    again = bim_report(tmp_path / "out")
    assert finding["message"] in again.out
    assert compiled(tmp_path, *arguments)[1].code == 0
    assert compiled(tmp_path, *arguments, "--strict")[1].code == 3


@pytest.mark.parametrize(
    ("scale", "bias", "rule"), [(0.02, 0.0, "dead-layer"), (0.3, 5.0, "always-on-layer")], ids=["dead", "always on"]
)
def test_a_layer_that_says_nothing_is_named(tmp_path: Path, scale: float, bias: float, rule: str) -> None:
    weight = scale * np.random.default_rng(2).random((6, 5))
    summary, ended = compiled(tmp_path, lif_file(tmp_path, weight, bias), "--input", spikes(tmp_path), "--strict")
    assert rules(summary)[rule]["layer"] == "lif"
    assert (ended.code, rules(summary)[rule]["message"] in ended.err) == (3, True)


def test_what_never_fired_is_not_shown_to_agree(tmp_path: Path) -> None:
    weight = 0.02 * np.ones((6, 5))
    summary, ended = compiled(
        tmp_path,
        lif_file(tmp_path, weight),
        "--input",
        spikes(tmp_path),
        "--min-agreement",
        0.5,
        "--verify",
        "reference",
    )
    assert {row["share"] for row in summary["agreement"]} == {None}
    assert ended.code == 3
    assert "layer 'lif' has no spikes to compare in either run, so --min-agreement 0.5 cannot be checked" in ended.err
    assert "layer 'readout' has no answers to compare" in ended.err
    assert "constant-output" in rules(summary)


def records(**messages: tuple[Array, Array]) -> tuple[RunRecord, RunRecord]:
    """Return a float and an integer run of the messages given by layer."""
    sides = [{f"{name.replace('_', '.')}.message": pair[side] for name, pair in messages.items()} for side in (0, 1)]
    samples, steps, _ = next(iter(messages.values()))[0].shape
    return tuple(RunRecord("", samples, steps, steps, {}, np.zeros(0), probes) for probes in sides)  # type: ignore[return-value]


def agreement(lif: tuple[Array, Array], readout: tuple[Array, Array]) -> dict[str, dict[str, Any]]:
    """Compare in two batches, as a long run is."""
    _, graph = small_graphs()
    found = Agreement()
    for part in (slice(1), slice(1, None)):
        pairs = {"block1_lif": lif, "readout": readout}
        found.add(graph, *records(**{name: (left[part], right[part]) for name, (left, right) in pairs.items()}))
    return {row["layer"]: row for row in found.rows({"block1.lif": 0, "readout": 10})}


def test_agreement_counts_the_spikes_that_either_run_fired() -> None:
    left, right = np.zeros((2, 50, 12)), np.zeros((2, 50, 12), dtype=int)
    left[0, :3, 0] = 1
    right[0, 1:5, 0] = 1  # two in common, five in all
    words = np.zeros((2, 50, 4))
    row = agreement((left, right), (words, words))["block1.lif"]
    assert (row["of"], row["equal"], row["share"], row["spike_slots"]) == (5, 2, 0.4, 1200)
    assert (row["rate_float"], row["rate_integer"]) == (3 / 1200, 4 / 1200)


def test_a_readout_agrees_in_answers_and_by_its_error() -> None:
    """The integers are the float values times 2^10, but one sample answers another class; one says nothing at all."""
    values = np.random.default_rng(0).normal(size=(4, 6, 4))
    values[3] = 0.0
    words = np.rint(values * 2**10).astype(np.int64)
    silent = np.zeros((4, 6, 12))
    row = agreement((silent, silent), (values, words))["readout"]
    assert (row["measure"], row["of"], row["equal"], row["share"]) == ("answers", 3, 3, 1.0)
    assert 0 < row["relative_rms"] < 1e-3
    words[0] = -words[0]
    row = agreement((silent, silent), (values, words))["readout"]
    assert (row["of"], row["equal"], row["share"]) == (3, 2, 2 / 3)
    assert row["relative_rms"] == pytest.approx(np.sqrt(((words / 2**10 - values) ** 2).sum() / (values**2).sum()))
    assert agreement((silent, silent), (values, 2 * words))["readout"]["relative_rms"] > 1


def test_a_readout_cut_off_is_far_from_float() -> None:
    values = np.linspace(-1, 1, 2 * 6 * 4).reshape(2, 6, 4)
    silent = np.zeros((2, 6, 12))
    cut = np.clip(np.rint(values * 2**10), -50, 50).astype(np.int64)
    assert agreement((silent, silent), (values, cut))["readout"]["relative_rms"] > 0.3


@pytest.mark.parametrize(("saturated", "severity"), [(1, "warning"), (6, "error")])
def test_a_saturated_output_is_as_severe_as_its_share_is_large(saturated: int, severity: str) -> None:
    """Of 2 samples x 7 steps x 4 classes."""
    _, graph = small_graphs()
    counts = {name: LayerCount.zeros(7) for name in graph.nodes}
    assert list(saturated_output(graph, RunRecord("", 2, 6, 7, counts, np.zeros((2, 4))))) == []
    counts["readout"].saturations[3] = saturated
    counts["block1.lif"].saturations[3] = 100  # another layer's words
    (found,) = saturated_output(graph, RunRecord("", 2, 6, 7, counts, np.zeros((2, 4))))
    assert (found.layer, found.used, found.severity) == ("readout", saturated, severity)
    assert f"in {saturated} of 56 values ({saturated / 56:.2%})" in found.message


def test_classes_that_are_never_predicted_are_named() -> None:
    _, graph = small_graphs()  # classes a to d
    y, floats, integers = np.repeat([0, 1, 2, 3], 3), np.repeat([0, 1, 2, 2], 3), np.repeat([0, 1, 1, 1], 3)
    (found,) = unused_classes(graph, floats, integers, y)
    assert found.message == "never predicted in integers: classes 'c', 'd' (6 samples, float predicts them 6 times)"
    assert (found.used, found.limit, found.severity) == (2, 0, "warning")
    (found,) = unused_classes(graph, floats, integers, None)
    assert "class 'c' (float predicts it 6 times)" in found.message
    assert list(unused_classes(graph, floats, floats, floats)) == []
    assert "rounding lost them" in found.hint
    (found,) = unused_classes(graph, integers, integers, np.repeat([0, 1, 2, 1], 3))
    assert found.message == "never predicted in integers: class 'c' (3 samples, float never predicts it either)"
    assert "the float model never predicts" in found.hint


def test_accuracy_stands_beside_that_of_the_most_frequent_class(tmp_path: Path) -> None:
    y = np.array([2, 2, 2, 2, 0, 1])
    summary, ended = compiled(tmp_path, save_model(tmp_path / "m.pt"), "--input", save_input(tmp_path / "x.npz", y=y))
    assert (summary["accuracy"]["majority"], summary["accuracy"]["majority_class"]) == (4 / 6, "c")
    assert "always 'c': 0.6667" in ended.out


def test_a_verification_says_how_many_messages_it_compared(tmp_path: Path) -> None:
    arguments = (save_model(tmp_path / "m.pt"), "--input", save_input(tmp_path / "x.npz"), "--verify", "reference")
    summary, ended = compiled(tmp_path, *arguments)
    check = summary["verify"]
    sent = sum(layer["spikes"] for layer in summary["layers"])
    rows = [row for row in check["layers"] if row["what"] == "message" and row["layer"] != "input"]
    assert sum(row["nonzero"] for row in rows) == sent > 0
    assert (
        check["messages"]
        == check["messages_equal"]
        == sum(row["nonzero"] for row in check["layers"] if row["what"] == "message")
    )
    assert f"reference: {check['messages']:,} of {check['messages']:,} messages, " in ended.out


# Input that the encoder cuts off.


@pytest.mark.parametrize("scale", [16, 1])
def test_input_on_another_scale_is_counted_shown_and_missed(tmp_path: Path, scale: int) -> None:
    model = save_model(tmp_path / "m.pt")  # takes -1 to 1
    x = np.random.default_rng(0).uniform(0, 1, (6, 8, 5)) * scale
    x[..., 4] = 0.5
    np.savez(tmp_path / "x.npz", x=x, layout="BTC")
    arguments = (model, "--input", tmp_path / "x.npz")
    summary, ended = compiled(tmp_path, *arguments)
    encoder = summary["encoder"]
    assert (encoder["low"], encoder["high"], encoder["values"]) == ([-1.0] * 5, [1.0] * 5, 48)
    assert encoder["clipped"] == [int((np.rint(x[..., channel] * 127) > 127).sum()) for channel in range(5)]
    assert encoder["seen_high"] == pytest.approx(x.max(axis=(0, 1)))
    assert ended.code == 0
    if scale == 1:
        assert "clipped-input" not in rules(summary)
        return
    found = rules(summary)["clipped-input"]
    assert found["used"] == max(encoder["clipped"]) / 48 > 0.9
    assert f"the model expects -1 to 1: divide by {x.max():.3g}?" in found["hint"]
    assert found["message"] in ended.out
    assert found["message"] in (tmp_path / "out" / "report.html").read_text()
    strict = compiled(tmp_path, *arguments, "--strict")[1]
    assert (strict.code, found["message"] in strict.err) == (3, True)


def test_the_python_api_tells_what_it_clipped(tmp_path: Path) -> None:
    program = bim_neuro.compile(save_model(tmp_path / "m.pt"))
    raw = np.full((2, 6, 5), 0.5)
    raw[1, 2, 3] = 1.5
    seen = program.run(raw).seen
    assert (seen.values, seen.clipped.tolist(), seen.high.tolist()) == (12, [0, 0, 0, 1, 0], [0.5, 0.5, 0.5, 1.5, 0.5])
    assert program.graph.encoder.clipped(raw).tolist() == seen.clipped.tolist()
    both = merge([program.run(raw), program.run(raw[:1])]).seen
    assert (both.values, both.clipped.sum(), both.high.max()) == (18, 1, 1.5)


def test_a_learning_stream_is_counted_too(tmp_path: Path) -> None:
    x = 20 * np.random.default_rng(0).uniform(-1, 1, (6, 8, 5))
    np.savez(tmp_path / "loud.npz", x=x, y=np.arange(6) % 4)
    test = save_input(tmp_path / "test.npz", y=np.arange(6) % 4)
    arguments = (save_model(tmp_path / "m.pt"), "--learn", "rtrl", "--set", "learn.samples=4")
    summary, _ = compiled(tmp_path, *arguments, "--input", tmp_path / "loud.npz", "--set", f"learn.test={test}")
    assert rules(summary)["clipped-input"]["message"].startswith("learning stream: ")
    assert not any(summary["encoder"]["clipped"])


def test_a_delta_encoder_counts_steps_in_which_it_falls_behind() -> None:
    encoder = Encoder("delta", gain=np.array([10.0, 10.0]), offset=np.zeros(2))
    raw = np.zeros((1, 6, 2))
    raw[0, 2:, 0] = 1.75  # seventeen thresholds at once: two steps in which sixteen events or more are due
    raw[0, 2:, 1] = 1.55
    assert encoder.clipped(raw).tolist() == [2, 0]
    (found,) = clipped_input(encoder, encoder.encode_and_see(raw)[1], "input")
    assert "channel 0 (33.3%)" in found.message
    assert "x is 1.6 or more away from the sum of its events" in found.hint


def test_a_delta_encoder_keeps_up_with_what_it_was_fitted_to_and_not_with_another_scale() -> None:
    raw = np.random.default_rng(0).normal(size=(20, 50, 2))
    encoder = fit_encoder("delta", raw)
    assert list(clipped_input(encoder, encoder.encode_and_see(raw)[1], "input")) == []
    (found,) = clipped_input(encoder, encoder.encode_and_see(16 * raw)[1], "input")
    assert found.rule == "clipped-input"


def test_spikes_are_never_clipped() -> None:
    encoder = Encoder("spikes", np.ones(3), np.zeros(3))
    raw = np.ones((2, 4, 3))
    assert encoder.clipped(raw).tolist() == [0, 0, 0]
    assert list(clipped_input(encoder, encoder.encode_and_see(raw)[1], "input")) == []


SEEN: dict[str, Callable[[], InputSeen]] = {
    "a few outliers": lambda: InputSeen(1000, np.array([10, 0]), np.array([-9.0, 0.0]), np.array([9.0, 1.0])),
    "nothing moves": lambda: InputSeen(1000, np.array([0, 0]), np.array([0.0, 0.0]), np.array([0.0, 0.0])),
}


@pytest.mark.parametrize("name", SEEN)
def test_input_that_is_as_expected_is_no_finding(name: str) -> None:
    encoder = Encoder("graded", gain=np.full(2, 127.0), offset=np.zeros(2))
    assert list(clipped_input(encoder, SEEN[name](), "input")) == []


def test_input_far_below_the_scale_is_a_finding() -> None:
    encoder = Encoder("graded", gain=np.full(2, 127 / 255), offset=np.zeros(2))
    seen = InputSeen(10, np.array([0, 0]), np.zeros(2), np.array([1.0, 0.5]))
    (found,) = clipped_input(encoder, seen, "input")
    assert found.rule == "small-input"
    assert "multiply by 255?" in found.hint


def test_a_long_run_s_kept_parts_hold_what_the_encoder_met(tmp_path: Path) -> None:
    from bim_neuro.jobs.shards import from_arrays, to_arrays

    raw = np.full((2, 6, 5), 2.0)
    record = bim_neuro.compile(save_model(tmp_path / "m.pt")).run(raw)
    kept = from_arrays(to_arrays(record, "integer"), "integer").seen
    assert (kept.values, kept.clipped.tolist(), kept.low.tolist()) == (12, [12] * 5, [2.0] * 5)


def test_no_threshold_passes_where_nothing_is_compared() -> None:
    found = {
        "target": "chip", "optimise": None, "verify": None, "expect": None, "learning": None,
        "layers": [], "findings": [],
        "cores": {"used": 1},
        "energy": {"energy_uj": {"value": None}, "dynamic_uj": {"value": None}},
        "latency": {"answer_us": {"value": None}},
        "agreement": [{"layer": "a", "measure": "spikes", "share": None, "rate_integer": 0.0, "rate_float": 0.0}],
    }  # fmt: skip
    summary = json.loads(json.dumps(found), object_hook=lambda keys: SimpleNamespace(**keys))
    wanted = Thresholds(min_agreement=0.1)
    assert len(missed(summary, wanted)) == 1
    assert missed(summary, Thresholds(min_agreement=0.0)) == ()

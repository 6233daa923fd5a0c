"""bim-compile --check: what the run would build, every finding at once, as JSON, and one meaning an exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from commands import bim_compile, content, save_input, save_model
from small_models import small_checkpoint

from bim_neuro.compilers.quantise import quantise
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.jobs import check as fit
from bim_neuro.nir_bridge.loops import MOST_LOOPS
from bim_neuro.nodes import LIF, Dense, Encoder, Source
from bim_neuro.nodes.arithmetic import Array

DT = 1e-3


def lif(size: int = 3, **changes: Any) -> nir.LIF:
    fields = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.LIF(**{key: np.full(size, value) for key, value in fields.items()})


def affine(rows: int, columns: int, weight: float = 0.5) -> nir.Affine:
    return nir.Affine(np.full((rows, columns), weight), np.zeros(rows))


def write(path: Path, nodes: dict[str, Any], edges: list[tuple[str, str]]) -> Path:
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    return path


def chain(path: Path, *nodes: Any, lines: int = 2, wide: int = 3) -> Path:
    named = {"in": nir.Input(np.array([lines])), **{f"n{i}": node for i, node in enumerate(nodes)}}
    named["out"] = nir.Output(np.array([wide]))
    return write(path, named, list(zip(named, list(named)[1:], strict=False)))


def spikes(path: Path, samples: int = 5, steps: int = 40, lines: int = 2, **arrays: Array) -> Path:
    x = np.random.default_rng(0).random((samples, steps, lines)) < 0.3
    np.savez(path, x=x.astype(np.float32), layout="BTC", **arrays)
    return path


def check(*arguments: object) -> tuple[int, dict[str, Any]]:
    ended = bim_compile(*arguments, "--check", "--json")
    assert "Traceback" not in ended.err
    return ended.code, json.loads(ended.out)


def rules(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding["rule"], finding["layer"]) for finding in found["findings"]]


@pytest.mark.parametrize("dt", [("--dt", DT), ()])
def test_all_that_is_wrong_with_a_graph_is_found_at_once(tmp_path: Path, dt: tuple[object, ...]) -> None:
    """Two loops, of two layers and of no neuron; four shapes, a node without input; times with a dt."""
    nodes = {
        "in": nir.Input(np.array([2])), "w": affine(3, 5), "a": lif(3), "back": affine(3, 3), "b": lif(3),
        "again": affine(3, 3), "conv": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "after": affine(4, 9), "c": lif(5), "alone": affine(4, 4), "sum": lif(4), "slow": lif(4, tau=1e-4),
        "late": nir.Delay(np.full(4, 0.0004)), "out": nir.Output(np.array([4])),
    }  # fmt: skip
    edges = [
        ("in", "w"), ("w", "a"), ("a", "b"), ("b", "back"), ("back", "a"), ("again", "again"), ("b", "b"),
        ("b", "conv"), ("conv", "after"), ("after", "c"), ("alone", "sum"), ("a", "sum"), ("sum", "slow"),
        ("slow", "late"), ("late", "out"),
    ]  # fmt: skip
    code, found = check(write(tmp_path / "g.nir", nodes, edges), *dt)
    timed = [("time-constant", "slow"), ("delay", "late")] if dt else []
    assert code == 1
    assert sorted(rules(found)) == sorted(
        [
            ("shape", "conv"), ("loop", "a"), ("loop", "again"), ("shape", "w"), ("shape", "c"),
            ("shape", "sum"), ("no-input", "alone"), *timed,
        ]
    )  # fmt: skip
    said = {(f["rule"], f["layer"]): f["message"] for f in found["findings"]}
    assert said["shape", "w"] == "node 'w' (Affine) takes 5 values, it receives 2"
    assert said["shape", "sum"] == "node 'sum' (LIF) adds 4 values of 'alone' and 3 of 'a'"
    assert said["shape", "c"] == "node 'c' (LIF): tau, r, v_leak, v_threshold, v_reset have 5 values, its input has 4"
    assert not found["fits"]
    assert "the limits of loihi2: the model could not be quantised" in found["unchecked"]


def test_a_run_refuses_the_same_with_the_same_words(tmp_path: Path) -> None:
    path = chain(tmp_path / "g.nir", affine(3, 5), lif(4))
    _, found = check(path, "--dt", DT)
    ended = bim_compile(path, "--dt", DT, "--input", spikes(tmp_path / "x.npz"), "--json", "-o", tmp_path / "out")
    assert ended.code == 1
    assert json.loads(ended.out)["findings"] == found["findings"]
    assert len(found["findings"]) == 2
    assert [f"does not fit: {finding['message']}" for finding in found["findings"]] == ended.errors
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [".bim-compile.json", "report.html"]


def test_of_a_knot_some_loops_are_named(tmp_path: Path) -> None:
    nodes = {"in": nir.Input(np.array([2])), **{f"n{i}": lif(2) for i in range(8)}, "out": nir.Output(np.array([2]))}
    between = [(f"n{i}", f"n{j}") for i in range(8) for j in range(8) if i != j]
    _, found = check(write(tmp_path / "g.nir", nodes, [("in", "n0"), ("n7", "out"), *between]), "--dt", DT)
    assert [rule for rule, _ in rules(found)] == ["loop"] * MOST_LOOPS


@pytest.mark.parametrize("missing", ["in", "out"])
def test_a_graph_without_input_or_output_is_a_finding(tmp_path: Path, missing: str) -> None:
    nodes = {"in": nir.Input(np.array([2])), "w": affine(3, 2), "a": lif(), "out": nir.Output(np.array([3]))}
    edges = [("in", "w"), ("w", "a"), ("a", "out")]
    del nodes[missing]
    path = write(tmp_path / "g.nir", nodes, [edge for edge in edges if missing not in edge])
    code, found = check(path, "--dt", DT)
    kind = {"in": "Input", "out": "Output"}[missing]
    assert code == 1
    assert f"the graph needs exactly one {kind} node, it has 0: none" in [f["message"] for f in found["findings"]]


def test_layers_that_no_integers_hold_are_found_together() -> None:
    lifs = [LIF(2, 0.5, v_threshold=1e9, bias=np.zeros(2)), LIF(2, 0.5, v_threshold=1.0, bias=np.full(2, 1e6))]
    nodes = {"input": Source(2, graded=False), "a": lifs[0], "b": lifs[1]}
    edges = tuple(Edge(s, t, "i", Dense(np.ones((2, 2)))) for s, t in (("input", "a"), ("a", "b")))
    with pytest.raises(DoesNotFit) as refusal:
        quantise(FloatGraph(nodes, edges, DT, Encoder("spikes", np.ones(2), np.zeros(2))))
    assert [finding.layer for finding in refusal.value.findings] == ["a", "b"]


def test_what_was_only_worth_a_warning_stands_beside_what_refuses(tmp_path: Path) -> None:
    """A tau of 10 s at 1 ms has no leak left in 12 bits; on ODIN, which holds messages of no payload, no net fits."""
    model = chain(tmp_path / "g.nir", affine(3, 2), lif(tau=10.0, r=1000.0))
    arguments = (model, "--dt", DT, "--target", "odin")
    code, found = check(*arguments)
    severities = {finding["rule"]: finding["severity"] for finding in found["findings"]}
    assert (code, found["fits"]) == (1, False)
    assert severities["rounded-decay"] == "warning"
    assert "error" in severities.values()
    ended = bim_compile(*arguments, "--input", spikes(tmp_path / "x.npz"), "-o", tmp_path / "out")
    assert ended.code == 1
    assert "warning: layer 'n1': tau of 10 s is 10,000 steps" in ended.err
    assert ended.err.startswith("does not fit:")


def test_what_an_importer_does_not_play_is_a_warning_that_strict_refuses(tmp_path: Path) -> None:
    model = chain(tmp_path / "g.nir", affine(3, 2), nir.LI(*(np.full(3, v) for v in (0.01, 1.0, 0.0))))
    asked = (model, "--dt", DT, "--set", "nir.for=snntorch")
    code, found = check(*asked)
    assert (code, ("nir-importer", "n1") in rules(found)) == (0, True)
    assert check(*asked, "--strict")[0] == 3
    assert "nir-importer" not in {rule for rule, _ in rules(check(model, "--dt", DT)[1])}


def test_given_input_calibrates_a_check_as_it_does_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = chain(tmp_path / "g.nir", affine(3, 2), nir.LI(*(np.full(3, v) for v in (0.01, 1.0, 0.0))))
    samples, taken = spikes(tmp_path / "x.npz", samples=50), []
    code, bare = check(path, "--dt", DT)
    assert (code, rules(bare)) == (0, [("range", "n1")])
    assert bare["unchecked"][0].startswith("ranges of n1: bounds are used")
    monkeypatch.setattr(fit, "to_run", lambda *a, to_run=fit.to_run: taken.append(to_run(*a)) or taken[-1])
    assert check(path, "--dt", DT, "--input", samples, "--steps", 9)[1]["findings"] == []
    assert check(path, "--dt", DT, "--input", samples, "--samples", 3)[0] == 0
    assert [chosen.data.x.shape for chosen in taken] == [(32, 9, 2), (3, 40, 2)]
    assert bim_compile(path, "--dt", DT, "--input", samples, "--check", "--strict").code == 0
    strict = bim_compile(path, "--dt", DT, "--check", "--strict")
    assert strict.code == 3
    assert "strict: the ranges of n1 were not measured" in strict.err


def test_cores_are_held_to_what_was_allowed(tmp_path: Path) -> None:
    model = save_model(tmp_path / "m.pt", small_checkpoint(channels=4000, states=1, taps=1))
    _, found = check(model)
    used = found["cores"]["used"]
    assert used > 1
    assert check(model, "--max-cores", used)[0] == 0
    code, found = check(model, "--max-cores", used - 1)
    assert (code, found["fits"], found["missed"]) == (3, True, [f"{used} cores, wanted at most {used - 1}"])


def test_a_rule_that_has_no_place_is_a_finding_of_the_check(tmp_path: Path) -> None:
    model = save_model(tmp_path / "m.pt")
    samples = save_input(tmp_path / "x.npz", 20, y=np.arange(20) % 4)
    learn = ("--learn", "rtrl", "--set", "learn.placement=tags")
    code, found = check(model, "--input", samples, *learn)
    run = bim_compile(model, "--input", samples, *learn, "-o", tmp_path / "out")
    assert (code, run.code) == (1, 1)
    assert [f"does not fit: {finding['message']}" for finding in found["findings"]] == run.errors
    assert check(model, "--input", samples, "--learn", "rtrl")[0] == 0
    _, bare = check(model, *learn)
    assert bare["unchecked"][0].startswith("trace placement of --learn rtrl")


def test_what_takes_a_run_is_listed_as_unchecked(tmp_path: Path) -> None:
    model = save_model(tmp_path / "m.pt")
    _, found = check(model, "--optimise", "latency")
    assert [line.split(":")[0] for line in found["unchecked"]] == [
        "the placement that --optimise latency chooses",
        "agreement with float, saturated values, clipped input, energy and latency",
    ]
    shown = bim_compile(model, "--check").out
    assert "unchecked: agreement" in shown
    assert set(content(tmp_path)) == {"m.pt"}


@pytest.mark.parametrize("options", [("--check",), ("--input", "x.npz"), ("--self-test",)])
def test_an_unreadable_file_is_json_too(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Exit 2: nothing is known of the model."""
    (tmp_path / "damaged.nir").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    ended = bim_compile(tmp_path / "damaged.nir", *options, "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["findings"]) == (2, [])
    assert told["error"]["exit_code"] == 2
    assert ended.errors == [f"error: {told['error']['message']}"]
    assert bim_compile(tmp_path / "damaged.nir", *options).out == ""


def test_a_missing_dt_is_a_matter_of_the_command(tmp_path: Path) -> None:
    code, found = check(chain(tmp_path / "g.nir", affine(3, 2), lif()))
    assert code == 2
    assert "--dt SECONDS" in found["error"]["hint"]


AFTER_A_RUN = {
    *("dead-layer", "dying-layer", "spurious-layer", "always-on-layer", "constant-output", "saturated-output"),
    *("unused-class", "silent-verification", "not-verified", "framework", "expect-silent", "expect-integers"),
}
"""Rules of findings that need a run."""


@pytest.mark.parametrize("kind", ["spikes", "graded", "counts"])
def test_a_check_finds_all_that_a_run_finds_but_for_its_results(tmp_path: Path, kind: str) -> None:
    """A decay that rounds away, another dt and, of counts, input that is cut off."""
    model = chain(tmp_path / "g.nir", affine(3, 2), lif(tau=10.0, r=1000.0))
    x = np.random.default_rng(0).random((5, 20, 2)) < 0.3
    scale = 300 if kind == "counts" else 1
    np.savez(tmp_path / "x.npz", x=x.astype(np.float32) * scale, layout="BTC", dt=2 * DT)
    asked = (model, "--dt", DT, "--encoder", kind, "--input", tmp_path / "x.npz")
    code, found = check(*asked)
    run = json.loads(bim_compile(*asked, "--json", "-o", tmp_path / "out").out)
    before = [finding for finding in run["findings"] if finding["rule"] not in AFTER_A_RUN]
    assert (code, found["findings"]) == (0, before)
    assert {"input-dt", "rounded-decay"} <= {finding["rule"] for finding in before}
    assert ("clipped-input" in {finding["rule"] for finding in before}) == (kind == "counts")
    assert found["unchecked"] == ["agreement with float, saturated values, energy and latency: they need a run"]
    assert set(found["assumptions"]) <= set(run["assumptions"]) | {found["assumptions"][0]}


def test_a_check_holds_a_recording_against_the_layers(tmp_path: Path) -> None:
    model = chain(tmp_path / "g.nir", affine(3, 2), lif())
    samples = spikes(tmp_path / "x.npz", out=np.zeros((5, 40, 3)), spk__n1=np.zeros((5, 40, 3)))
    code, found = check(model, "--dt", DT, "--expect", samples)
    assert (code, found["unchecked"][0]) == (0, "the bins that differ from --expect: they need a run")
    wrong = bim_compile(model, "--dt", DT, "--check", "--expect", spikes(tmp_path / "x.npz"))
    assert (wrong.code, "has no array 'out'" in wrong.err) == (2, True)


def test_every_fault_of_the_values_is_in_one_refusal(tmp_path: Path) -> None:
    nodes = {"in": nir.Input(np.array([2])), "w": affine(3, 2), "a": lif(tau=np.nan), "b": lif(v_threshold=np.inf),
             "out": nir.Output(np.array([3]))}  # fmt: skip
    path = write(tmp_path / "g.nir", nodes, list(zip(nodes, list(nodes)[1:], strict=False)))
    ended = bim_compile(path, "--dt", DT, "--check")
    assert ended.code == 2
    for words in ("3 of 3 values of 'a.tau' are not finite", "3 of 3 values of 'b.v_threshold' are not finite"):
        assert words in ended.err

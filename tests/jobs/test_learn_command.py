"""bim-compile --learn: a stream in, integer weights changed, a report, and a model that compiles again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
from commands import ROOT, bim_compile, content, save_model
from learn_runs import SCHEMA, easy_stream, learn
from small_models import small_checkpoint

from bim_neuro.compilers.artefact import load_artefact
from bim_neuro.errors import InputError
from bim_neuro.nir_bridge import read_nir
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.report.findings import costly_learning
from bim_neuro.tasks import load_task

GROUPS = {"w_u", "w_dt", "w_b", "w_c", "w_o"}


FROM_RANDOM = ("--set", "learn.rate=0.2")
"""The models of these tests begin with random weights; the default is for trained ones."""


def test_learning_changes_integer_weights_and_says_so(tmp_path: Path) -> None:
    code, summary, _ = learn(tmp_path, "--learn", "rtrl", "--set", "learn.samples=200", "--samples", 120, *FROM_RANDOM)
    learning = summary["learning"]
    assert code == 0
    jsonschema.validate(summary, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert learning["accuracy_after"] > max(0.9, learning["accuracy_before"] + 0.3)
    assert learning["updates"] == sum(group["visited"] for group in learning["groups"].values())
    synapses = {"w_u": 12 * 5, "w_dt": 12 * 5, "w_b": 3 * 5, "w_c": 3 * 5, "w_o": 4 * 12}
    assert {group: row["visited"] for group, row in learning["groups"].items()} == {
        group: 200 * count for group, count in synapses.items()
    }
    assert summary["samples"] == 120
    assert summary["accuracy"]["integer"] == learning["accuracy_after"]


def test_the_price_of_learning_is_counts_times_prices(tmp_path: Path) -> None:
    _, summary, _ = learn(tmp_path, "--learn", "rtrl", "--set", "learn.samples=40")
    assert {row["constant"] for row in summary["constants"]} >= {"tau", "threshold", "weights of block1.lif"}
    learning = summary["learning"]
    updates = learning["updates"] / 40 * 120
    passes = learning["trace_words"] * 8 * 1.7 * 81
    assert learning["energy_events"]["updates"]["value"] == pytest.approx(updates)
    assert learning["energy_events"]["traces"]["value"] == pytest.approx(passes)
    assert learning["energy_pj"]["value"] == pytest.approx(updates + passes)
    dynamic = summary["energy"]["dynamic"]["value"]
    assert learning["energy_share"] == pytest.approx((updates + passes) / (updates + passes + dynamic))


def test_what_was_learnt_is_in_the_artefact_and_in_a_nir_file_that_compiles_again(tmp_path: Path) -> None:
    options = ("--set", "learn.samples=200", "--set", "learn.seed=3", "--samples", 120)
    _, first, _ = learn(tmp_path, "--learn", "hybrid", *options)
    assert bim_compile(tmp_path / "out" / "model.bimn", "--self-test").code == 0
    model, stream = tmp_path / "out" / "model.nir", tmp_path / "stream.npz"
    again = bim_compile(model, "--input", stream, "--samples", 120, "--json", "-o", tmp_path / "again")
    accuracy = json.loads(again.out)["accuracy"]["integer"]
    assert again.code == 0
    assert accuracy == pytest.approx(first["learning"]["accuracy_after"], abs=0.05)  # scales are chosen anew


def test_the_description_of_plasticity_travels_in_nir_and_can_be_used_from_there(tmp_path: Path) -> None:
    names = ("samples=20", "seed=7", "bits=9", "synapses=w_u,w_o")
    options = [word for name in names for word in ("--set", f"learn.{name}")]
    learn(tmp_path, "--learn", "hybrid", *options)
    graph = read_nir(tmp_path / "out" / "model.nir")
    wanted = Plasticity(rule="hybrid", seed=7, trace_bits=9, synapses=("w_u", "w_o"))
    assert Plasticity.from_dict(graph.extra["plasticity"]) == wanted
    assert graph.extra["plastic_nodes"] == {
        "block1.u": {"port": "a", "synapses": "w_u"},
        "readout": {"port": "a", "synapses": "w_o"},
    }
    (tmp_path / "again").mkdir()
    model = (tmp_path / "out" / "model.nir").rename(tmp_path / "model.nir")
    code, summary, _ = learn(tmp_path / "again", "--learn", "described", "--set", "learn.samples=20", model=model)
    assert code == 0
    assert Plasticity.from_dict(summary["learning"]["plasticity"]) == wanted


def test_the_same_seed_learns_the_same_integers_and_another_does_not(tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> list[bytes]:
        (tmp_path / name).mkdir()
        learn(tmp_path / name, "--learn", "rtrl", "--set", "learn.samples=30", "--set", f"learn.seed={seed}")
        graph = load_artefact(tmp_path / name / "out" / "model.bimn").graph
        return [edge.synapse.weight.tobytes() for edge in graph.edges if edge.synapse.kind == "dense"]  # type: ignore[attr-defined]

    first = weights("a", 1)
    assert weights("b", 1) == first
    assert weights("c", 2) != first


def test_only_the_synapses_asked_for_change(tmp_path: Path) -> None:
    _, summary, _ = learn(tmp_path, "--learn", "rtrl", "--set", "learn.synapses=w_o", "--set", "learn.samples=30")
    assert set(summary["learning"]["groups"]) == {"w_o"}


def test_pruning_while_learning_reaches_the_share_asked_for(tmp_path: Path) -> None:
    shares = {}
    for wanted in (0, 0.5, 0.8):
        folder = tmp_path / str(wanted)
        folder.mkdir()
        _, summary, _ = learn(folder, "--learn", "rtrl", "--set", "learn.samples=300", "--set", f"learn.prune={wanted}")
        groups = summary["learning"]["groups"]
        shares[wanted] = {group: row["sparsity"] for group, row in groups.items()}
    assert all(share < 0.15 for share in shares[0].values())
    for wanted in (0.5, 0.8):
        assert shares[wanted] == pytest.approx(dict.fromkeys(GROUPS, wanted), abs=0.1)  # w_b and w_c are 15 weights


@pytest.mark.parametrize("rule", ["stdp", "s-tllr", "three-factor"])
def test_every_rule_runs(tmp_path: Path, rule: str) -> None:
    code, summary, _ = learn(tmp_path, "--learn", rule, "--set", "learn.samples=60")
    assert code == 0
    changed = {group for group, row in summary["learning"]["groups"].items() if row["changed"]}
    assert changed == {"stdp": {"w_u", "w_o"}, "s-tllr": GROUPS, "three-factor": {"w_o"}}[rule]


def test_two_blocks_learn_in_the_upper_one_only(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.pt", small_checkpoint(blocks=2))
    code, summary, _ = learn(tmp_path, "--learn", "rtrl", "--set", "learn.samples=30", model=model)
    layers = {row["layer"] for row in summary["learning"]["groups"].values()}
    assert code == 0
    assert layers == {"block2.u", "block2.scan", "block2.B", "block2.C", "readout"}


def test_more_states_than_tags_are_refused_by_name(tmp_path: Path) -> None:
    code, _, err = learn(tmp_path, "--learn", "rtrl", "--set", "learn.placement=tags")
    assert code == 1
    assert "layer 'block1.scan' has 3 states a channel, a tag of the learning engine holds 1" in err
    assert "hint: --set learn.placement=neurons" in err
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [".bim-compile.json", "report.html"]


def test_traces_on_the_host_take_no_core(tmp_path: Path) -> None:
    code, summary, _ = learn(tmp_path, "--learn", "rtrl", "--set", "learn.samples=20", "--set", "learn.placement=host")
    assert code == 0
    assert summary["learning"]["placement"] == "host"
    assert summary["learning"]["trace_cores"] == 0


def test_an_option_of_learning_without_learning_is_refused(tmp_path: Path) -> None:
    model, stream = save_model(tmp_path / "model.pt"), easy_stream(tmp_path / "stream.npz")
    ended = bim_compile(model, "--input", stream, "-o", tmp_path / "out", "--set", "learn.rate=0.1")
    assert (ended.code, ended.errors) == (2, ["error: learn.rate has no effect without --learn"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--set", "learn.bits=1"), "learn.bits is 1, allowed: a whole number from 2 to 24; default: 12"),
        (("--set", "learn.rate=-1"), "learn.rate is -1, allowed: a number from 0 to 1e+06; default: 0.05"),
        (("--set", "learn.synapses=w_x"), "plasticity: no synapses 'w_x'"),
        (("--set", "learn.synapses="), "plasticity: no synapses ''"),
        (("--learn", "described"), "describes no plasticity"),
    ],
)
def test_wrong_requests_are_refused_before_any_work(tmp_path: Path, options: tuple[object, ...], line: str) -> None:
    before = content(tmp_path)
    model, stream = save_model(tmp_path / "model.pt"), easy_stream(tmp_path / "stream.npz")
    ended = bim_compile(model, "--input", stream, "-o", tmp_path / "out", "--learn", "rtrl", *options)
    assert ended.code == 2
    assert line in " ".join(ended.err.split())
    assert set(content(tmp_path)) == {*before, "model.pt", "stream.npz"}


def test_a_stream_without_labels_or_with_wrong_ones_is_refused(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.pt")
    x = np.zeros((4, 8, 5))
    for name, arrays, line in (
        ("unlabelled", {}, "has no array 'y', and learning needs labels"),
        ("strange", {"y": np.array([0, 1, 2, 9])}, "labels run from 0 to 9, the model has 4 classes"),
    ):
        file = tmp_path / f"{name}.npz"
        np.savez(file, x=x, **arrays)  # type: ignore[arg-type]
        ended = bim_compile(model, "--input", file, "-o", tmp_path / "out", "--learn", "rtrl")
        assert (ended.code, "Traceback" in ended.err) == (2, False)
        assert line in ended.err


def shifted(folder: Path) -> tuple[Path, Path]:
    """Teach a model easy samples on the chip; return it, and a stream in which each class has the line beside."""
    model, easy = save_model(folder / "model.pt"), easy_stream(folder / "easy.npz")
    first = ("--learn", "rtrl", "--set", "learn.samples=300", *FROM_RANDOM)
    assert bim_compile(model, "--input", easy, *first, "-o", folder / "first").code == 0
    stream = easy_stream(folder / "stream.npz", seed=1)
    with np.load(stream) as arrays:
        x, y = arrays["x"], arrays["y"]
    np.savez(stream, x=np.roll(x, 1, axis=2), y=y)
    return (folder / "first" / "model.nir").rename(folder / "trained.nir"), stream


def test_without_a_rate_a_trained_model_learns_at_the_safe_one(tmp_path: Path) -> None:
    _, summary, _ = learn(tmp_path, "--learn", "rtrl", "--set", "learn.samples=10")
    assert summary["learning"]["plasticity"]["rate"] == Plasticity().rate == 0.05
    (tmp_path / "b").mkdir()
    _, summary, _ = learn(tmp_path / "b", "--learn", "rtrl", "--set", "learn.samples=10", *FROM_RANDOM)
    assert summary["learning"]["plasticity"]["rate"] == 0.2


def test_learning_that_lowered_accuracy_is_a_finding(tmp_path: Path) -> None:
    """What the easy stream taught is lost when the lines are swapped: measured on the easy samples, accuracy falls."""
    model, stream = shifted(tmp_path)
    arguments = ("--learn", "rtrl", "--set", "learn.samples=300", "--set", "learn.rate=1.0")
    arguments += ("--set", f"learn.test={tmp_path / 'easy.npz'}")
    ended = bim_compile(model, "--input", stream, *arguments, "--json", "-o", tmp_path / "out")
    summary = json.loads(ended.out)
    learning = summary["learning"]
    found = {finding["rule"]: finding for finding in summary["findings"]}
    assert learning["accuracy_after"] < learning["accuracy_before"]
    assert found["learning-lowered"]["severity"] == "warning"
    assert (found["learning-lowered"]["used"], found["learning-lowered"]["limit"]) == (
        learning["accuracy_after"], learning["accuracy_before"],
    )  # fmt: skip
    assert "learn.rate" in found["learning-lowered"]["hint"]
    assert bim_compile(model, "--input", stream, *arguments, "--strict", "-o", tmp_path / "out").code == 3


@pytest.mark.parametrize(
    ("after", "old_after", "rules"),
    [
        (0.8, 0.9, []), (0.8, 0.7, []), (0.6, 0.7, ["learning-forgot"]), (0.5, 0.95, []),
        (0.5, 0.9, ["learning-forgot"]), (0.4, 0.96, ["learning-lowered"]), (0.8, None, []),
        (0.4, 0.9, ["learning-lowered", "learning-forgot"]),
    ],
)  # fmt: skip
def test_what_was_forgotten_is_held_against_what_was_gained(
    after: float, old_after: float | None, rules: list[str]
) -> None:
    """Before: .5 on new data, .95 on the old."""
    learning = {
        "accuracy_before": 0.5, "accuracy_after": after, "old_before": 0.95, "old_after": old_after,
        "measured_on": "new.npz",
        "forgotten": None if old_after is None else 0.95 - old_after, "others": {"digits": {}},
        "plasticity": {"rate": 0.2},
    }  # fmt: skip
    assert [finding.rule for finding in costly_learning(SimpleNamespace(**learning))] == rules
    assert list(costly_learning(None)) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_of_the_docs_gives_their_number(tmp_path: Path) -> None:
    """Digits with their rows in another order: .402 before, .833 after, the old data .972 to .839 (docs/onchip.md)."""
    task, order = load_task("digits"), np.random.default_rng(0).permutation(8)
    for name, data in (("stream", task.train), ("test", task.test)):
        np.savez(tmp_path / f"{name}.npz", x=data.x[:, order], y=data.y, layout="BTC")
    test = ("--set", f"learn.test={tmp_path}/test.npz")
    asked = ("--learn", "rtrl", "--input", tmp_path / "stream.npz", *test, "--json")
    ended = bim_compile(ROOT / "examples" / "digits.pt", *asked, "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    learning = json.loads(ended.out)["learning"]
    assert learning["accuracy_before"] == pytest.approx(0.402, abs=0.1)  # that of five orders
    assert learning["accuracy_after"] == pytest.approx(0.833, abs=0.04)
    assert learning["old_after"] == pytest.approx(0.839, abs=0.06)
    assert learning["forgotten"] == pytest.approx(learning["old_before"] - learning["old_after"])
    assert learning["accuracy_after"] - learning["accuracy_before"] > learning["forgotten"] > 0
    text = (tmp_path / "out" / "summary.txt").read_text()
    assert f"({learning['forgotten']:.4f} forgotten)" in text
    assert "learning-" not in {finding["rule"][:9] for finding in json.loads(ended.out)["findings"]}


def test_learning_needs_a_threshold_to_measure_from(tmp_path: Path) -> None:
    checkpoint = small_checkpoint()
    state = checkpoint.state | {"blocks.0.log_threshold": checkpoint.state["blocks.0.log_threshold"] - 40}
    model = save_model(tmp_path / "model.pt", replace(checkpoint, state=state))
    code, _, err = learn(tmp_path, "--learn", "rtrl", model=model)
    assert code == 1
    assert "layer 'block1.lif' has a threshold of 0 (" in err


@pytest.mark.parametrize(("old", "new"), [("engine", "tags"), ("process", "neurons"), ("host", "host")])
def test_a_placement_of_an_older_file_still_loads(old: str, new: str) -> None:
    stored = Plasticity(rule="rtrl").as_dict() | {"placement": old}
    assert Plasticity.from_dict(stored).placement == new


def test_an_old_name_of_a_placement_is_no_new_one() -> None:
    with pytest.raises(InputError, match="placement 'engine' is unknown"):
        Plasticity(placement="engine")

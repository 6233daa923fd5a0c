"""The first samples of learning on the chip are played on Lava too: all is equal, a fault convicted, all of it told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
from learn_runs import SCHEMA, learn
from plastic_models import Case, plastic_case

from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.compilers.plasticity.circuit import engine_learner
from bim_neuro.compilers.to_lava.plasticity import lessons
from bim_neuro.compilers.to_lava.plasticity.lessons import LESSONS, verify_learning
from bim_neuro.hardware import load_profile
from bim_neuro.nodes import Scan
from bim_neuro.plasticity.learning_engine.learner import EngineLearner
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.report.models.learning import LearningVerification, LearntAlike
from bim_neuro.report.thresholds import _lessons

LOIHI2 = load_profile("loihi2")


def unequal(check: dict[str, Any]) -> dict[str, int]:
    return {row["what"]: row["values"] - row["equal"] for row in check["rows"] if row["values"] != row["equal"]}


def compared(check: dict[str, Any]) -> dict[str, int]:
    return {row["what"]: row["values"] for row in check["rows"]}


@pytest.mark.lava
@pytest.mark.parametrize(
    "rule", ["hybrid", *(pytest.param(rule, marks=pytest.mark.slow) for rule in ("rtrl", "s-tllr", "stdp"))]
)
def test_lessons_of_the_trace_process_equal_lava(rule: str) -> None:
    case = plastic_case(4, samples=6, steps=10, channels=5, states=2, rule=rule, rate=2.0, stdp_rate=1.0, sparsity=0.2)
    learner = TraceLearner(case.block)
    learner.prepare(case.x, case.y)
    check = verify_learning(learner, case.x, case.y)
    assert unequal(check) == {}
    synapses = sum(weight.size for weight in case.block.weights().values())
    assert (check["samples"], check["synapses"], check["left_out"]) == (LESSONS, "ours", "")
    assert compared(check) == {
        "trace words": LESSONS * case.block.process.words(5),
        "weights": (LESSONS + 1) * synapses,
        "spikes": LESSONS * 10 * 5,
        "answers": LESSONS * 4,
    }
    assert any((learner.weights[group] != weight).any() for group, weight in case.block.weights().items())
    assert learner.heard is not None
    assert learner.heard.spikes.any()


@pytest.fixture(scope="module")
def spiking() -> Case:
    """One state and one tap, as the learning engine can follow, without the skip that a tag leaves out."""
    case = plastic_case(2, samples=8, steps=12, spiking=True, channels=6, states=1, taps=1)
    scan = case.reference.nodes["block1.scan"]
    assert isinstance(scan, Scan)
    nodes = {**case.reference.nodes, "block1.scan": replace(scan, d_skip=np.full(6, 1e-3))}
    return replace(case, reference=replace(case.reference, nodes=nodes))


def engine(case: Case, **plasticity: Any) -> EngineLearner:
    request = Plasticity(**plasticity)
    block = plastic_block(case.reference, request, case.x)
    return engine_learner(case.reference, block, LOIHI2, case.x, case.y, mode="lava")


RULES: dict[str, dict[str, Any]] = {
    "both projections by tags": {"rule": "rtrl", "rate": 0.4},
    "the readout alone": {"rule": "three-factor", "rate": 0.4},
    "w_u alone, by pairs": {"rule": "stdp", "stdp_rate": 2.0, "synapses": ("w_u",)},
    "an epoch of two steps": {"rule": "hybrid", "rate": 0.4, "stdp_rate": 6.0, "epoch": 2},
}


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_lessons_of_the_learning_engine_equal_lavas_own_synapses(spiking: Case, name: str) -> None:
    learner = engine(spiking, **RULES[name])
    plastic = {group: np.array(synapses.weights) for group, synapses in learner.plastic.items()}
    steps = LESSONS * (len(learner.gate(12)) + learner.gap)
    check = verify_learning(learner, spiking.x, spiking.y)
    assert unequal(check) == {}
    assert (check["samples"], check["synapses"]) == (LESSONS, "Lava's")
    words = sum(weight.size for weight in plastic.values())
    lines = sum(2 * weight.shape[1] + 3 * weight.shape[0] for weight in plastic.values())
    expected = {"weights": words, "tags": words, "trace words": lines, "spikes": 6}
    assert compared(check) == {
        what: steps * count for what, count in (expected | ({"errors": 4} if "w_o" in plastic else {})).items()
    }
    assert any((learner.plastic[group].weights != weight).any() for group, weight in plastic.items())


@pytest.mark.lava
@pytest.mark.slow
def test_lava_convicts_lessons_with_a_fault(spiking: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Lava learns has weights of w_o that are one larger, two of its words."""

    def other(learner: EngineLearner, *arguments: Any, **options: Any) -> Any:
        assert learner.readout is not None
        before = learner.readout.weights
        learner.readout.weights = before + 2
        try:
            return learn_by_engine(learner, *arguments, **options)
        finally:
            learner.readout.weights = before

    learn_by_engine = lessons.learn_by_engine
    monkeypatch.setattr(lessons, "learn_by_engine", other)
    check = verify_learning(engine(spiking, **RULES["the readout alone"]), spiking.x[:1], spiking.y[:1])
    assert unequal(check)["weights"] > 0
    assert "spikes" not in unequal(check)


@pytest.mark.lava
@pytest.mark.slow
def test_learn_with_verify_says_what_of_the_learning_was_compared(tmp_path: Path) -> None:
    options = ("--set", "learn.samples=40", "--samples", 2, "--verify", "lava")
    code, summary, err = learn(tmp_path, "--learn", "hybrid", *options)
    check = summary["learning"]["verify"]
    assert (code, err) == (0, err)
    jsonschema.validate(summary, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert (check["samples"], unequal(check)) == (LESSONS, {})
    assert {row["what"] for row in check["rows"]} == {"trace words", "weights", "spikes", "answers"}
    told = (tmp_path / "out" / "summary.txt").read_text().replace("\n", " ")
    assert f"lava, learning of the first {LESSONS} samples (synapses: ours): " in told
    assert f"{check['rows'][1]['equal']:,} of {check['rows'][1]['values']:,} weights" in told


@pytest.mark.lava
@pytest.mark.slow
def test_learn_with_verify_compares_lavas_own_synapses_where_the_engine_learns(tmp_path: Path) -> None:
    options = ("--learn", "three-factor", "--set", "learn.samples=40", "--samples", 1, "--verify", "lava")
    code, summary, _ = learn(tmp_path, *options)
    check = summary["learning"]["verify"]
    assert (code, summary["learning"]["placement"], check["synapses"]) == (0, "tags", "Lava's")
    assert (check["samples"], unequal(check)) == (LESSONS, {})
    assert {row["what"] for row in check["rows"]} == {"weights", "tags", "trace words", "spikes", "errors"}


@pytest.mark.lava
@pytest.mark.slow
def test_a_placement_without_a_counterpart_on_lava_is_said(tmp_path: Path) -> None:
    options = ("--learn", "rtrl", "--set", "learn.placement=host", "--set", "learn.samples=20", "--samples", 1)
    code, summary, _ = learn(tmp_path, *options, "--verify", "lava")
    assert code == 0
    assert summary["learning"]["verify"]["samples"] == 0
    assert "lava, learning: not compared; " in (tmp_path / "out" / "summary.txt").read_text()


def test_a_difference_in_learning_is_a_missed_threshold() -> None:
    rows = (LearntAlike("weights", values=10, equal=8), LearntAlike("spikes", values=3, equal=3))
    check = LearningVerification("lava", samples=4, synapses="ours", rows=rows, left_out="")
    learning: Any = SimpleNamespace(verify=check)
    assert list(_lessons(learning)) == ["lava differs in 2 of 10 weights while learning"]
    learning.verify = None
    assert list(_lessons(None)) == list(_lessons(learning)) == []

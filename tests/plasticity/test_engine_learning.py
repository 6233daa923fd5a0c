"""Learning by the learning engine's integers on whole tasks: readout alone, and below it by the tag."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import save_model
from learn_runs import learn
from plastic_models import Case, plastic_case
from small_models import small_checkpoint

from bim_neuro.compilers.placement.place import place
from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.compilers.plasticity.circuit import engine_learner
from bim_neuro.compilers.plasticity.trace_placement import LearningPlacement, choose
from bim_neuro.errors import DoesNotFit
from bim_neuro.hardware import load_profile
from bim_neuro.nodes import Scan
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.learning_engine.learner import TARGET, EngineLearner, Loop, block_spikes, readout_targets
from bim_neuro.plasticity.learning_engine.neurons import ErrorNeuron
from bim_neuro.plasticity.request import GROUPS, Plasticity
from bim_neuro.simulation.compiled import Engine

LOIHI2 = load_profile("loihi2")


@pytest.fixture(scope="module")
def spiking() -> Case:
    """A block of one state and one tap on spikes, without the skip that a tag leaves out."""
    case = plastic_case(2, samples=8, steps=24, spiking=True, channels=16, states=1, taps=1)
    reference = case.reference
    scan = reference.nodes["block1.scan"]
    assert isinstance(scan, Scan)
    nodes = {**reference.nodes, "block1.scan": replace(scan, d_skip=np.full(16, 1e-3))}
    reference = replace(reference, nodes=nodes)
    return replace(case, reference=reference, block=plastic_block(reference, Plasticity("rtrl"), case.x))


def busy_lines(samples: int, steps: int = 24, seed: int = 0) -> tuple[Array, Array]:
    """Return samples of two classes told apart by which lines are busy."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=samples)
    rates = np.where((np.arange(5) < 2)[None, :] == (y == 0)[:, None], 0.6, 0.1)
    return (rng.random((samples, steps, 5)) < rates[:, None, :]).astype(np.int64), y


def learner(case: Case, x: Array, y: Array, **plasticity: object) -> EngineLearner:
    request = Plasticity(**({"rule": "rtrl", "rate": 0.2} | plasticity))  # type: ignore[arg-type]
    return engine_learner(case.reference, plastic_block(case.reference, request, case.x), LOIHI2, x[:32], y[:32])


def accuracy(made: EngineLearner, x: Array, y: Array) -> float:
    return float(np.mean(Engine(made.graph()).run(x).predicted == y))


@pytest.mark.parametrize(
    ("plasticity", "moves", "least"),
    [
        ({"rule": "three-factor", "rate": 0.4}, {"w_o"}, 0.85),
        ({"rate": 0.4}, {"w_u", "w_o"}, 0.85),
        pytest.param(
            {"rule": "hybrid", "rate": 0.4, "stdp_rate": 6.0, "mix": 0.9}, {"w_u", "w_o"}, 0.0, marks=pytest.mark.slow
        ),
        ({"rule": "stdp", "rate": 0.4, "stdp_rate": 2.0}, {"w_u", "w_o"}, 0.0),  # w_u learns no classes
    ],
)
def test_every_rule_of_the_engine_moves_its_weights_and_a_gradient_learns_classes(
    spiking: Case, plasticity: dict[str, object], moves: set[str], least: float
) -> None:
    x, y = busy_lines(150)
    made = learner(spiking, x, y, **plasticity)
    first = made.weights
    record = made.run(x, y)
    assert {group for group in GROUPS if np.any(made.weights[group] != first[group])} == moves
    assert accuracy(made, *busy_lines(200, seed=1)) >= least
    assert set(record.changed) == moves
    steps = record.updates["w_o"] / first["w_o"].size
    assert steps == 150 * (24 + 1 + ("w_u" in moves) + made.gap)  # one epoch a step, the gap's too


def test_the_tag_lowers_the_error_and_with_the_feedbacks_sign_turned_raises_it(spiking: Case) -> None:
    x, y = busy_lines(80)

    def loss(made: EngineLearner) -> float:
        outputs = [block_spikes(made.block, made.weights, sample)[1] / 24 for sample in x]
        return float(
            np.mean([(output - readout_targets(int(c), 4)) ** 2 for output, c in zip(outputs, y, strict=True)])
        )

    changed = []
    for sign in (1, -1):
        made = learner(spiking, x, y, synapses=("w_u",), rate=0.2)
        made.loop = replace(made.loop, back=sign * made.loop.back)
        before = loss(made)
        made.run(x, y)
        changed.append(loss(made) / before - 1)
    assert changed[0] < -0.01
    assert changed[1] > 0


def test_a_rate_moves_a_weight_as_far_as_it_says(spiking: Case) -> None:
    x, y = busy_lines(32)
    for group in ("w_o", "w_u"):
        made = learner(spiking, x, y, synapses=(group,), rate=2.0)
        silent = replace(made.loop.neuron.readout, multiplier=np.zeros(4, np.int64), bias=np.zeros(4, np.int64))
        made.loop = replace(made.loop, neuron=ErrorNeuron(silent, made.loop.neuron.error_shift))
        moves = []
        for sample, target in zip(x, y, strict=True):  # one sample at a time; the readout says nothing
            synapses = made.plastic[group]
            before = np.array(synapses.weights, np.int64)
            made.run(sample[None], target[None])
            moves.append(synapses.weights - before)
        assert np.sqrt(np.mean(np.square(moves))) / 2 == pytest.approx(2.0, rel=0.35)  # words are half weights


def test_the_error_is_sent_while_the_readout_hears_and_in_the_last_step(spiking: Case) -> None:
    loop: Loop = learner(spiking, *busy_lines(32), rate=0.5).loop
    assert replace(loop, stride=1).gate(4, 2).tolist() == [False, False, True, True, True, True]
    assert replace(loop, stride=2).gate(4, 2).tolist() == [False, False, False, True, False, True]
    assert TARGET >> loop.neuron.error_shift >= 4


def test_between_samples_tags_empty(spiking: Case) -> None:
    x, y = busy_lines(20)
    made = learner(spiking, x, y, rate=0.4)
    made.run(x, y)
    assert made.inputs is not None
    assert np.abs(made.inputs.synapses.tags).max() <= 1


def test_the_same_seed_gives_the_same_words_and_lavas_noise_others(spiking: Case) -> None:
    x, y = busy_lines(20)
    block = plastic_block(spiking.reference, Plasticity("rtrl", rate=0.4), spiking.x)
    ends = []
    for mode in ("synapse", "synapse", "lava"):
        made = engine_learner(spiking.reference, block, LOIHI2, x, y, mode)
        made.run(x, y)
        ends.append(made.weights["w_u"])
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_a_rate_the_engine_cannot_write_is_refused_by_name(spiking: Case) -> None:
    x, y = busy_lines(32)
    with pytest.raises(DoesNotFit, match="layer 'readout': the three-factor rate of"):
        learner(spiking, x, y, rule="three-factor", rate=1e-5)
    with pytest.raises(DoesNotFit, match=r"layer 'block1.scan': the potentiation \(stdp a_plus\) of"):
        learner(spiking, x, y, rule="hybrid", rate=0.4, stdp_rate=1e-4)


def where(case: Case, **plasticity: object) -> LearningPlacement:
    request = Plasticity(**plasticity)  # type: ignore[arg-type]
    return choose(replace(case.block, plasticity=request), place(case.block.graph, LOIHI2), request, LOIHI2)


def test_the_order_of_placements_is_the_rules_own(spiking: Case) -> None:
    graded = plastic_case()
    assert where(graded, rule="three-factor").where == "tags"
    assert where(spiking, rule="rtrl").where == "neurons"
    asked = where(spiking, rule="rtrl", placement="tags")
    assert (asked.where, asked.words, asked.bits, asked.cores) == ("tags", 16 * 5, 9, 0)
    assert "w_dt, w_b, w_c of layer 'block1.scan' do not learn" in asked.reasons[0].message
    assert (where(graded, rule="three-factor").words, where(graded, rule="three-factor").bits) == (8, 7)


@pytest.mark.parametrize(("plasticity", "rule", "message"), [
    ({"rule": "rtrl", "synapses": ("w_u", "w_dt")}, "learning-shared", "the learning engine has no rule for w_dt"),
    ({"rule": "s-tllr"}, "learning-rule", "s-tllr needs psi"),
    ({"rule": "rtrl", "rounding": "nearest"}, "learning-rounding", "nearest rounding of 8-bit weights"),
    ({"rule": "rtrl", "sparsity": 0.5}, "learning-prune", "cannot prune"),
])  # fmt: skip
def test_what_the_engine_has_no_rule_for_is_refused_by_name(
    spiking: Case, plasticity: dict[str, object], rule: str, message: str
) -> None:
    with pytest.raises(DoesNotFit, match=message) as refusal:
        where(spiking, placement="tags", **plasticity)
    assert {finding.rule for finding in refusal.value.findings} == {rule}


def test_the_command_learns_by_the_engine_and_prices_every_visit(tmp_path: Path) -> None:
    code, summary, _ = learn(tmp_path, "--learn", "three-factor", "--set", "learn.samples=150")
    learning = summary["learning"]
    assert code == 0
    assert (learning["placement"], learning["trace_bits"]) == ("tags", 7)
    assert learning["accuracy_after"] > learning["accuracy_before"]
    (rate,) = learning["rates"].values()
    assert set(rate) == {"name", "wanted", "got", "error"}
    assert learning["energy_events"].keys() == {"updates"}
    assert learning["energy_pj"]["value"] == pytest.approx(learning["updates"] / 150 * 120)


def test_a_rate_beyond_the_engine_ends_the_command_with_its_finding(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.pt", small_checkpoint())
    options = ("--learn", "three-factor", "--set", "learn.samples=40", "--set", "learn.rate=1e-5")
    code, _, err = learn(tmp_path, *options, model=model)
    assert code == 1
    assert "cannot be written" in err
    assert "cannot be written" in (tmp_path / "out/report.html").read_text()
    assert not (tmp_path / "out/summary.json").exists()

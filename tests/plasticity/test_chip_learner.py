"""The learner: eight-bit weights and nothing else learn, by each rule, within limits, repeatably, and it counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plastic_models import Case, plastic_case

from benchmarks.chip_cue import Setup, learn_cue
from benchmarks.chip_traces import by_kernel
from bim_neuro.errors import InputError
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.record import LearnRecord
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.plasticity.trace_process.learner import TraceLearner
from bim_neuro.plasticity.trace_process.pairs import pair_stdp, three_factor
from bim_neuro.plasticity.trace_process.rate import as_rate
from bim_neuro.training.stdp import PairTraces, PairWindow, ThreeFactorTraces

GROUPS = {"w_u", "w_dt", "w_b", "w_c", "w_o"}


def learnt(samples: int = 8, **plasticity: Any) -> tuple[Case, TraceLearner, LearnRecord]:
    case = plastic_case(samples=samples, **plasticity)
    learner = TraceLearner(case.block)
    return case, learner, learner.run(case.x, case.y)


def moved(learner: TraceLearner) -> set[str]:
    before = learner.block.weights()
    return {group for group, weight in learner.weights.items() if (weight != before[group]).any()}


def test_every_update_is_counted() -> None:
    case, learner, record = learnt(rate=1.0)
    before = case.block.weights()
    assert record.updates == {group: len(case.x) * weight.size for group, weight in before.items()}
    assert moved(learner) == GROUPS
    for group, weight in learner.weights.items():
        assert 0 < np.count_nonzero(weight != before[group]) <= record.changed[group] <= record.updates[group]
    assert record.correct.shape == (len(case.x),)
    assert record.saturated == 0
    assert sum(record.clipped.values()) == 0


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_stay_in_their_bits_and_the_clipped_are_counted(bits: int) -> None:
    case, learner, record = learnt(rate=40.0, weight_bits=bits)
    limit = 2 ** (bits - 1) - 1
    for group, weight in learner.weights.items():
        assert np.abs(case.block.weights()[group]).max() <= (limit + 1) / 2 + 0.5  # room 2
        assert np.abs(weight).max() == limit
        assert record.clipped[group] > 0
    edges = {edge.name: edge.synapse for edge in learner.graph().edges}
    for group, name in case.block.edges.items():
        assert edges[name].weight.dtype == np.int8  # type: ignore[attr-defined]
        np.testing.assert_array_equal(edges[name].weight, learner.weights[group])  # type: ignore[attr-defined]


def test_the_first_answers_are_those_of_the_graph_it_began_with() -> None:
    case, _, record = learnt(rate=0.0)
    answers = [by_kernel(case.block, x)[0].output.argmax() for x in case.x]
    np.testing.assert_array_equal(record.correct, answers == case.y)


def test_a_rate_of_zero_changes_nothing() -> None:
    _, learner, record = learnt(rule="hybrid", rate=0.0, stdp_rate=0.0)
    assert moved(learner) == set()
    assert record.updates == {}


def test_only_the_synapses_asked_for_learn() -> None:
    _, learner, record = learnt(rate=1.0, synapses=("w_dt", "w_o"))
    assert moved(learner) == set(record.updates) == {"w_dt", "w_o"}


def test_the_seed_repeats_a_run() -> None:
    first, again, other = (learnt(rate=1.0, seed=seed)[1].weights for seed in (3, 3, 4))
    for group in GROUPS:
        np.testing.assert_array_equal(first[group], again[group])
    assert any((first[group] != other[group]).any() for group in GROUPS)


def test_a_stream_in_two_parts_is_one_stream() -> None:
    case, whole, _ = learnt(samples=40, rate=1.0)
    parts = TraceLearner(case.block)
    for now in (slice(0, 33), slice(33, 40)):
        parts.run(case.x[now], case.y[now])
    for group in GROUPS:
        np.testing.assert_array_equal(parts.weights[group], whole.weights[group])


def test_nearest_rounding_drops_small_steps_and_stochastic_rounding_does_not() -> None:
    nearest, stochastic = (learnt(rate=0.05, rounding=rounding)[2] for rounding in ("nearest", "stochastic"))
    assert nearest.changed["w_u"] == 0
    assert stochastic.changed["w_u"] > 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 13, 5), int), np.zeros(2, int), r"shape \(2, 13, 5\) with 2 labels, wanted \(samples, 14, 5\)"),
        (np.zeros((2, 14, 5), int), np.zeros(3, int), "with 3 labels"),
        (np.zeros((0, 14, 5), int), np.zeros(0, int), "shape"),
        (np.zeros((2, 14, 5), int), np.array([0, 4]), "labels run from 0 to 4, the model has 4 classes"),
        (np.zeros((2, 14, 5), int), np.array([-1, 0]), "labels run from -1 to 0"),
    ],
)
def test_a_wrong_stream_is_refused(x: Array, y: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TraceLearner(plastic_case().block).run(x, y)


def test_a_stream_that_moves_nothing_is_refused() -> None:
    case = plastic_case(rule="stdp")
    with pytest.raises(InputError, match=r"the first 6 samples give '.*' no update"):
        TraceLearner(case.block).run(0 * case.x, case.y)


# ---- rules


def test_hybrid_with_mix_one_is_the_gradient() -> None:
    hybrid, gradient = (learnt(rate=1.0, rule=rule, mix=1.0)[1].weights for rule in ("hybrid", "rtrl"))
    for group in GROUPS:
        np.testing.assert_array_equal(hybrid[group], gradient[group])


def test_hybrid_moves_w_u_by_both_and_visits_it_twice() -> None:
    case, learner, record = learnt(rule="hybrid", rate=1.0, mix=0.5, stdp_rate=1.0)
    assert record.updates["w_u"] == 2 * len(case.x) * learner.weights["w_u"].size
    assert learner.rates["w_dt"].error == pytest.approx(0, abs=1 / 16)


def test_stdp_strengthens_what_fires_before_and_weakens_what_fires_after() -> None:
    case, learner, _ = learnt(rule="stdp", stdp_rate=2.0, rounding="nearest")
    assert moved(learner) == {"w_u", "w_o"}
    omega = sum(pair_stdp(case.block.plasticity, x, by_kernel(case.block, x)[0].spikes) for x in case.x[:1])
    first = TraceLearner(case.block)
    first.run(case.x[:1], case.y[:1])
    step = first.weights["w_u"] - case.block.weights()["w_u"]
    assert step.any()
    np.testing.assert_array_equal(np.sign(step)[step != 0], np.sign(omega)[step != 0])


def test_three_factor_moves_the_readout_alone() -> None:
    assert moved(learnt(rule="three-factor", rate=1.0)[1]) == {"w_o"}


def test_s_tllr_differs_from_the_gradient_in_w_u_alone() -> None:
    pairs, gradient = (learnt(samples=1, rate=4.0, rule=rule)[1] for rule in ("s-tllr", "rtrl"))
    differing = {group for group in GROUPS if (pairs.weights[group] != gradient.weights[group]).any()}
    assert differing == {"w_u"}


# ---- pairs

RULE = Plasticity(rule="stdp", a_plus=0.75, a_minus=0.5, tau_plus=6.0, tau_minus=9.0)
WINDOW = PairWindow(a_plus=0.75, a_minus=0.5, tau_plus=6.0, tau_minus=9.0)


def lines(steps: int, count: int, seed: int, share: float = 0.3) -> Array:
    return (np.random.default_rng(seed).random((steps, count)) < share).astype(np.int64)


def test_one_pair_by_hand() -> None:
    x, spikes = np.zeros((6, 1), np.int64), np.zeros((6, 1), np.int64)
    x[1], spikes[3] = 1, 1
    one = 2**12  # an impulse; each step multiplies by round(2^16 exp(-1/6)) / 2^16, towards zero
    factor = 55474
    after_two_steps = ((one * factor >> 16) * factor) >> 16
    np.testing.assert_array_equal(pair_stdp(RULE, x, spikes), [[192 * after_two_steps]])
    np.testing.assert_array_equal(pair_stdp(RULE, x, x), [[0]])


def test_integer_pairs_are_the_double_sum_within_rounding() -> None:
    x, spikes = lines(80, 5, 0), lines(80, 4, 1)
    traces = PairTraces(WINDOW, 1, 5, 4, torch.zeros((), dtype=torch.float64))
    traces.advance(torch.as_tensor(x[:, None]).double(), torch.as_tensor(spikes[:, None]).double())
    wanted = traces.omega.numpy()
    error = pair_stdp(RULE, x, spikes) / 2**20 - wanted
    low = (0.75 * spikes.sum(0)[:, None] * 7 + 0.5 * x.sum(0) * 10) / 2**12
    assert (np.abs(error) <= low).all()  # a trace is low by at most tau + 1 last bits
    assert np.abs(wanted).max() > 100 * np.abs(error).max()


def test_integer_eligibilities_are_s_tllrs_within_rounding() -> None:
    x, rng = lines(60, 5, 0), np.random.default_rng(2)
    psi, omega = rng.integers(0, 2**16, (60, 4)), rng.integers(2**15, 2**16, 60)
    traces = ThreeFactorTraces(WINDOW, 1, 5, 4, torch.zeros((), dtype=torch.float64))
    real = (torch.as_tensor(values[:, None]).double() for values in (x, psi / 2**16))
    traces.advance(*real, 1.0, torch.as_tensor(omega / 2**16)[:, None])
    ours = three_factor(RULE, x, psi, (omega[:, None] * psi) >> 16, omega) / 2**8
    wanted = traces.remembered[0].numpy()
    assert np.abs(ours - wanted).max() < 0.003 * np.abs(wanted).max()


@pytest.mark.parametrize("wanted", [1.0, 0.3, 1e-9, 3e-15])
def test_a_rate_has_four_bits(wanted: float) -> None:
    rate = as_rate(wanted)
    assert 8 <= rate.mantissa <= 16
    assert rate.mantissa * 2.0**-rate.shift == pytest.approx(wanted * (1 + rate.error))
    assert abs(rate.error) <= 1 / 16


def test_a_rate_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(InputError, match="needs a shift of"):
        as_rate(1e-30)


@pytest.mark.slow
def test_a_cue_is_learnt_from_random_weights_but_not_without_traces() -> None:
    learnt, forgetful = (learn_cue(Setup("", sequences=2000, forgetful=control), seed=0) for control in (False, True))
    assert learnt["before"] < 0.4
    assert learnt["after"] > 0.95
    assert abs(forgetful["after"] - 0.25) < 0.1  # chance

"""The learning engine: rules and their text, the compiler, the law and its kernels, the STDP window, the tag."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_circuits import CIRCUITS, LOIHI2, channel_setting, products, random_words, rules
from small_models import small_checkpoint

from benchmarks.onchip import LAGS, REQUESTS, fit_window, stdp_window
from benchmarks.tag import cosine, engine_update, exact, scan_update, signals, tag_fidelity
from bim_neuro.compilers.plasticity.channel import plastic_channel
from bim_neuro.compilers.plasticity.rule_compiler import TOLERANCE, RuleUnits, compile_rule
from bim_neuro.errors import BimError, DoesNotFit, InputError, ThresholdMissed
from bim_neuro.hardware import load_profile
from bim_neuro.model.export import export
from bim_neuro.plasticity.learning_engine.circuit import run_circuit
from bim_neuro.plasticity.learning_engine.compiled import FastSynapses
from bim_neuro.plasticity.learning_engine.grammar import read, write
from bim_neuro.plasticity.learning_engine.law import PlasticSynapses
from bim_neuro.plasticity.learning_engine.neurons import as_trace
from bim_neuro.plasticity.learning_engine.randoms import randoms
from bim_neuro.plasticity.learning_engine.rule import Factor, LearningRule, Product, Trace
from bim_neuro.plasticity.request import Plasticity

RTRL = ("4*2^-4*u0*(y3-64)*t", "4*2^-2*x0*(y1-64) - 4*2^-4*u0*y2*t")


@given(st.lists(products(0), min_size=1, max_size=4))
def test_a_rules_text_reads_back_as_the_rule(written: list[Product]) -> None:
    assert read(write(written)) == tuple(written)


@pytest.mark.parametrize(
    "text",
    [
        "u10*w", "1*2^0*u10*w", "1*2^0*y0*x1**2", "0.5*y0*x1", "1*2^0*x1*y1", "1*2^0*y0*-x1", "1*2^0*y0*x3", "",
        "1*2^9*y0", "1*2^0*y0*x1 + ", "9*2^0*y0*x1", "1*2^0*y0*(x1+y1)", "1*2^0*y0*x1\n", "1*2^0*y0*t1",
    ],
)  # fmt: skip
def test_a_text_with_another_meaning_in_lava_or_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="learning rule"):
        read(text)


def test_the_engine_loses_powers_of_two_on_products_of_many_factors() -> None:
    (product,) = read("1*2^0*u0*y2*t")
    assert product.hidden_shift == 5  # 7 + 9 + 4 - 15
    assert product.fixed_scale == 2.0**-5
    assert product.fixed(1, {"y2": np.array(64), "t": np.array(32)}) / 128 == 64 * 32 / 2**5


@given(products(0), st.integers(0, 2**31))
def test_the_fixed_meaning_is_the_float_one_without_the_hidden_shift(product: Product, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {f"{s}{i}": rng.integers(0, 128, 50) for s, i in ("x1", "x2", "y1", "y2", "y3")}
    values |= {"w": rng.integers(-128, 128, 50), "t": rng.integers(-128, 128, 50)}
    wanted = np.clip(product.value(1, values) * 2.0**-product.hidden_shift, -256, 255.99)
    np.testing.assert_allclose(product.fixed(1, values) / 128, wanted, atol=2.0**product.exponent)


@pytest.mark.parametrize("make", [
    lambda: Factor("z1"), lambda: Factor("x1", 200), lambda: Product(8, 0, "x0", ()), lambda: Product(0, 0, "x0", ()),
    lambda: Product(1, 9, "x0", ()), lambda: Product(-8, 0, "x0", ()), lambda: Product(1, 0, "u10", ()),
    lambda: Product(1, 0, "u0", (Factor("w"),) * 4), lambda: Trace(16.25, 10.0),  # type: ignore[arg-type]
    lambda: Trace(16, 0.0), lambda: Trace(128, 10.0), lambda: LearningRule(),
    lambda: LearningRule(read("1*2^0*y0*x1")), lambda: LearningRule(read("1*2^0*u0*w + 1*2^0*u1*t")),
])  # fmt: skip
def test_what_the_engine_cannot_hold_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError):
        make()


@settings(max_examples=60)
@given(rules(), st.sampled_from(["lava", "synapse"]), st.integers(0, 2**31))
def test_kernels_and_law_are_the_same_integers(rule: LearningRule, mode: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
    weights, tags = random_words(rng, shape)
    law, fast = (kind(rule, weights, randoms(mode, seed), tags=tags) for kind in (PlasticSynapses, FastSynapses))
    for step in range(25):
        pre, post, y = rng.random(shape[1]) < 0.3, rng.random(shape[0]) < 0.3, rng.integers(0, 128, (3, shape[0]))
        np.testing.assert_array_equal(law.step(pre, post, y), fast.step(pre, post, y), f"sums at {step}")
        for name in ("weights", "tags", "x", "y"):
            np.testing.assert_array_equal(getattr(law, name), getattr(fast, name), f"{name} at {step}")
    assert law.counts == fast.counts


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_circuit_learns_the_same_with_kernels(name: str) -> None:
    circuit = CIRCUITS[name](4)
    law, fast = (run_circuit(circuit, "synapse", engine) for engine in (PlasticSynapses, FastSynapses))
    for what in law:
        np.testing.assert_array_equal(law[what], fast[what], what)
    assert np.count_nonzero(law["weights"][-1] != law["weights"][0]) > 0.5 * law["weights"][0].size


def test_rounding_is_right_in_the_mean_and_its_noise_is_each_synapses_own_or_shared() -> None:
    rule = LearningRule(read("5*2^-7*u0*y1"), external=True)  # 5 / 128 of a word times y1 = 7: 0.273 words an epoch
    y = np.array([[7], [0], [0]])
    ends = {}
    for mode in ("synapse", "lava"):
        synapses = PlasticSynapses(rule, np.zeros((1, 400), np.int64), randoms(mode, 0))
        for _ in range(100):
            synapses.step(np.zeros(400), np.zeros(1), y)
        ends[mode] = synapses.weights
    wanted = 100 * 7 * 5 / 128
    assert abs(ends["synapse"].mean() - wanted) < 5 * np.sqrt(100 * 0.2 / 400)
    assert 2 < ends["synapse"].std() < 7  # sqrt(100 * 0.27 * 0.73) = 4.5
    assert ends["lava"].std() == 0


def test_learning_counts_what_it_did_and_strict_refuses_a_tag_that_overflows_by_name() -> None:
    rule = LearningRule(dw=read("1*2^0*u0*t"), dt=read("1*2^0*x0*(y1-64)"), external=True)
    options = {"layer": "block1.scan", "strict": True}
    y = np.array([[127, 64], [0, 0], [0, 0]])
    words = np.zeros((2, 3), np.int64)
    lenient, strict = (PlasticSynapses(rule, words, randoms("synapse", 0), **o) for o in ({}, options))
    for _ in range(4):
        strict.step(np.array([1, 0, 0]), np.zeros(2), y)
    with pytest.raises(ThresholdMissed, match=r"layer 'block1.scan': 1 tags left -257 to 255 at step 5"):
        strict.step(np.array([1, 0, 0]), np.zeros(2), y)
    for _ in range(5):
        lenient.step(np.array([1, 0, 0]), np.zeros(2), y)
    assert lenient.counts.updates == 5 * 6
    assert lenient.counts.saturated_tags == 1
    assert lenient.counts.changed == 3  # one synapse: 63, 189, 255, and there it stays
    assert lenient.counts.saturated_weights == 2


def test_a_trace_beyond_seven_bits_is_refused() -> None:
    rule = LearningRule(read("1*2^0*u0*y1"), external=True)
    synapses = PlasticSynapses(rule, np.zeros((1, 1), np.int64), randoms("lava", 0))
    with pytest.raises(InputError, match="a trace of -3 to 0, it holds 0 to 127"):
        synapses.step(np.zeros(1), np.zeros(1), np.array([[-3], [0], [0]]))


GOLDEN = {
    "stdp": ("4*2^-2*y0*x1 - 6*2^-4*x0*y1", ""),
    "three-factor": ("6*2^-7*u0*x1*(y3-64)", ""),
    "rtrl": ("6*2^-1*u0*(y3-64)*t", "4*2^-1*x0*(y1-64) - 4*2^-4*u0*y2*t"),
    "hybrid": ("6*2^-2*u0*(y3-64)*t + 4*2^-3*y0*x1", "4*2^-1*x0*(y1-64) - 4*2^-4*u0*y2*t"),
}


@pytest.mark.parametrize("rule", GOLDEN)
def test_the_compiler_writes_these_rules(rule: str) -> None:
    rate = 0.1 if rule == "three-factor" else 0.2
    request = Plasticity(rule=rule, rate=rate, stdp_rate=16.0, a_minus=0.7, mix=0.5)
    compiled = compile_rule(request, LOIHI2, RuleUnits(tag=0.5))
    assert (write(compiled.rule.dw), write(compiled.rule.dt) if compiled.rule.dt else "") == GOLDEN[rule]
    assert all(abs(rate.error) < 0.12 for rate in compiled.rates)
    assert len(compiled.table().splitlines()) == 1 + len(compiled.rates)


@given(st.sampled_from(["stdp", "three-factor", "rtrl", "hybrid", "s-tllr"]), st.floats(-6, 6), st.integers(1, 63))
def test_every_rate_is_written_near_enough_or_refused(rule: str, power: float, epoch: int) -> None:
    request = Plasticity(rule=rule, rate=10.0**power, stdp_rate=10.0**power, epoch=epoch)
    if refused := refusals(request):
        assert refused == {"learning-rate"}
    else:
        compiled = compile_rule(request, LOIHI2)
        assert all(abs(rate.error) <= TOLERANCE for rate in compiled.rates)
        assert compiled.rule.epoch == epoch


def refusals(request: Plasticity) -> set[str]:
    try:
        compile_rule(request, LOIHI2)
    except DoesNotFit as refusal:
        return {finding.rule for finding in refusal.findings}
    return set()


def test_an_stdp_amplitude_is_met_within_three_per_cent() -> None:
    errors = []
    for amplitude in np.geomspace(0.25, 200, 300):
        compiled = compile_rule(Plasticity(rule="stdp", stdp_rate=float(amplitude)), LOIHI2)
        errors += [abs(rate.error) for rate in compiled.rates]
    assert max(errors) < 0.03


@pytest.mark.parametrize(("request_", "target", "message"), [
    (Plasticity(rule="rtrl", rate=1e-6), "loihi2", "the rtrl rate of 1e-06 units cannot be written"),
    (Plasticity(rule="stdp", stdp_rate=1e5), "loihi2", r"the potentiation \(stdp a_plus\) of 1e\+05 units"),
    (Plasticity(rule="rtrl"), "truenorth", "truenorth has no learning engine"),
    (Plasticity(rule="rtrl"), "loihi1", "the rule rtrl needs traces sent by a neuron program, loihi1 runs none"),
    (Plasticity(rule="stdp", stdp_rate=0.0), "loihi2", "with these rates the learning rule stdp changes no weight"),
])  # fmt: skip
def test_a_limit_is_refused_by_name(request_: Plasticity, target: str, message: str) -> None:
    with pytest.raises(BimError, match=message):
        compile_rule(request_, load_profile(target), layer="block1.scan")


@pytest.mark.parametrize(("field", "value", "rule"), [
    ("epoch_steps", 3, "learning-epoch"), ("pre_traces", 0, "learning-traces"), ("post_traces", 2, "learning-traces"),
    ("tags", 0, "learning-tags"), ("tag_bits", 8, "learning-widths"), ("trace_bits", None, "learning-engine"),
])  # fmt: skip
def test_a_smaller_engine_is_told_apart(field: str, value: float | None, rule: str) -> None:
    quantity = replace(getattr(LOIHI2.learning, field), value=value)
    small = replace(LOIHI2, learning=replace(LOIHI2.learning, **{field: quantity}))
    with pytest.raises(DoesNotFit) as refusal:
        compile_rule(Plasticity(rule="hybrid", epoch=4, stdp_rate=8.0), small)
    assert {finding.rule for finding in refusal.value.findings} == {rule}


def test_more_states_than_a_tag_follows_are_refused() -> None:
    reference = export(small_checkpoint(states=3, taps=1))
    with pytest.raises(DoesNotFit, match="3 states, 1 taps; the learning engine needs spikes as input, one state"):
        plastic_channel(reference, np.zeros((1, 2, 5), np.int64), signal_unit=1.0, largest_signal=1.0)


@pytest.mark.parametrize("mode", ["synapse", "lava"])
@pytest.mark.parametrize("name", ["symmetric", "asymmetric"])
def test_the_mean_window_of_twenty_seeds_is_the_one_asked_for(name: str, mode: str) -> None:
    request = REQUESTS[name]
    mean = np.mean([stdp_window(request, seed, mode) for seed in range(20)], axis=0)
    for side, amplitude, tau in (
        (LAGS > 0, request.stdp_rate * request.a_plus, request.tau_plus),
        (LAGS < 0, -request.stdp_rate * request.a_minus, request.tau_minus),
    ):
        fit = fit_window(LAGS[side], mean[side])
        assert abs(fit["amplitude"] / amplitude - 1) < 0.05, fit
        assert abs(fit["tau"] / tau - 1) < 0.05, fit
        assert fit["r2"] >= 0.98, fit


@pytest.mark.parametrize("mode", ["synapse", "lava"])
def test_the_tag_holds_the_exact_scan_level_trace(mode: str) -> None:
    numbers, _ = tag_fidelity(channel_setting(), mode=mode)
    assert numbers["correlation"] >= 0.99
    assert numbers["saturated_synapses"] == 0
    assert numbers["largest_tag"] > 100  # the tag is used, not merely never full


def test_a_tag_a_step_late_or_with_another_decay_is_not_the_trace() -> None:
    s = channel_setting()
    wanted = exact(s.network, s.x[:1])
    _, (trace, held) = tag_fidelity(s)
    late = wanted.traces(s.x[:1], late=1)[0]
    fixed = replace(wanted, decay=np.full_like(wanted.decay, wanted.decay.mean())).traces(s.x[:1])[0]
    right, *wrong = (np.corrcoef(f.ravel(), held.ravel())[0, 1] for f in (trace, late, fixed))
    assert right > 0.99 > max(wrong)


def test_the_engines_update_follows_the_scan_levels() -> None:
    s = channel_setting()
    signal, wanted = signals(s.network, s.x, s.target), exact(s.network, s.x)
    update = engine_update(s, wanted, signal, "synapse", 0.05)
    scan = scan_update(wanted, signal, wanted.traces(s.x))
    assert cosine(update.products, scan) > 0.85
    assert cosine(update.words, scan) > 0.5
    assert cosine(update.words, -scan) < 0


def test_a_signed_trace_travels_with_an_offset() -> None:
    trace, saturated = as_trace(np.array([-200, -5, 0, 5, 200]), 1)
    assert trace.tolist() == [0, 62, 64, 67, 127]  # halves go up
    assert saturated == 2

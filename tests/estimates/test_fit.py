"""Fit: known prices come back from simulated measurements with noise; intervals cover at the stated rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import bim_neuro
from bim_neuro.errors import InputError
from bim_neuro.estimates.fit import Measurement, PriceFit, fit
from bim_neuro.hardware import load_profile
from bim_neuro.jobs.measurements import read_measurements

LOIHI = load_profile("loihi2")
TRUE = {"energy.synop_pj": 17.0, "energy.update_pass_pj": 95.0, "energy.static_mw": 260.0}
TIMES = {"timing.step_us": 4.0, "timing.update_pass_ns": 11.0, "timing.synop_ns": 0.9}


def programs(seed: int, count: int = 12, sigma: float | None = 0.03, noise: float = 0.03) -> list[Measurement]:
    """Return energies of programs that differ, at the true prices, with relative noise."""
    draw, found = np.random.default_rng(seed), []
    for index in range(count):
        synops, passes, us = 10 ** draw.uniform(4, 7), 10 ** draw.uniform(3, 6), 10 ** draw.uniform(0, 2.5)
        pj = synops * 17 + passes * 95 + us * 260 * 1000
        counts = {"energy.synop_pj": synops, "energy.update_pass_pj": passes}
        read = pj * (1 + noise * draw.standard_normal()) / 1e6
        found.append(Measurement.energy(f"run {index}", counts, read, us, "cores", sigma))
    return found


def prices(found: PriceFit) -> dict[str, float]:
    return {one.price: one.value for one in found.prices}


def test_exact_measurements_give_the_prices_back() -> None:
    found = bim_neuro.fit(programs(0, noise=0.0), LOIHI)
    assert prices(found) == {key: pytest.approx(value, rel=1e-5) for key, value in TRUE.items()}
    assert max(abs(one.share) for one in found.residuals) < 1e-6
    assert (found.apart, found.kept) == ((), ())


def test_the_new_profile_has_the_numbers_metered_with_their_intervals_and_all_others_as_before() -> None:
    found = fit(programs(1), LOIHI)
    for one in found.prices:
        quantity = found.profile.quantities()[one.price]
        assert (quantity.value, quantity.low, quantity.high, quantity.basis) == (
            one.value,
            one.low,
            one.high,
            "metered",
        )
        assert "12 measurements" in quantity.source
    changed = {key for key, quantity in found.profile.quantities().items() if quantity != LOIHI.quantities()[key]}
    assert changed == set(TRUE)


@pytest.mark.parametrize("sigma", [0.03, None], ids=["known errors", "errors from the scatter"])
def test_intervals_hold_the_true_price_as_often_as_they_say(sigma: float | None) -> None:
    inside, of = 0, 0
    for seed in range(120):
        for one in fit(programs(seed, sigma=sigma), LOIHI).prices:
            inside += one.low <= TRUE[one.price] <= one.high
            of += 1
    assert 0.91 <= inside / of <= 0.98  # 95 % of 360


def test_published_runs_of_two_neurons_give_the_energy_of_a_step_and_the_static_power_they_read() -> None:
    """NECOTIS/TemporalLearningInRSNNs, loihi_experiment/res.json, no delay: means of 100 runs of 10^7 steps each.

    They report 212.6 to 214.6 mW static, and 26.7 to 32.6 nJ dynamic a step.
    """
    runs = read_measurements(Path(__file__).parent / "published_runs.csv", LOIHI)
    found = fit(runs, LOIHI, ["energy.barrier_pj", "energy.static_mw"])
    assert [one.name for one in runs][:2] == ["25 Hz dynamic", "50 Hz dynamic"]
    assert 212.6 < prices(found)["energy.static_mw"] < 214.6
    assert 26_700 < prices(found)["energy.barrier_pj"] < 32_600
    assert max(abs(one.share) for one in found.residuals[3:]) < 0.012


def steps(seed: int, noise: float) -> list[Measurement]:
    draw, found = np.random.default_rng(seed), []
    for index, (passes, synops) in enumerate([(10, 10), (20, 30), (4000, 100), (9000, 10), (50, 9000), (90, 30_000)]):
        us = max(4.0, passes * 0.011, synops * 0.0009) * (1 + noise * draw.standard_normal())
        counts = {"timing.update_pass_ns": passes, "timing.synop_ns": synops}
        found.append(Measurement.step(f"step {index}", counts, us, 0.02))
    return found


def test_times_come_back_from_the_longest_term_of_each_step() -> None:
    found = fit(steps(0, 0.0), LOIHI)
    assert prices(found) == {key: pytest.approx(value, rel=1e-4) for key, value in TIMES.items()}
    assert found.kept == ("timing.barrier_us",)  # no step waited for it
    noisy = prices(fit(steps(1, 0.02), LOIHI))
    assert noisy == {key: pytest.approx(value, rel=0.06) for key, value in TIMES.items()}


def proportional() -> list[Measurement]:
    counts = [{"energy.synop_pj": 10.0 * n, "energy.update_pass_pj": 3.0 * n} for n in (1e4, 2e4, 5e4)]
    totals = [n * (10 * 17 + 3 * 95) / 1e6 for n in (1e4, 2e4, 5e4)]
    return [Measurement.energy("p", one, uj, 0.0, "dynamic") for one, uj in zip(counts, totals, strict=True)]


def test_what_the_data_cannot_tell_apart_is_said_and_one_of_it_keeps_its_number() -> None:
    found = fit(proportional(), LOIHI)
    assert found.apart == (("energy.synop_pj", "energy.update_pass_pj"),)
    [kept], [one] = found.kept, found.prices
    assert {kept, one.price} == {"energy.synop_pj", "energy.update_pass_pj"}
    assert found.profile.quantities()[kept] == LOIHI.quantities()[kept]
    assert all(abs(row.share) < 1e-6 for row in found.residuals)


def test_only_the_prices_that_are_named_change() -> None:
    found = fit(programs(2), LOIHI, ["energy.synop_pj"])
    assert [one.price for one in found.prices] == ["energy.synop_pj"]


def test_no_price_is_negative() -> None:
    free = [
        Measurement.energy("a", {"energy.synop_pj": 1e6, "energy.update_pass_pj": 1e3}, 1.0, 0.0, "dynamic"),
        Measurement.energy("b", {"energy.synop_pj": 1e6, "energy.update_pass_pj": 1e5}, 0.5, 0.0, "dynamic"),
    ]
    assert all(one.value >= 0 and one.low >= 0 for one in fit(free, LOIHI).prices)


@pytest.mark.parametrize(
    ("measurements", "named", "words"),
    [
        ([], None, "there is no measurement"),
        (programs(0), ["energy.nothing"], "loihi2 has no price 'energy.nothing'"),
        ([Measurement("m", {"energy.synop_pj": 1.0}, -1.0)], None, "measurement 'm': -1"),
        ([Measurement("m", {"board.chips": 1.0}, 1.0)], None, "has no price 'board.chips'"),
        (programs(0), ["energy.learning_update_pj"], "no price is moved"),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name(
    measurements: Sequence[Measurement], named: list[str] | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        fit(measurements, LOIHI, named)


def test_a_boundary_is_one_that_a_profile_has() -> None:
    with pytest.raises(InputError, match="boundary"):
        Measurement.energy("m", {}, 1.0, 1.0, "rack")

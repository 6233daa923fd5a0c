"""Power: by hand at a task's rate; a boundary contains the one before, and no two are ever added."""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations
from typing import Any

import pytest
from tiny_net import UNKNOWN, chip, known, tiny, tiny_record

from bim_neuro.compilers.placement.place import place
from bim_neuro.errors import InputError
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.latency import latency
from bim_neuro.estimates.power import PowerReport, power
from bim_neuro.estimates.terms import UNPRICED, Range
from bim_neuro.hardware import BOUNDARIES, at_boundary, list_profiles, load_profile
from bim_neuro.hardware.schema import HardwareProfile

LINES = {"static_mw": known(1, 2, 4, "mW"), "chip_mw": known(16, 32, 64, "mW"), "board_mw": known(256, 512, 1024, "mW")}


def drawn(rate: float | None = None, boundary: str | None = None, **prices: Any) -> PowerReport:
    """Return the power of the net worked by hand: a sample takes 20 us (16 to 32) and 3692.75 pJ dynamic."""
    profile = at_boundary(chip(**{**LINES, **prices}), boundary)
    placed, record = place(tiny(), profile, effort=0), tiny_record()
    time = latency(placed, record, profile)
    return power(placed, record, profile, time, price(placed, record, profile, time), rate)


def test_without_a_rate_it_is_that_of_the_model_s_own_steps() -> None:
    found = drawn()
    assert found.sample_rate_hz == 1 / (2 * 1e-3)  # 2 steps of a millisecond
    assert found.duty == Range(*(pytest.approx(us * 500e-6) for us in (16, 20, 32)))
    assert found.behind is None


def test_mean_power_is_static_power_and_the_samples_of_a_second() -> None:
    line = drawn(1000.0).lines["cores"]
    assert line.static_mw == Range(1, 2, 4)
    assert line.mean_mw.value == pytest.approx(2 + 3692.75 * 1000 * 1e-9)
    assert line.peak_mw.value > line.mean_mw.value
    assert line.basis == "assumed"


# Synops at 20 pJ, updates at 80 pJ and 2.5 passes (1 of a readout), messages at 1.5, hops east or west 3, south 4, and
# the barrier 110, a sample: at chip step 0 a is in its step 1, b in its step 0, out in its step 1; then the other way.
STEP_PJ = (
    (1.5 * 20 + 600 + 1.5 * 4.5) + (4 * 20 + 800) + (2 * 20 + 160 + 1 * 1.5) + 110,
    (3 * 20 + 600 + 1.0 * 4.5) + (6 * 20 + 800 + 1 * 8.5) + (0 + 160 + 1 * 1.5) + 110,
)


def test_peak_power_is_that_of_the_step_that_draws_most() -> None:
    assert sum(STEP_PJ) == pytest.approx(3692.75)  # all of the dynamic energy
    assert drawn(1000.0).lines["cores"].peak_mw.value == pytest.approx(2 + max(STEP_PJ) / 10 * 1e-3)  # in 10 us


def test_a_sample_at_its_rate_pays_static_power_until_the_next() -> None:
    found = drawn(1000.0, "chip")
    assert found.energy_uj.value == pytest.approx(32e-3 * 1e-3 * 1e6 + 3692.75e-6)
    answer_ms = 5 * 10e-3
    assert found.edp_uj_ms.value == pytest.approx(found.energy_uj.value * answer_ms)


def test_a_program_that_cannot_keep_up_is_told_the_factor_and_pays_for_its_own_time() -> None:
    found = drawn(100_000.0)  # a sample every 10 us, and each takes 20
    assert (found.behind, found.duty.value) == (pytest.approx(2), pytest.approx(2))
    assert found.lines["cores"].mean_mw.value == pytest.approx(2 + 3692.75 * 50_000 * 1e-9)
    assert found.energy_uj.value == pytest.approx(32e-3 * 20e-6 * 1e6 + 3692.75e-6)


def test_the_energy_of_a_boundary_has_its_static_power_and_no_other() -> None:
    dynamic = 3692.75
    for boundary, milliwatts in zip(BOUNDARIES, (2, 32, 512), strict=True):
        profile = at_boundary(chip(**LINES), boundary)
        energy = price(place(tiny(), profile, effort=0), tiny_record(), profile)
        assert energy.static.value == pytest.approx(20 * milliwatts * 1000)
        assert energy.energy_uj.value == pytest.approx((dynamic + 20 * milliwatts * 1000) / 1e6)


def test_no_two_boundaries_are_added_anywhere_in_a_report() -> None:
    """Powers of 2, 32 and 512 mW: a sum of any two would be seen in a figure."""
    sums = [sum(pair) for pair in combinations((2, 32, 512), 2)] + [546]
    for boundary in BOUNDARIES:
        found = drawn(1e-3, boundary)  # one sample in a thousand seconds: means are static powers
        means = {name: line.mean_mw.value for name, line in found.lines.items()}
        assert means == {name: pytest.approx(mw, rel=1e-3) for name, mw in zip(BOUNDARIES, (2, 32, 512), strict=True)}
        whole = found.energy_uj.value / 1e6  # over a thousand seconds: mW
        assert not any(whole == pytest.approx(wrong, rel=1e-3) for wrong in sums)


def test_host_power_is_a_line_only_where_the_boundary_does_not_hold_it() -> None:
    for boundary, held in (("cores", False), ("chip", True), ("board", True)):
        profile = at_boundary(chip(**LINES, host_mw=UNKNOWN), boundary)
        energy = price(place(tiny(), profile, effort=0), tiny_record(), profile)
        assert ("host power" in energy.unpriced) != held


def test_a_profile_without_a_power_of_its_chip_counts_that_of_its_cores() -> None:
    found = drawn(None, None, chip_mw=UNKNOWN, board_mw=UNKNOWN)
    assert found.boundary == "cores"
    assert [name for name, line in found.lines.items() if line.static_mw != UNPRICED] == ["cores"]
    with pytest.raises(InputError, match="loihi2 has no published static power of boundary 'board'"):
        at_boundary(chip(board_mw=UNKNOWN), "board")
    with pytest.raises(InputError, match="boundary"):
        at_boundary(chip(), "rack")


@pytest.mark.parametrize("name", list_profiles())
def test_the_boundaries_of_a_shipped_profile_contain_each_other_and_say_their_source(name: str) -> None:
    profile: HardwareProfile = load_profile(name)
    published = [power for power in profile.powers.values() if power.published]
    assert [asdict(power)["value"] for power in published] == sorted(power.value for power in published)
    assert all(len(power.source) > 10 and power.basis != "metered" for power in profile.powers.values())
    assert all(power.basis != "measured" or "second hand" not in power.source for power in profile.powers.values())


def test_a_board_with_a_static_power_of_its_own_does_not_inherit_that_of_another_chip(tmp_path: Any) -> None:
    board = tmp_path / "board.toml"
    static = 'static_mw = { value = 9, low = 8, high = 10, unit = "mW", basis = "assumed", source = "example" }'
    board.write_text(f'extends = "loihi2"\nname = "mine"\ntitle = "Mine"\nboundary = "cores"\n[energy]\n{static}\n')
    profile = load_profile(board)
    assert [power.value for power in profile.powers.values()] == [9, None, None]
    board.write_text('extends = "loihi2"\nname = "mine"\ntitle = "Mine"\nboundary = "rack"\n')
    with pytest.raises(InputError, match="'boundary' is 'rack', allowed: cores, chip, board"):
        load_profile(board)


def test_a_rate_must_be_above_zero() -> None:
    for rate in (0.0, -1.0, float("inf")):
        with pytest.raises(InputError, match="the sample rate is"):
            drawn(rate)
    assert drawn(5.0).sample_rate_hz == 5.0

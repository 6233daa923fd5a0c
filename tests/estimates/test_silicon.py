"""Silicon: published readings, frozen here before any price moved, and how well a profile predicts them."""

from __future__ import annotations

from math import log

import pytest

from benchmarks import silicon, silicon_before
from bim_neuro.estimates.terms import Range

CASES = silicon.read_cases()


def test_every_case_says_how_it_was_read_and_where() -> None:
    assert len(CASES) >= 12
    assert len({case.name for case in CASES}) == len(CASES)
    for case in CASES:
        assert 0 < case.low <= case.high
        assert case.grade in ("P", "P2", "C", "fig", "inf")
        assert len(case.source) > 10
        assert bool(case.boundary) == (case.figure in ("static_mw", "power_mw"))


def test_the_interval_score_is_the_width_and_twenty_times_the_miss() -> None:
    case = silicon.Case("a", "step_us", 4, 9, "P", "by hand")
    assert case.reading == pytest.approx(6)
    assert silicon.score(case, Range(3, 5, 12)) == pytest.approx(log(4))
    assert silicon.score(case, Range(12, 15, 24)) == pytest.approx(log(2) + 20 * log(2))
    assert (silicon.inside(case, Range(3, 5, 12)), silicon.inside(case, Range(12, 15, 24))) == (True, False)


def test_the_profile_of_before_predicts_what_it_did() -> None:
    assert silicon_before.step_us({"passes": 10_000}) == Range(8.14, 40.465, 94.0)
    assert silicon_before.energy_pj({"lif": 1}).value == pytest.approx(178.2)
    found = silicon.summary(CASES, silicon.before)
    assert found["coverage"] == pytest.approx(7 / 24)
    assert found["score"] == pytest.approx(12.07, abs=0.01)


def test_today_s_profile_covers_more_and_scores_better_than_that_of_before() -> None:
    old, new = silicon.summary(CASES, silicon.before), silicon.summary(CASES, silicon.now)
    assert new["coverage"] >= 0.9 > old["coverage"]
    assert new["score"] < old["score"] / 5


def test_the_benchmark_says_of_each_case_whether_it_is_inside(capsys: pytest.CaptureFixture[str]) -> None:
    silicon.show(CASES[:1], silicon.now)
    assert capsys.readouterr().out.rstrip().endswith("inside")
    silicon.show(CASES[:1], silicon.before)
    assert capsys.readouterr().out.rstrip().endswith("outside")

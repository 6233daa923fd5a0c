"""Thresholds: each says, in one sentence, by how much it was missed; none speaks where it was kept or not asked for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from bim_neuro.report.thresholds import Thresholds
from bim_neuro.report.thresholds import missed as missed_by

FOUND: dict[str, Any] = {
    "target": "chip",
    "optimise": None,
    "verify": None,
    "expect": None,
    "learning": None,
    "layers": [{"name": "a", "saturations": 3}, {"name": "b", "saturations": 0}],
    "findings": [],
    "agreement": [{"layer": "a", "measure": "spikes", "share": 0.98, "rate_float": 0.2, "rate_integer": 0.2}],
    "energy": {"energy_uj": {"value": 2.5}, "dynamic_uj": {"value": 0.5}},
    "latency": {"answer_us": {"value": 1500.0}},
    "cores": {"used": 7},
}


def missed(found: dict[str, Any], wanted: Thresholds) -> tuple[str, ...]:
    """Say what a summary misses of which only these keys are looked at."""
    return missed_by(json.loads(json.dumps(found), object_hook=lambda keys: SimpleNamespace(**keys)), wanted)


def test_what_is_kept_or_not_asked_for_is_not_missed() -> None:
    assert missed(FOUND, Thresholds()) == ()
    assert missed(FOUND, Thresholds(False, 0.98, 2.5, 1.5, 7)) == ()


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Thresholds(strict=True), "strict: layer 'a' saturated 3 values"),
        (Thresholds(min_agreement=0.99), "layer 'a' equals float in 0.9800 of its spikes, wanted 0.99"),
        (
            Thresholds(max_energy_uj=2.4),
            "2.5 uJ a sample, dynamic and static, wanted at most 2.4; try --optimise energy",
        ),
        (
            Thresholds(max_latency_ms=1.4),
            "1.5 ms until a sample is answered, wanted at most 1.4; try --optimise latency, which uses more cores",
        ),
        (Thresholds(max_cores=6), "7 cores, wanted at most 6"),
    ],
)
def test_what_is_missed_says_by_how_much(wanted: Thresholds, sentence: str) -> None:
    assert missed(FOUND, wanted) == (sentence,)


def test_who_asked_for_the_soonest_answer_already_is_not_told_to() -> None:
    (sentence,) = missed(FOUND | {"optimise": "latency"}, Thresholds(max_latency_ms=1))
    assert "--optimise" not in sentence


def test_what_is_not_published_is_not_shown_to_be_kept() -> None:
    unknown = {"value": None}
    nothing = {"energy": {"energy_uj": unknown, "dynamic_uj": unknown}, "latency": {"answer_us": unknown}}
    assert missed(FOUND | nothing, Thresholds(max_energy_uj=1, max_latency_ms=1)) == (
        "chip has no energy prices, so --max-energy 1 cannot be checked",
        "chip has no published times, so --max-latency 1 cannot be checked",
    )


def test_warnings_are_missed_with_strict_and_errors_always() -> None:
    findings = [{"severity": severity, "message": severity} for severity in ("warning", "error")]
    found = FOUND | {"layers": [], "findings": findings}
    assert missed(found, Thresholds()) == ("error",)
    assert missed(found, Thresholds(strict=True)) == ("strict: warning", "error")


def test_dynamic_energy_alone_is_not_shown_to_be_the_whole() -> None:
    found = FOUND | {"energy": {"energy_uj": {"value": None}, "dynamic_uj": {"value": 0.5}}}
    assert missed(found, Thresholds(max_energy_uj=1)) == (
        "chip has no published static power, so --max-energy 1 cannot be checked",
    )


def test_a_verification_that_found_a_difference_is_missed() -> None:
    check = {"backend": "lava", "spike_slots": 10, "equal": 8, "states": 5, "states_equal": 5}
    assert missed(FOUND | {"verify": check}, Thresholds()) == ("lava differs in 2 of 10 spike slots",)


def test_a_recording_that_differs_names_the_dialects_under_which_it_does_not() -> None:
    expect = {"kind": "framework", "file": "io.npz", "differing": 7, "dialect": "norse", "tried": 2304,
              "consistent": ["snntorch", "plain, reset=zero", "a", "b"]}  # fmt: skip
    said = "the float law differs from io.npz in 7 bins under dialect 'norse'; "
    (sentence,) = missed(FOUND | {"expect": expect}, Thresholds())
    assert sentence == f"{said}no bin differs under 'snntorch' or 'plain, reset=zero' or 'a', nor under 1 more"
    (none,) = missed(FOUND | {"expect": expect | {"consistent": []}}, Thresholds())
    assert none == f"{said}bins differ under each of 2,304 dialects"
    assert missed(FOUND | {"expect": expect | {"differing": 0}}, Thresholds()) == ()

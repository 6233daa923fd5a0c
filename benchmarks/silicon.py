r"""Silicon: what a profile predicts beside what was read on chips, case by case, with coverage and interval score.

    python -m benchmarks.silicon                     # silicon_cases.json and silicon_held_out.json of tests/estimates
    python -m benchmarks.silicon other_cases.json    # others of the same shape

The ranges of the profile were drawn with the first file in view, so that its coverage is no test of them; the cases of
the second were found afterwards, and no number was moved for them.

A case is a published reading (`low` to `high`) of a `figure`, and the counts of a step: of the fullest `core`, and of
the whole `chip`. The score is the interval score of Gneiting and Raftery (2007) for an interval of 90 %, on logarithms,
as prices are known up to factors: the width, and twenty times how far the reading lies outside. Less is better.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from pathlib import Path

from bim_neuro.estimates.step_time import counted, longest
from bim_neuro.estimates.terms import Range, Term, total
from bim_neuro.hardware import HardwareProfile, Quantity, at_boundary, load_profile

from . import silicon_before

_FOLDER = Path(__file__).resolve().parents[1] / "tests" / "estimates"
CASES, HELD_OUT = _FOLDER / "silicon_cases.json", _FOLDER / "silicon_held_out.json"
OUTSIDE = 2 / 0.1  # of an interval of 90 %: 2 / alpha


@dataclass(frozen=True)
class Case:
    """One reading. ``grade``: P published data, C printed by a tool, P2 at second hand, fig by eye, inf inferred."""

    name: str
    figure: str
    low: float
    high: float
    grade: str
    source: str
    boundary: str = ""
    chips: int = 1
    core: Mapping[str, float] = field(default_factory=dict)
    chip: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    target: str = "loihi2"

    @property
    def reading(self) -> float:
        """The middle of what was read, on logarithms."""
        return exp((log(self.low) + log(self.high)) / 2)


Predict = Callable[[Case], Range]


def read_cases(file: Path = CASES) -> list[Case]:
    """Return the cases of a file."""
    return [Case(**row) for row in json.loads(file.read_text())]


def before(case: Case) -> Range:
    """Return what the profile of version 0.2.0 predicts."""
    if case.figure == "step_us":
        return silicon_before.step_us(case.core, case.chips)
    if case.figure in ("static_mw", "power_mw"):
        return silicon_before.power_mw(case.boundary, case.core, case.chip)
    return silicon_before.energy_pj(case.chip) if case.figure == "energy_pj" else silicon_before.EVENTS[case.figure]


def now(case: Case) -> Range:
    """Return what the target's profile predicts today, by the law of step_time.py."""
    profile = load_profile(case.target)
    if case.figure == "step_us":
        return longest(counted(case.core, profile))
    if "." in case.figure:
        return _range(profile.quantities()[case.figure])
    if case.figure == "static_mw":
        return _range(at_boundary(profile, case.boundary).static_mw)
    energy = dynamic_pj(case, profile)
    return energy if case.figure == "energy_pj" else _drawn(case, profile, energy)


def dynamic_pj(case: Case, profile: HardwareProfile) -> Range:
    """Return the dynamic energy of a step from the counts of a whole chip."""
    energy, passes = profile.energy, profile.passes_per_update["lif"]
    counts = case.chip
    return total(
        [
            Term("synops", "synaptic operations", counts.get("synops", 0), (energy.synop_pj,)).over(1),
            Term("updates", "updates of LIFs", counts.get("lif", 0), (passes, energy.update_pass_pj)).over(1),
            Term("updates", "passes", counts.get("passes", 0), (energy.update_pass_pj,)).over(1),
        ]
    )


def _drawn(case: Case, profile: HardwareProfile, energy: Range) -> Range:
    """Return the power of a chip whose steps follow each other: static power, and dynamic energy over their time."""
    static, step = at_boundary(profile, case.boundary).static_mw, longest(counted(case.core, profile))
    ends = ((static.low, energy.low, step.high), (static.value, energy.value, step.value))
    ends = (*ends, (static.high, energy.high, step.low))
    return Range(*((mw or 0.0) + (pj or 0.0) / (us or 1.0) / 1000 for mw, pj, us in ends))


def _range(quantity: Quantity) -> Range:
    return Range(quantity.low, quantity.value, quantity.high)


def inside(case: Case, predicted: Range) -> bool:
    """Whether the middle of a reading lies in a range."""
    return bool(predicted.low is not None and predicted.high is not None) and (
        predicted.low <= case.reading <= predicted.high  # type: ignore[operator]
    )


def score(case: Case, predicted: Range) -> float:
    """Return the interval score of a prediction, on natural logarithms."""
    low, high, reading = log(predicted.low or 1e-9), log(predicted.high or 1e-9), log(case.reading)
    return high - low + OUTSIDE * (max(0.0, low - reading) + max(0.0, reading - high))


def summary(cases: Sequence[Case], predict: Predict) -> dict[str, float]:
    """Return coverage, the share of readings inside, and the mean score."""
    ranges = [predict(case) for case in cases]
    return {
        "coverage": sum(map(inside, cases, ranges)) / len(cases),
        "score": sum(map(score, cases, ranges)) / len(cases),
    }


def show(cases: Sequence[Case], predict: Predict) -> None:
    """Print a line a case."""
    for case in cases:
        predicted = predict(case)
        where = f"{case.figure} ({case.boundary})" if case.boundary else case.figure
        read = f"{case.low:g}" if case.low == case.high else f"{case.low:g}-{case.high:g}"
        verdict = "inside" if inside(case, predicted) else "outside"
        print(
            f"{case.name:<66} {where:<20} read {read:>11} ({case.grade:<3})  "
            f"predicted {predicted.value:8.3g} ({predicted.low:.3g} to {predicted.high:.3g})  {verdict}"
        )


def report(cases: Sequence[Case], heading: str) -> None:
    """Print every case, then coverage and score of each prediction."""
    print(heading)
    show(cases, now)
    kept = [case for case in cases if case.target == "loihi2"]  # the one profile kept of version 0.2.0
    for name, predict, of in (("version 0.2.0", before, kept), ("today", now, cases)):
        if of:
            found = summary(of, predict)
            print(f"{name}: coverage {found['coverage']:.0%} of {len(of)} cases, interval score {found['score']:.2f}")


def main() -> None:
    """Print the cases that were in view, and those held out; or those of a file."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("file", nargs="?", type=Path, help="other cases to predict")
    file = arguments.parse_args().file
    if file is not None:
        report(read_cases(file), f"cases of {file}")
        return
    report(read_cases(CASES), "in view when the ranges were drawn: coverage here is no test")
    print()
    report(read_cases(HELD_OUT), "held out: found afterwards, no number was moved for them")


if __name__ == "__main__":
    main()

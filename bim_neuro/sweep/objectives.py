"""Objectives: which numbers of a trial are compared, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import InputError


class Objective(NamedTuple):
    """A number of a trial; ``most``: more is better."""

    name: str
    column: str
    most: bool
    unit: str
    title: str
    word: str
    """What the glossary calls it."""

    def of(self, metrics: Mapping[str, Any]) -> float | None:
        """Return it as a loss: less is better."""
        value = metrics.get(self.column)
        return None if value is None else (-value if self.most else value)


OBJECTIVES: dict[str, Objective] = {
    one.name: one
    for one in (
        Objective("accuracy", "accuracy", True, "share", "Accuracy of the integers", "accuracy, integers"),
        Objective("agreement", "agreement", True, "share", "Least agreement with float", "equal to float, worst layer"),
        Objective("energy", "energy_uj", False, "uj", "Energy of a sample", "energy a sample, dynamic and static"),
        Objective("latency", "latency_us", False, "us", "Time to the answer", "time to the answer"),
        Objective("cores", "cores", False, "count", "Cores", "cores"),
        Objective("validation", "validation", True, "share", "Validation score", "validation score"),
        Objective("validation_error", "validation_error", False, "count", "Validation error", "validation error"),
        Objective("parameters", "parameters", False, "count", "Parameters", "parameters"),
        Objective("trained_seconds", "trained_seconds", False, "s", "Seconds of training", "seconds of training"),
    )
}


def objectives_of(text: str) -> tuple[Objective, ...]:
    """Read accuracy,energy."""
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in OBJECTIVES:
            raise InputError(f"there is no objective '{name:.60}'", f"some of {', '.join(OBJECTIVES)}")
    return tuple(OBJECTIVES[name] for name in dict.fromkeys(names))

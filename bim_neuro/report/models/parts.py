"""Types shared by sections of summary.json: counts, shares, ranges of an estimate, choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .says import Items, Within

Count = Annotated[int, Within(0)]
"""A count."""
Some = Annotated[int, Within(1)]
"""A count of at least one."""
Share = Annotated[float, Within(0, 1)]
"""A part of a whole."""
Amount = Annotated[float, Within(0)]
"""A number that is not negative."""
Once = Annotated[tuple[str, ...], Items(unique=True)]
"""Names, each once."""
Channels = tuple[float, ...]
"""One entry per raw channel."""

Judge = Literal["lava", "own"]
Law = Literal["lava-bit-accurate", "lava-fixed-point", "ours"]
"""lava: Lava ships the process. own: a microcode neuron of ours."""
Basis = Literal["metered", "measured", "simulated", "calibrated", "derived", "assumed", "unpublished"]
"""The basis of a price or a time, strongest first."""
Backend = Literal["engine", "reference", "lava"]
"""Where integers are computed."""
Objective = Literal["energy", "latency", "cores"]
"""What a placement minimises."""


@dataclass(frozen=True)
class Range:
    """A likely value and its range; all three null where nothing has a published price."""

    low: Annotated[Amount | None, "With every price at its low end."]
    value: Annotated[Amount | None, "With the likely prices."]
    high: Annotated[Amount | None, "With every price at its high end."]


@dataclass(frozen=True)
class Quantity:
    """A published number, its range, and where it is from."""

    value: Annotated[float | None, "The likely value."]
    low: Annotated[float | None, "The low end."]
    high: Annotated[float | None, "The high end."]
    unit: Annotated[str, "Unit of the three."]
    basis: Annotated[Basis, "How it is known."]
    source: Annotated[str, "Where it is published."]

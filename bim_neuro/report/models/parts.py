"""What several sections of summary.json are made of: counts, shares, ranges of an estimate, words of a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .says import Items, Within

Count = Annotated[int, Within(0)]
"""How many."""
Some = Annotated[int, Within(1)]
"""How many, and there is one."""
Share = Annotated[float, Within(0, 1)]
"""A part of a whole."""
Amount = Annotated[float, Within(0)]
"""A number that is not negative."""
Once = Annotated[tuple[str, ...], Items(unique=True)]
"""Names, each once."""
Channels = tuple[float, ...]
"""An entry a raw channel."""

Judge = Literal["lava", "own"]
"""lava: Lava ships the process. own: a microcode neuron of ours."""
Basis = Literal["metered", "measured", "simulated", "calibrated", "derived", "assumed", "unpublished"]
"""How a price or a time is known, the best known first."""
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

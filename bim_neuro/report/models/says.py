"""Annotations of a field of a model: `Annotated[Range, "Energy of the layer.", Unit("pJ a sample")]`.

The first text is the field's description. From these docs/summary.schema.json is generated (`schema.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """What a number counts or measures."""

    name: str


@dataclass(frozen=True)
class Within:
    """The values a number may have; None is no limit, ``above`` is never reached."""

    low: float | None = None
    high: float | None = None
    above: float | None = None


@dataclass(frozen=True)
class Items:
    """How many a list has at the least, and whether each stands in it once."""

    least: int = 0
    unique: bool = False

"""Estimates in words: a likely value with its range, in the largest unit that it reaches."""

from __future__ import annotations

from .models import Range

Units = tuple[tuple[float, str], ...]
"""(scale, name), the largest first."""

MICROSECONDS: Units = ((1e6, "s"), (1e3, "ms"), (1.0, "us"))
SECONDS: Units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
PICOJOULES: Units = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1.0, "pJ"))
MICROJOULES: Units = tuple((scale / 1e6, unit) for scale, unit in PICOJOULES)
MILLIWATTS: Units = ((1e3, "W"), (1.0, "mW"), (1e-3, "uW"))
"""What a number in these is written as."""


def energy(quantity: Range | None) -> str:
    """Write a range in pJ as '1.2 uJ (0.7-2.4)'; 'unpriced' where there is no price."""
    return scaled(quantity, PICOJOULES)


def scaled(quantity: Range | None, units: Units) -> str:
    """Write a range in the largest of ``units`` that its value reaches."""
    if quantity is None or quantity.value is None:
        return "unpriced"
    scale, unit = _unit(abs(quantity.value), units)
    low, value, high = (_short(end, scale) for end in (quantity.low, quantity.value, quantity.high))
    return f"{value} {unit} ({low}-{high})"


def point(number: float, units: Units) -> str:
    """Write a number that has no range."""
    scale, unit = _unit(number, units)
    return f"{_short(number, scale)} {unit}"


def _unit(number: float, units: Units) -> tuple[float, str]:
    return next(((scale, unit) for scale, unit in units if number >= scale), units[-1])


def _short(number: float | None, scale: float) -> str:
    """Write an end of a range; where the value is known, both are."""
    if number is None:
        return "-"
    part = number / scale
    return f"{part:.3g}" if part < 1000 else f"{part:,.0f}"

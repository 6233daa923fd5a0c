"""A number with its range, and how it is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from ..printable import outline

# How a number is known, strongest first; docs/hardware.md says what each word means.
BASES = ("metered", "measured", "simulated", "calibrated", "derived", "assumed", "unpublished")


@dataclass(frozen=True)
class Quantity:
    """A number and its range: inf where nothing limits, None where ``basis`` is 'unpublished'."""

    value: float | None
    low: float | None
    high: float | None
    unit: str
    basis: str
    source: str

    __repr__ = outline

    @property
    def number(self) -> float:
        """The value, or inf if unpublished: an unknown limit does not restrict."""
        return inf if self.value is None else self.value

    @property
    def published(self) -> bool:
        return self.value is not None


NO_MW, NO_NS = (Quantity(None, None, None, unit, "unpublished", "not in this profile") for unit in ("mW", "ns"))
"""What stands for a number that a profile leaves out."""


def weakest_basis(quantities: Iterable[Quantity]) -> str:
    """Return the weakest basis among the quantities, 'unpublished' where there are none."""
    return max((quantity.basis for quantity in quantities), key=BASES.index, default="unpublished")

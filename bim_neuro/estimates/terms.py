"""Terms: a count of events times the product of its prices, as low, likely and high.

Every estimate is a sum of terms, so its low and its high are the same sum with each price at that end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from math import prod

from ..hardware import HardwareProfile, Quantity, weakest_basis
from ..nodes.node import IntegerNode

ENDS = ("low", "value", "high")


@dataclass(frozen=True)
class Range:
    """A likely ``value`` between ``low`` and ``high``; all None where nothing has a published price."""

    low: float | None
    value: float | None
    high: float | None

    def over(self, parts: float) -> Range:
        """Return one of ``parts`` equal parts."""
        return Range(*(None if end is None else end / parts for end in (self.low, self.value, self.high)))


UNPRICED = Range(None, None, None)


@dataclass(frozen=True)
class Term:
    """``count`` events of a kind, each costing the product of ``prices``; `unpriced` says ``name``."""

    event: str
    name: str
    count: float
    prices: tuple[Quantity, ...]

    @property
    def priced(self) -> bool:
        return bool(self.prices) and all(price.published for price in self.prices)

    @property
    def each(self) -> Range:
        """What one of the events costs."""
        if not self.priced:
            return UNPRICED
        return Range(*(prod(getattr(price, end) for price in self.prices) for end in ENDS))

    def over(self, parts: float) -> Range:
        """Return what the events cost, over ``parts``: the samples."""
        if not self.priced:
            return UNPRICED
        return Range(*(self.count * price for price in astuple(self.each))).over(parts)


def update_term(node: IntegerNode, updates: int, profile: HardwareProfile, pass_price: Quantity) -> Term:
    """Return the term of a layer's updates: passes of the neuron's program, for each state where it has many."""
    passes = profile.passes_per_update.get(node.kind)
    if passes is None:
        return Term("updates", f"updates of {node.kind} neurons", updates, ())
    states = node.state_words if passes.unit == "passes/state" else 1
    return Term("updates", "neuron updates", updates * states, (passes, pass_price))


def total(ranges: Iterable[Range]) -> Range:
    """Add the priced terms, end by end; UNPRICED if there are none."""
    priced = [(r.low, r.value, r.high) for r in ranges if r != UNPRICED]
    return Range(*(sum(end) for end in zip(*priced, strict=True))) if priced else UNPRICED


def left_out(terms: Sequence[Term]) -> tuple[str, ...]:
    """Name each kind of event that occurred and has no published price."""
    return tuple(dict.fromkeys(term.name for term in terms if term.count and not term.priced))


def weakest(terms: Sequence[Term]) -> str:
    """Return the weakest basis among the prices of the events that occurred."""
    return weakest_basis(price for term in terms if term.count and term.priced for price in term.prices)

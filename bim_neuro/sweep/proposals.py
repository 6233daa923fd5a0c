"""Which trials a sweep makes: every combination in order, or so many of them in an order drawn by a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from ..errors import InputError
from .space import Space, shuffled
from .trial import Maker, Trial

KINDS = ("grid", "random", "optuna")
MOST = 1_000_000
"""Trials of a sweep: each is a folder."""
_COUNTED = 200_000
"""Combinations that are gone through to count the trials among them; of more, all are taken for trials."""
_CHECKED = 2_000
"""Combinations in which an axis is looked for an effect."""


class Proposals(Protocol):
    """Gives trials, each once, and hears what came of them."""

    total: int

    def next(self) -> Trial | None:
        """Return the next trial; None where there is none, or none before a result is told."""
        ...

    def tell(self, key: str, row: Mapping[str, Any]) -> None:
        """Hear the result of a trial."""
        ...


class Combinations:
    """Combinations by their numbers, in an order; those that come to the same trial as an earlier one are left out."""

    def __init__(self, space: Space, maker: Maker, seed: int | None = None, trials: int | None = None) -> None:
        self._space, self._maker, self._seed = space, maker, seed
        found = space.size if space.size > _COUNTED else sum(1 for _ in self._distinct())
        self.total = bounded(min(found, trials) if trials else found)
        self._left = islice(self._distinct(), self.total)

    def _distinct(self) -> Iterator[dict[str, Any]]:
        size = self._space.size
        for index in range(size) if self._seed is None else shuffled(size, self._seed):
            values = self._space.at(index)
            if self._space.firsts(values, self._maker.asked(values)[1]):
                yield values

    def next(self) -> Trial | None:
        values = next(self._left, None)
        return None if values is None else self._maker.trial(values)

    def tell(self, key: str, row: Mapping[str, Any]) -> None:
        """Nothing is learnt from a result."""


def bounded(trials: int) -> int:
    """Refuse more trials than a folder holds well."""
    if trials > MOST:
        raise InputError(
            f"these are {trials:,} trials, the limit is {MOST:,}", "give fewer values, or so many --trials"
        )
    return trials


def check_effects(space: Space, maker: Maker) -> None:
    """Refuse names that have no effect in any combination."""
    idle = {axis.name.full for axis in space.axes if len(axis.values) > 1} | set(maker.fixed)
    order = shuffled(space.size, 0)
    for index in islice(order, _CHECKED):
        idle &= maker.asked(space.at(index))[1]
        if not idle:
            return
    names = ", ".join(sorted(idle))
    raise InputError(f"{names} has no effect in any of the trials", "leave it out, or vary what it needs as well")

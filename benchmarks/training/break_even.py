"""From which T on forward traces take less memory, or less time, than backpropagation: read from measured cells.

Between two measured lengths, one on each side, the ratio is taken for a power of T:

    r(T) = r_0 (T / T_0)^p          p = log(r_1 / r_0) / log(T_1 / T_0), r = traces / backpropagation
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from .cells import Cell

FORWARD, RIVALS = "rtrl", ("checkpointed", "bptt")
AMOUNTS = {"memory": "peak_bytes", "time": "ms"}
Rows = dict[str, dict[str, Any]]


class BreakEven(NamedTuple):
    """Where forward traces win against one rival, on cells that differ in T alone."""

    cells: str  # their key, T left out
    rival: str
    amount: str  # memory or time
    steps: tuple[int, ...]  # measured lengths
    wins: tuple[bool, ...]  # at each
    crossings: tuple[float, ...]  # T at which the winner changes

    def __str__(self) -> str:
        pairs = list(zip(self.steps, self.wins, strict=True))
        changes = len(self.crossings)
        measured = f"measured from {self.steps[0]:,} to {self.steps[-1]:,}"
        if changes == 0:
            where = f"at {'every' if self.wins[0] else 'no'} T"
        elif changes == 1:
            about = f"T = {_rounded(self.crossings[0]):,}"
            where = f"up to about {about}" if self.wins[0] else f"from about {about} on"
        else:
            where = f"at T = {', '.join(f'{steps:,}' for steps, wins in pairs if wins)} alone"
        return f"{self.cells}: {where} {FORWARD} takes less {self.amount} than {self.rival} ({measured})"


def break_evens(results: Rows) -> list[BreakEven]:
    """Return them for all networks, batches and inputs of which two lengths are measured."""
    groups: dict[Cell, list[tuple[int, dict[str, Any]]]] = {}
    for row in results.values():
        cell = Cell(**row["cell"])
        groups.setdefault(replace(cell, steps=0), []).append((cell.steps, row["methods"]))
    return [found for cell, rows in groups.items() for found in _of_group(cell, sorted(rows, key=lambda row: row[0]))]


def _of_group(cell: Cell, rows: list[tuple[int, dict[str, Any]]]) -> Iterator[BreakEven]:
    key = cell.key.split(" ", 1)[1]
    for rival in RIVALS:
        for amount, field in AMOUNTS.items():
            ratios = [
                (steps, methods[FORWARD][field] / methods[rival][field])
                for steps, methods in rows
                if all(methods.get(method, {}).get(field, 0) > 0 for method in (FORWARD, rival))
            ]
            if len(ratios) > 1:
                steps, each = zip(*ratios, strict=True)
                yield BreakEven(key, rival, amount, steps, tuple(r < 1 for r in each), tuple(_crossings(ratios)))


def _crossings(ratios: list[tuple[int, float]]) -> Iterator[float]:
    """Return the T at which the ratio passes 1."""
    for (before, r), (after, s) in itertools.pairwise(ratios):
        if (r < 1) != (s < 1):
            share = -math.log(r) / (math.log(s) - math.log(r))
            yield before * (after / before) ** share


def _rounded(steps: float) -> int:
    """Two digits: more were not measured."""
    unit = 10 ** max(0, math.floor(math.log10(steps)) - 1)
    return int(round(steps / unit) * unit)

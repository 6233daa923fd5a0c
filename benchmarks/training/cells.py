"""The cells of the grid: a network, a length, a batch and an input, and which of them one run measures."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

SILENCE = 0.0
"""As a rate: spikes in a fifth of the lines for `HEARD` steps, then nothing."""
HEARD, LOUD = 50, 0.2


@dataclass(frozen=True)
class Cell:
    """T ``steps``, D ``channels``, ``batch``, ``blocks`` and the share of input lines that spike in a step."""

    steps: int = 1000
    channels: int = 64
    batch: int = 1
    blocks: int = 1
    rate: float = LOUD
    inputs: int = 64
    states: int = 16
    taps: int = 4
    classes: int = 10

    @property
    def key(self) -> str:
        """What --only reads and a result is filed under."""
        rate = "silence" if self.rate == SILENCE else f"{self.rate:g}"
        return f"T={self.steps} D={self.channels} B={self.batch} blocks={self.blocks} rate={rate}"

    @property
    def work(self) -> int:
        """Scan states times steps: what a pass is proportional to."""
        return self.steps * self.batch * self.channels * self.states * self.blocks

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


AXES: dict[str, tuple[Any, ...]] = {
    "steps": (100, 300, 1000, 3000, 10_000),
    "channels": (64, 256, 1024),
    "batch": (1, 16, 64),
    "blocks": (1, 2, 4),
    "rate": (0.2, 0.05, 0.02, 0.005, SILENCE),
}


def star() -> list[Cell]:
    """Every axis by itself through T = 1000, D = 64, one block, 20 %, at batch 1 and 16."""
    middle = (Cell(batch=1), Cell(batch=16))
    lines = (replace(cell, **{axis: value}) for cell in middle for axis, values in AXES.items() for value in values)
    return _in_order(lines)


def whole() -> list[Cell]:
    """Every combination."""
    return _in_order(Cell(**dict(zip(AXES, values, strict=True))) for values in itertools.product(*AXES.values()))


def chosen(cells: list[Cell], only: list[str]) -> list[Cell]:
    """Return the cells whose key holds every word of one of ``only``: 'T=1000 B=16'."""
    wanted = [set(words.split()) for words in only]
    return [cell for cell in cells if not only or any(words <= set(cell.key.split()) for words in wanted)]


def _in_order(cells: Iterable[Cell]) -> list[Cell]:
    """Each once, the quick ones first: what they take says which of the others to skip."""
    return sorted(dict.fromkeys(cells), key=lambda cell: (cell.work, cell.key))

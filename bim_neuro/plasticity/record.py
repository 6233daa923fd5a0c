"""Record of on-chip learning: counts of changes, and the rates that the integers give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from ..nodes.arithmetic import Array
from ..printable import outline
from ..shapes import Bool


@dataclass
class LearnRecord:
    """Counts of a learning run: ``correct`` (samples,) before each update; counts by group."""

    correct: Annotated[Array, Bool("samples")]
    updates: dict[str, int] = field(default_factory=dict)  # synapses visited
    changed: dict[str, int] = field(default_factory=dict)  # weights that changed
    clipped: dict[str, int] = field(default_factory=dict)  # weights at their limit
    saturated: int = 0  # trace words

    __repr__ = outline

    def add(self, group: str, before: Array, wanted: Array, after: Array) -> None:
        """Count one update of a group."""
        self.updates[group] = self.updates.get(group, 0) + before.size
        self.changed[group] = self.changed.get(group, 0) + int(np.count_nonzero(after != before))
        self.clipped[group] = self.clipped.get(group, 0) + int(np.count_nonzero(after != wanted))


@dataclass(frozen=True)
class Rate:
    """One rate: what was ``wanted``, what the integers give, in units of the weight or the tag."""

    name: str
    wanted: float
    got: float

    @property
    def error(self) -> float:
        """Relative error, signed."""
        return self.got / self.wanted - 1

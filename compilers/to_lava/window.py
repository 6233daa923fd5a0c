"""Sample windows: which of Lava's steps, counted without end, belong to which sample at a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleWindow:
    """Samples of ``steps`` steps begin every ``period`` steps, the first at step ``depth``."""

    depth: int
    steps: int
    period: int

    def phase(self, time_step: int) -> int:
        """Return the step within the sample at Lava's ``time_step`` (which starts at 1), negative before the first."""
        elapsed = time_step - 1 - self.depth
        return elapsed % self.period if elapsed >= 0 else elapsed

    def sample(self, time_step: int) -> int:
        """Return the number of the sample at Lava's ``time_step``, negative before the first."""
        return (time_step - 1 - self.depth) // self.period

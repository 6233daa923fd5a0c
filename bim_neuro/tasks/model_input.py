"""What a model reads: the shape of its input, its step, and how lists of events become its steps."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import TIME_UNITS

DT_S = 0.001
"""Seconds a step where neither a model nor a file says it."""
SECONDS = dict(zip(TIME_UNITS, (1.0, 1e-3, 1e-6, 1e-9), strict=True))
"""In a unit of an event's time."""


@dataclass(frozen=True)
class ModelInput:
    """``shape`` of the graph's input (channels, height, width), or () where it is not known; ``dt`` seconds a step.

    ``spikes``     the lines carry 0 and 1 only
    ``time_unit``  of event times, one of `choices.TIME_UNITS`; None: whole numbers are microseconds, others seconds
    ``bins``       one of `choices.BINS`; None: 'any' for spike lines, else 'count'
    ``node``       which node of a NIRData file to read, as 'input' or 'input.spikes'; None: the only one, or ``source``
    """

    shape: tuple[int, ...] = ()
    dt: float | None = None
    spikes: bool = False
    source: str = ""
    time_unit: str | None = None
    bins: str | None = None
    node: str | None = None

    @property
    def counted(self) -> bool:
        """Whether several events in a step and line are counted."""
        return self.bins == "count" or (self.bins is None and not self.spikes)

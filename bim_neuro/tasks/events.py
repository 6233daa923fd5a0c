"""Lists of events become sequences: each event adds to the step and the line it falls into.

    step = floor(t / dt)        line = (channel * height + y) * width + x        x[sample, step, line] += value

A time within a millionth of a step below the next one counts as the next: 3 * 0.0001 / 0.0001 is 2.9999999999999996.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..intake import Budget
from ..printable import counted
from .layouts import said

_NEAR = 1e-6  # of a step
_FLOAT32 = 4  # bytes
_FAR = 2**53  # steps; beyond them a time has no whole number of steps

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Events:
    """Events of some samples, all (events,): the sample of each, its time in seconds, line and value (None: 1)."""

    who: str
    samples: int
    sample: Int64Array
    time: Float64Array
    line: Int64Array
    value: Float64Array | None = None


def check_times(time: NDArray[Any], sample: Int64Array, who: str) -> None:
    """Refuse times that are not finite, below 0, or not in order within a sample."""
    wrong = np.flatnonzero(~np.isfinite(time.astype(np.float64)))
    if len(wrong):
        raise InputError(f"{who}: the time of event {wrong[0]} is {time[wrong[0]]}, {len(wrong):,} are not finite")
    wrong = np.flatnonzero(time < 0)
    if len(wrong):
        message = f"{who}: the time of event {wrong[0]} is {time[wrong[0]]}, {len(wrong):,} lie before 0"
        raise InputError(message, "times count from the beginning of a sample: subtract the first")
    wrong = np.flatnonzero((np.diff(sample) < 0) | ((np.diff(sample) == 0) & (time[1:] < time[:-1])))
    if len(wrong):
        first = int(wrong[0])
        message = f"{who} is not sorted: event {first + 1} at {time[first + 1]} follows event {first} at {time[first]}"
        raise InputError(message, "sort all arrays by sample and time, as numpy.lexsort((t, sample)) does")


def check_places(places: Int64Array, size: int, what: str, who: str) -> None:
    """Refuse events outside the grid, naming how many and the first."""
    wrong = np.flatnonzero((places < 0) | (places >= size))
    if len(wrong):
        message = f"{who}: {what} of event {wrong[0]} is {places[wrong[0]]}, it must be from 0 to {size - 1}; "
        raise InputError(f"{message}{len(wrong):,} events lie outside the grid", "is it the sensor of this model?")


def binned(
    events: Events, lines: int, dt: float, duration: float | None, budget: Budget, *, count: bool
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return x (samples, steps, lines), and notes on events that fell into one step and line.

    ``duration`` seconds of each sample, or None: until the last event. With ``count`` they add up, else they are 1.
    """
    if not len(events.time):
        raise InputError(f"{events.who} holds no event", "an array of zeros is silent input")
    step = np.floor(events.time / dt + _NEAR)
    steps = step.max() + 1 if duration is None else ceil(duration / dt - _NEAR)
    if steps > _FAR or steps < 1:
        raise InputError(f"{events.who} lasts {steps:.3g} steps of {dt:g} s", "are its times in another unit?")
    steps = int(steps)
    late = np.flatnonzero(step >= steps)
    if len(late):
        message = f"{events.who}: event {late[0]} at {events.time[late[0]]:g} s lies behind the end at {duration:g} s"
        raise InputError(f"{message}; {len(late):,} do", "give another duration")
    shape = (events.samples, steps, lines)
    size = _FLOAT32 * events.samples * steps * lines
    budget.take(f"{events.who} in {counted(steps, 'step')} of {dt:g} s ({said(shape)})", size)
    x = np.zeros(shape, np.float32)
    at = (events.sample, step.astype(np.int64), events.line)
    many = len(events.time) - len(np.unique(np.ravel_multi_index(at, shape)))
    if count or events.value is not None:
        np.add.at(x, at, 1.0 if events.value is None else events.value)
    else:
        x[at] = 1.0
    return x, _merged(events, many, count)


def _merged(events: Events, many: int, count: bool) -> tuple[str, ...]:
    if not many:
        return ()
    became = "values were added" if events.value is not None else "they are counted" if count else "one spike is sent"
    return (f"{many:,} of {len(events.time):,} events fell into a step and line that had one already: {became}",)

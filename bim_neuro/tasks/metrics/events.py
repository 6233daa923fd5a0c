"""Events found and false alarms a day, as seizure detection reports them (timescoring, the rules of SzCORE).

sensitivity      events that any alarm overlaps, 30 s before to 60 s behind them, over all events
false alarms     alarms that overlap no event so widened, a day of recording

Events less than 90 s apart are one, longer ones than 5 minutes are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ... import arguments
from ...errors import InputError
from ...extras import check_extra

Events = Sequence[tuple[float, float]]
"""Begin and end of each, in seconds."""


class EventScores(TypedDict):
    """``sensitivity`` in [0, 1], NaN without an event; ``false_alarms_a_day``; ``events`` that were to be found."""

    sensitivity: float
    false_alarms_a_day: float
    events: int


def event_scores(truth: Sequence[Events], found: Sequence[Events], seconds: Sequence[float]) -> EventScores:
    """Scores of several recordings together: the events of each, the alarms in each, and how long each lasts."""
    check_extra("tasks", "timescoring", "scores of events")
    from timescoring.annotations import Annotation
    from timescoring.scoring import EventScoring

    if not seconds or not len(truth) == len(found) == len(seconds):
        raise InputError(f"{len(found)} lists of alarms, {len(truth)} of events, {len(seconds)} durations: one each")
    hits = events = alarms = 0
    for true, alarm, duration in zip(truth, found, seconds, strict=True):
        length = round(arguments.duration(duration, "a recording") * 10)
        sides = [Annotation(_checked(side, duration), 10, length) for side in (true, alarm)]
        score = EventScoring(*sides)
        hits, events, alarms = hits + int(score.tp), events + int(score.refTrue), alarms + int(score.fp)
    sensitivity = hits / events if events else float("nan")
    return {"sensitivity": sensitivity, "false_alarms_a_day": alarms / (sum(seconds) / 86_400), "events": events}


def events_of(positive: NDArray[np.bool_], begins: NDArray[np.float64], seconds: float) -> list[tuple[float, float]]:
    """The events in windows of some ``seconds``, which begin at ``begins`` in order; neighbours are one event."""
    events: list[tuple[float, float]] = []
    for begin in np.asarray(begins, np.float64)[np.asarray(positive, np.bool_)].tolist():
        if events and begin <= events[-1][1] + 1e-9:
            events[-1] = (events[-1][0], begin + seconds)
        else:
            events.append((begin, begin + seconds))
    return events


def _checked(events: Events, duration: float) -> list[tuple[float, float]]:
    last = 0.0
    for begin, end in events:
        if not last <= begin < end <= duration + 1e-6:
            raise InputError(f"an event from {begin:g} to {end:g} s: they come in order, inside {duration:g} s")
        last = end
    return [(float(begin), float(end)) for begin, end in events]

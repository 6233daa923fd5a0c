"""Fronts: the trials that no other beats in two objectives at once; trials that differ in their seed are one point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .objectives import Objective
from .trial import SEEDS

_SPREAD = ("", "_low", "_high")


def points(rows: Iterable[Mapping[str, Any]], objectives: Sequence[Objective]) -> list[dict[str, Any]]:
    """Return a point for the finished trials that are equal but for their seed.

    A point has its keys, values, and for each objective the mean, the least low and the greatest high; where the trials
    have no range of their own, low and high are those of the seeds.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "done":
            said = sorted((name, str(value)) for name, value in row["values"].items() if name not in SEEDS)
            groups.setdefault(f"{row['source']} {said}", []).append(row)
    return [_point(group, objectives) for group in groups.values()]


def _point(group: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> dict[str, Any]:
    values = {name: value for name, value in group[0]["values"].items() if name not in SEEDS}
    values |= {"model": group[0]["model"]}
    found = {one.name: _range([row["metrics"] for row in group], one.column) for one in objectives}
    return {"keys": [row["key"] for row in group], "values": values, **found}


def _range(metrics: Sequence[Mapping[str, Any]], column: str) -> dict[str, float] | None:
    columns = [[one.get(f"{column}{end}", one.get(column)) for one in metrics] for end in _SPREAD]
    middle, low, high = ([value for value in values if value is not None] for values in columns)
    return {"value": sum(middle) / len(middle), "low": min(low), "high": max(high)} if middle and low and high else None


def front_by_task(found: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> list[int]:
    """Return the places of the points that no other of their own task beats."""
    tasks: dict[str, list[int]] = {}
    for place, point in enumerate(found):
        tasks.setdefault(point["values"]["model"], []).append(place)
    return [own[at] for own in tasks.values() for at in front([found[place] for place in own], objectives)]


def front(found: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> list[int]:
    """Return the places of the points that no other beats in one or two objectives: none is as good in all of them
    and better in one.
    """
    losses = {
        place: tuple(-point[one.name]["value"] if one.most else point[one.name]["value"] for one in objectives)
        for place, point in enumerate(found)
        if all(point[one.name] is not None for one in objectives)
    }
    places: list[int] = []
    for place in sorted(losses, key=lambda place: losses[place]):  # whoever beats a point comes before it
        last = losses[places[-1]] if places else None  # the least in the second objective so far
        if last is None or losses[place] == last or (len(objectives) > 1 and losses[place][1] < last[1]):
            places.append(place)
    return places

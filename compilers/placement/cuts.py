"""Cuts: a layer that is too large for a core, in parts that each fill one.

A feature map is cut in both orders, by channels and by rows, and the order that needs fewer cores is kept; where both
need as many, the one with fewer incoming axons: cores that hold neighbouring rows both read the rows of senders around
their border (the halo), and cores that hold other channels of the same rows read all of their senders again. A part
ends at whole rows or channels if no more cores are needed so, else at a place with all its channels, or anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ...nodes import Conv
from .parts import Part

if TYPE_CHECKING:
    from .memory import Footprint

GIVE_UP = 4
"""A cut is left unfinished once it has so many times the parts of the best one."""

Way = Literal["neurons", "channels", "rows"]


@dataclass(frozen=True)
class Cut:
    """The parts of a layer, in which order they are cut, and the ``other`` order's number of parts, 0 without one.

    ``unfinished``: the other order has more than ``other`` parts.
    """

    parts: list[Part]
    by: Way = "neurons"
    other: int = 0
    unfinished: bool = field(default=False)


def cut(footprint: Footprint, layer: str) -> Cut:
    """Cut a layer into parts as large as a core can hold; a neuron too large for any core is one part."""
    neurons, grid = footprint.graph.nodes[layer].neurons, _grid(footprint, layer)
    start = Part(layer, 0, 0)
    if grid is None or footprint.fitting(start) == neurons:
        return Cut(_parts(footprint, start, 1, neurons))
    channels, rows, columns = grid
    by_rows = _best(footprint, start._replace(channels=channels), (columns * channels, channels, 1), neurons)
    most = GIVE_UP * len(by_rows)
    by_channels = _best(footprint, start, (rows * columns, columns, 1), most)
    given_up = by_channels[-1].last < neurons - 1
    if not given_up and _cost(footprint, by_channels) < _cost(footprint, by_rows):
        return Cut(by_channels, "channels", len(by_rows))
    return Cut(by_rows, "rows", len(by_channels), given_up)


def _grid(footprint: Footprint, layer: str) -> tuple[int, int, int] | None:
    """Return the grid of a layer that convolutions lead to, None where there are none or two of different grids."""
    edges = [footprint.graph.edges[index] for index in footprint.into[layer]]
    grids = {edge.synapse.out for edge in edges if isinstance(edge.synapse, Conv)}
    return grids.pop() if len(grids) == 1 else None


def _best(footprint: Footprint, start: Part, units: tuple[int, ...], most: int) -> list[Part]:
    """Return the fewest parts that end at whole units of one of these sizes; of equally many, the larger unit's."""
    found = [parts for unit in units if (parts := _parts(footprint, start, unit, most))]
    whole = [parts for parts in found if parts[-1].last == footprint.graph.nodes[start.layer].neurons - 1]
    return min(whole or found, key=len)


def _parts(footprint: Footprint, start: Part, unit: int, most: int) -> list[Part]:
    """Return parts of whole units, at most ``most``; none where a unit of several neurons does not fit."""
    neurons, count = footprint.graph.nodes[start.layer].neurons, 0
    first, parts = start.first, list[Part]()
    while first < neurons and len(parts) < most:
        count = footprint.fitting(start._replace(first=first), unit=unit, guess=count)
        if not count and unit > 1:
            return []
        parts.append(start._replace(first=first, last=first + max(1, count) - 1))
        if not count and start.channels > 1:  # it fits no core, which `design_rules` refuses; maps are large
            break
        first += max(1, count)
    return parts


def _cost(footprint: Footprint, parts: list[Part]) -> tuple[int, int]:
    return len(parts), sum(footprint.need(part).axons_in for part in parts)

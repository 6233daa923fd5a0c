"""Topological order: nodes before those that read them, and the edges that close a loop."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Protocol, TypeVar

import numpy as np
from scipy.sparse import coo_array

from .errors import InputError
from .nodes import Synapse


class Link(Protocol):
    """From one node to another, by name."""

    @property
    def source(self) -> str: ...

    @property
    def target(self) -> str: ...

    @property
    def synapse(self) -> Synapse: ...

    @property
    def delay(self) -> int: ...


L = TypeVar("L", bound=Link)


def sources_first(names: Iterable[str], edges: Iterable[Link], hint: str) -> tuple[str, ...]:
    """Sort nodes so that every edge points forward."""
    before: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        before[edge.target].append(edge.source)
    try:
        return tuple(TopologicalSorter(before).static_order())
    except CycleError as loop:
        path = " -> ".join(reversed(loop.args[1]))
        raise InputError(f"the graph has a loop, {path}", hint) from None


def closing(names: Iterable[str], edges: tuple[L, ...], first: str) -> tuple[L, ...]:
    """Walk depth first, from ``first`` and then from the nodes in order; return the edges back onto the path."""
    unit = _units(names, edges)
    leaving: dict[str, list[L]] = {name: [] for name in unit.values()}
    for edge in edges:
        if edge.synapse.hop:
            leaving[unit[edge.source]].append(edge)
    closing, path, done = [], set[str](), set[str]()
    for root in (unit[first], *unit.values()):
        stack = [] if root in done else [(root, iter(leaving[root]))]
        path.update(name for name, _ in stack)
        while stack:
            here, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.discard(here)
                done.add(here)
            elif (there := unit[following.target]) in path:
                closing.append(following)
            elif there not in done:
                path.add(there)
                stack.append((there, iter(leaving[there])))
    return tuple(closing)


def in_loops(names: Iterable[str], edges: tuple[L, ...]) -> tuple[L, ...]:
    """Return the edges with a delay that lie on a loop: those whose target leads back to their source."""
    from scipy.sparse.csgraph import connected_components  # a sixth of a second, for graphs with loops alone

    number = {name: place for place, name in enumerate(names)}
    ends = np.array([(number[edge.source], number[edge.target]) for edge in edges], np.int64).reshape(-1, 2)
    matrix = coo_array((np.ones(len(ends)), ends.T), shape=(len(number),) * 2)
    part = connected_components(matrix, directed=True, connection="strong")[1]
    return tuple(edge for edge, (a, b) in zip(edges, ends, strict=True) if edge.delay and part[a] == part[b])


def _units(names: Iterable[str], edges: tuple[L, ...]) -> dict[str, str]:
    """Name, for every node, the first of the nodes that it is joined to without a synapse."""
    unit = {name: name for name in names}
    for edge in edges:
        if not edge.synapse.hop:
            old, new = unit[edge.target], unit[edge.source]
            unit = {name: new if of == old else of for name, of in unit.items()}
    return unit

"""Loops of a NIR graph: which wires come back to a neuron, and the order that is left without them.

A loop of one spiking layer is recurrence: what the neurons sent at step t arrives at step t + 1. Its last wire, the one
into the neurons, closes it. A loop over several layers has no such reading: on a chip, where a message takes a step
from layer to layer, it would come back as many steps later as it has layers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from ..errors import Finding
from .hdf5 import NirGraph
from .support import NEURONS, SPIKING

MOST_LOOPS = 20
"""Most loops that are listed."""
Wire = tuple[str, str]


class Order(NamedTuple):
    """The nodes, sources first; the wires that close a loop of one layer; a finding for every other loop."""

    nodes: list[str]
    closing: frozenset[Wire]
    findings: list[Finding]


def sources_first(nir: NirGraph) -> Order:
    """Sort the nodes so that every wire but those that close a loop points forward."""
    before = dict(sorted(nir.before().items()))
    findings: list[Finding] = []
    closing: set[Wire] = set()
    order, loop = _sorted(before)
    while loop and len(findings) < MOST_LOOPS:
        neurons = _neurons(nir, loop)
        end = neurons[0] if neurons else loop[0]
        start = loop[(loop.index(end) - 1) % len(loop)]
        before[end] = [name for name in before[end] if name != start]
        if len(neurons) == 1 and nir.nodes[end].type in SPIKING:
            closing.add((start, end))
        else:
            findings.append(_refused(nir, loop, neurons))
        order, loop = _sorted(before)
    findings += [_refused(nir, [*way, end], [end, *_neurons(nir, way)]) for way, end in _longer(nir, closing)]
    return Order(order, frozenset(closing), findings)


def input_at_neurons(nir: NirGraph) -> NirGraph:
    """Return the graph with what enters a loop of one layer elsewhere, as at its weights, led to its neurons."""
    order, after = sources_first(nir), nir.after()
    edges = dict(nir.edges)
    for start, end in order.closing:
        inside = {end, *(name for name in nir.nodes if name in _behind(after, end) and start in _behind(after, name))}
        entering = [wire for wire in edges if wire[1] in inside - {end} and wire[0] not in inside]
        for wire in entering:
            del edges[wire]
            edges[wire[0], end] = None
    return replace(nir, edges=edges)


def _behind(after: dict[str, list[str]], first: str) -> set[str]:
    """Return all that a node leads to, and the node itself."""
    found, left = {first}, [first]
    while left:
        fresh = set(after[left.pop()]) - found
        found |= fresh
        left += fresh
    return found


def _sorted(before: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """Return the nodes sources first, or else none and a loop, along its wires."""
    try:
        return list(TopologicalSorter(before).static_order()), []
    except CycleError as error:
        return [], list(error.args[1])[:-1]


def _longer(nir: NirGraph, closing: set[Wire]) -> Iterator[tuple[list[str], str]]:
    """Yield the ways by which a layer's spikes reach over another layer a wire that closes its own loop."""
    after = nir.after()
    for start, end in sorted(closing):
        way = _way(after, end, start, over=lambda name: nir.nodes[name].type in NEURONS)
        if way:
            yield way, end


def _way(after: dict[str, list[str]], first: str, last: str, over: Callable[[str], bool]) -> list[str]:
    """Return the nodes from behind ``first`` to ``last`` by way of a node that ``over`` holds for; nothing if none."""
    came: dict[tuple[str, bool], tuple[str, bool]] = {}
    waiting = deque([(first, False)])
    while waiting:
        here = waiting.popleft()
        if here == (last, True):
            way = [last]
            while (here := came[here])[0] != first:
                way.insert(0, here[0])
            return way
        for name in after[here[0]]:
            there = (name, here[1] or over(name))
            if name != first and there not in came:
                came[there] = here
                waiting.append(there)
    return []


def _neurons(nir: NirGraph, names: list[str]) -> list[str]:
    return [name for name in names if nir.nodes[name].type in NEURONS]


def _refused(nir: NirGraph, loop: list[str], neurons: list[str]) -> Finding:
    said = f"the graph has a loop, {' -> '.join([*loop, loop[0]])}"
    if not neurons:
        return Finding("loop", loop[0], f"{said}, without a neuron: no step passes on it", 0, 1, "check the edges")
    if len(neurons) == 1:
        kind = nir.nodes[neurons[0]].type
        said = f"{said}, through a {kind}, which sends its voltage: only spikes may come back to their layer"
        return Finding("loop", neurons[0], said, hint=f"put a spiking neuron ({', '.join(SPIKING)}) into the loop")
    late = (
        f"a message takes a step from layer to layer on a chip, so it would come back {len(neurons)} steps later, not 1"
    )
    hint = "only loops of one layer are supported: let each layer feed back to itself"
    return Finding("loop", neurons[0], f"{said}, over {len(neurons)} layers: {late}", len(neurons), 1, hint)

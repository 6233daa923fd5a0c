"""Place: cut every layer over as many cores as it needs, and lay the cores row by row on the chip's mesh.

A core holds neurons of one layer, ``first`` to ``last``, both included. A scan and the LIF its soma edge
feeds are one microcode neuron: both are listed for each of their cores, with the same index and resources.
The input needs no core.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ..errors import DoesNotFit
from ..graph import Core, Edge, IntegerGraph, PlacedGraph
from ..hardware import HardwareProfile
from ..nodes import Diagonal
from .design_rules import check
from .memory import axons, cores_needed, hosts, layers_on_cores, members, usage


def place(graph: IntegerGraph, profile: HardwareProfile) -> PlacedGraph:
    """Return the graph on its cores (none in a simulation); raises DoesNotFit with every violated rule."""
    if findings := check(graph, profile):
        raise DoesNotFit(findings)
    if profile.usable_cores is None:
        return PlacedGraph(graph, profile.name, ())
    slices = chain.from_iterable(_cut(graph, profile, layer) for layer in layers_on_cores(graph))
    cores = tuple(
        Core(index, member, first, last, usage(graph, profile, layer, last - first + 1))
        for index, (layer, first, last) in enumerate(slices)
        for member in members(graph, layer)
    )
    return PlacedGraph(graph, profile.name, cores)


def _cut(graph: IntegerGraph, profile: HardwareProfile, layer: str) -> Iterator[tuple[str, int, int]]:
    """Cut a layer into equal parts, one a core."""
    neurons, parts = graph.nodes[layer].neurons, cores_needed(graph, profile, layer)
    for part in range(parts):
        yield layer, part * neurons // parts, (part + 1) * neurons // parts - 1


def average_hops(placed: PlacedGraph, profile: HardwareProfile) -> dict[str, tuple[float, float]]:
    """Return {layer: (east-west, north-south)}, the hops of a message, averaged over the layer's neurons.

    A message goes, on every edge, to every core that holds a target, by the shortest way on the mesh. Those
    of the input do not start on the mesh, and those of a scan stay inside its neuron: neither has hops.
    """
    cores = {layer: placed.cores_of(layer) for layer in hosts(placed.graph)}
    columns = int(profile.capacity.mesh_columns.number) if placed.cores else 1
    hops = dict.fromkeys(placed.graph.nodes, (0.0, 0.0))
    for edge in axons(placed.graph, cores):
        east_west, north_south = hops[edge.source]
        for source in cores[edge.source]:
            for target in cores[edge.target]:
                share = _senders(edge, source, target) / placed.graph.nodes[edge.source].neurons
                east_west += share * abs(source.index % columns - target.index % columns)
                north_south += share * abs(source.index // columns - target.index // columns)
        hops[edge.source] = east_west, north_south
    return hops


def _senders(edge: Edge, source: Core, target: Core) -> int:
    """Count the neurons of a source core whose messages the target core needs."""
    if isinstance(edge.synapse, Diagonal):
        return max(0, min(source.last, target.last) - max(source.first, target.first) + 1)
    return source.last - source.first + 1

"""Bounds: lower bounds of any placement, on the number of cores and on messages times hops.

Cores. Each neuron of a layer needs at least a certain number of words, whichever neurons share its core; the sum over
all neurons of all layers is at most cores times limit. And a core holds no more neurons of one layer than fit on a core
that holds nothing else.

Traffic. Two cores cannot be at one place, so the k-th nearest partner of a core is no nearer than the k-th nearest
place to the middle of the mesh. With the messages of each core in falling order and the distances in rising order
(Gilmore 1962, Lawler 1963),

    messages x hops >= 1/2 sum over cores of sum over k of messages[k] * distance[k]
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from math import ceil
from typing import NamedTuple

import numpy as np

from ...nodes import Conv, Dense, Diagonal, Sparse
from ...nodes.arithmetic import Array, ceil_div
from .conv_lists import fan_in
from .lists import EdgeLists
from .memory import Footprint
from .mesh import Mesh
from .parts import Part
from .traffic import Traffic

_SLACK = 1e-9  # tolerance for float rounding, so that a bound never exceeds the true value


class CoreBound(NamedTuple):
    """At least ``cores``; ``binding`` is the reason, a resource of all layers together or one layer alone."""

    cores: int
    binding: str


def core_bound(footprint: Footprint) -> CoreBound:
    """Return the lower bound of the number of cores, and the reason for it."""
    totals: dict[str, float] = defaultdict(float)
    axons: dict[str, float] = defaultdict(float)
    asked: dict[str, float] = {}  # cores, not yet rounded up
    for layer in footprint.layers:
        bound = _LayerBound(footprint, layer)
        if bound.neurons > bound.most:
            asked[f"layer {layer}"] = bound.neurons / bound.most
        for name, amount in bound.totals().items():
            totals[name] += amount
        for source, count in bound.axons_in().items():
            axons[source] = max(axons[source], count)
    totals["axon_in_words"] = sum(axons.values()) * footprint.profile.memory.axon_in_words.number
    totals["core_words"] = sum(amount for name, amount in totals.items() if name != "groups")
    asked |= {name: totals[name] / limit for name, limit in footprint.limits.items() if limit}
    binding = max(asked, key=lambda name: (ceil(asked[name] - _SLACK), asked[name]))
    return CoreBound(max(1, ceil(asked[binding] - _SLACK)), binding)


def traffic_bound(traffic: Traffic, mesh: Mesh) -> float:
    """Return the lower bound of messages times hops, over all placements of these cores on the mesh."""
    distances = mesh.nearest()
    least = 0.0
    for core in range(len(traffic.starts) - 1):
        messages = np.sort(traffic.messages[traffic.starts[core] : traffic.starts[core + 1]])[::-1]
        least += float(messages @ distances[: len(messages)])
    return least / 2 * (1 - _SLACK)


class _LayerBound:
    """Least resources that the neurons of one layer need; ``most`` is an upper bound of the neurons on a core."""

    def __init__(self, footprint: Footprint, layer: str) -> None:
        self.footprint, self.layer = footprint, layer
        self.neurons = footprint.graph.nodes[layer].neurons
        self.edges = [_EdgeBound(footprint.edge_lists(index), self.neurons) for index in footprint.into[layer]]
        self.sources = [footprint.graph.edges[index].source for index in footprint.into[layer]]
        costs = sum((edge.rate(self.neurons) * edge.fan_in for edge in self.edges), np.zeros(self.neurons))
        self.cheapest = np.concatenate([[0.0], np.cumsum(np.sort(costs))])
        self.most = max(1, bisect_left(range(1, self.neurons + 1), True, key=self._overflows))

    def totals(self) -> dict[str, float]:
        """Return the least of each resource that all neurons of the layer need, without incoming axons."""
        memory, sending = self.footprint.profile.memory, self.neurons * self.footprint.axons_out[self.layer]
        return {
            "neuron_words": self.neurons * self.footprint.neuron_words[self.layer],
            "synapse_words": sum(edge.rate(self.most) * float(edge.targets.sum()) for edge in self.edges),
            "axon_map_words": sending * memory.axon_map_words.number,
            "axon_mem_words": sending * memory.axon_mem_words.number,
            "groups": ceil(self.neurons / self.most),
        }

    def axons_in(self) -> dict[str, int]:
        """Return, for each source layer, the sum over its neurons of the cores that read them, at least."""
        found: dict[str, Array] = {}
        for source, edge in zip(self.sources, self.edges, strict=True):
            cores = -(-edge.targets // (self.most * edge.copies))
            found[source] = np.maximum(found[source], cores) if source in found else cores
        return {source: int(cores.sum()) for source, cores in found.items()}

    def _overflows(self, count: int) -> bool:
        """Whether any ``count`` neurons of the layer are too many for a core."""
        footprint, memory = self.footprint, self.footprint.profile.memory
        sending = count * footprint.axons_out[self.layer]
        senders: dict[str, int] = {}
        for source, edge in zip(self.sources, self.edges, strict=True):
            senders[source] = max(senders.get(source, 0), edge.senders(count))
        words = {
            "neuron_words": count * footprint.neuron_words[self.layer],
            "synapse_words": max(sum(edge.words(count) for edge in self.edges), self.cheapest[count]),
            "axon_in_words": sum(senders.values()) * memory.axon_in_words.number,
            "axon_map_words": sending * memory.axon_map_words.number,
            "axon_mem_words": sending * memory.axon_mem_words.number,
        }
        words["core_words"] = sum(words.values())
        return any(amount > footprint.limits[name] * (1 + _SLACK) for name, amount in words.items())


class _EdgeBound:
    """Least memory of the synapses of one edge; ``targets`` (pre,) per source neuron, ``fan_in`` (neurons,)."""

    def __init__(self, lists: EdgeLists, neurons: int) -> None:
        self.lists, self.neurons = lists, neurons
        self.targets = lists.reach(Part("", 0, neurons - 1))[0]
        self.fan_in = _fan_in(lists, neurons, int(self.targets.sum()))
        self.copies = max(1, ceil_div(int(self.targets.max(initial=0)), neurons))  # synapses of one pair of neurons
        self.missing = np.sort(neurons * self.copies - self.targets)  # absent synapses per source neuron

    def rate(self, count: int) -> float:
        """Return the least words per synapse where a core holds at most ``count`` neurons."""
        if self.lists.shared:
            return 0.0
        longest = min(count * self.copies, int(self.targets.max(initial=1)))
        lengths = np.arange(1, max(longest, 1) + 1)
        return min(float((self.lists.format.words(lengths, name) / lengths).min()) for name in self.lists.encodings)

    def senders(self, count: int) -> int:
        """Return the least number of source neurons that any ``count`` neurons read."""
        return int(np.searchsorted(self.missing, count * self.copies))

    def words(self, count: int) -> int:
        """Return the least words of the lists of any ``count`` neurons."""
        lengths = count * self.copies - self.missing[: self.senders(count)]
        if self.lists.shared:
            return 0
        return min(int(self.lists.format.words(lengths, name).sum()) for name in self.lists.encodings)


def _fan_in(lists: EdgeLists, neurons: int, synapses: int) -> Array:
    """Count the synapses of each neuron, (neurons,)."""
    if isinstance(lists.synapse, Dense) and not lists.whole:
        return np.asarray(np.count_nonzero(lists.synapse.weight, axis=1))
    if isinstance(lists.synapse, Diagonal) and not lists.whole:
        return np.asarray(lists.synapse.weight != 0).astype(np.int64)
    if isinstance(lists.synapse, Sparse) and not lists.whole:
        return np.bincount(lists.synapse.rows[lists.synapse.weight != 0], minlength=neurons)
    if isinstance(lists.synapse, Conv) and not lists.whole:
        return fan_in(lists.synapse)
    return np.full(neurons, synapses // neurons)

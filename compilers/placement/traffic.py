"""Traffic: how many messages each core sends to each other core.

A neuron's message is sent once to every other core that has a list for it, however many edges and delays read it there.
Three kinds of message have no hops: those of the input do not start on the mesh, those to the host do not end there,
and those from a scan to its soma stay inside the neuron.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...graph import Flow, IntegerGraph, hosts
from ...nodes.arithmetic import Array
from ...record import RunRecord
from .memory import Need
from .mesh import Hops, Mesh
from .parts import Part


@dataclass(frozen=True)
class Traffic:
    """Messages between cores, both directions added: core i has partners ``partners[starts[i]:starts[i + 1]]``."""

    starts: Array
    partners: Array
    messages: Array

    @property
    def silent(self) -> bool:
        """Whether no core sends anything to another."""
        return not self.messages.any()

    def hops(self, mesh: Mesh, sites: Array) -> Hops:
        """Return all messages times their hops, with core i at ``sites[i]``."""
        source = np.repeat(np.arange(len(sites)), np.diff(self.starts))
        way = mesh.hops(sites[source], sites[self.partners])
        return Hops(*(float(self.messages @ part) / 2 for part in way))


def flows(graph: IntegerGraph, cores: Sequence[tuple[Part, ...]], needs: Iterable[Need]) -> list[Flow]:
    """Return how many neurons of each layer on each core send to each other core; cores by index in the list."""
    host = hosts(graph)
    parts: dict[str, list[tuple[int, Part]]] = defaultdict(list)
    for core, held in enumerate(cores):
        for part in held:
            parts[part.layer].append((core, part))
    found = []
    for target, need in enumerate(needs):
        for layer, senders in need.senders.items():
            if layer == graph.source:
                continue
            before: dict[int, Array] = {}  # senders among the first neurons, in the order that the layer is cut in
            for core, part in parts[host[layer]]:
                if part.channels not in before:
                    inside = part._replace(first=0, last=len(senders) - 1).of(len(senders))
                    before[part.channels] = np.concatenate([[0], np.cumsum(senders[inside])])
                neurons = int(np.diff(before[part.channels][[part.first, part.last + 1]])[0])
                if neurons and core != target:
                    found.append(Flow(layer, core, target, neurons))
    return found


def rates(graph: IntegerGraph, record: RunRecord | None) -> dict[str, float]:
    """Return the messages per neuron and sample of each layer as measured; 1 each without a record."""
    if record is None:
        return dict.fromkeys(graph.nodes, 1.0)
    return {
        name: float(record.layers[name].messages.sum()) / record.samples / node.neurons
        for name, node in graph.nodes.items()
    }


def between(found: Iterable[Flow], rate: Mapping[str, float], cores: int) -> Traffic:
    """Return the messages between every two cores that exchange any."""
    pairs: dict[tuple[int, int], float] = defaultdict(float)
    for flow in found:
        pairs[flow.source, flow.target] += flow.neurons * rate[flow.layer]
        pairs[flow.target, flow.source] += flow.neurons * rate[flow.layer]
    ends = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    messages = np.array([pairs[source, target] for source, target in ends.tolist()])
    return Traffic(np.searchsorted(ends[:, 0], np.arange(cores + 1)), ends[:, 1], messages)

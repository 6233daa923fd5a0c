r"""NeuroBench: the metrics that NeuroBench 2.3 reports of a model, counted on the integers that run.

    Footprint           bytes of weights (one each or two, zeros too), of other parameters and of states
    ConnectionSparsity  zero weights, of all
    ActivationSparsity  slots in which a spiking neuron is silent, of all: samples x steps x neurons
    SynapticOperations  Effective_ACs and Effective_MACs: messages times weights, neither zero; an AC where the message
                        is a spike, a MAC where it is graded. Dense: as many as there are with nothing left out
    MembraneUpdates     membranes that differ from those of the step before; in the first step all of them count

The last two are a sample's. Only weights count, as there: the products of a scan's states are in none of them, nor is
what its B and C send to every channel. The gap between samples does not count.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from threading import Lock
from typing import Any, cast

import numpy as np

from ..compilers.two_lists import whole_weights
from ..graph import Edge, IntegerGraph
from ..nodes import Broadcast, SomaWire
from ..nodes.arithmetic import WORD_BITS, Array
from ..nodes.node import IntegerNode, is_spiking
from ..record import RunRecord


@dataclass(frozen=True)
class Activity:
    """Sums over samples; those of batches add up."""

    macs: int = 0
    acs: int = 0
    spikes: int = 0
    slots: int = 0
    membrane_updates: int = 0

    def __add__(self, other: Activity) -> Activity:
        return Activity(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def activity(graph: IntegerGraph, record: RunRecord) -> Activity:
    """Count what one batch did, from all probes of its run."""
    counter = ActivityCounter(graph, record.steps)
    for name in graph.nodes:
        values = {key.rsplit(".", 1)[1]: probe for key, probe in record.probes.items() if key.rsplit(".", 1)[0] == name}
        counter(slice(0, record.samples), name, 0, values)
    return counter.counted


class ActivityCounter:
    """Counts the events of a run while it runs (`probes.Watch`)."""

    def __init__(self, graph: IntegerGraph, steps: int) -> None:
        self.graph, self.steps, self.counted = graph, steps, Activity()
        self._leaving: dict[str, list[Edge]] = {name: [] for name in graph.nodes}
        for edge in _weighted(graph):
            self._leaving[edge.source].append(edge)
        self._membranes: dict[tuple[int, str], Array] = {}  # of a window's last step, by its first sample and node
        self._lock = Lock()

    def __call__(self, samples: slice, name: str, first: int, values: dict[str, Array]) -> None:
        """Count one window: the phases from ``first`` on of a node."""
        message, node = values["message"], self.graph.nodes[name]
        counted = Activity()
        for edge in self._leaving[name]:
            sent = message[:, : max(0, self.steps - _late(self.graph, edge) - first)]
            _, operations = edge.synapse.synops(np.count_nonzero(sent, axis=(0, 1)))
            counted += Activity(acs=operations) if node.message_bits == 1 else Activity(macs=operations)
        within = max(0, self.steps - first)
        if is_spiking(node):
            sent = message[:, :within]
            counted += Activity(spikes=int(np.count_nonzero(sent)), slots=sent.size)
        if "v" in values and within:
            v = values["v"][:, :within]
            counted += Activity(membrane_updates=self._changes((samples.start, name), first, v))
        with self._lock:
            self.counted += counted

    def _changes(self, whose: tuple[int, str], first: int, v: Array) -> int:
        """Count membranes that differ from those of the step before; in the first step all do."""
        changed = int(np.count_nonzero(np.diff(v, axis=1)))
        changed += int(np.count_nonzero(v[:, 0] != self._membranes.pop(whose))) if first else v[:, 0].size
        if first + v.shape[1] < self.steps:
            self._membranes[whose] = v[:, -1].copy()
        return changed


def neurobench(graph: IntegerGraph, counted: Activity, samples: int, steps: int) -> dict[str, Any]:
    """Return the metrics of a run under NeuroBench's own names."""
    weights: list[Array] = [
        cast(Any, edge.synapse).weight for edge in _weighted(graph)
    ]  # a kernel's once, not once a place
    count = sum(weight.size for weight in weights)
    weight_bytes = sum(cast(Any, edge.synapse).weight.size for edge in graph.edges if _has_weights(edge))
    dense = sum(edge.synapse.count * max(0, steps - _late(graph, edge)) for edge in _weighted(graph))
    return {
        "Footprint": weight_bytes + sum(map(_node_bytes, graph.nodes.values())),
        "ConnectionSparsity": 1 - sum(np.count_nonzero(weight) for weight in weights) / count if count else 0.0,
        "ActivationSparsity": 1 - counted.spikes / counted.slots if counted.slots else 0.0,
        "SynapticOperations": {
            "Effective_MACs": counted.macs / samples,
            "Effective_ACs": counted.acs / samples,
            "Dense": float(dense),
        },
        "MembraneUpdates": counted.membrane_updates / samples,
    }


def _weighted(graph: IntegerGraph) -> list[Edge]:
    """Return the edges with weights, those of 16 bits as one."""
    return [edge for edge in whole_weights(graph) if _has_weights(edge)]


def _has_weights(edge: Edge) -> bool:
    return not isinstance(edge.synapse, Broadcast | SomaWire)


def _late(graph: IntegerGraph, edge: Edge) -> int:
    """Return how many steps of the sample an edge reaches back: the delay of a conv tap, or of a loop."""
    return edge.delay + edge.synapse.hop + graph.depth[edge.source] - graph.depth[edge.target]


def _node_bytes(node: IntegerNode) -> int:
    """Return the bytes of a layer's parameters, in the narrowest integers that hold each array, and of its states."""
    arrays = (getattr(node, field.name) for field in fields(node))  # type: ignore[arg-type]
    parameters = sum(_narrowest(array) * array.size for array in arrays if isinstance(array, np.ndarray))
    states = sum(state.size for state in node.initial(()).values())
    return parameters + states * WORD_BITS // 8


def _narrowest(array: Array) -> int:
    """Return the bytes an entry needs, sign included."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    return next(width for width in (1, 2, 4, 8) if -(2 ** (8 * width - 1)) <= low and high < 2 ** (8 * width - 1))

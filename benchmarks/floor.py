"""The floor: the least time that a part of a step can be shown to take on this machine.

It is the lesser of the C loop's time and of the event model's, whose constants were measured on another machine and are
scaled by the bandwidth that this core has: an event reads one byte of weight, and a kernel that adds it up reached .52
of the speed of reading alone; a LIF update took as long as reading 63 bytes of the first cache.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes import Dense
from bim_neuro.record import RunRecord

from .yardstick import pointer

READ_SHARE = 50 / 96  # 50 G events a second where 96 GB a second are read, 3 MB of weights
LIF_BYTES = 220 / 3.5  # 3.5 G updates a second where the first cache gives 220 GB
FIRST_CACHE = 16 * 1024


def floors(
    library: Any, graph: IntegerGraph, record: RunRecord, steps: int, limits: dict[str, float]
) -> dict[str, float]:
    """Return microseconds a step of every part at the floor."""
    found = dict(limits)
    model = _model(library, graph, record, steps)
    for part, cost in model.items():
        found[part] = min(found.get(part, cost), cost)
    return found


def _model(library: Any, graph: IntegerGraph, record: RunRecord, steps: int) -> dict[str, float]:
    """Return what the event model says of synapses and LIF; of graded synapses it says nothing."""
    found = {}
    dense = [edge for edge in graph.edges if isinstance(edge.synapse, Dense)]
    if len(dense) == len(graph.edges) and all(graph.nodes[edge.source].message_bits == 1 for edge in dense):
        events = sum(count.totals()["synops_hardware"] for count in record.layers.values()) / steps
        found["synapses"] = events / (READ_SHARE * bandwidth(library, sum(e.synapse.weight.size for e in dense))) * 1e6
    neurons = sum(node.neurons for node in graph.nodes.values() if node.kind == "lif")
    if neurons:
        found["lif"] = neurons * LIF_BYTES / bandwidth(library, FIRST_CACHE) * 1e6
    return found


def bandwidth(library: Any, size: int) -> float:
    """Return bytes a second that one core reads, again and again, from a table of ``size`` bytes."""
    table = np.ones(max(size // 8, 64) & ~63, np.int64)
    best, turns = float("inf"), max(50_000_000 // table.nbytes, 1)
    for _ in range(9):
        start = time.process_time()
        library.read_all(pointer(table), len(table), turns)
        best = min(best, (time.process_time() - start) / turns)
    return table.nbytes / best

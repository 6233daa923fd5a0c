"""Counts from messages alone: what a backend that only hands out its messages did, layer by layer and step by step."""

from __future__ import annotations

import numpy as np

from ..graph import IntegerGraph
from ..nodes.arithmetic import Array
from ..record import LayerCount


def count_messages(graph: IntegerGraph, probes: dict[str, Array], steps: int) -> dict[str, LayerCount]:
    """Count synops, updates and messages of recorded messages (samples, period, neurons); saturations stay zero."""
    sent = {name: np.count_nonzero(probes[f"{name}.message"], axis=0) for name in graph.nodes}
    samples = len(probes[f"{graph.source}.message"])
    period = graph.period(steps)
    counts = {name: LayerCount.zeros(period) for name in graph.nodes}
    for name, node in graph.nodes.items():
        counts[name].messages += sent[name].sum(axis=1)
        counts[name].updates[: steps if node.gated else period] = samples * node.neurons
    for edge in graph.edges:
        late = edge.delay + edge.synapse.hop + graph.depth[edge.source] - graph.depth[edge.target]
        for phase in range(late, period):
            hardware, effective = edge.synapse.synops(sent[edge.source][phase - late])
            counts[edge.target].synops_hardware[phase] += hardware
            counts[edge.target].synops_effective[phase] += effective
    return counts

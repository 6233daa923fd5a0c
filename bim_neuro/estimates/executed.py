"""Executed: the synaptic operations of a layer, list by list: dense lists execute zeros, sparse ones have none.

A run counts each layer's operations with and without the zeros, not each edge's. Where dense and sparse lists lead into
one layer, the zeros are taken as spread over its edges by the messages of their sources times their zeros.
"""

from __future__ import annotations

import numpy as np

from ..graph import Edge, PlacedGraph
from ..nodes.arithmetic import Array
from ..record import RunRecord


def executed(placed: PlacedGraph, record: RunRecord, layer: str) -> Array:
    """Return a layer's executed synaptic operations of each step, (period,), over all samples."""
    counts, share = record.layers[layer], stored_zeros(placed, record, layer)
    if share in (0.0, 1.0):  # whole numbers stay whole
        return counts.synops_hardware if share else counts.synops_effective
    return np.asarray(counts.synops_effective + share * (counts.synops_hardware - counts.synops_effective))


def stored_zeros(placed: PlacedGraph, record: RunRecord, layer: str) -> float:
    """Return the share of a layer's operations with zeros that its lists hold; 1 where no edge has a zero."""
    stored = met = 0.0
    for edge in placed.graph.into(layer):
        zeros = edge.synapse.count - edge.synapse.nonzero
        weight = zeros * max(1.0, float(record.layers[edge.source].messages.sum()))
        stored, met = stored + weight * _dense(placed, edge), met + weight
    return stored / met if met else 1.0


def _dense(placed: PlacedGraph, edge: Edge) -> float:
    """Return the share of an edge's cores whose lists store zeros; 1 where nothing is placed."""
    kept = (placed.placement.encodings if placed.placement else {}).get(edge.name, {})
    return 1 - kept.get("sparse", 0) / sum(kept.values()) if kept else 1.0

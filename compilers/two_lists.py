"""Weights of 16 bits in two lists of 8, which a chip and Lava can hold: 256 high + low."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Edge, IntegerGraph
from ..nodes import Conv, Sparse
from ..nodes.cuba import HIGH_BITS
from ..nodes.synapses import WEIGHTED, Synapse

HIGH = "high"
"""Port of the upper parts of weights of 16 bits."""
WIDE_MAX = 127 * 2**HIGH_BITS + 127
"""Units of the largest weight of 16 bits: both of its parts are then at most 127."""


def in_two_lists(edge: Edge) -> tuple[Edge, ...]:
    """Cut weights of 16 bits into two lists of 8: the low parts, and the high ones for the port of those.

    Two parts of at most 127 make every number but those that leave 128: they lose one unit, 3e-5 of the largest weight.
    """
    if not isinstance(edge.synapse, WEIGHTED):
        return (edge,)
    weight = edge.synapse.weight.astype(np.int64)
    weight = np.where(weight % 2**HIGH_BITS == 2 ** (HIGH_BITS - 1), weight - np.sign(weight), weight)
    upper = (weight + 2 ** (HIGH_BITS - 1)) >> HIGH_BITS
    parts = (weight - (upper << HIGH_BITS), upper)
    lower, higher = (replace(edge.synapse, weight=part.astype(np.int8)) for part in parts)
    return replace(edge, synapse=lower), replace(edge, port=HIGH, synapse=higher)


def whole_weights(graph: IntegerGraph) -> list[Edge]:
    """Return the edges as they were before `in_two_lists`; lists that belong to no other stay as they are."""
    upper = [edge for edge in graph.edges if edge.port == HIGH]
    whole = []
    for edge in (edge for edge in graph.edges if edge.port != HIGH):
        place = next((index for index, other in enumerate(upper) if _two_lists(edge, other)), None)
        whole.append(edge if place is None else _joined(edge.synapse, upper.pop(place).synapse, edge))
    return [*whole, *upper]


def _two_lists(edge: Edge, other: Edge) -> bool:
    """Whether ``other`` may hold the upper parts of an edge's weights."""
    low, high = edge.synapse, other.synapse
    if (edge.source, edge.target, edge.delay) != (other.source, other.target, other.delay) or type(low) is not type(
        high
    ):
        return False
    if isinstance(low, Sparse) and isinstance(high, Sparse):
        return np.array_equal(low.column, high.column) and np.array_equal(low.start, high.start)
    if isinstance(low, Conv) and isinstance(high, Conv):
        return low.geometry == high.geometry
    return isinstance(low, WEIGHTED) and isinstance(high, WEIGHTED) and low.weight.shape == high.weight.shape


def _joined(low: Synapse, high: Synapse, edge: Edge) -> Edge:
    assert isinstance(low, WEIGHTED)
    assert isinstance(high, WEIGHTED)
    both = low.weight.astype(np.int32) + (high.weight.astype(np.int32) << HIGH_BITS)
    return replace(edge, synapse=replace(low, weight=both))

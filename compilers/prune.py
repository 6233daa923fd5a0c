"""Pruning of a trained model without training it again: each list of weights loses the share of its smallest ones.

Zeros in a dense list cost no synapses on a core that stores lists sparsely; what the cut does to the answers is for the
run to show. The assumption says how much of the weights' squares went, which is what float loses at most per list.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..graph import Edge, FloatGraph
from ..model.s4d_graph import has_fixed_decays
from ..nodes import Conv, Dense, Sparse
from ..nodes.arithmetic import Array


def pruned(graph: FloatGraph, share: float) -> FloatGraph:
    """Return the graph whose dense, sparse and convolutional weights have their smallest ``share`` set to 0."""
    if not 0 <= share < 1:
        raise InputError(f"a share of {share:g} of the weights cannot be pruned", "give a share from 0 to less than 1")
    if has_fixed_decays(graph):
        raise InputError("the weights of an S4D cannot be pruned after its training", "leave prune.share out")
    edges = tuple(_pruned(edge, share) for edge in graph.edges)
    before, after = (sum(map(_squares, of)) for of in (graph.edges, edges))
    lost = 1 - after / before if before else 0.0
    said = f"the smallest {share:.4g} of each list of weights was set to 0 without training again: "
    assumptions = [*graph.extra.get("assumptions", []), f"{said}{lost:.3%} of their squares"]
    return replace(graph, edges=edges).with_nodes(graph.nodes, assumptions=assumptions)


def _pruned(edge: Edge, share: float) -> Edge:
    synapse = edge.synapse
    if not isinstance(synapse, Dense | Sparse | Conv):
        return edge
    return replace(edge, synapse=replace(synapse, weight=_without_smallest(synapse.weight, share)))


def _without_smallest(weight: Array, share: float) -> Array:
    flat = weight.flatten()
    flat[np.argsort(np.abs(flat), kind="stable")[: round(share * flat.size)]] = 0
    return flat.reshape(weight.shape)


def _squares(edge: Edge) -> float:
    synapse = edge.synapse
    return float(np.square(synapse.weight).sum()) if isinstance(synapse, Dense | Sparse | Conv) else 0.0

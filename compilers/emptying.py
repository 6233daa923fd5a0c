"""Emptying: when every node is silent after a sample, and how long the next sample must wait for that.

    silent[n] = steps from the end of the input until n is silent for good

    graded, LIF   a step or more after the last of all that it reads
    product       as soon as one of its two ports reads nothing: 0 times anything is 0
    opposites     a LIF that reads neurons in pairs, one with the weight w and its twin with -w, as soon as what tells
                  twins apart has ended, where that is the input alone
    others        never, as far as this proof goes; a gated one at the end of its window

A loop through a product therefore ends with the line that is its other factor, however long its decay is: a decay alone
never empties a loop, as (-1 a) >> n is -1. The next sample is free of the last one where nothing that was sent before
arrives at a node after the next sample has begun there.
"""

from __future__ import annotations

from math import inf

import numpy as np
from scipy.sparse import csr_array

from ..graph import Edge, IntegerGraph
from ..nodes import IntegerGraded, IntegerLIF, IntegerProd, Shifted
from ..nodes.arithmetic import Array
from ..nodes.lif import DECAY_BITS
from ..nodes.node import IntegerNode
from ..nodes.synapses.shifted import EXPONENT_LOW

_NO_CURRENT = 2**DECAY_BITS - 1


def has_open_neurons(graph: IntegerGraph) -> bool:
    """Whether a graph has neurons that are neither gated nor reset between samples."""
    return any(isinstance(node, IntegerGraded | IntegerProd) for node in graph.nodes.values())


def silences(graph: IntegerGraph) -> dict[str, float]:
    """Return, for each node, after how many steps beyond the input it is silent; infinity where that is not proved."""
    silent = dict.fromkeys(graph.nodes, inf)
    silent[graph.source] = 0
    changed = True
    while changed:  # every finite number is proved by finite ones before it; a smaller one only replaces it
        changed = False
        for name in graph.nodes:
            if name != graph.source and (found := _silent(graph, name, silent)) < silent[name]:
                silent[name], changed = found, True
    return silent


def gap_needed(graph: IntegerGraph) -> float:
    """Return the idle steps after which nothing of a sample reaches the next; infinity where there is no proof."""
    silent = silences(graph)
    return max((_arrives(edge, silent) - graph.depth[edge.target] for edge in graph.edges), default=0.0)


def shares_run(graph: IntegerGraph) -> bool:
    """Whether samples may follow each other in one run: nothing loops, or the gap is proved to empty the loops."""
    return not graph.recurrent or gap_needed(graph) <= graph.gap


def _silent(graph: IntegerGraph, name: str, silent: dict[str, float]) -> float:
    node = graph.nodes[name]
    ends: dict[str, float] = dict.fromkeys(node.ports, 0.0)
    for edge in graph.into(name):
        arrives = _arrives(edge, silent)
        if isinstance(node, IntegerLIF) and _reads_twins(graph, edge):
            told_apart = [e for e in graph.into(edge.source) if e.source == graph.source]
            arrives = max((_arrives(e, silent) for e in told_apart), default=0.0) + edge.synapse.hop + edge.delay
        ends[edge.port] = max(ends[edge.port], arrives)
    if node.gated:
        return graph.depth[name]
    if isinstance(node, IntegerProd):
        return min(ends.values())
    return max(ends.values(), default=0.0) if _rests(node) else inf


def _reads_twins(graph: IntegerGraph, edge: Edge) -> bool:
    """Whether an edge adds the difference of two neurons to each sum, which but for the input read the same."""
    synapse = edge.synapse
    pairs = isinstance(synapse, Shifted) and not synapse.exponent.any() and (np.diff(synapse.start) == 2).all()
    if not isinstance(graph.nodes[edge.source], IntegerGraded) or not pairs:
        return False
    if not isinstance(synapse, Shifted) or (synapse.weight[::2] != -synapse.weight[1::2]).any():
        return False
    twins = synapse.column[::2], synapse.column[1::2]
    inner = [e.synapse for e in graph.into(edge.source) if e.source != graph.source]
    return all(isinstance(other, Shifted) and _same_rows(other, *twins) for other in inner)


def _same_rows(synapse: Shifted, left: Array, right: Array) -> bool:
    """Whether the neurons ``left`` read what those of ``right`` do, each over the same weights."""
    places = (synapse.column, synapse.start)
    for values in (synapse.weight, synapse.exponent.astype(np.int64) - EXPONENT_LOW + 1):  # no entry is 0
        matrix = csr_array((values.astype(np.int64), *places), shape=(synapse.post, synapse.pre))
        if (matrix[left] != matrix[right]).nnz:
            return False
    return True


def _rests(node: IntegerNode) -> bool:
    """Whether a node that reads nothing sends nothing, whatever it read before."""
    still = isinstance(node, IntegerLIF) and node.du == _NO_CURRENT and not node.bias_mant.any()
    return still or isinstance(node, IntegerGraded)


def _arrives(edge: Edge, silent: dict[str, float]) -> float:
    """Return the step after which nothing arrives over an edge."""
    return silent[edge.source] + edge.synapse.hop + edge.delay

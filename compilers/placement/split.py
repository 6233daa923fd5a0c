"""Cut a placed graph into the program of its cores: each part of a layer becomes a node of its own.

    layer "lif" on cores 3 and 4   ->   nodes "lif#0", "lif#1", each with its rows of the incoming weights and its
                                        columns of the outgoing weights

The parts compute the same integers as the layer. If the output layer is cut, one more node of its name joins the parts
one step later: a readout without memory that passes 24-bit values on unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from ...graph import Edge, IntegerGraph, PlacedGraph
from ...nodes import Broadcast, Dense, Diagonal, IntegerReadout, SomaWire, Synapse
from ...nodes.node import IntegerNode
from .lists import GATES
from .memory import Part


def split(placed: PlacedGraph) -> IntegerGraph:
    """Return the graph with one node for each part of a layer; a layer on one core stays as it is."""
    graph = placed.graph
    parts = {layer: parts_of(placed, layer) for layer in graph.nodes}
    nodes = {name: _rows(graph.nodes[part.layer], part) for named in parts.values() for name, part in named.items()}
    depth = {name: graph.depth[part.layer] for named in parts.values() for name, part in named.items()}
    edges = [edge for whole in graph.edges for edge in _pieces(whole, graph, parts)]
    if len(parts[graph.output]) > 1:
        nodes[graph.output] = _join(graph.nodes[graph.output].neurons)
        depth[graph.output] = graph.depth[graph.output] + 1
        for name, part in parts[graph.output].items():
            select = np.eye(graph.nodes[graph.output].neurons, dtype=np.int8)[:, part.first : part.last + 1]
            edges.append(Edge(name, graph.output, "a", Dense(select)))
    return replace(graph, nodes=nodes, edges=tuple(edges), depth=depth)


def parts_of(placed: PlacedGraph, layer: str) -> dict[str, Part]:
    """Return the parts of a layer by the names they have in the split graph, in the order of their neurons."""
    last = placed.graph.nodes[layer].neurons - 1
    cut = sorted((core.first, core.last) for core in placed.cores_of(layer)) or [(0, last)]
    if len(cut) == 1:
        return {layer: Part(layer, 0, last)}
    return {f"{layer}#{index}": Part(layer, *ends) for index, ends in enumerate(cut)}


def _rows(node: IntegerNode, part: Part) -> IntegerNode:
    """Return a node with the constants of the part's neurons: rows of arrays (neurons, ...), and ``size``."""
    if part.neurons == node.neurons:
        return node
    changed: dict[str, object] = {}
    for field in fields(node):  # type: ignore[arg-type]
        value = getattr(node, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = value[part.first : part.last + 1]
        elif field.name == "size":
            changed[field.name] = part.neurons
    return replace(node, **changed)  # type: ignore[type-var]


def _pieces(edge: Edge, graph: IntegerGraph, parts: dict[str, dict[str, Part]]) -> Iterator[Edge]:
    """Cut an edge between the parts of its two layers; a diagonal joins only parts with equal neuron numbers."""
    whole_port = (graph.nodes[edge.target].kind, edge.port) in GATES
    for source, sent in parts[edge.source].items():
        for target, held in parts[edge.target].items():
            read = Part(edge.target, 0, graph.nodes[edge.target].ports[edge.port] - 1) if whole_port else held
            synapse = _cut(edge.synapse, sent, read, graph.nodes[edge.source].neurons)
            if synapse is not None:
                yield replace(edge, source=source, target=target, synapse=synapse)


def _cut(synapse: Synapse, sent: Part, read: Part, senders: int) -> Synapse | None:
    """Return the synapses from the neurons ``sent`` to the neurons ``read``, None if there are none."""
    if isinstance(synapse, Dense):
        return Dense(synapse.weight[read.first : read.last + 1, sent.first : sent.last + 1])
    same = (sent.first, sent.last) == (read.first, read.last)
    if isinstance(synapse, SomaWire):
        return synapse if same else None
    if isinstance(synapse, Broadcast) and sent.neurons == read.neurons == senders:
        return synapse
    if isinstance(synapse, Diagonal) and same:
        return Diagonal(synapse.weight[sent.first : sent.last + 1])
    if sent.last < read.first or read.last < sent.first:
        return None
    weight = synapse.weight if isinstance(synapse, Diagonal) else np.ones(senders, np.int8)
    return Dense(np.diag(weight)[read.first : read.last + 1, sent.first : sent.last + 1])


def _join(neurons: int) -> IntegerReadout:
    return IntegerReadout(0, np.ones(neurons, np.int64), 0, np.zeros(neurons, np.int64))

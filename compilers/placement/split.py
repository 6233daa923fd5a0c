"""Cut a placed graph into the program of its cores: each part of a layer becomes a node of its own.

    layer "lif" on cores 3 and 4   ->   nodes "lif#0", "lif#1", each with its rows of the incoming weights and its
                                        columns of the outgoing weights

The parts compute the same integers as the layer. If the output layer is cut, one more node of its name joins the parts
one step later: a readout without memory that passes 24-bit values on unchanged. Convolutions between parts become
sparse synapses, weight by weight: the program of the parts is for comparing, no chip stores it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
from scipy.sparse import csr_array

from ...graph import Edge, IntegerGraph, PlacedGraph
from ...nodes import Conv, Dense, Diagonal, IntegerReadout, Shifted, SomaWire, Sparse, Synapse
from ...nodes.arithmetic import Array
from ...nodes.node import IntegerNode
from ...nodes.synapses import shifted_of, sparse_of
from .lists import GATES
from .parts import Part


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
            neurons = graph.nodes[graph.output].neurons
            select = np.eye(neurons, dtype=np.int8)[:, part.of(neurons)]
            edges.append(Edge(name, graph.output, "a", Dense(select)))
    return replace(graph, nodes=nodes, edges=tuple(edges), depth=depth)


def parts_of(placed: PlacedGraph, layer: str) -> dict[str, Part]:
    """Return the parts of a layer by the names they have in the split graph, in the order of their neurons."""
    last = placed.graph.nodes[layer].neurons - 1
    cut = sorted((core.first, core.last, core.channels) for core in placed.cores_of(layer))
    if len(cut) <= 1:
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
            changed[field.name] = value[part.of(node.neurons)]
        elif field.name == "size":
            changed[field.name] = part.neurons
    return replace(node, **changed)  # type: ignore[type-var]


def _pieces(edge: Edge, graph: IntegerGraph, parts: dict[str, dict[str, Part]]) -> Iterator[Edge]:
    """Cut an edge between the parts of its two layers; a diagonal joins only parts with equal neuron numbers."""
    whole_port = (graph.nodes[edge.target].kind, edge.port) in GATES
    senders, ports = graph.nodes[edge.source].neurons, graph.nodes[edge.target].ports[edge.port]
    synapse = edge.synapse
    if isinstance(synapse, Conv) and len(parts[edge.source]) + len(parts[edge.target]) > 2:
        synapse = synapse.unrolled()
    for source, sent in parts[edge.source].items():
        for target, held in parts[edge.target].items():
            read = Part(edge.target, 0, ports - 1) if whole_port else held
            piece = _cut(synapse, sent, read, senders, ports)
            if piece is not None:
                yield replace(edge, source=source, target=target, synapse=piece)


def _cut(synapse: Synapse, sent: Part, read: Part, senders: int, ports: int) -> Synapse | None:
    """Return the synapses from the neurons ``sent`` to the neurons ``read``, None if there are none."""
    if sent.neurons == senders and read.neurons == ports and sent.channels == read.channels == 1:
        return synapse
    if isinstance(synapse, Dense):
        return Dense(synapse.weight[read.of(ports)][:, sent.of(senders)])
    if isinstance(synapse, Shifted):
        return _some_shifted(synapse, sent.of(senders), read.of(ports))
    if isinstance(synapse, Sparse):
        return _some(synapse.matrix(), sent, read)  # also where all are zero: a part that nobody reads is an output
    same = sent[1:] == read[1:]
    if isinstance(synapse, SomaWire):
        return synapse if same else None
    weight = synapse.weight if isinstance(synapse, Diagonal) else np.ones(senders, np.int8)
    if isinstance(synapse, Diagonal) and same:
        return Diagonal(weight[sent.of(senders)])
    if not sent.channels == read.channels == 1:
        some = _some(csr_array((weight, (np.arange(senders),) * 2)), sent, read)
        return some if some.count else None
    if sent.last < read.first or read.last < sent.first:
        return None
    return Dense(np.diag(weight)[read.first : read.last + 1, sent.first : sent.last + 1])


def _some(matrix: csr_array, sent: Part, read: Part) -> Sparse:
    """Return the rows of the neurons ``read`` and the columns of ``sent``."""
    found = sparse_of(csr_array(matrix[read.of(matrix.shape[0])][:, sent.of(matrix.shape[1])]))
    return replace(found, weight=found.weight.astype(np.int8))


def _some_shifted(synapse: Shifted, sent: slice | Array, read: slice | Array) -> Shifted:
    """Return the rows of the neurons ``read`` and the columns of ``sent``."""
    there, here = np.full(synapse.pre, -1), np.full(synapse.post, -1)
    senders, readers = np.arange(synapse.pre)[sent], np.arange(synapse.post)[read]
    there[senders], here[readers] = np.arange(len(senders)), np.arange(len(readers))
    rows, columns = here[synapse.rows], there[synapse.column]
    kept = (rows >= 0) & (columns >= 0)
    places, shape = (rows[kept], columns[kept]), (len(readers), len(senders))
    return shifted_of(synapse.weight[kept], synapse.exponent[kept], places, shape)


def _join(neurons: int) -> IntegerReadout:
    return IntegerReadout(0, np.ones(neurons, np.int64), 0, np.zeros(neurons, np.int64))

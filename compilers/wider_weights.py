"""Weights of 16 bits: spiking layers and readouts become switch neurons that read two lists of int8 weights each.

    w = unit (256 high + low)        unit = largest weight into the neuron / 32,639

The price: twice the synapse memory and synaptic operations, and a neuron in microcode where Lava's LIF was hard-wired.
Relays and scans keep 8 bits: they have one scale a neuron already, and their messages have 16 bits.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..graph import FloatGraph
from ..nodes import LIF, Cuba, Readout
from ..nodes.node import Node

WIDTHS = (8, 16)
_HINT = "leave quantise.weight_bits out"


def with_weight_bits(graph: FloatGraph, bits: int) -> FloatGraph:
    """Return the graph with weights of so many bits; 8 leaves it as it is."""
    if bits not in WIDTHS:
        raise InputError(f"weights have {' or '.join(map(str, WIDTHS))} bits, not {bits}")
    if bits == WIDTHS[0]:
        return graph
    nodes = {name: _wide(node) for name, node in graph.nodes.items()}
    wide = [name for name, node in nodes.items() if isinstance(node, Cuba)]
    edges = tuple(replace(edge, port="a") if edge.target in wide else edge for edge in graph.edges)
    if not wide:
        raise InputError("no weights of this model can have 16 bits: none lead to a spiking neuron or a readout", _HINT)
    said = f"the weights into {', '.join(wide)} have 16 bits, in two lists: twice the synapses, neurons in microcode"
    assumptions = [*graph.extra.get("assumptions", []), said]
    wider = FloatGraph(nodes, edges, graph.dt, graph.encoder, graph.task, graph.labels, graph.extra)
    return wider.with_nodes(nodes, assumptions=assumptions)


def _wide(node: Node) -> Node:
    if isinstance(node, Cuba):
        return replace(node, wide=True)
    if not isinstance(node, LIF | Readout):
        return node
    n = node.neurons
    ones, zeros, current, threshold = np.ones(n), np.zeros(n), 0.0, 0.0
    if isinstance(node, LIF):
        current, threshold = node.current_decay, node.v_threshold
    return Cuba(
        decay=node.decay * ones,
        current_decay=current * ones,
        gain=ones,
        bias=node.bias,
        v_threshold=threshold * ones,
        v_reset=zeros,
        v_start=zeros,
        v_floor=np.full(n, -np.inf),
        counts="one" if isinstance(node, LIF) else "none",
        wide=True,
        v_range=0.0 if isinstance(node, LIF) else node.v_range,
        state_unit=node.state_unit if isinstance(node, LIF) else 0.0,
    )

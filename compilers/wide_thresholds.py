"""Real-valued input and small weights may ask for a threshold or bias that Lava's LIF cannot hold: a `Cuba` holds it.

A LIF sums what a message is worth, so its threshold is that of the float law times 127 for weights and 127 for
the input; 17 bits hold it where the largest weight is above an eighth of the threshold. A `Cuba` rescales what it sums.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import DoesNotFit
from ..graph import FloatGraph
from ..nodes import LIF, Cuba
from ..nodes.node import Node
from .quantise_nodes import quantise_node
from .quantise_weights import Scaling, quantise_port

_MENDED = {"lif-threshold", "lif-bias"}


def with_wide_thresholds(graph: FloatGraph) -> FloatGraph:
    """Return the graph with a `Cuba` for every LIF that reads real values and cannot hold its threshold or bias."""
    exponent = graph.encoder.exponent
    if not (graph.encoder.reads_raw and exponent):
        return graph
    nodes, said = dict(graph.nodes), list[str]()
    for name in dict.fromkeys(edge.target for edge in graph.edges if edge.source == graph.source):
        node = graph.nodes[name]
        if isinstance(node, LIF) and node.v_threshold > 0 and (why := _too_wide(graph, name, node, exponent)):
            nodes[name] = _as_cuba(node)
            said.append(f"'{name}' is a switch neuron, which rescales its sums: {why}")
    if not said:
        return graph
    ports = {name: "a" for name, node in nodes.items() if node is not graph.nodes[name]}
    edges = tuple(replace(edge, port=ports.get(edge.target, edge.port)) for edge in graph.edges)
    wider = graph.with_nodes(nodes, assumptions=[*graph.extra.get("assumptions", []), *said])
    return replace(wider, edges=edges)


def _too_wide(graph: FloatGraph, name: str, node: LIF, exponent: float) -> str:
    """Return why a LIF cannot hold its numbers, '' where it can."""
    into = list(graph.into(name))
    exponents = {edge.source: exponent if edge.source == graph.source else 0.0 for edge in into}
    _, unit = quantise_port(into, node.size, exponents, Scaling(per_neuron=False))
    try:
        quantise_node(node, {"i": unit}, name, 0)
    except DoesNotFit as refusal:
        rules = {finding.rule for finding in refusal.findings}
        return refusal.findings[0].message if rules <= _MENDED else ""
    return ""


def _as_cuba(node: LIF) -> Node:
    """Return the same law: reset to 0 in the step of a spike, which the voltage must exceed."""
    each, none = np.ones(node.size), np.zeros(node.size)
    return Cuba(
        node.decay * each, node.current_decay * each, each, node.bias, node.v_threshold * each, none, none,
        np.full(node.size, -np.inf), "value", "same", ">", "one", lag=False,
    )  # fmt: skip

"""Align: insert the delays that let all inputs of a node belong to the same step of the sample.

A synapse takes one step, so a node is as deep as its deepest input path; every shorter path is delayed by the
difference. The taps of a conv keep their own delay on top.

An edge that closes a loop (`IntegerGraph.recurrent`) does not count for depth and is not delayed: it brings what its
source sent, its hop and own delay earlier. What still goes round when a sample ends would reach the next one, so the
samples of a recurrent graph never share a run on the chip: each starts from rest.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import DoesNotFit, Finding
from ..graph import IntegerGraph
from ..nodes import IntegerLIF
from ..nodes.node import IntegerNode

MAX_DELAY = 62


def align(graph: IntegerGraph) -> IntegerGraph:
    """Return the graph with delays, the depth of every node, and the gap that flushes the taps between samples."""
    depth: dict[str, int] = {}
    closing = {id(edge) for edge in graph.recurrent}
    for name in graph.order:
        forward = (edge for edge in graph.into(name) if id(edge) not in closing)
        depth[name] = max((depth[edge.source] + edge.synapse.hop for edge in forward), default=0)
    gap = max((edge.delay for edge in graph.edges), default=0)
    edges = tuple(
        edge
        if id(edge) in closing
        else replace(edge, delay=edge.delay + depth[edge.target] - depth[edge.source] - edge.synapse.hop)
        for edge in graph.edges
    )
    findings = [_too_long(edge.name, edge.delay) for edge in edges if edge.delay > MAX_DELAY]
    findings += _leaks(graph) if gap and not closing else []
    if findings:
        raise DoesNotFit(findings)
    return replace(graph, edges=edges, depth=depth, gap=gap)


def _too_long(name: str, delay: int) -> Finding:
    message = f"synapse '{name}' needs a delay of {delay} steps, the chip allows {MAX_DELAY}"
    return Finding("delay", name, message, delay, MAX_DELAY, "use fewer conv taps, or split the path")


def _leaks(graph: IntegerGraph) -> list[Finding]:
    """Find delayed synapses whose source may still speak in the gap, and so into the next sample."""
    return [
        Finding(
            "delay-from-lif",
            edge.name,
            f"synapse '{edge.name}' delays a LIF with bias or synaptic current across the end of a sample",
        )
        for edge in graph.edges
        if edge.delay and _speaks_in_the_gap(graph.nodes[edge.source])
    ]


def _speaks_in_the_gap(node: IntegerNode) -> bool:
    """Whether a node may send when nothing reaches it: a LIF driven by its bias or by its synaptic current."""
    return isinstance(node, IntegerLIF) and bool(node.bias.any() or node.du < 4095)

"""Align: insert the delays that make all inputs of a node belong to the same step of the sample.

A synapse takes one step. The depth of a node is the length of its longest input path in steps; every shorter path is
delayed by the difference. The taps of a convolution keep their own delay in addition.

An edge that closes a loop (`IntegerGraph.recurrent`) does not count for the depth and is not delayed: it carries an
older message of its source, one step older where it has no delay. Activity still in the loop when a sample ends would
reach the next sample, so the samples of a recurrent graph share a run on the chip only where a proof says that the gap
empties its loops (`emptying`): else each starts from the initial state.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from ..errors import DoesNotFit, Finding
from ..graph import IntegerGraph
from ..nodes import IntegerLIF
from ..nodes.node import IntegerNode
from .emptying import gap_needed, has_open_neurons

MAX_DELAY = 62


def align(graph: IntegerGraph) -> IntegerGraph:
    """Return the graph with delays, depths, and the gap: the idle steps between samples that empty the delay taps."""
    depth, closing = depths(graph), {id(edge) for edge in graph.recurrent}
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
    return _emptied(replace(graph, edges=edges, depth=depth, gap=gap))


def _emptied(graph: IntegerGraph) -> IntegerGraph:
    """Return the graph with the gap after which its neurons without a window are proved silent, where there is one."""
    needed = gap_needed(graph) if has_open_neurons(graph) else inf
    return replace(graph, gap=int(needed)) if needed < inf else graph


def depths(graph: IntegerGraph) -> dict[str, int]:
    """Return at which step a sample's first step reaches each node."""
    depth: dict[str, int] = {}
    closing = {id(edge) for edge in graph.recurrent}
    for name in graph.order:
        forward = (edge for edge in graph.into(name) if id(edge) not in closing)
        depth[name] = max((depth[edge.source] + edge.synapse.hop for edge in forward), default=0)
    return depth


def in_chip_time(graph: IntegerGraph) -> IntegerGraph:
    """Turn the delays of closing edges from steps of the model into steps of the chip; refuse what comes too late.

    A model's message of step t reaches step t + delay. On the chip it is sent at t + depth[source] and read at
    t + delay + depth[target]: between them lie the synapse's own step and what is left as its delay.
    """
    depth, closing = depths(graph), {id(edge) for edge in graph.recurrent}
    left = {
        edge.name: edge.delay + depth[edge.target] - depth[edge.source] - edge.synapse.hop
        for edge in graph.edges
        if id(edge) in closing
    }
    if late := [_late(name, -steps) for name, steps in left.items() if steps < 0]:
        raise DoesNotFit(late)
    edges = (replace(edge, delay=left[edge.name]) if id(edge) in closing else edge for edge in graph.edges)
    return replace(graph, edges=tuple(edges))


def _late(name: str, steps: int) -> Finding:
    message = f"synapse '{name}' closes a loop of several layers: on the chip its messages come {steps} steps too late"
    hint = "a message takes a step from layer to layer: let each layer feed back to itself, or delay the loop"
    return Finding("loop", name, message, steps, 0, hint)


def _too_long(name: str, delay: int) -> Finding:
    message = f"synapse '{name}' needs a delay of {delay} steps, the chip allows {MAX_DELAY}"
    return Finding("delay", name, message, delay, MAX_DELAY, "use fewer conv taps, or split the path")


def _leaks(graph: IntegerGraph) -> list[Finding]:
    """Find delayed synapses whose source may still send in the gap, so that the next sample receives it."""
    return [
        Finding(
            "delay-from-lif",
            edge.name,
            f"synapse '{edge.name}' delays a LIF with bias or synaptic current beyond the end of a sample",
        )
        for edge in graph.edges
        if edge.delay and _sends_in_the_gap(graph.nodes[edge.source])
    ]


def _sends_in_the_gap(node: IntegerNode) -> bool:
    """Whether a node may send without input: a LIF driven by its bias or by its synaptic current."""
    return isinstance(node, IntegerLIF) and bool(node.bias.any() or node.du < 4095)

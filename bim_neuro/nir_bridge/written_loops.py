"""Loops of a float graph as NIR holds them: the step that a closing edge takes, and the constants that begin with it.

In NIR a wire that closes a loop takes a step, so the first of an edge's steps of delay is not written. A recurrent
connection's constant that acts from the second step on (`rec_first`) is, in a float graph, a neuron that always fires.
"""

from __future__ import annotations

from ..graph import Edge, FloatGraph
from ..nodes import LIF, Relay


def is_constant(graph: FloatGraph, name: str) -> bool:
    """Whether a node sends the same message every step without input; in NIR that is the bias of an Affine."""
    node = graph.nodes[name]
    always = isinstance(node, LIF) and bool((node.bias > node.v_threshold).all())
    return (always or isinstance(node, Relay)) and not graph.into(name)


def closing(graph: FloatGraph) -> list[Edge]:
    """Return one edge of each loop: the one that leads back, or nowhere, in the order of a step."""
    place = {name: at for at, name in enumerate(graph.order)}
    return [edge for edge in graph.recurrent if place[edge.source] >= place[edge.target]]


def beginning_late(graph: FloatGraph) -> list[Edge]:
    """Return the edges by which a constant reaches a port that a loop ends at, from the second step on."""
    ends = {(edge.target, edge.port) for edge in closing(graph)}
    late = (edge for edge in graph.edges if edge.delay and (edge.target, edge.port) in ends)
    return [edge for edge in late if is_constant(graph, edge.source)]

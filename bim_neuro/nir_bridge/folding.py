r"""What NIR's equations multiply an input with, moved into the weights that lead to a neuron where these take it.

    v[t] = decay v[t-1] + (1 - decay) (v_leak + r i[t])           a LIF of NIR, stepped by forward Euler
    v[t] = decay v[t-1] + gain a[t] + bias                        ours

So r = gain / (1 - decay), and importers differ in what r may be: 1 (norse takes no other) or tau / dt = 1 / (1 - decay)
(SpikingJelly takes those two alone). Dense, Sparse and Diagonal synapses take a factor a neuron, a convolution one a
channel; a wire takes none, and then r keeps the factor. Where an importer takes one threshold a layer, those of a
`Cuba` are divided by themselves likewise; where it resets to 0, v counts from a v_reset at which the neuron starts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from ..graph import Edge, FloatGraph
from ..nodes import LIF, Conv, Cuba, Dense, Diagonal, Readout, Sparse
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .importers import Importer
from .maps import Map, keeps, scaled

SLOWEST = 1 - 2.0**-30
"""Stands for a decay of 1, which NIR's LIF cannot have; in 32 bits, as importers step, it is 1."""


def folded(graph: FloatGraph, importer: Importer) -> tuple[FloatGraph, dict[str, Array]]:
    """Return the graph with the factors in its weights, and {layer: factor of its input} that stays beside a neuron."""
    nodes: dict[str, Node] = dict(graph.nodes)
    edges, kept = list(graph.edges), {}
    for name, node in graph.nodes.items():
        if not isinstance(node, LIF | Cuba | Readout):
            continue
        into = [at for at, edge in enumerate(edges) if edge.target == name]
        if isinstance(node, Cuba):
            node = nodes[name] = _as_played(node, graph.into(name), importer)
        factor = _gain(node) * (_r(node, importer) if importer.folds else 1.0)
        takes = _take(graph.into(name), factor)
        kept[name] = _gain(node) * _r(node, importer) / (factor if takes and factor.all() else 1.0)
        if takes and factor.all() and (factor != 1).any():
            for at in into:
                edges[at] = replace(edges[at], synapse=scaled(cast(Map, edges[at].synapse), factor))
    return replace(graph.with_nodes(nodes), edges=tuple(edges)), kept


def slow(decay: Array) -> Array:
    """Return decays that a time constant can say."""
    return np.minimum(decay, SLOWEST)


def integrates(node: Node, importer: Importer) -> bool:
    """Whether it is an IF or an I of NIR, which an importer plays: no leak, and nothing that leaks in."""
    if not importer.plays_if:
        return False
    if isinstance(node, Cuba):
        return bool((node.decay == 1).all() and not node.bias.any() and not node.current_decay.any())
    return getattr(node, "decay", 0) == 1 and not getattr(node, "current_decay", 0.0)


def _gain(node: LIF | Cuba | Readout) -> Array:
    return node.gain if isinstance(node, Cuba) else np.ones(node.neurons)


def _r(node: LIF | Cuba | Readout, importer: Importer) -> Array:
    """Return the r that a gain of 1 takes: none beside a current, whose importers all want tau_mem / dt."""
    if integrates(node, importer) or np.any(getattr(node, "current_decay", 0.0)):
        return np.ones(node.neurons)
    return np.broadcast_to(1 / (1 - slow(np.asarray(node.decay))), node.neurons)


def _take(into: tuple[Edge, ...], factor: Array) -> bool:
    kinds = (Dense, Sparse, Diagonal, Conv)
    return all(isinstance(edge.synapse, kinds) and keeps(edge.synapse, factor) for edge in into)


def _as_played(node: Cuba, into: tuple[Edge, ...], importer: Importer) -> Cuba:
    """Return a neuron of the same spikes that resets to 0, and has one threshold a layer, where an importer asks it."""
    starts = node.reset == "value" and (node.v_start == node.v_reset).all() and not np.isfinite(node.v_floor).any()
    if "v_reset" in importer.at_zero and node.counts != "none" and node.v_reset.any() and starts:
        zero, bias = np.zeros(node.neurons), node.bias - (1 - node.decay) * node.v_reset
        threshold = node.v_threshold - node.v_reset
        node = replace(node, v_threshold=threshold, bias=bias, v_reset=zero, v_start=zero)
    divides = "v_threshold" in importer.uniform and _may_divide(node, into)
    return _by_threshold(node) if divides else node


def _may_divide(node: Cuba, into: tuple[Edge, ...]) -> bool:
    spikes = node.counts != "none" and bool((node.v_threshold > 0).all() and np.ptp(node.v_threshold))
    return spikes and _take(into, node.gain / node.v_threshold)


def _by_threshold(node: Cuba) -> Cuba:
    one = np.ones(node.neurons)
    fields = ("gain", "bias", "v_reset", "v_start", "v_floor")
    divided = {name: getattr(node, name) / node.v_threshold for name in fields}
    return replace(node, v_threshold=one, **divided)

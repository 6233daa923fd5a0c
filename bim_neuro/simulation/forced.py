"""The float law with some layers' messages given: what a recording has of a layer is what the layers behind it read.

Each layer is then judged alone: a difference before it changes nothing behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ..graph import FloatGraph
from ..nodes.arithmetic import Array
from ..nodes.node import Node, State
from .reference import as_dtype, histories


def behind(graph: FloatGraph, layer: str, forced: Collection[str]) -> set[str]:
    """Return a layer and all that its messages depend on, up to the ``forced`` layers that they read."""
    found, left = {layer}, [layer]
    while left:
        name = left.pop()
        if name != layer and name in forced:
            continue
        fresh = {edge.source for edge in graph.into(name)} - found
        found |= fresh
        left += fresh
    return found


def simulate_forced(
    graph: FloatGraph, x: Array, forced: Mapping[str, Array], layer: str, nodes: Mapping[str, Node], bits: int = 64
) -> dict[str, Array]:
    """Return message and states of one layer, each (samples, steps, neurons); ``forced`` are messages of layers.

    A layer that reads its own messages reads the forced ones. ``nodes`` stand in the place of the graph's own.
    """
    dtype = np.float32 if bits == 32 else np.float64
    needed = behind(graph, layer, forced)
    samples, steps, _ = x.shape
    past = histories(graph, samples, dtype, hop=0)
    played = {name: nodes.get(name, graph.nodes[name]) for name in graph.order if name in needed}
    played = {name: node for name, node in played.items() if name == layer or name not in forced}
    states = {name: as_dtype(dtype, node.initial((samples,))) for name, node in played.items()}
    probes: dict[str, list[Array]] = {}
    for t in range(steps):
        for name in needed & forced.keys():
            past[name].put(t, forced[name][:, t])
        for name, node in played.items():
            inputs: State = {port: np.zeros((samples, width), dtype) for port, width in node.ports.items()}
            for edge in graph.into(name):
                inputs[edge.port] = inputs[edge.port] + edge.synapse.apply(past[edge.source].at(t - edge.delay))
            if name == graph.source:
                inputs["input"] = x[:, t]
            state, message, _ = node.step(states[name], as_dtype(dtype, inputs))
            states[name] = as_dtype(dtype, state)
            if name not in forced:
                past[name].put(t, message)
            if name == layer:
                for key, value in {"message": message, **states[name]}.items():
                    probes.setdefault(key, []).append(value)
    return {key: np.stack(values, axis=1) for key, values in probes.items()}

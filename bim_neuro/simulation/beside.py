"""The float law beside a recording of it: ties fall as they were recorded, and layers may read what was recorded.

In a tie (`ties`) rounding alone may decide whether a neuron fires. Where the recording of a layer has it otherwise, the
neuron goes on as recorded: what follows is then compared on equal terms. A layer whose messages are ``forced`` sends
what was recorded, so that each layer behind it is judged alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from ..graph import FloatGraph
from ..nodes import LIF, Cuba
from ..nodes.arithmetic import Array
from ..nodes.cuba import reset
from ..nodes.node import Node, State
from .reference import as_dtype, histories, threads_for_products
from .ties import charged, fires, near_threshold


@dataclass
class PlayedBeside:
    """Of each recorded layer what it would send itself, its states, and which bins are ties.

    ``own`` are messages of a step before its ties fell as recorded; ``late`` ties and spikes that are sent in the next.
    """

    values: dict[str, list[Array]] = field(default_factory=dict)
    near: dict[str, list[Array]] = field(default_factory=dict)
    own: dict[str, Array] = field(default_factory=dict)
    late: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    def probe(self, layer: str) -> dict[str, Array]:
        """Return message and states of a layer, each (samples, steps, neurons)."""
        named = {key.rpartition("."): values for key, values in self.values.items()}
        return {key: np.stack(values, axis=1) for (who, _, key), values in named.items() if who == layer}

    def ties(self, layer: str) -> Array:
        """Return the ties of a layer, (ties, 3) as (sample, step, neuron), the first step first."""
        if layer not in self.near:
            return np.zeros((0, 3), np.int64)
        steps = np.argwhere(np.stack(self.near[layer]))
        return np.asarray(steps[:, [1, 0, 2]])


@contextmanager
def steady(graph: FloatGraph, samples: int) -> Iterator[None]:
    """Make the runs inside as fast as `simulate_float`'s: entering takes longer than a short run."""
    from ..denormals import denormals_flushed  # brings numba, which --help need not wait for

    with denormals_flushed(), threads_for_products(graph, samples):
        yield


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


def simulate_beside(
    graph: FloatGraph,
    x: Array,
    recorded: Mapping[str, Array],
    wanted: Collection[str],
    *,
    forced: Collection[str] = (),
    nodes: Mapping[str, Node] | None = None,
    dtype: type = np.float64,
) -> PlayedBeside:
    """Play what the ``wanted`` layers need; ``recorded`` are messages (samples, steps, neurons) of layers.

    ``nodes`` stand in the place of the graph's own; numbers, sums and states are of ``dtype``. A recording may have
    fewer samples.
    """
    needed = set().union(*(behind(graph, layer, forced) for layer in wanted))
    mine = nodes or {}
    played = {name: mine.get(name, graph.nodes[name]) for name in graph.order if name in needed}
    played = {name: node for name, node in played.items() if name in wanted or name not in forced}
    past = histories(graph, len(x), dtype, hop=0)
    states = {name: as_dtype(dtype, node.initial((len(x),))) for name, node in played.items()}
    found = PlayedBeside()
    for t in range(x.shape[1]):
        for name in needed & set(forced):
            past[name].put(t, recorded[name][:, t])
        for name, node in played.items():
            inputs: State = {port: np.zeros((len(x), width), dtype) for port, width in node.ports.items()}
            for edge in graph.into(name):
                inputs[edge.port] = inputs[edge.port] + edge.synapse.apply(past[edge.source].at(t - edge.delay))
            if name == graph.source:
                inputs["input"] = x[:, t]
            before = states[name]
            state, message, _ = node.step(before, as_dtype(dtype, inputs))
            sent = message
            if isinstance(node, LIF | Cuba) and fires(node) and name in recorded:
                state, sent = _fallen(found, name, node, before, state, message, _fired(node, recorded[name], t))
            states[name] = as_dtype(dtype, state)
            if name not in forced:
                past[name].put(t, sent)
            if name in wanted:
                for key, value in {"message": found.own.get(name, message), **states[name]}.items():
                    found.values.setdefault(f"{name}.{key}", []).append(value)
    return found


def _fired(node: LIF | Cuba, messages: Array, t: int) -> Array | None:
    """Return what neurons fired in a step, as recorded: with a lag they send it in the next; None at its end."""
    t += _lags(node)
    return messages[:, t] if t < messages.shape[1] else None


def _lags(node: LIF | Cuba) -> bool:
    return isinstance(node, Cuba) and node.lag


def _fallen(
    found: PlayedBeside, name: str, node: LIF | Cuba, before: State, state: State, message: Array, theirs: Array | None
) -> tuple[State, Array]:
    """Return state and message with ties that fell otherwise as they were recorded; note the ties and our message."""
    v = charged(node, before, state["u"])
    near, fired = near_threshold(node, v), message if isinstance(node, LIF) else state["n"]
    own = (near, fired)
    if _lags(node):  # what fired a step before is sent
        own, found.late[name] = found.late.get(name, (np.zeros_like(near), message)), own
    found.near.setdefault(name, []).append(own[0])
    found.own[name] = own[1]
    if theirs is None or not near.any():
        return state, message
    held = len(theirs)  # a recording may have fewer samples
    other = near[:held] & (fired[:held] != theirs)
    if not other.any():
        return state, message
    fired = fired.copy()
    fired[:held][other] = theirs[other]
    if isinstance(node, LIF):
        return {**state, "v": np.where(fired > 0, 0.0, v)}, fired
    after = reset(node, v, fired) if node.reset_when == "same" else v
    return {**state, "v": np.maximum(after, node.v_floor), "n": fired}, message if node.lag else fired

"""Limits: what the parts of a graph cost in C, each alone, with as many messages as a real run sent.

Their sum stands for a C loop over graphs that the loop of LIF layers does not know. It is a lower bound of one: nothing
is between the parts, and the gates of a scan (softplus, delta u: a step a channel) are given.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes import Dense, Diagonal, IntegerLIF, IntegerReadout, IntegerRelay, IntegerScan
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation.tables import CHUNK

from .c_yardstick import pointer
from .parts import best


def c_limits(library: Any, graph: IntegerGraph, sent: dict[str, float]) -> dict[str, float]:
    """Return microseconds a step of every part in C; ``sent`` is how many messages a node sends a step, on average."""
    found = {"synapses": 0.0, "counters": 0.0}
    for edge in graph.edges:
        graded, active = graph.nodes[edge.source].message_bits > 1, round(sent[edge.source])
        if isinstance(edge.synapse, Dense):
            found["synapses"] += _dense(library, edge.synapse.weight, graded, active)
        else:
            found["synapses"] += _values(library, graph.nodes[edge.source].neurons)
        if isinstance(edge.synapse, (Dense, Diagonal)):
            found["counters"] += _counted(library, np.atleast_2d(edge.synapse.weight), graded, active)
    for name, node in graph.nodes.items():
        if node.kind != "source":
            found[node.kind] = found.get(node.kind, 0.0) + _neurons(node, library, round(sent[name]))
    return found


def _dense(library: Any, weight: Array, graded: bool, active: int) -> float:
    post, pre = weight.shape
    rows, sums, block = np.ascontiguousarray(weight.T), np.zeros(post, np.int32), np.zeros(post, np.int16)
    if graded:
        m = np.ones(pre, np.int32)
        return best(lambda: library.products(CHUNK, pointer(rows), pointer(m), active & ~3, post, pointer(sums)), CHUNK)
    fired = _fired(pre, active)
    return best(
        lambda: library.rows(CHUNK, pointer(rows), pointer(fired), active, post, pointer(block), pointer(sums)), CHUNK
    )


def _counted(library: Any, weight: Array, graded: bool, active: int) -> float:
    pre = weight.shape[1]
    nonzero = np.count_nonzero(weight, axis=0).astype(np.int32)
    if (nonzero == len(weight)).all():  # then the count of messages says it
        return 0.0
    if graded:
        m = np.ones(pre, np.int32)
        return best(lambda: library.count_values(CHUNK, pointer(m), pre, pointer(nonzero)), CHUNK)
    fired = _fired(pre, active)
    return best(lambda: library.count_spikes(CHUNK, pointer(fired), active, pointer(nonzero)), CHUNK)


def _values(library: Any, neurons: int) -> float:
    m, sums = np.ones(neurons, np.int32), np.zeros(neurons, np.int64)
    return best(lambda: library.values(CHUNK, pointer(m), neurons, pointer(sums)), CHUNK)


def _fired(pre: int, active: int) -> Array:
    return np.sort(np.random.default_rng(0).choice(pre, active, replace=False)).astype(np.int32)


@singledispatch
def _neurons(node: Any, library: Any, active: int) -> float:
    raise TypeError(f"no C for {type(node).__name__}")


@_neurons.register
def _(node: IntegerLIF, library: Any, active: int) -> float:
    sums = np.zeros(node.size, np.int32)
    sums[_fired(node.size, active)] = node.v_threshold + 1  # these fire in every step
    v, out, flags = np.zeros(node.size, np.int32), np.zeros(node.size, np.int32), np.zeros(node.size, np.uint8)
    factor, threshold = 4096 - node.dv, node.v_threshold << 6
    return best(
        lambda: library.lifs(
            CHUNK, node.size, factor, threshold, pointer(sums), pointer(v), pointer(flags), pointer(out)
        ),
        CHUNK,
    )


@_neurons.register
def _(node: IntegerRelay, library: Any, active: int) -> float:
    n, sums, out = node.neurons, np.arange(node.neurons), np.zeros(node.neurons, np.int32)
    factor, bias = _words(node.multiplier), _words(node.bias)
    return best(
        lambda: library.relays(CHUNK, n, pointer(sums), pointer(factor), pointer(bias), node.shift, pointer(out)), CHUNK
    )


@_neurons.register
def _(node: IntegerReadout, library: Any, active: int) -> float:
    n, sums, out, v = node.neurons, np.arange(node.neurons), np.zeros(node.neurons, np.int32), np.zeros(node.neurons)
    factor, bias, state = _words(node.multiplier), _words(node.bias), v.astype(np.int64)
    return best(
        lambda: library.readouts(
            CHUNK, n, pointer(sums), pointer(factor), pointer(bias), node.shift, int(node.decay), pointer(state),
            pointer(out),
        ),
        CHUNK,
    )  # fmt: skip


@_neurons.register
def _(node: IntegerScan, library: Any, active: int) -> float:
    draw = np.random.default_rng(0)
    channels, states = node.alpha.shape
    exp2 = np.array([round(2.0 ** (20 - i / 64)) for i in range(65)])
    left, step = exp2[:64].astype(np.int32), np.diff(exp2).astype(np.int32)
    alpha = np.ascontiguousarray(node.alpha.T)
    delta, du = draw.integers(0, 2**19, channels), draw.integers(-(2**20), 2**20, channels)
    b, c = draw.integers(-(2**15), 2**15, states), draw.integers(-(2**15), 2**15, states)
    h, y = np.zeros((states, channels), np.int64), np.zeros(channels, np.int64)
    return best(
        lambda: library.scan(
            CHUNK, states, channels, pointer(alpha), node.alpha_shift, pointer(delta), pointer(du), pointer(b),
            node.b_shift, pointer(c), node.c_shift, pointer(left), pointer(step), pointer(h), pointer(y),
        ),
        CHUNK,
    )  # fmt: skip


def _words(values: Any) -> Array:
    return np.ascontiguousarray(values, np.int64)

"""Limits: what the parts of a graph cost in C.

Those of a net of LIF are parts of the loop in C over the same input, two chunks of it, as `parts` plays the engine's.
Those of other graphs repeat one step, each alone, with as many messages as a real run sent; their sum stands for the
loop that there is not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial, singledispatch
from typing import Any

import numpy as np

from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes import Dense, Diagonal, IntegerLIF, IntegerReadout, IntegerRelay, IntegerScan
from bim_neuro.nodes.arithmetic import Array

from .parts import CHUNKS, REPEATS, STEPS, best
from .yardstick import CHUNK, COLUMNS, LifLoop, ScanShape, exp2_words, pairs_of, pointer, softplus_words, wide

Play = Callable[[], object]


def c_limits(library: Any, graph: IntegerGraph, sent: dict[str, float], x: Array) -> dict[str, float]:
    """Return microseconds a step of every part in C; ``sent`` is how many messages a node sends a step, on average."""
    if loop := lif_loop(graph, library):
        return _loop_parts(loop, x.reshape(-1, x.shape[2])[: 16 * CHUNK])
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
            play = neurons_in_c(node, library, round(sent[name]))[0]
            found[node.kind] = found.get(node.kind, 0.0) + best(play, STEPS)
    return found


def lif_loop(graph: IntegerGraph, library: Any) -> LifLoop | None:
    """Return the loop in C over a net of LIF; None if there is anything else in it."""
    names = list(graph.order)
    lifs = [node for node in (graph.nodes[name] for name in names) if isinstance(node, IntegerLIF)]
    dense = [(edge, edge.synapse) for edge in graph.edges if isinstance(edge.synapse, Dense)]
    if len(lifs) != len(names) - 1 or len(dense) != len(graph.edges):
        return None
    source = next(node for node in graph.nodes.values() if node.kind == "source")
    layers = [(source.neurons, 0, 0), *((node.neurons, node.dv, node.v_threshold) for node in lifs)]
    edges = [(names.index(edge.source), names.index(edge.target), synapse.weight) for edge, synapse in dense]
    return LifLoop(library, layers, edges)


def _loop_parts(loop: LifLoop, x: Array) -> dict[str, float]:
    """Return the parts of the loop's last two chunks, the neurons' as what they add to gathering."""
    loop.run(wide(x, COLUMNS, np.uint8))
    last = len(x) // CHUNK * CHUNK
    gathered, both, counted = (
        best(partial(loop.part, last, CHUNKS * CHUNK, REPEATS, what), STEPS) for what in (1, 3, 4)
    )
    return {"synapses": gathered, "counters": counted, "lif": both - gathered}


def _dense(library: Any, weight: Array, graded: bool, active: int) -> float:
    pre = weight.shape[1]
    if graded:
        rows = wide(weight.T, COLUMNS, np.int8)
        pairs, m, width = pairs_of(rows), wide(np.ones(pre), 2, np.int16), rows.shape[1]
        sums, some = wide(np.zeros(width)), active + active % 2
        return best(lambda: library.products(STEPS, pointer(pairs), pointer(m), some, width, pointer(sums)), STEPS)
    rows, fired = wide(weight.T, COLUMNS, np.int8), _fired(pre, active)
    width, sums = rows.shape[1], wide(np.zeros(rows.shape[1]))
    return best(lambda: library.rows(STEPS, pointer(rows), pointer(fired), active, width, pointer(sums)), STEPS)


def _counted(library: Any, weight: Array, graded: bool, active: int) -> float:
    pre = weight.shape[1]
    nonzero = np.count_nonzero(weight, axis=0).astype(np.int32)
    if (nonzero == len(weight)).all():  # then the count of messages says it
        return 0.0
    if graded:
        m = np.ones(pre, np.int32)
        return best(lambda: library.count_values(STEPS, pointer(m), pre, pointer(nonzero)), STEPS)
    fired = _fired(pre, active)
    return best(lambda: library.count_spikes(STEPS, pointer(fired), active, pointer(nonzero)), STEPS)


def _values(library: Any, neurons: int) -> float:
    m, sums = wide(np.ones(neurons)), wide(np.zeros(neurons))
    return best(lambda: library.values(STEPS, pointer(m), len(m), pointer(sums)), STEPS)


def _fired(pre: int, active: int) -> Array:
    return np.sort(np.random.default_rng(0).choice(pre, active, replace=False)).astype(np.int32)


@singledispatch
def neurons_in_c(node: Any, library: Any, active: int) -> tuple[Play, dict[str, Array]]:
    """Return the call that plays a node `STEPS` steps in C, and the arrays it reads and writes."""
    raise TypeError(f"no C for {type(node).__name__}")


@neurons_in_c.register
def _(node: IntegerLIF, library: Any, active: int) -> tuple[Play, dict[str, Array]]:
    sums = wide(np.zeros(node.size))
    sums[_fired(node.size, active)] = node.v_threshold + 1  # these fire in every step
    v, out = wide(np.zeros(node.size)), np.zeros(len(sums) + 16, np.int32)
    numbers = (len(sums), 4096 - node.dv, node.v_threshold << 6)
    play = lambda: library.lifs(STEPS, *numbers, pointer(sums), pointer(v), pointer(out))  # noqa: E731
    return play, {"sums": sums, "v": v, "out": out}


@neurons_in_c.register
def _(node: IntegerRelay, library: Any, active: int) -> tuple[Play, dict[str, Array]]:
    arrays = _rescaled(node)
    play = lambda: library.relays(STEPS, *_places(arrays), node.shift, pointer(arrays["out"]))  # noqa: E731
    return play, arrays


@neurons_in_c.register
def _(node: IntegerReadout, library: Any, active: int) -> tuple[Play, dict[str, Array]]:
    arrays = _rescaled(node) | {"v": wide(np.zeros(node.neurons))}
    numbers = (node.shift, int(node.decay))
    play = lambda: library.readouts(  # noqa: E731
        STEPS, *_places(arrays), *numbers, pointer(arrays["v"]), pointer(arrays["out"])
    )
    return play, arrays


@neurons_in_c.register
def _(node: IntegerScan, library: Any, active: int) -> tuple[Play, dict[str, Array]]:
    draw = np.random.default_rng(0)
    channels, states = node.alpha.shape
    own = [node.dt_multiplier, node.dt_bias, node.u_multiplier, node.u_bias, node.d_skip]
    arrays = {
        "u": wide(draw.integers(-(2**12), 2**12, channels)),
        "dt": wide(draw.integers(-(2**12), 2**12, channels)),
        "b": draw.integers(-(2**12), 2**12, states).astype(np.int32),
        "c": draw.integers(-(2**12), 2**12, states).astype(np.int32),
        "own": wide(np.stack(own)),
        "alpha": wide(node.alpha.T),
        "exp2": exp2_words(),
        "log": softplus_words(),
    }
    arrays["h"], arrays["out"] = np.zeros_like(arrays["alpha"]), np.zeros_like(arrays["u"])
    shifts = (node.u_shift, node.dt_shift, node.alpha_shift, node.du_shift, node.b_shift, node.c_shift, node.d_shift)
    shape = ScanShape(states, len(arrays["u"]), *shifts)
    play = lambda: library.scan(STEPS, ctypes.byref(shape), *(pointer(a) for a in arrays.values()))  # noqa: E731
    return play, arrays


def _rescaled(node: IntegerRelay | IntegerReadout) -> dict[str, Array]:
    sums, factor, bias = wide(np.arange(node.neurons)), wide(node.multiplier), wide(node.bias)
    return {"sums": sums, "factor": factor, "bias": bias, "out": np.zeros_like(sums)}


def _places(arrays: dict[str, Array]) -> tuple[Any, ...]:
    return len(arrays["sums"]), *(pointer(arrays[name]) for name in ("sums", "factor", "bias"))

"""Small graphs for docs/conformance: each has what one rule of docs/numerics.md is about, numbers at its limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bim_neuro.compilers.align import align
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import (
    Broadcast,
    Conv,
    Dense,
    Diagonal,
    Encoder,
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    SomaWire,
    Source,
    Synapse,
)
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.nodes.synapses import shifted_of, sparse_of

LINES = 6
draw = np.random.default_rng


def weights(seed: int, *shape: int, largest: int = 127) -> np.ndarray:
    """Draw int8 weights of both signs."""
    return draw(seed).integers(-largest, largest + 1, shape).astype(np.int8)


def quiet(size: int) -> np.ndarray:
    """Return biases of 0."""
    return np.zeros(size, np.int64)


def chain(*steps: tuple[IntegerNode, Synapse]) -> IntegerGraph:
    """Return a graph of nodes n1, n2 ... that each read the one before by a synapse."""
    nodes: dict[str, IntegerNode] = {"input": Source(LINES)}
    edges: list[Edge] = []
    for node, synapse in steps:
        name, before = f"n{len(nodes)}", list(nodes)[-1]
        nodes[name] = node
        edges.append(Edge(before, name, next(iter(node.ports)), synapse))
    return graph_of(nodes, edges)


def graph_of(nodes: dict[str, IntegerNode], edges: list[Edge]) -> IntegerGraph:
    """Return an aligned graph whose first node is its source."""
    source = next(iter(nodes.values()))
    encoder = Encoder("graded" if source.message_bits > 1 else "spikes", np.ones(source.neurons), quiet(source.neurons))
    return align(IntegerGraph(nodes, tuple(edges), 1e-3, encoder))


def leaky(size: int, threshold: int, **more: Any) -> IntegerLIF:
    """Return LIF neurons without current and bias, but for ``more``."""
    fields: dict[str, Any] = {"du": 4095, "dv": 400, "bias_mant": quiet(size)} | more
    return IntegerLIF(size, v_threshold=threshold, **fields)


def relay(seed: int, size: int, shift: int = 12) -> IntegerRelay:
    """Return a relay with factors and biases of its own a neuron."""
    return IntegerRelay(draw(seed).integers(2**12, 2**16, size), shift, draw(seed).integers(-99, 99, size))


def lif() -> IntegerGraph:
    """Current, leak, bias."""
    bias = draw(2).integers(-90, 200, 8)
    first = leaky(8, 4000, du=1500, bias_mant=bias, bias_exp=2)
    return chain((first, Dense(weights(1, 8, LINES))), (leaky(4, 60), Dense(weights(3, 4, 8))))


def lif_limits() -> IntegerGraph:
    """A current that wraps at 2^23, a voltage that saturates there."""
    first = leaky(4, 2**17 - 1, du=0, dv=0, bias_mant=np.array([4095, -4096, 4095, 0]), bias_exp=7)
    return chain((first, Dense(np.array([[127] * LINES, [-127] * LINES, [127, -127] * 3, [0] * LINES], np.int8))))


def relays() -> IntegerGraph:
    """A relay that saturates at 16 bits, then one that does not."""
    return chain((relay(4, 5, shift=6), Dense(weights(5, 5, LINES))), (relay(6, 4, 16), Dense(weights(7, 4, 5))))


def scan(channels: int = 4, states: int = 3) -> IntegerGraph:
    """A selective scan with its soma: u by two taps, dt, B and C, and a readout behind."""
    some = draw(8)
    node = IntegerScan(
        alpha=some.integers(0, 2**16, (channels, states)), alpha_shift=14,
        d_skip=some.integers(-(2**20), 2**20, channels), d_shift=18,
        u_multiplier=some.integers(0, 2**16, channels), u_shift=10, u_bias=some.integers(-99, 99, channels),
        dt_multiplier=some.integers(0, 2**16, channels), dt_shift=10, dt_bias=some.integers(-(2**16), 2**16, channels),
        du_shift=14, b_shift=8, c_shift=12,
    )  # fmt: skip
    nodes: dict[str, IntegerNode] = {
        "input": Source(LINES), "u": relay(9, channels), "B": relay(10, states), "C": relay(11, states), "scan": node,
        "lif": leaky(channels, 900), "readout": IntegerReadout(60000, some.integers(2**12, 2**15, 3), 8, quiet(3)),
    }  # fmt: skip
    edges = [
        *(Edge("input", name, "a", Dense(weights(12, nodes[name].neurons, LINES))) for name in ("u", "B", "C")),
        *(Edge("u", "scan", "u", Diagonal(weights(13 + tap, channels)), tap) for tap in (0, 2)),
        Edge("input", "scan", "dt", Dense(weights(16, channels, LINES))),
        *(Edge(name, "scan", name, Broadcast(states, channels)) for name in ("B", "C")),
        Edge("scan", "lif", "i", SomaWire()),
        Edge("lif", "readout", "a", Dense(weights(17, 3, channels))),
    ]
    return graph_of(nodes, edges)


def readout() -> IntegerGraph:
    """A decay of 50,000: 2^16 would be no leak."""
    return chain((IntegerReadout(50000, draw(18).integers(2**12, 2**16, 4), 6, np.arange(4)), Dense(weights(19, 4, 6))))


def sparse() -> IntegerGraph:
    """Four in ten weights."""
    some = weights(20, 7, LINES).astype(float)
    kept = sparse_of(np.where(draw(21).random(some.shape) < 0.4, some, 0))
    return chain((leaky(7, 2000), type(kept)(kept.weight.astype(np.int8), kept.column, kept.start, kept.pre)))


def conv(**geometry: Any) -> Callable[[], IntegerGraph]:
    """A convolution of a grid of 2 x 5 x 4."""

    def made() -> IntegerGraph:
        kernel = Conv(weights(22, 4, 2 // geometry.get("groups", 1), 3, 2), (2, 5, 4), **geometry)
        nodes: dict[str, IntegerNode] = {"input": Source(40), "n1": leaky(kernel.post, 4000)}
        return graph_of(nodes, [Edge("input", "n1", "i", kernel)])

    return made


def taps() -> IntegerGraph:
    """Three delays into one relay: the gap after a sample empties them."""
    nodes: dict[str, IntegerNode] = {"input": Source(LINES), "n1": relay(23, LINES), "n2": relay(24, 3, 16)}
    edges = [Edge("input", "n1", "a", Diagonal(weights(25 + tap, LINES)), tap) for tap in (0, 1, 4)]
    return graph_of(nodes, [*edges, Edge("n1", "n2", "a", Dense(weights(30, 3, LINES)))])


def loop() -> IntegerGraph:
    """A layer that reads itself at once and two steps later."""
    nodes: dict[str, IntegerNode] = {"input": Source(LINES, graded=False), "n1": leaky(8, 90), "n2": leaky(3, 150)}
    edges = [
        Edge("input", "n1", "i", Dense(weights(31, 8, LINES))),
        Edge("n1", "n1", "i", Dense(weights(32, 8, 8, largest=60))),
        Edge("n1", "n1", "i", Dense(weights(33, 8, 8, largest=60)), 2),
        Edge("n1", "n2", "i", Dense(weights(34, 3, 8))),
    ]
    return graph_of(nodes, edges)


SWITCHES: tuple[dict[str, Any], ...] = (
    {"reset_when": "next", "wide": True},
    {"reset": "subtract", "counts": "many", "compare": ">="},
    {"reset": "subtract", "reset_when": "after", "lag": True},
    {"counts": "none"},
)


def switches() -> IntegerGraph:
    """A chain of switch neurons: every reset, its three times, both comparisons, counts, lag and 16-bit weights."""
    nodes: dict[str, IntegerNode] = {"input": Source(LINES)}
    edges: list[Edge] = []
    for index, switch in enumerate(SWITCHES, 1):
        some, size, before = draw(40 + index), 5, list(nodes)[-1]
        node = IntegerCuba(
            some.integers(2**14, 2**16, size), some.integers(0, 2**15, size), some.integers(2**10, 2**12, size), 6,
            some.integers(-50, 50, size), some.integers(2000, 9000, size), some.integers(-90, 90, size),
            some.integers(-90, 90, size), some.integers(-9000, -4000, size), **switch,
        )  # fmt: skip
        for port in node.ports:
            matrix = weights(50 + index, size, nodes[before].neurons) >> (6 if port == "high" else 0)
            edges.append(Edge(before, f"n{index}", port, Dense(matrix)))
        nodes[f"n{index}"] = node
    return graph_of(nodes, edges)


def exponents() -> IntegerGraph:
    """Weights with a power of two each, some of them below 1: sums are shifted towards minus infinity."""
    shape = (5, LINES)
    rows, columns = (axis.ravel() for axis in np.indices(shape))
    powers = draw(60).integers(-3, 5, rows.size)
    synapse = shifted_of(weights(61, rows.size), powers, (rows, columns), shape)
    return chain((IntegerGraded(5, v_threshold=20), synapse))


def graded() -> IntegerGraph:
    """A vector, then a rectified one, with thresholds."""
    return chain(
        (IntegerGraded(5, v_threshold=500), Dense(weights(62, 5, LINES))),
        (IntegerGraded(4, rectify=True), Dense(weights(63, 4, 5))),
    )


def products() -> IntegerGraph:
    """A product of two sums, some of which leave 32 bits."""
    nodes: dict[str, IntegerNode] = {
        "input": Source(LINES), "n1": IntegerGraded(4), "n2": IntegerProd(4, 5, v_threshold=7),
    }  # fmt: skip
    edges = [Edge("input", "n1", "a", Dense(weights(64, 4, LINES)))]
    edges += [Edge("n1", "n2", port, Dense(weights(65 + len(port), 4, 4))) for port in ("a1", "a2")]
    return graph_of(nodes, edges)


GRAPHS: dict[str, tuple[tuple[str, ...], Callable[[], IntegerGraph]]] = {
    "lif": (("N7", "N11"), lif),
    "lif_limits": (("N1", "N7"), lif_limits),
    "relay": (("N6", "N8"), relays),
    "scan": (("N9", "N11", "N12"), scan),
    "readout": (("N10",), readout),
    "sparse": (("N11",), sparse),
    "conv": (("N11",), conv(stride=(2, 1), padding=(1, 1, 0, 0))),
    "conv_borders": (("N11",), conv(padding=(2, 0, -1, 1), dilation=(1, 2), groups=2)),
    "taps": (("N8", "N12"), taps),
    "loop": (("N7", "N14"), loop),
    "switches": (("N24",), switches),
    "exponents": (("N25", "N26"), exponents),
    "graded": (("N26",), graded),
    "products": (("N27",), products),
}
"""Rules of docs/numerics.md, and the graph that shows them, by the name of a file."""

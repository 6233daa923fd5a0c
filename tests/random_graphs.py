"""Random aligned graphs of every node and synapse, with loops, odd sizes and words that saturate; and their input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from bim_neuro.compilers.align import align
from bim_neuro.errors import DoesNotFit, InputError
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
    Sparse,
)
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.cuba import COMPARISONS, RESETS, WHEN
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.nodes.synapses import shifted_of, sparse_of

KINDS = ("lif", "relay", "scan", "readout", "cuba")
STOCK = ("graded", "product", "lif")
"""Kinds of the graphs on processes of Lava alone; messages of the first two go over synapses with exponents."""


def random_graph(seed: int, *, layers: int, width: int, loud: bool, loops: bool, maps: bool = False) -> IntegerGraph:
    """Return a graph of about ``layers`` nodes of 1 to ``width`` neurons; ``loud`` ones saturate and wrap.

    With ``maps`` half of its synapses are sparse ones and convolutions.
    """
    draw = np.random.default_rng(seed)
    channels = _size(draw, width, maps)
    graded = bool(draw.integers(2))
    nodes: dict[str, IntegerNode] = {"input": Source(channels, graded=graded)}
    edges: list[Edge] = []
    for index in range(layers):
        last = index == layers - 1
        kind = str(draw.choice(("lif", "readout", "cuba") if last else KINDS))
        _grow(draw, nodes, edges, f"n{index}", kind, width, loud, maps)
    _join_loose_ends(draw, nodes, edges)
    encoder = Encoder("graded" if graded else "spikes", np.ones(channels), np.zeros(channels))
    return _aligned(draw, IntegerGraph(nodes, tuple(edges), 1e-3, encoder), loops, maps)


def random_stock_graph(
    seed: int, *, layers: int, width: int, loud: bool, loops: bool, kinds: tuple[str, ...] = STOCK
) -> IntegerGraph:
    """Return a graph on processes that Lava ships; of ``loud`` ones products wrap and sums leave 32 bits."""
    draw = np.random.default_rng(seed)
    channels = int(draw.integers(1, width + 1))
    nodes: dict[str, IntegerNode] = {"input": Source(channels, graded=bool(draw.integers(2)))}
    edges: list[Edge] = []
    for index in range(layers):
        name, size, before = f"n{index}", int(draw.integers(1, width + 1)), list(nodes)
        nodes[name] = _stock_node(draw, str(draw.choice(kinds)), size, loud)
        for port in nodes[name].ports:
            sources = draw.choice(before, size=int(draw.integers(1, 4)))
            edges.extend(_shifted_edge(draw, nodes, str(source), name, port, loud) for source in sources)
    last, read = list(nodes)[-1], {edge.source for edge in edges}
    port = next(iter(nodes[last].ports))
    loose = [name for name in list(nodes)[:-1] if name not in read]
    edges += [_shifted_edge(draw, nodes, name, last, port, loud) for name in loose]
    encoder = Encoder("graded" if nodes["input"].message_bits > 1 else "spikes", np.ones(channels), np.zeros(channels))
    return _aligned(draw, IntegerGraph(nodes, tuple(edges), 1e-3, encoder), loops, maps=False)


def _aligned(draw: np.random.Generator, graph: IntegerGraph, loops: bool, maps: bool) -> IntegerGraph:
    """Close some loops and align; a graph that cannot be aligned loses its delays."""
    nodes, edges = graph.nodes, graph.edges
    if loops and _has_output(looped := replace(graph, edges=(*edges, *_loops(draw, nodes, maps)))):
        graph = looped
    try:
        return align(graph)
    except DoesNotFit:  # a tap from a LIF with a bias or a current
        return align(replace(graph, edges=tuple(replace(edge, delay=0) for edge in graph.edges)))


def random_input(graph: IntegerGraph, seed: int, *, samples: int, steps: int, activity: float) -> Array:
    """Return input (samples, steps, lines) of which a share ``activity`` is not zero."""
    draw = np.random.default_rng(seed)
    shape = (samples, steps, graph.nodes[graph.source].neurons)
    active = draw.random(shape) < activity
    graded = graph.nodes[graph.source].message_bits > 1
    return np.where(active, draw.integers(-127, 128, shape) if graded else 1, 0)


def _grow(
    draw: np.random.Generator,
    nodes: dict[str, IntegerNode],
    edges: list[Edge],
    name: str,
    kind: str,
    width: int,
    loud: bool,
    maps: bool,
) -> None:
    """Add one node, fed by one to three of the nodes there are."""
    size = _size(draw, width, maps)
    before = list(nodes)
    nodes[name] = _node(draw, kind, size, loud)
    for port, neurons in nodes[name].ports.items():
        sources = draw.choice(before, size=int(draw.integers(1, 4)))
        edges.extend(_edge(draw, nodes, str(source), name, port, neurons, maps) for source in sources)
    if kind == "scan" and draw.random() < 0.7:  # a soma in the same neuron
        nodes[f"{name}.lif"] = _node(draw, "lif", size, loud)
        edges.append(Edge(name, f"{name}.lif", "i", SomaWire()))


def _size(draw: np.random.Generator, width: int, maps: bool) -> int:
    """Draw 1 to ``width`` neurons, for maps mostly a number of channels, rows and columns."""
    if not maps or draw.random() < 0.3:
        return int(draw.integers(1, width + 1))
    rows = int(draw.integers(1, math.isqrt(width) + 1))
    columns = int(draw.integers(1, width // rows + 1))
    return rows * columns * int(draw.integers(1, width // (rows * columns) + 1))


def _edge(
    draw: np.random.Generator, nodes: dict[str, IntegerNode], source: str, target: str, port: str, post: int, maps: bool
) -> Edge:
    if nodes[source].kind in STOCK[:2]:
        return _shifted_edge(draw, nodes, source, target, port, loud=False)
    pre, delay = nodes[source].neurons, int(draw.choice([0, 0, 0, 1, 2, 5]))
    if maps and draw.random() < 0.5:
        return Edge(
            source,
            target,
            port,
            random_conv(draw, pre, post) if draw.random() < 0.7 else _sparse(draw, pre, post),
            delay,
        )
    choice = draw.random()
    if pre == post and choice < 0.3:
        return Edge(source, target, port, Diagonal(_weights(draw, (post,))), delay)
    if pre == post and choice < 0.45:
        return Edge(source, target, port, Broadcast(pre, int(draw.integers(1, 9))), delay)
    return Edge(source, target, port, Dense(_weights(draw, (post, pre))), delay)


def random_conv(draw: np.random.Generator, pre: int, post: int) -> Conv:
    """Return a convolution of any geometry between so many neurons: of a part of them, or seen from far outside."""
    grid, out = _factors(draw, pre), _factors(draw, post)
    groups = int(draw.choice([n for n in range(1, grid[0] + 1) if grid[0] % n == 0 and out[0] % n == 0]))
    kernel, stride, dilation = ([int(n) for n in draw.integers(1, most, 2)] for most in (6, 4, 4))
    padding = []
    for axis in (0, 1):
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        both = (out[1 + axis] - 1) * stride[axis] + reach - grid[1 + axis] + int(draw.integers(stride[axis]))
        before = int(draw.integers(min(0, both) - 2, max(0, both) + 3))
        padding += [before, both - before]
    weight = _weights(draw, (out[0], grid[0] // groups, *kernel))
    conv = Conv(weight, grid, tuple(stride), tuple(padding), tuple(dilation), groups)  # type: ignore[arg-type]
    assert (conv.fault(), conv.out) == ("", out)
    return conv


def _factors(draw: np.random.Generator, neurons: int) -> tuple[int, int, int]:
    """Draw channels, rows and columns."""
    rows = int(draw.choice([n for n in range(1, neurons + 1) if neurons % n == 0]))
    columns = int(draw.choice([n for n in range(1, neurons // rows + 1) if neurons // rows % n == 0]))
    return neurons // rows // columns, rows, columns


def _sparse(draw: np.random.Generator, pre: int, post: int) -> Sparse:
    """Return some weights, of which some are zero after rounding."""
    kept = sparse_of(csr_array(_weights(draw, (post, pre)).astype(float)))
    weight = np.where(draw.random(kept.count) < 0.9, kept.weight, 0).astype(np.int8)
    return replace(kept, weight=weight)


def _weights(draw: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw int8 weights: of both signs, all positive or all negative; full, or mostly zero."""
    weights = draw.integers(-127, 128, shape)
    sign = draw.integers(4)
    weights = np.abs(weights) if sign == 1 else -np.abs(weights) if sign == 2 else weights
    return np.where(draw.random(shape) < draw.choice([0.1, 0.6, 1.0]), weights, 0).astype(np.int8)


def _shifted_edge(
    draw: np.random.Generator, nodes: dict[str, IntegerNode], source: str, target: str, port: str, loud: bool
) -> Edge:
    """Some weights, each with an exponent: one a synapse, one a neuron, or one a weight."""
    pre, post = nodes[source].neurons, nodes[target].ports[port]
    places = np.nonzero(_weights(draw, (post, pre)))
    low, high = (-9, 7) if loud else (-12, 1)
    sort = draw.integers(3)
    exponent = draw.integers(low, high, 1 if sort == 0 else post if sort == 1 else len(places[0]))
    exponent = np.resize(exponent, len(places[0])) if sort != 1 else exponent[places[0]]
    kept = shifted_of(draw.integers(-127, 128, len(places[0])), exponent, places, (post, pre))
    return Edge(source, target, port, kept, int(draw.choice([0, 0, 0, 1, 2, 5])))


def _stock_node(draw: np.random.Generator, kind: str, size: int, loud: bool) -> IntegerNode:
    threshold = int(draw.choice([0, 0, 1, 100]))
    if kind == "graded":
        return IntegerGraded(size, bool(draw.integers(2)), v_threshold=threshold)
    if kind == "product":
        return IntegerProd(size, int(draw.integers(0, 9) if loud else draw.integers(9, 22)), v_threshold=threshold)
    return _lif(draw, size, loud)


def _node(draw: np.random.Generator, kind: str, size: int, loud: bool) -> IntegerNode:
    if kind == "lif":
        return _lif(draw, size, loud)
    shift = int(draw.integers(0, 6) if loud else draw.integers(8, 20))
    multiplier = draw.integers(0, 2**16, size)
    bias = draw.integers(-(2**10), 2**10, size)
    if kind == "cuba":
        return _cuba(draw, size, multiplier, shift)
    if kind == "relay":
        return IntegerRelay(multiplier, shift, bias)
    if kind == "readout":
        return IntegerReadout(int(draw.integers(0, 2**16)), multiplier, shift, bias)
    return _scan(draw, size, loud)


def _lif(draw: np.random.Generator, size: int, loud: bool) -> IntegerLIF:
    du = int(draw.choice([4095, 4095, 0, draw.integers(0, 4096)]))
    dv = int(draw.choice([0, 128, 4095, draw.integers(0, 4096)]))
    threshold = int(draw.choice([0, 100, 2000, 2**17 - 1]))
    largest = 2**12 if loud else 2**8
    bias = draw.integers(-largest, largest, size) if draw.random() < 0.5 else np.zeros(size, np.int64)
    return IntegerLIF(size, du, dv, threshold, bias, bias_exp=int(draw.integers(0, 8)) if loud else 0)


def _cuba(draw: np.random.Generator, size: int, multiplier: Array, shift: int) -> IntegerCuba:
    """A switch neuron of any switches, with neurons of any numbers."""
    counts = str(draw.choice(["one", "one", "many", "none"]))
    threshold = draw.integers(1 if counts == "many" else -100, 2 ** int(draw.integers(4, 23)), size)

    def some(low: int, high: int) -> Array:
        return draw.integers(low, high, size) if draw.random() < 0.5 else np.zeros(size, np.int64)

    return IntegerCuba(
        decay=draw.choice([0, 2**15, 2**16, draw.integers(0, 2**16)], size),
        current_decay=draw.choice([0, 2**16, draw.integers(0, 2**16)], size) if draw.random() < 0.5 else some(0, 1),
        multiplier=multiplier,
        shift=shift,
        bias=some(-(2**10), 2**10),
        v_threshold=threshold,
        v_reset=some(-(2**10), 2**10),
        v_start=some(-(2**10), 2**10),
        v_floor=some(-(2**12), 1) if draw.random() < 0.5 else np.full(size, 1 - 2**23),
        reset=str(draw.choice(RESETS)),
        reset_when=str(draw.choice(WHEN)),
        compare=str(draw.choice(COMPARISONS)),
        counts=counts,
        lag=bool(draw.integers(2)),
        wide=bool(draw.integers(2)),
    )


def _scan(draw: np.random.Generator, size: int, loud: bool) -> IntegerScan:
    states = int(draw.integers(1, 6))
    wide = 0 if loud else 6
    return IntegerScan(
        alpha=draw.integers(0, 2**16, (size, states)),
        alpha_shift=int(draw.integers(10, 20)),
        d_skip=draw.integers(-(2**20), 2**20, size),
        d_shift=int(draw.integers(8, 24)),
        u_multiplier=draw.integers(0, 2**16, size),
        u_shift=int(draw.integers(4, 14)) + wide,
        u_bias=draw.integers(-(2**8), 2**8, size),
        dt_multiplier=draw.integers(0, 2**16, size),
        dt_shift=int(draw.integers(2, 12)) + wide,
        dt_bias=draw.integers(-(2**18), 2**18, size),
        du_shift=int(draw.integers(6, 22)),
        b_shift=int(draw.integers(0, 12)) + wide,
        c_shift=int(draw.integers(4, 16)) + wide,
    )


def _join_loose_ends(draw: np.random.Generator, nodes: dict[str, IntegerNode], edges: list[Edge]) -> None:
    """Let the last node read every node that nothing reads, so that the graph has one output."""
    last = list(nodes)[-1]
    read = {edge.source for edge in edges}
    port, post = next(iter(nodes[last].ports.items()))
    for name in list(nodes)[:-1]:
        if name not in read:
            weight = Dense(_weights(draw, (post, nodes[name].neurons)))
            edges.append(Edge(name, last, port, weight))


def _loops(draw: np.random.Generator, nodes: dict[str, IntegerNode], maps: bool) -> list[Edge]:
    """Return one to three edges that go back, or stay."""
    names, edges = [name for name in nodes if name != "input"], []
    for _ in range(int(draw.integers(1, 4))):
        first, second = sorted(draw.integers(0, len(names), 2))
        port, post = next(iter(nodes[names[first]].ports.items()))
        edges.append(_edge(draw, nodes, names[second], names[first], port, post, maps))
    return edges


def _has_output(graph: IntegerGraph) -> bool:
    """Whether one node is left that only loops read; which edge closes a loop is a matter of where the walk begins."""
    try:
        return bool(graph.output)
    except InputError:
        return False

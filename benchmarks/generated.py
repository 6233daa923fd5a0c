"""Generated integer models of any size for placement: random weights, the structure of real ones."""

from __future__ import annotations

import numpy as np

from bim_neuro.compilers.align import align
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import (
    Broadcast,
    Dense,
    Diagonal,
    Encoder,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    SomaWire,
    Source,
)
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode

TAPS = 4


def bim(width: int, states: int, blocks: int, seed: int = 0) -> IntegerGraph:
    """A BIM of M = D = ``width``: in each block u, dt, B and C, four taps, scan and soma; ten classes."""
    draw = np.random.default_rng(seed)
    nodes: dict[str, IntegerNode] = {"input": Source(width)}
    edges: list[Edge] = []
    before = "input"
    for block in range(1, blocks + 1):
        u, b, c, scan, lif = (f"block{block}.{name}" for name in ("u", "B", "C", "scan", "lif"))
        nodes |= {u: _relay(width), b: _relay(states), c: _relay(states), scan: _scan(width, states), lif: _lif(width)}
        edges += [Edge(before, name, "a", _dense(draw, nodes[name].neurons, width)) for name in (u, b, c)]
        edges += [Edge(u, scan, "u", Diagonal(_weights(draw, (width,))), delay) for delay in range(TAPS)]
        edges += [Edge(before, scan, "dt", _dense(draw, width, width)), Edge(scan, lif, "i", SomaWire())]
        edges += [Edge(name, scan, port, Broadcast(states, width)) for name, port in ((b, "B"), (c, "C"))]
        before = lif
    nodes["readout"] = IntegerReadout(60_000, np.full(10, 100), 8, np.zeros(10, np.int64))
    edges.append(Edge(before, "readout", "a", _dense(draw, 10, width)))
    return align(IntegerGraph(nodes, tuple(edges), 1e-3, Encoder("graded", np.ones(width), np.zeros(width))))


def sheet(populations: int, neurons: int, targets: int, seed: int = 0) -> IntegerGraph:
    """Populations of LIF on a square sheet, numbered at random; each reads itself and its four neighbours.

    ``targets`` is how many neurons of a population read one neuron. Weights are drawn once and used by all, so that a
    million neurons fit in memory. A readout reads the last population. Nothing is aligned: there are no samples.
    """
    draw = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(populations)))
    kernels = [Dense(_sparse(draw, neurons, targets)) for _ in range(5)]
    number = draw.permutation(populations)
    place = {int(n): divmod(index, side) for index, n in enumerate(number)}
    at = {position: n for n, position in place.items()}
    nodes: dict[str, IntegerNode] = {"input": Source(neurons, graded=False)}
    nodes |= {f"p{n}": _lif(neurons) for n in range(populations)}
    edges = [Edge("input", "p0", "i", Diagonal(np.full(neurons, 1, np.int8)))]
    for n, (row, column) in sorted(place.items()):
        around = ((row, column), (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        edges += [Edge(f"p{at[spot]}", f"p{n}", "i", kernels[k]) for k, spot in enumerate(around) if spot in at]
    nodes["readout"] = IntegerReadout(60_000, np.full(10, 100), 8, np.zeros(10, np.int64))
    edges.append(Edge(f"p{populations - 1}", "readout", "a", _dense(draw, 10, neurons)))
    return IntegerGraph(nodes, tuple(edges), 1e-3, Encoder("spikes", np.ones(neurons), np.zeros(neurons)))


def row(neurons: int) -> IntegerGraph:
    """LIF with one synapse each: as little as a neuron can take."""
    nodes: dict[str, IntegerNode] = {"input": Source(neurons, graded=False), "lif": _lif(neurons)}
    edges = (Edge("input", "lif", "i", Diagonal(np.full(neurons, 1, np.int8))),)
    return align(IntegerGraph(nodes, edges, 1e-3, Encoder("spikes", np.ones(neurons), np.zeros(neurons))))


def _weights(draw: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return draw.integers(1, 128, shape).astype(np.int8) * draw.choice(np.array([-1, 1], np.int8), shape)


def _dense(draw: np.random.Generator, post: int, pre: int) -> Dense:
    return Dense(_weights(draw, (post, pre)))


def _sparse(draw: np.random.Generator, neurons: int, targets: int) -> Array:
    weight = np.zeros((neurons, neurons), np.int8)
    for column in range(neurons):
        rows = draw.choice(neurons, targets, replace=False)
        weight[rows, column] = _weights(draw, (targets,))
    return weight


def _relay(neurons: int) -> IntegerRelay:
    return IntegerRelay(np.full(neurons, 200), 10, np.zeros(neurons, np.int64))


def _lif(neurons: int) -> IntegerLIF:
    return IntegerLIF(neurons, 4095, 400, 300, np.zeros(neurons, np.int64))


def _scan(channels: int, states: int) -> IntegerScan:
    word = np.full(channels, 200)
    return IntegerScan(
        alpha=np.full((channels, states), 2**12),
        alpha_shift=14,
        d_skip=np.full(channels, 2**10),
        d_shift=12,
        u_multiplier=word,
        u_shift=10,
        u_bias=np.zeros(channels, np.int64),
        dt_multiplier=word,
        dt_shift=8,
        dt_bias=np.zeros(channels, np.int64),
        du_shift=16,
        b_shift=8,
        c_shift=12,
    )

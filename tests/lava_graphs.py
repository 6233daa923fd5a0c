"""Fixed graphs for Lava to judge: convolutions, pools, sparse synapses, loops, delays; most of Lava's own processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import random_array

from bim_neuro.compilers.align import align
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import (
    Broadcast,
    Conv,
    Dense,
    Diagonal,
    Encoder,
    IntegerCuba,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    Source,
    Sparse,
    Synapse,
)
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.nodes.synapses import sparse_of

GRID = (2, 6, 5)  # channels, rows, columns


class Net:
    """A graph that grows node by node; weights are drawn from its own seed."""

    def __init__(self, seed: int, lines: int = 60, graded: bool = False) -> None:
        self.draw = np.random.default_rng(seed)
        self.nodes: dict[str, IntegerNode] = {"in": Source(lines, graded=graded)}
        self.edges: list[Edge] = []

    def add(self, node: IntegerNode, *synapses: tuple[str, Synapse, int]) -> str:
        """Add a node that reads others: (source, synapse, delay) each; return its name."""
        name = f"n{len(self.nodes)}"
        self.nodes[name] = node
        self.edges += [Edge(source, name, next(iter(node.ports)), syn, delay) for source, syn, delay in synapses]
        return name

    def back(self, source: str, target: str, synapse: Synapse, delay: int = 0) -> None:
        """Close a loop."""
        self.edges.append(Edge(source, target, next(iter(self.nodes[target].ports)), synapse, delay))

    def weight(self, *shape: int, largest: int = 40) -> Any:
        return self.draw.integers(-largest // 2, largest, shape).astype(np.int8)

    def dense(self, post: int, pre: int) -> Dense:
        return Dense(self.weight(post, pre))

    def sparse(self, post: int, pre: int, density: float = 0.15) -> Sparse:
        drawn = sparse_of(random_array((post, pre), density=density, rng=self.draw).tocsr())
        return replace(drawn, weight=self.weight(drawn.count, largest=90))

    def conv(
        self, grid: tuple[int, int, int] = GRID, out: int = 3, kernel: tuple[int, int] = (3, 3), **more: Any
    ) -> Conv:
        return Conv(self.weight(out, grid[0] // more.get("groups", 1), *kernel), grid, **more)

    def pool(self, grid: tuple[int, int, int], size: int = 2) -> Conv:
        ones = np.ones((grid[0], 1, size, size), np.int8)
        return Conv(ones, grid, (size, size), groups=grid[0])

    def lif(self, size: int, threshold: int = 60, **more: Any) -> IntegerLIF:
        fields: dict[str, Any] = {"du": 4095, "dv": 400, "bias_mant": np.zeros(size, np.int64)} | more
        return IntegerLIF(size, v_threshold=threshold, **fields)

    def cuba(self, size: int, **switches: Any) -> IntegerCuba:
        draw = self.draw
        return IntegerCuba(
            draw.integers(2**14, 2**16, size), draw.integers(0, 2**15, size), draw.integers(2**12, 2**14, size), 8,
            draw.integers(-20, 50, size), draw.integers(500, 3000, size), draw.integers(-90, 90, size),
            draw.integers(-90, 90, size), draw.integers(-9000, -2000, size), **switches,
        )  # fmt: skip

    def graph(self) -> IntegerGraph:
        lines = self.nodes["in"].neurons
        graded = self.nodes["in"].message_bits > 1
        encoder = Encoder("graded" if graded else "spikes", np.ones(lines), np.zeros(lines))
        return align(IntegerGraph(self.nodes, tuple(self.edges), 1e-3, encoder))


def one_conv(**more: Any) -> Callable[[int], Net]:
    """One convolution into a LIF."""

    def made(seed: int) -> Net:
        net = Net(seed)
        conv = net.conv(**more)
        net.add(net.lif(conv.post), ("in", conv, 0))
        return net

    return made


def one_row(**more: Any) -> Callable[[int], Net]:
    """A convolution over one axis: a grid of one row."""

    def made(seed: int) -> Net:
        net = Net(seed, 3 * 16)
        conv = net.conv((3, 1, 16), kernel=(1, 4), **more)
        net.add(net.lif(conv.post), ("in", conv, 0))
        return net

    return made


def pooled(seed: int) -> Net:
    net = Net(seed, 2 * 8 * 8)
    first = net.conv((2, 8, 8), padding=(1, 1, 1, 1))
    a = net.add(net.lif(first.post), ("in", first, 0))
    pool = net.pool(first.out)
    b = net.add(net.lif(pool.post, threshold=2), (a, pool, 0))
    second = net.conv(pool.out, out=2)
    net.add(net.lif(second.post), (b, second, 0))
    return net


def classifier(seed: int) -> Net:
    net = Net(seed)
    conv = net.conv(out=4, stride=(2, 2), padding=(1, 1, 1, 1))
    hidden = net.add(net.lif(conv.post), ("in", conv, 0))
    net.add(net.lif(5, threshold=100), (hidden, net.dense(5, conv.post), 0))
    return net


def recurrent(kind: str, delay: int = 0) -> Callable[[int], Net]:
    """A layer that reads itself, by a synapse of a kind."""

    def made(seed: int) -> Net:
        net, size = Net(seed), GRID[0] * GRID[1] * GRID[2]
        layer = net.add(net.lif(size, 90), ("in", net.conv(out=2, padding=(1, 1, 1, 1)), 0))
        synapse: dict[str, Synapse] = {
            "dense": net.dense(size, size), "sparse": net.sparse(size, size, 0.05),
            "conv": net.conv(out=2, padding=(1, 1, 1, 1)), "diagonal": Diagonal(net.weight(size)),
        }  # fmt: skip
        net.back(layer, layer, synapse[kind], delay)
        net.add(net.lif(4, threshold=200), (layer, net.dense(4, size), 0))
        return net

    return made


def sparse(delay: int = 0) -> Callable[[int], Net]:
    """A sparse layer, and one behind it."""

    def made(seed: int) -> Net:
        net = Net(seed)
        layer = net.add(net.lif(40), ("in", net.sparse(40, 60), delay))
        net.add(net.lif(8, threshold=90), (layer, net.sparse(8, 40, 0.4), 0))
        return net

    return made


def taps(seed: int) -> Net:
    net = Net(seed)
    net.add(net.lif(60), *(("in", Diagonal(net.weight(60, largest=100)), delay) for delay in (0, 1, 2, 5)))
    return net


def skip(seed: int) -> Net:
    net = Net(seed)
    conv = net.conv(out=2, padding=(1, 1, 1, 1))
    a = net.add(net.lif(60), ("in", conv, 0))
    net.add(
        net.lif(60, threshold=90), (a, net.conv(out=2, padding=(1, 1, 1, 1)), 0), ("in", Diagonal(net.weight(60)), 0)
    )
    return net


def fan_in(seed: int) -> Net:
    net = Net(seed)
    conv = net.conv()
    synapses: tuple[Synapse, ...] = (conv, net.sparse(conv.post, 60), net.dense(conv.post, 60))
    net.add(net.lif(conv.post, threshold=150), *(("in", synapse, 0) for synapse in synapses))
    return net


def broadcast(seed: int) -> Net:
    net = Net(seed)
    a = net.add(net.lif(60), ("in", Diagonal(net.weight(60, largest=100)), 0))
    net.add(net.lif(60, threshold=1), (a, Broadcast(60, 1), 0), ("in", Broadcast(60, 1), 2))
    return net


def graded(seed: int) -> Net:
    net = Net(seed, graded=True)
    conv = net.conv()
    net.add(net.lif(conv.post, threshold=2000), ("in", conv, 0))
    return net


def driven(seed: int) -> Net:
    net = Net(seed)
    conv = net.conv()
    node = net.lif(conv.post, du=1500, bias_mant=net.draw.integers(-90, 200, conv.post), bias_exp=2)
    net.add(node, ("in", conv, 0))
    return net


def loud(seed: int) -> Net:
    """Currents that never leak wrap at 2^23, voltages saturate there."""
    net = Net(seed, graded=True)
    node = net.lif(60, threshold=2**17 - 1, du=0, dv=0, bias_mant=np.full(60, 4095), bias_exp=7)
    net.add(node, ("in", Conv(np.full((2, 2, 3, 3), 127, np.int8), GRID, padding=(1, 1, 1, 1)), 0))
    return net


def relayed(seed: int) -> Net:
    net = Net(seed, graded=True)
    conv = net.conv()
    relay = IntegerRelay(net.draw.integers(2**12, 2**15, conv.post), 12, net.draw.integers(-99, 99, conv.post))
    a = net.add(relay, ("in", conv, 0))
    last = net.sparse(5, conv.post)
    readout = IntegerReadout(60000, net.draw.integers(2**12, 2**15, 5), 14, np.zeros(5, np.int64))
    net.add(readout, (a, last, 0))
    return net


def switched(**switches: Any) -> Callable[[int], Net]:
    """A convolution into switch neurons that read themselves, and a layer that reads their counts."""

    def made(seed: int) -> Net:
        net = Net(seed)
        conv = net.conv(out=2, padding=(1, 1, 1, 1))
        a = net.add(net.cuba(60, **switches), ("in", conv, 0))
        net.back(a, a, net.sparse(60, 60, 0.05))
        net.add(net.lif(6, threshold=200), (a, net.dense(6, 60), 0))
        return net

    return made


GRAPHS: dict[str, Callable[[int], Net]] = {
    "conv": one_conv(),
    "conv, stride": one_conv(stride=(2, 2)),
    "conv, padding": one_conv(padding=(1, 1, 2, 2)),
    "conv, dilation": one_conv(dilation=(2, 1)),
    "conv, groups": one_conv(out=4, groups=2),
    "conv, 1 x 1": one_conv(kernel=(1, 1)),
    "conv, whole grid": one_conv(kernel=(6, 5)),
    "conv, not square": one_conv(kernel=(2, 3), stride=(1, 2), padding=(0, 0, 1, 1)),
    "conv, stride leaves a rest": one_conv(kernel=(3, 2), stride=(2, 3)),
    "conv, all at once": one_conv(out=4, kernel=(2, 3), stride=(2, 1), padding=(2, 2, 1, 1), dilation=(3, 1), groups=2),
    "conv, padding of one side": one_conv(padding=(0, 1, 2, 0)),
    "conv, neurons left out": one_conv(padding=(-1, 0, 0, -1), kernel=(2, 2)),
    "conv, more channels": one_conv(out=12),
    "row": one_row(),
    "row, stride and padding": one_row(stride=(1, 3), padding=(0, 0, 2, 2)),
    "row, depthwise": one_row(groups=3),
    "conv, pool, conv": pooled,
    "conv, dense": classifier,
    "sparse": sparse(),
    "sparse, delay": sparse(3),
    "recurrent, dense": recurrent("dense"),
    "recurrent, sparse": recurrent("sparse"),
    "recurrent, conv": recurrent("conv"),
    "recurrent, diagonal": recurrent("diagonal"),
    "recurrent, delay": recurrent("sparse", 2),
    "taps": taps,
    "skip": skip,
    "fan in": fan_in,
    "broadcast": broadcast,
    "graded input": graded,
    "current and bias": driven,
    "loud": loud,
    "relay and readout": relayed,
    "switch, subtract": switched(reset="subtract"),
    "switch, next": switched(reset_when="next", lag=True),
    "switch, many": switched(counts="many", reset="subtract", compare=">="),
}


def fixed_graph(name: str) -> IntegerGraph:
    """Return the graph of a name, the same at every call."""
    return GRAPHS[name](list(GRAPHS).index(name)).graph()


def fixed_input(graph: IntegerGraph, samples: int = 2, steps: int = 16) -> Any:
    """Return input of which a quarter is active."""
    draw, source = np.random.default_rng(99), graph.nodes[graph.source]
    shape = (samples, steps, source.neurons)
    active = draw.random(shape) < 0.25
    return np.where(active, draw.integers(-127, 128, shape) if source.message_bits > 1 else 1, 0)


def of_lava_alone(graph: IntegerGraph) -> bool:
    """Whether Lava ships the process of every node."""
    return all(node.lava_process for name, node in graph.nodes.items() if name != graph.source)

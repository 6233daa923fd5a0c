"""Tables: an aligned integer graph laid out as the numbers the kernels read, and the memory a worker needs.

Every sum has a proven bound: the largest message of a node times the weights of its synapses. It decides which words
are wide enough, once, here; what no word holds is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatch
from itertools import pairwise

import numpy as np

from ..errors import InputError
from ..graph import Edge, IntegerGraph
from ..nodes import (
    Broadcast,
    Dense,
    Diagonal,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Soma,
    Source,
    Synapse,
)
from ..nodes.arithmetic import Array
from ..nodes.node import IntegerNode
from .kernels import layout
from .kernels.layout import Tables, Work

CHUNK = 64  # steps a layer runs before the next one; its messages of so many steps wait in the ring
LINE_MAX = 128  # magnitude of a graded input line, 8 bits
NARROW_INPUT = 2**18  # a LIF whose input stays within this never leaves 32 bits
_NARROW_BIAS = 2**29
_WORD_LIMIT = 2**62


@dataclass
class _Pool:
    """Numbers of one type laid end to end."""

    dtype: type
    parts: list[Array] = field(default_factory=list)
    size: int = 0

    def add(self, values: Array) -> int:
        place = self.size
        self.parts.append(np.asarray(values, dtype=self.dtype).reshape(-1))
        self.size += self.parts[-1].size
        return place

    def reserve(self, size: int) -> int:
        self.size += size
        return self.size - size

    def join(self) -> Array:
        return np.concatenate([*self.parts, np.zeros(64, self.dtype)])


@dataclass
class Plan:
    """A graph made ready: its tables, the names in the order they run, and how large a worker's memory is."""

    graph: IntegerGraph
    tables: Tables
    names: tuple[str, ...]
    edges: tuple[Edge, ...]  # in the order of tables.edges
    sizes: dict[str, int]
    bounds: dict[str, int]  # largest magnitude of a node's message
    chunk: int

    def work(self, columns: int) -> Work:
        """Return the memory of one worker, with counters for ``columns`` steps."""
        widest = self.sizes["widest"]
        flags = np.zeros(-(-widest // 8) * 8, np.uint8)
        return Work(
            messages=np.zeros(self.sizes["messages"], np.int32),
            counts=np.zeros(self.sizes["counts"], np.int32),
            state32=np.zeros(self.sizes["state32"], np.int32),
            state64=np.zeros(self.sizes["state64"], np.int64),
            sums32=np.zeros(self.sizes["sums32"], np.int32),
            sums64=np.zeros(self.sizes["sums64"], np.int64),
            block16=np.zeros(widest, np.int16),
            block32=np.zeros(widest, np.int32),
            flags=flags,
            flag_words=flags.view(np.uint64),
            channels=np.zeros((3, widest), np.int64),
            products=np.zeros(self.sizes["products"], np.float64),
            counters=np.zeros((len(self.names), 5, columns), np.int64),
        )


def lay_out(graph: IntegerGraph, *, chunk: int = CHUNK, multiplied: frozenset[int] = frozenset()) -> Plan:
    """Lay out an aligned graph; ``multiplied`` are the places (in ``Plan.edges``) of synapses left to BLAS."""
    if set(graph.depth) != set(graph.nodes):
        raise InputError("the engine runs an aligned graph, this one has no depths", "call align() first")
    return _Builder(graph, chunk, multiplied).build()


class _Builder:
    def __init__(self, graph: IntegerGraph, chunk: int, multiplied: frozenset[int]) -> None:
        self.graph, self.chunk, self.multiplied = graph, chunk, multiplied
        self.stages = _stages(graph)
        self.names = tuple(name for stage, _ in self.stages for name in stage)
        self.place = {name: place for place, name in enumerate(self.names)}
        self.weights, self.words32, self.words64 = _Pool(np.int8), _Pool(np.int32), _Pool(np.int64)
        self.memory = {
            name: _Pool(np.int64)
            for name in ("messages", "counts", "state32", "state64", "sums32", "sums64", "products")
        }
        self.reach = dict.fromkeys(graph.nodes, 0)
        for edge in graph.edges:
            self.reach[edge.source] = max(self.reach[edge.source], edge.delay + edge.synapse.hop)
        self.bounds = {name: _message_bound(node, name) for name, node in graph.nodes.items()}
        self.rows: list[list[int]] = []
        self.edges: list[Edge] = []
        self.edge_rows: list[list[int]] = []

    def build(self) -> Plan:
        probe = 0
        for name in self.names:
            node = self.graph.nodes[name]
            self._add_node(name, node, probe)
            probe += node.neurons + sum(int(np.prod(s.shape)) for s in node.initial(()).values())
        lasts = np.cumsum([len(stage) for stage, _ in self.stages])
        stages = [(int(last) - len(stage), int(last), int(loop)) for (stage, loop), last in zip(self.stages, lasts, strict=True)]
        tables = Tables(
            nodes=np.array(self.rows, np.int64),
            edges=np.array(self.edge_rows, np.int64).reshape(-1, layout.EDGE_COLUMNS),
            stages=np.array(stages, np.int64),
            weights=self.weights.join(),
            words32=self.words32.join(),
            words64=self.words64.join(),
            output=self.place[self.graph.output],
            probe_words=probe,
        )
        sizes = {name: pool.size for name, pool in self.memory.items()}
        sizes["widest"] = max(max([node.neurons, *node.ports.values()]) for node in self.graph.nodes.values())
        return Plan(self.graph, tables, self.names, tuple(self.edges), sizes, self.bounds, self.chunk)

    def _add_node(self, name: str, node: IntegerNode, probe: int) -> None:
        ports = _places(node.ports)
        bound = self._input_bounds(name)
        form = _form(node, bound, name)
        first = len(self.edges)
        for edge in self.graph.into(name):
            self._add_edge(edge, ports[edge.port], node.ports[edge.port])
        slots = 1 << (self.chunk + self.reach[name]).bit_length()
        narrow = form.kind == layout.LIF
        width = sum(node.ports.values())
        row = [0] * layout.NODE_COLUMNS
        row[layout.KIND] = form.kind
        row[layout.WIDTH] = node.neurons
        row[layout.STATES] = form.states
        row[layout.DEPTH] = self.graph.depth[name]
        row[layout.GATED] = node.gated
        row[layout.SPIKES] = node.message_bits == 1
        row[layout.MASK] = slots - 1
        row[layout.MESSAGES] = self.memory["messages"].reserve(slots * node.neurons)
        row[layout.COUNTS] = self.memory["counts"].reserve(slots)
        row[layout.STATE] = self.memory["state32" if narrow else "state64"].reserve(form.state_words)
        row[layout.WORDS] = (self.words32 if narrow else self.words64).add(form.words)
        row[layout.SUMS] = self.memory["sums32" if narrow else "sums64"].reserve(width)
        row[layout.SUM_WIDTH] = width
        row[layout.FIRST_EDGE], row[layout.LAST_EDGE] = first, len(self.edges)
        row[layout.PROBE] = probe
        self.rows.append(row)

    def _add_edge(self, edge: Edge, port: int, post: int) -> None:
        pre = self.graph.nodes[edge.source].neurons
        shape = _shape(edge.synapse, edge.name)
        _check_fit(edge, shape, pre, post)
        row = [0] * layout.EDGE_COLUMNS
        row[layout.SYNAPSE] = shape.kind
        row[layout.ORIGIN] = self.place[edge.source]
        row[layout.LATE] = edge.delay + edge.synapse.hop
        row[layout.PORT], row[layout.POST] = port, post
        row[layout.WEIGHT] = self.weights.add(shape.rows)
        row[layout.NONZERO] = self.words32.add(shape.nonzero)
        row[layout.FAN] = shape.fan
        row[layout.FULL] = bool((shape.nonzero == shape.fan).all())
        row[layout.ROWS] = (2**31 - 1) // (LINE_MAX * self.bounds[edge.source])
        if len(self.edges) in self.multiplied:
            row[layout.SYNAPSE] = layout.PRODUCT
            row[layout.PRODUCTS] = self.memory["products"].reserve(self.chunk * post)
        self.edges.append(edge)
        self.edge_rows.append(row)

    def _input_bounds(self, name: str) -> dict[str, int]:
        """Return, for each port, the largest magnitude its accumulated sum can have."""
        bounds = dict.fromkeys(self.graph.nodes[name].ports, 0)
        for edge in self.graph.into(name):
            bounds[edge.port] += _gain(edge.synapse) * self.bounds[edge.source]
        for port, bound in bounds.items():
            if bound >= _WORD_LIMIT:
                raise InputError(f"port '{port}' of layer '{name}' may sum up to {bound}, 64 bits hold {_WORD_LIMIT}")
        return bounds


def largest_sum(plan: Plan, place: int) -> int:
    """Return the bound of what one synapse adds to an accumulator."""
    edge = plan.edges[place]
    return _gain(edge.synapse) * plan.bounds[edge.source]


def _stages(graph: IntegerGraph) -> list[tuple[tuple[str, ...], bool]]:
    """Group the nodes into stages that can run a whole chunk each: single nodes, and loops with all that lies on them."""
    order = graph.order
    place = {name: index for index, name in enumerate(order)}
    joined = list(range(len(order)))  # the first place of the stage that a place belongs to
    for edge in graph.edges:
        first, last = place[edge.target], place[edge.source]
        if last >= first:
            joined[first : last + 1] = [min(joined[first], at) for at in joined[first : last + 1]]
    starts = [0]
    for at in range(1, len(order)):
        joined[at] = min(joined[at], at)
        if joined[at] == at or joined[at] > starts[-1] and False:
            starts.append(at)
    return [(order[a:b], b - a > 1) for a, b in pairwise([*starts, len(order)])]


def _places(ports: dict[str, int]) -> dict[str, int]:
    starts = np.cumsum([0, *ports.values()])
    return {port: int(start) for port, start in zip(ports, starts, strict=False)}

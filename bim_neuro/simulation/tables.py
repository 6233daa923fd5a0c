"""Tables: an aligned integer graph laid out as the numbers the kernels read, and the memory a worker needs.

Every sum has a proven bound: the largest message of a node times the weights of its synapses. It decides which words
are wide enough, once, here; what no word holds is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np

from ..errors import InputError
from ..graph import Edge, IntegerGraph
from ..nodes import IntegerScan
from ..nodes.arithmetic import Array, ceil_div
from ..nodes.node import IntegerNode
from .forms import LINE_MAX, form, message_bound
from .kernels import layout
from .kernels.gates import LANES, SCRATCH_ROWS
from .kernels.layout import LINE, TEAM_MAX, Tables, Work
from .kernels.rows import COLUMNS
from .kernels.turn import TURNED
from .shapes import Shape, check_fit, check_long, gain, padded, shape_of, writes_all

CHUNK = 64  # steps a layer runs before the next one; its messages of so many steps wait in the ring
_WORD_LIMIT = 2**62
_OWN_UNITS = {layout.CONV: layout.CONVOLVE, layout.SHIFTED: layout.SHIFT}
TOGETHER = 8  # steps whose sums are gathered at once, fewer where they would fill the first cache
SUMS_BYTES = 2**14


def zeros(shape: int | tuple[int, ...], dtype: type) -> Array:
    """Return zeros that share no line of the cache with anything else; pages that nobody touches take no memory.

    A vector load across two lines costs two, and a line that two threads write travels between their cores.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(size + 2 * LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return np.asarray(room[start : start + size].view(dtype).reshape(shape))


def aligned(values: Array) -> Array:
    """Return a copy that begins where a line of the cache does."""
    copy = zeros(values.shape, values.dtype.type)
    copy[...] = values
    return copy


@dataclass
class _Pool:
    """Numbers of one type laid end to end."""

    dtype: type
    parts: list[Array] = field(default_factory=list)
    size: int = 0

    def add(self, values: Array | tuple[()]) -> int:
        place = self.size
        self.parts.append(np.asarray(values, dtype=self.dtype).reshape(-1))
        self.size += self.parts[-1].size
        return place

    def reserve(self, size: int) -> int:
        place = self.size
        self.size += size + -size % LINE
        return place

    def join(self) -> Array:
        return aligned(np.concatenate([*self.parts, np.zeros(64, self.dtype)]))


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
    planes: dict[int, int]  # accumulators of the largest tile of a convolution, by their bits
    idle: list[Any] = field(default_factory=list)  # crews that have finished, see `crew`
    lock: Lock = field(default_factory=Lock)  # runs may share an engine

    def work(self, columns: int) -> Work:
        """Return the memory of one worker, with counters for ``columns`` steps."""
        sizes, widest, planes = self.sizes, self.sizes["widest"], self.planes
        flags = zeros(ceil_div(widest, 8) * 8, np.uint8)
        return Work(
            messages=zeros(sizes["messages"] + LINE, np.int32),  # of an odd pair the second is read, and not used
            counts=zeros(sizes["counts"], np.int32),
            state32=zeros(sizes["state32"], np.int32),
            state64=zeros(sizes["state64"], np.int64),
            sums32=zeros(sizes["sums32"] + LINE, np.int32),  # a plane's last row is added to whole registers
            sums64=zeros(sizes["sums64"] + LINE, np.int64),
            block32=zeros(widest, np.int32),
            pairs=aligned(np.arange(widest // 2 + 1, dtype=np.int32)),
            active=zeros(widest + 1, np.int32),
            flags=flags,
            flag_words=flags.view(np.uint64),
            channels=zeros((3, widest), np.int64),
            lanes=zeros(SCRATCH_ROWS * (widest + LANES), np.int32),
            plane16=zeros(planes[16], np.int16),
            plane32=zeros(planes[32], np.int32),
            plane64=zeros(planes[64], np.int64),
            turned=zeros(TURNED, np.int32),
            products=zeros(sizes["products"], np.float64),
            sent=zeros((self.chunk, TEAM_MAX), np.int32),
            counters=zeros((len(self.names), 5, columns), np.int64),
        )

    def member(self, leader: Work) -> Work:
        """Return the memory of another thread in the same sample: messages and states are the leader's."""
        shared = ("messages", "counts", "state32", "state64", "products", "sent")
        own = self.work(leader.counters.shape[2])
        return own._replace(**{name: getattr(leader, name) for name in shared})


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
        self.looped = {
            name for stage, loop in self.stages if loop for name in stage
        }  # they wait for their own messages
        self.place = {name: place for place, name in enumerate(self.names)}
        self.weights, self.words32, self.words64 = _Pool(np.int8), _Pool(np.int32), _Pool(np.int64)
        self.memory = {
            name: _Pool(np.int64)
            for name in ("messages", "counts", "state32", "state64", "sums32", "sums64", "products")
        }
        self.reach = dict.fromkeys(graph.nodes, 0)
        for edge in graph.edges:
            self.reach[edge.source] = max(self.reach[edge.source], edge.delay + edge.synapse.hop)
        self.bounds = {name: message_bound(node, name) for name, node in graph.nodes.items()}
        self.planes = {16: LINE, 32: LINE, 64: LINE}
        self.rows: list[list[int]] = []
        self.edges: list[Edge] = []
        self.edge_rows: list[list[int]] = []
        self.writers: list[bool] = []

    def build(self) -> Plan:
        probe = 0
        for name in self.names:
            node = self.graph.nodes[name]
            self._add_node(name, node, probe)
            probe += node.neurons + sum(int(np.prod(s.shape)) for s in node.initial(()).values())
        lasts = np.cumsum([len(stage) for stage, _ in self.stages])
        stages = [(last - len(stage), last, loop) for (stage, loop), last in zip(self.stages, lasts, strict=True)]
        tables = Tables(
            nodes=np.array(self.rows, np.int64),
            edges=np.array(self.edge_rows, np.int64).reshape(-1, layout.EDGE_COLUMNS),
            stages=np.array(stages, np.int64),
            weights=self.weights.join(),
            words32=self.words32.join(),
            words64=self.words64.join(),
            output=self.place[self.graph.output],
            probe_words=probe,
            units=np.zeros(layout.UNITS, np.int64),
        )
        sizes = {name: pool.size for name, pool in self.memory.items()}
        sizes["widest"] = max(max([node.neurons, *node.ports.values()]) for node in self.graph.nodes.values())
        return Plan(self.graph, tables, self.names, tuple(self.edges), sizes, self.bounds, self.chunk, self.planes)

    def _add_node(self, name: str, node: IntegerNode, probe: int) -> None:
        bound = self._input_bounds(name)
        law = form(node, bound, name)
        ports, width = _places(node.ports)
        first = len(self.edges)
        for edge in self.graph.into(name):
            self._add_edge(edge, ports[edge.port], node.ports[edge.port])
        slots = 1 << (self.chunk + self.reach[name]).bit_length()
        row = [0] * layout.NODE_COLUMNS
        row[layout.KIND] = law.kind
        row[layout.WIDTH] = node.neurons
        row[layout.STATES] = law.states
        row[layout.DEPTH] = self.graph.depth[name]
        row[layout.GATED] = node.gated
        row[layout.SPIKES] = node.message_bits == 1
        row[layout.MASK] = slots - 1
        row[layout.MESSAGES] = self.memory["messages"].reserve(slots * node.neurons)
        row[layout.COUNTS] = self.memory["counts"].reserve(slots)
        narrow = row[layout.NARROW] = law.narrow
        fitting = SUMS_BYTES // max(1, width * (4 if narrow else 8))
        together = 1 if name in self.looped else max(1, min(TOGETHER, fitting))
        row[layout.PITCH] = node.neurons + -node.neurons % law.lanes
        row[layout.STATE] = self.memory["state32" if narrow else "state64"].reserve(law.state_words)
        row[layout.WORDS] = (self.words32 if narrow else self.words64).add(law.words)
        row[layout.SUMS] = self.memory["sums32" if narrow else "sums64"].reserve(width * together)
        row[layout.SUM_WIDTH], row[layout.TOGETHER] = width, together
        row[layout.FIRST_EDGE], row[layout.LAST_EDGE] = first, len(self.edges)
        alone = law.kind in (layout.LIF, layout.WIDE_LIF) and first < len(self.edges)
        row[layout.WRITTEN] = alone and self.writers[first]
        row[layout.PROBE] = probe
        self.rows.append(row)

    def _add_edge(self, edge: Edge, port: int, post: int) -> None:
        pre = self.graph.nodes[edge.source].neurons
        spikes = self.graph.nodes[edge.source].message_bits == 1
        shape = shape_of(edge.synapse, edge.name, self.bounds[edge.source], spikes)
        check_fit(edge, shape, pre, post)
        check_long(edge, self.graph.nodes[edge.source])
        row = [0] * layout.EDGE_COLUMNS
        row[layout.SYNAPSE] = shape.kind
        row[layout.ORIGIN] = self.place[edge.source]
        row[layout.LATE] = edge.delay + edge.synapse.hop
        row[layout.PORT], row[layout.POST] = port, post
        stride, rows = padded(shape)
        row[layout.WEIGHT], row[layout.STRIDE] = self.weights.add(rows), stride
        row[layout.SHARED] = isinstance(self.graph.nodes[edge.target], IntegerScan) and edge.port in ("B", "C")
        self._add_fans(row, shape)
        bits, accumulators = shape.planes
        self.planes[bits] = max(self.planes[bits], accumulators)
        row[layout.LISTS_AT], row[layout.SHAPE] = self.words32.add(shape.lists), self.words64.add(shape.words)
        self.writers.append(writes_all(shape))
        row[layout.ROWS] = (2**31 - 1) // (LINE_MAX * self.bounds[edge.source])
        if len(self.edges) in self.multiplied:
            row[layout.SYNAPSE] = layout.PRODUCT
            row[layout.PRODUCTS] = self.memory["products"].reserve(self.chunk * post)
        rare = row[layout.SYNAPSE] in layout.RARE_KINDS or (row[layout.SYNAPSE] == layout.DENSE and not spikes)
        row[layout.RARE] = _OWN_UNITS.get(shape.kind, layout.ARRIVE if rare else 0)
        self.edges.append(edge)
        self.edge_rows.append(row)

    def _add_fans(self, row: list[int], shape: Shape) -> None:
        """Lay out how many synapses a presynaptic neuron has, and how many that are not zero."""
        row[layout.FULL] = full = bool(np.all(shape.nonzero == shape.fan))
        row[layout.FAN] = int(np.max(shape.fan, initial=0))
        row[layout.ALL] = int(shape.nonzero.sum())
        even = np.all(shape.fan == row[layout.FAN])
        row[layout.FANS] = -1 if even else self.words32.add(np.asarray(shape.fan))
        row[layout.NONZERO] = row[layout.FANS] if full and row[layout.FANS] >= 0 else self.words32.add(shape.nonzero)

    def _input_bounds(self, name: str) -> dict[str, int]:
        """Return, for each port, the largest magnitude its accumulated sum can have."""
        bounds = dict.fromkeys(self.graph.nodes[name].ports, 0)
        for edge in self.graph.into(name):
            bounds[edge.port] += gain(edge) * self.bounds[edge.source]
        for port, bound in bounds.items():
            if bound >= _WORD_LIMIT:
                raise InputError(f"port '{port}' of layer '{name}' may sum up to {bound}, 64 bits hold {_WORD_LIMIT}")
        return bounds


def largest_sum(plan: Plan, place: int) -> int:
    """Return the bound of what one synapse adds to an accumulator."""
    edge = plan.edges[place]
    return gain(edge) * plan.bounds[edge.source]


def _stages(graph: IntegerGraph) -> list[tuple[tuple[str, ...], bool]]:
    """Group the nodes, in order, into stages that can run a whole chunk each: single nodes, and what a loop spans."""
    place = {name: index for index, name in enumerate(graph.order)}
    until = list(range(len(place)))  # the last place of a loop that comes back to this one
    for edge in graph.edges:
        back = place[edge.target]
        until[back] = max(until[back], place[edge.source])  # an edge that points forward changes nothing
    starts, end = [0], until[0]
    for at in range(1, len(place)):
        if at > end:
            starts.append(at)
        end = max(end, until[at])
    own = {edge.source for edge in graph.edges if edge.source == edge.target}
    stages = (graph.order[a:b] for a, b in pairwise([*starts, len(place)]))
    return [(stage, len(stage) > 1 or stage[0] in own) for stage in stages]


def _places(ports: dict[str, int]) -> tuple[dict[str, int], int]:
    """Return where the accumulators of each port begin, each a multiple of `COLUMNS`, and where the last ends."""
    starts = np.cumsum([0, *(width + -width % COLUMNS for width in ports.values())]).tolist()
    return dict(zip(ports, starts, strict=False)), starts[-1]

"""Tables: an aligned integer graph laid out as the numbers the kernels read, and the memory a worker needs.

Every sum has a proven bound: the largest message of a node times the weights of its synapses. It decides which words
are wide enough, once, here; what no word holds is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ..errors import InputError
from ..graph import Edge, IntegerGraph
from ..nodes import IntegerLIF, IntegerScan
from ..nodes.arithmetic import Array
from ..nodes.node import IntegerNode
from .forms import LINE_MAX, form, message_bound
from .kernels import layout
from .kernels.layout import LINE, Tables
from .kernels.rows import COLUMNS
from .plan import Plan, aligned
from .plane_order import heard, plane_form, plane_orders
from .shapes import Shape, check_fit, check_long, gain, padded, shape_of, writes_all

CHUNK = 64  # steps a layer runs before the next one; its messages of so many steps wait in the ring
_WORD_LIMIT = 2**62
_OWN_UNITS = {layout.CONV: layout.CONVOLVE, layout.SHIFTED: layout.SHIFT}
TOGETHER = 8  # steps whose sums are gathered at once, fewer where they would fill the first cache
SUMS_BYTES = 2**14


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


def lay_out(
    graph: IntegerGraph, *, chunk: int = CHUNK, multiplied: frozenset[int] = frozenset(), watched: bool = True
) -> Plan:
    """Lay out an aligned graph; ``multiplied`` are the places (in ``Plan.edges``) of synapses left to BLAS.

    Where nobody watches messages and states, layers may lie in plane order.
    """
    if set(graph.depth) != set(graph.nodes):
        raise InputError("the engine runs an aligned graph, this one has no depths", "call align() first")
    return _Builder(graph, chunk, multiplied, watched=watched).build()


class _Builder:
    def __init__(self, graph: IntegerGraph, chunk: int, multiplied: frozenset[int], *, watched: bool) -> None:
        self.graph, self.chunk, self.multiplied = graph, chunk, multiplied
        self.stages = _stages(graph)
        self.names = tuple(name for stage, _ in self.stages for name in stage)
        self.looped = {
            name for stage, loop in self.stages if loop for name in stage
        }  # they wait for their own messages
        self.orders = {} if watched else plane_orders(graph, self.looped)
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
        return Plan(
            self.graph, tables, self.names, tuple(self.edges), sizes, self.bounds, self.chunk, self.planes, self.orders
        )

    def _add_node(self, name: str, node: IntegerNode, probe: int) -> None:
        bound = self._input_bounds(name)
        law, order = form(node, bound, name), self.orders.get(name)
        ports, width = _places(node.ports)
        if order and isinstance(node, IntegerLIF):
            law, width = plane_form(node, law, order), 0
        first = len(self.edges)
        for edge in self.graph.into(name):
            self._add_edge(edge, ports[edge.port], node.ports[edge.port], narrow=law.narrow)
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
        together = 1 if order or name in self.looped else max(1, min(TOGETHER, fitting))
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

    def _add_edge(self, edge: Edge, port: int, post: int, *, narrow: bool) -> None:
        pre = self.graph.nodes[edge.source].neurons
        spikes = self.graph.nodes[edge.source].message_bits == 1
        shape = shape_of(edge.synapse, edge.name, self.bounds[edge.source], spikes)
        check_fit(edge, shape, pre, post)
        check_long(edge, self.graph.nodes[edge.source])
        if edge.source in self.orders:
            shape = heard(shape, self.orders[edge.source])
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
        if edge.target in self.orders:
            accumulators *= self.orders[edge.target].tiles
        self.planes[bits] = max(self.planes[bits], accumulators)
        row[layout.LISTS_AT], row[layout.SHAPE] = self.words32.add(shape.lists), self.words64.add(shape.words)
        self.writers.append(writes_all(shape))
        row[layout.ROWS] = (2**31 - 1) // (LINE_MAX * self.bounds[edge.source])
        if len(self.edges) in self.multiplied:
            row[layout.SYNAPSE] = layout.PRODUCT
            row[layout.PRODUCTS] = self.memory["products"].reserve(self.chunk * post)
        unit = _unit_of(row[layout.SYNAPSE], spikes=spikes, narrow=narrow)
        row[layout.RARE] = layout.FILL if edge.target in self.orders else unit
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


def _unit_of(kind: int, *, spikes: bool, narrow: bool) -> int:
    """Return the unit that adds what arrives over an edge; 0 for spikes over a dense synapse, which need none."""
    if kind in layout.VALUE_KINDS:
        return layout.VALUES if narrow else layout.WIDE_VALUES
    rare = kind in layout.RARE_KINDS or (kind == layout.DENSE and not spikes)
    return _OWN_UNITS.get(kind, layout.ARRIVE if rare else 0)


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

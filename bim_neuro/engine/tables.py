"""Tables: an aligned integer graph laid out as the numbers the kernels read, and the memory a worker needs.

Every sum has a proven bound: the largest message of a node times the weights of its synapses. It decides which words
are wide enough, once, here; what no word holds is refused.
"""

from __future__ import annotations

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
from .kernels.layout import LINE, TEAM_MAX, Tables, Work

CHUNK = 64  # steps a layer runs before the next one; its messages of so many steps wait in the ring
LINE_MAX = 128  # magnitude of a graded input line, 8 bits
NARROW_INPUT = 2**18  # a LIF whose input stays within this never leaves 32 bits
_NARROW_BIAS = 2**29
_CALM_INPUT = 2**17  # and a current of less than this << 6 never wraps
_WORD_LIMIT = 2**62


def aligned(values: Array) -> Array:
    """Return a copy that begins where a line of the cache does: a vector load across two lines costs two."""
    room = np.empty(values.nbytes + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    copy: Array = room[start : start + values.nbytes].view(values.dtype)
    copy[:] = values
    return copy


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
    idle: list[Work] = field(default_factory=list)  # memory of workers that have finished

    def lend(self, columns: int) -> Work:
        """Return a worker's memory, used before if there is one: touching fresh pages costs more than a short run."""
        counters = np.zeros((len(self.names), 5, columns), np.int64)
        return self.idle.pop()._replace(counters=counters) if self.idle else self.work(columns)

    def take_back(self, work: Work) -> None:
        """Keep a worker's memory for the next run."""
        self.idle.append(work)

    def work(self, columns: int) -> Work:
        """Return the memory of one worker, with counters for ``columns`` steps."""
        widest = self.sizes["widest"]
        flags = aligned(np.zeros(-(-widest // 8) * 8, np.uint8))
        work = Work(
            messages=np.zeros(self.sizes["messages"], np.int32),
            counts=np.zeros(self.sizes["counts"], np.int32),
            state32=np.zeros(self.sizes["state32"], np.int32),
            state64=np.zeros(self.sizes["state64"], np.int64),
            sums32=np.zeros(self.sizes["sums32"], np.int32),
            sums64=np.zeros(self.sizes["sums64"], np.int64),
            block16=np.zeros(widest, np.int16),
            block32=np.zeros(widest, np.int32),
            active=np.zeros(widest + 1, np.int32),
            flags=flags,
            flag_words=flags.view(np.uint64),
            channels=np.zeros((3, widest), np.int64),
            products=np.zeros(self.sizes["products"], np.float64),
            rest=np.zeros(8, np.int32),
            sent=np.zeros((self.chunk, TEAM_MAX), np.int32),
            counters=np.zeros((len(self.names), 5, columns), np.int64),
        )
        lines = ("state32", "state64", "sums32", "sums64", "block16", "block32", "channels")
        flat = {name: getattr(work, name) for name in lines}
        return work._replace(**{name: aligned(row.reshape(-1)).reshape(row.shape) for name, row in flat.items()})

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
        stride, rows = _padded(shape)
        row[layout.WEIGHT], row[layout.STRIDE] = self.weights.add(rows), stride
        row[layout.SHARED] = isinstance(self.graph.nodes[edge.target], IntegerScan) and edge.port in ("B", "C")
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
            bounds[edge.port] += _gain(edge) * self.bounds[edge.source]
        for port, bound in bounds.items():
            if bound >= _WORD_LIMIT:
                raise InputError(f"port '{port}' of layer '{name}' may sum up to {bound}, 64 bits hold {_WORD_LIMIT}")
        return bounds


def largest_sum(plan: Plan, place: int) -> int:
    """Return the bound of what one synapse adds to an accumulator."""
    edge = plan.edges[place]
    return _gain(edge) * plan.bounds[edge.source]


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


def _places(ports: dict[str, int]) -> dict[str, int]:
    starts = np.cumsum([0, *ports.values()])
    return {port: int(start) for port, start in zip(ports, starts, strict=False)}


@dataclass(frozen=True)
class _Form:
    """A node's parameters as the kernels read them."""

    kind: int
    words: Array
    state_words: int = 0
    states: int = 0


@singledispatch
def _form(node: IntegerNode, bounds: dict[str, int], name: str) -> _Form:
    raise InputError(f"layer '{name}': the engine has no kernel for {type(node).__name__}", "use --backend reference")


@_form.register
def _(node: Source, bounds: dict[str, int], name: str) -> _Form:
    return _Form(layout.SOURCE, np.zeros(0, np.int64))


@_form.register
def _(node: IntegerLIF, bounds: dict[str, int], name: str) -> _Form:
    _check_range(node.du, "du", name, 0, 4095)
    _check_range(node.dv, "dv", name, 0, 4096)
    _check_range(node.v_threshold, "v_threshold", name, 0, 2**24)
    _check_length(node.bias, node.size, "bias", name)
    bias = _whole(node.bias, "bias", name)
    narrow = bounds["i"] <= NARROW_INPUT and int(np.abs(bias).max(initial=0)) < _NARROW_BIAS
    calm = node.du == 4095 and bounds["i"] < _CALM_INPUT
    words = np.concatenate([[4095 - node.du, 4096 - node.dv, node.v_threshold << 6, calm], bias])
    return _Form(layout.LIF if narrow else layout.WIDE_LIF, words, state_words=2 * node.size)


@_form.register
def _(node: IntegerRelay, bounds: dict[str, int], name: str) -> _Form:
    return _Form(layout.RELAY, np.concatenate([_shifts([node.shift], name), *_affine(node, name)]))


@_form.register
def _(node: IntegerReadout, bounds: dict[str, int], name: str) -> _Form:
    _check_range(node.decay, "decay", name, 0, 2**16)
    words = np.concatenate([_shifts([node.shift], name), [node.decay], *_affine(node, name)])
    return _Form(layout.READOUT, words, state_words=node.neurons)


@_form.register
def _(node: IntegerScan, bounds: dict[str, int], name: str) -> _Form:
    channels, states = node.alpha.shape
    for port in ("B", "C"):
        if bounds[port] >= 2**38:
            raise InputError(f"port '{port}' of layer '{name}' may sum up to {bounds[port]}, the engine holds 2^38")
    rows = {"u_multiplier": 2**32, "dt_multiplier": 2**32, "u_bias": 2**61, "dt_bias": 2**61, "d_skip": 2**46}
    values = [_whole(getattr(node, row), row, name, limit) for row, limit in rows.items()]
    for row, value in zip(rows, values, strict=True):
        _check_length(value, channels, row, name)
    alpha = _whole(node.alpha, "alpha", name, 2**38)
    if (alpha < 0).any():
        raise InputError(f"layer '{name}': alpha holds {(alpha < 0).sum()} negative rates, a state would grow")
    shifts = _shifts(
        [node.u_shift, node.dt_shift, node.alpha_shift, node.du_shift, node.b_shift, node.c_shift, node.d_shift], name
    )
    return _Form(layout.SCAN, np.concatenate([shifts, *values, alpha.T.reshape(-1)]), channels * states, states)


def _affine(node: IntegerRelay | IntegerReadout, name: str) -> tuple[Array, Array]:
    multiplier, bias = _whole(node.multiplier, "multiplier", name, 2**32), _whole(node.bias, "bias", name, 2**61)
    _check_length(multiplier, node.neurons, "multiplier", name)
    return multiplier, bias


def _shifts(shifts: list[int], name: str) -> Array:
    for shift in shifts:
        _check_range(shift, "shift", name, 0, 62)
    return np.array(shifts, np.int64)


def _check_range(value: int, what: str, name: str, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(f"layer '{name}': {what} is {value}, allowed are {low} to {high}")


def _check_length(values: Array, neurons: int, what: str, name: str) -> None:
    if values.shape != (neurons,):
        raise InputError(f"layer '{name}': {what} has shape {values.shape}, its {neurons} neurons want ({neurons},)")


def _whole(values: Array, what: str, name: str, limit: int = 2**62) -> Array:
    """Return int64 values; fractions, NaN and what the kernels could not multiply are refused."""
    whole = np.asarray(values)
    if whole.dtype == np.int8 and limit >= 128:
        return whole
    if whole.dtype.kind == "f" and not (np.isfinite(whole).all() and (whole == np.rint(whole)).all()):
        raise InputError(f"'{name}': {what} holds values that are not whole numbers")
    if whole.size and not (-limit <= int(whole.min()) and int(whole.max()) <= limit):
        raise InputError(f"'{name}': {what} runs from {whole.min()} to {whole.max()}, the limit is {limit}")
    return whole.astype(np.int64)


@singledispatch
def _message_bound(node: IntegerNode, name: str) -> int:
    return 1


@_message_bound.register
def _(node: Source, name: str) -> int:
    return LINE_MAX if node.graded else 1


@_message_bound.register
def _(node: IntegerRelay, name: str) -> int:
    return 2**15 - 1


@_message_bound.register
def _(node: IntegerScan, name: str) -> int:
    return 2**17 - 1


@_message_bound.register
def _(node: IntegerReadout, name: str) -> int:
    return 2**23 - 1


@dataclass(frozen=True)
class _Shape:
    """A synapse as the kernels read it: int8 ``rows`` [pre, post], and its ``nonzero`` weights a presynaptic neuron."""

    kind: int
    rows: Array
    nonzero: Array
    fan: int
    pre: int
    post: int


def _padded(shape: _Shape) -> tuple[int, Array]:
    """Return rows on the borders of cache lines (short ones on a quarter), with a row of zeros after the last."""
    if shape.kind != layout.DENSE:
        return 1, np.pad(shape.rows, (0, -len(shape.rows) % LINE))
    border = LINE if shape.post >= LINE else LINE // 4
    rows = np.pad(shape.rows, ((0, 1), (0, -shape.post % border)))
    return rows.shape[1], np.pad(rows.reshape(-1), (0, -rows.size % LINE))


@singledispatch
def _shape(synapse: Synapse, name: str) -> _Shape:
    message = f"synapse '{name}': the engine has no kernel for {type(synapse).__name__}"
    raise InputError(message, "use --backend reference")


@_shape.register
def _(synapse: Dense, name: str) -> _Shape:
    post, pre = synapse.weight.shape
    weight = _whole(synapse.weight, "weight", name, 128)
    rows = np.ascontiguousarray(weight.T)
    return _Shape(layout.DENSE, rows, np.count_nonzero(rows, axis=1), post, pre, post)


@_shape.register
def _(synapse: Diagonal, name: str) -> _Shape:
    weight = _whole(synapse.weight, "weight", name, 128)
    return _Shape(layout.DIAGONAL, weight, (weight != 0).astype(np.int64), 1, len(weight), len(weight))


@_shape.register
def _(synapse: Broadcast, name: str) -> _Shape:
    fan = np.full(synapse.size, synapse.targets)
    return _Shape(layout.IDENTITY, np.zeros(0), fan, synapse.targets, synapse.size, synapse.size)


@_shape.register
def _(synapse: Soma, name: str) -> _Shape:
    return _Shape(layout.IDENTITY, np.zeros(0), np.zeros(0, np.int64), 0, -1, -1)


def _check_fit(edge: Edge, shape: _Shape, pre: int, post: int) -> None:
    have = (pre if shape.pre < 0 else shape.pre, pre if shape.post < 0 else shape.post)
    if have != (pre, post):
        raise InputError(f"synapse '{edge.name}' joins {have[0]} to {have[1]} neurons, its ends have {pre} and {post}")
    if not 0 <= edge.delay <= 2**15:
        raise InputError(f"synapse '{edge.name}' has a delay of {edge.delay} steps")


def _gain(edge: Edge) -> int:
    """Return the largest sum of weights, by magnitude, that one neuron receives."""
    if not isinstance(edge.synapse, (Dense, Diagonal)):
        return 1
    size = np.abs(_whole(edge.synapse.weight, "weight", edge.name, 128), dtype=np.int16)
    return int((size.sum(axis=1, dtype=np.int64) if size.ndim == 2 else size).max(initial=0))

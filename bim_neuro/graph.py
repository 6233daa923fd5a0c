"""Graphs: nodes by name, edges between them; float, then integer, then placed on a chip.

Each stage returns a new graph; nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, ClassVar, Generic, NamedTuple, TypedDict, TypeVar, cast

from .errors import InputError
from .nodes import Conv, Encoder, SomaWire, Synapse
from .nodes.node import IntegerNode, Node
from .order import closing, in_loops, sources_first
from .printable import counted, outline, plain

N = TypeVar("N", bound=Node)
SHOWN = 8  # layers that a graph names where it shows itself


@dataclass(frozen=True)
class Edge:
    """A synapse from ``source`` to the accumulator ``port`` of ``target``.

    ``delay`` counts the steps beyond the synapse's own hop: the tap of a conv, plus what `align` adds.
    """

    source: str
    target: str
    port: str
    synapse: Synapse
    delay: int = 0

    @property
    def name(self) -> str:
        tap = f"[{self.delay}]" if self.delay else ""
        return f"{self.source} -> {self.target}.{self.port}{tap}"


class Extra(TypedDict, total=False):
    """Notes on a graph: head and softmax say how answers are read; no stage computes with the others."""

    assumptions: list[str]  # what the reader of a foreign file assumed, one sentence each
    head: str  # what is asked of a sequence, where it is not one class: choices.HEADS
    softmax: str  # how probabilities of tokens are read from the readout, where it is adaptive: choices.SOFTMAXES
    calibration: str  # which ranges were measured here, and on what
    read_as: list[str]  # how raw input becomes messages of a graph that brings no encoder; their scale
    plasticity: dict[str, Any]  # its on-chip learning: plasticity.request
    plastic_nodes: dict[str, dict[str, Any]]  # the same a node, as NIR's metadata have it
    shapes: dict[str, tuple[int, ...]]  # of feature maps: channels, rows, columns, or channels and columns
    trained_on: dict[str, Any]  # which samples it was trained on: trained_on.TrainedOn
    training: dict[str, Any]  # the record of its training, as model.pt has it


@dataclass(frozen=True)
class Graph(Generic[N]):
    """Nodes and edges, the same for float and integer laws.

    ``dt`` is the duration of one step in seconds; ``encoder`` turns raw input into what the source sends;
    ``labels`` are the class names (empty if the output is not classes); ``task`` names where the data come from.
    """

    nodes: dict[str, N]
    edges: tuple[Edge, ...]
    dt: float
    encoder: Encoder
    task: str = "own"
    labels: tuple[str, ...] = ()
    extra: Extra = field(default_factory=Extra, compare=False)

    _hint: ClassVar[str] = "nothing leads back to where it came from"

    def __repr__(self) -> str:
        layers = ", ".join(f"{plain(name)} ({node.neurons:,})" for name, node in list(self.nodes.items())[:SHOWN])
        more = f" and {len(self.nodes) - SHOWN:,} more" if len(self.nodes) > SHOWN else ""
        return f"<{type(self).__name__} of {counted(len(self.edges), 'edge')}: {layers}{more}>"

    def into(self, name: str) -> tuple[Edge, ...]:
        """Return the edges that end at a node."""
        return self._into[name]

    @cached_property
    def _into(self) -> dict[str, tuple[Edge, ...]]:
        into: dict[str, list[Edge]] = {name: [] for name in self.nodes}
        for edge in self.edges:
            into[edge.target].append(edge)
        return {name: tuple(edges) for name, edges in into.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Return the node names, sources first; a loop is followed once, one that takes no time is refused by name."""
        try:
            return sources_first(self.nodes, self.edges, self._hint)
        except InputError:
            closing = {id(edge) for edge in self.recurrent}
            return sources_first(self.nodes, [edge for edge in self.edges if id(edge) not in closing], self._hint)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return (neurons,); of a feature map, by its file or a convolution, (channels, [rows,] columns)."""
        neurons = self.nodes[name].neurons
        found = (tuple(self.extra.get("shapes", {}).get(name, ())), self._grids.get(name, ()))
        return next((shape for shape in found if len(shape) > 1 and prod(shape) == neurons), (neurons,))

    @cached_property
    def _grids(self) -> dict[str, tuple[int, ...]]:
        convs = [(edge, edge.synapse) for edge in self.edges if isinstance(edge.synapse, Conv)]
        grids: dict[str, tuple[int, ...]] = {edge.source: conv.grid for edge, conv in convs}
        return {**grids, **{edge.target: conv.out for edge, conv in convs}}

    @cached_property
    def source(self) -> str:
        """Return the name of the input node."""
        return self._only("source", (name for name, node in self.nodes.items() if node.kind == "source"))

    @cached_property
    def recurrent(self) -> tuple[Edge, ...]:
        """Return the edges that close a loop."""
        return ()

    @cached_property
    def output(self) -> str:
        """Return the name of the output node: the one that only loops read."""
        closing = {id(edge) for edge in self.recurrent}
        read = {edge.source for edge in self.edges if id(edge) not in closing}
        return self._only("output", (name for name in self.nodes if name not in read))

    def _only(self, role: str, names: Iterable[str]) -> str:
        found = list(names)
        if len(found) != 1:
            several = f"{len(found)}: {', '.join(found) or 'none'}"
            raise InputError(f"the graph needs exactly one {role} node, it has {several}")
        return found[0]


class FloatGraph(Graph[Node]):
    """The float model; a message takes no time, the delay of a tap or of recurrence does."""

    _hint: ClassVar[str] = "a loop needs a synapse with a delay: messages of the float model take no time"

    @cached_property
    def recurrent(self) -> tuple[Edge, ...]:
        """Return the edges with a delay that lie on a loop."""
        return in_loops(self.nodes, self.edges) if any(edge.delay for edge in self.edges) else ()

    def with_nodes(self, nodes: dict[str, Node], **extra: Any) -> FloatGraph:
        """Return the graph with other nodes, and with what ``extra`` is to say besides."""
        said = cast(Extra, {**self.extra, **extra})
        return FloatGraph(nodes, self.edges, self.dt, self.encoder, self.task, self.labels, said)


@dataclass(frozen=True, repr=False)
class IntegerGraph(Graph[IntegerNode]):
    """The model in integers; every synapse takes one step.

    ``depth`` (after `align`) is the step at which a sample's first step reaches a node; ``gap`` the silent steps
    between samples that flush the conv taps.
    """

    depth: dict[str, int] = field(default_factory=dict)
    gap: int = 0

    _hint: ClassVar[str] = "a loop needs at least one synapse, which takes a step"

    @cached_property
    def recurrent(self) -> tuple[Edge, ...]:
        """Return the edges that close a loop: those by which a walk from the source comes back to where it is.

        Nodes joined without a synapse count as one, so that a loop is never closed inside a neuron. A closing edge does
        not count for depth and gets no alignment delay: its messages arrive after their own hop and delay. Once depths
        are known, every other edge ends deeper than it begins.
        """
        if self.depth:
            return tuple(e for e in self.edges if self.depth[e.source] + e.synapse.hop > self.depth[e.target])
        return closing(self.nodes, self.edges, first=self.source)

    @property
    def latency(self) -> int:
        """Return the steps between a sample entering and the output answering its first step."""
        return self.depth[self.output]

    def period(self, steps: int) -> int:
        """Return how many steps apart samples of ``steps`` steps may follow each other."""
        return steps + self.gap


def hosts(graph: IntegerGraph) -> dict[str, str]:
    """Return {layer: layer whose cores hold it}, itself or the scan whose soma it is; the source has none."""
    scan_of = {edge.target: edge.source for edge in graph.edges if isinstance(edge.synapse, SomaWire)}
    return {name: scan_of.get(name, name) for name in graph.order if name != graph.source}


def axons(graph: IntegerGraph, layers: Collection[str]) -> list[Edge]:
    """Return the edges on which layers send messages: all but the wire inside a microcode neuron."""
    return [edge for edge in graph.edges if edge.source in layers and not isinstance(edge.synapse, SomaWire)]


@dataclass(frozen=True)
class Core:
    """Neurons ``first`` to ``last`` of a layer on the core ``index``, and each resource of that core as (used, limit).

    Layers that share a core have an entry each, with the same index and resources. A feature map cut by rows has its
    neurons counted row by row: row, column, and of the ``channels`` at that place the fastest.
    """

    index: int
    layer: str
    first: int
    last: int
    resources: dict[str, tuple[float, float]]
    channels: int = 1


class Flow(NamedTuple):
    """So many ``neurons`` of a layer on the core ``source`` send every message to the core ``target``."""

    layer: str
    source: int
    target: int
    neurons: int


@dataclass(frozen=True)
class WorstCore:
    """The core that is nearest to a limit, and the layer with the most neurons on it."""

    index: int
    layer: str
    resource: str
    used: float
    limit: float


@dataclass(frozen=True)
class MapCut:
    """A feature map is cut by channels or by rows and fills so many ``parts``; ``other``: so many the other way.

    More than so many, if ``more``: the other way was given up.
    """

    by: str
    parts: int
    other: int
    more: bool = False


@dataclass(frozen=True)
class Placement:
    """How good a placement is: cores and messages times hops, each with its lower bound.

    ``binding`` is the resource or layer that asks for ``lower_bound`` cores; ``naive_traffic_hops`` is what the same
    cores cost one after another, row by row; ``chip_hops`` are those of the hops that lead from chip to chip.
    Messages are a sample's if ``measured``, else one a neuron. ``encodings`` counts, for each edge, the cores with such
    lists; ``list_words`` are those of all cores; ``cuts`` is of feature maps, ``peak_memory_mib`` of the whole process.
    """

    cores: int
    lower_bound: int
    binding: str
    worst_core: WorstCore
    encodings: dict[str, dict[str, int]]
    chips: int = 1
    traffic_hops: float = 0.0
    naive_traffic_hops: float = 0.0
    traffic_lower_bound: float = 0.0
    chip_hops: float = 0.0
    measured: bool = False
    seconds: float = field(default=0.0, compare=False)
    peak_memory_mib: float = field(default=0.0, compare=False)
    list_words: dict[str, int] = field(default_factory=dict)
    cuts: dict[str, MapCut] = field(default_factory=dict)

    __repr__ = outline


@dataclass(frozen=True, repr=False)
class PlacedGraph:
    """An integer graph with its cores on a target; ``placement`` is None in a simulation, which has no cores."""

    graph: IntegerGraph
    target: str
    cores: tuple[Core, ...]
    flows: tuple[Flow, ...] = ()
    placement: Placement | None = None

    def __repr__(self) -> str:
        cores = counted(len({core.index for core in self.cores}), "core")
        return f"<PlacedGraph on {plain(self.target)}, {cores}: {self.graph!r}>"

    def cores_of(self, layer: str) -> tuple[Core, ...]:
        return tuple(core for core in self.cores if core.layer == layer)

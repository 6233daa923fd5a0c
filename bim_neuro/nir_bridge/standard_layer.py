"""A layer of standard nodes being built: what leads to a neuron, as NIR's own nodes.

    conv                Conv2d between maps (standard_maps.py), else Affine; sparse: Affine
    dense, diagonal     Affine, Scale; then a Delay of k dt where the synapse has one, of k - 1 where it closes a loop:
                        in NIR that takes the first step. A constant that begins with it is the bias of its Affine

Where an importer knows no Scale, it is an Affine with a diagonal. Where it takes neurons and an Affine that read each
other for a unit of its own, and leads their input to that Affine, as snnTorch's does, a second one stands behind it.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

from ..errors import InputError
from ..graph import Edge, FloatGraph
from ..nodes import Conv, Dense, Diagonal, Relay, Sparse
from ..nodes.arithmetic import Array
from .folding import folded
from .importers import Importer
from .standard_maps import MOST_WEIGHTS, as_conv2d, as_matrix, grids, per_channel
from .written_loops import beginning_late, closing, is_constant

_CARRIERS = (Dense, Sparse, Conv)  # written as nodes that can hold a bias


class Layer:
    """The standard nodes and edges built so far. ``exits`` names the nodes whose sum is the message of a scan.

    ``factor`` of a neuron is what multiplies its input beside what its weights hold.
    """

    def __init__(self, graph: FloatGraph, importer: Importer) -> None:
        self.dt, self.importer = graph.dt, importer
        self.graph, self.factor = folded(graph, importer)
        self.carriers = _CARRIERS if importer.scales else (*_CARRIERS, Diagonal)
        self.nodes: dict[str, Any] = {}
        self.edges: dict[tuple[str, str], None] = {}
        self.exits: dict[str, list[str]] = {}
        self.grids = grids(self.graph)
        self.flat: dict[str, str] = {}  # the Flatten behind a map
        self.closing = {id(edge) for edge in closing(self.graph)}
        self.late = {id(edge) for edge in beginning_late(self.graph)}

    def fresh(self, name: str) -> str:
        """Return a name that no node has, in the float graph or here."""
        while name in self.graph.nodes or name in self.nodes:
            name += "_"
        return name

    def wire(self, source: str, targets: list[str]) -> None:
        starts = self.exits.get(source, [source])
        self.edges.update({(start, end): None for start in starts for end in targets})

    def insert(self, name: str, node: Any, targets: list[str]) -> str:
        """Add a node in front of others; return its name."""
        name = self.fresh(name)
        self.nodes[name] = node
        self.wire(name, targets)
        return name

    def synapses(self, name: str, port: str, targets: list[str], bias: Array | None = None) -> None:
        """Connect all edges of a port to ``targets``; a bias goes into a dense edge, or into a node of its own."""
        into = self.into(name, port)
        edges = [edge for edge in into if not is_constant(self.graph, edge.source)]
        constants = [edge for edge in into if is_constant(self.graph, edge.source)]
        late = [edge for edge in constants if id(edge) in self.late]
        carrier, loop = self.carrier(name, port), self.loop(name, port)
        constant = self.at_rest(name, port, [edge for edge in constants if id(edge) not in self.late])
        bias = constant if bias is None else bias + constant
        if bias.any() and carrier is None:
            targets = [self.insert(f"{name}.bias", self.shift(bias, name), targets)]
        for index, edge in enumerate(edges):
            label = f"{name}.{port}{index if len(edges) > 1 else ''}"
            carried = bias if edge is carrier else self.at_rest(name, port, late) if edge is loop else None
            self.synapse(edge, label, targets, carried)

    def loop(self, name: str, port: str) -> Edge | None:
        """Return the edge by which a port reads its own layer, the one that can hold a bias if any can."""
        closing = [edge for edge in self.into(name, port) if id(edge) in self.closing]
        return min(closing, key=lambda edge: not isinstance(edge.synapse, self.carriers), default=None)

    def carrier(self, name: str, port: str) -> Edge | None:
        """Return the edge whose node can hold a bias too."""
        edges = (edge for edge in self.into(name, port) if not is_constant(self.graph, edge.source))
        kinds = (Dense, Conv) if name in self.grids else tuple(set(self.carriers) - {Conv})
        return next((edge for edge in edges if isinstance(edge.synapse, kinds) and not edge.delay), None)

    def synapse(self, edge: Edge, label: str, targets: list[str], bias: Array | None = None) -> None:
        width, grid, synapse = self.graph.nodes[edge.target].ports[edge.port], self.grids.get(edge.target), edge.synapse
        steps = edge.delay - (id(edge) in self.closing)
        if steps:
            wait = full(width, steps * self.dt).reshape(grid or width)
            targets = [self.insert(f"{label}.delay", nir.Delay(wait), targets)]
        bias = np.zeros(width) if bias is None else bias
        if bias.any() and not isinstance(synapse, self.carriers):
            targets, bias = [self.insert(f"{label}.bias", self.shift(bias, label), targets)], np.zeros(width)
        conv = as_conv2d(synapse, per_channel(bias, grid) if grid else None) if edge.source in self.grids else None
        if conv is not None and grid is None:
            targets = [self.insert(f"{label}.flat", flatten(conv.output_type["output"]), targets)]
        if conv is not None:
            self.wire(edge.source, [self.insert(label, conv, targets)])
            return
        if id(edge) in self.closing and not steps and not self.importer.own_loops:
            targets = [self.insert(f"{label}.back", self.one_to_one(np.ones(width), label), targets)]
        if isinstance(synapse, Diagonal):
            targets = [self.insert(label, self.one_to_one(synapse.weight, label, bias), targets)]
        elif isinstance(synapse, _CARRIERS):
            weight = synapse.weight if isinstance(synapse, Dense) else as_matrix(edge, width)
            targets = [self.insert(label, nir.Affine(f4(weight), f4(bias)), targets)]
        self.wire(self.row_of(edge.source), targets)

    def one_to_one(self, weight: Array, label: str, bias: Array | None = None) -> Any:
        """Return a factor a neuron, and a bias: a Scale, or an Affine where that does not do."""
        bias = np.zeros(len(weight)) if bias is None else bias
        if self.importer.scales and not bias.any():
            return nir.Scale(f4(weight))
        if len(weight) ** 2 > MOST_WEIGHTS:
            claim = f"'{label}' joins {len(weight):,} neurons one to one; NIR's Affine has {len(weight) ** 2:,} weights"
            raise InputError(f"{claim} there, allowed are {MOST_WEIGHTS:,}", "without nir.for it may be a Scale")
        return nir.Affine(np.diag(f4(weight)), f4(bias))

    def shift(self, bias: Array, label: str) -> Any:
        """Return a node that adds a bias."""
        return self.one_to_one(np.ones(len(bias)), label, bias)

    def row_of(self, name: str) -> str:
        """Return the node that sends what a map sends as a row of neurons."""
        if name in self.grids and name not in self.flat:
            self.flat[name] = self.insert(f"{name}.flat", flatten(self.grids[name]), [])
            self.wire(name, [self.flat[name]])
        return self.flat.get(name, name)

    def into(self, name: str, port: str) -> list[Edge]:
        return [edge for edge in self.graph.into(name) if edge.port == port]

    def at_rest(self, name: str, port: str, edges: list[Edge]) -> Array:
        """Return what a port receives at zero input from relays and from neurons that always fire."""
        total = np.zeros(self.graph.nodes[name].ports[port])
        for edge in edges:
            source = self.graph.nodes[edge.source]
            if isinstance(source, Relay):
                total = total + edge.synapse.apply(source.bias)
            elif is_constant(self.graph, edge.source):
                total = total + edge.synapse.apply(np.ones(source.neurons))
        return total


def flatten(grid: Any) -> Any:
    """Return a Flatten of a map, whose axes count from the last: importers differ in whether a batch comes first."""
    return nir.Flatten({"input": np.array(grid)}, start_dim=-len(grid))


def full(size: int, value: float) -> Array:
    """Return a row of one value in 32 bits."""
    return np.full(size, value, dtype=np.float32)


def f4(values: Array) -> Array:
    """Return values in the 32 bits that files hold."""
    return np.asarray(values, dtype=np.float32)

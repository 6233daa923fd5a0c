"""Read a .net file: a chain of layers becomes a float graph whose integers are those of netx, spike by spike."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from .. import arguments
from ..choices import ENCODERS
from ..compilers.exact_weights import finest_units
from ..compilers.two_lists import WIDE_MAX
from ..errors import DoesNotFit, Finding, InputError
from ..graph import Edge, Extra, FloatGraph
from ..intake import HINT, Budget
from ..nodes import LIF, Encoder
from ..nodes.node import Node
from ..nodes.synapses import WEIGHT_MAX
from .connections import Connections, connections_of
from .file import NetLayer, open_net
from .neurons import Demand, neurons_of

STEP = 1e-3
"""Seconds a step stands for where nobody says: lava-dl knows steps alone."""
BYTES_A_LINE, BYTES_A_NEURON = 4096, 256
"""Memory of all stages for an input line, and for a neuron of a map, that no array of the file justifies."""
READ = ("input", "dense", "dense_rec", "conv", "flatten")
_CLIP = "keep the weights of the layer within -254 and 254"
_EARLY = (
    "fires by its bias before the input reaches it: netx's next layers, and its own recurrence, begin with these "
    "spikes, the program begins without them"
)
_UNBUILT = "lava-dl 0.6 has no such layer in netx either"


def read_net(path: str | Path, dt: float | None = None, *, encoder: str | None = None) -> FloatGraph:
    """Return the float graph of a .net file of lava-dl; its program computes what netx computes.

    ``dt`` (seconds a step) is 1 ms if not given, and only figures of time depend on it. ``encoder`` is how raw input
    becomes messages: 'spikes' (the default), 'counts' or 'delta'. What the file says and netx does not use is listed in
    ``graph.extra['assumptions']``. Raises `InputError` for a file that cannot be read, `DoesNotFit` with a finding for
    every layer that has no counterpart.
    """
    path = arguments.path(path)
    if dt is not None:
        dt = arguments.duration(dt, "dt")
    if encoder is not None:
        arguments.choice(encoder, tuple(kind for kind in ENCODERS if kind != "graded"), "encoder of a .net file")
    try:
        layers = open_net(path)
        _check_kinds(layers)
        graph = _Chain(layers, Budget.of_file(path.stat().st_size)).graph(dt, encoder or "spikes")
    except InputError as error:
        raise InputError(
            error.message if str(path) in error.message else f"{path}: {error.message}", error.hint
        ) from None
    why = "as --encoder says" if encoder else "as netx reads its input, and no --encoder was given"
    return graph.with_nodes(graph.nodes, read_as=[f"encoder {graph.encoder.kind} ({why})"])


def _check_kinds(layers: list[NetLayer]) -> None:
    """Refuse every layer that netx cannot run, all at once."""
    found = []
    for layer in layers:
        if layer.kind not in READ:
            found.append(
                Finding("supported-node", layer.who, f"{layer.who}: read are {', '.join(READ)}", hint=_UNBUILT)
            )
        elif layer.is_complex:
            message = f"{layer.who} has complex weights, which resonators read; real ones are read"
            found.append(Finding("supported-node", layer.who, message, hint="use slayer.block.cuba"))
        elif layer.kind == "input" and (layer.neuron or layer.index):
            why = "has a neuron, which netx drives by its bias" if layer.neuron else "is not the first"
            message = f"{layer.who} {why}; an input layer of spikes has a shape alone"
            found.append(Finding("supported-node", layer.who, message, hint="let the next layer read the spikes"))
    if found:
        raise DoesNotFit(found)
    if all(layer.kind in ("input", "flatten") for layer in layers):
        raise InputError("the file has no layer of neurons", "export a network with dense or conv layers")


class _Chain:
    """One walk along the layers: each reads the one before it."""

    def __init__(self, layers: list[NetLayer], budget: Budget) -> None:
        self.layers = [layer for layer in layers if layer.kind not in ("input", "flatten")]
        self.flat = {layer.index + 1 for layer in layers if layer.kind == "flatten"}
        self.first = next((layer for layer in layers if layer.kind == "input"), None)
        self.said: list[str] = []
        sizes = [max(field.shape, default=1) for layer in layers for field in layer.fields.values()]
        self.limit, self.widest = budget.limit, max(sizes, default=1)

    def graph(self, dt: float | None, encoder: str) -> FloatGraph:
        shape = self._input_shape()
        lines = Encoder.of_graph(encoder, prod(shape))
        nodes: dict[str, Node] = {"input": lines.source}
        edges: list[Edge] = []
        shapes = {"input": shape}
        read, before = self._connected(shape), "input"
        for depth, (layer, into) in enumerate(read, 1):
            delayed = depth < len(read) and read[depth][1].delayed
            node = nodes[layer.name] = self._neurons(layer, into, depth, delayed)
            into = into.with_powers() if isinstance(node, LIF) and into.largest > WEIGHT_MAX else into
            port = next(iter(nodes[layer.name].ports))
            edges += [Edge(before, layer.name, port, synapse, delay) for delay, synapse in into.forward]
            if into.back is not None:
                edges.append(Edge(layer.name, layer.name, port, into.back, 1))
            shapes[layer.name], before = into.shape, layer.name
        maps = {name: size for name, size in shapes.items() if len(size) > 1}
        extra = Extra(assumptions=self._assumptions(dt))
        if maps:
            extra["shapes"] = maps
        return FloatGraph(nodes, tuple(edges), dt or STEP, lines, extra=extra)

    def _input_shape(self) -> tuple[int, ...]:
        """Return the shape of what the first layer reads: the input's own, or as many lines as it has columns."""
        if self.first is not None:
            shape = self.first.shape((1, 2, 3))
        elif self.layers[0].kind == "conv":
            raise InputError(f"{self.layers[0].who} reads a map whose shape the file does not say",
                             "put slayer.block.cuba.Input without neuron_params before it")  # fmt: skip
        else:
            rows = prod(self.layers[0].shape((1, 2, 3)))
            shape = (max(1, self.layers[0].whole("weight").size // rows),)
        self._fits("the input", prod(shape), BYTES_A_LINE)
        return shape

    def _fits(self, who: str, neurons: int, each: int) -> None:
        """Refuse more neurons of so many bytes ``each`` than the size of the file justifies."""
        if neurons > (most := max(self.limit // each, self.widest)):
            raise InputError(f"{who} has {neurons:,} neurons of {each:,} bytes each, {most:,} may be", HINT)

    def _connected(self, shape: tuple[int, ...]) -> list[tuple[NetLayer, Connections]]:
        """Return every layer with its connections; `DoesNotFit` lists all that have none."""
        read: list[tuple[NetLayer, Connections]] = []
        found: list[Finding] = []
        for layer in self.layers:
            whole = bool(read) and len(shape) == 3 and not self._flattened(layer)
            if layer.kind != "conv" and whole:
                message = f"{layer.who} reads a map of {shape}, it needs a line of neurons"
                raise DoesNotFit([*found, Finding("shape", layer.who, message, hint="put a flatten before it")])
            try:
                read.append((layer, connections_of(layer, shape)))
            except DoesNotFit as refusal:
                found += refusal.findings
            shape = layer.shape((3,) if layer.kind == "conv" else (1, 2, 3))
            self._fits(layer.who, prod(shape), BYTES_A_NEURON)
            shape = shape if layer.kind == "conv" else (prod(shape),)
        if found:
            raise DoesNotFit(found)
        return read

    def _flattened(self, layer: NetLayer) -> bool:
        return layer.index in self.flat

    def _neurons(self, layer: NetLayer, into: Connections, depth: int, delayed: bool) -> Node:
        channels = into.shape[0]
        neurons = neurons_of(layer, channels, prod(into.shape) // channels)
        wide = not finest_units(into.rows, WEIGHT_MAX).all()
        if wide and not finest_units(into.rows, WEIGHT_MAX, WIDE_MAX).all():
            message = f"{layer.who} has weights of up to {into.largest} that two lists of 8 bits do not hold whole"
            raise DoesNotFit([Finding("netx-weights", layer.who, message, into.largest, WEIGHT_MAX, _CLIP)])
        node, why = neurons.node(Demand(into.largest, into.in_powers, wide, delayed), depth)
        if why:
            bits = ", with weights of 16 bits in two lists" if wide else ""
            self.said.append(f"'{layer.name}' is a switch neuron, in microcode{bits}: {why}")
        if neurons.at_input(depth)[1]:
            self.said.append(f"'{layer.name}' {_EARLY}")
        self.said += into.said
        if int(np.max(layer.neuron.get("refDelay", np.zeros(1)), initial=0)) > 1:
            self.said.append(f"'{layer.name}': its refDelay is not used, as in netx")
        return node

    def _assumptions(self, dt: float | None) -> list[str]:
        step = [] if dt else [f"a step takes dt = {STEP:g} s: a .net file does not say (--dt)"]
        law = "a .net file of lava-dl is integers: they are kept, and the program computes what netx 0.6 computes"
        return [law, *step, *self.said]

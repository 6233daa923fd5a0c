"""Checks of a float graph: finite numbers, types of fields, matching shapes; errors name the node or edge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import singledispatch
from math import log2
from typing import Any

import numpy as np

from .. import arguments
from ..choices import KNOWN_ENCODERS
from ..errors import InputError
from ..graph import Edge, FloatGraph
from ..nodes import (
    LIF,
    Broadcast,
    Conv,
    Cuba,
    Dense,
    Diagonal,
    Encoder,
    Graded,
    Prod,
    Readout,
    Relay,
    Scan,
    SomaWire,
    Source,
    Sparse,
)
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..nodes.synapses import Synapse
from ..nodes.table import table_fault
from ..pack import check_fields, check_shapes, pack

_LEAST_UNIT = 2.0**-40
MAX_NUMBER = float(np.finfo(np.float64).max)


def check_graph(graph: FloatGraph) -> None:
    """Refuse a graph whose numbers are not finite or whose shapes do not fit, naming the node or edge."""
    _check_parts(graph)
    for name, array in pack(graph)[1].items():
        if name.endswith("/v_floor"):  # -inf: there is none
            array = array[array != -np.inf]
        _check_finite(name.removeprefix("graph/").replace("/", "."), array)
    for name, node in graph.nodes.items():
        check_fields(f"node '{name}'", node)
        _expect(f"node '{name}'", _shapes(node))
    for edge in graph.edges:
        check_fields(f"edge '{edge.name}'", edge.synapse)
        _check_edge(graph, edge)
    _check_encoder(graph)
    check_dt(graph.dt)
    lines = graph.nodes[graph.output].neurons
    if graph.labels and len(graph.labels) != lines:
        raise InputError(f"{len(graph.labels)} labels for the {lines} lines of the output")


def _check_parts(graph: FloatGraph) -> None:
    """Refuse an object that is not a graph of named nodes and edges: it may have been built by hand."""
    arguments.instance(graph, FloatGraph, "graph")
    for name, node in arguments.instance(graph.nodes, dict, "graph.nodes").items():
        arguments.text(name, "the name of a node")
        if not is_dataclass(node):
            raise InputError(f"node '{name}' is {arguments.said(node)}, which a float graph cannot hold")
    for edge in arguments.instance(graph.edges, tuple, "graph.edges"):
        arguments.instance(edge, Edge, "an edge")
        for part in ("source", "target", "port"):
            arguments.text(getattr(edge, part), f"an edge's {part}")
        arguments.whole(edge.delay, f"edge '{edge.source} -> {edge.target}': delay")
    for label in arguments.instance(graph.labels, tuple, "graph.labels"):
        arguments.text(label, "a label")
    arguments.instance(graph.extra, dict, "graph.extra")
    arguments.text(graph.task, "graph.task")


def check_dt(dt: Any) -> float:
    """Refuse a step that is not a positive finite number of seconds."""
    return arguments.duration(dt, "dt")


def check_extra(extra: Mapping[str, Any]) -> None:
    """Refuse assumptions that are not texts, and an invalid plasticity."""
    for name in ("assumptions", "read_as"):
        said = extra.get(name, ())
        if not isinstance(said, list | tuple) or not all(isinstance(line, str) for line in said):
            raise InputError(f"extra.{name} is {said!r:.60}, a list of texts is needed")
    check_shapes(extra.get("shapes", {}))
    for name in ("plasticity", "plastic_nodes"):
        if not isinstance(extra.get(name, {}), dict):
            raise InputError(f"extra.{name} is {extra[name]!r:.60}, a table is needed")
        for value in _leaves(extra.get(name, {})):
            if not isinstance(value, str | int | float | None):
                raise InputError(f"extra.{name} holds a {type(value).__name__}, only numbers and texts are allowed")


def _leaves(tree: Any) -> Iterator[Any]:
    """Yield every key and value of a tree of tables and lists."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from node
            waiting += node.values()
        elif isinstance(node, list | tuple):
            waiting += node
        else:
            yield node


def _check_finite(name: str, array: Array) -> None:
    if array.dtype.kind not in "fiu":
        raise InputError(f"array '{name}' holds {array.dtype}, not numbers")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise InputError(f"{bad} of {array.size} values of '{name}' are not finite", "retrain the model")


def _check_encoder(graph: FloatGraph) -> None:
    encoder = graph.encoder
    if not isinstance(encoder, Encoder):
        raise InputError(f"the encoder is a {type(encoder).__name__}")
    check_fields("the encoder", encoder)
    if encoder.kind not in KNOWN_ENCODERS:
        raise InputError(f"the encoder is of unknown kind '{encoder.kind}'")
    if encoder.kind == "table" and (fault := table_fault(encoder.table)):
        raise InputError(f"the encoder: {fault}")
    lines = graph.nodes[graph.source].neurons
    _expect("the encoder", {"gain": (encoder.gain.shape, (encoder.offset.size,))})
    if encoder.reads_raw and encoder.kind == "graded" and (np.ptp(encoder.gain) or encoder.offset.any()):
        raise InputError("the encoder of a graph that reads raw values has one gain for all channels, and no offset")
    if encoder.reads_raw and (encoder.gain < 0).any():
        raise InputError(f"the encoder has a gain of {encoder.gain.min():g}, it must not be negative")
    _expect("the encoder", {"number of lines": (encoder.source.neurons, lines)})


def _check_edge(graph: FloatGraph, edge: Edge) -> None:
    if edge.source not in graph.nodes or edge.port not in getattr(graph.nodes.get(edge.target), "ports", {}):
        raise InputError(f"edge '{edge.name}' joins nodes or ports that do not exist")
    source, target = graph.nodes[edge.source].neurons, graph.nodes[edge.target]
    _expect(f"edge '{edge.name}'", _geometry(edge.synapse, source, target.ports[edge.port], target.neurons))
    if not isinstance(edge.delay, int) or edge.delay < 0:
        raise InputError(f"edge '{edge.name}' has a delay of {edge.delay} steps")


def _expect(who: str, found: dict[str, tuple[Any, Any]]) -> None:
    for what, (got, want) in found.items():
        if got != want:
            raise InputError(f"{who}: {what} is {got}, it must be {want}")


Shapes = dict[str, tuple[Any, Any]]  # what -> (found, wanted)


@singledispatch
def _shapes(node: Node) -> Shapes:
    raise InputError(f"a float graph cannot hold a {type(node).__name__}")


@_shapes.register
def _(node: Source) -> Shapes:
    return {"channels": (node.channels, max(int(node.channels), 1))}


@_shapes.register
def _(node: Relay) -> Shapes:
    return {"bias": (node.bias.shape, (node.bias.size,))}


@_shapes.register
def _(node: Readout) -> Shapes:
    return {"bias": (node.bias.shape, (node.bias.size,))}


@_shapes.register
def _(node: LIF) -> Shapes:
    return {"bias": (node.bias.shape, (node.size,)), **_state_unit(node)}


@_shapes.register(Graded)
@_shapes.register(Prod)
def _(node: Graded | Prod) -> Shapes:
    return {"size": (node.size, max(int(node.size), 1))}


@_shapes.register
def _(node: Cuba) -> Shapes:
    arrays = {item.name: getattr(node, item.name) for item in fields(node)}
    shapes = {key: (a.shape, (node.neurons,)) for key, a in arrays.items() if isinstance(a, np.ndarray)}
    return {**shapes, **_state_unit(node)}


def _state_unit(node: LIF | Cuba) -> Shapes:
    """Expect the unit of a state, where one is given, to be a power of two."""
    unit = float(node.state_unit)
    return {"state_unit": (unit, 2.0 ** round(log2(unit)) if _LEAST_UNIT <= unit <= 1 / _LEAST_UNIT else 0.0)}


@_shapes.register
def _(node: Scan) -> Shapes:
    channels = len(node.d_skip)
    states = node.a.size // max(channels, 1)
    vectors = {name: (getattr(node, name).shape, (channels,)) for name in ("d_skip", "bias_u", "bias_dt")}
    return {"a": (node.a.shape, (channels, states)), **vectors}


@singledispatch
def _geometry(synapse: Synapse, source: int, width: int, targets: int) -> Shapes:
    raise InputError(f"a float graph cannot hold a {type(synapse).__name__}")


@_geometry.register
def _(synapse: Dense, source: int, width: int, targets: int) -> Shapes:
    return {"weight": (synapse.weight.shape, (width, source))}


@_geometry.register(Sparse)
@_geometry.register(Conv)
def _(synapse: Sparse | Conv, source: int, width: int, targets: int) -> Shapes:
    return {"senders": (synapse.pre, source), "neurons": (synapse.post, width)}


@_geometry.register
def _(synapse: Diagonal, source: int, width: int, targets: int) -> Shapes:
    return {"weight": (synapse.weight.shape, (width,)), "source": (source, width)}


@_geometry.register
def _(synapse: Broadcast, source: int, width: int, targets: int) -> Shapes:
    return {"size": (synapse.size, width), "source": (source, width), "targets": (synapse.targets, targets)}


@_geometry.register
def _(synapse: SomaWire, source: int, width: int, targets: int) -> Shapes:
    return {"source": (source, width)}

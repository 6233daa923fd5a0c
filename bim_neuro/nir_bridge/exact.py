"""The exact copy: a float graph as the root group /bim_neuro, beside /node and invisible to nir.read.

/bim_neuro/version    1
/bim_neuro/header     JSON text: nodes, edges, numbers (`pack`)
/bim_neuro/sha256     of the header and the arrays: HDF5 itself does not notice a flipped byte
/bim_neuro/arrays/..  the arrays that the header names, bit for bit
"""

from __future__ import annotations

import hashlib
import json
from functools import singledispatch
from typing import Any

import h5py
import numpy as np

from ..errors import InputError
from ..graph import Edge, FloatGraph
from ..nodes import LIF, Broadcast, Dense, Diagonal, Readout, Relay, Scan, Soma, Source
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..nodes.synapse import Synapse
from ..pack import pack, unpack
from .hdf5 import read_arrays, read_dataset, read_text

GROUP = "bim_neuro"
VERSION = 1


def store(graph: FloatGraph, file: h5py.File) -> None:
    """Add the copy to an open file."""
    header, arrays = pack(graph)
    text = json.dumps(header)
    group = file.create_group(GROUP)
    group["version"] = VERSION
    group["header"] = text
    group["sha256"] = _digest(text, arrays)
    for name, array in arrays.items():
        group.create_dataset(f"arrays/{name}", data=array, compression="gzip" if array.size > 64 else None)


def load(group: h5py.Group) -> FloatGraph:
    """Read the copy back; whatever does not fit together is refused by name."""
    version = read_dataset(group, "version")
    if np.shape(version) or version != VERSION:
        hint = f"this bim-neuro reads version {VERSION}; a newer one may read this file"
        raise InputError(f"/{GROUP} has format version {version}", hint)
    text = read_text(group, "header")
    arrays = read_arrays(group["arrays"]) if "arrays" in group else {}
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"/{GROUP}/header is not JSON: {error}") from None
    if read_text(group, "sha256") != _digest(text, arrays):
        raise InputError(f"/{GROUP} is damaged: its checksum is wrong", "write the file again from model.pt")
    graph = unpack(header, arrays)
    if not isinstance(graph, FloatGraph):
        raise InputError(f"/{GROUP} holds a {type(graph).__name__}, not a float graph")
    check(graph)
    return graph


def check(graph: FloatGraph) -> None:
    """Refuse a graph whose numbers are not finite or whose shapes do not fit, naming the node or edge."""
    for name, array in pack(graph)[1].items():
        _check_finite(name.removeprefix("graph/").replace("/", "."), array)
    try:
        for name, node in graph.nodes.items():
            _expect(f"node '{name}'", _shapes(node))
        for edge in graph.edges:
            _check_edge(graph, edge)
        encoder, lines = graph.encoder, graph.nodes[graph.source].neurons
        _expect("the encoder", {"gain": (encoder.gain.shape, (encoder.offset.size,))})
        _expect("the encoder", {"number of lines": (encoder.source.neurons, lines)})
    except (AttributeError, TypeError, IndexError) as error:
        raise InputError(f"the graph is garbled: {error}") from None
    check_dt(graph.dt)


def check_dt(dt: Any) -> float:
    """Refuse a step that is not a positive finite number of seconds."""
    if isinstance(dt, bool) or not isinstance(dt, int | float) or not 0 < dt < float("inf"):
        raise InputError(f"dt is {dt} s, it must be positive and finite")
    return float(dt)


def _digest(text: str, arrays: dict[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check_finite(name: str, array: Array) -> None:
    if array.dtype.kind not in "fiub":
        raise InputError(f"array '{name}' holds {array.dtype}, not numbers")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise InputError(f"{bad} of {array.size} values of '{name}' are not finite", "retrain the model")


def _check_edge(graph: FloatGraph, edge: Edge) -> None:
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
    return {"bias": (node.bias.shape, (node.size,))}


@_shapes.register
def _(node: Scan) -> Shapes:
    channels, states = node.a.shape[0], node.a.size // max(node.a.shape[0], 1)
    vectors = {name: (getattr(node, name).shape, (channels,)) for name in ("d_skip", "bias_u", "bias_dt")}
    return {"a": (node.a.shape, (channels, states)), **vectors}


@singledispatch
def _geometry(synapse: Synapse, source: int, width: int, targets: int) -> Shapes:
    raise InputError(f"a float graph cannot hold a {type(synapse).__name__}")


@_geometry.register
def _(synapse: Dense, source: int, width: int, targets: int) -> Shapes:
    return {"weight": (synapse.weight.shape, (width, source))}


@_geometry.register
def _(synapse: Diagonal, source: int, width: int, targets: int) -> Shapes:
    return {"weight": (synapse.weight.shape, (width,)), "source": (source, width)}


@_geometry.register
def _(synapse: Broadcast, source: int, width: int, targets: int) -> Shapes:
    return {"size": (synapse.size, width), "source": (source, width), "targets": (synapse.targets, targets)}


@_geometry.register
def _(synapse: Soma, source: int, width: int, targets: int) -> Shapes:
    return {"source": (source, width)}

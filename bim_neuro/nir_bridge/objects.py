"""A NIR graph in memory becomes a float graph: it is written and read as any other tool's file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import nir
import numpy as np

from ..errors import InputError, first_line
from ..graph import FloatGraph
from .dialect import AnyDialect
from .read import read_nir

Shape = tuple[int, ...]


def is_nir_graph(thing: object) -> bool:
    """Whether it is a graph of the package nir."""
    return isinstance(thing, nir.NIRGraph)


def read_nir_graph(
    graph: Any,
    dt: float | None,
    dialect: AnyDialect = None,
    encoder: str | None = None,
    *,
    wires: Mapping[str, Shape | None] | None = None,
    shapes: Mapping[str, Shape] | None = None,
) -> FloatGraph:
    """Return the float graph of a nir.NIRGraph; see `read_nir`.

    ``wires`` are names whose nodes an exporter left out: they pass on what they read, as a Flatten of that shape or as
    it is. ``shapes`` is what layers read, for convolutions that do not say it.
    """
    graph = _completed(deepcopy(graph), wires or {}, shapes or {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.nir"
        try:
            nir.write(path, graph, compression=None)  # HDF5 compresses no single number
        except (TypeError, ValueError, AttributeError, OSError) as error:
            hint = "nir.write(path, graph) shows it; nodes need arrays, convolutions an input_shape"
            raise InputError(
                f"nir does not write this graph: {type(error).__name__}: {first_line(error)}", hint
            ) from None
        try:
            return read_nir(path, dt, dialect=dialect, encoder=encoder)
        except InputError as error:
            raise InputError(error.message.replace(str(path), "the NIR graph"), error.hint) from None


def _completed(graph: Any, wires: Mapping[str, Shape | None], shapes: Mapping[str, Shape]) -> Any:
    for name, shape in wires.items():
        if shape is not None:
            graph.nodes[name] = nir.Flatten({"input": list(shape)}, start_dim=0)
            continue
        before = [start for start, end in graph.edges if end == name]
        after = [end for start, end in graph.edges if start == name]
        graph.edges = [edge for edge in graph.edges if name not in edge]
        graph.edges += [(start, end) for start in before for end in after]
        del graph.nodes[name]
    for name, shape in shapes.items():
        node = graph.nodes.get(name)
        if isinstance(node, nir.Conv1d | nir.Conv2d) and node.input_shape is None:
            node.input_shape = shape[1] if isinstance(node, nir.Conv1d) else tuple(shape[1:])
        elif isinstance(node, nir.Flatten) and node.input_type["input"] is None:
            node.input_type = {"input": np.array(shape)}
    if not shapes:
        with suppress(ValueError, TypeError, AttributeError, KeyError):  # it needs them where nodes say no shape
            graph.infer_types()
    return graph

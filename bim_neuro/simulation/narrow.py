"""Narrow: a float graph with every number rounded to 32 bits, as frameworks hold them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from ..graph import FloatGraph


def narrowed(graph: FloatGraph) -> FloatGraph:
    """Return the graph with its arrays and scalars in 32 bits."""
    edges = tuple(replace(edge, synapse=narrow(edge.synapse)) for edge in graph.edges)
    return replace(graph, nodes={name: narrow(node) for name, node in graph.nodes.items()}, edges=edges)


def narrow(thing: Any) -> Any:
    """Return a node or synapse with its real numbers rounded; scalars stay Python's, which take an array's type."""
    rounded: dict[str, Any] = {}
    for item in fields(thing):
        value = getattr(thing, item.name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            rounded[item.name] = value.astype(np.float32)
        elif isinstance(value, float):
            rounded[item.name] = float(np.float32(value))
    return replace(thing, **rounded)

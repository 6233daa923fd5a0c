"""The standard layer: a float graph in NIR's own nodes, which other tools run; time constants in seconds, float32.

A neuron becomes what `standard_neurons` says, stepped by forward Euler; what leads to it, what `standard_layer` says.
Weights hold the factors that NIR's equations multiply an input with (`folding`). Where importers disagree, a file may
be written for one of them (`importers`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import nir
import numpy as np

from ..graph import FloatGraph
from .importers import PLAIN, Importer
from .standard_layer import Layer
from .standard_maps import shaped
from .standard_neurons import write_node
from .written_loops import is_constant


def standard_graph(graph: FloatGraph, importer: Importer = PLAIN) -> Any:
    """Return the nir.NIRGraph of a float graph, for an importer if one is named."""
    layer = Layer(in_its_time(graph, importer), importer)
    for name in graph.order:
        if not is_constant(graph, name):
            write_node(layer.graph.nodes[name], name, layer)
            if name in layer.grids:
                layer.nodes[name] = shaped(layer.nodes[name], layer.grids[name])
    end = layer.fresh("output")
    layer.nodes[end] = nir.Output(np.array(layer.grids.get(graph.output, (graph.nodes[graph.output].neurons,))))
    layer.wire(graph.output, [end])
    return nir.NIRGraph(dict(layer.nodes), list(layer.edges))


def in_its_time(graph: FloatGraph, importer: Importer) -> FloatGraph:
    """Return the graph with the step of an importer that has one of its own: time constants are written for it."""
    return graph if importer.dt is None else replace(graph, dt=importer.dt)

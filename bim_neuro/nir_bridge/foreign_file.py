"""A file of another framework, kept as it was read: one conversion for each dialect that somebody tries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..graph import FloatGraph
from ..intake import Budget, is_hdf5, opened
from ..nodes import Cuba
from . import exact
from .dialect import Dialect
from .discretise import NeuronLaw, discretise
from .foreign import Unfolded, field_of, unfolded, with_units
from .grids import Shape
from .hdf5 import NirGraph, open_nir, read_graph
from .loops import input_at_neurons, sources_first
from .metadata import KEY
from .neurons import cuba_of
from .structure import shapes
from .support import FIELD_NAMES, NEURONS, check_values
from .units import StateUnits, units_of


@dataclass(frozen=True, eq=False)
class ForeignFile:
    """The NIR graph of a file that brings no dialect, its step and the encoder of its input."""

    nir: NirGraph
    dt: float
    encoder: str
    size: int
    _unfolded: dict[tuple[Any, ...], Unfolded] = field(default_factory=dict)

    def with_dialect(self, dialect: Dialect) -> tuple[FloatGraph, dict[str, StateUnits]]:
        """Return the float graph in a dialect, and the units of its layers' states."""
        nir = input_at_neurons(self.nir) if dialect["rec_input"] == "neuron" else self.nir
        return with_units(nir, self.dt, dialect, self.encoder, Budget.of_file(self.size))

    def unfolded(self, dialect: Dialect) -> Unfolded:
        """Return the graph in which `node_of` layers may stand; it is built once for what the dialect says of loops."""
        key = (*(dialect[name] for name in self.loop_switches), self.loops and dialect["lag"])
        if key not in self._unfolded:
            nir = input_at_neurons(self.nir) if dialect["rec_input"] == "neuron" else self.nir
            self._unfolded[key] = unfolded(nir, self.dt, dialect, self.encoder, Budget.of_file(self.size))
        return self._unfolded[key]

    def node_of(self, name: str, dialect: Dialect) -> Cuba:
        """Return a layer in a dialect, for the graph of `unfolded`."""
        graph, law = self.unfolded(dialect), self.law_of(name, dialect.of(name, self.kinds[name]))
        return cuba_of(replace(law, lag=law.lag and name not in graph.late), graph.constants[name])

    def units_of(self, name: str, dialect: Dialect) -> StateUnits:
        """Return the units of the states of such a layer."""
        node = self.nir.nodes[name]
        of = partial(field_of, node, shape=self._shapes[name], width=prod(self._shapes[name]))
        return units_of(None, self.law_of(name, dialect), node.type, of, self.dt, dialect)

    def law_of(self, name: str, dialect: Dialect) -> NeuronLaw:
        """Return the law of a layer in a dialect."""
        node, shape = self.nir.nodes[name], self._shapes[name]
        of = partial(field_of, node, shape=shape, width=prod(shape))
        with np.errstate(all="ignore"):
            return discretise(node.type, of, self.dt, dialect, recurrent=name in self.loops)

    @cached_property
    def _shapes(self) -> dict[str, Shape]:
        return shapes(self.nir, sources_first(self.nir))

    @cached_property
    def neurons(self) -> dict[str, str]:
        """The type of each layer of neurons, by its name."""
        return {name: kind for name, kind in self.kinds.items() if kind in NEURONS}

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The type of each node, by its name."""
        return {name: node.type for name, node in self.nir.nodes.items()}

    @cached_property
    def loop_switches(self) -> frozenset[str]:
        """The switches of loops that change something in this graph."""
        enters = bool(self.loops) and input_at_neurons(self.nir).edges != self.nir.edges
        constant = any(np.any(node.fields["bias"]) for node in self.nir.nodes.values() if "bias" in node.fields)
        given = {"rec_input": enters, "rec_first": bool(self.loops) and constant}
        return frozenset(name for name, matters in given.items() if matters)

    @cached_property
    def loops(self) -> frozenset[str]:
        """The layers that read themselves."""
        return frozenset(end for _, end in sources_first(self.nir).closing)


def foreign_file(path: Path, dt: float | None, encoder: str | None) -> ForeignFile | None:
    """Return what a file holds; None for one of ours, or one that is no NIR at all, which bring their own dialect."""
    with opened(path) as file:
        if path.suffix == ".net" or not is_hdf5(file):
            return None
    tree = open_nir(path, exact.GROUP, FIELD_NAMES, KEY)
    if dt is None or isinstance(tree.get(exact.GROUP), dict):
        return None
    nir = read_graph(tree, KEY)
    if nir.metadata is not None:
        return None
    check_values(nir)
    return ForeignFile(nir, dt, encoder or "spikes", path.stat().st_size)

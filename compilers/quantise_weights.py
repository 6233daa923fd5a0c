"""Quantise weights: every synapse into a port becomes int8, with one scale per neuron or one for all.

    w = unit * round(w / unit)        unit = largest weight into the neuron / 127

Messages with different exponents are first brought to the largest of them. Rule N6 of docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch

import numpy as np

from ..errors import not_registered
from ..graph import Edge
from ..nodes import Broadcast, Conv, Dense, Diagonal, SomaWire, Sparse
from ..nodes.arithmetic import Array
from ..nodes.synapses import WEIGHT_MAX, WEIGHTED, Synapse

Scales = Mapping[str, Array]  # port -> (neurons,) real value of one unit of the accumulated integer


def quantise_port(
    edges: list[Edge], width: int, exponents: Mapping[str, int], *, per_neuron: bool, growth: float = 1.0
) -> tuple[list[Edge], Array]:
    """Give all synapses of a port one int8 scale per neuron (or one for all); return them and the scales.

    ``exponents`` are those of the messages, by source; ``growth`` is the factor by which the largest weight may grow.
    """
    exponent = max(exponents.values(), default=0)
    largest = np.zeros(width)
    for edge in edges:
        step = 2.0 ** (exponent - exponents[edge.source])
        largest = np.maximum(largest, row_maximum(edge.synapse, width) * step)
    for edge in edges:
        if isinstance(edge.synapse, Conv):
            largest = edge.synapse.to_places(largest.reshape(len(edge.synapse.weight), -1).max(axis=1))
    if not per_neuron:
        largest = np.full(width, largest.max(initial=0.0))
    weighted = any(isinstance(edge.synapse, WEIGHTED) for edge in edges)
    unit = growth * _where_empty(largest) / WEIGHT_MAX if weighted else np.ones(width)
    quantised = [
        replace(edge, synapse=quantise_synapse(edge.synapse, unit * 2.0 ** (exponents[edge.source] - exponent)))
        for edge in edges
    ]
    return quantised, unit * 2.0**-exponent


def _where_empty(largest: Array) -> Array:
    """Give neurons without a weight the smallest scale among the others, so that it does not make those coarser."""
    some = largest[largest > 0]
    return np.where(largest > 0, largest, some.min() if some.size else float(WEIGHT_MAX))


@singledispatch
def row_maximum(synapse: Synapse, width: int) -> Array:
    """Return the largest weight by magnitude into each target neuron of a synapse, (neurons,)."""
    raise not_registered(synapse, "row_maximum", "compilers/quantise_weights.py")


@row_maximum.register(Broadcast)
@row_maximum.register(SomaWire)
def _(synapse: Broadcast | SomaWire, width: int) -> Array:
    return np.zeros(width)


@row_maximum.register
def _(synapse: Dense, width: int) -> Array:
    return np.asarray(np.abs(synapse.weight).max(axis=1))


@row_maximum.register
def _(synapse: Diagonal, width: int) -> Array:
    return np.abs(synapse.weight)


@row_maximum.register
def _(synapse: Sparse, width: int) -> Array:
    largest = np.zeros(synapse.post)
    np.maximum.at(largest, synapse.rows, np.abs(synapse.weight))
    return largest


@row_maximum.register
def _(synapse: Conv, width: int) -> Array:
    """A channel has one kernel, so one scale, at the border too."""
    return synapse.to_places(np.abs(synapse.weight).max(axis=(1, 2, 3)))


@singledispatch
def quantise_synapse(synapse: Synapse, unit: Array) -> Synapse:
    """Return the synapse with int8 weights; ``unit`` (neurons,) is the real value of weight 1 of each target."""
    raise not_registered(synapse, "quantise_synapse", "compilers/quantise_weights.py")


@quantise_synapse.register(Broadcast)
@quantise_synapse.register(SomaWire)
def _(synapse: Broadcast | SomaWire, unit: Array) -> Synapse:
    return synapse


@quantise_synapse.register
def _(synapse: Dense, unit: Array) -> Synapse:
    return Dense(np.rint(synapse.weight / unit[:, None]).astype(np.int8))


@quantise_synapse.register
def _(synapse: Sparse, unit: Array) -> Synapse:
    return replace(synapse, weight=np.rint(synapse.weight / unit[synapse.rows]).astype(np.int8))


@quantise_synapse.register
def _(synapse: Conv, unit: Array) -> Synapse:
    each = unit.reshape(len(synapse.weight), -1)[:, 0]
    return replace(synapse, weight=np.rint(synapse.weight / each[:, None, None, None]).astype(np.int8))


@quantise_synapse.register
def _(synapse: Diagonal, unit: Array) -> Synapse:
    return Diagonal(np.rint(synapse.weight / unit).astype(np.int8))

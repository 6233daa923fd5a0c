"""Which kinds of model a chip supports: the smallest of each kind is quantised and checked by the design rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from ..graph import Edge, FloatGraph, IntegerGraph
from ..hardware import HardwareProfile
from ..nodes import LIF, Broadcast, Dense, Diagonal, Encoder, Readout, Relay, Scan, SomaWire, Source
from ..nodes.node import Node
from .align import align
from .placement.design_rules import check
from .quantise import quantise

DT_S = 1e-3
_ONE = np.ones(1)
_ZERO = np.zeros(1)
_WEIGHT = Dense(np.ones((1, 1)))


def takes(profile: HardwareProfile) -> dict[str, str]:
    """Return, for each kind of model, why the chip refuses even the smallest one; empty where it accepts it."""
    return {name: "; ".join(_reasons(graph, profile)) for name, graph in _smallest().items()}


def _reasons(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[str]:
    """Give one reason per rule, without the layer names of the smallest model."""
    seen: set[str] = set()
    for finding in check(graph, profile):
        if finding.rule not in seen:
            seen.add(finding.rule)
            yield finding.message.split(f"'{finding.layer}' ", 1)[-1] if finding.layer else finding.message


@cache
def _smallest() -> dict[str, IntegerGraph]:
    return {"LIF": align(quantise(_lif())), "BIM": align(quantise(_bim()))}


def _lif() -> FloatGraph:
    """One input, one synapse, one LIF neuron."""
    nodes: dict[str, Node] = {"input": Source(1, graded=False), "lif": LIF(1, 0.9, 1.0, _ZERO)}
    edges = (Edge("input", "lif", "i", _WEIGHT),)
    return FloatGraph(nodes, edges, DT_S, Encoder("spikes", _ONE, _ZERO))


def _bim() -> FloatGraph:
    """One block of one channel, one state and one tap, and a readout of one class."""
    nodes: dict[str, Node] = {
        "input": Source(1, graded=True),
        **{name: Relay(_ZERO, 1.0) for name in "uBC"},
        "scan": Scan(-np.ones((1, 1)), _ONE, _ZERO, _ZERO),
        "lif": LIF(1, 0.9, 1.0, _ZERO),
        "readout": Readout(0.9, _ZERO, 1.0),
    }
    edges = (
        *(Edge("input", name, "a", _WEIGHT) for name in "uBC"),
        Edge("u", "scan", "u", Diagonal(_ONE)),
        Edge("input", "scan", "dt", _WEIGHT),
        *(Edge(name, "scan", name, Broadcast(1, 1)) for name in "BC"),
        Edge("scan", "lif", "i", SomaWire()),
        Edge("lif", "readout", "a", _WEIGHT),
    )
    return FloatGraph(nodes, edges, DT_S, Encoder("graded", _ONE, _ZERO))

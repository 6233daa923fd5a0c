"""Roles: find the nodes and synapses of the last block by their connections, whatever their names are.

    x ──w_u──▶ relay u ──taps──▶ scan.u ┐
    x ──w_dt─────────────────▶ scan.dt  ├─ scan ── lif ──w_o──▶ readout
    x ──w_b──▶ relay B ────────▶ scan.B │
    x ──w_c──▶ relay C ────────▶ scan.C ┘

A float graph and the integer graph made of it have the same names, so one set of roles finds the parts of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ...errors import DoesNotFit, Finding
from ...graph import Edge, FloatGraph, Graph, IntegerGraph
from ...nodes import (
    LIF,
    Dense,
    Diagonal,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Readout,
    Relay,
    Scan,
    SomaWire,
)
from ...nodes.arithmetic import Array

T = TypeVar("T")
RelayT = TypeVar("RelayT")
ScanT = TypeVar("ScanT")
LIFT = TypeVar("LIFT")
ReadoutT = TypeVar("ReadoutT")
RELAYED = ("u", "B", "C")
"""Ports of the scan that a relay feeds."""


@dataclass(frozen=True)
class Roles:
    """Names of the parts; ``relays`` by port of the scan, dense ``edges`` by group, ``taps`` by rising delay."""

    x: str
    relays: dict[str, str]
    scan: str
    lif: str
    readout: str
    edges: dict[str, Edge]
    taps: tuple[Edge, ...]


@dataclass(frozen=True)
class Parts(Generic[RelayT, ScanT, LIFT, ReadoutT]):
    """The nodes of the roles."""

    relays: dict[str, RelayT]
    scan: ScanT
    lif: LIFT
    readout: ReadoutT


def roles_of(graph: FloatGraph | IntegerGraph) -> Roles:
    """Find the parts of the last block; a graph without such a block is refused with the layer's name."""
    readout = graph.output
    into = [edge for edge in graph.into(readout) if isinstance(edge.synapse, Dense)]
    if not isinstance(graph.nodes[readout], Readout | IntegerReadout) or len(into) != 1:
        raise _no_block(readout, "is not a leaky readout of one block")
    lif = into[0].source
    wires = [edge for edge in graph.into(lif) if isinstance(edge.synapse, SomaWire)]
    if len(wires) != 1 or not isinstance(graph.nodes[wires[0].source], Scan | IntegerScan):
        raise _no_block(lif, "is not the soma of a selective scan")
    scan = wires[0].source
    relays = {port: _source(graph, scan, port) for port in RELAYED}
    edges = {f"w_{port.lower()}": _dense(graph, name, "a") for port, name in relays.items()}
    edges |= {"w_dt": _dense(graph, scan, "dt"), "w_o": into[0]}
    taps = tuple(sorted((edge for edge in graph.into(scan) if edge.port == "u"), key=lambda edge: edge.delay))
    return Roles(edges["w_dt"].source, relays, scan, lif, readout, edges, taps)


def float_parts(graph: FloatGraph, roles: Roles) -> Parts[Relay, Scan, LIF, Readout]:
    """Return the nodes of the float graph."""
    relays = {port: part(graph, name, Relay) for port, name in roles.relays.items() if name in graph.nodes}
    nodes = part(graph, roles.scan, Scan), part(graph, roles.lif, LIF), part(graph, roles.readout, Readout)
    return Parts(relays, *nodes)


def integer_parts(graph: IntegerGraph, roles: Roles) -> Parts[IntegerRelay, IntegerScan, IntegerLIF, IntegerReadout]:
    """Return the nodes of the integer graph."""
    relays = {port: part(graph, name, IntegerRelay) for port, name in roles.relays.items() if name in graph.nodes}
    scan, lif = part(graph, roles.scan, IntegerScan), part(graph, roles.lif, IntegerLIF)
    return Parts(relays, scan, lif, part(graph, roles.readout, IntegerReadout))


def part(graph: Graph[Any], layer: str, kind: type[T]) -> T:
    """Return a node; one that is not of type ``kind`` is refused."""
    node = graph.nodes[layer]
    if not isinstance(node, kind):
        raise _no_block(layer, f"is a {type(node).__name__}, where a {kind.__name__} is needed")
    return node


def dense_weight(edge: Edge) -> Array:
    """Return the weights (post, pre) of a dense synapse."""
    if not isinstance(edge.synapse, Dense):
        raise _no_block(
            edge.target, f"is reached from '{edge.source}' by a {edge.synapse.kind} synapse, not a dense one"
        )
    return edge.synapse.weight


def tap_weight(edge: Edge) -> Array:
    """Return the weights (channels,) of a tap."""
    if not isinstance(edge.synapse, Diagonal):
        raise _no_block(edge.target, f"is reached from '{edge.source}' by a {edge.synapse.kind} synapse, not by a tap")
    return edge.synapse.weight


def weight_into(graph: FloatGraph | IntegerGraph, layer: str, port: str) -> Array:
    """Return the weights (post, pre) of the only dense synapse into a port."""
    return dense_weight(_dense(graph, layer, port))


def conv_of(roles: Roles) -> Array:
    """Return the integer weights of the taps, (channels, taps)."""
    return np.stack([np.asarray(tap_weight(edge), np.int64) for edge in roles.taps], axis=1)


def _source(graph: FloatGraph | IntegerGraph, scan: str, port: str) -> str:
    sources = {edge.source for edge in graph.into(scan) if edge.port == port}
    if len(sources) != 1:
        raise _no_block(scan, f"has {len(sources)} layers at its port {port}, one relay is needed")
    return sources.pop()


def _dense(graph: FloatGraph | IntegerGraph, layer: str, port: str) -> Edge:
    edges = [edge for edge in graph.into(layer) if edge.port == port]
    if len(edges) != 1:
        raise _no_block(layer, f"has {len(edges)} synapses at its port {port}, one dense one is needed")
    dense_weight(edges[0])
    return edges[0]


def _no_block(layer: str, why: str) -> DoesNotFit:
    hint = "learning on the chip needs a BIM block below the readout"
    return DoesNotFit([Finding("plastic-block", layer, f"layer '{layer}' {why}", hint=hint)])

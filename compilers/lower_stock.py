"""The stock lowering: a float graph of BIM blocks becomes a float graph of neurons and synapses that Lava ships.

    relay, scan, soma, readout   ->   graded vectors, products, rectified vectors, LIF      (stock/block, stock/readout)

The lowered graph counts in the units of its integers: quantising only rounds. Number formats follow from bounds that
hold for every input; training input decides alone where the segments of the bank lie, and the bits of a decay.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, log2
from typing import cast

import numpy as np

from ..choices import SEGMENTS
from ..errors import DoesNotFit, Finding
from ..graph import Edge, FloatGraph
from ..nodes import LIF, Dense, Diagonal, Readout, Relay, Scan
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..nodes.source import SIGNED
from ..simulation.reference import simulate_float
from .stock.block import FusedBlock, Given, lower_block
from .stock.projection import Signal
from .stock.readout import lower_readout
from .stock.wires import LINES, Wires

LEAST_BITS, MOST_BITS = 10, 13
"""Of a decay, unless others are asked for."""
MEASURED = 512
"""Samples of the given input that are looked at."""
_OUTLIERS = 5e-4  # share of the steps whose z may lie beyond the first knot, and beyond the last
_RESOLVED = 8  # units of the slowest leak
_MEDIAN = 0.5


@dataclass(frozen=True)
class StockSettings:
    """Settings of the lowering: pieces of the bank and bits of a decay, 0 where they follow from the decays."""

    segments: int = SEGMENTS
    decay_bits: int = 0


@dataclass(frozen=True)
class Lowered:
    """A lowered graph, and what its layers hold and send where the model has the same layer.

    ``exponents`` are those of their messages, ``worth`` the real value of 1 of their states. ``cleared`` are warnings,
    (rule, layer), that a proof of the lowering answers.
    """

    graph: FloatGraph
    exponents: dict[str, float]
    cleared: frozenset[tuple[str, str]]
    worth: dict[str, float] = field(default_factory=dict)


def lower_stock(graph: FloatGraph, x: Array, origin: str, settings: StockSettings | None = None) -> Lowered:
    """Return the graph lowered to processes that Lava ships.

    ``x`` (samples, steps, lines) is typical input as the float law reads it, and ``origin`` what the assumptions call
    it. A graph that is no chain of BIM blocks is refused by the name of the layer.
    """
    settings = settings or StockSettings()
    if graph.encoder.reads_raw:
        raise _refused("input", "reads raw values, the stock lowering wants an encoder of whole messages")
    few = x[:: max(1, len(x) // MEASURED)][:MEASURED]
    lines = graph.nodes[graph.source].neurons
    exponent = round(graph.encoder.exponent)
    encoder = replace(graph.encoder, constants=LINES)
    wires = Wires(graph.source, lines, exponent, {graph.source: encoder.source})
    largest = np.full(1, 127.0 if graph.encoder.kind in (*SIGNED, "counts") else 1.0)
    signal = Signal(graph.source, np.full(1, 2.0**-exponent), largest, signed=graph.encoder.kind in SIGNED)
    said: list[str] = []
    scans = [name for name in graph.order if isinstance(graph.nodes[name], Scan)]
    if not scans:
        raise _refused(graph.output, "ends a graph with no block of a scan")
    for name in scans:
        weights, source = _block(graph, name)
        _check_chain(name, source, signal.name)
        messages = _messages(graph, source, few)
        given = _given(weights, messages, settings)
        signal = lower_block(wires, signal, weights, given)
        said.append(f"{weights.name}: {given.segments} segments, decays of {given.decay_bits} bits")
    _check_chain(graph.output, _into(graph, graph.output, "a", Dense)[0].source, signal.name)
    unit = lower_readout(wires, signal, graph.output, *_readout(graph))
    wires.finish()
    how = f"The program is made of processes that Lava ships ({'; '.join(said)}); knots lie where {origin} has its z."
    extra = {**graph.extra, "assumptions": [*graph.extra.get("assumptions", ()), how]}
    lowered = FloatGraph(
        wires.nodes, wires.edges(), graph.dt, encoder, graph.task, graph.labels, extra  # type: ignore[arg-type]
    )  # fmt: skip
    somas = {name: node.v_threshold for name, node in wires.nodes.items() if isinstance(node, LIF)}
    cleared = frozenset(("dendrite-bits", name) for name in somas)
    worth = {name: _threshold(graph, name) / own for name, own in somas.items()}
    return Lowered(lowered, {graph.output: -log2(unit)}, cleared, worth)


def _threshold(graph: FloatGraph, soma: str) -> float:
    return cast(LIF, graph.nodes[soma]).v_threshold


def _given(w: FusedBlock, messages: Array, settings: StockSettings) -> Given:
    """Return where z lies for the messages that a block reads, and how many bits its decays need."""
    z = messages.reshape(-1, messages.shape[-1]) @ w.w_dt.T + w.bias_dt
    low, high = np.quantile(z, (_OUTLIERS, 1 - _OUTLIERS), axis=0)
    wide = np.maximum(high - low, 1e-3 * (1 + np.abs(low)))
    typical = np.exp(np.logaddexp(0.0, np.quantile(z, _MEDIAN, axis=0))[:, None] * w.a)
    leak = max(1 / messages.shape[1], float((1 - typical).min()))  # a slower state does not move within a sample
    bits = settings.decay_bits or min(max(ceil(log2(_RESOLVED / leak)), LEAST_BITS), MOST_BITS)
    return Given(low, low + wide, settings.segments, bits)


def _messages(graph: FloatGraph, source: str, x: Array) -> Array:
    """Return what a node sends in the float law, (samples, steps, neurons)."""
    if source == graph.source:
        return x
    return simulate_float(graph, x, probe=[f"{source}.message"]).probes[f"{source}.message"]


def _block(graph: FloatGraph, scan: str) -> tuple[FusedBlock, str]:
    """Return the weights of the block of a scan, and the name of the node that it reads."""
    node = graph.nodes[scan]
    assert isinstance(node, Scan)
    name = scan.removesuffix(".scan")
    taps = _into(graph, scan, "u", Diagonal)
    u, x = taps[0].source, _into(graph, scan, "dt", Dense)[0]
    w_u, bias_u = _relay(graph, u)
    b, c = (graph.into(scan)[_place(graph, scan, port)].source for port in ("B", "C"))
    w_b, b_b = _relay(graph, b)
    w_c, b_c = _relay(graph, c)
    conv = np.zeros((node.neurons, 1 + max(edge.delay for edge in taps)))
    for edge in taps:
        conv[:, edge.delay] = edge.synapse.weight  # type: ignore[attr-defined]
    sources = {_into(graph, relay, "a", Dense)[0].source for relay in (u, b, c)} | {x.source}
    soma = [edge.target for edge in graph.edges if edge.source == scan]
    lif = graph.nodes[soma[0]] if len(soma) == 1 else None
    if len(sources) != 1 or not isinstance(lif, LIF) or lif.current_decay or lif.bias.any() or not node.ranges.y:
        raise _refused(scan, "is no BIM block: one input, one LIF without bias or current, and a measured range of y")
    weights = FusedBlock(
        name, w_u, conv, node.bias_u + conv.sum(axis=1) * bias_u, x.synapse.weight, node.bias_dt, w_b, b_b, w_c, b_c,  # type: ignore[attr-defined]
        node.a, node.d_skip, node.ranges.y, soma[0], lif.decay, lif.v_threshold,
    )  # fmt: skip
    return weights, x.source


def _relay(graph: FloatGraph, name: str) -> tuple[Array, Array]:
    """Return the matrix and the bias of a relay."""
    node: Node = graph.nodes[name]
    if not isinstance(node, Relay):
        raise _refused(name, f"is a {node.kind}, the stock lowering wants a relay here")
    edge = _into(graph, name, "a", Dense)[0]
    weight: Array = edge.synapse.weight  # type: ignore[attr-defined]
    return weight, node.bias


def _readout(graph: FloatGraph) -> tuple[Readout, Array]:
    node = graph.nodes[graph.output]
    if not isinstance(node, Readout):
        raise _refused(graph.output, f"is a {node.kind}, the stock lowering wants a readout at the end")
    weight: Array = _into(graph, graph.output, "a", Dense)[0].synapse.weight  # type: ignore[attr-defined]
    return node, weight


def _place(graph: FloatGraph, name: str, port: str) -> int:
    return next(index for index, edge in enumerate(graph.into(name)) if edge.port == port)


def _into(graph: FloatGraph, name: str, port: str, kind: type) -> list[Edge]:
    """Return the edges into a port, which must all be of a kind."""
    edges = [edge for edge in graph.into(name) if edge.port == port]
    several = kind is Dense and (len(edges) > 1 or any(edge.delay for edge in edges))
    if not edges or several or not all(isinstance(edge.synapse, kind) for edge in edges):
        what = "one dense synapse without delay" if kind is Dense else f"{kind.__name__.lower()} synapses"
        raise _refused(name, f"reads port {port} not over {what}, as a BIM block does")
    return edges


def _check_chain(layer: str, reads: str, before: str) -> None:
    if reads != before:
        raise _refused(layer, f"reads '{reads}' and not '{before}': the stock lowering wants one block after another")


def _refused(layer: str, why: str) -> DoesNotFit:
    message = f"layer '{layer}' {why}"
    return DoesNotFit([Finding("lowering", layer, message, hint="leave the lowering out, or train a model of blocks")])

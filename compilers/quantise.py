"""Quantise: turn a float graph into an integer graph, node by node from the source on.

Weights are int8, with one scale per target neuron where the neuron rescales its input (relay, scan, readout), one scale
per layer where it cannot (Lava's LIF). Rules N6 to N11 and N24 of docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np

from ..errors import DoesNotFit, Finding
from ..graph import Edge, Extra, FloatGraph, IntegerGraph
from ..nodes import (
    LIF,
    Conv,
    Cuba,
    Dense,
    Graded,
    Prod,
    Shifted,
    Sparse,
)
from ..nodes.arithmetic import WORD_MAX, Array
from ..nodes.lif import DECAY_BITS, V_THRESHOLD_MAX
from ..nodes.node import IntegerNode, Node
from ..nodes.synapses import WEIGHT_MAX, WEIGHTED
from .align import in_chip_time
from .calibrate import largest_message, magnitude, with_bounds
from .quantise_nodes import Quantised, exact_units, exponent_for, kept_unit, quantise_node
from .quantise_weights import Scales, Scaling, in_units, quantise_port, row_maximum
from .two_lists import in_two_lists

_UNLIMITED = 62


@dataclass(frozen=True)
class Units:
    """Real values of integers: ``sums`` of one unit at each node's ports, ``exponents`` of its message.

    ``states`` are those of one unit of each node's states, by their names.
    """

    sums: dict[str, Scales]
    exponents: dict[str, float]
    states: dict[str, dict[str, float]]

    def weight(self, edge: Edge) -> Array:
        """Return the real value of one unit of an edge's weights, (neurons,)."""
        return np.asarray(self.sums[edge.target][edge.port] * 2.0 ** self.exponents[edge.source])


def quantise(graph: FloatGraph, growth: Mapping[str, float] | None = None) -> IntegerGraph:
    """Return the integer graph; its only delays are the taps of convolutions (see `align`).

    ``growth`` names the ports, as 'block1.u.a', whose weights will learn, and by which factor their largest weight may
    grow; all neurons of such a port share one scale, so that an update means the same everywhere.
    """
    return quantise_with_units(graph, growth)[0]


def quantise_with_units(graph: FloatGraph, growth: Mapping[str, float] | None = None) -> tuple[IntegerGraph, Units]:
    """Return the graph as `quantise` does, and the real values of its integers; `DoesNotFit` lists all findings."""
    growth, graph = growth or {}, with_bounds(graph)
    findings: list[Finding] = []
    done: dict[str, Quantised] = {}
    edges: dict[str, Edge] = {}
    high: list[Edge] = []
    sums: dict[str, Scales] = {}
    for name in graph.order:
        node = graph.nodes[name]
        sums[name] = scales = dict[str, Array]()
        for port, width in node.ports.items():
            into = [edge for edge in graph.into(name) if edge.port == port]
            exponents = {edge.source: _exponent(graph, edge, done, findings) for edge in into}
            wanted = _wanted(node, growth.get(f"{name}.{port}"))
            if any(isinstance(edge.synapse, Shifted) for edge in into):
                integer, scales[port] = in_units(into, width, exponents)
            else:
                integer, scales[port] = quantise_port(into, width, exponents, wanted)
            if wanted.wide:
                lists = [part for edge in integer for part in in_two_lists(edge)]
                integer = [part for part in lists if part.port == port]
                high += [part for part in lists if part.port != port]
            edges.update({edge.name: edge for edge in integer})
        done[name] = _collected(findings, node, scales, name, _finest(graph, name))
        if name == graph.source:
            done[name] = Quantised(done[name].node, graph.encoder.exponent)
    if findings:
        raise DoesNotFit(findings)
    integer_graph = IntegerGraph(
        {name: done[name].node for name in graph.nodes},
        (*(edges[edge.name] for edge in graph.edges), *high),
        graph.dt,
        graph.encoder,
        graph.task,
        graph.labels,
        Extra(shapes=graph.extra["shapes"]) if "shapes" in graph.extra else Extra(),
    )
    exponents = {name: quantised.exponent for name, quantised in done.items()}
    units = Units(sums, exponents, {name: quantised.units for name, quantised in done.items()})
    return in_chip_time(integer_graph), units


def _wanted(node: Node, growth: float | None) -> Scaling:
    """Return how the weights into a node are scaled; a LIF has one unit, and a threshold in it."""
    lif, wide = isinstance(node, LIF), isinstance(node, Cuba) and node.wide
    return Scaling(
        per_neuron=not lif and growth is None,
        growth=growth or 1.0,
        wide=wide,
        grid=growth is None and isinstance(node, LIF | Cuba),
        threshold=node.v_threshold if isinstance(node, LIF) else 0.0,
        settle=partial(exact_units, node) if isinstance(node, Cuba) and wide and node.counts != "none" else None,
        exact=kept_unit(node) if growth is None else 0.0,
    )


def _exponent(graph: FloatGraph, edge: Edge, done: Mapping[str, Quantised], findings: list[Finding]) -> float:
    """Return the exponent of what an edge carries; a loop's source is not done yet, but a spike has no fraction, and
    graded and product neurons count in units."""
    source = graph.nodes[edge.source]
    spikes = isinstance(source, LIF | Graded | Prod) or (isinstance(source, Cuba) and source.counts != "none")
    if edge.source not in done and not spikes:
        message = f"synapse '{edge.name}' closes a loop with graded messages, only spikes may come back"
        findings.append(Finding("loop", edge.source, message, hint="put a spiking neuron into the loop"))
    return done[edge.source].exponent if edge.source in done else 0


def _collected(findings: list[Finding], node: Node, scales: Scales, name: str, finest: int) -> Quantised:
    """Return the integer node; if it cannot be made, add the findings and return a placeholder to go on with."""
    try:
        quantised = quantise_node(node, scales, name, finest)
    except DoesNotFit as error:
        findings += error.findings
        return Quantised(cast(IntegerNode, node), 0)
    findings += _constants(quantised.node, name)
    return quantised


def _finest(graph: FloatGraph, name: str) -> int:
    """Return the largest exponent at which no sum of a node's graded messages overflows its 24-bit word.

    The largest weight into a neuron is 127; where several synapses end at one port, each gets an equal share.
    """
    finest, largest = _UNLIMITED, largest_message(graph.nodes[name])
    for edge in graph.edges:
        soma = graph.nodes[edge.target]
        if edge.source == name and graph.nodes[name].kind not in _ADDED_UP and isinstance(soma, LIF):
            current = largest / max(1 - soma.current_decay, 2.0**-DECAY_BITS)  # steady state; it must not overflow
            finest = min(finest, exponent_for(current, V_THRESHOLD_MAX))
            finest = min(finest, exponent_for(soma.v_threshold, V_THRESHOLD_MAX, headroom=1.0))
        if edge.source == name and isinstance(edge.synapse, _added_up(graph.nodes[name])) and largest:
            sharing = sum(other.target == edge.target and other.port == edge.port for other in graph.edges)
            rows = row_maximum(edge.synapse, graph.nodes[edge.target].ports[edge.port])
            sums = magnitude(edge.synapse, np.full(graph.nodes[name].neurons, largest))
            units = float(np.max(sums / np.where(rows > 0, rows, 1.0), initial=0.0)) * WEIGHT_MAX * sharing
            finest = min(finest, exponent_for(units, WORD_MAX))
    return finest


def _added_up(node: Node) -> tuple[type, ...]:
    """Name the synapses on which the messages of a node may overflow: the taps of a BIM block's conv cannot."""
    if isinstance(node, Cuba):  # a count has no fraction to give up
        return WEIGHTED if node.counts == "none" else ()
    return _ADDED_UP.get(node.kind, (Dense, Sparse, Conv))


_ADDED_UP: dict[str, tuple[type, ...]] = {
    "source": (),
    "lif": (),
    "scan": (),
    "readout": WEIGHTED,
    "graded": (),
    "product": (),
}
"""Kinds whose messages are bounded otherwise, or are voltages; those of any other are taken for a relay's."""


def _constants(node: IntegerNode, name: str) -> Iterator[Finding]:
    """Find a bias or factor too large for a word of the chip: it is far beyond the calibrated range."""
    for part, value in vars(node).items():
        largest = int(np.abs(value).max(initial=0)) if isinstance(value, np.ndarray) else 0
        if largest > WORD_MAX:
            message = f"layer '{name}' needs a {part} of {largest:.3g}, a word holds {WORD_MAX:,}"
            yield Finding("constant-bits", name, message, largest, WORD_MAX, "calibrate or train again")

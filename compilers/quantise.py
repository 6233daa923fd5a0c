"""Quantise: turn a float graph into an integer graph, node by node from the source on.

Weights are int8, with one scale per target neuron where the neuron rescales its input (relay, scan, readout), one scale
per layer where it cannot (Lava's LIF). Formats keep one bit of headroom over the measured or bounded range
(calibrate.py). Rules N6 to N11 of docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import singledispatch
from math import floor, log, log2
from typing import cast

import numpy as np

from ..errors import DoesNotFit, Finding
from ..graph import Edge, FloatGraph, IntegerGraph
from ..nodes import (
    LIF,
    Conv,
    Dense,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Readout,
    Relay,
    Scan,
    Source,
    Sparse,
)
from ..nodes.arithmetic import FACTOR_BITS, FACTOR_MAX, FRACTION_BITS, WORD_MAX, Z_BITS, Array
from ..nodes.lif import ACCUMULATOR_SHIFT, BIAS_EXP_MAX, BIAS_HIGH, DECAY_BITS, V_THRESHOLD_MAX
from ..nodes.node import IntegerNode, Node
from ..nodes.relay import MESSAGE_MAX
from ..nodes.scan import U_MAX, Y_MAX
from ..nodes.source import GRADED_BITS
from ..nodes.synapses import WEIGHT_MAX, WEIGHTED
from .align import in_chip_time
from .calibrate import largest_message, magnitude, with_bounds
from .quantise_weights import Scales, quantise_port, row_maximum

HEADROOM = 2.0  # a format saturates at this multiple of the calibrated range
_MAX_SHIFT = 40
LONG = 1000
"""A time constant of more steps may have the wrong unit: milliseconds read as seconds are 1000 times longer."""
_UNLIMITED = 62


@dataclass(frozen=True)
class Quantised:
    """An integer node and the exponent of its message: the real value is message * 2^-exponent."""

    node: IntegerNode
    exponent: int


@dataclass(frozen=True)
class Units:
    """Real values of integers: ``sums`` of one unit at each node's ports, and ``exponents`` of its message."""

    sums: dict[str, Scales]
    exponents: dict[str, int]

    def weight(self, edge: Edge) -> Array:
        """Return the real value of one unit of an edge's weights, (neurons,)."""
        return self.sums[edge.target][edge.port] * 2.0 ** self.exponents[edge.source]


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
    sums: dict[str, Scales] = {}
    for name in graph.order:
        node = graph.nodes[name]
        sums[name] = scales = dict[str, Array]()
        for port, width in node.ports.items():
            into = [edge for edge in graph.into(name) if edge.port == port]
            factor = growth.get(f"{name}.{port}", 1.0)
            per_neuron = not isinstance(node, LIF) and f"{name}.{port}" not in growth
            exponents = {edge.source: _exponent(graph, edge, done, findings) for edge in into}
            integer, scales[port] = quantise_port(into, width, exponents, per_neuron=per_neuron, growth=factor)
            edges.update({edge.name: edge for edge in integer})
        done[name] = _collected(findings, node, scales, name, _finest(graph, name))
    if findings:
        raise DoesNotFit(findings)
    integer_graph = IntegerGraph(
        {name: done[name].node for name in graph.nodes},
        tuple(edges[edge.name] for edge in graph.edges),
        graph.dt,
        graph.encoder,
        graph.task,
        graph.labels,
    )
    units = Units(sums, {name: quantised.exponent for name, quantised in done.items()})
    return in_chip_time(integer_graph), units


def _exponent(graph: FloatGraph, edge: Edge, done: Mapping[str, Quantised], findings: list[Finding]) -> int:
    """Return the exponent of what an edge carries; a loop's source is not done yet, but a spike has no fraction."""
    if edge.source not in done and not isinstance(graph.nodes[edge.source], LIF):
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


@singledispatch
def quantise_node(node: Node, scales: Scales, name: str, finest: int) -> Quantised:
    """Return the integer node; a node without an integer law is refused by name.

    ``finest`` is the largest exponent at which the sums of its graded messages do not overflow at their targets.
    """
    raise DoesNotFit([Finding("supported-node", name, f"layer '{name}': no integer law for {type(node).__name__}")])


@quantise_node.register
def _(node: Source, scales: Scales, name: str, finest: int) -> Quantised:
    return Quantised(node, GRADED_BITS if node.graded else 0)


@quantise_node.register
def _(node: Relay, scales: Scales, name: str, finest: int) -> Quantised:
    exponent = min(exponent_for(node.message_range, MESSAGE_MAX), finest, _factor_exponent(scales["a"]))
    multiplier, shift = as_factor(scales["a"] * 2.0**exponent)
    return Quantised(IntegerRelay(multiplier, shift, _integer(node.bias, exponent)), exponent)


@quantise_node.register
def _(node: Readout, scales: Scales, name: str, finest: int) -> Quantised:
    exponent = min(exponent_for(node.v_range, WORD_MAX), 20, finest, _factor_exponent(scales["a"]))
    multiplier, shift = as_factor(scales["a"] * 2.0**exponent)
    decay = min(round(node.decay * 2**FACTOR_BITS), FACTOR_MAX) if node.decay < 1 else 2**FACTOR_BITS
    return Quantised(IntegerReadout(decay, multiplier, shift, _integer(node.bias, exponent)), exponent)


@quantise_node.register
def _(node: Scan, scales: Scales, name: str, finest: int) -> Quantised:
    ranges = node.ranges
    u_exponent = exponent_for(ranges.u, U_MAX)
    du_exponent = min(exponent_for(ranges.du, WORD_MAX), u_exponent + FRACTION_BITS)
    b_exponent, c_exponent = (-int(log2(scales[port][0])) for port in ("B", "C"))
    h_exponent = min(exponent_for(ranges.h, WORD_MAX), du_exponent + b_exponent)
    y_exponent = min(exponent_for(ranges.y, Y_MAX), h_exponent + c_exponent)
    u_multiplier, u_shift = as_factor(scales["u"] * 2.0**u_exponent)
    dt_multiplier, dt_shift = as_factor(scales["dt"] * 2.0**Z_BITS)
    alpha, alpha_shift = as_factor(-node.a * np.log2(np.e))
    d_exponent = exponent_for(float(np.abs(node.d_skip).max()), WORD_MAX, headroom=1.0)
    d_exponent = max(d_exponent - max(0, d_exponent + u_exponent - y_exponent - _MAX_SHIFT), y_exponent - u_exponent)
    return Quantised(
        IntegerScan(
            alpha=alpha,
            alpha_shift=alpha_shift,
            d_skip=_integer(node.d_skip, d_exponent),
            d_shift=d_exponent + u_exponent - y_exponent,
            u_multiplier=u_multiplier,
            u_shift=u_shift,
            u_bias=_integer(node.bias_u, u_exponent),
            dt_multiplier=dt_multiplier,
            dt_shift=dt_shift,
            dt_bias=_integer(node.bias_dt, Z_BITS),
            du_shift=FRACTION_BITS + u_exponent - du_exponent,
            b_shift=du_exponent + b_exponent - h_exponent,
            c_shift=h_exponent + c_exponent - y_exponent,
        ),
        y_exponent,
    )


@quantise_node.register
def _(node: LIF, scales: Scales, name: str, finest: int) -> Quantised:
    unit = float(scales["i"][0])
    threshold = round(node.v_threshold / unit)
    if not 0 <= threshold <= V_THRESHOLD_MAX:
        low = "a LIF rests at 0, so its threshold must not be negative"
        hint = _overflow_hint(node, "threshold") if threshold > 0 else low
        message = f"layer '{name}' needs a threshold of {threshold}, a LIF holds 0 to {V_THRESHOLD_MAX}"
        raise DoesNotFit([Finding("lif-threshold", name, message, threshold, V_THRESHOLD_MAX, hint)])
    unity = 2**DECAY_BITS
    du = round(unity * (1 - node.current_decay)) - 1
    dv = round(unity * (1 - node.decay))
    bias = _lif_bias(node, unit, name)
    return Quantised(IntegerLIF(node.size, min(max(du, 0), unity - 1), min(dv, unity - 1), threshold, *bias), 0)


def _overflow_hint(node: LIF, what: str) -> str:
    """Say why a constant overflows: a time constant in the wrong unit, which makes the weights small, or any other."""
    longest = max(-1 / log(decay) for decay in (node.decay, node.current_decay, 0.5) if 0 < decay < 1)
    asked = f"its time constant of {longest:,.0f} steps makes the weights small: is tau in seconds? else "
    rescale = f"rescale the weights into this layer: {what} / largest weight must become smaller"
    return asked + rescale if longest > LONG else rescale


def _lif_bias(node: LIF, unit: float, name: str) -> tuple[Array, int]:
    """Round to 13-bit mantissas, at the smallest exponent that holds the largest bias."""
    bias = node.bias / unit * 2**ACCUMULATOR_SHIFT
    largest = float(np.abs(bias).max(initial=0.0))
    for exponent in range(BIAS_EXP_MAX + 1):
        if round(largest / 2**exponent) <= BIAS_HIGH:
            return _whole(bias / 2**exponent), exponent
    limit = BIAS_HIGH * 2**BIAS_EXP_MAX
    message = f"layer '{name}' needs a bias of {largest:,.0f}, a LIF holds {BIAS_HIGH:,} times 2^{BIAS_EXP_MAX}"
    raise DoesNotFit([Finding("lif-bias", name, message, largest, limit, _overflow_hint(node, "bias"))])


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
    return _ADDED_UP.get(node.kind, (Dense, Sparse, Conv))


_ADDED_UP: dict[str, tuple[type, ...]] = {"source": (), "lif": (), "scan": (), "readout": WEIGHTED}
"""Kinds whose messages are bounded otherwise, or are voltages; those of any other are taken for a relay's."""


def exponent_for(largest: float, maximum: int, headroom: float = HEADROOM) -> int:
    """Return the largest exponent at which ``largest`` times the headroom still fits below ``maximum``."""
    return floor(log2(maximum / (headroom * max(largest, 1e-6))))


def _factor_exponent(unit: Array) -> int:
    """Return the largest exponent at which the factor that rescales the largest unit still fits its 16 bits."""
    return floor(log2(FACTOR_MAX / max(float(unit.max(initial=0.0)), 1e-12)))


def as_factor(real: Array) -> tuple[Array, int]:
    """Write positive reals as 16-bit integers times one power of two: real = factor * 2^-shift."""
    shift = min(max(floor(log2(FACTOR_MAX / max(float(np.max(real)), 1e-12))), 0), _MAX_SHIFT)
    return _whole(real * 2.0**shift), shift


def _integer(real: Array, exponent: int) -> Array:
    return _whole(real * 2.0**exponent)


def _whole(real: Array) -> Array:
    """Round to integers; values far beyond a word are clipped, not wrapped."""
    return np.asarray(np.rint(np.clip(real, -(2.0**62), 2.0**62)), dtype=np.int64)


def _constants(node: IntegerNode, name: str) -> Iterator[Finding]:
    """Find a bias or factor too large for a word of the chip: it is far beyond the calibrated range."""
    for part, value in vars(node).items():
        largest = int(np.abs(value).max(initial=0)) if isinstance(value, np.ndarray) else 0
        if largest > WORD_MAX:
            message = f"layer '{name}' needs a {part} of {largest:.3g}, a word holds {WORD_MAX:,}"
            yield Finding("constant-bits", name, message, largest, WORD_MAX, "calibrate or train again")

"""Calibration: the ranges of messages and states, measured by the float law on input, or bounded from the weights.

Measured ranges are stored with a trained model and with a graph imported together with input. A range that was not
measured is replaced by a bound when the graph is quantised: it holds for every input, and costs precision where real
input stays far below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import singledispatch

import numpy as np

from ..errors import Finding, not_registered
from ..graph import FloatGraph
from ..nodes import Broadcast, Conv, Cuba, Dense, Diagonal, Readout, Relay, Scan, SomaWire, Sparse
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..nodes.ranges import ranges_of, unmeasured, with_ranges
from ..nodes.synapses import Synapse
from ..simulation.reference import simulate_float

SAMPLES = 32
"""Number of samples of the given input on which the ranges of an imported graph are measured."""
INTEGRATED = 1000
"""Steps for which the bound of a readout without leak holds; for unlimited time it has no bound."""
SUNK = 256
"""Thresholds below 0 to which inhibition may take the bound of a spiking neuron; what goes lower saturates, counted."""
_MEASURE = "give typical input of the model, --input FILE.npz or compile(..., input=x)"
_PROBES = {"y": "message"}  # ranges whose name differs from the probe that measures them


def calibrate(graph: FloatGraph, x: Array) -> dict[str, float]:
    """Return the largest magnitudes, {'block1.scan.h': 3.2, ...}, for encoded input x (samples, steps, lines)."""
    largest: dict[str, float] = {}

    def see(samples: slice, name: str, first: int, values: dict[str, Array]) -> None:
        for key, seen in values.items():
            largest[f"{name}.{key}"] = max(largest.get(f"{name}.{key}", 0.0), float(np.abs(seen).max()))

    simulate_float(graph, x, probe=False, watch=see)
    return largest


def calibrated(graph: FloatGraph, x: Array, origin: str = "the given input") -> FloatGraph:
    """Return the graph with every missing range measured on the first samples of x, as `calibrate` does.

    A graph whose ranges are all known is returned unchanged; ``extra['calibration']`` says what was measured.
    """
    missing = uncalibrated(graph)
    if not missing:
        return graph
    few = x[:SAMPLES]
    largest = calibrate(graph, few)
    nodes = {
        name: with_ranges(node, {key: largest[f"{name}.{_PROBES.get(key, key)}"] for key in unmeasured(node)})
        for name, node in graph.nodes.items()
    }
    said = f"the ranges of {', '.join(missing)} were measured on {len(few)} samples of {origin}"
    return graph.with_nodes(nodes, calibration=said)


def uncalibrated(graph: FloatGraph) -> tuple[str, ...]:
    """Return the names of the nodes with a range that was not measured."""
    return tuple(name for name, node in graph.nodes.items() if unmeasured(node))


def range_findings(graph: FloatGraph) -> Iterator[Finding]:
    """Say which ranges were not measured, and which of them have no bound for unlimited time."""
    missing = uncalibrated(graph)
    if graph.encoder.unmeasured:
        message = f"the scale of the input was not measured: encoder {graph.encoder.kind} takes values from -1 to 1"
        yield Finding("range", graph.source, message, hint=_MEASURE, severity="warning")
    if not missing:
        return
    message = f"the ranges of {', '.join(missing)} were not measured: bounds from the weights are used instead"
    if endless := [name for name in missing if np.any(np.equal(getattr(graph.nodes[name], "decay", 0.0), 1))]:
        message += f"; {', '.join(endless)} have no leak, their bound holds for {INTEGRATED:,} steps"
    hint = f"bounds cost precision: {_MEASURE}"
    yield Finding("range", missing[0], message, len(missing), 0, hint, severity="warning")


def with_bounds(graph: FloatGraph) -> FloatGraph:
    """Return the graph with a bound in place of every range that was not measured; no input exceeds a bound.

    An input whose scale was not measured is taken to lie from -1 to 1.
    """
    graph = replace(graph, encoder=graph.encoder.assumed) if graph.encoder.unmeasured else graph
    if not uncalibrated(graph):
        return graph
    nodes = dict(graph.nodes)
    for name in graph.order:
        if missing := unmeasured(nodes[name]):
            bounds = bound(nodes[name], _inputs(graph, name, nodes))
            nodes[name] = with_ranges(nodes[name], {key: bounds[key] for key in missing})
    return graph.with_nodes(nodes)


def _inputs(graph: FloatGraph, name: str, nodes: Mapping[str, Node]) -> dict[str, Array]:
    """Return the largest magnitude of every input sum of a node, by port."""
    sums = {port: np.zeros(width) for port, width in nodes[name].ports.items()}
    for edge in graph.into(name):
        source = nodes[edge.source]
        largest = graph.encoder.largest if edge.source == graph.source else largest_message(source)
        sums[edge.port] += magnitude(edge.synapse, np.full(source.neurons, largest))
    return sums


def largest_message(node: Node) -> float:
    """Return the largest magnitude of a node's message; a spike and a graded input line are at most 1."""
    if isinstance(node, Cuba) and node.counts != "none":
        return 1.0 if node.counts == "one" else max(1.0, node.v_range / float(node.v_threshold.min()))
    ranges = ranges_of(node)
    return next((ranges[key] for key in ("message", "v", "y") if key in ranges), 1.0)


@singledispatch
def magnitude(synapse: Synapse, message: Array) -> Array:
    """Return the largest magnitude of the sum of a synapse for messages of the given magnitudes."""
    raise not_registered(synapse, "magnitude", "compilers/calibrate.py")


@magnitude.register(Dense)
@magnitude.register(Diagonal)
@magnitude.register(Sparse)
@magnitude.register(Conv)
def _(synapse: Dense | Diagonal | Sparse | Conv, message: Array) -> Array:
    return replace(synapse, weight=np.abs(synapse.weight)).apply(message)


@magnitude.register(Broadcast)
@magnitude.register(SomaWire)
def _(synapse: Broadcast | SomaWire, message: Array) -> Array:
    return message


@singledispatch
def bound(node: Node, inputs: Mapping[str, Array]) -> dict[str, float]:
    """Return the largest magnitude of each range of a node; ``inputs`` are the largest sums at its ports."""
    raise not_registered(node, "bound", "compilers/calibrate.py")


@bound.register
def _(node: Relay, inputs: Mapping[str, Array]) -> dict[str, float]:
    return {"message": float((inputs["a"] + np.abs(node.bias)).max())}


@bound.register
def _(node: Readout, inputs: Mapping[str, Array]) -> dict[str, float]:
    """|v| <= (|a| + |bias|) / (1 - decay), the geometric sum."""
    gain = 1 / (1 - node.decay) if node.decay < 1 else INTEGRATED
    return {"v": float((inputs["a"] + np.abs(node.bias)).max()) * gain}


@bound.register
def _(node: Cuba, inputs: Mapping[str, Array]) -> dict[str, float]:
    """|u| <= |gain a| / (1 - current_decay), |v| <= (|u| + |bias|) / (1 - decay), and what spikes leave of that."""
    u = np.abs(node.gain) * inputs["a"] * _settled(node.current_decay)
    v = (u + np.abs(node.bias)) * _settled(node.decay)
    if node.counts != "none":
        v = np.minimum(v, u + np.abs(node.bias) + SUNK * np.abs(node.v_threshold))
    known = [np.abs(getattr(node, name)).max(initial=0.0) for name in ("v_threshold", "v_reset", "v_start")]
    return {"u": float(u.max(initial=0.0)), "v": float(max(v.max(initial=0.0), *known))}


def _settled(decay: Array) -> Array:
    """Return the gain 1 / (1 - decay) at which a constant input settles."""
    return np.where(decay < 1, 1 / np.maximum(1 - decay, 1 / INTEGRATED), INTEGRATED)


@bound.register
def _(node: Scan, inputs: Mapping[str, Array]) -> dict[str, float]:
    """|h| <= u B delta / (1 - exp(delta A)), which grows with delta."""
    delta = np.logaddexp(0.0, inputs["dt"] + np.abs(node.bias_dt))
    u = inputs["u"] + np.abs(node.bias_u)
    h = u[:, None] * inputs["B"] * delta[:, None] / -np.expm1(delta[:, None] * node.a)
    y = h @ inputs["C"] + np.abs(node.d_skip) * u
    return {"u": float(u.max()), "du": float((delta * u).max()), "h": float(h.max()), "y": float(y.max())}

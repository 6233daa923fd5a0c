r"""Neurons in NIR's own nodes, so that forward Euler, as importers step, is our law: tau = dt / (1 - decay).

    Relay               Affine (weights and bias)
    LIF                 LIF:      r = 1 where the weights take the rest, else 1 / (1 - decay); v_leak is the bias
                                  where no Affine carries it
    LIF with a current  CubaLIF:  r = tau_mem / dt, w_in = tau_syn / dt: the ones that all importers take
    LIF, decay 1        IF:       r = 1 / dt
    Cuba                LIF, CubaLIF, IF, LI or CubaLI (two LI, one after the other, where that is not known), with a
                        value a neuron; its switches are in the metadata
    Readout             LI:       as LIF;  I where decay is 1;  Affine where it is 0
    Scan                LI and what leads there: see below

NIR cannot multiply two signals, so a scan is written as its linearisation at zero input. There u, B and C are
constants, delta is softplus(bias_dt), and a state (D, N) has the steady gain G = delta / (1 - exp(delta A)):

    y ~ sum_n [G B C (u + du) + u G C dB + u G B dC + u B C G' ddt] + D_skip o (u + du)
    G' = dG/ddelta sigmoid(bias_dt)

The sum passes one leaky integrator a channel, with the mean time constant of its N states: gains at rest are
exact, transients those of one state, not N. The exact law is in /bim_neuro, the products in the metadata.
"""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import nir
import numpy as np

from ..errors import InputError
from ..nodes import LIF, Cuba, Dense, Graded, Prod, Readout, Relay, Scan, Source
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .folding import integrates, slow
from .standard_layer import Layer, f4, full
from .standard_maps import per_channel


@singledispatch
def write_node(node: Node, name: str, layer: Layer) -> None:
    """Add the NIR nodes of a layer, and what leads to them, to the graph that ``layer`` builds."""
    raise InputError(f"layer '{name}': no NIR node for {type(node).__name__}")


@write_node.register(Graded)
@write_node.register(Prod)
def _(node: Graded | Prod, name: str, layer: Layer) -> None:
    message = f"layer '{name}': NIR has no {node.kind} neuron"
    raise InputError(message, "write the model as it was before its lowering; compile that with lowering stock")


@write_node.register
def _(node: Source, name: str, layer: Layer) -> None:
    layer.nodes[name] = nir.Input(np.array([node.channels]))


@write_node.register
def _(node: Relay, name: str, layer: Layer) -> None:
    edges = layer.into(name, "a")
    if len(edges) == 1 and isinstance(edges[0].synapse, Dense) and not edges[0].delay:
        layer.nodes[name] = nir.Affine(f4(edges[0].synapse.weight), f4(node.bias))
        layer.wire(layer.row_of(edges[0].source), [name])
    else:
        layer.nodes[name] = layer.shift(node.bias, name)
        layer.synapses(name, "a", [name])


@write_node.register
def _(node: LIF, name: str, layer: Layer) -> None:
    one = np.ones(node.size)
    current = node.current_decay * one if node.current_decay else None
    spikes = {"v_threshold": _threshold(node.v_threshold * one, ">", layer)}
    _add(_Neurons(name, "i", node.decay * one, current, node.bias, spikes), layer)


@write_node.register
def _(node: Cuba, name: str, layer: Layer) -> None:
    spikes = {}
    if node.counts != "none":
        spikes = {"v_threshold": _threshold(node.v_threshold, node.compare, layer), "v_reset": f4(node.v_reset)}
    current = node.current_decay if node.current_decay.any() else None
    _add(_Neurons(name, "a", node.decay, current, node.bias, spikes), layer)


@write_node.register
def _(node: Readout, name: str, layer: Layer) -> None:
    if node.decay == 0:
        layer.nodes[name] = layer.shift(node.bias, name)
        layer.synapses(name, "a", [name])
    else:
        _add(_Neurons(name, "a", np.full(node.neurons, node.decay), None, node.bias, {}), layer)


class _Neurons(NamedTuple):
    """One layer, a value a neuron: ``current`` is the decay of a synaptic current; ``spikes``, fields of its spikes."""

    name: str
    port: str
    decay: Array
    current: Array | None
    bias: Array
    spikes: dict[str, Array]


def _add(neurons: _Neurons, layer: Layer) -> None:
    name, spikes = neurons.name, neurons.spikes
    if integrates(layer.graph.nodes[name], layer.importer):
        r = f4(layer.factor[name] / layer.dt)
        layer.nodes[name] = nir.IF(r, **spikes) if spikes else nir.I(r)
        layer.synapses(name, neurons.port, [name], neurons.bias)
        return
    neurons = neurons._replace(decay=slow(neurons.decay))
    if neurons.current is None:
        _add_leaky(neurons, layer)
    else:
        _add_current(neurons, neurons.current, layer)


def _add_leaky(neurons: _Neurons, layer: Layer) -> None:
    """Add a LIF or LI; its bias enters with the weights if it can, for importers start at v_leak, or know none."""
    name, port, decay, _, bias, spikes = neurons
    factor, leaks = layer.factor[name], 1 - decay
    start = _start(layer.graph.nodes[name], layer) if spikes else np.zeros_like(bias)
    rest = bias - leaks * start
    enters = _enters(neurons, rest / (leaks * factor), layer) if factor.all() else None
    leak = start if enters is not None else start + rest / leaks
    if spikes and not decay.any() and not layer.importer.memoryless:
        _add_current(neurons._replace(bias=leaks * leak), np.zeros_like(decay), layer, enters)
        return
    layer.nodes[name] = (nir.LIF if spikes else nir.LI)(_tau(decay, layer), f4(factor), f4(leak), **spikes)
    layer.synapses(name, port, [name], enters)


def _add_current(neurons: _Neurons, current: Array, layer: Layer, enters: Array | None = None) -> None:
    """Add a CubaLIF or CubaLI: r = tau_mem / dt and w_in = tau_syn / dt are what all importers take."""
    name, port, decay, _, bias, spikes = neurons
    current = slow(current)
    tau_syn, tau = _tau(current, layer), _tau(decay, layer)
    r, w_in, leak = f4(1 / (1 - decay)), f4(layer.factor[name] / (1 - current)), f4(bias / (1 - decay))
    ends = [name]
    if spikes:
        layer.nodes[name] = nir.CubaLIF(tau_syn, tau, r, leak, w_in=w_in, **spikes)
    elif layer.importer.knows("CubaLI"):
        layer.nodes[name] = nir.CubaLI(tau_syn, tau, r, leak, w_in=w_in)
    else:
        layer.nodes[name] = nir.LI(tau, r, leak)
        ends = [layer.insert(f"{name}.current", nir.LI(tau_syn, w_in, np.zeros_like(tau)), [name])]
    layer.synapses(name, port, ends, enters)


def _start(node: Node, layer: Layer) -> Array:
    """Return the first voltage where an importer takes v_leak for it."""
    return node.v_start if isinstance(node, Cuba) and layer.importer.starts_at_leak else np.zeros(node.neurons)


def _tau(decay: Array, layer: Layer) -> Array:
    """Return time constants in 32 bits; where an importer takes none shorter than a step, rounded up to that."""
    tau = f4(layer.dt / (1 - decay))
    if layer.importer.memoryless:
        return tau
    return np.where(tau.astype(np.float64) < layer.dt, np.nextafter(tau, np.float32(np.inf)), tau)


def _enters(neurons: _Neurons, bias: Array, layer: Layer) -> Array | None:
    """Return a bias that enters with the weights, None where they cannot; an LI counts from v_leak."""
    grid = layer.grids.get(neurons.name)
    if grid is not None and per_channel(bias, grid) is None:
        return None
    return bias if not neurons.spikes or layer.carrier(neurons.name, neurons.port) is not None else None


def _threshold(threshold: Array, compare: str, layer: Layer) -> Array:
    """Return thresholds in 32 bits; the next number where the importer compares the other way."""
    there = layer.importer.fires_at
    if compare == there:
        return f4(threshold)
    return np.nextafter(f4(threshold), np.float32(np.inf if there == ">=" else -np.inf))


@write_node.register
def _(node: Scan, name: str, layer: Layer) -> None:
    """Write the linearisation at zero input (see the module)."""
    delta = np.logaddexp(0.0, node.bias_dt)
    decay = np.exp(delta[:, None] * node.a)
    taps, b, c = (layer.at_rest(name, port, layer.into(name, port)) for port in ("u", "B", "C"))
    u = taps + node.bias_u
    gain = delta[:, None] / (1 - decay)
    slope = 1 / (1 - decay) + delta[:, None] * node.a * decay / (1 - decay) ** 2  # dG / ddelta
    to_u = gain @ (b * c)
    to_b, to_c = u[:, None] * gain * c, u[:, None] * gain * b
    to_dt = u * (slope @ (b * c)) / (1 + np.exp(-node.bias_dt))
    rest = u * to_u + node.d_skip * node.bias_u - to_u * taps

    steps = (1 / (delta[:, None] * -node.a)).mean(axis=1)
    layer.nodes[name] = nir.LI(f4(layer.dt / (1 - np.exp(-1 / steps))), full(len(steps), 1.0), f4(rest))
    skip = layer.insert(f"{name}.skip", nir.Scale(f4(node.d_skip)), [])
    layer.exits[name] = [name, skip]
    layer.synapses(name, "u", [layer.insert(f"{name}.u", nir.Scale(f4(to_u)), [name]), skip])
    layer.synapses(name, "dt", [layer.insert(f"{name}.dt.gain", nir.Scale(f4(to_dt)), [name])])
    for port, weight, offset in (("B", to_b, b), ("C", to_c, c)):
        spread = nir.Affine(f4(weight), f4(-weight @ offset))
        label = "".join(edge.source for edge in layer.into(name, port)[:1]) or f"{name}.{port}"
        layer.synapses(name, port, [layer.insert(f"{label}.broadcast", spread, [name])])

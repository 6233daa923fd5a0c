r"""The standard layer: a float graph in NIR's own nodes, for any tool; time constants in seconds, float32.

    Source              Input
    Relay               Affine (weights and bias)
    LIF                 LIF:      tau = -dt / ln(decay), r = 1 / (1 - decay), so that exponential Euler,
                                  v[t] = decay v[t-1] + (1 - decay) r i[t], is our law; v_leak is the bias times
                                  r where no Affine carries it
    LIF with a current  CubaLIF:  likewise, w_in = 1 / (1 - current_decay)
    LIF, decay 1        IF:       r = 1 / dt
    Cuba                LIF, CubaLIF, IF, LI or CubaLI, with a value a neuron; its switches are in the metadata
    Readout             LI:       as LIF;  I where decay is 1;  Affine where it is 0
    Scan                LI and what leads there: see below
    conv                Conv2d between maps (standard_maps.py), else Affine; sparse: Affine
    dense, diagonal     Affine, Scale; then a Delay of k dt where the synapse has one, of k - 1 where it closes a loop:
                        in NIR that takes the first step. A constant that begins with it is the bias of its Affine

NIR cannot multiply two signals, so a scan is written as its linearisation at zero input. There u, B and C are
constants, delta is softplus(bias_dt), and a state (D, N) has the steady gain G = delta / (1 - exp(delta A)):

    y ~ sum_n [G B C (u + du) + u G C dB + u G B dC + u B C G' ddt] + D_skip o (u + du)
    G' = dG/ddelta sigmoid(bias_dt)

The sum passes one leaky integrator a channel, with the mean time constant of its N states: gains at rest are
exact, transients those of one state, not N. The exact law is in /bim_neuro, the products in the metadata.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import nir
import numpy as np

from ..errors import InputError
from ..graph import Edge, FloatGraph
from ..nodes import LIF, Conv, Cuba, Dense, Diagonal, Graded, Prod, Readout, Relay, Scan, Source, Sparse
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .standard_maps import as_conv2d, as_matrix, grids, per_channel, shaped
from .written_loops import beginning_late, closing, is_constant

_CARRIERS = (Dense, Sparse, Conv)  # written as nodes that can hold a bias
FASTEST = 1e-30  # used for a decay of 0, whose time constant would be 0


def standard_graph(graph: FloatGraph) -> Any:
    """Return the nir.NIRGraph of a float graph."""
    layer = _Layer(graph)
    for name in graph.order:
        if not is_constant(graph, name):
            _write(graph.nodes[name], name, layer)
            if name in layer.grids:
                layer.nodes[name] = shaped(layer.nodes[name], layer.grids[name])
    end = layer.fresh("output")
    layer.nodes[end] = nir.Output(np.array(layer.grids.get(graph.output, (graph.nodes[graph.output].neurons,))))
    layer.wire(graph.output, [end])
    return nir.NIRGraph(dict(layer.nodes), list(layer.edges))


class _Layer:
    """The standard nodes and edges built so far. ``exits`` names the nodes whose sum is the message of a scan."""

    def __init__(self, graph: FloatGraph) -> None:
        self.graph, self.dt = graph, graph.dt
        self.nodes: dict[str, Any] = {}
        self.edges: dict[tuple[str, str], None] = {}
        self.exits: dict[str, list[str]] = {}
        self.grids = grids(graph)
        self.flat: dict[str, str] = {}  # the Flatten behind a map
        self.closing = {id(edge) for edge in closing(graph)}
        self.late = {id(edge) for edge in beginning_late(graph)}

    def fresh(self, name: str) -> str:
        """Return a name that no node has, in the float graph or here."""
        while name in self.graph.nodes or name in self.nodes:
            name += "_"
        return name

    def wire(self, source: str, targets: list[str]) -> None:
        starts = self.exits.get(source, [source])
        self.edges.update({(start, end): None for start in starts for end in targets})

    def insert(self, name: str, node: Any, targets: list[str]) -> str:
        """Add a node in front of others; return its name."""
        name = self.fresh(name)
        self.nodes[name] = node
        self.wire(name, targets)
        return name

    def synapses(self, name: str, port: str, targets: list[str], bias: Array | None = None) -> None:
        """Connect all edges of a port to ``targets``; a bias goes into a dense edge, or into a node of its own."""
        into = self.into(name, port)
        edges = [edge for edge in into if not is_constant(self.graph, edge.source)]
        constants = [edge for edge in into if is_constant(self.graph, edge.source)]
        late = [edge for edge in constants if id(edge) in self.late]
        carrier, loop = self.carrier(name, port), self.loop(name, port)
        constant = self.at_rest(name, port, [edge for edge in constants if id(edge) not in self.late])
        bias = constant if bias is None else bias + constant
        if bias.any() and carrier is None:
            targets = [self.insert(f"{name}.bias", _shift(bias), targets)]
        for index, edge in enumerate(edges):
            label = f"{name}.{port}{index if len(edges) > 1 else ''}"
            carried = bias if edge is carrier else self.at_rest(name, port, late) if edge is loop else None
            self.synapse(edge, label, targets, carried)

    def loop(self, name: str, port: str) -> Edge | None:
        """Return the edge by which a port reads its own layer, the one that can hold a bias if any can."""
        closing = [edge for edge in self.into(name, port) if id(edge) in self.closing]
        return min(closing, key=lambda edge: not isinstance(edge.synapse, _CARRIERS), default=None)

    def carrier(self, name: str, port: str) -> Edge | None:
        """Return the edge whose node can hold a bias too."""
        edges = (edge for edge in self.into(name, port) if not is_constant(self.graph, edge.source))
        kinds = (Dense, Conv) if name in self.grids else Dense
        return next((edge for edge in edges if isinstance(edge.synapse, kinds) and not edge.delay), None)

    def synapse(self, edge: Edge, label: str, targets: list[str], bias: Array | None = None) -> None:
        width, grid, synapse = self.graph.nodes[edge.target].ports[edge.port], self.grids.get(edge.target), edge.synapse
        if steps := edge.delay - (id(edge) in self.closing):
            wait = _full(width, steps * self.dt).reshape(grid or width)
            targets = [self.insert(f"{label}.delay", nir.Delay(wait), targets)]
        bias = np.zeros(width) if bias is None else bias
        if bias.any() and not isinstance(synapse, _CARRIERS):
            targets = [self.insert(f"{label}.bias", _shift(bias), targets)]
        conv = as_conv2d(synapse, per_channel(bias, grid) if grid else None) if edge.source in self.grids else None
        if conv is not None and grid is None:
            targets = [self.insert(f"{label}.flat", _flatten(conv.output_type["output"]), targets)]
        if conv is not None:
            self.wire(edge.source, [self.insert(label, conv, targets)])
            return
        if isinstance(synapse, _CARRIERS):
            weight = synapse.weight if isinstance(synapse, Dense) else as_matrix(edge, width)
            targets = [self.insert(label, nir.Affine(_f4(weight), _f4(bias)), targets)]
        elif isinstance(synapse, Diagonal):
            targets = [self.insert(label, nir.Scale(_f4(synapse.weight)), targets)]
        self.wire(self.row_of(edge.source), targets)

    def row_of(self, name: str) -> str:
        """Return the node that sends what a map sends as a row of neurons."""
        if name in self.grids and name not in self.flat:
            self.flat[name] = self.insert(f"{name}.flat", _flatten(self.grids[name]), [])
            self.wire(name, [self.flat[name]])
        return self.flat.get(name, name)

    def into(self, name: str, port: str) -> list[Edge]:
        return [edge for edge in self.graph.into(name) if edge.port == port]

    def at_rest(self, name: str, port: str, edges: list[Edge]) -> Array:
        """Return what a port receives at zero input from relays and from neurons that always fire."""
        total = np.zeros(self.graph.nodes[name].ports[port])
        for edge in edges:
            source = self.graph.nodes[edge.source]
            if isinstance(source, Relay):
                total = total + edge.synapse.apply(source.bias)
            elif is_constant(self.graph, edge.source):
                total = total + edge.synapse.apply(np.ones(source.neurons))
        return total


@singledispatch
def _write(node: Node, name: str, layer: _Layer) -> None:
    raise InputError(f"layer '{name}': no NIR node for {type(node).__name__}")


@_write.register(Graded)
@_write.register(Prod)
def _(node: Graded | Prod, name: str, layer: _Layer) -> None:
    message = f"layer '{name}': NIR has no {node.kind} neuron"
    raise InputError(message, "write the model as it was before its lowering; compile that with lowering stock")


@_write.register
def _(node: Source, name: str, layer: _Layer) -> None:
    layer.nodes[name] = nir.Input(np.array([node.channels]))


@_write.register
def _(node: Relay, name: str, layer: _Layer) -> None:
    edges = layer.into(name, "a")
    if len(edges) == 1 and isinstance(edges[0].synapse, Dense) and not edges[0].delay:
        layer.nodes[name] = nir.Affine(_f4(edges[0].synapse.weight), _f4(node.bias))
        layer.wire(layer.row_of(edges[0].source), [name])
    else:
        layer.nodes[name] = _shift(node.bias)
        layer.synapses(name, "a", [name])


@_write.register
def _(node: LIF, name: str, layer: _Layer) -> None:
    size, dt = node.size, layer.dt
    threshold = _full(size, node.v_threshold)
    if node.current_decay:
        decay = min(node.decay, 1 - 1e-6)
        layer.nodes[name] = nir.CubaLIF(
            tau_syn=_full(size, _tau(node.current_decay, dt)),
            tau_mem=_full(size, _tau(decay, dt)),
            r=_full(size, 1 / (1 - decay)),
            v_leak=_f4(node.bias / (1 - decay)),
            v_threshold=threshold,
            w_in=_full(size, 1 / (1 - node.current_decay)),
        )
        layer.synapses(name, "i", [name])
        return
    if node.decay == 1:
        layer.nodes[name] = nir.IF(_full(size, 1 / dt), threshold)
        layer.synapses(name, "i", [name], node.bias)
        return
    carried = layer.carrier(name, "i") is not None  # else an Affine would take a matrix as wide as the layer is
    leak = np.zeros(size) if carried else node.bias / (1 - node.decay)
    r = _full(size, 1 / (1 - node.decay))
    layer.nodes[name] = nir.LIF(_full(size, _tau(node.decay, dt)), r, _f4(leak), threshold)
    layer.synapses(name, "i", [name], node.bias if carried else None)


@_write.register
def _(node: Cuba, name: str, layer: _Layer) -> None:
    decay, current = np.minimum(node.decay, 1 - 1e-6), np.minimum(node.current_decay, 1 - 1e-6)
    leak, spikes = {"v_leak": _f4(node.bias / (1 - decay))}, {}
    if node.counts != "none":
        spikes = {"v_threshold": _f4(node.v_threshold), "v_reset": _f4(node.v_reset)}
    if current.any():
        kind = nir.CubaLIF if spikes else nir.CubaLI
        taus = {"tau_syn": _f4(_taus(current, layer.dt)), "tau_mem": _f4(_taus(decay, layer.dt))}
        gains = {"r": _f4(1 / (1 - decay)), "w_in": _f4(node.gain / (1 - current))}
        layer.nodes[name] = kind(**taus, **gains, **leak, **spikes)
    elif spikes and (node.decay == 1).all() and not node.bias.any():
        layer.nodes[name] = nir.IF(_f4(node.gain / layer.dt), **spikes)
    else:
        kind = nir.LIF if spikes else nir.LI
        layer.nodes[name] = kind(_f4(_taus(decay, layer.dt)), _f4(node.gain / (1 - decay)), **leak, **spikes)
    layer.synapses(name, "a", [name])


@_write.register
def _(node: Readout, name: str, layer: _Layer) -> None:
    size = node.neurons
    if node.decay == 0:
        layer.nodes[name] = _shift(node.bias)
        layer.synapses(name, "a", [name])
        return
    if node.decay == 1:
        layer.nodes[name] = nir.I(_full(size, 1 / layer.dt))
    else:
        r = _full(size, 1 / (1 - node.decay))
        layer.nodes[name] = nir.LI(_full(size, _tau(node.decay, layer.dt)), r, np.zeros_like(r))
    layer.synapses(name, "a", [name], node.bias)


@_write.register
def _(node: Scan, name: str, layer: _Layer) -> None:
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

    tau = (layer.dt / (delta[:, None] * -node.a)).mean(axis=1)
    layer.nodes[name] = nir.LI(_f4(tau), _full(len(tau), 1.0), _f4(rest))
    skip = layer.insert(f"{name}.skip", nir.Scale(_f4(node.d_skip)), [])
    layer.exits[name] = [name, skip]
    layer.synapses(name, "u", [layer.insert(f"{name}.u", nir.Scale(_f4(to_u)), [name]), skip])
    layer.synapses(name, "dt", [layer.insert(f"{name}.dt.gain", nir.Scale(_f4(to_dt)), [name])])
    for port, weight, offset in (("B", to_b, b), ("C", to_c, c)):
        spread = nir.Affine(_f4(weight), _f4(-weight @ offset))
        label = "".join(edge.source for edge in layer.into(name, port)[:1]) or f"{name}.{port}"
        layer.synapses(name, port, [layer.insert(f"{label}.broadcast", spread, [name])])


def _taus(decay: Array, dt: float) -> Array:
    return np.asarray(-dt / np.log(np.maximum(decay, FASTEST)))


def _tau(decay: float, dt: float) -> float:
    return -dt / float(np.log(max(decay, FASTEST)))


def _shift(bias: Array) -> Any:
    if not bias.any():
        return nir.Scale(np.ones(len(bias), np.float32))
    return nir.Affine(np.eye(len(bias), dtype=np.float32), _f4(bias))


def _flatten(grid: Any) -> Any:
    return nir.Flatten({"input": np.array(grid)}, start_dim=0)


def _full(size: int, value: float) -> Array:
    return np.full(size, value, dtype=np.float32)


def _f4(values: Array) -> Array:
    return np.asarray(values, dtype=np.float32)

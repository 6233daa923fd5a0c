"""A program as layers of netx: a chain of dense and convolutional layers of spiking neurons, or why it is none.

What is written is checked backwards: the weights that netx would hold (`weights.held`) and the voltages with which its
neurons would receive the first step (`Neurons.at_input`) must be the program's own.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from ..compilers.two_lists import whole_weights
from ..errors import DoesNotFit, Finding
from ..graph import Edge, IntegerGraph
from ..nodes import Conv, Dense, Diagonal, IntegerCuba, IntegerLIF, Sparse
from ..nodes.arithmetic import FACTOR_BITS, WORD_MAX, Array
from ..nodes.lif import ACCUMULATOR_SHIFT, DECAY_BITS
from ..nodes.node import IntegerNode
from .connections import FIELD_MAX
from .neurons import UNITY, Neurons
from .weights import held

Fields = dict[str, Array]
_FINER = FACTOR_BITS - DECAY_BITS  # bits that a switch neuron's decay has beyond netx's
MOST_WEIGHTS = 2**22
"""Weights of a dense layer, zeros among them, up to which a program is written: netx has no sparse layers."""
_NEVER = (WORD_MAX + 1) >> ACCUMULATOR_SHIFT
"""A threshold that no voltage exceeds."""
_SWITCHES = {"reset": "value", "reset_when": "same", "compare": ">", "counts": "one", "lag": False}
_HINT = "model.nir holds the same network; leave netx.write out to do without model.net"


def layers_of(graph: IntegerGraph) -> list[tuple[str, Fields]]:
    """Return (kind, datasets) of each layer, an input first; `DoesNotFit` says for every layer why netx has none."""
    edges = whole_weights(graph)
    chain = [name for name in graph.order if name != graph.source]
    layers = [("input", {"shape": np.array(_input_shape(graph, edges))})]
    findings: list[Finding] = []
    for depth, (before, name) in enumerate(zip([graph.source, *chain], chain, strict=False), 1):
        into = [edge for edge in edges if edge.target == name]
        try:
            if strange := [edge.source for edge in into if edge.source not in (before, name)]:
                raise _none(name, f"reads '{strange[0]}' beside or instead of '{before}', netx has one chain of layers")
            if isinstance(graph.nodes[before], IntegerLIF | IntegerCuba) and layers[-1][0] == "conv" and _flat(into):
                layers.append(("flatten", {"shape": np.array([graph.nodes[before].neurons, 1, 1])}))
            if not findings:
                _check_grid(name, into, tuple(layers[-1][1]["shape"].tolist()))
            layers.append(_layer(graph, name, into, depth))
        except DoesNotFit as refusal:
            findings += refusal.findings
    if findings:
        raise DoesNotFit(findings)
    return layers


def _none(layer: str, why: str) -> DoesNotFit:
    return DoesNotFit([Finding("netx", layer, f"no model.net: layer '{layer}' {why}", hint=_HINT)])


def _flat(into: list[Edge]) -> bool:
    return not any(isinstance(edge.synapse, Conv) for edge in into)


def _input_shape(graph: IntegerGraph, edges: list[Edge]) -> tuple[int, ...]:
    """Return the shape of what the first layer reads: a map only where a convolution does."""
    convs = (edge.synapse for edge in edges if edge.source == graph.source and isinstance(edge.synapse, Conv))
    return next((conv.grid for conv in convs), (graph.nodes[graph.source].neurons,))


def _check_grid(name: str, into: list[Edge], shape: tuple[int, ...]) -> None:
    """Refuse a convolution whose grid is not the shape of the layer that it reads."""
    grids = [edge.synapse.grid for edge in into if isinstance(edge.synapse, Conv)]
    if any(grid != shape for grid in grids):
        raise _none(name, f"has a convolution over {grids[0]}, the layer before has the shape {shape}")


def _layer(graph: IntegerGraph, name: str, into: list[Edge], depth: int) -> tuple[str, Fields]:
    neurons, factor, start = _neurons(graph.nodes[name], name)
    expected, early = neurons.at_input(depth)
    if early or (expected != start).any():
        raise _none(
            name, "has a bias, or starts from a voltage, that netx adds before the input arrives, or leaves out"
        )
    if _flat(into):
        kind, fields = _dense(name, into, factor)
        places = 1
    else:
        kind, fields = _conv(name, into, factor)
        places = prod(fields["shape"][1:].tolist())
    return kind, {**fields, **_constants(name, neurons, places)}


def _neurons(node: IntegerNode, name: str) -> tuple[Neurons, Array, Array]:
    """Return a node's constants as netx has them, the worth of one unit of its weights, and its first voltages."""
    if isinstance(node, IntegerLIF):
        ones = np.ones(node.size, np.int64)
        bias = _whole(node.bias, ACCUMULATOR_SHIFT, name, "bias")
        lif = Neurons((UNITY - node.du - 1) * ones, (UNITY - node.dv) * ones, node.v_threshold * ones, bias)
        return lif, ones.astype(np.float64), 0 * ones
    if not isinstance(node, IntegerCuba):
        raise _none(name, f"is of the kind {node.kind}, netx has spiking CUBA neurons alone")
    odd = [f"{switch} {getattr(node, switch)}" for switch, value in _SWITCHES.items() if getattr(node, switch) != value]
    if odd or node.v_reset.any() or (node.v_floor > -WORD_MAX).any():
        raise _none(name, f"has neurons of another law ({odd[0] if odd else 'a reset voltage, or a lowest one'})")
    silent = node.v_threshold >= WORD_MAX
    threshold = _whole(np.where(silent, 0, node.v_threshold), ACCUMULATOR_SHIFT, name, "threshold")
    current, decay = (_whole(row, _FINER, name, "decay") for row in (node.current_decay, node.decay))
    bias = _whole(node.bias, ACCUMULATOR_SHIFT, name, "bias")
    neurons = Neurons(current, decay, np.where(silent, _NEVER, threshold), bias)
    return neurons, node.multiplier * 2.0 ** -(node.shift + ACCUMULATOR_SHIFT), node.v_start


def _whole(values: Array, bits: int, name: str, what: str) -> Array:
    """Return values in units of 2^bits."""
    if (values % (1 << bits)).any():
        raise _none(name, f"has a {what} of {int(values[values % (1 << bits) != 0][0])}, no multiple of {1 << bits}")
    return np.asarray(values >> bits)


def _dense(name: str, into: list[Edge], factor: Array) -> tuple[str, Fields]:
    """Return a dense layer of matrices; the delays of several lists become one matrix."""
    forward = [edge for edge in into if edge.source != name]
    if not forward:
        raise _none(name, "reads no other, netx has one chain of layers")
    back = [edge for edge in into if edge.source == name]
    weight, delay = _matrix(name, forward, factor)
    parts = [weight]
    if back:
        parts.append(_matrix(name, back, factor)[0])
        if delay.any() or any(edge.delay for edge in back):
            raise _none(name, "has delays and recurrence")
    if any((now != was).any() for now, was in zip(held(parts, f"layer '{name}'"), parts, strict=True)):
        raise _none(name, "has weights of which netx's synapse would drop a part")
    if not np.concatenate([part.ravel() for part in parts]).any():
        raise _none(name, "has no weight but 0, by the largest of which netx divides")
    fields = {"shape": np.array([len(weight)]), "weight": weight}
    if back:
        fields["weight_rec"] = parts[1]
    if delay.any():
        fields["delay"] = delay
    return "dense_rec" if back else "dense", fields


def _matrix(name: str, edges: list[Edge], factor: Array) -> tuple[Array, Array]:
    """Return the weights of some lists as one matrix, and their delays."""
    parts = [_entries(name, edge) for edge in edges]
    weight, delay = np.zeros_like(parts[0]), np.zeros(parts[0].shape, np.int64)
    for edge, part in zip(edges, parts, strict=True):
        if ((weight != 0) & (part != 0)).any():
            raise _none(name, "has two weights of different delays from one neuron to another")
        weight += part
        delay[part != 0] = edge.delay
    return _in_file(name, weight * factor[:, None]), delay


def _entries(name: str, edge: Edge) -> Array:
    synapse = edge.synapse
    if isinstance(synapse, Sparse | Diagonal):
        pre, post = (synapse.pre, synapse.post) if isinstance(synapse, Sparse) else 2 * (len(synapse.weight),)
        if pre * post > MOST_WEIGHTS:
            raise _none(name, f"would be a dense one of {pre * post:,} weights, {MOST_WEIGHTS:,} are written")
    if isinstance(synapse, Sparse):
        return np.asarray(synapse.matrix().toarray())
    if isinstance(synapse, Diagonal):
        return np.diag(synapse.weight.astype(np.float64))
    if isinstance(synapse, Dense) and synapse.count <= MOST_WEIGHTS:
        return synapse.weight.astype(np.float64)
    raise _none(name, f"is reached by synapses of the kind {synapse.kind}, netx has dense and conv")


def _in_file(name: str, weight: Array) -> Array:
    """Return weights as the whole numbers of a file."""
    whole = np.rint(weight).astype(np.int64)
    if (whole != weight).any():
        raise _none(name, f"has a weight of {float(weight[whole != weight][0]):g} of netx's units, no whole number")
    return whole


def _conv(name: str, into: list[Edge], factor: Array) -> tuple[str, Fields]:
    if len(into) != 1:
        raise _none(name, "has a convolution beside other synapses")
    conv = into[0].synapse
    assert isinstance(conv, Conv)
    top, _, left, _ = conv.padding
    small = (*conv.stride, *conv.dilation, conv.groups, top, left, *conv.weight.shape[2:])
    if into[0].delay or min(top, left) < 0 or replace(conv, padding=(top, top, left, left)).out != conv.out:
        raise _none(name, "has a convolution that is delayed or pads one side")
    if max(small) > FIELD_MAX:
        raise _none(name, f"has a convolution with a field of {max(small)}, Lava's Conv holds {FIELD_MAX}")
    scale = _of_channels(name, "scale", factor, conv.out)
    fields = {
        "shape": np.array(conv.out),
        "weight": _in_file(name, conv.weight * scale[:, None, None, None]),
        "kernelSize": np.array(conv.weight.shape[2:]),
        "stride": np.array(conv.stride),
        "padding": np.array((top, left)),
        "dilation": np.array(conv.dilation),
        "groups": np.array(conv.groups),
    }
    return "conv", fields


def _of_channels(name: str, what: str, values: Array, out: tuple[int, ...]) -> Array:
    """Return one value a channel of a map; a value a place has no counterpart."""
    rows = values.reshape(out[0], -1)
    if (rows != rows[:, :1]).any():
        raise _none(name, f"has a {what} of its own at every place of a map")
    return np.asarray(rows[:, 0])


def _constants(name: str, neurons: Neurons, places: int) -> Fields:
    """Return the datasets of a layer's neurons: one number where all have the same."""
    rows = {"iDecay": UNITY - neurons.current_decay, "vDecay": UNITY - neurons.decay, "vThMant": neurons.threshold}
    fields = {"neuron/type": np.array(b"CUBA"), "neuron/refDelay": np.array(1), "neuron/gradedSpike": np.array(False)}
    for key, row in rows.items():
        fields[f"neuron/{key}"] = row[0] if not np.ptp(row) else _of_channels(name, key, row, (len(row) // places,))
    if neurons.bias.any():
        fields["bias"] = _of_channels(name, "bias", neurons.bias, (len(neurons.bias) // places,))
    return fields

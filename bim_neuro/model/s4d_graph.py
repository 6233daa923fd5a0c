r"""An S4D as a float graph, whose law is that of torch, and its weights again.

    input -> u (relay) -> h.re, h.im (graded, loops of one step) -> y (rectified) -> readout (relay)

No integer is made of it as it is: it is lowered (`compilers.lower_s4d`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..graph import Edge, Extra, FloatGraph
from ..nodes import Dense, Diagonal, Encoder, Graded, Relay, Sparse, Synapse
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .s4d import S4D

U, RE, IM, Y, OUT = "u", "h.re", "h.im", "y", "readout"
_UNREAD = 1.0  # the range of a sum that no integer is made of


class _Blocks(NamedTuple):
    """Synapses among D channels and their D x N states."""

    channels: int
    states: int

    def spread(self) -> Sparse:
        """A channel's u to each of its states."""
        of = np.arange(self.channels * self.states, dtype=np.int32) // self.states
        return Sparse(np.ones(len(of)), of, np.arange(len(of) + 1), self.channels)

    def sums(self, weight: Array) -> Sparse:
        """The states of a channel, weighted (D, N), to its y."""
        count = self.channels * self.states
        start = np.arange(self.channels + 1) * self.states
        return Sparse(weight.ravel(), np.arange(count, dtype=np.int32), start, count)


def s4d_graph(w: S4D, dt: float, encoder: Encoder | None = None, labels: tuple[str, ...] = ()) -> FloatGraph:
    """Return the float graph, whose law is that of torch; ``dt`` is the seconds of a step.

    Without an encoder it reads raw values, whose scale is measured on input.
    """
    encoder = encoder or Encoder.of_graph("graded", w.w_in.shape[1])
    if w.w_in.shape[1] != encoder.source.neurons:
        lines = f"the input has {encoder.source.neurons} lines"
        raise InputError(f"the S4D reads {w.w_in.shape[1]} inputs, {lines}", "choose another --encoder")
    block = _Blocks(*w.a.shape)
    into: list[tuple[str, str, Synapse, int]] = [
        ("input", U, Dense(w.w_in), 0), (U, RE, block.spread(), 0), (RE, RE, Diagonal(w.a.real.ravel()), 1),
        (RE, Y, block.sums(w.c.real), 0), (U, Y, Diagonal(w.skip), 0), (Y, OUT, Dense(w.w_out), 0),
    ]  # fmt: skip
    states = {RE: Graded(w.a.size)}
    if np.iscomplexobj(w.a):
        turn = w.a.imag.ravel()
        into += [(IM, RE, Diagonal(-turn), 1), (RE, IM, Diagonal(turn), 1), (IM, IM, Diagonal(w.a.real.ravel()), 1),
                 (IM, Y, block.sums(-w.c.imag), 0)]  # fmt: skip
        states[IM] = Graded(w.a.size)
    nodes: dict[str, Node] = {
        "input": encoder.source, U: Relay(w.b_in, _UNREAD), **states,
        Y: Graded(block.channels, rectify=w.activation == "relu"), OUT: Relay(w.b_out, _UNREAD),
    }  # fmt: skip
    edges = tuple(Edge(source, target, "a", synapse, delay) for source, target, synapse, delay in into)
    return FloatGraph(nodes, edges, dt, encoder, "own", labels, _extra(w, encoder))


def _extra(w: S4D, encoder: Encoder) -> Extra:
    kind = "complex" if np.iscomplexobj(w.a) else "real"
    between = "a ReLU" if w.activation == "relu" else "no activation"
    said = (
        f"An S4D of {w.a.shape[0]} channels and {w.a.shape[1]} {kind} states; a state dict does not say what stands "
        f"between them and the readout: {between} is assumed (s4d.activation)."
    )
    law = "the float law reads the raw values" if encoder.reads_raw else "the float law reads the same"
    read_as = [f"encoder {encoder.kind}; {law}"]
    return Extra(
        assumptions=[said, "model.nir is not written: NIR has no node for a rectified vector."], read_as=read_as
    )


def has_fixed_decays(graph: FloatGraph) -> bool:
    """Whether a float graph is one of `s4d_graph`, which has to be lowered."""
    kinds = {name: node.kind for name, node in graph.nodes.items() if name != graph.source}
    return kinds in (_kinds(U, RE, Y, OUT), _kinds(U, RE, IM, Y, OUT))


def _kinds(*names: str) -> dict[str, str]:
    return {name: (Relay if name in (U, OUT) else Graded).kind for name in names}


def weights_of(graph: FloatGraph) -> S4D:
    """Return the weights that a graph of `s4d_graph` was made of."""
    found = {(edge.source, edge.target): edge.synapse for edge in graph.edges}
    states = graph.nodes[RE].neurons // graph.nodes[U].neurons

    def weight(source: str, target: str, *shape: int) -> Array:
        values: Array = found[source, target].weight  # type: ignore[attr-defined]
        return values.reshape(*shape) if shape else values

    a, c = weight(RE, RE, -1, states), weight(RE, Y, -1, states)
    if IM in graph.nodes:
        a, c = a + 1j * weight(RE, IM, -1, states), c - 1j * weight(IM, Y, -1, states)
    biases = (graph.nodes[name].bias for name in (U, OUT))  # type: ignore[attr-defined]
    b_in, b_out = biases
    activation = "relu" if graph.nodes[Y].rectify else "none"  # type: ignore[attr-defined]
    return S4D(weight(graph.source, U), b_in, a, c, weight(U, Y), weight(Y, OUT), b_out, activation)

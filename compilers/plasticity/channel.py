"""Channel: a BIM block of one state and one tap becomes plastic synapses and a neuron for the learning engine.

The relay of u and its tap are folded into the plastic weights: a spike reaches the channel in one hop, so the learning
engine's presynaptic spikes are those that the channel receives. dt and B must arrive one step before; B takes two hops,
so on the chip the plastic synapses read copies of the input lines, delayed by ``PRE_DELAY`` steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log2

import numpy as np

from ...errors import DoesNotFit, Finding
from ...graph import Edge, FloatGraph, IntegerGraph
from ...nodes import LIF, Dense, IntegerLIF, IntegerRelay, Relay, Scan
from ...nodes.arithmetic import FRACTION_BITS, WORD_MAX, Array
from ...nodes.node import Node
from ...nodes.relay import MESSAGE_MAX
from ...nodes.scan import U_MAX
from ...nodes.synapses import WEIGHT_MAX
from ...plasticity.learning_engine.law import WORDS_A_WEIGHT
from ...plasticity.learning_engine.neurons import SIGNAL_SHIFT, SelectiveChannel
from ...plasticity.learning_engine.rule import SIGN_OFFSET
from ...plasticity.surrogate import PsiLIF
from ..calibrate import with_bounds
from ..quantise import quantise
from ..quantise_nodes import as_factor, exponent_for
from .block import SURROGATE_SLOPE, soma_unit
from .roles import Roles, dense_weight, float_parts, integer_parts, part, roles_of, tap_weight, weight_into
from .rule_compiler import RuleUnits

PRE_DELAY = 2
_TAG_LARGEST = 200.0  # of 255: the tag value of the largest calibrated trace
_Streams = dict[str, Array]


@dataclass(frozen=True)
class PlasticChannel:
    """The channel, its plastic weights ``words`` (D, M) in half units, and the real values of the integers.

    ``tag_unit[d]`` is the unit of a tag of channel d; units of tag times signal are equal in all channels.
    """

    neuron: SelectiveChannel
    words: Array
    units: RuleUnits
    tag_unit: Array
    graph: IntegerGraph
    roles: Roles

    def streams(self, x: Array) -> _Streams:
        """Return the input at dt, B and C while x (steps, M) is sent on the plastic lines: dt and B one step ahead."""
        c = self._relayed("C", x)
        late = np.concatenate([self._relayed("C", np.zeros_like(x[:1])), c[:-1]])
        return {"dt": x @ self._weight(self.roles.scan, "dt").T, "B": self._relayed("B", x), "C": late}

    def _relayed(self, port: str, x: Array) -> Array:
        name = self.roles.relays[port]
        relay = part(self.graph, name, IntegerRelay)
        return np.stack([relay.step({}, {"a": row}).message for row in x @ self._weight(name, "a").T])

    def _weight(self, name: str, port: str) -> Array:
        return weight_into(self.graph, name, port).astype(np.int64)


def plastic_channel(
    reference: FloatGraph, x: Array, *, signal_unit: float, largest_signal: float, growth: float = 2.0, seed: int = 0
) -> PlasticChannel:
    """Return the last block of ``reference`` for the learning engine; x (samples, steps, M) are spikes to calibrate on.

    ``signal_unit`` is the real value of one unit of the port ``e``, ``largest_signal`` the largest |e C psi| that y3
    must hold in the channel with the coarsest tag. ``growth`` is the factor by which the largest weight may grow.
    """
    roles = roles_of(reference)
    folded = _folded(with_bounds(reference), roles)
    graph = quantise(folded, {f"{roles.scan}.u": growth})
    real, parts = float_parts(folded, roles), integer_parts(graph, roles)
    scan, soma = parts.scan, _soma(parts.lif, real.lif, roles.lif)
    words = WORDS_A_WEIGHT * weight_into(graph, roles.scan, "u").astype(np.int64)
    draft = PlasticChannel(
        SelectiveChannel(scan, soma, 0, 0, seed), words, RuleUnits(), np.ones(len(words)), graph, roles
    )
    gate, trace = _largest(draft, x)
    immediate_shift = np.array([_shift(ratio) for ratio in np.maximum(gate / (SIGN_OFFSET - 1), trace / _TAG_LARGEST)])
    tag_unit = _gate_unit(real.scan, real.relays["B"]) * 2.0**immediate_shift
    read_unit = signal_unit * 2.0 ** (SIGNAL_SHIFT - _exponent(real.relays["C"]))
    signal_shift = _shift(largest_signal / read_unit / (SIGN_OFFSET - 1)) + immediate_shift.max() - immediate_shift
    units = RuleUnits(
        weight=growth * float(np.abs(weight_into(folded, roles.scan, "u")).max()) / WEIGHT_MAX / WORDS_A_WEIGHT,
        tag=float(tag_unit[0]),
        immediate=float(tag_unit[0]),
        signal=float(read_unit * 2.0 ** signal_shift[0]),
    )
    neuron = SelectiveChannel(scan, soma, immediate_shift, signal_shift, seed)
    return replace(draft, neuron=neuron, units=units, tag_unit=tag_unit)


def _soma(lif: IntegerLIF, real: LIF, layer: str) -> PsiLIF:
    unit = soma_unit(real, lif, layer)
    factor, shift = as_factor(np.asarray(unit * SURROGATE_SLOPE * 2**12))
    return PsiLIF(lif, int(factor), shift)


def _folded(graph: FloatGraph, roles: Roles) -> FloatGraph:
    """Return the graph with the relay of u and its one tap folded into the weights."""
    scan, relay, taps = roles.scan, roles.relays["u"], roles.taps
    states, fed = float_parts(graph, roles).scan.a.shape[1], roles.edges["w_u"]
    if states != 1 or len(taps) != 1 or getattr(graph.nodes[fed.source], "graded", False):
        has = f"{states} states, {len(taps)} taps"
        message = f"layer '{scan}' has {has}; the learning engine needs spikes as input, one state and one tap"
        hint = "train with --states 1 --set train.taps=1 and spikes as input, or use --set learn.placement=neurons"
        raise DoesNotFit([Finding("learning-states", scan, message, states, 1, hint)])
    direct = Edge(fed.source, scan, "u", Dense(tap_weight(taps[0])[:, None] * dense_weight(fed)))
    kept = tuple(edge for edge in graph.edges if edge.name != taps[0].name and edge.target != relay)
    nodes: dict[str, Node] = {name: node for name, node in graph.nodes.items() if name != relay}
    return replace(graph.with_nodes(nodes), edges=(*kept, direct))


def _exponent(relay: Relay) -> int:
    return exponent_for(relay.message_range, MESSAGE_MAX)


def _gate_unit(real: Scan, relay_b: Relay) -> float:
    """Return the real value of one unit of delta B in the channel, in the formats of `quantise`."""
    u = exponent_for(real.ranges.u, U_MAX)
    du = min(exponent_for(real.ranges.du, WORD_MAX), u + FRACTION_BITS)
    h = min(exponent_for(real.ranges.h, WORD_MAX), du + _exponent(relay_b))
    return float(2.0 ** -(FRACTION_BITS - du + h))


def _largest(channel: PlasticChannel, x: Array) -> tuple[Array, Array]:
    """Return the largest |delta B| and the largest |trace| of each channel, (D,) each, in units of the gate."""
    gates, traces = np.zeros(len(channel.words)), np.zeros(len(channel.words))
    for sample in x:
        streams = channel.streams(sample)
        trace = np.zeros(channel.words.shape)
        for t, spikes in enumerate(sample):
            gate, decay = channel.neuron.ahead(streams["dt"][t], streams["B"][t])
            trace = trace * (decay / 2**16)[:, None] + gate[:, None] * spikes
            gates, traces = np.maximum(gates, np.abs(gate)), np.maximum(traces, np.abs(trace).max(axis=1))
    return gates, traces


def _shift(ratio: float) -> int:
    return max(0, ceil(log2(max(ratio, 1.0))))

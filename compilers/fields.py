"""Fields: numbers that the chip or Lava holds in fewer bits than our integers; none may overflow unnoticed.

A constant of a node that does not fit its field is an error: the model is refused. A sum of messages that could
overflow in the worst case of its weights is a warning. Rules F1 to F9 of docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from ..errors import Finding, not_registered
from ..graph import Edge, IntegerGraph
from ..nodes import (
    Broadcast,
    Conv,
    Dense,
    Diagonal,
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Shifted,
    SomaWire,
    Source,
    Sparse,
)
from ..nodes.arithmetic import FACTOR_MAX, LONG_MAX, WORD_MAX, Array
from ..nodes.lif import ACCUMULATOR_SHIFT, BIAS_EXP_MAX, BIAS_HIGH, BIAS_LOW, DECAY_BITS, V_THRESHOLD_MAX
from ..nodes.product import SHIFT_MAX
from ..nodes.synapses import Synapse
from ..simulation.forms import message_bound

DENDRITE_MAX = 2**15 - 1  # Lava declares LIF.a_in and Dense.a_out with 16 bits; its simulation does not enforce it
LAVA_SUM_MAX = (2**31 - 1) // 2  # Lava sums doubled weights in 32 bits
LAVA_CURRENT_MAX = (2**31 - 1 - 2**23) >> ACCUMULATOR_SHIFT  # and adds a LIF's input, shifted, to a 24-bit current


class Field(NamedTuple):
    """A constant of a node, and the smallest and largest value that its field on the chip holds."""

    name: str
    low: int
    high: int
    rule: str
    hint: str


_LIF_HINT = "rescale the weights into this layer: the value is stored in units of the largest weight / 127"
_CONSTANT_HINT = "calibrate or train again"
_DECAY_MAX = 2**DECAY_BITS - 1


def _factor(name: str) -> Field:
    return Field(name, 0, FACTOR_MAX, "factor-bits", _CONSTANT_HINT)


def _decay(name: str) -> Field:
    """A factor, or one more, which is no leak."""
    return Field(name, 0, FACTOR_MAX + 1, "factor-bits", _CONSTANT_HINT)


def _constant(name: str) -> Field:
    return Field(name, -WORD_MAX, WORD_MAX, "constant-bits", _CONSTANT_HINT)


FIELDS: dict[type, tuple[Field, ...]] = {
    Source: (),
    IntegerLIF: (
        Field("du", 0, _DECAY_MAX, "lif-decay", _CONSTANT_HINT),
        Field("dv", 0, _DECAY_MAX, "lif-decay", _CONSTANT_HINT),
        Field("v_threshold", 0, V_THRESHOLD_MAX, "lif-threshold", _LIF_HINT),
        Field("bias_mant", BIAS_LOW, BIAS_HIGH, "lif-bias", _LIF_HINT),
        Field("bias_exp", 0, BIAS_EXP_MAX, "lif-bias", _LIF_HINT),
    ),
    IntegerCuba: (
        *(_decay(name) for name in ("decay", "current_decay")),
        _factor("multiplier"),
        *(_constant(name) for name in ("bias", "v_threshold", "v_reset", "v_start", "v_floor")),
    ),
    IntegerGraded: (Field("v_threshold", 0, LONG_MAX, "constant-bits", _CONSTANT_HINT),),
    IntegerProd: (
        Field("v_threshold", 0, LONG_MAX, "constant-bits", _CONSTANT_HINT),
        Field("shift", 0, SHIFT_MAX, "constant-bits", _CONSTANT_HINT),
    ),
    IntegerRelay: (_factor("multiplier"), _constant("bias")),
    IntegerReadout: (
        _decay("decay"),
        _factor("multiplier"),
        _constant("bias"),
    ),
    IntegerScan: (
        *(_factor(name) for name in ("alpha", "u_multiplier", "dt_multiplier")),
        *(_constant(name) for name in ("d_skip", "u_bias", "dt_bias")),
    ),
}


def out_of_field(graph: IntegerGraph) -> Iterator[Finding]:
    """Yield an error for every number of a node that its field does not hold (F1 to F6)."""
    for layer, node in graph.nodes.items():
        if type(node) not in FIELDS:
            raise not_registered(node, "FIELDS", "compilers/fields.py")
        for field in FIELDS[type(node)]:
            values = np.atleast_1d(getattr(node, field.name)).reshape(-1)
            wrong = np.flatnonzero(~((values >= field.low) & (values <= field.high)))
            if len(wrong):
                value = values[wrong[0]].item()
                message = (
                    f"layer '{layer}' has a {field.name} of {value:,} at neuron {wrong[0]}, "
                    f"its field holds {field.low:,} to {field.high:,}"
                )
                limit = field.low if value < field.low else field.high
                yield Finding(field.rule, layer, message, value, limit, field.hint)


def wide_sums(graph: IntegerGraph) -> Iterator[Finding]:
    """Yield a warning for every sum that may overflow in the worst case: 16 bits at a LIF, Lava's 32 bits (F7, F8)."""
    hint = "fewer inputs, or smaller weights among the largest"
    for layer, node in graph.nodes.items():
        spiking = isinstance(node, IntegerLIF)
        limit = LAVA_CURRENT_MAX if spiking else LAVA_SUM_MAX
        for port in node.ports:
            edges = [e for e in graph.into(layer) if e.port == port and not isinstance(e.synapse, SomaWire)]
            largest = largest_sum(graph, edges)
            may = f"layer '{layer}' may receive {largest:,} in a step"
            if spiking and largest > DENDRITE_MAX:
                message = f"{may}; 16 bits, which Lava declares but does not enforce, hold {DENDRITE_MAX:,}"
                yield Finding("dendrite-bits", layer, message, largest, DENDRITE_MAX, hint, "warning")
            if largest > limit:
                message = f"{may}, Lava's 32 bits hold {limit:,}"
                yield Finding("lava-sum", layer, message, largest, limit, hint, "warning")


def largest_sum(graph: IntegerGraph, edges: list[Edge]) -> int:
    """Return the largest magnitude of the sum of messages over all synapses into one port."""
    up: Array = np.zeros(1, np.int64)
    down: Array = np.zeros(1, np.int64)
    for edge in edges:
        source = graph.nodes[edge.source]
        positive, negative = gains(edge.synapse)
        most = getattr(source, "largest", 0) or message_bound(source, edge.source)
        if source.message_bits > 1:  # signed messages: positive and negative weights can add up in either direction
            positive = negative = positive + negative
        up, down = up + positive * most, down + negative * most
    return int(max(up.max(initial=0), down.max(initial=0)))


@singledispatch
def gains(synapse: Synapse) -> tuple[Array, Array]:
    """Return the sums of a neuron's positive weights, and of its negative ones by magnitude."""
    raise not_registered(synapse, "gains", "compilers/fields.py")


@gains.register(Broadcast)
@gains.register(SomaWire)
def _(synapse: Broadcast | SomaWire) -> tuple[Array, Array]:
    return np.ones(1, np.int64), np.zeros(1, np.int64)


@gains.register
def _(synapse: Dense) -> tuple[Array, Array]:
    weight = synapse.weight
    return np.maximum(weight, 0).sum(axis=1, dtype=np.int64), -np.minimum(weight, 0).sum(axis=1, dtype=np.int64)


@gains.register
def _(synapse: Shifted) -> tuple[Array, Array]:
    """A sum is largest before its shift to the right, or after its shift to the left."""
    powers = 2 ** np.maximum(synapse.exponent, 0).astype(np.int64)
    weight = synapse.weight.astype(np.int64) * powers
    up, down = (np.bincount(synapse.rows, np.maximum(sign * weight, 0), synapse.post) for sign in (1, -1))
    return up.astype(np.int64), down.astype(np.int64)


@gains.register(Sparse)
@gains.register(Conv)
def _(synapse: Sparse | Conv) -> tuple[Array, Array]:
    ones, weight = np.ones(synapse.pre, np.int64), synapse.weight.astype(np.int64)
    up, down = (replace(synapse, weight=np.maximum(sign * weight, 0)).apply(ones) for sign in (1, -1))
    return up, down


@gains.register
def _(synapse: Diagonal) -> tuple[Array, Array]:
    weight = synapse.weight.astype(np.int64)
    return np.maximum(weight, 0), np.maximum(-weight, 0)

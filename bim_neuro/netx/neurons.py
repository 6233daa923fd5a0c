r"""Neurons of a .net file: netx makes Lava's LIF of a CUBA neuron, with du = iDecay - 1, dv = vDecay, vth = vThMant.

    u[t] = u[t-1] (4096 - iDecay) >> 12 + (a[t] << 6)        towards zero
    v[t] = v[t-1] (4096 - vDecay) >> 12 + u[t] + (bias << 6)
    s[t] = v[t] > vThMant << 6, and v[t] = 0 where it fires

Our `LIF` is that law with one decay a layer, weights of at most 127 and no bias; where the file holds more, a `Cuba`
computes it in microcode. Its current saturates at 24 bits where Lava's wraps; the run counts every such case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import DoesNotFit, Finding
from ..nodes import LIF, Cuba
from ..nodes.arithmetic import WORD_MAX, Array, multiply_shift
from ..nodes.lif import ACCUMULATOR_SHIFT, DECAY_BITS, V_THRESHOLD_MAX
from ..nodes.node import Node
from ..nodes.synapses import WEIGHT_MAX
from .file import NetLayer, as_whole

STATE_UNIT = 2.0**-ACCUMULATOR_SHIFT
"""Units of a weight in one unit of the state."""
UNITY = 2**DECAY_BITS
TYPES = ("CUBA", "LOIHI")
_SILENT: Mapping[str, Array] = {"iDecay": np.array(0), "vDecay": np.array(UNITY), "vThMant": np.array(1 << 17)}
"""What netx gives a dense layer without a neuron: no voltage is above its threshold."""


class Demand(NamedTuple):
    """What the synapses of a layer ask of its neurons."""

    largest: int
    """The largest weight into a neuron by magnitude."""
    in_powers: bool
    """Whether weights beyond 8 bits have them with an exponent each."""
    wide: bool
    """Whether some of the weights need 16 bits."""
    delayed: bool
    """Whether its own messages are delayed on their way."""


@dataclass(frozen=True)
class Neurons:
    """The constants of a layer's neurons, one value each."""

    current_decay: Array
    """What is left of a current after a step, of 4096."""
    decay: Array
    threshold: Array
    bias: Array

    @property
    def size(self) -> int:
        return len(self.decay)

    def at_input(self, depth: int) -> tuple[Array, bool]:
        """Return the voltages (state units) with which a layer receives a sample, and whether it fired before.

        netx runs every layer from the first step on, though the input reaches the n-th one n steps later: the bias of
        so many steps is in its voltage.
        """
        v, fired = np.zeros(self.size, np.int64), False
        for _ in range(depth if self.bias.any() else 0):
            v = multiply_shift(v, self.decay, DECAY_BITS) + (self.bias << ACCUMULATOR_SHIFT)
            v = np.clip(v, -WORD_MAX, WORD_MAX)
            fires = v > self.threshold << ACCUMULATOR_SHIFT
            fired |= bool(fires.any())
            v[fires] = 0
        return v, fired

    def node(self, demand: Demand, depth: int) -> tuple[Node, str]:
        """Return the float node of the ``depth``-th layer, and why it is no `LIF`, '' where it is."""
        why = self._no_lif(demand)
        if not why:
            decay, current = (float(row[0]) / UNITY for row in (self.decay, self.current_decay))
            return LIF(self.size, decay, float(self.threshold[0]), np.zeros(self.size), current, STATE_UNIT), ""
        none, most = np.zeros(self.size), WORD_MAX * STATE_UNIT
        cuba = Cuba(
            decay=self.decay / UNITY,
            current_decay=self.current_decay / UNITY,
            gain=np.ones(self.size),
            bias=self.bias.astype(np.float64),
            v_threshold=np.minimum(self.threshold, most),
            v_reset=none,
            v_start=self.at_input(depth)[0] * STATE_UNIT,
            v_floor=np.full(self.size, -np.inf),
            wide=demand.wide,
            u_range=most,
            v_range=most,
            state_unit=STATE_UNIT,
        )
        return cuba, why

    def _no_lif(self, demand: Demand) -> str:
        """Return why Lava's hard-wired neuron cannot hold the layer, '' where it can."""
        if any(np.ptp(row) for row in (self.decay, self.current_decay, self.threshold)):
            return "its neurons have constants of their own"
        if self.bias.any():
            return "it has a bias, which netx adds before the input arrives"
        if demand.largest > WEIGHT_MAX and not demand.in_powers:
            return f"it has weights of up to {demand.largest} that 8 bits and a power of two do not hold"
        if demand.delayed:
            return "its spikes are delayed, so they must end with the sample"
        if self.current_decay[0] == UNITY or self.decay[0] == 0:
            return f"it has an iDecay of {UNITY - self.current_decay[0]} and a vDecay of {UNITY - self.decay[0]}"
        if not 0 <= self.threshold[0] <= V_THRESHOLD_MAX:
            return f"its threshold is {self.threshold[0]:,}, a LIF's are 0 to {V_THRESHOLD_MAX:,}"
        return ""


def neurons_of(layer: NetLayer, channels: int, places: int) -> Neurons:
    """Return the neurons of a layer with ``channels`` of so many places; a value a channel serves all of them."""
    kind, fields = (layer.neuron_type, layer.neuron) if layer.neuron else (TYPES[0], _SILENT)
    if kind not in TYPES:
        message = f"{layer.who} has neurons of type {kind:.20}, read are {' and '.join(TYPES)}"
        raise DoesNotFit([Finding("netx-neuron", layer.who, message, hint="use slayer.block.cuba")])
    rows = {name: _row(layer, fields, name, channels, places) for name in ("iDecay", "vDecay", "vThMant")}
    for name in ("iDecay", "vDecay"):
        if rows[name].min() < 0 or rows[name].max() > UNITY:
            wrong = int(rows[name].min() if rows[name].min() < 0 else rows[name].max())
            message = f"{layer.who} has an {name} of {wrong}, allowed are 0 to {UNITY}"
            raise DoesNotFit([Finding("netx-neuron", layer.who, message, wrong, UNITY)])
    return Neurons(UNITY - rows["iDecay"], UNITY - rows["vDecay"], rows["vThMant"], _bias(layer, channels, places))


def _row(layer: NetLayer, fields: Mapping[str, Array], name: str, channels: int, places: int) -> Array:
    """Return a constant of the neurons, one value each."""
    if name not in fields:
        message = f"{layer.who}: its neuron has no {name}"
        raise DoesNotFit([Finding("netx-neuron", layer.who, message, hint="use slayer.block.cuba")])
    values = as_whole(fields[name], f"{layer.who}: neuron/{name}")
    return _of_channels(layer, name, values, channels, places)


def _bias(layer: NetLayer, channels: int, places: int) -> Array:
    """Return a layer's bias, one value a neuron; netx has maps by column, row, channel."""
    if "bias" not in layer.fields:
        return np.zeros(channels * places, np.int64)
    values = layer.whole("bias")
    if values.ndim == 3 and values.shape == layer.shape((1, 2, 3))[::-1]:
        return values.transpose(2, 1, 0).ravel()
    return _of_channels(layer, "bias", values, channels, places)


def _of_channels(layer: NetLayer, name: str, values: Array, channels: int, places: int) -> Array:
    """Return one value a neuron, of one for all or one a channel."""
    if values.size not in (1, channels):
        message = f"{layer.who} has {values.size} values of {name}, 1 or {channels} fit"
        raise DoesNotFit([Finding("shape", layer.who, message, values.size, channels)])
    return np.repeat(np.broadcast_to(values.ravel(), channels), places)

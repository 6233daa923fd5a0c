"""StateUnits: what a voltage and a current of a float graph are in the numbers of the file it was read from.

v of the file = scale v + offset              a LIF may count in thresholds, and from v_reset (`neurons`)
current of the file = current u               the gains of a current-based neuron are one here
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..nodes import LIF
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .dialect import Dialect
from .discretise import Field, NeuronLaw, membrane_gain


class StateUnits(NamedTuple):
    """Of a layer, an array a neuron each."""

    scale: Array
    offset: Array
    current: Array


def units_of(node: Node | None, law: NeuronLaw, kind: str, field: Field, dt: float, dialect: Dialect) -> StateUnits:
    """Return the units of the node that a neuron of a ``kind`` became, whose fields are (neurons,) each."""
    scale, offset = np.ones_like(law.gain), np.zeros_like(law.gain)
    if isinstance(node, LIF):
        threshold = law.v_threshold - law.v_reset
        scale, offset = threshold / node.v_threshold, law.v_reset
    elif not law.spikes and kind != "I":
        offset = field("v_leak")
    if kind not in ("CubaLIF", "CubaLI"):
        return StateUnits(scale, offset, scale)
    gain = membrane_gain(kind, field, dt, dialect)
    return StateUnits(scale, offset, np.divide(scale, gain, out=np.zeros_like(gain), where=gain != 0))

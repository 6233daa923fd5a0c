r"""Readout: a leaky sum a class as a product in a loop and two graded vectors.

sum     graded     W s + b
kept    product    decay (kept + sum)[t-1] >> bits
out     graded     kept + sum
"""

from __future__ import annotations

import numpy as np

from ...nodes import Graded, Prod, Readout
from ...nodes.arithmetic import LONG_MAX, Array
from .projection import Signal, reach
from .wires import Wires, mantissas

DECAY_BITS = 10
_FLOOR = 3  # units that roundings may add in a step


def lower_readout(wires: Wires, x: Signal, name: str, node: Readout, weight: Array) -> float:
    """Add a readout that reads spikes ``x``; return the real value of 1 of its message, the same for all classes."""
    sums, kept, classes = f"{name}.sum", f"{name}.kept", len(weight)
    decay = min(round(node.decay * 2**DECAY_BITS), 2**DECAY_BITS - 1)
    gain = 1 / (1 - decay / 2**DECAY_BITS)
    most = float((reach(weight * x.unit * x.largest, x.signed) + np.abs(node.bias)).max())
    limit = (2.0 ** (31 - DECAY_BITS) - 1) / gain - 2 * _FLOOR
    unit = (most or 1.0) / (limit * 0.98)
    wires.nodes[sums] = Graded(classes)
    mantissa, exponent = mantissas(weight * x.unit / unit)
    wires.connect(x.name, sums, "a", mantissa, exponent)
    held = wires.constant(sums, "a", node.bias / unit)
    largest = float((reach(mantissa * 2.0 ** exponent[:, None] * x.largest, x.signed) + np.abs(held)).max())
    loop = (largest + _FLOOR) * gain
    wires.nodes[sums] = Graded(classes, largest=int(largest))
    wires.nodes[kept] = Prod(classes, DECAY_BITS, int(loop) if loop * decay <= LONG_MAX else 0)
    wires.diagonal(kept, kept, "a1", delay=1)
    wires.diagonal(sums, kept, "a1", delay=1)
    wires.constant(kept, "a2", np.full(classes, decay))
    wires.nodes[name] = Graded(classes, largest=int(loop + largest))
    wires.diagonal(kept, name, "a")
    wires.diagonal(sums, name, "a")
    return float(unit)

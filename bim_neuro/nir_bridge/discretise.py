"""Discretise: a neuron of NIR in continuous time becomes decays, a gain and a leak a step; see `foreign`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..nodes.arithmetic import Array
from .integrator import Integrator
from .support import SPIKING


@dataclass(frozen=True)
class NeuronLaw:
    """A layer discretised; ``gain`` of its input and ``leak`` added each step, both (neurons,)."""

    decay: float
    current_decay: float
    gain: Array
    leak: Array
    v_threshold: float


def discretise(kind: str, field: Callable[[str], Array], dt: float, integrator: Integrator) -> NeuronLaw:
    """Return the law of a neuron of a ``kind`` whose fields are (neurons,) each; unequal thresholds become 1."""

    def decay(key: str) -> float:
        return integrator.decay(float(field(key)[0]) / dt)

    if kind in ("IF", "I"):
        membrane, current, gain = 1.0, 0.0, dt * field("r")
        leak = np.zeros_like(gain)
    else:
        membrane = decay("tau_mem" if kind == "CubaLIF" else "tau")
        gain, leak = (1 - membrane) * field("r"), (1 - membrane) * field("v_leak")
        current = decay("tau_syn") if kind == "CubaLIF" else 0.0
        if kind == "CubaLIF":
            gain = (1 - current) * field("w_in") * gain
    if kind not in SPIKING:
        return NeuronLaw(membrane, current, gain, leak, 0.0)
    threshold = field("v_threshold")
    if np.ptp(threshold) == 0:
        return NeuronLaw(membrane, current, gain, leak, float(threshold[0]))
    return NeuronLaw(membrane, current, gain / threshold, leak / threshold, 1.0)

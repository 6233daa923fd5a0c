r"""Discretise: a neuron of NIR in continuous time becomes decays, a gain and a leak a step, by a dialect.

    forward         decay = 1 - dt / tau         what norse, snnTorch and SpikingJelly compute
    exponential     decay = exp(-dt / tau)       exact for input that is constant over a step: sinabs, rockpool
                                                 and what we write

Both discretise  tau v' = (v_leak - v) + r i  as  v[t] = decay v[t-1] + (1 - decay) (v_leak + r i[t]). Where tau and r
are both infinite their product with dt / tau is taken as one: so a file says r = tau / dt of a neuron without a leak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import numpy as np

from ..nodes.arithmetic import Array
from .dialect import Dialect

UNIFORM = 1e-6
"""Time constants with less relative spread are treated as equal: 12-bit decays are 200 times coarser."""
ROUNDED = 1e-6
"""How far below 0 a decay may lie because its file holds 32-bit numbers."""
Field = Callable[[str], Array]


@dataclass(frozen=True)
class NeuronLaw:
    """A layer discretised, an array a neuron each: ``gain`` of its input, ``leak`` added each step.

    ``spikes`` is False for an integrator, whose voltage counts from v_leak; the switches are `nodes.cuba.Cuba`'s.
    """

    decay: Array
    current_decay: Array
    gain: Array
    leak: Array
    v_threshold: Array
    v_reset: Array
    v_start: Array
    v_floor: Array
    spikes: bool = True
    reset: str = "value"
    reset_when: str = "same"
    compare: str = ">"
    counts: str = "one"
    lag: bool = False


def discretise(kind: str, field: Field, dt: float, dialect: Dialect, *, recurrent: bool = False) -> NeuronLaw:
    """Return the law of a neuron of a ``kind`` whose fields are (neurons,) each."""
    if kind == "Threshold":
        return _memoryless(field("threshold"), dialect)
    decay, current_decay, gain, leak = _membrane(kind, field, dt, dialect)
    zero = np.zeros_like(gain)
    if kind in ("LI", "I", "CubaLI"):
        none = np.full_like(zero, -np.inf)
        return NeuronLaw(decay, current_decay, gain, zero, zero, zero, zero, none, spikes=False, counts="none")
    threshold, v_reset = field("v_threshold"), field("v_reset")
    starts = {"zero": zero, "reset": v_reset, "leak": zero if kind == "IF" else field("v_leak")}
    floor = -threshold if dialect["floor"] == "threshold" else np.full_like(zero, -np.inf)
    v_reset = zero if dialect["reset"] == "zero" else v_reset
    reset = "subtract" if dialect["reset"] == "subtract" else "value"
    when = dialect["reset_when"]
    if when == "delayed":
        when = "next" if reset == "value" and kind != "CubaLIF" and not recurrent else "after"
    voltages = (threshold, v_reset, starts[dialect["v0"]], floor)
    return NeuronLaw(
        *(decay, current_decay, gain, leak, *voltages),
        reset=reset, reset_when=when, compare=dialect["compare"], counts=dialect["counts"],
        lag=dialect["lag"] == "yes",
    )  # fmt: skip


def membrane_gain(kind: str, field: Field, dt: float, dialect: Dialect) -> Array:
    """Return what the voltage of a CubaLIF or CubaLI adds of its current in a step."""
    return _gain(
        dialect["li_input" if kind in ("LI", "CubaLI") else "input"], decays(field("tau_mem"), dt, dialect), field("r")
    )


def decays(tau: Array, dt: float, dialect: Dialect) -> Array:
    """Return the decay of each time constant; below 0 where a step is longer than it."""
    steps, back = np.unique(tau / dt, return_inverse=True)
    if np.ptp(1 / steps) <= UNIFORM * np.abs(1 / steps).max(initial=0):
        steps = np.full_like(steps, tau[0] / dt)
    found = 1 - 1 / steps if dialect["integrator"] == "forward" else np.array([exp(-1 / each) for each in steps])
    found = np.where((found < 0) & (found >= -ROUNDED), 0.0, found)
    return np.asarray(found[back.reshape(tau.shape)])


def _membrane(kind: str, field: Field, dt: float, dialect: Dialect) -> tuple[Array, Array, Array, Array]:
    """Return the decays of voltage and current, the gain of the input, and what leaks in each step."""
    if kind in ("IF", "I"):
        r = field("r")
        gain = np.ones_like(r) if dialect["if_input"] == "whole" else dt * r
        return np.ones_like(r), np.zeros_like(r), gain, np.zeros_like(r)
    cuba = kind in ("CubaLIF", "CubaLI")
    decay = decays(field("tau_mem" if cuba else "tau"), dt, dialect)
    gain = _gain(dialect["li_input" if kind in ("LI", "CubaLI") else "input"], decay, field("r"))
    leak = (1 - decay) * field("v_leak")
    if not cuba:
        return decay, np.zeros_like(decay), gain, leak
    current = decays(field("tau_syn"), dt, dialect)
    return decay, current, _gain(dialect["synapse"], current, field("w_in")) * gain, leak


def _gain(taken: str, decay: Array, factor: Array) -> Array:
    """Return what a step adds of its input: 1, the decay, or (1 - decay) times a factor; see `switches`.

    That is one too where a neuron without a leak has an infinite factor.
    """
    if taken != "scaled":
        return np.ones_like(decay) if taken == "whole" else decay
    finite = np.where(np.isinf(factor), 1.0, (1 - decay) * np.where(np.isinf(factor), 0.0, factor))
    return np.asarray(finite)


def _memoryless(threshold: Array, dialect: Dialect) -> NeuronLaw:
    """Return the law of a Threshold: a neuron that forgets all at once."""
    zero, one = np.zeros_like(threshold), np.ones_like(threshold)
    none = np.full_like(zero, -np.inf)
    return NeuronLaw(zero, zero, one, zero, threshold, zero, zero, none, compare=dialect["compare"])

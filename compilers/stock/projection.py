"""Projection: a matrix and a bias become a graded vector, each neuron in its own unit, with a bound of its sums."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...nodes import Graded
from ...nodes.arithmetic import Array
from ...nodes.synapses import WEIGHT_MAX
from .wires import CONSTANT_MAX, Wires

MESSAGE_BITS = 22
"""A sum of any input stays below 2^22, so that it fits a message of 24 bits with its sign."""


class Signal(NamedTuple):
    """What a node sends: the real value of 1, (1,) or (neurons,), the largest magnitude, and whether it has a sign."""

    name: str
    unit: Array
    largest: Array
    signed: bool = True


def project(wires: Wires, signal: Signal, name: str, weight: Array, bias: Array, unit: Array | None = None) -> Signal:
    """Add a graded vector of ``weight`` (neurons, pre) times a signal plus ``bias``, in finest or given units."""
    real = weight * signal.unit
    unit = finest(signal, weight, bias) if unit is None else unit
    mantissa = np.rint(real / unit[:, None]).astype(np.int64)
    wires.nodes[name] = Graded(len(weight))
    wires.connect(signal.name, name, "a", mantissa)
    held = wires.constant(name, "a", bias / unit)
    largest = reach(mantissa * signal.largest, signal.signed) + np.abs(held)
    wires.nodes[name] = Graded(len(weight), largest=int(largest.max()))
    return Signal(name, unit, largest)


def finest(signal: Signal, weight: Array, bias: Array) -> Array:
    """Return the smallest units in which weights have 8 bits, the bias its digits and the sum its message."""
    real = weight * signal.unit
    unit = np.abs(real).max(axis=1, initial=0.0) / WEIGHT_MAX
    sums = (reach(real * signal.largest, signal.signed) + np.abs(bias)) / 2.0**MESSAGE_BITS
    unit = np.maximum(np.maximum(unit, np.abs(bias) / CONSTANT_MAX), sums)
    return np.where(unit > 0, unit, 1.0)


def reach(terms: Array, signed: bool) -> Array:
    """Return the largest magnitude of the sums of rows of terms, each of which may be absent or, if signed, turned."""
    if signed:
        return np.asarray(np.abs(terms).sum(axis=1))
    return np.asarray(np.maximum(np.maximum(terms, 0).sum(axis=1), -np.minimum(terms, 0).sum(axis=1)))

"""Constants of a layer: the value in the float model, the value after rounding to integers, and the layer's units."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np

from ..errors import Finding
from ..graph import FloatGraph
from ..nodes.arithmetic import Array
from ..nodes.synapses import WEIGHTED
from .quantise import Units

FAR = 0.1
"""Relative error above which a rounded constant is reported as a finding."""


@dataclass(frozen=True)
class Constant:
    """A constant of a layer: ``asked`` in float, ``got`` after rounding; of many, the one with the largest error.

    A time constant of None has no leak; ``off`` is the relative error, None where it is not finite.
    """

    layer: str
    constant: str
    asked: float | None
    got: float | None
    unit: str
    off: float | None


class Rounded(NamedTuple):
    """A constant, and the finding about it; None where its error is small enough."""

    constant: Constant
    finding: Finding | None = None


class ConstantPlace(NamedTuple):
    """The layer of a constant, and the real values of that layer's integers."""

    graph: FloatGraph
    layer: str
    units: Units

    @property
    def exponent(self) -> float:
        return self.units.exponents[self.layer]

    def unit(self, port: str) -> Array:
        return self.units.sums[self.layer][port]

    def largest_weight(self, port: str) -> float:
        """Return the largest weight by magnitude into a port, 0 where there is none."""
        into = (e.synapse for e in self.graph.into(self.layer) if e.port == port)
        weights = (synapse.weight for synapse in into if isinstance(synapse, WEIGHTED))
        return max((float(np.abs(weight).max(initial=0.0)) for weight in weights), default=0.0)

    def rounded(self, what: str, asked: float, got: float, unit: str, off: float) -> Constant:
        return Constant(self.layer, what, _finite(asked), _finite(got), unit, _finite(off))

    def finding(self, rule: str, message: str, asked: float, got: float, hint: str) -> Finding:
        said = f"layer '{self.layer}': {message}"
        return Finding(rule, self.layer, said, _finite(got), _finite(asked), hint, severity="warning")


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None

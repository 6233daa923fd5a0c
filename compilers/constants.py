"""Constants of a layer as the model asks for them and as the integers hold them, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np

from ..errors import Finding
from ..graph import FloatGraph
from ..nodes import Dense, Diagonal
from ..nodes.arithmetic import Array
from .quantise import Units

FAR = 0.1
"""The share from which on a constant is so far off that it is a finding."""


@dataclass(frozen=True)
class Constant:
    """A constant of a layer, or of many the one that is furthest off, as ``asked`` and as ``got``.

    A time constant of None has no leak; ``off`` is None where nothing is left to compare.
    """

    layer: str
    constant: str
    asked: float | None
    got: float | None
    unit: str
    off: float | None


class Rounded(NamedTuple):
    """A constant, and the finding about it; None where it is near enough."""

    constant: Constant
    finding: Finding | None = None


class Place(NamedTuple):
    """Where a constant stands, and what integers are worth there."""

    graph: FloatGraph
    layer: str
    units: Units

    @property
    def exponent(self) -> int:
        return self.units.exponents[self.layer]

    def unit(self, port: str) -> Array:
        return self.units.sums[self.layer][port]

    def largest_weight(self, port: str) -> float:
        """Return the largest weight into a port, 0 where none leads there."""
        into = (e.synapse for e in self.graph.into(self.layer) if e.port == port)
        weights = (synapse.weight for synapse in into if isinstance(synapse, (Dense, Diagonal)))
        return max((float(np.abs(weight).max(initial=0.0)) for weight in weights), default=0.0)

    def rounded(self, what: str, asked: float, got: float, unit: str, off: float) -> Constant:
        return Constant(self.layer, what, _finite(asked), _finite(got), unit, _finite(off))

    def finding(self, rule: str, message: str, asked: float, got: float, hint: str) -> Finding:
        said = f"layer '{self.layer}': {message}"
        return Finding(rule, self.layer, said, _finite(got), _finite(asked), hint, severity="warning")


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None

r"""Linear forms: the value on an edge of a NIR graph, as a function of the messages of neurons.

    y[t] = bias + sum_k map_k m_k[t - delay_k]        map_k as small as it is: see `maps`

NIR's Linear, Affine, Scale, Conv, pools, Flatten and Delay are nodes; here they fold into the synapses between neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..nodes import Diagonal
from ..nodes.arithmetic import Array
from .maps import Map, added, bytes_of, bytes_of_added, bytes_of_composed, compose, ends, is_zero, scaled

_OBJECT_BYTES = 256  # bytes of an array object, its key and its entry in a dict
Origin = tuple[str, int]  # sender of the message, its age in steps


@dataclass(frozen=True)
class LinearForm:
    """``maps`` by origin, ``bias`` (width,)."""

    maps: dict[Origin, Map]
    bias: Array

    @property
    def width(self) -> int:
        return len(self.bias)

    @property
    def nbytes(self) -> int:
        """What the arrays take, and the objects around them."""
        return int(self.bias.nbytes) + sum(bytes_of(m) + _OBJECT_BYTES for m in self.maps.values())

    def bytes_through(self, outer: Map, rows: int) -> int:
        """Return what the form takes, at most, once it passed through a map to ``rows`` neurons."""
        return 8 * rows + sum(bytes_of_composed(outer, m) + _OBJECT_BYTES for m in self.maps.values())

    def through(self, outer: Map) -> LinearForm:
        """Pass through a map."""
        bias = outer.apply(self.bias) if self.bias.any() else np.zeros(ends(outer)[0])
        return self._mapped(lambda m: compose(outer, m), bias)

    def scaled(self, factor: Array) -> LinearForm:
        """Multiply by one factor a neuron."""
        return self._mapped(lambda m: scaled(m, factor), factor * self.bias)

    def shifted(self, bias: Array) -> LinearForm:
        """Add a bias."""
        return LinearForm(self.maps, self.bias + bias)

    def unbiased(self) -> LinearForm:
        """Leave the bias out."""
        return LinearForm(self.maps, np.zeros(self.width))

    def delayed(self, steps: Array) -> LinearForm:
        """Delay each neuron by its own number of steps; the bias is constant, so it is not delayed."""
        parts = [
            ((source, delay + int(step)), scaled(m, (steps == step).astype(np.float64)))
            for step in np.unique(steps)
            for (source, delay), m in self.maps.items()
        ]
        return LinearForm(_merged(parts), self.bias)

    def a_step_old(self, name: str) -> LinearForm:
        """Delay the messages of one neuron by a step, and no others: those by which it reads itself."""
        if not any(source == name for source, _ in self.maps):
            return self
        return LinearForm({(source, age + (source == name)): m for (source, age), m in self.maps.items()}, self.bias)

    def others_a_step_old(self, name: str) -> LinearForm:
        """Delay the messages of all neurons but one by a step."""
        maps = {(source, age + (source != name)): m for (source, age), m in self.maps.items()}
        return LinearForm(maps, self.bias)

    def is_message_of(self) -> str | None:
        """Return the neuron whose message this is, unchanged; None if it is anything else."""
        if len(self.maps) != 1 or self.bias.any():
            return None
        [((source, delay), m)] = self.maps.items()
        return source if delay == 0 and isinstance(m, Diagonal) and bool((m.weight == 1).all()) else None

    def synapses(self) -> dict[Origin, Map]:
        """Return a synapse for each origin that reaches a neuron."""
        return {key: m for key, m in self.maps.items() if not is_zero(m)}

    def _mapped(self, law: Callable[[Map], Map], bias: Array) -> LinearForm:
        return LinearForm({key: law(m) for key, m in self.maps.items()}, bias)


def message_of(name: str, width: int) -> LinearForm:
    """Return the form of a neuron's own message."""
    return LinearForm({(name, 0): Diagonal(np.ones(width))}, np.zeros(width))


def sum_of(forms: Sequence[LinearForm]) -> LinearForm:
    """Add the wires into one node."""
    parts = [part for form in forms for part in form.maps.items()]
    return LinearForm(_merged(parts), np.sum([form.bias for form in forms], axis=0))


def bytes_of_sum(forms: Sequence[LinearForm]) -> int:
    """Return what `sum_of` takes, at most: maps that meet become what can hold both."""
    met: dict[Origin, Map] = {}
    total = sum(form.nbytes for form in forms)
    for form in forms:
        for key, m in form.maps.items():
            total += bytes_of_added(met[key], m) if key in met else 0
            met[key] = m
    return total


def _merged(parts: list[tuple[Origin, Map]]) -> dict[Origin, Map]:
    merged: dict[Origin, Map] = {}
    for key, m in parts:
        merged[key] = added(merged[key], m) if key in merged else m
    return merged

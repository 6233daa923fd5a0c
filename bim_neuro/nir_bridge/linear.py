r"""Linear forms: the value on an edge of a NIR graph, as a function of the messages of neurons.

    y[t] = bias + sum_k map_k m_k[t - delay_k]        map (post, pre), or (post,) where it is diagonal

NIR's Linear, Affine, Scale, Flatten and Delay are nodes; here they fold into the synapses between neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..nodes import Dense, Diagonal
from ..nodes.arithmetic import Array

_OBJECT_BYTES = 256  # bytes of an array object, its key and its entry in a dict
Origin = tuple[str, int]  # sender of the message, its age in steps


@dataclass(frozen=True)
class LinearForm:
    """``maps`` by origin, ``bias`` (width,)."""

    maps: dict[Origin, Array]
    bias: Array

    @property
    def width(self) -> int:
        return len(self.bias)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays and of the objects around them."""
        return int(self.bias.nbytes) + sum(int(m.nbytes) + _OBJECT_BYTES for m in self.maps.values())

    def bytes_with_rows(self, rows: int) -> int:
        """Return the memory of the form after a weight matrix of ``rows`` rows."""
        return 8 * rows + sum(8 * rows * int(m.shape[-1]) + _OBJECT_BYTES for m in self.maps.values())

    def through(self, weight: Array) -> LinearForm:
        """Pass through a weight matrix (post, pre)."""
        return self._mapped(lambda m: weight * m if m.ndim == 1 else weight @ m, weight @ self.bias)

    def scaled(self, factor: Array) -> LinearForm:
        """Multiply by one factor a neuron."""
        return self._mapped(lambda m: _rows(factor, m), factor * self.bias)

    def shifted(self, bias: Array) -> LinearForm:
        """Add a bias."""
        return LinearForm(self.maps, self.bias + bias)

    def delayed(self, steps: Array) -> LinearForm:
        """Delay each neuron by its own number of steps; the bias is constant, so it is not delayed."""
        parts = [
            ((source, delay + int(step)), _rows((steps == step).astype(np.float64), m))
            for step in np.unique(steps)
            for (source, delay), m in self.maps.items()
        ]
        return LinearForm(_merged(parts), self.bias)

    def is_message_of(self) -> str | None:
        """Return the neuron whose message this is, unchanged; None if it is anything else."""
        if len(self.maps) != 1 or self.bias.any():
            return None
        [((source, delay), m)] = self.maps.items()
        return source if delay == 0 and m.ndim == 1 and bool((m == 1).all()) else None

    def synapses(self) -> dict[Origin, Dense | Diagonal]:
        """Return a synapse for each origin that reaches a neuron."""
        return {key: Diagonal(m) if m.ndim == 1 else Dense(m) for key, m in self.maps.items() if m.any()}

    def _mapped(self, law: Callable[[Array], Array], bias: Array) -> LinearForm:
        return LinearForm({key: law(m) for key, m in self.maps.items()}, bias)


def message_of(name: str, width: int) -> LinearForm:
    """Return the form of a neuron's own message."""
    return LinearForm({(name, 0): np.ones(width)}, np.zeros(width))


def sum_of(forms: Sequence[LinearForm]) -> LinearForm:
    """Add the wires into one node."""
    parts = [part for form in forms for part in form.maps.items()]
    return LinearForm(_merged(parts), np.sum([form.bias for form in forms], axis=0))


def bytes_of_sum(forms: Sequence[LinearForm]) -> int:
    """Return the memory of `sum_of`: a diagonal added to a matrix becomes a matrix."""
    dense = {key for form in forms for key, m in form.maps.items() if m.ndim == 2}
    widened = sum(8 * len(m) ** 2 for form in forms for key, m in form.maps.items() if m.ndim == 1 and key in dense)
    return widened + sum(form.nbytes for form in forms)


def _rows(factor: Array, m: Array) -> Array:
    return factor * m if m.ndim == 1 else factor[:, None] * m


def _merged(parts: list[tuple[Origin, Array]]) -> dict[Origin, Array]:
    maps: dict[Origin, Array] = {}
    for key, m in parts:
        maps[key] = _sum(maps[key], m) if key in maps else m
    return maps


def _sum(left: Array, right: Array) -> Array:
    if left.ndim != right.ndim:
        left, right = (np.diag(m) if m.ndim == 1 else m for m in (left, right))
    return np.asarray(left + right)

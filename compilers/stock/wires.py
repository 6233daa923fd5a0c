"""Wires: the nodes and synapses of a lowered graph as they grow, all of whose numbers count in the units of integers.

A weight is a whole mantissa of 8 bits times a power of two. Constants come from three input lines that carry 1 while a
sample lasts: a constant is written in digits of 7 bits, one a line.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from ...graph import Edge
from ...nodes import Prod
from ...nodes.arithmetic import Array
from ...nodes.node import Node
from ...nodes.synapses import WEIGHT_MAX, shifted_of

LINES = 3
"""Input lines of constants."""
DIGIT_BITS = 7
CONSTANT_MAX = 2 ** (LINES * DIGIT_BITS - 1) - 2 ** ((LINES - 1) * DIGIT_BITS)
"""The largest constant that three digits hold exactly, whatever its sign."""

_Key = tuple[str, str, str, int]
_Part = tuple[Array, Array, Array, Array]  # rows, columns, mantissas, exponents


@dataclass
class Wires:
    """``source`` is the input, of ``lines`` lines before those of constants; its messages count 2^-``exponent``."""

    source: str
    lines: int
    exponent: int
    nodes: dict[str, Node] = field(default_factory=dict)
    _parts: dict[_Key, list[_Part]] = field(default_factory=lambda: defaultdict(list))
    _constants: dict[tuple[str, str], Array] = field(default_factory=dict)

    def connect(
        self, source: str, target: str, port: str, mantissa: Array, exponent: Array | int = 0, *,
        places: tuple[Array, Array] | None = None, delay: int = 0,
    ) -> None:  # fmt: skip
        """Add synapses: a matrix of mantissas (post, pre), or mantissas at ``places`` (rows, columns)."""
        if places is None:
            powers = np.broadcast_to(np.reshape(exponent, (-1, 1)), mantissa.shape)  # one for all, or one a row
            rows, columns = np.nonzero(mantissa)
            mantissa, exponent = mantissa[rows, columns], powers[rows, columns]
        else:
            rows, columns = places
            exponent = np.broadcast_to(exponent, np.shape(rows))
        self._parts[source, target, port, delay].append((rows, columns, mantissa, exponent))

    def diagonal(self, source: str, target: str, port: str, exponent: Array | int = 0, *, delay: int = 0) -> None:
        """Connect one to one, with a power of two for each neuron."""
        lines = np.arange(self.nodes[source].neurons)
        self.connect(source, target, port, np.ones(len(lines)), exponent, places=(lines, lines), delay=delay)

    def constant(self, target: str, port: str, values: Array) -> Array:
        """Add a constant to each neuron of a port while a sample lasts; return the values as they are held."""
        whole = np.rint(values).astype(np.int64)
        spare = np.maximum(0, np.ceil(np.log2(np.maximum(np.abs(whole), 1) / CONSTANT_MAX)).astype(np.int64))
        held = np.rint(whole / 2.0**spare).astype(np.int64) << spare
        self._constants[target, port] = held + self._constants.get((target, port), 0)
        return np.asarray(held)

    def finish(self) -> None:
        """Write the constants; each makes up for half of what shifts and products cut off."""
        for name, node in self.nodes.items():
            for port, neurons in node.ports.items():
                held = self._constants.get((name, port), np.zeros(neurons, np.int64))
                lost = np.rint(self._lost(name, port, neurons)).astype(np.int64)
                self._write(name, port, np.where(np.abs(held) + lost <= CONSTANT_MAX, held + lost, held))

    def _lost(self, target: str, port: str, neurons: int) -> Array:
        """Return the mean of what a port lacks: half a unit for each shift down, half of each product that it reads."""
        lost = np.zeros(neurons)
        for (source, end, at, _), parts in self._parts.items():
            if (end, at) != (target, port):
                continue
            rows, _, mantissa, exponent = (np.concatenate([part[k] for part in parts]) for k in range(4))
            groups = np.unique(np.stack([rows, exponent])[:, (exponent < 0) & (mantissa != 0)], axis=1)[0]
            lost += np.bincount(groups.astype(np.int64), minlength=neurons) / 2
            if isinstance(self.nodes[source], Prod):
                lost += np.bincount(rows, mantissa * 2.0**exponent, minlength=neurons) / 2
        return lost

    def _write(self, target: str, port: str, whole: Array) -> None:
        """Write constants in digits of 7 bits, the last one as long as it needs to be."""
        spare = np.maximum(0, np.ceil(np.log2(np.maximum(np.abs(whole), 1) / CONSTANT_MAX)).astype(np.int64))
        left, rows = whole >> spare, np.arange(len(whole))
        for line in range(LINES):
            last = line == LINES - 1
            digit = left if last else ((left + 2 ** (DIGIT_BITS - 1)) & (2**DIGIT_BITS - 1)) - 2 ** (DIGIT_BITS - 1)
            left = (left - digit) >> DIGIT_BITS
            columns = np.full(len(rows), self.lines + line)
            self.connect(self.source, target, port, digit, spare + line * DIGIT_BITS, places=(rows, columns))

    def edges(self) -> tuple[Edge, ...]:
        """Return the synapses, once `finish` has been called; those of the input take up what its messages count."""
        made = (self._edge(*key, parts) for key, parts in self._parts.items())
        return tuple(edge for edge in made if edge.synapse.count)

    def _edge(self, source: str, target: str, port: str, delay: int, parts: list[_Part]) -> Edge:
        rows, columns, mantissa, exponent = (np.concatenate([part[k] for part in parts]) for k in range(4))
        powers = exponent.astype(np.int64) + (self.exponent if source == self.source else 0)
        shape = (self.nodes[target].ports[port], self.nodes[source].neurons)
        return Edge(source, target, port, shifted_of(mantissa, powers, (rows, columns), shape), delay)


def mantissas(real: Array) -> tuple[Array, Array]:
    """Return whole mantissas of 7 bits and a sign, (rows, weights), and an exponent for each row, (rows,).

    A smaller weight of a row gets no exponent of its own: the error of the largest is there anyway.
    """
    size = np.abs(real).max(axis=1)
    exponent = np.ceil(np.log2(np.where(size > 0, size, 1.0) / WEIGHT_MAX)).astype(np.int64)
    return np.rint(real / 2.0 ** exponent[:, None]).astype(np.int64), exponent

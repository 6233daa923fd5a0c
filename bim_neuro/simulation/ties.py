r"""Ties: bins in which a voltage lies so near its threshold that rounding alone may decide whether a neuron fires.

    |v - v_threshold| < 1e-5 |v_threshold|              v as it is compared; with counts 'many' any multiple

A framework computes in 32 bits and in an order of its own, so that there it may fire where the float law does not, and
the other way round. Such bins are listed and counted apart when spikes are compared with a framework's, and the neuron
goes on as was recorded (`beside`); every other bin must be equal, there is no further tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..nodes import LIF, Cuba
from ..nodes.arithmetic import Array
from ..nodes.node import Node

NEAR = 1e-5
"""Of the threshold: what 32 bits leave of a few dozen sums."""


@dataclass(frozen=True)
class Compared:
    """A layer beside a recording of it: bins, ties among them, and the bins that differ, at ties and elsewhere.

    ``first`` is the first tie, or the first bin that differs where there is one elsewhere: (sample, step, neuron).
    ``ours`` and ``theirs`` are spikes, or values that are not 0, of either side.
    """

    layer: str
    bins: int
    ties: int
    differ_at_ties: int
    differ: int
    first: tuple[int, int, int] | None
    what: str = "message"
    law: str = "float"
    ours: float = 0
    theirs: float = 0

    def __str__(self) -> str:
        where = "" if self.first is None else ", first at sample {}, step {}, neuron {}".format(*self.first)
        of = "" if self.what == "message" else f"{self.what} of "
        said = f"{self.differ:,} of {self.bins:,} bins of {of}'{self.layer}' differ"
        return f"{said}; {self.ties} ties, {self.differ_at_ties} of which differ{where}"

    def joined(self, later: Compared, samples: int) -> Compared:
        """Return the row of these and of ``later`` samples, of which ``samples`` come before."""
        first = self.first
        moved = later.first and (later.first[0] + samples, *later.first[1:])
        if first is None or (later.differ and not self.differ):
            first = moved
        sums = {name: getattr(self, name) + getattr(later, name) for name in _SUMS}
        return replace(self, first=first, **sums)


_SUMS = ("bins", "ties", "differ_at_ties", "differ", "ours", "theirs")


def compared(
    layer: str, ours: Array, theirs: Array, ties: Array, *, exact: bool, what: str = "message", law: str = "float"
) -> Compared:
    """Compare a layer's bins (samples, steps, neurons); ``ties`` are (ties, 3): sample, step, neuron.

    ``exact`` values differ where they are not equal, others by more than 32 bits leave.
    """
    if theirs.shape != ours.shape:
        said = f"'{layer}' sends (samples, steps, neurons) {ours.shape}, the record is {theirs.shape}"
        raise InputError(said, "give as many samples and steps as the input has, samples first")
    differs = ours != theirs if exact else np.abs(ours - theirs) > NEAR * np.maximum(1.0, np.abs(theirs).max(initial=0))
    at = np.zeros(ours.shape, bool)
    at[tuple(ties.T)] = True
    elsewhere = np.argwhere(differs & ~at)
    shown = elsewhere if len(elsewhere) else ties
    first = (int(shown[0, 0]), int(shown[0, 1]), int(shown[0, 2])) if len(shown) else None
    sums = (_amount(ours, exact), _amount(theirs, exact))
    return Compared(layer, ours.size, len(ties), int((differs & at).sum()), len(elsewhere), first, what, law, *sums)


def fires(node: Node) -> bool:
    """Whether a node of the float law sends spikes that a threshold decides on."""
    return isinstance(node, LIF) or (isinstance(node, Cuba) and node.counts != "none")


def charged_voltages(node: LIF | Cuba, v: Array, u: Array, n: Array | None) -> Array:
    """Return the voltages (samples, steps, neurons) that are compared, from the states after each step."""
    start = node.initial((len(v),))
    before = {"v": _shifted(v, start["v"]), "n": np.zeros(0) if n is None else _shifted(n, start["n"])}
    return charged(node, before, u)


def _shifted(states: Array, start: Array) -> Array:
    return np.concatenate([start[:, None], states[:, :-1]], axis=1)


def _amount(values: Array, exact: bool) -> float:
    """Return the spikes of messages; of other values how many are not 0."""
    return float(np.abs(values.astype(np.float64)).sum()) if exact else float(np.count_nonzero(values))


def charged(node: LIF | Cuba, before: dict[str, Array], u: Array) -> Array:
    """Return the voltages that are compared, from the states before a step and its current."""
    return node.charged(before["v"], u) if isinstance(node, LIF) else node.charged(before["v"], u, before["n"])


def near_threshold(node: LIF | Cuba, v: Array) -> Array:
    """Return whether each voltage is so near its threshold that rounding may decide."""
    threshold = node.v_threshold
    if isinstance(node, Cuba) and node.counts == "many":
        threshold = threshold * np.maximum(1.0, np.rint(v / threshold))
    return np.asarray(np.abs(v - threshold) < NEAR * np.abs(threshold))

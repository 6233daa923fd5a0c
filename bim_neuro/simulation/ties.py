r"""Ties: bins in which a voltage lies so near its threshold that rounding alone may decide whether a neuron fires.

    |v - v_threshold| < 1e-5 |v_threshold|              v as it is compared; with counts 'many' any multiple

A framework computes in 32 bits and in an order of its own, so that there it may fire where the float law does not, and
the other way round. Such bins are listed and counted apart when spikes are compared with a framework's; every other
bin must be equal, there is no further tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import FloatGraph
from ..nodes import LIF, Cuba
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..record import RunRecord
from .probes import Watch

NEAR = 1e-5
"""Of the threshold: what 32 bits leave of a few dozen sums."""
BESIDE = "the float law in"
"""How a sentence of a comparison begins."""


@dataclass(frozen=True)
class Compared:
    """A layer beside its framework: bins, ties among them, and the bins that differ, at ties and elsewhere.

    ``first`` is the first tie, or the first bin that differs where there is one elsewhere: (sample, step, neuron).
    """

    layer: str
    bins: int
    ties: int
    differ_at_ties: int
    differ: int
    first: tuple[int, int, int] | None

    def __str__(self) -> str:
        where = "" if self.first is None else ", first at sample {}, step {}, neuron {}".format(*self.first)
        said = f"{self.differ} of {self.bins:,} bins of '{self.layer}' differ"
        return f"{said}; {self.ties} ties, {self.differ_at_ties} of which differ{where}"


@dataclass
class Ties:
    """A watch of the float law that notes every tie, layer -> bins (ties, 3) as (sample, step, neuron)."""

    graph: FloatGraph
    bins: dict[str, list[Array]] = field(default_factory=dict)
    last: dict[str, dict[str, Array]] = field(default_factory=dict)

    def __call__(self, samples: slice, name: str, first: int, values: dict[str, Array]) -> None:
        node = self.graph.nodes[name]
        if not isinstance(node, LIF | Cuba) or getattr(node, "counts", "one") == "none":
            return
        if first == 0:
            self.last[name] = node.initial((len(values["message"]),))
        for row in range(values["message"].shape[1]):
            state = {key: value[:, row].copy() for key, value in values.items() if key != "message"}
            near = _near(node, _charged(node, self.last[name], state["u"]))
            self.last[name] = state
            if near.any():
                sample, neuron = near.nonzero()
                found = (samples.start + sample, np.full(len(sample), first + row), neuron)
                self.bins.setdefault(name, []).append(np.stack(found, axis=1))

    def of(self, layer: str) -> Array:
        """Return the ties of a layer, (ties, 3), the first step first."""
        found = np.concatenate(self.bins.get(layer, [np.zeros((0, 3), np.int64)]))
        return np.asarray(found[np.lexsort((found[:, 2], found[:, 0], found[:, 1]))])


def against(
    graph: FloatGraph, run: Callable[[list[str], Watch], RunRecord], theirs: Mapping[str, Array]
) -> tuple[Compared, ...]:
    """Compare each layer of ``theirs``, {layer: what its framework sent (samples, steps, neurons)}.

    ``run`` plays the float law of ``graph`` with the probes and the watch that it is given.
    """
    ties = Ties(graph)
    for layer in theirs:
        if arguments.text(layer, "a layer") not in graph.nodes:
            raise InputError(f"the graph has no layer '{layer:.60}'", f"it has {', '.join(graph.nodes)}")
    got = run([f"{layer}.message" for layer in theirs], ties).probes
    return tuple(
        _compared(layer, got[f"{layer}.message"], np.asarray(sent), ties.of(layer), graph.nodes[layer])
        for layer, sent in theirs.items()
    )


def _compared(layer: str, ours: Array, theirs: Array, ties: Array, node: Node) -> Compared:
    if theirs.size != ours.size or theirs.shape[:2] != ours.shape[:2]:
        said = f"'{layer}' sends (samples, steps, neurons) {ours.shape}, the framework's record is {theirs.shape}"
        raise InputError(said, "give as many samples and steps as the input has, samples first")
    differs = _differs(ours, theirs.reshape(ours.shape), node)
    at = np.zeros(ours.shape, bool)
    at[tuple(ties.T)] = True
    elsewhere = np.argwhere(differs & ~at)
    shown = elsewhere if len(elsewhere) else ties
    first = (int(shown[0, 0]), int(shown[0, 1]), int(shown[0, 2])) if len(shown) else None
    return Compared(layer, ours.size, len(ties), int((differs & at).sum()), len(elsewhere), first)


def _differs(ours: Array, theirs: Array, node: Node) -> Array:
    """Spikes differ where they are not equal, voltages by more than 32 bits leave."""
    if isinstance(node, LIF) or (isinstance(node, Cuba) and node.counts != "none"):
        return np.asarray(ours != theirs)
    return np.asarray(np.abs(ours - theirs) > NEAR * np.maximum(1.0, np.abs(theirs).max(initial=0)))


def _charged(node: LIF | Cuba, before: dict[str, Array], u: Array) -> Array:
    return node.charged(before["v"], u) if isinstance(node, LIF) else node.charged(before["v"], u, before["n"])


def _near(node: LIF | Cuba, v: Array) -> Array:
    threshold = node.v_threshold
    if isinstance(node, Cuba) and node.counts == "many":
        threshold = threshold * np.maximum(1.0, np.rint(v / threshold))
    return np.asarray(np.abs(v - threshold) < NEAR * np.abs(threshold))

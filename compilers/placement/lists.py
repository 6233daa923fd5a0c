"""Synapse lists: the memory of an edge's synapses on one core, in the encoding that is smallest there.

    words of a list = ceil((targets * (weight bits + index bits) + header bits) / word bits)

    dense     zeros are stored: one entry for each of the layer's neurons on the core
    sparse    zeros are skipped
    shared    stored once for all places of a convolution: a list for each input channel and tap of the kernel, the
              weights to all output channels (conv_lists.py). Where a matrix turns out to be a convolution, the weights
              from the first to the last nonzero one, once for all senders that have the same at shifted targets, if a
              list serves two or more senders on average

A source neuron without a weight on the core has no list there, and does not send there. The bits are the profile's; for
Loihi 2 they are derived from the tables that Intel's compiler prints (hardware_profiles/loihi2.toml).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from ...errors import DoesNotFit, Finding
from ...graph import Edge
from ...hardware import HardwareProfile, Quantity
from ...nodes import Broadcast, Conv, Dense, Diagonal, SomaWire, Sparse, Synapse
from ...nodes.arithmetic import Array
from ...nodes.node import IntegerNode
from .conv_lists import cumulative, reads
from .parts import Part

GATES = {("scan", "B"), ("scan", "C")}
"""Ports of which every neuron reads all values: each neuron has its own synapse for every value."""


class Lists(NamedTuple):
    """The lists of an edge on one core: the source neurons that have one (pre,), the sum of words, the encoding."""

    senders: Array
    words: int
    encoding: str


@dataclass(frozen=True)
class ListFormat:
    """The format of an edge's lists; ``index_bits`` is keyed by encoding, dense first."""

    weight_bits: int
    index_bits: dict[str, int]
    header_bits: int
    word_bits: int

    def words(self, targets: Array | int, encoding: str) -> Array:
        """Return the words of lists with so many ``targets``."""
        entry = self.weight_bits + self.index_bits[encoding]
        return np.asarray(-(-(np.asarray(targets, np.int64) * entry + self.header_bits) // self.word_bits))


def list_format(synapse: Synapse, profile: HardwareProfile, plastic_bits: int | None = None) -> ListFormat:
    """Return the format of an edge's lists.

    ``plastic_bits`` are the bits a plastic synapse stores beside its weight, None for a fixed one. A plastic list is
    dense, since a weight of 0 may change; it has the learning engine's weight bits, its header the sender's traces.
    """
    memory, learning = profile.memory, profile.learning
    index_bits = {name: number_or_zero(encoding.index_bits) for name, encoding in sorted(profile.encoding.items())}
    header, word = number_or_zero(memory.list_header_bits), number_or_zero(memory.word_bits)
    if not index_bits.keys() & {"dense", "sparse"}:  # the chip's encoding is unknown
        index_bits["dense"] = 0
    if plastic_bits is None:
        return ListFormat(weight_bits(synapse), index_bits, header, word)
    traces = number_or_zero(learning.pre_traces) * number_or_zero(learning.trace_bits)
    dense = {"dense": index_bits.get("dense", 0)}
    return ListFormat(number_or_zero(learning.weight_bits) + plastic_bits, dense, header + traces, word)


class EdgeLists:
    """An edge with cumulative counts, so that the lists of any slice of its target are found quickly."""

    def __init__(self, edge: Edge, target: IntegerNode, profile: HardwareProfile, plastic_bits: int | None = None):
        self.synapse, self.neurons = edge.synapse, target.neurons
        self.format = list_format(edge.synapse, profile, plastic_bits)
        self._below = _cumulative(edge.synapse)
        self.whole = (target.kind, edge.port) in GATES and not isinstance(edge.synapse, Broadcast)
        self.encodings = [name for name in self.format.index_bits if name != "shared"]
        self.shared = "shared" in self.format.index_bits and not self.whole and _is_convolution(edge.synapse)

    def on(self, part: Part) -> Lists:
        """Return the lists of a part of the target."""
        conv = reads(self.synapse, self._below, part) if isinstance(self.synapse, Conv) and not self.whole else None
        nonzero, entries = (conv.targets, part.neurons) if conv else self.reach(part)
        senders = nonzero > 0
        lengths = {"dense": np.full(np.count_nonzero(senders), entries), "sparse": nonzero[senders]}
        if self.shared:
            lengths["shared"] = conv.lengths if conv else self._shared_lengths(part)
        kept = [name for name in self.format.index_bits if name in lengths]
        words = {name: int(self.format.words(lengths[name], name).sum()) for name in kept}
        # Of encodings with equal words, the one with fewer entries: a zero that is stored is also executed.
        encoding = min(words, key=lambda name: (words[name], int(lengths[name].sum())))
        return Lists(senders, words[encoding], encoding)

    def reach(self, part: Part) -> tuple[Array, int]:
        """Return the targets of each source neuron in a part, and the length of its list if zeros are stored."""
        if self.whole:
            nonzero, entries = targets(self.synapse, self._below, Part(part.layer, 0, _rows(self.synapse) - 1))
            return nonzero * part.neurons, entries * part.neurons
        return targets(self.synapse, self._below, part)

    def _shared_lengths(self, part: Part) -> Array:
        """Return the entries of each list that many senders share, of a matrix that is a convolution."""
        weight: Array = self.synapse.weight  # type: ignore[attr-defined]
        return np.array([len(run) for run in {run for _, run in _runs(weight[part.of(self.neurons)])}], np.int64)


def weight_bits(synapse: Synapse) -> int:
    """Return the bits of an edge's weights: those of the largest magnitude, and a sign bit if both signs occur."""
    if isinstance(synapse, Broadcast):
        return 1
    weight = getattr(synapse, "weight", np.zeros(0, np.int8))
    low, high = int(weight.min(initial=0)), int(weight.max(initial=0))
    return max(-low, high).bit_length() + (low < 0 < high)


@singledispatch
def targets(synapse: Synapse, below: Array, part: Part) -> tuple[Array, int]:
    """Return the targets (pre,) in a part, and the length of a list that stores zeros; ``below`` as `_cumulative`."""
    kind = type(synapse).__name__
    raise DoesNotFit([Finding("supported-synapse", kind, f"no memory model for the synapse {kind}")])


@targets.register
def _(synapse: Dense, below: Array, part: Part) -> tuple[Array, int]:
    if part.channels > 1:
        return np.count_nonzero(synapse.weight[part.of(len(synapse.weight))], axis=0), part.neurons
    return below[part.last + 1].astype(np.int64) - below[part.first], part.neurons


@targets.register
def _(synapse: Sparse, below: Array, part: Part) -> tuple[Array, int]:
    if part.channels > 1:
        chosen = np.zeros(synapse.post, bool)
        chosen[part.of(synapse.post)] = True
        read = synapse.column[chosen[synapse.rows] & (synapse.weight != 0)]
    else:
        slots = slice(synapse.start[part.first], synapse.start[part.last + 1])
        read = synapse.column[slots][synapse.weight[slots] != 0]
    return np.bincount(read, minlength=synapse.pre), part.neurons


@targets.register
def _(synapse: Conv, below: Array, part: Part) -> tuple[Array, int]:
    return reads(synapse, below, part).targets, part.neurons


@targets.register
def _(synapse: Diagonal, below: Array, part: Part) -> tuple[Array, int]:
    inside = np.zeros(len(synapse.weight), np.int64)
    chosen = part.of(len(synapse.weight))
    inside[chosen] = synapse.weight[chosen] != 0
    return inside, 1


@targets.register
def _(synapse: Broadcast, below: Array, part: Part) -> tuple[Array, int]:
    return np.full(synapse.size, part.neurons), part.neurons


@targets.register
def _(synapse: SomaWire, below: Array, part: Part) -> tuple[Array, int]:
    return np.zeros(0, np.int64), 0


def _cumulative(synapse: Synapse) -> Array:
    """Count, for each source neuron, the nonzero weights in all rows before each row, (post + 1, pre)."""
    if isinstance(synapse, Conv):
        return cumulative(synapse)
    if not isinstance(synapse, Dense):
        return np.zeros((0, 0), np.int32)
    below = np.zeros((len(synapse.weight) + 1, synapse.weight.shape[1]), np.int32)
    np.cumsum(synapse.weight != 0, axis=0, out=below[1:])
    return below


def _rows(synapse: Synapse) -> int:
    """Return how many accumulators a synapse leads to."""
    return int(synapse.post) if isinstance(synapse, Sparse | Conv) else len(getattr(synapse, "weight", ()))


def _is_convolution(synapse: Synapse) -> bool:
    """Whether two or more senders, on average, have lists with the same weights at different targets."""
    if isinstance(synapse, Conv):
        return True
    if not isinstance(synapse, Dense):
        return False
    weight = synapse.weight.astype(np.float32)
    marks = np.unique(weight.sum(axis=0) + 1j * np.square(weight).sum(axis=0))  # equal lists have equal hashes
    if 2 * len(marks) > weight.shape[1] + 1:  # one more for the hash of an empty list
        return False
    places = list(_runs(synapse.weight))
    distinct = len({run for _, run in places})
    return len(set(places)) == len(places) >= 2 * max(distinct, 1)


def _runs(weight: Array) -> Iterator[tuple[int, bytes]]:
    """Yield, for each nonzero column, the index of its first weight and the weights from the first to the last."""
    for column in np.ascontiguousarray(weight.T):
        places = np.flatnonzero(column)
        if places.size:
            yield int(places[0]), column[places[0] : places[-1] + 1].tobytes()


def number_or_zero(quantity: Quantity) -> int:
    """Return a number as an integer, 0 where it is unpublished."""
    return int(quantity.number) if quantity.published else 0

"""How weights, states and messages fill their formats, for the report: histograms of a program and of one sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..compilers.two_lists import HIGH, WIDE_MAX, whole_weights
from ..graph import IntegerGraph
from ..nodes import Shifted
from ..nodes.arithmetic import WORD_MAX, Array
from ..nodes.node import IntegerNode, is_spiking, sends_one
from ..nodes.synapses import WEIGHT_MAX, WEIGHTED
from ..record import RunRecord
from ..simulation.forms import message_bound

FORMAT_LAYERS = 40  # the busiest
WEIGHT_BINS = 51
_AT_ONCE = 2**20  # values


def formats(graph: IntegerGraph, sample: RunRecord, names: Sequence[str], worth: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``formats`` of series.json: for each layer its ``weights``, and ``words`` of its states and messages.

    ``sample`` is a probed run of one sample. ``bits`` counts words by the bits of their magnitude: 0 of a 0, 3 of 4 to
    7; a format of 24 bits holds 23 of them. ``worth`` is the real value of one unit, by 'layer.state'.
    """
    into: dict[str, list[Array]] = {}
    whole = whole_weights(graph) if any(edge.port == HIGH for edge in graph.edges) else graph.edges
    for edge in whole:
        if isinstance(edge.synapse, (*WEIGHTED, Shifted)):
            into.setdefault(edge.target, []).append(np.asarray(edge.synapse.weight))
    found = {}
    for name in names[:FORMAT_LAYERS]:
        words = [_word(key, values, limit, worth.get(f"{name}.{key}"))
                 for key, values, limit in _held(graph, name, sample)]  # fmt: skip
        weights = _weights(into[name]) if name in into else None
        if words or weights:
            found[name] = {"weights": weights, "words": words}
    return found


def _held(graph: IntegerGraph, name: str, sample: RunRecord) -> Iterator[tuple[str, Array, int]]:
    """Yield each state and graded message of a layer, with the largest magnitude that its format holds.

    A readout, and a neuron that integrates only, sends its state: that is shown once.
    """
    node = graph.nodes[name]
    states = [key for key in node.initial(()) if not (key == "n" and sends_one(node))]
    for key in states:
        yield (
            key,
            sample.probes[f"{name}.{key}"][:, : sample.steps],
            largest_message(node, name) if key == "n" else WORD_MAX,
        )
    if not is_spiking(node) and "v" not in states:
        yield "message", sample.probes[f"{name}.message"][:, : sample.steps], largest_message(node, name)


def largest_message(node: IntegerNode, name: str) -> int:
    """Return the largest message that the format of a node holds; below 0 two's complement holds one more."""
    bound = message_bound(node, name)
    return bound - 1 if bound > 1 and bound.bit_count() == 1 else bound


def _word(key: str, values: Array, limit: int, unit: float | None) -> dict[str, Any]:
    """Return how many values have so many bits, the largest, and how many are at the limit or beyond."""
    held = limit.bit_length()
    bits, largest, full = np.zeros(held + 2, np.int64), 0, 0
    for part in _parts(values):
        size = np.abs(part.astype(np.int64))
        bits += np.bincount(np.minimum(np.frexp(size)[1], held + 1), minlength=held + 2)
        largest, full = max(largest, int(size.max(initial=0))), full + int(np.count_nonzero(size >= limit))
    return {"name": key, "limit": limit, "unit": unit, "largest": largest, "full": full, "bits": bits.tolist()}


def _weights(all_weights: Sequence[Array]) -> dict[str, Any]:
    """Return a histogram of the weights into a layer over their format, each weight of a kernel once."""
    largest = max(int(np.abs(part.astype(np.int64)).max(initial=0)) for w in all_weights for part in _parts(w))
    limit = next((held for held in (WEIGHT_MAX, 2 * WEIGHT_MAX + 1) if largest <= held), WIDE_MAX)
    counts, zeros, total = np.zeros(WEIGHT_BINS, np.int64), 0, 0
    for part in (part for weight in all_weights for part in _parts(weight)):
        bins = (part.astype(np.int64) + limit) * WEIGHT_BINS // (2 * limit + 1)
        counts += np.bincount(bins, minlength=WEIGHT_BINS)
        zeros, total = zeros + part.size - int(np.count_nonzero(part)), total + part.size
    return {"limit": limit, "largest": largest, "zeros": zeros, "total": total, "counts": counts.tolist()}


def _parts(values: Array) -> Iterator[Array]:
    """Yield the values flat, a million at a time."""
    flat = values.reshape(-1)
    for first in range(0, max(1, flat.size), _AT_ONCE):
        yield flat[first : first + _AT_ONCE]

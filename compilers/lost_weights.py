"""Lost weights: how many weights of a synapse were rounded to 0, and whether one outlier weight is the cause."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch

import numpy as np

from ..errors import not_registered
from ..graph import Edge
from ..nodes import LIF, Broadcast, Conv, Dense, Diagonal, SomaWire, Sparse
from ..nodes.arithmetic import Array
from ..nodes.synapses import WEIGHT_MAX, Synapse
from .constants import FAR, ConstantPlace, Rounded

Weighted = Dense | Diagonal | Sparse | Conv


@singledispatch
def of_synapse(synapse: Synapse, got: Synapse, edge: Edge, place: ConstantPlace) -> Iterator[Rounded]:
    """Yield the constants of a synapse; one without weights yields nothing."""
    raise not_registered(synapse, "of_synapse", "compilers/lost_weights.py")


@of_synapse.register(Broadcast)
@of_synapse.register(SomaWire)
def _(synapse: Broadcast | SomaWire, got: Synapse, edge: Edge, place: ConstantPlace) -> Iterator[Rounded]:
    yield from ()


@of_synapse.register(Dense)
@of_synapse.register(Diagonal)
@of_synapse.register(Sparse)
@of_synapse.register(Conv)
def _(synapse: Weighted, got: Weighted, edge: Edge, place: ConstantPlace) -> Iterator[Rounded]:
    """Count the weights that became 0, and name the outlier that caused it, if there is one."""
    nonzero = int(np.count_nonzero(synapse.weight))
    if not nonzero:
        return
    lost = (synapse.weight != 0) & (got.weight == 0)
    share = int(np.count_nonzero(lost)) / nonzero
    left = int(np.count_nonzero(got.weight))
    tap = f"[{edge.delay}]" if edge.delay else ""
    constant = place.rounded(f"weights of {edge.source}{tap}", nonzero, left, "not 0", share)
    if share <= FAR:
        yield Rounded(constant)
        return
    message = f"{nonzero - left:,} of {nonzero:,} weights from '{edge.source}{tap}' became 0"
    message += _outlier(synapse, lost, shared=isinstance(place.graph.nodes[place.layer], LIF))
    hint = "weights have 8 bits and one scale per sum: clip or prune the weights far above the others"
    yield Rounded(constant, place.finding("rounded-weights", message, nonzero, left, hint))


def _outlier(synapse: Weighted, lost: Array, shared: bool) -> str:
    """Name the largest weight of the scale where most were lost, if half of the lost ones would be kept without it.

    The scale is ``shared`` by all neurons of a layer, or each neuron has its own.
    """
    weight, scale = synapse.weight.ravel(), np.zeros(synapse.weight.size, np.int64) if shared else _scales(synapse)
    most = int(np.argmax(np.bincount(scale, lost.ravel())))
    mine = np.flatnonzero(scale == most)
    size, gone = np.abs(weight[mine]), lost.ravel()[mine]
    order = np.argsort(size)
    if size.size < 2 or size[order[-2]] == 0:
        return ""
    kept = np.rint(size / size[order[-2]] * WEIGHT_MAX) > 0
    saved = int(np.count_nonzero(kept & gone))
    if 2 * saved < gone.sum():
        return ""
    worst, median = int(mine[order[-1]]), np.median(size[size > 0])
    where = f"{weight[worst]:.3g} {_where(synapse, worst)}"
    return f"; {saved:,} of them because of one weight, {where}; the median is {median:.3g}"


def _scales(synapse: Weighted) -> Array:
    """Number the scales of weights: equal where two have the same, (weights,)."""
    if isinstance(synapse, Sparse):
        return synapse.rows
    rows = len(synapse.weight)
    return np.repeat(np.arange(rows), synapse.weight.size // rows)


def _where(synapse: Weighted, index: int) -> str:
    if isinstance(synapse, Sparse):
        return f"from neuron {synapse.column[index]} to neuron {synapse.rows[index]}"
    place = np.unravel_index(index, synapse.weight.shape)
    if isinstance(synapse, Conv):
        return f"at row {place[2]}, column {place[3]} of the kernel from channel {place[1]} to channel {place[0]}"
    return f"from neuron {place[-1]} to neuron {place[0]}"

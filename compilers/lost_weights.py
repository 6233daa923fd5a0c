"""Lost weights: how many weights of a synapse were rounded to 0, and whether one outlier weight is the cause."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch

import numpy as np

from ..errors import not_registered
from ..graph import Edge
from ..nodes import LIF, Broadcast, Dense, Diagonal, SomaWire
from ..nodes.arithmetic import Array
from ..nodes.synapses import WEIGHT_MAX, Synapse
from .constants import FAR, ConstantPlace, Rounded


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
def _(synapse: Dense | Diagonal, got: Dense | Diagonal, edge: Edge, place: ConstantPlace) -> Iterator[Rounded]:
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
    message += _outlier(synapse.weight, lost, shared=isinstance(place.graph.nodes[place.layer], LIF))
    hint = "weights have 8 bits and one scale per sum: clip or prune the weights far above the others"
    yield Rounded(constant, place.finding("rounded-weights", message, nonzero, left, hint))


def _outlier(weight: Array, lost: Array, shared: bool) -> str:
    """Name the largest weight of the row that lost most, if half of the lost ones would be kept without it.

    The scale is ``shared`` by all neurons of a layer, or each neuron has its own.
    """
    size = np.abs(weight.reshape(1, -1) if shared else weight.reshape(len(weight), -1))
    gone = lost.reshape(size.shape)
    row = int(np.argmax(gone.sum(axis=1)))
    order = np.argsort(size[row])
    if size.shape[1] < 2 or size[row, order[-2]] == 0:
        return ""
    kept = np.rint(size[row] / size[row, order[-2]] * WEIGHT_MAX) > 0
    saved = int(np.count_nonzero(kept & gone[row]))
    if 2 * saved < gone[row].sum():
        return ""
    place = np.unravel_index(int(order[-1]) + row * size.shape[1], weight.shape)
    where = f"from neuron {place[-1]} to neuron {place[0]}"
    median = np.median(size[row][size[row] > 0])
    return f"; {saved:,} of them because of one weight, {weight[place]:.3g} {where}; the median is {median:.3g}"

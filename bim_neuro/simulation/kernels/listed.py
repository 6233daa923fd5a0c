"""Listed: the targets of a sparse synapse, sender by sender; a message adds to its own and touches nothing else."""

from __future__ import annotations

import numpy as np

from ...jit import kernel
from ...nodes.arithmetic import Array

_u64 = np.uint64


@kernel
def add_listed(
    weights: Array, at_weights: int, targets: Array, starts: Array, messages: Array, count: int, spikes: bool,
    sums: Array, begin: int,
) -> None:  # fmt: skip
    """Add what arrives over a sparse synapse to ``sums``, those of neurons from ``begin`` on.

    The targets of sender j are those from starts[j] to starts[j + 1], and their weights lie likewise.
    """
    for k in range(count if spikes else len(messages)):
        sender, value = (messages[k], np.int64(1)) if spikes else (np.int32(k), np.int64(messages[k]))
        if value == 0:
            continue
        first, last = starts[sender], starts[sender + 1]
        if spikes:
            _add_weights(weights[at_weights + first : at_weights + last], targets[first:last], sums, begin)
        else:
            _add_products(weights[at_weights + first : at_weights + last], targets[first:last], value, sums, begin)


@kernel
def _add_weights(weights: Array, targets: Array, sums: Array, begin: int) -> None:
    for synapse in range(len(targets)):
        target = _u64(targets[synapse] - begin)  # of a neuron before the first this is beyond the last
        if target < _u64(len(sums)):
            sums[target] += weights[synapse]


@kernel
def _add_products(weights: Array, targets: Array, value: np.int64, sums: Array, begin: int) -> None:
    for synapse in range(len(targets)):
        target = _u64(targets[synapse] - begin)
        if target < _u64(len(sums)):
            sums[target] += value * weights[synapse]

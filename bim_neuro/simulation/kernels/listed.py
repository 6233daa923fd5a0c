"""Listed: the targets of a sparse synapse, sender by sender; a message adds to its own and touches nothing else."""

from __future__ import annotations

import numpy as np

from ...jit import kernel
from ...nodes.arithmetic import Array


@kernel
def add_listed(
    weights: Array, at_weights: int, targets: Array, starts: Array, messages: Array, count: int, spikes: bool,
    sums: Array, begin: int,
) -> None:  # fmt: skip
    """Add what arrives over a sparse synapse to ``sums``, those of neurons from ``begin`` on.

    The targets of sender j are those from starts[j] to starts[j + 1], and their weights lie likewise.
    """
    for k in range(count if spikes else len(messages)):
        sender = messages[k] if spikes else k
        value = np.int64(1) if spikes else np.int64(messages[k])
        if value == 0:
            continue
        for synapse in range(starts[sender], starts[sender + 1]):
            target = targets[synapse] - begin
            if 0 <= target < len(sums):
                sums[target] += value * weights[at_weights + synapse]

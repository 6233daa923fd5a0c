"""Predict classes with a network: all steps of a sample at once if memory allows, else step by step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..denormals import denormals_flushed
from ..intake import memory_of_a_run
from ..model.network import BIMNetwork, NetworkConfig
from ..nodes.arithmetic import Array


@denormals_flushed()
def predict(network: BIMNetwork, x: Array, batch: int = 512) -> Array:
    """Return the predicted classes of x (samples, steps, lines); of long ones as many at a time as memory allows."""
    fit = memory_of_a_run() // sequence_bytes(network.config, x.shape[1])
    with torch.no_grad():
        parts = [_logits(network, part, fit > 0) for part in _chunks(x, max(1, min(batch, fit)))]
    return np.asarray(torch.cat(parts).argmax(1).numpy())


def _logits(network: BIMNetwork, x: Array, at_once: bool) -> Tensor:
    """Return the mean readout (samples, classes), all steps at once or one after another."""
    time_first = torch.as_tensor(x, dtype=torch.float32).transpose(0, 1)
    if at_once:
        return network(time_first)  # type: ignore[no-any-return]
    state, total = network.initial(len(x)), torch.zeros(len(x), network.config.classes)
    for x_t in time_first:
        reading, state = network.step(x_t, state)
        total += reading
    return total / len(time_first)


def sequence_bytes(config: NetworkConfig, steps: int) -> int:
    """Return the memory of the sequence form for one sample: decay, drive and state of a block, and arrays as large."""
    return 4 * steps * (config.inputs + config.channels * (3 * config.states + 8) * config.blocks)


def _chunks(x: Array, size: int) -> Iterator[Array]:
    for first in range(0, len(x), size):
        yield x[first : first + size]

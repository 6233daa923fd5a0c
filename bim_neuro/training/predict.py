"""Predict classes with a network, some steps of some samples at a time: memory does not grow with either."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..denormals import denormals_flushed
from ..intake import memory_of_a_run
from ..model.network import BIMNetwork
from ..nodes.arithmetic import Array
from . import operator
from .readout import leak_on
from .threads import torch_in_one_thread

AT_ONCE = 2**25
"""Bytes of the steps that are computed at a time: few enough to stay near the core, many for products of matrices."""


@torch_in_one_thread()
@denormals_flushed()
def predict(network: BIMNetwork, x: Array, batch: int = 512) -> Array:
    """Return the predicted classes of x (samples, steps, lines)."""
    allowed = min(AT_ONCE, memory_of_a_run())
    a_step = operator.step_bytes(network.config, operator.chosen(network.w_o))
    samples = max(1, min(batch, len(x), allowed // (a_step + operator.state_bytes(network.config))))
    steps = max(1, allowed // (samples * a_step))
    with torch.no_grad():
        parts = [_logits(network, part, steps) for part in _chunks(x, samples)]
    return np.asarray(torch.cat(parts).argmax(1).cpu().numpy())


def _logits(network: BIMNetwork, x: Array, at_a_time: int) -> Tensor:
    """Return the mean readout (samples, classes)."""
    state = network.initial(len(x))
    blocks, r, total = list(state.blocks), state.r, torch.zeros_like(state.r)
    gamma = float(network.readout_decay)
    for first in range(0, x.shape[1], at_a_time):
        steps = torch.as_tensor(x[:, first : first + at_a_time], dtype=torch.float32).to(r.device).transpose(0, 1)
        spikes = network.heard(operator.advance(network, steps, blocks), steps)
        readings = leak_on(r, spikes @ network.w_o.T + network.b_o, gamma)
        r, total = readings[-1], total + readings.sum(0)
    mean: Tensor = total / x.shape[1]
    return mean


def _chunks(x: Array, size: int) -> Iterator[Array]:
    for first in range(0, len(x), size):
        yield x[first : first + size]

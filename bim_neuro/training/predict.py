"""Predict with a network, some steps of some samples at a time: memory does not grow with either."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..denormals import denormals_flushed
from ..intake import memory_of_a_run
from ..model.network import BIMNetwork
from ..nodes.arithmetic import Array
from ..tasks.answers import Answers
from . import operator
from .baselines import READINGS, Baseline
from .batches import SequenceRows
from .readout import leak_on
from .threads import torch_in_one_thread

AT_ONCE, NEAR = 2**25, 2**23
"""Bytes of the input that is read at a time, and of the steps that are computed, at most and by the CPU's kernels: few
enough to stay near the core, many for products of matrices."""
RUN = 64
"""Steps of a sample that the CPU's kernels take at a time at least, of as many samples as that leaves room for."""
_NUMBER_BYTES = 4


def predict(
    network: BIMNetwork | Baseline,
    x: SequenceRows,
    batch: int = 512,
    *,
    head: str = "class",
    lengths: Array | None = None,
) -> Array:
    """Return what the network answers to x (samples, steps, lines), as the ``head`` has it (tasks/answers.py).

    ``lengths`` (samples,) are the steps that count, all of them where it is None.
    """
    return answers(network, x, head=head, lengths=lengths, batch=batch).predicted


@torch_in_one_thread()
@denormals_flushed()
def answers(
    network: BIMNetwork | Baseline,
    x: SequenceRows,
    y: Array | None = None,
    *,
    head: str = "class",
    lengths: Array | None = None,
    batch: int = 512,
) -> Answers:
    """Return the answers to x, with the likelihood of the tokens that ``y`` asks for where the head is next."""
    steps = x.shape[1]
    samples, at_once = _piece(network, x.shape, batch)
    lengths = np.full(len(x), steps) if lengths is None else lengths
    found = Answers(head, lengths, (steps, network.config.classes), y, adaptive=network.config.adaptive)
    with torch.no_grad():
        for first in range(0, len(x), samples):
            part = slice(first, first + samples)
            for step, r in _readings(network, np.asarray(x[part])[:, : lengths[part].max()], at_once):
                found.add(first, step, r)
    return found


def _piece(network: BIMNetwork | Baseline, shape: tuple[int, ...], batch: int) -> tuple[int, int]:
    """Return how many samples, and steps of them, are computed at a time."""
    (samples, steps, lines), allowed = shape, AT_ONCE
    if isinstance(network, Baseline):  # reads a sequence whole
        a_step, least = network.config.step_bytes, steps * network.config.step_bytes
    else:
        config, implementation = network.config, operator.chosen(network.w_o)
        a_step = operator.step_bytes(config, implementation) + _NUMBER_BYTES * READINGS * config.classes
        near = implementation == "cpu"
        least = operator.state_bytes(config) + a_step * (min(steps, RUN) if near else 1)
        allowed = min(AT_ONCE, max(NEAR, least)) if near else AT_ONCE
    allowed = min(allowed, memory_of_a_run())
    read = _NUMBER_BYTES * steps * lines
    samples = max(1, min(batch, samples, allowed // least, allowed // max(1, read)))
    return samples, max(1, allowed // (samples * a_step))


def _readings(network: BIMNetwork | Baseline, x: Array, at_a_time: int) -> Iterator[tuple[int, Array]]:
    """Yield the readout (samples, steps, classes), a piece of steps and its first step at a time."""
    if isinstance(network, Baseline):
        device = next(network.parameters()).device
        r = network(torch.as_tensor(x, dtype=torch.float32).to(device).transpose(0, 1))
        yield 0, r.transpose(0, 1).cpu().numpy()
        return
    state = network.initial(len(x))
    blocks, r = list(state.blocks), state.r
    gamma = float(network.readout_decay)
    for first in range(0, x.shape[1], at_a_time):
        steps = torch.as_tensor(x[:, first : first + at_a_time], dtype=torch.float32).to(r.device).transpose(0, 1)
        spikes = network.heard(operator.advance(network, steps, blocks), steps)
        readings = leak_on(r, spikes @ network.w_o.T + network.b_o, gamma)
        r = readings[-1]
        yield first, readings.transpose(0, 1).cpu().numpy()

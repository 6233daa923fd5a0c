"""Backpropagation truncated to segments: the rival of exact traces, in memory that does not grow with the sequence.

Gradients of the blocks flow inside a segment and stop at its beginning; the readout's own are exact, as forward traces
give them at no cost. A loss at the end needs its signal before: the sequence is run through twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..errors import InputError
from ..model.network import BIMNetwork
from ..model.selective_scan import BlockState
from .filtered_readout import FilteredReadout
from .many_tokens import in_pieces
from .operator import advance
from .readout import Head, Loss, ReadoutTraces, discounted, remembered


def truncated_gradient(
    network: BIMNetwork, x: Tensor, loss: Loss, length: int, mask: Tensor | None = None
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss of x (T, batch, inputs) and its gradient by the network's names, in segments of ``length``.

    ``mask`` (T, batch) marks the steps that count.
    """
    if not len(x):
        raise InputError("a sequence of 0 steps has no gradient", "give at least one step")
    if in_pieces(loss.head, network.config):
        return _many_tokens(network, x, loss, length, loss.shares(x, mask))
    head = Head(network.w_o, network.b_o, network.readout_logit)
    readout = ReadoutTraces(head, x.shape[1])
    p = loss.shares(x, mask)
    omega, total = discounted(p, readout.gamma), 0.0
    if not loss.every:
        total, error = _look_ahead(network, x, loss, p, length)
    network.zero_grad(set_to_none=True)
    for now, top in _segments(network, x, length):
        with torch.no_grad():
            if loss.every:
                value, errors = readout.every_step(top.detach(), loss.during(now), p[now])
                total += value
                signal = remembered(errors, readout.gamma) @ head.w_o
            else:
                readout.at_end(top.detach(), p[now], omega[now])
                signal = omega[now, :, None] * (error @ head.w_o)
        top.backward(signal)
    if not loss.every:
        readout.finish(loss)
    return total, {**_found(network), **readout.take_gradient()}


def _many_tokens(network: BIMNetwork, x: Tensor, loss: Loss, length: int, p: Tensor) -> tuple[float, dict[str, Tensor]]:
    """The same where the next of many tokens is asked for at shares p (T, batch)."""
    readout, total = FilteredReadout(network, x.shape[1]), 0.0
    network.zero_grad(set_to_none=True)
    for now, top in _segments(network, x, length):
        value, signal = readout.every_step(top.detach(), loss.during(now), p[now])
        total += value
        top.backward(signal)
    return total, {**_found(network), **readout.gradient()}


def _segments(network: BIMNetwork, x: Tensor, length: int) -> Iterator[tuple[slice, Tensor]]:
    """Give the steps of each segment, and the spikes that the readout hears in it; no gradient crosses its ends."""
    states = list(network.initial(x.shape[1]).blocks)
    for first in range(0, len(x), length):
        now = slice(first, first + length)
        top = network.heard(advance(network, x[now], states), x[now])
        states = [BlockState(*(part.detach() for part in state)) for state in states]
        yield now, top


def _found(network: BIMNetwork) -> dict[str, Tensor]:
    return {n: torch.zeros_like(w) if w.grad is None else w.grad for n, w in network.named_parameters()}


@torch.no_grad()
def _look_ahead(network: BIMNetwork, x: Tensor, loss: Loss, p: Tensor, length: int) -> tuple[float, Tensor]:
    """Return the loss at the end and dL/dlogits (batch, C)."""
    readout = ReadoutTraces(Head(network.w_o, network.b_o, network.readout_logit), x.shape[1])
    for now, heard in _segments(network, x, length):
        readout.at_end(heard, p[now], torch.zeros_like(p[now]))
    return readout.finish(loss)

"""The operator on a CPU: compiled kernels and their gradient, for float32 and float64.

Sequences and fixed groups of channels are shared out to threads. Every sum is taken in one order, so that the number
of threads changes no bit. Of the states (T, batch, D, N) one step in `cpu_kernels.SEGMENT` is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ...jit import may_compile
from ...model.selective_scan import BlockState, Drive, ScanWeights, SomaLaw
from ...nodes.arithmetic import ceil_div
from ..threads import share_out, threads
from . import cpu_kernels as kernels
from .cpu_gradient_kernels import ScanGradients, backward

GROUP = 64
"""Channels of a call at most: their sums over channels are added up afterwards, group by group."""
THREADS_FROM = 500_000
"""States (steps, sequences, channels, states of each) above which threads pay off: about a millisecond."""
KEPT_EVERY = kernels.SEGMENT
"""Steps of which one's states are kept for the gradient."""
_RESETS = {"none": kernels.NONE, "hard": kernels.HARD, "soft": kernels.SOFT}


def runs(x: Tensor) -> bool:
    """Whether these kernels run an input."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and may_compile()


def scan(
    drive: Drive, weights: ScanWeights, law: SomaLaw, state: BlockState, mask: Tensor | None = None
) -> tuple[Tensor, BlockState]:
    """Return what `selective_scan` returns."""
    given = (*drive, *weights, *state)
    learns = torch.is_grad_enabled() and any(part.requires_grad for part in given)
    spikes, *after = _Scan.apply(law, mask, learns, *given)  # type: ignore[no-untyped-call]
    return spikes, BlockState(*after)


class _Scan(torch.autograd.Function):
    """Drive, weights and state to the spikes and the state after them."""

    @staticmethod
    def forward(ctx: Any, law: SomaLaw, mask: Tensor | None, learns: bool, *given: Tensor) -> Any:
        drive, weights, state = _named(given)
        steps, batch, channels = drive.w.shape
        heard = drive.w if mask is None else drive.w * mask[..., None]
        w, delta = torch.cat([state.taps.flip(0), heard]), F.softplus(drive.rate)
        v, s = (torch.cat([before[None], w.new_empty(steps, batch, channels)]) for before in (state.v, state.s))
        segments = ceil_div(steps, kernels.SEGMENT) if learns else 0
        h = w.new_empty(segments, batch, weights.a_log.shape[1], channels)
        spikes, last = torch.empty_like(v[1:]), _copied(state.h.transpose(1, 2))
        inputs, constants, soma = _arguments(w, delta, given, law, mask)
        kept = kernels.ScanRecord(*_written(v, s, spikes, h, last))
        _share(lambda group, part: kernels.forward(inputs, constants, soma, kept, part), batch, channels, inputs)
        if learns:
            ctx.law, ctx.mask = law, mask
            ctx.save_for_backward(*given, w, delta, v, s, h)
        return spikes, w[steps:].flip(0), last.transpose(1, 2).contiguous(), v[-1].clone(), s[-1].clone()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator,misc,unused-ignore]
    def backward(ctx: Any, *by: Tensor) -> Any:
        saved: tuple[Tensor, ...] = ctx.saved_tensors
        given, (w, delta, v, s, h) = saved[:-5], saved[-5:]
        drive, weights, _ = _named(given)
        steps, batch, channels = drive.w.shape
        (states, taps), groups = (weights.a_log.shape[1], weights.conv.shape[1]), ceil_div(channels, GROUP)
        by_spikes, by_taps, *after = by
        by_h, by_v, by_s = (_copied(part) for part in (after[0].transpose(1, 2), *after[1:]))
        by_w = torch.cat([w.new_zeros(steps, batch, channels), by_taps.flip(0)])
        by_delta, by_bc = w.new_zeros(steps, batch, channels), w.new_zeros(2, groups, steps, batch, states)
        by_channel = w.new_zeros(batch, states + taps + 4, channels)
        inputs, constants, soma = _arguments(w, delta, given, ctx.law, ctx.mask)
        kept, mine = kernels.ScanRecord(*_read(v, s, s[:0], h, h[0])), _written(by_h, by_v, by_s, by_w, by_delta)

        def work(group: int, part: tuple[int, int, int, int]) -> None:
            rest = _written(*by_bc[:, group], by_channel)
            backward(inputs, constants, soma, kept, ScanGradients(*_read(by_spikes), *mine, *rest), part)

        _share(work, batch, channels, inputs)
        by_heard = by_w[taps - 1 :] if ctx.mask is None else by_w[taps - 1 :] * ctx.mask[..., None]
        by_drive = (by_heard, by_delta * torch.sigmoid(drive.rate), *by_bc.sum(1))
        by_state = (by_w[: taps - 1].flip(0), by_h.transpose(1, 2), by_v, by_s)
        return None, None, None, *by_drive, *_of_weights(by_channel.sum(0), weights), *by_state


def _of_weights(by_channel: Tensor, weights: ScanWeights) -> ScanWeights:
    """Return the gradient of each parameter, from the sums over steps and sequences of each channel."""
    states, taps = weights.a_log.shape[1], weights.conv.shape[1]
    by_a, by_conv, rest = by_channel.split([states, taps, 4])
    by_leak, by_threshold = (part.double().sum().to(part.dtype) for part in rest[2:])
    by_a_log = by_a.T * -torch.exp(weights.a_log)
    return ScanWeights(by_conv.T, rest[0], by_a_log, rest[1], by_leak, by_threshold)


def _named(given: Any) -> tuple[Drive, ScanWeights, BlockState]:
    return Drive(*given[:4]), ScanWeights(*given[4:10]), BlockState(*given[10:])


def _arguments(
    w: Tensor, delta: Tensor, given: Any, law: SomaLaw, mask: Tensor | None
) -> tuple[kernels.ScanInput, kernels.ScanConstants, kernels.SomaKind]:
    """Return what both kernels read."""
    drive, weights, _ = _named(given)
    happens = torch.ones(0, 0, dtype=torch.bool) if mask is None else mask
    a = -torch.exp(weights.a_log.detach())
    inputs = kernels.ScanInput(*_read(w, delta, drive.b, drive.c, happens))
    number = inputs.w.dtype.type
    rows, scalars = (weights.conv.T, weights.b_u, a.T, weights.d_skip), (weights.decay, weights.threshold)
    constants = kernels.ScanConstants(*_read(*rows), *(number(part.item()) for part in scalars))
    return inputs, constants, kernels.SomaKind(_RESETS[law.reset], number(law.reset_gradient), number(law.slope))


def _copied(part: Tensor) -> Tensor:
    """Return a copy whose memory is in the order of its axes."""
    return part.clone(memory_format=torch.contiguous_format)


def _read(*parts: Tensor) -> list[Any]:
    """Return arrays that a kernel reads: the same memory, or a copy where that is not in order."""
    return [part.detach().contiguous().numpy() for part in parts]


def _written(*parts: Tensor) -> list[Any]:
    """Return arrays that a kernel writes: the same memory."""
    return [part.detach().numpy() for part in parts]


def _share(
    work: Callable[[int, tuple[int, int, int, int]], None], batch: int, channels: int, inputs: kernels.ScanInput
) -> None:
    """Do work(group, (first sequence, last, first channel, last)) for all sequences and channels."""
    at_once = threads() if inputs.delta.size * inputs.b.shape[2] > THREADS_FROM else 1
    parts = list(_parts(batch, channels, at_once))
    share_out(lambda index: work(*parts[index]), range(len(parts)), at_once)


def _parts(batch: int, channels: int, threads: int) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Cut channels into groups, always the same, and sequences so that every thread has something to do."""
    groups = range(0, channels, GROUP)
    size = max(1, batch * len(groups) // (4 * threads)) if threads > 1 else batch
    for begin in range(0, batch, size):
        for group, first in enumerate(groups):
            yield group, (begin, min(batch, begin + size), first, min(channels, first + GROUP))

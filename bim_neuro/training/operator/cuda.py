r"""The operator on CUDA: Triton kernels with a written backward (`.cuda_kernels`), as one autograd.Function.

Of a block of T steps, batch B, D channels and N states only arrays of T B D numbers exist, and the states every `CHUNK`
steps; the backward computes a chunk's states again. Bytes that cross the memory bus, in numbers of T B D (of
2 N / D more each for b and c, which every tile of channels reads again, from the cache):

    forward     w, rate read; u, delta written and read; spikes, v written                           8
    backward    w, rate read twice; u, delta written and read; v, spikes, their gradient read;      11
                gradients of u and delta, in their place, written and read; of w and rate written    6

and 2 N / CHUNK of states kept, T B D N written to and read from the scratch (B D N CHUNK numbers: it stays in the
cache). Exponentials: 3 T B D N. Launches: 5 a block, whatever T, besides a dozen sums of small arrays.

Triton's interpreter runs the same code on a CPU: TRITON_INTERPRET=1 before the first import.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...model.selective_scan import BlockState, Drive, ScanWeights, SomaLaw

CHUNK = 32
"""Steps between two states that are kept: of T = 1,000 as many are kept as are computed again at a time."""
TILE = 32
"""Channels of a program: a warp, so that no barrier stands in a step."""
BYTES_A_WARP = 64
"""States of a channel that one warp holds, in bytes: h, its gradient, A and the sums for A then fit its registers."""
STAGES = 3
"""Steps whose numbers are on their way while one is computed."""
ROWS = 16
"""Steps and samples of a tile where all steps run at once."""
PARTS = 512
"""Parts of a sum over steps and samples: as many programs as fill a card."""


@dataclass(frozen=True)
class ScanSizes:
    """The shape of one call."""

    steps: int
    batch: int
    channels: int
    states: int
    taps: int

    @classmethod
    def of(cls, drive: Drive, state: BlockState) -> ScanSizes:
        steps, batch, channels = drive.w.shape
        return cls(steps, batch, channels, state.h.shape[2], len(state.taps) + 1)

    @property
    def padded(self) -> int:
        """N, rounded up to a power of two."""
        return 1 << (self.states - 1).bit_length()

    @property
    def rows(self) -> int:
        """Steps and samples."""
        return self.steps * self.batch

    @property
    def tiles(self) -> int:
        return -(-self.channels // TILE)

    @property
    def chunks(self) -> int:
        return -(-self.steps // CHUNK)

    def warps(self, like: Tensor) -> int:
        """Warps of a program; of more than one, each holds some of the states."""
        return max(1, self.padded * like.element_size() // BYTES_A_WARP)


def runs(x: Tensor) -> bool:
    """Whether the kernels can run an input: on a CUDA device, or anywhere where Triton interprets."""
    if x.dtype not in (torch.float32, torch.float64) or find_spec("triton") is None:
        return False
    return x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"


def scan(
    drive: Drive, weights: ScanWeights, law: SomaLaw, state: BlockState, mask: Tensor | None = None
) -> tuple[Tensor, BlockState]:
    """`selective_scan` by Triton kernels: the same arguments, numbers and gradients."""
    spikes, *after = CudaScan.apply(law, mask, *drive, *weights, *state)  # type: ignore[no-untyped-call]
    return spikes, BlockState(*after)


class CudaScan(torch.autograd.Function):
    """All of a block behind its projections."""

    @staticmethod
    def forward(ctx: Any, law: SomaLaw, mask: Tensor | None, *given: Tensor) -> tuple[Tensor, ...]:
        drive, weights, state = Drive(*given[:4]), ScanWeights(*given[4:10]), BlockState(*given[10:])
        drive = Drive(*(part.contiguous() for part in drive))
        weights = ScanWeights(*(part.contiguous() for part in weights))
        sizes = ScanSizes.of(drive, state)
        happens = None if mask is None else mask.to(torch.uint8).contiguous()
        keep = any(ctx.needs_input_grad)
        outputs, kept = _forward(sizes, drive, weights, law, state, happens, keep)
        if keep:
            ctx.law, ctx.sizes = law, sizes
            ctx.save_for_backward(*drive, *weights, *state, happens, outputs[0], *kept)
        taps = _taps_after(drive.w, happens, state.taps)
        return (outputs[0], taps, *outputs[1:])

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator,unused-ignore]
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        saved = ctx.saved_tensors
        drive, weights, state = Drive(*saved[:4]), ScanWeights(*saved[4:10]), BlockState(*saved[10:14])
        mask, spikes, *kept = saved[14:]
        return (None, None, *_backward(ctx.sizes, drive, weights, ctx.law, state, mask, (spikes, *kept), grads))


def _reset(law: SomaLaw) -> int:
    return ("hard", "soft", "none").index(law.reset)


def _taps_after(w: Tensor, mask: Tensor | None, taps: Tensor) -> Tensor:
    """The last K - 1 projections, newest first."""
    newest = w[len(w) - min(len(w), len(taps)) :].to(taps.dtype)
    if mask is not None:
        newest = newest * mask[len(w) - len(newest) :, :, None]
    return torch.cat([newest.flip(0), taps[: len(taps) - len(newest)]])


def _driven(
    sizes: ScanSizes, drive: Drive, weights: ScanWeights, state: BlockState, mask: Tensor | None
) -> list[Tensor]:
    """Return u and delta (T, batch, D)."""
    from .cuda_kernels import drive_kernel

    like = state.h
    u, delta = (like.new_empty(drive.w.shape) for _ in range(2))
    drive_kernel[(-(-sizes.rows // ROWS), sizes.tiles)](
        drive.w, drive.rate, u if mask is None else mask, state.taps.contiguous(), weights.conv, weights.b_u, u, delta,
        sizes.rows, sizes.batch, sizes.channels, TAPS=sizes.taps, MASKED=mask is not None, ROWS=ROWS, TILE=TILE,
    )  # fmt: skip
    return [u, delta]


def _rates(weights: ScanWeights) -> Tensor:
    """A log2(e) (N, D), for exp2."""
    return (weights.a_log.exp() * -math.log2(math.e)).T.contiguous()


def _forward(
    sizes: ScanSizes,
    drive: Drive,
    weights: ScanWeights,
    law: SomaLaw,
    state: BlockState,
    mask: Tensor | None,
    keep: bool,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return (spikes, h, v, s after) and what the backward needs: v and s after each step, h before each chunk."""
    from .cuda_kernels import scan_kernel

    u, delta = _driven(sizes, drive, weights, state, mask)
    h = state.h.transpose(1, 2).contiguous()  # (batch, N, D)
    spikes, h_after = torch.empty_like(u), torch.empty_like(h)
    v_after, s_after = torch.empty_like(state.v), torch.empty_like(state.s)
    v_kept = torch.empty_like(u) if keep and law.reset != "none" else u.new_empty(0)
    s_kept = torch.empty_like(u) if keep and mask is not None else spikes
    h_kept = h.new_empty(sizes.chunks if keep else 0, *h.shape)
    scan_kernel[(sizes.batch, sizes.tiles)](
        delta, u, drive.b, drive.c, u if mask is None else mask, _rates(weights), weights.d_skip, weights.decay,
        weights.threshold, h, state.v.contiguous(), state.s.contiguous(),
        spikes, v_kept if len(v_kept) else spikes, s_kept, h_kept, h_after, v_after, s_after,
        sizes.steps, sizes.batch, sizes.channels, sizes.states,
        N=sizes.padded, TILE=TILE, CHUNK=CHUNK, STAGES=STAGES, RESET=_reset(law), MASKED=mask is not None, KEEP=keep,
        num_warps=sizes.warps(u),
    )  # fmt: skip
    return (spikes, h_after.transpose(1, 2).contiguous(), v_after, s_after), (v_kept, s_kept, h_kept)


def _backward(
    sizes: ScanSizes, drive: Drive, weights: ScanWeights, law: SomaLaw, state: BlockState, mask: Tensor | None,
    kept: tuple[Tensor, ...], grads: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:  # fmt: skip
    """Return the gradients of drive, weights and state from those of (spikes, taps, h, v, s after)."""
    from .cuda_kernels import scan_backward_kernel

    spikes, v_kept, s_kept, h_kept = kept
    by_spikes, by_taps, by_h, by_v, by_s = (grad.contiguous() for grad in grads)
    u, delta = _driven(sizes, drive, weights, state, mask)
    by_delta, by_u = delta, u  # in place: a step is read for the last time before its gradient is written
    by_b, by_c = (u.new_empty(sizes.tiles, *drive.b.shape) for _ in range(2))
    by_a, by_h_before = (u.new_empty(sizes.batch, sizes.states, sizes.channels) for _ in range(2))
    by_skip, by_decay, by_threshold, by_v_before, by_s_before = (torch.empty_like(state.v) for _ in range(5))
    scratch = u.new_empty(sizes.batch * sizes.tiles * CHUNK * sizes.padded * TILE)
    rates = _rates(weights)
    scan_backward_kernel[(sizes.batch, sizes.tiles)](
        delta, u, drive.b, drive.c, u if mask is None else mask, rates, weights.d_skip, weights.decay,
        weights.threshold, state.v.contiguous(), state.s.contiguous(), v_kept if len(v_kept) else spikes, s_kept,
        h_kept, scratch,
        by_spikes, by_h.transpose(1, 2).contiguous(), by_v, by_s,
        by_delta, by_u, by_b, by_c, by_a, by_skip, by_decay, by_threshold, by_h_before, by_v_before, by_s_before,
        sizes.steps, sizes.batch, sizes.channels, sizes.states,
        N=sizes.padded, TILE=TILE, CHUNK=CHUNK, STAGES=STAGES, RESET=_reset(law), MASKED=mask is not None,
        THROUGH=law.reset_gradient, SLOPE=law.slope, num_warps=sizes.warps(u),
    )  # fmt: skip
    by_drive, by_conv, by_b_u = _drive_backward(sizes, drive, weights, state.taps, mask, by_u, by_delta)
    by_tap_states = _taps_backward(sizes, weights.conv, mask, by_u, by_taps, by_drive[0])
    by_weights = ScanWeights(
        by_conv, by_b_u, by_a.sum(0).T * -weights.a_log.exp(), by_skip.sum(0), by_decay.sum(), by_threshold.sum()
    )
    by_state = BlockState(by_tap_states, by_h_before.transpose(1, 2), by_v_before, by_s_before)
    return (*by_drive, by_b.sum(0).to(drive.b), by_c.sum(0).to(drive.c), *by_weights, *by_state)


def _drive_backward(
    sizes: ScanSizes,
    drive: Drive,
    weights: ScanWeights,
    taps: Tensor,
    mask: Tensor | None,
    by_u: Tensor,
    by_delta: Tensor,
) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Return the gradients of (w, rate), conv and b_u from those of u and delta."""
    from .cuda_kernels import drive_backward_kernel

    per_program = ROWS * max(1, -(-sizes.rows // (ROWS * PARTS)))
    parts, sums = -(-sizes.rows // per_program), 1 << sizes.taps.bit_length()  # K taps and b_u, padded
    by_w = torch.empty_like(drive.w)
    by_rate = by_delta if by_delta.dtype == drive.rate.dtype else torch.empty_like(drive.rate)
    by_conv = by_u.new_empty(parts, sums, sizes.channels)
    drive_backward_kernel[(parts, sizes.tiles)](
        drive.w, drive.rate, by_u if mask is None else mask, taps.contiguous(), weights.conv, by_u, by_delta,
        by_w, by_rate, by_conv, sizes.rows, sizes.batch, sizes.channels, per_program,
        TAPS=sizes.taps, SUMS=sums, MASKED=mask is not None, ROWS=ROWS, TILE=TILE,
    )  # fmt: skip
    total = by_conv.sum(0)
    return (by_w, by_rate), total[: sizes.taps].T, total[sizes.taps]


def _taps_backward(
    sizes: ScanSizes, conv: Tensor, mask: Tensor | None, by_u: Tensor, by_taps: Tensor, by_w: Tensor
) -> Tensor:
    """Return the gradient of the taps before; what the taps after read of w is added to ``by_w``."""
    history, steps = sizes.taps - 1, sizes.steps
    before = torch.zeros_like(by_taps)
    if steps < history:
        before[: history - steps] += by_taps[steps:]
    for age in range(history):  # before[age] is the projection age + 1 steps before the first
        for k in range(age + 1, min(sizes.taps, age + 1 + steps)):
            before[age] += conv[:, k] * by_u[k - age - 1]
    read = min(steps, history)
    newest = by_taps[:read].flip(0)
    by_w[steps - read :] += newest if mask is None else newest * mask[steps - read :, :, None]
    return before

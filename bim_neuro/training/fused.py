"""Traces on the CPU by compiled products of segments: the same state and numbers as `Traces`, many times faster.

Channels are distributed to threads in fixed groups, and sums are taken group by group in order: the result does not
depend on the number of threads. Why numba and why in this order: docs/decisions/0005-traces.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.block import BIMBlock
from .segment_kernels import advance_segment
from .segment_records import Law, Record, Sums
from .segments import SegmentTraces
from .steps import BlockWeights, Steps
from .threads import share_out, threads
from .traces import Adjoint, Keep, parameters

GROUP = 32
"""Channels per call: enough to outweigh the cost of a call, few enough to use two cores."""
THREADS_FROM = 50_000_000
"""Trace updates per segment (about 10 ms on one core) above which threads pay off."""


class FusedTraces(SegmentTraces):
    """`SegmentTraces` whose `run` is one compiled pass."""

    def __init__(self, block: BIMBlock, batch: int, keep: Keep | None = None, levels: int = 3) -> None:
        super().__init__(block, batch, keep, levels)
        layout = self.layout
        zeros = self.memory.new_zeros
        one, local = layout.inputs + 1, layout.states + 2 * (layout.inputs + 1) + layout.taps + 3
        self.groups = [(first, min(first + GROUP, block.channels)) for first in range(0, block.channels, GROUP)]
        self._local = zeros(block.channels, local)
        self._shared = zeros(len(self.groups), 2, layout.states, one)

    def run(
        self, steps: Steps, weights: BlockWeights, rho: float, omega: Tensor, signal: Tensor | None = None
    ) -> Adjoint:
        emit = omega[..., None] * steps.psi
        kappa = steps.kappa * float(self.keep.membrane)
        if signal is None:
            signal = torch.zeros_like(emit)
        number = self.memory.numpy().dtype.type
        arrays = [
            part.contiguous().numpy()
            for part in (
                steps.x, steps.w, steps.delta, steps.slope, steps.u, steps.b, steps.c, steps.decay, steps.h,
                kappa, emit, steps.direct, signal,
            )
        ]  # fmt: skip
        keep = self.keep
        left, left_shared = (rho * float(kept.readout) for kept in (keep, keep.of_shared))
        scalars = [float(keep.scan), float(keep.shared), left, left_shared, weights.threshold]
        constant = [part.contiguous().numpy() for part in weights[:3]]
        record, law = Record(*arrays), Law(*constant, *(number(scalar) for scalar in scalars))
        memory, local, shared = self.memory.numpy(), self._local.numpy(), self._shared.numpy()
        rate, by_u = (torch.empty_like(emit) for _ in range(2))
        by_b, by_c = (emit.new_empty(len(self.groups), *steps.b.shape) for _ in range(2))

        def work(group: int) -> None:
            sums = Sums(local, shared[group], rate.numpy(), by_u.numpy(), by_b[group].numpy(), by_c[group].numpy())
            advance_segment(memory, record, law, sums, *self.groups[group])

        worth_threads = self.memory.numel() * len(steps) > THREADS_FROM
        share_out(work, range(len(self.groups)), threads() if worth_threads else 1)
        return Adjoint(rate, by_u, by_b.sum(0), by_c.sum(0))

    def take_gradient(self) -> dict[str, Tensor]:
        layout = self.layout
        widths = [layout.states, layout.inputs + 1, layout.inputs + 1 + layout.taps, 3]
        local = dict(zip(("a", "dt", "u", "soma"), self._local.clone().split(widths, dim=1), strict=True))
        b, c = self._shared.sum(0)
        self._local.zero_()
        self._shared.zero_()
        every_step, at_end = parameters({**local, "b": b, "c": c}), super().take_gradient()
        return {name: value + at_end[name] if at_end else value for name, value in every_step.items()}

r"""Exact forward traces that are touched where the input has events.

The trace of a line changes by the same factors as that of every other line; only what enters differs. Inside a segment
of T steps the three levels of traces.py are linear in their values at its beginning and in the input, so a pass
backwards through the segment, which never sees a line, tells what one unit of input at step t adds to S, E and R at its
end and to the loss (`event_worth.Worth`):

    r_t = rho r_{t+1}   (+ signal_t)                 worth of R after step t
    e_t = kappa_{t+1} e_{t+1} + omega_t psi_t r_t    worth of E
    s_t = decay_{t+1} s_{t+1} + C_t e_t              worth of S
    S, E, R at the end = (worth at the beginning) S, E, R at the beginning + sum over events of x_j (worth o dh/dp)

Cost: that pass a step, a row of each line's traces an event, all traces once a segment. No product of decays is ever
divided by, so no trace is rebased when a channel spikes or a product becomes small, whatever the reset. Equal to
traces.py to rounding, for every parameter. Nearest prior art: Subramoney et al. 2023 (arXiv 2303.05641), which skips
by activity step by step.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.block import BIMBlock
from .event_kernels import advance
from .event_worth import TiledSteps, TiledWeights
from .operator.lanes import BYTES
from .steps import BlockWeights, Steps
from .threads import share_out, threads
from .traces import Traces, parameters

DENSE_FROM = 0.9
"""Share of numbers of the input that are not 0 from which `pays` says no."""


def pays(x: Tensor) -> bool:
    """Whether input x (T, batch, inputs) is so sparse that its events are the faster way."""
    return int(torch.count_nonzero(x)) < DENSE_FROM * x.numel()


THREADS_FROM = 400_000_000
"""Numbers of the traces times steps of a segment, about 10 ms on one core, from which threads pay off."""


class EventTraces(Traces):
    """`Traces`, all of them kept, in tiles of channels (event_kernels.py); `run` is one compiled pass over events."""

    form = "events"

    def __init__(self, block: BIMBlock, batch: int) -> None:
        zeros = block.w_u.detach().new_zeros
        self.lines, self.taps, self.channels, self.states = (
            block.w_u.shape[1] + 1, block.taps, block.channels, block.states,
        )  # fmt: skip
        self.lanes = BYTES // zeros(0).element_size()
        self.tiles = -(-self.channels // self.lanes)
        line, reach, rest = 6 * self.states + 2, self.states + 2, 3 * self.states + 6
        loss = self.lines * (2 * self.states + 1) + self.lines + self.taps + self.states + 3
        width = self.lines * line + (self.lines + self.taps) * reach + rest
        self.memory = zeros(batch, self.tiles, width * self.lanes)
        self._sums = zeros(self.tiles, loss * self.lanes)
        self._gradient = {}

    def run(self, steps: Steps, weights: BlockWeights, rho: float, omega: Tensor, signal: Tensor | None = None) -> None:
        emit = omega[..., None] * steps.psi
        tiled, by_state = self._tiled, self._by_state
        parts = (
            steps.x, tiled(steps.w), tiled(steps.delta), tiled(steps.slope), tiled(steps.u), steps.b, steps.c,
            by_state(steps.decay), by_state(steps.h), tiled(steps.kappa), tiled(emit), by_state(steps.direct),
            tiled(emit[:0] if signal is None else signal),
        )  # fmt: skip
        a, conv, d_skip = by_state(weights.a), tiled(weights.conv.T).contiguous(), tiled(weights.d_skip)
        memory, sums = self.memory.numpy(), self._sums.numpy()
        number = memory.dtype.type
        segment = TiledSteps(*(part.contiguous().numpy() for part in parts))
        law = TiledWeights(a.numpy(), conv.numpy(), d_skip.numpy(), number(rho), number(weights.threshold))

        def work(first: int) -> None:
            advance(memory, sums, segment, law, first, min(first + share, self.tiles))

        at_once = threads() if self.memory.numel() * len(steps) > THREADS_FROM else 1
        share = -(-self.tiles // at_once)
        share_out(work, range(0, self.tiles, share), at_once)

    def contract(self, signal: Tensor) -> dict[str, Tensor]:
        n = self.states
        line, reach, rest = self._split(self.memory, 6 * n + 2, n + 2)
        wanted = self._tiled(signal)

        def read(part: Tensor, first: int, size: int) -> Tensor:
            return torch.einsum("bt...l,btl->t...l", part[..., first : first + size, :], wanted)

        return self._parameters(
            read(line, 4 * n, n), read(line, 5 * n, n), read(line, 6 * n + 1, 1), read(reach, n + 1, 1),
            read(rest, 2 * n, n), read(rest, 3 * n + 3, 3),
        )  # fmt: skip

    def take_gradient(self) -> dict[str, Tensor]:
        n = self.states
        line, reach, rest = self._split(self._sums, 2 * n + 1, 1)
        every_step = self._parameters(
            line[:, :, :n], line[:, :, n : 2 * n], line[:, :, 2 * n :], reach, rest[:, :n], rest[:, n:]
        )
        every_step = {name: value.clone() for name, value in every_step.items()}
        self._sums.zero_()
        at_end = super().take_gradient()
        return {name: value + at_end[name] if at_end else value for name, value in every_step.items()}

    def _split(self, row: Tensor, line: int, reach: int) -> tuple[Tensor, Tensor, Tensor]:
        """Name the parts of a row of event_kernels.py: lines, reaches, the rest, all (..., vectors, L)."""
        vectors = row.unflatten(-1, (-1, self.lanes))
        first, second = self.lines * line, (self.lines + self.taps) * reach
        parts = vectors.split([first, second, vectors.shape[-2] - first - second], -2)
        return parts[0].unflatten(-2, (self.lines, line)), parts[1].unflatten(-2, (-1, reach)), parts[2]

    def _parameters(self, b: Tensor, c: Tensor, dt: Tensor, u: Tensor, a: Tensor, soma: Tensor) -> dict[str, Tensor]:
        """Name gradients by the block's parameters: b, c (tiles, lines, N, L), dt, u (tiles, lines, 1, L), the rest
        (tiles, rows, L)."""
        family = {"dt": dt[:, :, 0], "u": u[:, :, 0], "a": a, "soma": soma}
        by_channel = {name: part.transpose(1, 2).flatten(0, 1)[: self.channels] for name, part in family.items()}
        return parameters({**by_channel, "b": b.sum((0, 3)).T, "c": c.sum((0, 3)).T})

    def _tiled(self, part: Tensor) -> Tensor:
        """(..., D) to (..., tiles, L), with zeros behind the last channel."""
        missing = self.tiles * self.lanes - self.channels
        return (F.pad(part, (0, missing)) if missing else part).reshape(*part.shape[:-1], self.tiles, self.lanes)

    def _by_state(self, part: Tensor) -> Tensor:
        """(..., D, N) to (..., tiles, N L)."""
        return self._tiled(part.transpose(-1, -2)).transpose(-2, -3).flatten(-2)

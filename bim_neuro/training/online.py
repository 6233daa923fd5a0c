"""The gradient of a whole network by forward traces: past steps are kept only for a short segment.

    gradients = ForwardGradient(network, batch)
    loss = gradients.sequence(x, Loss(y))                 x (T, batch, inputs)
    gradients.take()                                      {parameter name: gradient}, by the network's names

What is exact: a network of one block, with a loss at the end or at every step, whatever T. Of several blocks the top
one and the readout are. Below it credit is

    segment   backpropagated through the blocks above within a segment, whose own loss it is; the block's own memory is
              exact. What its spikes do to later segments through memory above is lost: a longer segment loses less. A
              loss at the end needs its signal before, so the sequence is run through twice, the first time without
              traces
    spatial   segments of one step (`bim_neuro.training.depth`), and the readout's memory a class
    local     from a readout of each block, whose loss it then is the exact gradient of
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from ..choices import CREDIT, SEGMENT
from ..denormals import denormals_flushed
from ..errors import InputError
from ..model.block import BIMBlock
from ..model.network import BIMNetwork
from .depth import ClassTraces, through
from .events import EventTraces
from .fused import FusedTraces
from .local_readouts import LocalReadouts
from .readout import Head, Loss, ReadoutTraces, discounted, remembered
from .segments import SegmentTraces, to_inputs
from .steps import BlockMemory, BlockWeights, Steps, begin, record
from .traces import Adjoint, Keep, Traces

Credit = Literal["segment", "spatial", "local"]
Listener = Callable[[int, Steps, float | None, Tensor, Tensor | None], None]
"""Called for every block: its index, the record, rho (None: no readout of its own), omega (T, batch), the signal
(T, batch, D) where the loss is at every step."""
Finisher = Callable[[int, Tensor], None]
"""Called for the same blocks at the end, with the learning signal (batch, D) of a loss at the end."""

RECORD_NUMBERS, RECORD_STEPS = 2**20, 64
"""Limits of a segment: numbers of scan states, and steps; it has at least `LEAST_STEPS` steps."""
LEAST_STEPS = 8
EVENT_STEPS = 2
"""With event-driven traces at least so many steps a line of input: its record is then smaller than the traces."""


def _record_steps(network: BIMNetwork, batch: int, events: bool) -> int:
    """Return the number of steps of a segment, independent of the length of the sequence."""
    states = batch * network.config.channels * network.config.states
    least, most = (EVENT_STEPS * network.config.inputs, 2 * RECORD_STEPS) if events else (0, RECORD_STEPS)
    return max(LEAST_STEPS, min(most, max(RECORD_NUMBERS // states, least)))


class ForwardGradient:
    """Forward traces of every block and of the readout for one batch of sequences.

    With readouts ``local`` to the blocks credit is local. ``record_steps`` is the length of a segment.
    """

    def __init__(
        self,
        network: BIMNetwork,
        batch: int,
        *,
        keep: Keep | None = None,
        local: LocalReadouts | None = None,
        credit: Credit = CREDIT,
        fused: bool = True,
        events: bool = False,
        record_steps: int | None = None,
    ) -> None:
        self.network, self.batch = network, batch
        self.blocks = [block for block in network.blocks if isinstance(block, BIMBlock)]
        self.keep = keep or Keep()
        on_cpu = network.w_o.device.type == "cpu"
        products = FusedTraces if on_cpu else SegmentTraces
        self.by_segment = credit == "segment" and local is None and len(self.blocks) > 1
        events = events and fused and on_cpu and not self.by_segment and self.keep == Keep()
        self.record_steps = record_steps or (SEGMENT if self.by_segment else _record_steps(network, batch, events))
        heads = local.heads() if local is not None else []
        heads = [*heads, Head(network.w_o, network.b_o, network.readout_logit)]
        self.heads: list[Head | None] = [*[None] * (len(self.blocks) - len(heads)), *heads]
        self.traces: list[Traces] = []
        for block, head in zip(self.blocks, self.heads, strict=True):
            if head is not None and events:
                self.traces.append(EventTraces(block, batch))
            elif head is not None:
                self.traces.append((products if fused or self.by_segment else Traces)(block, batch, self.keep))
            elif self.by_segment:
                self.traces.append(products(block, batch, self.keep, levels=2))
            else:
                self.traces.append(ClassTraces(block, batch, network.config.classes, self.keep))
        self.begin()

    @property
    def nbytes(self) -> int:
        """Bytes of all traces."""
        return sum(part.nbytes for part in self.traces) + sum(part.nbytes for part in self.readouts.values())

    def begin(self) -> None:
        """Begin new sequences: every state and trace is 0."""
        self.memory: list[BlockMemory] = [begin(block, self.batch) for block in self.blocks]
        self.readouts = {
            index: ReadoutTraces(head, self.batch, self.keep.readout)
            for index, head in enumerate(self.heads)
            if head is not None
        }
        self.spikes = [self.memory[0].s.new_zeros(()) for _ in self.blocks]
        for traces in self.traces:
            traces.reset()

    def sequence(
        self,
        x: Tensor,
        loss: Loss,
        *,
        mask: Tensor | None = None,
        listeners: Sequence[Listener] = (),
        finish: Finisher | None = None,
        after_record: Callable[[], None] | None = None,
    ) -> float:
        """Run x (T, batch, inputs) from the beginning and return the loss; `take` gives its gradient.

        ``mask`` (T, batch) marks the steps that count. ``after_record`` is called after each record; with a loss at
        every step it may take the gradient and change the weights (then the traces are those of older weights).
        """
        if not len(x):
            raise InputError("a sequence of 0 steps has no gradient", "give at least one step")
        self.begin()
        p = loss.shares(x, mask)
        omegas = {i: discounted(p, readout.gamma) for i, readout in self.readouts.items()} if not loss.every else {}
        total, error = 0.0, None
        if self.by_segment and not loss.every:
            error = self._look_ahead(x, loss, p, omegas)
        for first in range(0, len(x), self.record_steps):
            now = slice(first, first + self.record_steps)
            part = {i: omega[now] for i, omega in omegas.items()}
            total += self.advance(x[now], loss.during(now), p[now], part, listeners, error)
            if after_record is not None:
                after_record()
        return total + (0.0 if loss.every else self._finish(loss, finish))

    @denormals_flushed()
    def _look_ahead(self, x: Tensor, loss: Loss, p: Tensor, omegas: dict[int, Tensor]) -> Tensor:
        """Run the sequence without traces; return dL/dlogits (batch, C) of its loss at the end, and begin anew."""
        ((top, readout),) = self.readouts.items()
        for first in range(0, len(x), self.record_steps):
            now = slice(first, first + self.record_steps)
            readout.at_end(self._heard(self._record(x[now]), top), p[now], omegas[top][now])
        error = readout.finish(loss)[1]
        readout.take_gradient()
        self.begin()
        return error

    def _record(self, x: Tensor) -> list[tuple[Steps, BlockWeights]]:
        """Run a segment x (T, batch, inputs) through all blocks."""
        records: list[tuple[Steps, BlockWeights]] = []
        for index, block in enumerate(self.blocks):
            weights = BlockWeights.of(block)
            heard = self.network.heard([steps.s for steps, _ in records], x)
            steps, self.memory[index] = record(block, heard, self.memory[index], weights)
            records.append((steps, weights))
        return records

    def _heard(self, records: list[tuple[Steps, BlockWeights]], index: int) -> Tensor:
        """Return the spikes that the readout of a block reads: its own, but all that are heard by the top one's."""
        own = records[index][0].s
        return self.network.heard([steps.s for steps, _ in records], own) if index == len(records) - 1 else own

    def _weights(self, index: int, of: int) -> Tensor:
        """Return the columns of the readout of block ``index`` that read the spikes of block ``of``."""
        head = self.readouts[index].head.w_o.detach()
        if index < len(self.blocks) - 1:
            return head
        columns = dict(self.network.config.heard(len(self.blocks)))
        return head[:, columns[of]] if of in columns else torch.zeros_like(head)

    @denormals_flushed()
    def advance(
        self,
        x: Tensor,
        loss: Loss,
        p: Tensor,
        omegas: dict[int, Tensor] | None = None,
        listeners: Sequence[Listener] = (),
        error: Tensor | None = None,
    ) -> float:
        """Process one segment x (T, batch, inputs), shares p (T, batch); return the loss of its steps.

        ``error`` is dL/dlogits (batch, C) of a loss at the end where it is known already, for credit by segments.
        """
        records = self._record(x)
        total, rho = 0.0, 1.0
        errors = omega = p
        for index, (steps, weights) in enumerate(records):
            readout = self.readouts.get(index)
            if readout is None:
                for listen in listeners:
                    listen(index, steps, None, p, None)
                continue
            signal, w_o = None, self._weights(index, index)
            if loss.every:
                rho, omega = readout.gamma, torch.ones_like(p)
                value, errors = readout.every_step(self._heard(records, index), loss, p)
                total += value
                signal = errors @ w_o
            else:
                assert omegas is not None
                rho, omega = 1.0, omegas[index]
                readout.at_end(self._heard(records, index), p, omega)
            if error is None:
                adjoint = self.traces[index].run(steps, weights, rho, omega, signal)
            else:
                known = omega[..., None] * (error @ w_o)
                adjoint = self.traces[index].run(steps, weights, 0.0, torch.ones_like(p), known)
            for listen in listeners:
                listen(index, steps, rho, omega, signal)
        if self.by_segment:
            worth = remembered(errors, rho) if error is None else omega[..., None] * error
            self._run_below(records, adjoint, worth, torch.ones_like(p))
        else:
            self._advance_below(records, rho, omega, errors if loss.every else None)
        return total

    def take(self) -> dict[str, Tensor]:
        """Return the gradient added up since the last call, by the network's parameter names."""
        gradients: dict[str, Tensor] = {}
        for index, traces in enumerate(self.traces):
            own = self.blocks[index].unfolded(traces.take_gradient())
            gradients.update({f"blocks.{index}.{name}": value for name, value in own.items()})
        for index, readout in self.readouts.items():
            top = index == len(self.blocks) - 1
            gradients.update(
                {name if top else f"local.{name}.{index}": value for name, value in readout.take_gradient().items()}
            )
        return gradients

    def _finish(self, loss: Loss, finish: Finisher | None) -> float:
        """Contract all traces with the loss at the end; return its value."""
        total = 0.0
        error = self.memory[0].s
        for index, readout in self.readouts.items():
            value, error = readout.finish(loss)
            total += value
            signal = error @ self._weights(index, index)
            if not self.by_segment:
                self.traces[index].collect(signal)
            if finish is not None:
                finish(index, signal)
        for traces in self.traces:
            if isinstance(traces, ClassTraces):
                traces.collect(error)
        return total

    def _run_below(
        self, records: list[tuple[Steps, BlockWeights]], adjoint: Adjoint | None, worth: Tensor, ones: Tensor
    ) -> None:
        """Run the blocks below the top through the segment with the signals that come from all that hear them.

        ``worth`` (T, batch, C) is what a line of the readout is worth at each step, within the segment.
        """
        top, heard = len(self.blocks) - 1, self.network.config.heard
        signals = {below: worth @ self._weights(top, below) for below, _ in heard(top + 1) if below < top}
        for index in range(top, 0, -1):
            assert adjoint is not None
            by_lines = to_inputs(self.blocks[index], adjoint)
            for below, columns in heard(index):
                signals[below] = signals.get(below, 0) + by_lines[..., columns]
            adjoint = self.traces[index - 1].run(*records[index - 1], 0.0, ones, signals[index - 1])

    def _advance_below(
        self, records: list[tuple[Steps, BlockWeights]], rho: float, omega: Tensor, error: Tensor | None
    ) -> None:
        """Run the blocks without their own readout through the segment, from the top down in each step."""
        if all(head is not None for head in self.heads):
            return
        top, heard = len(self.blocks) - 1, self.network.config.heard
        direct = {of: self._weights(top, of).expand(self.batch, -1, -1) for of, _ in heard(top + 1)}
        for t in range(len(records[0][0])):
            reach = dict(direct)
            for index in range(top, 0, -1):
                by_lines = through(self.blocks[index], records[index][0], t, reach[index], records[index][1])
                for of, columns in heard(index):
                    reach[of] = reach.get(of, 0) + by_lines[..., columns]
                (steps, weights), below = records[index - 1], self.traces[index - 1]
                assert isinstance(below, ClassTraces)
                below.advance(steps, t, weights)
                below.read_classes(steps, t, weights, rho, omega[t], reach[index - 1])
                if error is not None:
                    below.collect(error[t])

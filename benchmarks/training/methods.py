"""The methods of this repository: each sets the gradient of one batch, and says which implementation ran.

law          backpropagation through the law in plain PyTorch, every tensor of autograd kept
compile      the same through torch.compile, `COMPILED` steps at a time
bptt         backpropagation by the operator, as `bim-train` runs it
checkpointed the same, with only each segment's first state kept and the segment computed again
tbptt        backpropagation truncated to segments of `SEGMENT` steps
rtrl         forward traces: exact, memory constant in T (of the top block)
dense        the same, its traces touched at every step
events       the same, its traces touched where the input has events
segment      forward traces with credit over depth by segments of `SEGMENT` steps
touch        no gradient: a loop in C that reads, changes and writes an array as large as all traces once a step
"""

from __future__ import annotations

import math
from collections.abc import Callable
from ctypes import c_float, c_long
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from benchmarks.yardstick import compile_c, pointer
from bim_neuro.errors import InputError
from bim_neuro.model.block import BIMBlock
from bim_neuro.model.network import BIMNetwork
from bim_neuro.model.selective_scan import BlockState
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.operator import Implementation, run_block
from bim_neuro.training.rules import Learner, Learning

SEGMENT = 32
COMPILED = 20
Call = Callable[[Tensor, Tensor], object]


class Skip(Exception):
    """Why a method does not play."""


def in_segments(net: BIMNetwork, x: Tensor, length: int, implementation: Implementation, *, keep: bool) -> Tensor:
    """Return the top block's spikes, a segment at a time; ``keep`` False computes each again in the backward."""

    def segment(part: Tensor, *flat: Tensor) -> tuple[Tensor, ...]:
        after: list[Tensor] = []
        for index, block in enumerate(net.blocks):
            assert isinstance(block, BIMBlock)
            state = BlockState(*flat[4 * index : 4 * index + 4])
            part, state = run_block(block, part, state, implementation=implementation)
            after += state
        return (part, *after)

    flat = [part for block in net.blocks for part in block.initial(x.shape[1])]  # type: ignore[operator, union-attr]
    tops = []
    for part in x.split(length):
        top, *flat = segment(part, *flat) if keep else checkpoint(segment, part, *flat, use_reentrant=False)  # type: ignore[misc]
        tops.append(top)
    return torch.cat(tops)


def backward(net: BIMNetwork, top: Tensor, y: Tensor) -> float:
    """Set the gradients from the top block's spikes; return the loss."""
    net.zero_grad(set_to_none=True)
    loss = F.cross_entropy(net.read(top), y)
    loss.backward()
    return float(loss.detach())


def _law(net: BIMNetwork) -> Call:
    return lambda x, y: backward(net, in_segments(net, x, len(x), "law", keep=True), y)


def _checkpointed(net: BIMNetwork, implementation: Implementation = "auto") -> Call:
    def call(x: Tensor, y: Tensor) -> float:
        return backward(net, in_segments(net, x, math.isqrt(len(x) - 1) + 1, implementation, keep=False), y)

    return call


def _compiled(net: BIMNetwork) -> Call:
    if len(net.blocks) > 1:
        raise Skip("torch.compile unrolls the steps; one block alone takes a minute to compile")
    block = net.blocks[0]
    assert isinstance(block, BIMBlock)

    def segment(part: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        spikes = []
        for x_t in part:
            s, state = block.step(x_t, state)
            spikes.append(s)
        return torch.stack(spikes), state

    fast = torch.compile(segment, fullgraph=True, dynamic=False)

    def call(x: Tensor, y: Tensor) -> float:
        state, tops = block.initial(x.shape[1]), []
        for part in x.split(COMPILED):
            top, state = fast(part, state)
            tops.append(top)
        return backward(net, torch.cat(tops), y)

    return call


def _by_rule(**learning: Any) -> Callable[[BIMNetwork], Call]:
    def prepare(net: BIMNetwork) -> Call:
        try:
            learner = Learner(net, Learning(**learning))
        except (InputError, TypeError) as refused:
            raise Skip(f"not a rule of this version: {refused}") from None
        return lambda x, y: learner.gradients(x, y)

    return prepare


TOUCH = Path(__file__).with_name("traces.c")


def _touching(net: BIMNetwork) -> Call:
    library = compile_c(source=TOUCH)
    if library is None:
        raise Skip("there is no C compiler here, or another processor than x86-64")
    kept: dict[int, Array] = {}

    def call(x: Tensor, y: Tensor) -> None:
        steps, batch = x.shape[:2]
        traces = kept.setdefault(batch, np.zeros(ForwardGradient(net, batch).nbytes // 4, np.float32))
        library.touch(pointer(traces), c_long(len(traces)), c_long(steps), c_float(0.9), c_float(0.1))

    return call


METHODS: dict[str, Callable[[BIMNetwork], Call]] = {
    "law": _law,
    "compile": _compiled,
    "bptt": _by_rule(rule="bptt"),
    "checkpointed": _checkpointed,
    "tbptt": _by_rule(rule="tbptt", segment=SEGMENT),
    "rtrl": _by_rule(rule="rtrl"),
    "dense": _by_rule(rule="rtrl", traces="dense"),
    "events": _by_rule(rule="rtrl", traces="events"),
    "segment": _by_rule(rule="rtrl", credit="segment", segment=SEGMENT),
    "touch": _touching,
}


def reference(net: BIMNetwork, x: Tensor, y: Tensor) -> None:
    """Set the gradient by autograd of the law in float64."""
    net.double()
    _checkpointed(net, "law")(x.double(), y)

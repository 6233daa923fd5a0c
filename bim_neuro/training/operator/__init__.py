"""Selective scan and LIF as one operator with three implementations of one law (model/selective_scan.py).

    "law"   plain PyTorch, any device and precision: the oracle
    "cpu"   compiled kernels with a written backward
    "cuda"  Triton kernels with a written backward

`run_block` chooses; `spikes` runs a network. Which ran is said by `chosen`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError
from ...model.block import BIMBlock
from ...model.network import BIMNetwork, NetworkConfig
from ...model.selective_scan import BlockState, Drive, ScanWeights, selective_scan
from . import cpu, cuda

Implementation = Literal["auto", "law", "cpu", "cuda"]
Scan = Callable[..., tuple[Tensor, BlockState]]


def chosen(x: Tensor, wanted: Implementation = "auto") -> Implementation:
    """Return which implementation runs an input."""
    what = f"{str(x.dtype).removeprefix('torch.')} on {x.device}"
    if wanted == "cpu" and not cpu.runs(x):
        raise InputError(f"the CPU kernels cannot run {what}", "they run float32 and float64 on a CPU")
    if wanted == "cuda" and not cuda.runs(x):
        raise InputError(f"the CUDA kernels cannot run {what}", "they run float32 and float64 on CUDA, through Triton")
    if wanted == "auto":
        return "cpu" if cpu.runs(x) else "cuda" if x.is_cuda and cuda.runs(x) else "law"
    return wanted


def scan_for(x: Tensor, wanted: Implementation = "auto") -> Scan:
    """Return the implementation that runs an input; all take and give what `selective_scan` does."""
    return {"law": selective_scan, "cpu": cpu.scan, "cuda": cuda.scan}[chosen(x, wanted)]


def run_block(
    block: BIMBlock,
    x: Tensor,
    state: BlockState,
    *,
    mask: Tensor | None = None,
    implementation: Implementation = "auto",
) -> tuple[Tensor, BlockState]:
    """Return the spikes (T, batch, D) of x (T, batch, M) from ``state``, and the state after; gradients flow."""
    scan = scan_for(x, implementation)
    drive, weights, law = block.project(x), block.scan_weights, block.soma_law
    if scan is selective_scan or not weights.decay.dim():
        return scan(drive, weights, law, state, mask)
    parts = [scan(*_of_channels(part, drive, weights), law, _state_of(part, state), mask) for part in block.groups]
    spikes, states = zip(*parts, strict=True)
    after = (torch.cat(each, axis) for each, axis in zip(zip(*states, strict=True), (2, 1, 1, 1), strict=True))
    return torch.cat(spikes, 2), BlockState(*after)


def _of_channels(part: slice, drive: Drive, weights: ScanWeights) -> tuple[Drive, ScanWeights]:
    """Return what channels of one leak read: a kernel holds one leak a call."""
    rows = (weights.conv[part], weights.b_u[part], weights.a_log[part], weights.d_skip[part])
    decay = weights.decay[part.start]
    return (
        Drive(drive.w[..., part], drive.rate[..., part], drive.b, drive.c),
        ScanWeights(*rows, decay, weights.threshold),
    )


def _state_of(part: slice, state: BlockState) -> BlockState:
    return BlockState(state.taps[..., part], state.h[:, part], state.v[:, part], state.s[:, part])


def spikes(network: BIMNetwork, x: Tensor, implementation: Implementation = "auto") -> list[Tensor]:
    """Return the spikes of each block, (T, batch, D), for x (T, batch, inputs) or tokens."""
    return advance(network, x, list(network.initial(x.shape[1]).blocks), implementation)


def advance(
    network: BIMNetwork, x: Tensor, states: list[BlockState], implementation: Implementation = "auto"
) -> list[Tensor]:
    """Return the spikes of each block as `spikes` does; ``states``, one a block, are replaced by those after x."""
    x = network.embedded(x)
    layers: list[Tensor] = []
    for index, block in enumerate(network.blocks):
        assert isinstance(block, BIMBlock)
        heard = network.heard(layers, x)
        s, states[index] = run_block(block, heard, states[index], implementation=implementation)
        layers.append(s)
    return layers


def step_bytes(config: NetworkConfig, implementation: Implementation, learns: bool = False) -> int:
    """Return about how many bytes a step of one sequence takes in float32, with what its gradient needs if asked."""
    states = config.channels * config.states
    if implementation == "law":
        states *= 6 if learns else 3
    else:
        states = states // cpu.KEPT_EVERY if learns else 0
    rows = (12 if learns else 7) * config.channels + 4 * config.states
    return 4 * (config.inputs + (rows + states) * config.blocks)


def state_bytes(config: NetworkConfig) -> int:
    """Return about how many bytes the state of one sequence takes in float32."""
    return 8 * config.channels * (config.states + config.taps + 2) * config.blocks

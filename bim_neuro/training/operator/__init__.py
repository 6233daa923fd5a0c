"""Selective scan and LIF as one operator with three implementations of one law (model/selective_scan.py).

    "law"   plain PyTorch, any device and precision: the oracle
    "cpu"   compiled kernels with a written backward
    "cuda"  Triton kernels with a written backward

`run_block` chooses; `spikes` runs a network. Which ran is said by `chosen`.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ...errors import InputError
from ...model.block import BIMBlock
from ...model.network import BIMNetwork, NetworkConfig
from ...model.selective_scan import BlockState, selective_scan
from . import cpu, cuda

Implementation = Literal["auto", "law", "cpu", "cuda"]


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


def run_block(
    block: BIMBlock,
    x: Tensor,
    state: BlockState,
    *,
    mask: Tensor | None = None,
    implementation: Implementation = "auto",
) -> tuple[Tensor, BlockState]:
    """Return the spikes (T, batch, D) of x (T, batch, M) from ``state``, and the state after; gradients flow."""
    scan = {"law": selective_scan, "cpu": cpu.scan, "cuda": cuda.scan}[chosen(x, implementation)]
    return scan(block.project(x), block.scan_weights, block.soma_law, state, mask)


def spikes(network: BIMNetwork, x: Tensor, implementation: Implementation = "auto") -> list[Tensor]:
    """Return the spikes of each block, (T, batch, D), for x (T, batch, inputs)."""
    return advance(network, x, list(network.initial(x.shape[1]).blocks), implementation)


def advance(
    network: BIMNetwork, x: Tensor, states: list[BlockState], implementation: Implementation = "auto"
) -> list[Tensor]:
    """Return the spikes of each block as `spikes` does; ``states``, one a block, are replaced by those after x."""
    layers = []
    for index, block in enumerate(network.blocks):
        assert isinstance(block, BIMBlock)
        x, states[index] = run_block(block, x, states[index], implementation=implementation)
        layers.append(x)
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

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
from ...model.network import BIMNetwork
from ...model.selective_scan import BlockState, selective_scan
from . import cuda

Implementation = Literal["auto", "law", "cpu", "cuda"]


def chosen(x: Tensor, wanted: Implementation = "auto") -> Implementation:
    """Return which implementation runs an input."""
    if wanted == "cuda" and not cuda.runs(x):
        what = f"{str(x.dtype).removeprefix('torch.')} on {x.device}"
        raise InputError(f"the CUDA kernels cannot run {what}", "they run float32 and float64 on CUDA, through Triton")
    if wanted == "auto":
        return "cuda" if x.is_cuda and cuda.runs(x) else "law"
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
    scan = {"law": selective_scan, "cuda": cuda.scan}[chosen(x, implementation)]
    return scan(block.project(x), block.scan_weights, block.soma_law, state, mask)


def spikes(network: BIMNetwork, x: Tensor, implementation: Implementation = "auto") -> list[Tensor]:
    """Return the spikes of each block, (T, batch, D), for x (T, batch, inputs)."""
    layers = []
    for block in network.blocks:
        assert isinstance(block, BIMBlock)
        x, _ = run_block(block, x, block.initial(x.shape[1]), implementation=implementation)
        layers.append(x)
    return layers

"""Selective scan and LIF as one operator with three implementations of one law (model/selective_scan.py).

    "law"   plain PyTorch, any device and precision: the oracle
    "cpu"   compiled kernels with a written backward
    "cuda"  Triton kernels with a written backward

`run_block` chooses; `spikes` runs a network. Which ran is said by `chosen`.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ...model.block import BIMBlock
from ...model.network import BIMNetwork
from ...model.selective_scan import BlockState, selective_scan

Implementation = Literal["auto", "law", "cpu", "cuda"]


def chosen(x: Tensor, wanted: Implementation = "auto") -> Implementation:
    """Return which implementation runs an input."""
    return "law" if wanted == "auto" else wanted


def run_block(
    block: BIMBlock,
    x: Tensor,
    state: BlockState,
    *,
    mask: Tensor | None = None,
    implementation: Implementation = "auto",
) -> tuple[Tensor, BlockState]:
    """Return the spikes (T, batch, D) of x (T, batch, M) from ``state``, and the state after; gradients flow."""
    assert chosen(x, implementation) == "law"
    return selective_scan(block.project(x), block.scan_weights, block.soma_law, state, mask)


def spikes(network: BIMNetwork, x: Tensor, implementation: Implementation = "auto") -> list[Tensor]:
    """Return the spikes of each block, (T, batch, D), for x (T, batch, inputs)."""
    layers = []
    for block in network.blocks:
        assert isinstance(block, BIMBlock)
        x, _ = run_block(block, x, block.initial(x.shape[1]), implementation=implementation)
        layers.append(x)
    return layers

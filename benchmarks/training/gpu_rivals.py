"""Rivals on a CUDA device: each does a part of what a block does, forward and back, on data of the block's size.

mamba_ssm      its selective scan with D and softplus: no taps, no projections, no soma
spikingjelly   its LIF by Triton: the soma alone
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from .cells import Cell
from .methods import Skip


def _needed(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Skip(f"{name} is not installed ({error})") from None


def _mamba(cell: Cell, device: torch.device) -> Callable[[], object]:
    scan = _needed("mamba_ssm", "mamba_ssm.ops.selective_scan_interface").selective_scan_fn
    batch, channels, states, steps = cell.batch, cell.channels, cell.states, cell.steps
    sizes = [(batch, channels, steps)] * 2 + [(channels, states)] + [(batch, states, steps)] * 2 + [(channels,)]
    u, delta, a, b, c, skip = (torch.randn(*size, device=device) for size in sizes)
    given = [u, delta, -a.exp(), b, c, skip]

    def call() -> None:
        parts = [part.detach().requires_grad_() for part in given]
        scan(*parts, delta_softplus=True).sum().backward()

    return call


def _spikingjelly(cell: Cell, device: torch.device) -> Callable[[], object]:
    neuron = _needed("spikingjelly", "spikingjelly.activation_based.neuron")
    functional = _needed("spikingjelly", "spikingjelly.activation_based.functional")
    lif = neuron.LIFNode(step_mode="m", backend="triton").to(device)
    current = torch.randn(cell.steps, cell.batch, cell.channels, device=device)

    def call() -> None:
        functional.reset_net(lif)
        lif(current.detach().requires_grad_()).sum().backward()

    return call


RIVALS: dict[str, Callable[[Cell, torch.device], Callable[[], object]]] = {
    "mamba_ssm": _mamba,
    "spikingjelly": _spikingjelly,
}

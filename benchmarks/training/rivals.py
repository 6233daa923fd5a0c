"""Rivals that cannot stand in the grid here, each with the reason."""

from __future__ import annotations

import importlib.util

import torch

GPU_ONLY = {
    "mamba_ssm": "its selective scan (no soma)",
    "spikingjelly": "its Triton LIF (no scan)",
}


def elsewhere() -> dict[str, str]:
    """Return why each does not play."""
    found = {"braintrace": "it cannot express the block; docs/learning.md, Beside others, has what was measured"}
    for name, what in GPU_ONLY.items():
        if not torch.cuda.is_available():
            found[name] = f"{what} runs on CUDA alone, and there is none"
        elif importlib.util.find_spec(name) is None:
            found[name] = f"{what}: {name} is not installed"
    return found

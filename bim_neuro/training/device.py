"""The device a network trains on, and what is told where its memory ends.

`find_device` and `memory_told` are all that knows of CUDA here; the maths asks its tensors where they are.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import torch

from .. import arguments
from ..choices import DEVICES
from ..errors import InputError

_NO_MEMORY = re.compile(r"[Tt]ried to allocate ([\d.]+ ?\w*)")


def find_device(wanted: str = "auto") -> torch.device:
    """Return the device: 'cpu', 'cuda', or 'auto', which is cuda where there is one."""
    arguments.choice(wanted, DEVICES, "device")
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is built without CUDA"
        found = f"PyTorch {torch.__version__} {built} and finds {torch.cuda.device_count()} devices"
        raise InputError(f"there is no CUDA device: {found}", "leave out --device, or install a PyTorch for CUDA")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))  # torchrun gives each process one
    torch.cuda.set_device(device)
    return device


def describe(device: torch.device) -> str:
    """Return the device as a training log names it."""
    return f"cuda: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


@contextmanager
def memory_told(device: torch.device, batch: int, steps: int) -> Iterator[None]:
    """Turn PyTorch's 'out of memory' while it trains on a batch into a refusal that says what to change."""
    try:
        yield
    except RuntimeError as error:  # OutOfMemoryError is one, and a CPU has no class of its own for it
        asked = _NO_MEMORY.search(str(error))
        if asked is None:
            raise
        what = f"for {tensor}" if (tensor := _asked_for(error.__traceback__)) else "left"
        free = f", {torch.cuda.mem_get_info(device)[0] / 2**30:.2f} GiB are free" if device.type == "cuda" else ""
        message = f"{describe(device)} has no memory {what}: {_amount(asked[1])} were asked for{free}"
        hint = f"choose a --batch below {batch:,} (of {steps:,} steps), or the same updates by --set train.accumulate=2"
        raise InputError(message, hint) from None


def _amount(told: str) -> str:
    """Return an amount of memory as CUDA tells it, '2.00 GiB'; a CPU tells bytes."""
    number, _, unit = told.partition(" ")
    return f"{int(number) / 2**30:,.5g} GiB" if unit == "bytes" else told


def _asked_for(trace: TracebackType | None) -> str:
    """Return the variable and function, as 'decay of selective_scan', that the innermost of our lines was to set."""
    found = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "bim_neuro" in code.co_filename:
            line = linecache.getline(code.co_filename, trace.tb_lineno)
            names = re.match(r"\s*([\w, ]+?)(?::[^=]+)? = ", line)
            found = f"{names[1]} of {code.co_name}" if names else code.co_name
        trace = trace.tb_next
    return found

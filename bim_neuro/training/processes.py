"""Several processes that train one network on one batch, as torchrun starts them; alone, there is one.

    torchrun --nproc-per-node 2 --no-python bim-train digits -o digits.pt

Every process draws the same batches and takes its own rows of them; gradients are added up, so that all hold the same
weights: those of one process with the same --batch, up to the rounding of sums. The first process alone reads and
writes files.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessGroup:
    """Which process this is, of how many."""

    rank: int = 0
    count: int = 1

    @classmethod
    def joined(cls, device: torch.device) -> ProcessGroup:
        """Join the others that torchrun started, and wait for them; once, for all trainings of this process.

        A group made anew would look for the others under the addresses of the one before, as long as a slower process
        has not closed it.
        """
        if "TORCHELASTIC_RUN_ID" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        return cls(dist.get_rank(), dist.get_world_size())

    def rows(self, batch: int) -> Tensor:
        """Return the rows of a batch that are this process's; there may be none."""
        return torch.arange(batch).tensor_split(self.count)[self.rank]

    def add(self, parts: list[Tensor]) -> None:
        """Replace each tensor by its sum over the processes."""
        if self.count == 1 or not parts:
            return
        flat = torch.cat([part.flatten() for part in parts])
        dist.all_reduce(flat)
        for part, total in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            part.copy_(total.view_as(part))

    def of_first(self, value: T) -> T:
        """Return what the first process has as ``value``."""
        if self.count == 1:
            return value
        held = [value]
        dist.broadcast_object_list(held, src=0)
        return held[0]


def rank_of_environment() -> int:
    """Return which of torchrun's processes this is, known before any joins; 0 without torchrun."""
    return int(os.environ["RANK"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0

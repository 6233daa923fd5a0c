"""What a network is trained on, and the batches of an epoch: drawn by one generator, of like lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ..choices import EVERY_STEP
from ..nodes.arithmetic import Array

POOL = 32
"""Batches whose samples are put in the order of their lengths: a batch is then as long as its longest sample."""


class SequenceRows(Protocol):
    """Sequences (samples, steps, lines) as the network reads them: an array, or what makes rows of one when asked."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Array: ...


class Sequences(NamedTuple):
    """Sequences x, what is asked of them, and the steps of each that count (None: all)."""

    x: SequenceRows
    y: Array
    lengths: Array | None = None


class Batch(NamedTuple):
    """x (T, batch, lines), y with the samples first, lengths (batch,) or None; T is that of the longest sample."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None


def batch_of(
    data: Sequences, chosen: Tensor, head: str, device: torch.device, augment: Callable[[Tensor], Tensor] | None
) -> Batch:
    """Return the samples ``chosen``, without the padding that none needs, augmented (batch, T, lines) if asked."""
    rows = chosen.numpy()
    x, y = data.x[rows], np.asarray(data.y[rows], np.int64)
    lengths = None if data.lengths is None else torch.as_tensor(data.lengths[rows])
    if lengths is not None:
        longest = int(lengths.max())
        x, y = x[:, :longest], y[:, :longest] if head in EVERY_STEP else y
        lengths = lengths.to(device)
    heard = torch.as_tensor(x, dtype=torch.float32)
    heard = heard if augment is None else augment(heard)
    return Batch(heard.to(device).transpose(0, 1), torch.as_tensor(y).to(device), lengths)


def split_order(order: Tensor, size: int, lengths: Array | None, generator: torch.Generator) -> list[Tensor]:
    """Cut the order of an epoch into batches; of samples of several lengths, those of like length share one.

    Each pool of `POOL` batches is put in the order of its lengths, and the batches are then mixed.
    """
    if lengths is None:
        return list(order.split(size))
    every = torch.as_tensor(lengths)
    pools = [pool[every[pool].argsort(stable=True)] for pool in order.split(POOL * size)]
    batches = [batch for pool in pools for batch in pool.split(size)]
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]

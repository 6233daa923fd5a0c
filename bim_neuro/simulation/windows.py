"""Windows: what the kernels wrote, cut by node and state, whole or piece by piece for those who watch."""

from __future__ import annotations

import os
from errno import ENOSPC
from pathlib import Path
from shutil import disk_usage

import numpy as np

from ..atomic import cannot_write
from ..nodes.arithmetic import Array
from .plan import Plan
from .probes import WORD_BYTES, Watch, shapes


class Windows:
    """What a block of samples hands to those who watch: of every node the phases since the last time."""

    def __init__(self, plan: Plan, probes: Array, block: slice, lengths: tuple[int, int], watches: list[Watch]) -> None:
        """``probes`` are the block's, (samples, words); ``lengths``: phases that they hold, and of a sample."""
        self.depth, self.watches, self.block = plan.graph.depth, watches, block
        self.rows, self.period = lengths
        self.views = by_node(plan, probes, self.rows)
        self.span = self.rows // 2 if self.rows != self.period else self.period
        self.first = dict.fromkeys(plan.names, 0)

    def hand_out(self, stop: int) -> None:
        """Hand out every window that is complete when the run has come to the step ``stop``."""
        for name, values in self.views.items():
            known = min(stop - self.depth[name], self.period)
            while (last := min(self.first[name] + self.span, self.period)) <= known and self.first[name] < last:
                at = self.first[name] % self.rows
                window = {key: value[:, at : at + last - self.first[name]] for key, value in values.items()}
                for watch in self.watches:
                    watch(self.block, name, self.first[name], window)
                self.first[name] = last


def probe_array(shape: tuple[int, int], folder: Path | None) -> Array:
    """Return zeros (samples, words) for the kernels to write to, in memory or in a file of ``folder``."""
    if folder is None or shape[1] == 0:
        return np.zeros(shape, np.int64)
    file, size = folder / "probes.npy", WORD_BYTES * shape[0] * shape[1]
    try:
        if size > disk_usage(folder).free:  # a kernel that writes to a mapped file on a full disk is killed
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        return np.lib.format.open_memmap(file, mode="w+", dtype=np.int64, shape=shape)
    except OSError as error:
        raise cannot_write(file, error, size) from None


def by_name(plan: Plan, probes: Array, period: int) -> dict[str, Array]:
    """Cut what the kernels wrote into views (samples, period, ...) keyed 'layer.message' and 'layer.<state>'."""
    views = by_node(plan, probes, period)
    return {f"{name}.{key}": value for name in plan.graph.nodes for key, value in views[name].items()}


def by_node(plan: Plan, probes: Array, rows: int) -> dict[str, dict[str, Array]]:
    """Cut the same into views (samples, rows, ...) by node, 'message' first."""
    views: dict[str, dict[str, Array]] = {}
    place = 0
    for name in plan.names:
        views[name] = {}
        for key, shape in shapes(plan.graph.nodes[name]).items():
            size = rows * int(np.prod(shape))
            views[name][key] = probes[:, place : place + size].reshape(len(probes), rows, *shape)
            place += size
    return views

"""Plan: a graph made ready for the kernels, and the memory that a worker needs to play it."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from ..graph import Edge, IntegerGraph
from ..nodes.arithmetic import Array, ceil_div
from .kernels.gates import LANES, SCRATCH_ROWS
from .kernels.layout import LINE, TEAM_MAX, Tables, Work
from .kernels.turn import TURNED
from .plane_order import PlaneOrder


def zeros(shape: int | tuple[int, ...], dtype: type) -> Array:
    """Return zeros that share no line of the cache with anything else; pages that nobody touches take no memory.

    A vector load across two lines costs two, and a line that two threads write travels between their cores.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(size + 2 * LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return np.asarray(room[start : start + size].view(dtype).reshape(shape))


def aligned(values: Array) -> Array:
    """Return a copy that begins where a line of the cache does."""
    copy = zeros(values.shape, values.dtype.type)
    copy[...] = values
    return copy


@dataclass
class Plan:
    """A graph made ready: its tables, the names in the order they run, and how large a worker's memory is."""

    graph: IntegerGraph
    tables: Tables
    names: tuple[str, ...]
    edges: tuple[Edge, ...]  # in the order of tables.edges
    sizes: dict[str, int]
    bounds: dict[str, int]  # largest magnitude of a node's message
    chunk: int
    planes: dict[int, int]  # accumulators of the largest tile of a convolution, by their bits
    orders: dict[str, PlaneOrder]  # of the layers in plane order
    idle: list[Any] = field(default_factory=list)  # crews that have finished, see `crew`
    lock: Lock = field(default_factory=Lock)  # runs may share an engine

    def work(self, columns: int) -> Work:
        """Return the memory of one worker, with counters for ``columns`` steps."""
        sizes, widest, planes = self.sizes, self.sizes["widest"], self.planes
        flags = zeros(ceil_div(widest, 8) * 8, np.uint8)
        return Work(
            messages=zeros(sizes["messages"] + LINE, np.int32),  # of an odd pair the second is read, and not used
            counts=zeros(sizes["counts"], np.int32),
            state32=zeros(sizes["state32"], np.int32),
            state64=zeros(sizes["state64"], np.int64),
            sums32=zeros(sizes["sums32"] + LINE, np.int32),  # a plane's last row is added to whole registers
            sums64=zeros(sizes["sums64"] + LINE, np.int64),
            block32=zeros(widest, np.int32),
            pairs=aligned(np.arange(widest // 2 + 1, dtype=np.int32)),
            active=zeros(widest + 1, np.int32),
            flags=flags,
            flag_words=flags.view(np.uint64),
            channels=zeros((3, widest), np.int64),
            lanes=zeros(SCRATCH_ROWS * (widest + LANES), np.int32),
            plane16=zeros(planes[16], np.int16),
            plane32=zeros(planes[32], np.int32),
            plane64=zeros(planes[64], np.int64),
            turned=zeros(TURNED, np.int32),
            products=zeros(sizes["products"], np.float64),
            sent=zeros((self.chunk, TEAM_MAX), np.int32),
            counters=zeros((len(self.names), 5, columns), np.int64),
        )

    def member(self, leader: Work) -> Work:
        """Return the memory of another thread in the same sample: messages and states are the leader's."""
        shared = ("messages", "counts", "state32", "state64", "products", "sent")
        own = self.work(leader.counters.shape[2])
        return own._replace(**{name: getattr(leader, name) for name in shared})

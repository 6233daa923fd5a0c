"""Threads of a training: kernels have them, and PyTorch one, so that weights do not depend on their number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch

_given: list[int] = []
"""How many threads kernels have where PyTorch itself has one."""


def threads() -> int:
    """Return on how many threads a kernel may distribute its work."""
    return _given[-1] if _given else torch.get_num_threads()


@contextmanager
def torch_in_one_thread() -> Iterator[None]:
    """Leave the threads to our kernels: sums of PyTorch depend on how many it has."""
    before = torch.get_num_threads()
    _given.append(threads())
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _given.pop()
        torch.set_num_threads(before)


def share_out(work: Callable[[int], None], items: Sequence[int], threads: int) -> None:
    """Do ``work`` on every item, on at most so many threads."""
    threads = min(threads, len(items))
    if threads == 1:
        for item in items:
            work(item)
    else:
        list(_pool(threads, os.getpid()).map(work, items))


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Return the pool of this process: a forked child has none of its parent's threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="training")

"""Processes of this machine, one call each: one that dies takes nothing with it but its own call."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from .threads import one_thread

_LOOK_SECONDS = 1.0


class Processes(Executor):
    """``workers`` processes; each belongs to a thread here that hands it one call at a time.

    A `ProcessPoolExecutor` of many breaks whole where one of its processes dies, and does not say whose call it was.
    """

    def __init__(self, workers: int) -> None:
        self._own = threading.local()
        self._all: list[ProcessPoolExecutor] = []
        self._threads = ThreadPoolExecutor(workers, "worker")

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        return self._threads.submit(self._in_process, call, args, named)

    def _in_process(self, call: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        process = getattr(self._own, "process", None) or self._started()
        try:
            return process.submit(call, *args, **named).result()
        except BrokenProcessPool:
            self._own.process = None
            raise

    def _started(self) -> ProcessPoolExecutor:
        process = ProcessPoolExecutor(1, get_context("spawn"), _begin, (os.getpid(),))
        self._own.process = process
        self._all.append(process)
        return process

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=wait and not cancel_futures, cancel_futures=cancel_futures)
        for pool in self._all:
            if (
                wait or cancel_futures
            ):  # nothing runs, or nothing is wanted: a worker with torch takes seconds to end by itself
                for process in list((pool._processes or {}).values()):  # there is no public way to end one
                    process.kill()
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _begin(parent: int) -> None:
    """Compute with one thread, and end with the process that hands out the calls, however that ends."""
    one_thread()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)

"""Executors for tests, as `--executor made_executors:threads` names them; and calls for their workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

deaths: dict[str, list[str]] = {}
"""When the worker of a trial dies, 'before' it or 'after', try by try, by its prune.share; set by a test."""


def threads() -> Executor:
    return ThreadPoolExecutor(1)


def not_an_executor() -> object:
    return object()


class Dying(Executor):
    """Computes here; a call may lose its worker before it begins or after it has ended."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        return self._pool.submit(self._call, call, args)

    def _call(self, call: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        share = str(args[0]["values"].get("prune.share")) if isinstance(args[0], dict) else ""
        left = deaths.get(share, [])
        if left:
            if left.pop() == "after":
                call(*args)  # the result lies in the folder, and nobody was told
            raise BrokenExecutor("a process of the pool ended")
        return call(*args)


def dying() -> Executor:
    return Dying()


def end_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def my_number() -> int:
    return os.getpid()

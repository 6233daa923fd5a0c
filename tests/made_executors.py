"""Executors for tests, as `--executor made_executors:threads` names them; and calls for their workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
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


class Strangers(Executor):
    """Computes here as a worker does that does not see the sweep's folder."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(False if isinstance(args[0], str) else call(*args))
        except Exception as error:  # noqa: BLE001  (a future holds it, whatever it is)
            future.set_exception(error)
        return future


def strangers() -> Executor:
    return Strangers()


lies: list[Any] = []
"""What the next trials are said to come to, instead of being computed; set by a test."""


class Lying(Dying):
    """Says of some trials that they are done, and computes the others here."""

    def _call(self, call: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return lies.pop() if lies and isinstance(args[0], dict) else call(*args)


def lying() -> Executor:
    return Lying()


class WholePool(ProcessPoolExecutor):
    """Processes that all end where one dies, as it does with each trial of prune.share 0.7."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        return super().submit(_or_die, call, *args)


def _or_die(call: Callable[..., Any], *args: Any) -> Any:
    if isinstance(args[0], dict) and args[0]["values"].get("prune.share") == 0.7:
        end_myself()
    return call(*args)


def whole_pool() -> Executor:
    return WholePool(2, get_context("spawn"))

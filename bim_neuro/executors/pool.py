"""A pool: an executor by its name, how many calls it can use at once, and how it is made anew once it is lost."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BackendFailed, InputError, first_line
from ..extras import check_extra

_KINDS = "processes:N, dask:N, dask:tcp://HOST:PORT, submitit:slurm, submitit:local, submitit:debug or module:factory"
_CLUSTERS = ("slurm", "local", "debug")
_MOST = 4096
_PATIENCE = 600.0  # seconds that a lost scheduler may take to come back
_PAUSE = 2.0
_ANSWER = 120.0  # seconds that a worker may take to say whether it sees a file


@dataclass(frozen=True)
class Slurm:
    """What jobs ask a cluster for; ``more`` are submitit's own parameters by their names."""

    array: int = 64  # jobs at once
    minutes: int = 60
    memory: float = 4.0  # GiB
    cpus: int = 1
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        of_slurm = {f"slurm_{name}": value for name, value in {"array_parallelism": self.array, **self.more}.items()}
        return {"timeout_min": self.minutes, "mem_gb": self.memory, "cpus_per_task": self.cpus, **of_slurm}


@dataclass
class Pool:
    """An executor, and what a library's own class does not say of it."""

    name: str
    make: Callable[[], Executor]
    workers: Callable[[], int]
    scatter: Callable[[bytes], Any] = lambda content: content
    """Sends bytes to all workers once, where the library can; what it returns may stand for them in a call."""
    shared: bool | None = None
    """Whether its workers see our files; None: one of them has to be asked."""
    breaks_whole: bool = False
    """Whether one worker that dies may end the calls of all, so that none is to blame."""
    ahead: int = 2
    """Calls that are handed out for each worker, so that none waits for the next; a job is its own worker."""
    _executor: Executor | None = None

    @property
    def most(self) -> int:
        """How many calls to hand out before one has ended."""
        return self.ahead * max(1, self.workers())

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Hand out a call; an executor that takes none any more is made anew."""
        try:
            return self._ready().submit(call, *args)
        except RuntimeError:  # it was shut down, or its process pool broke
            self.renew()
            return self._ready().submit(call, *args)

    def sees(self, file: Path) -> bool:
        """Whether the workers see a file: then files travel by their paths."""
        if self.shared is not None:
            return self.shared
        try:
            return bool(self.submit(_visible, str(file.absolute())).result(_ANSWER))
        except TookTooLong:
            said = f"no worker of {self.name} answered within {_ANSWER:.0f} s"
            raise BackendFailed(said, "start workers, then run the same command again") from None

    def renew(self) -> None:
        """Make the executor anew; wait for a scheduler to come back."""
        self.close(now=True)
        until = time.monotonic() + _PATIENCE
        while not self._is_back(raises=time.monotonic() > until):
            time.sleep(_PAUSE)

    def _is_back(self, *, raises: bool) -> bool:
        try:
            self._ready()
        except (OSError, InputError):
            if raises:
                raise
            return False
        return True

    def close(self, *, now: bool) -> None:
        """End it; ``now``: whatever it still computes."""
        if self._executor is not None:
            with suppress(Exception):  # what is lost cannot be ended, and says so in many ways
                self._executor.shutdown(wait=not now, cancel_futures=now)
            self._executor = None

    def _ready(self) -> Executor:
        if self._executor is None:
            self._executor = self.make()
        return self._executor


@contextmanager
def open_pool(name: str, folder: Path, slurm: Slurm | None = None) -> Iterator[Pool]:
    """Give a pool by its name; ``folder`` is for the logs of jobs. Whatever still runs at an error is ended."""
    pool = _pool(name, folder, slurm or Slurm())
    done = False
    try:
        pool._ready()
        yield pool
        done = True
    finally:
        pool.close(now=not done)


def _visible(file: str) -> bool:
    """Say, on a worker, whether it sees a file."""
    return Path(file).is_file()


def _pool(name: str, folder: Path, slurm: Slurm) -> Pool:
    kind, _, what = name.partition(":")
    if kind == "processes":
        count = _count(name, what)
        from .processes import Processes

        return Pool(name, lambda: Processes(count), lambda: count, shared=True)
    if kind == "dask":
        check_extra("sweep", "distributed", f"--executor {name}")
        from .dask_client import dask_pool

        return dask_pool(name, what if "://" in what else _count(name, what))
    if kind == "submitit":
        if what not in _CLUSTERS:
            raise InputError(f"--executor is '{name:.60}'", f"submitit:{', submitit:'.join(_CLUSTERS)}")
        check_extra("sweep", "submitit", f"--executor {name}")
        from .jobs import Jobs

        most = slurm.array if what == "slurm" else os.cpu_count() or 1
        return Pool(name, lambda: Jobs(what, folder / ".jobs", slurm.parameters), lambda: most, shared=True, ahead=1)
    return _of_module(name, kind, what)


def _count(name: str, what: str) -> int:
    if not (what.isascii() and what.isdigit() and len(what) < 6 and 1 <= int(what) <= _MOST):
        raise InputError(f"--executor is '{name:.60}', a number of workers from 1 to {_MOST} is needed", _KINDS)
    return int(what)


def _of_module(name: str, module: str, factory: str) -> Pool:
    if not (module and factory.isidentifier()):
        raise InputError(f"--executor is '{name:.60}'", f"give {_KINDS}")
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError) as error:
        raise InputError(f"--executor {name:.60}: {first_line(error)}", f"give {_KINDS}") from None
    made: list[Executor] = []

    def executor() -> Executor:
        found = make()
        if not isinstance(found, Executor):
            kind = type(found).__name__
            raise InputError(f"--executor {name:.60} gave a {kind}, a concurrent.futures.Executor is needed")
        made[:] = [found]
        return found

    most = lambda: int(getattr(made[0], "_max_workers", 0) or 8) if made else 1  # noqa: E731
    return Pool(name, executor, most, breaks_whole=True)

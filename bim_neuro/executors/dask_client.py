"""Dask: a cluster of this machine, or a scheduler that runs already, behind one client.

A scheduler by itself retries a call whose worker died, as often as distributed.scheduler.allowed-failures says (3); a
cluster that is made here is told not to, so that each death is counted.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from ..errors import InputError, first_line
from .pool import Pool

_TIMEOUT = 10.0  # seconds to reach a scheduler


class _Client:
    """The client of now; a lost one is replaced by `make`."""

    def __init__(self, where: str | int) -> None:
        self.where = where
        self.client: Any = None
        self.cluster: Any = None

    def make(self) -> Executor:
        import dask
        from distributed import Client, LocalCluster

        self.end()
        if isinstance(self.where, int):
            with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                self.cluster = LocalCluster(  # type: ignore[no-untyped-call,unused-ignore]
                    n_workers=self.where, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
                )
        try:
            made = Client(self.cluster or self.where, timeout=_TIMEOUT)  # type: ignore[no-untyped-call,unused-ignore]
            self.client = made
        except OSError as error:
            raise InputError(f"no dask scheduler answers at {self.where}: {first_line(error)}") from None
        return _Closing(self)

    def end(self) -> None:
        for part in (self.client, self.cluster):
            if part is not None:
                part.close(timeout=_TIMEOUT)
        self.client = self.cluster = None

    def workers(self) -> int:
        return sum(self.client.nthreads().values()) if self.client is not None else 1

    def scatter(self, content: bytes) -> Any:
        return self.client.scatter(content, broadcast=True)


class _Closing(Executor):
    """A client's executor that closes the client too."""

    def __init__(self, owner: _Client) -> None:
        self._owner = owner
        self._executor: Executor = owner.client.get_executor(pure=False)

    def submit(self, call: Any, /, *args: Any, **named: Any) -> Any:
        return self._executor.submit(call, *args, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._owner.end()


def dask_pool(name: str, where: str | int) -> Pool:
    """Return a pool of so many workers here, or of a scheduler by its address."""
    client = _Client(where)
    return Pool(name, client.make, client.workers, client.scatter, shared=True if isinstance(where, int) else None)

"""Jobs of a cluster by submitit, as a `concurrent.futures.Executor`: what is submitted within a moment is one array."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.5

Waiting = tuple[Callable[[], Any], Future[Any]]


class Jobs(Executor):
    """Calls as jobs of ``cluster``: 'slurm', 'local' (processes here) or 'debug' (in this process)."""

    def __init__(self, cluster: str, folder: Path, parameters: dict[str, Any]) -> None:
        import submitit

        logging.getLogger("submitit").setLevel(logging.ERROR)  # it warns at each look where sacct keeps no accounts
        self._made = submitit.AutoExecutor(folder=folder, cluster=cluster)
        self._made.update_parameters(**parameters)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._new: list[Waiting] = []
        self._running: list[tuple[Any, Future[Any]]] = []
        self._thread = threading.Thread(target=self._watch, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            self._new.append((partial(call, *args, **named), future))
        return future

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            with self._lock:
                fresh, self._new = self._new, []
            fresh = [entry for entry in fresh if entry[1].set_running_or_notify_cancel()]
            if fresh:
                self._start(fresh)
            self._running = [(job, future) for job, future in self._running if not _settled(job, future)]

    def _start(self, fresh: list[Waiting]) -> None:
        try:
            jobs = self._made.submit_array([call for call, _ in fresh])
        except Exception as error:  # noqa: BLE001  (of sbatch; whoever waits for the call is told)
            for _, future in fresh:
                future.set_exception(error)
        else:
            self._running += [(job, future) for job, (_, future) in zip(jobs, fresh, strict=True)]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._ended.set()
        self._thread.join()
        for job, _ in self._running:
            job.cancel()


def _settled(job: Any, future: Future[Any]) -> bool:
    """Pass on what became of a job, once it has ended."""
    if not job.done():
        return False
    try:
        future.set_result(job.result())
    except Exception as error:  # noqa: BLE001  (the job's own, or that it was killed)
        future.set_exception(error)
    return True

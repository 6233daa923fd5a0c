"""The run of a sweep: trials are handed out as workers can use them, and their results heard, one loop.

Nothing here grows with the number of trials: only those in flight are held. A trial whose worker died is tried again,
three times in all; one that another sweep works at, or whose training is being made, waits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import first_line
from ..executors import Pool, visible
from .origin import code
from .proposals import Proposals
from .store import Store
from .trial import Trial
from .work import packed, row_of, run_trial, unpack

TRIES = 3
_LOOK_SECONDS = 1.0
_PROBE_SECONDS = 60.0


@dataclass
class Tally:
    """How far a sweep is."""

    total: int
    known: int = 0  # were finished before
    done: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    lost: int = 0  # attempts whose worker died
    started: float = field(default_factory=time.monotonic)

    def add(self, status: str, *, known: bool = False) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1
        if known:
            self.known += 1
        else:
            self.done += 1

    @property
    def rate(self) -> float:
        """Trials a second, of those that were computed."""
        return self.done / max(1e-9, time.monotonic() - self.started)

    @property
    def remaining(self) -> float | None:
        """Seconds until the end at this rate; None before the first result."""
        return (self.total - self.known - self.done) / self.rate if self.done else None

    def __str__(self) -> str:
        said = [f"{self.known + self.done:,} of {self.total:,} trials"]
        said += [f"{count:,} {status}" for status, count in sorted(self.by_status.items()) if status != "done"]
        said += [f"{self.lost} lost with their workers"] if self.lost else []
        if self.remaining is not None:
            said += [f"{60 * self.rate:.3g} a minute", f"{_duration(self.remaining)} left"]
        return ", ".join(said)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


@dataclass
class Sweep:
    """One sweep on its pool and in its folder."""

    store: Store
    pool: Pool
    proposals: Proposals
    keep: str = "all"  # files of a trial, or 'summary'
    say: Callable[[Tally], None] = lambda progress: None
    flying: dict[Future[Any], Trial] = field(default_factory=dict)
    waiting: list[Trial] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    _shared: bool | None = None
    _sent: Any = None

    def run(self) -> Tally:
        """Hand out every trial and hear its result."""
        self.progress = Tally(self.proposals.total)
        try:
            while self._fill() or self.flying or self.waiting:
                self._hear()
                self.progress.total = self.proposals.total
                self.say(self.progress)
        finally:
            for trial in self.flying.values():
                self.store.release(trial.key)
        return self.progress

    def _fill(self) -> bool:
        """Hand out trials as long as workers can use them; say whether any was."""
        before = len(self.flying)
        waiting, self.waiting = self.waiting, []
        for trial in waiting:
            self._take(trial)
        while len(self.flying) + len(self.waiting) < self.pool.most and (fresh := self.proposals.next()) is not None:
            self._take(fresh)
        return len(self.flying) > before

    def _take(self, trial: Trial) -> None:
        """Hand out a trial, unless its result is there or it has to wait."""
        row = self.store.result(trial.key)
        if row is not None:
            self._finish(trial, row, known=True)
        elif self._training_is_made(trial) or not self.store.claim(trial.key):
            self.waiting.append(trial)
        else:
            self._hand_out(trial)

    def _training_is_made(self, trial: Trial) -> bool:
        made = trial.training is not None and not self.store.model(trial.training).exists()
        return made and any(other.training == trial.training for other in self.flying.values())

    def _hand_out(self, trial: Trial) -> None:
        plain = {**trial.plain, "code": code(), "keep": self.keep, "process": os.getpid()}
        if self._shared is None:
            self._shared = self.pool.submit(visible, str(self.store.marker)).result(_PROBE_SECONDS)
        if self._shared:
            self.flying[self.pool.submit(run_trial, plain, str(self.store.folder), None)] = trial
        else:
            self.flying[self.pool.submit(run_trial, plain, None, self._files(trial))] = trial

    def _files(self, trial: Trial) -> Any:
        """Return the files that a trial reads, sent to all workers once where the library can."""
        names = tuple(map(str, trial.files))
        if self._sent is None or self._sent[0] != names:
            self._sent = names, self.pool.scatter(packed([Path(name) for name in names]))
        return self._sent[1]

    def _hear(self) -> None:
        if not self.flying:
            time.sleep(_LOOK_SECONDS)
            return
        ended, _ = wait(self.flying, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for future in ended:
            trial = self.flying.pop(future)
            if future.cancelled():
                self._pool_is_lost(trial)
                return
            error = future.exception()
            if error is None:
                self._finish(trial, self._brought(trial, future.result()))
            else:
                self._failed(trial, first_line(error))

    def _brought(self, trial: Trial, row: dict[str, Any]) -> dict[str, Any]:
        """Put in its place what a worker without our folder sent back."""
        files = row.pop("files", None)
        if files is not None:
            attempt = self.store.attempt(trial.key)
            unpack(files, attempt)
            self.store.settle(attempt, self.store.trial(trial.key))
        return row

    def _pool_is_lost(self, trial: Trial) -> None:
        """Make the pool anew; what was in flight is handed out again and nobody's fault."""
        self.waiting += [trial, *self.flying.values()]
        self.flying.clear()
        self.pool.renew()

    def _failed(self, trial: Trial, why: str) -> None:
        """Try a trial again; give it up after the last try."""
        self.progress.lost += 1
        tries = self.tries[trial.key] = self.tries.get(trial.key, 0) + 1
        if tries < TRIES:
            self._take(trial)
            return
        row = row_of({**trial.plain, "code": code()}, "poisoned", f"{tries} tries, the last: {why}")
        self.store.poison(trial.key, row)
        self._finish(trial, row)

    def _finish(self, trial: Trial, row: dict[str, Any], *, known: bool = False) -> None:
        self.tries.pop(trial.key, None)
        self.store.release(trial.key)
        self.proposals.tell(trial.key, row)
        self.progress.add(row["status"], known=known)

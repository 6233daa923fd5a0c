"""The run of a sweep: trials are handed out as workers can use them, and their results heard, one loop.

Nothing here grows with the number of trials: only those in flight are held, ours and those of other sweeps. A trial
whose worker died is tried again, three times in all; one whose training is being made waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from ..errors import first_line
from ..executors import Pool
from .origin import code
from .proposals import Proposals
from .store import Store
from .tally import Tally
from .trial import Trial
from .work import row_of
from .workers import Workers

TRIES = 3
_LOOK_SECONDS = 1.0


@dataclass
class Sweep:
    """One sweep on its pool and in its folder."""

    store: Store
    pool: Pool
    proposals: Proposals
    keep: str = "all"  # files of a trial, or 'summary'
    say: Callable[[Tally], None] = lambda progress: None
    flying: dict[Future[Any], Trial] = field(default_factory=dict)
    waiting: list[Trial] = field(default_factory=list)  # for their training
    elsewhere: list[Trial] = field(default_factory=list)  # another sweep works at them
    suspects: list[Trial] = field(default_factory=list)  # one of them broke the pool: each runs alone
    tries: dict[str, int] = field(default_factory=dict)
    _alone: str = ""  # the suspect that was handed out last

    def run(self) -> Tally:
        """Hand out every trial and hear its result."""
        self.progress, self.workers = Tally(self.proposals.total), Workers(self.store, self.pool, self.keep)
        try:
            while self._fill() or self.flying or self.waiting or self.elsewhere or self.suspects:
                self._hear()
                self.progress.total = self.proposals.total
                self.say(self.progress)
        finally:
            for trial in self.flying.values():
                self._release(trial)
        return self.progress

    def _fill(self) -> bool:
        """Hand out trials as long as workers can use them; say whether any was."""
        before = len(self.flying)
        if self.suspects:
            self._try_a_suspect()
            return len(self.flying) > before
        held, self.waiting, self.elsewhere = [*self.elsewhere, *self.waiting], [], []
        for trial in held:
            self._take(trial)
        while len(self.flying) + len(self.waiting) < self.pool.most and (fresh := self.proposals.next()) is not None:
            self._take(fresh)
        return len(self.flying) > before

    def _try_a_suspect(self) -> None:
        if not self.flying:
            trial = self.suspects.pop(0)
            self._alone = trial.key
            self._take(trial)

    def _take(self, trial: Trial) -> None:
        """Hand out a trial, unless its result is there or it has to wait."""
        row = self.store.result(trial.key)
        if row is not None:
            self._finish(trial, row, known=True)
        elif self._training_is_made(trial):
            self.waiting.append(trial)
        elif self.store.claim(trial.key):
            self.flying[self.workers.hand_out(trial)] = trial
        else:
            self.elsewhere.append(trial)
            if trial.training is not None:
                self.store.release(trial.training)

    def _training_is_made(self, trial: Trial) -> bool:
        """Whether a trial has to wait for its training, here or in another sweep; if nobody makes it, we claim it."""
        if trial.training is None or self.store.model(trial.training).exists():
            return False
        here = any(other.training == trial.training for other in self.flying.values())
        return here or not self.store.claim(trial.training)

    def _release(self, trial: Trial) -> None:
        self.store.release(trial.key)
        if trial.training is not None:
            self.store.release(trial.training)

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
            if error is not None:
                self._broke(trial, error)
            elif (row := self.workers.result(trial, future.result())) is not None:
                self._finish(trial, row)
            else:
                self._failed(trial, "a worker said that it was done, and left no result")

    def _pool_is_lost(self, trial: Trial) -> None:
        """Make the pool anew; what was in flight is handed out again and nobody's fault."""
        self.waiting += [trial, *self.flying.values()]
        self.flying.clear()
        self.workers.renew()

    def _broke(self, trial: Trial, error: BaseException) -> None:
        """Count an error as a try of its trial; where a pool breaks whole, only of one that ran alone."""
        if isinstance(error, BrokenExecutor) and self.pool.breaks_whole and trial.key != self._alone:
            self.suspects.append(trial)
        else:
            self._failed(trial, first_line(error))

    def _failed(self, trial: Trial, why: str) -> None:
        """Try a trial again; give it up after the last try."""
        self.progress.lost += 1
        tries = self.tries[trial.key] = self.tries.get(trial.key, 0) + 1
        if tries < TRIES:
            (self.suspects if self.pool.breaks_whole else self.waiting).append(trial)
            return
        row = row_of({**trial.plain, "code": code()}, "poisoned", f"{tries} tries, the last: {why}")
        self.store.poison(trial.key, row)
        self._finish(trial, row)

    def _finish(self, trial: Trial, row: dict[str, Any], *, known: bool = False) -> None:
        self.tries.pop(trial.key, None)
        self._release(trial)
        self.proposals.tell(trial.key, row)
        self.progress.add(row["status"], known=known)

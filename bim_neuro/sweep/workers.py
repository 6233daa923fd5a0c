"""The workers of a sweep: what each is told, the files that travel, and the result that must lie there after.

Workers that see the sweep's folder are told where it is. Others are sent the files, once where the library can, and
send back what they wrote. What counts is the result that lies in the folder, not that a worker says it is done.
"""

from __future__ import annotations

import os
import time
import zipfile
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..executors import Pool
from .origin import code
from .store import Store
from .trial import Trial, request_toml
from .work import packed, run_trial, unpack

_LOOKS, _LOOK_SECONDS = 5, 1.0
"""How often a result is looked for: a network's file system may show it a moment later."""


class Workers:
    """A pool's workers, as one sweep sees them; ``keep``: the files of a trial, 'all' or 'summary'."""

    def __init__(self, store: Store, pool: Pool, keep: str = "all") -> None:
        self._store, self._pool, self._keep = store, pool, keep
        self._shared: bool | None = None
        self._sent: tuple[list[Path], Any] | None = None

    def hand_out(self, trial: Trial) -> Future[Any]:
        """Have a trial computed."""
        order = self._order(trial)
        if self._shared is None:
            self._shared = self._pool.sees(self._store.marker)
        if self._shared:
            return self._pool.submit(run_trial, order, str(self._store.folder), None)
        return self._pool.submit(run_trial, order, None, self._files(trial))

    def result(self, trial: Trial, said: Any) -> dict[str, Any] | None:
        """Return the result of a trial that a worker says is done; None where there is none."""
        places = {"files": self._store.trial(trial.key)}
        if trial.training is not None:
            places["trained"] = self._store.model(trial.training).parent
        for name, place in places.items():
            if isinstance(said, dict) and isinstance(said.get(name), bytes):
                self._put(said[name], place)
        for look in range(_LOOKS):
            time.sleep(_LOOK_SECONDS if look else 0)
            if (row := self._store.result(trial.key)) is not None:
                return row
        return None

    def renew(self) -> None:
        """Make the pool anew; what was sent to the old one is gone."""
        self._shared = self._sent = None
        self._pool.renew()

    def _order(self, trial: Trial) -> dict[str, Any]:
        """Return all that a worker is told of a trial, as plain values."""
        trained = None if trial.training is None else self._store.model(trial.training)
        file = self._store.trial(trial.key) / "request.toml"
        return {
            **trial.plain,
            "trained_in": None if trained is None else str(trained.parent),
            "file": request_toml(trial.plain, str(trained or trial.plain["model"])),
            "command": f"bim-compile --config {file}",
            "code": code(),
            "keep": self._keep,
            "process": os.getpid(),
        }

    def _files(self, trial: Trial) -> Any:
        """Return the files that a trial reads, and its training where that is made, as they were sent."""
        names = trial.files
        if trial.training is not None and (model := self._store.model(trial.training)).exists():
            names = [*names, model.parent]
        if self._sent is None or self._sent[0] != names:
            self._sent = names, self._pool.scatter(packed(names))
        return self._sent[1]

    def _put(self, content: bytes, place: Path) -> None:
        attempt = self._store.attempt(place.name)
        with suppress(zipfile.BadZipFile):
            unpack(content, attempt)
            self._store.settle(attempt, place)

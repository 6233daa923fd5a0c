"""The folder of a sweep: finished trials, who works at which, and leftovers of workers that died.

    OUT/trials/KEY/trial.json          a finished trial beside what bim-compile wrote; moved in whole by one rename
    OUT/models/KEY/model.pt            a training that several trials use, moved in the same way
    OUT/poisoned/KEY.json              a trial that broke its worker three times; the next sweep tries it again
    OUT/.claims/KEY                    which sweep works at a trial now
    OUT/.sweeps/ID                     a sweep that runs: its host and process; touched every few seconds
    OUT/.work/KEY.x                    an attempt

A rename onto a folder that holds files fails, so that a trial has exactly one result, whoever computed it and however
often. A claim is made by creating its file, which one of several does; it lapses when its sweep has ended, or has not
touched its file for a minute. Claims only save work: two sweeps that both hold one get the same result.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..atomic import write
from ..errors import InputError
from ..intake import read_json

TRIAL = "trial.json"
MODEL = "model.pt"
_BEAT, _SILENT = 5.0, 60.0  # seconds
_MARK = ".bim-sweep"


class Store:
    """A folder as one sweep sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.id = uuid.uuid4().hex[:12]

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Make the folder, or take one of an earlier sweep; note that this sweep runs until the block ends."""
        if self.folder.exists() and not self.marker.exists() and (not self.folder.is_dir() or any(self._visible())):
            raise InputError(
                f"{self.folder} holds other files, or is none of bim-sweep's", "give another folder with -o"
            )
        for name in ("trials", "models", "poisoned", ".claims", ".sweeps", ".work"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.marker.touch()
        write(self._sweep(self.id), json.dumps({"host": socket.gethostname(), "process": os.getpid()}))
        self._clean()
        ended = threading.Event()
        beating = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        beating.start()
        try:
            yield self
        finally:
            ended.set()
            beating.join()
            self._sweep(self.id).unlink(missing_ok=True)

    @property
    def marker(self) -> Path:
        """A file by which a worker knows that it sees the folder."""
        return self.folder / _MARK

    def trial(self, key: str) -> Path:
        return self.folder / "trials" / key

    def model(self, key: str) -> Path:
        return self.folder / "models" / key / MODEL

    def result(self, key: str) -> dict[str, Any] | None:
        """Return what a finished trial came to; None if it is not finished, or its file is damaged."""
        return _row(self.trial(key) / TRIAL, key)

    def results(self) -> Iterator[dict[str, Any]]:
        """Give every finished trial, then the poisoned ones, each in the order of its name."""
        with os.scandir(self.folder / "trials") as entries:
            keys = sorted(entry.name for entry in entries)
        yield from (found for key in keys if (found := self.result(key)) is not None)
        for file in sorted((self.folder / "poisoned").glob("*.json")):
            row = _row(file, file.stem)
            if row is not None and self.result(file.stem) is None:
                yield row

    def attempt(self, key: str) -> Path:
        """Return a new path for an attempt."""
        return self.folder / ".work" / f"{key}.{uuid.uuid4().hex[:8]}"

    def settle(self, attempt: Path, place: Path) -> bool:
        """Move a finished attempt to its place; False, and it is removed, where another came first."""
        if place == self.trial(place.name) and place.exists() and self.result(place.name) is None:
            self._remove(place)  # damaged by whatever befell the disk
        try:
            attempt.rename(place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(attempt, ignore_errors=True)
            return False
        return True

    def _remove(self, place: Path) -> None:
        """Remove a folder by a rename first, so that what is there is whole or not there at all."""
        aside = self.attempt(place.name)
        with suppress(FileNotFoundError):
            place.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def poison(self, key: str, row: Mapping[str, Any]) -> None:
        """Note a trial that was given up."""
        write(self.folder / "poisoned" / f"{key}.json", json.dumps(row))

    def claim(self, key: str) -> bool:
        """Take a trial for this sweep; False where another sweep that runs has it."""
        file = self.folder / ".claims" / key
        for _ in range(2):
            with suppress(FileExistsError), file.open("x") as claim:
                claim.write(self.id)
                return True
            holder = self._holder(file)
            if holder == self.id:
                return True
            if holder and self._runs(holder):
                return False
            self._lapse(file, holder)
        return False

    def release(self, key: str) -> None:
        """Give a trial back, if this sweep has it."""
        file = self.folder / ".claims" / key
        if self._holder(file) == self.id:
            file.unlink(missing_ok=True)

    def _holder(self, claim: Path) -> str:
        with suppress(OSError):
            return claim.read_text()
        return ""

    def _lapse(self, claim: Path, holder: str) -> None:
        """Remove the claim of a sweep that has ended; another's that took its place meanwhile is put back."""
        aside = claim.with_name(f"{claim.name}.{self.id}")
        with suppress(FileNotFoundError):
            claim.rename(aside)
            if self._holder(aside) != holder:
                with suppress(FileExistsError):
                    claim.hardlink_to(aside)
            aside.unlink()

    def _runs(self, sweep: str) -> bool:
        """Whether a sweep runs: by its last sign of life, and on this host by its process too.

        The number of a process alone says little: in a container the next one gets the same.
        """
        file = self._sweep(sweep)
        try:
            said, age = json.loads(file.read_text()), self._now() - file.stat().st_mtime
        except (OSError, ValueError):
            return False
        here = isinstance(said, dict) and said.get("host") == socket.gethostname()
        return age < _SILENT and (not here or Path(f"/proc/{said.get('process')}").exists())

    def _now(self) -> float:
        """Return the time by the clock of the file system, which need not be ours."""
        return self._sweep(self.id).stat().st_mtime if self._sweep(self.id).exists() else 0.0

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(_BEAT):
            with suppress(OSError):
                os.utime(self._sweep(self.id))

    def _clean(self) -> None:
        """Remove what dead sweeps left; attempts only where no other runs, as nothing says whose they are."""
        others = [file for file in (self.folder / ".sweeps").iterdir() if file.name != self.id]
        dead = [file for file in others if not self._runs(file.name)]
        for file in dead:
            file.unlink(missing_ok=True)
        if len(dead) == len(others):
            for claim in (self.folder / ".claims").iterdir():
                claim.unlink(missing_ok=True)
            for attempt in (self.folder / ".work").iterdir():
                shutil.rmtree(attempt, ignore_errors=True)

    def _sweep(self, sweep: str) -> Path:
        return self.folder / ".sweeps" / sweep

    def _visible(self) -> Iterator[Path]:
        return (entry for entry in self.folder.iterdir() if not entry.name.startswith("."))


def _row(file: Path, key: str) -> dict[str, Any] | None:
    """Return the row of a trial from its file; None where that holds none."""
    try:
        found = read_json(file)
    except InputError:
        return None
    return found if is_row(found, key) else None


def is_row(found: object, key: str) -> bool:
    """Whether this is the row of a trial: what it says, the table, the page and `bim-report best` rely on."""
    if not isinstance(found, dict) or found.get("key") != key:
        return False
    texts = all(isinstance(found.get(name), str) for name in ("status", "said", "origin", "model", "source"))
    return texts and isinstance(found.get("values"), dict) and _are_numbers(found.get("metrics"))


def _are_numbers(metrics: object) -> bool:
    return isinstance(metrics, dict) and all(value is None or type(value) in (int, float) for value in metrics.values())

"""Clean-up after runs of Lava: a folder and shared memory are removed, however the run ended.

Every run has a name, bim-lava-<random>: the name of its folder, and the prefix of all its shared memory, its semaphores
and its lock file (.lease). Folder and lock file are locked by every process of the run, so both are unlocked when the
last process has ended, in any way; then any later run may remove everything with this name.

    /tmp/bim-lava-x7f3a2c1/                     job, log, results
    /dev/shm/bim-lava-x7f3a2c1.lease            locked while a process of the run exists
    /dev/shm/bim-lava-x7f3a2c1-90ab12cd         a channel between two of Lava's processes
    /dev/shm/sem.bim-lava-x7f3a2c1-k3...        a semaphore, for a moment before Python unlinks it
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path

from ...atomic import unbroken
from ...errors import BackendFailed, InputError

PREFIX = "bim-lava-"
SHARED_MEMORY = Path("/dev/shm")
_LEASE = ".lease"
_TRIES = 8
FREE_SPACE = "free it; a container gets more with --shm-size"


@dataclass(frozen=True)
class Workplace:
    """The folder of one run, and the locks that show that the run has not ended."""

    folder: Path
    locks: tuple[int, ...]


@contextmanager
def workplace() -> Iterator[Workplace]:
    """Give a run a folder and a name, and remove everything of that name at the end; first clean up ended runs."""
    place = None
    try:
        with unbroken():
            remove_dead()
            place = _claim()
        yield place
    finally:
        if place is not None:
            with unbroken():
                remove(place.folder)
                for lock in place.locks:
                    os.close(lock)


def remove(folder: Path) -> None:
    """Remove everything of a run; its lock file last, so that a later run can finish if this one is killed here."""
    shutil.rmtree(folder, ignore_errors=True)
    remove_shared(folder.name)


def remove_dead() -> None:
    """Remove what ended runs left: those whose lock file, or folder, can be locked."""
    for lease in _named(SHARED_MEMORY, f"{PREFIX}*{_LEASE}"):
        if (lock := _lock(lease)) is not None:
            remove_shared(lease.name.removesuffix(_LEASE))
            os.close(lock)
    for folder in _named(Path(tempfile.gettempdir()), f"{PREFIX}*"):
        if (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _claim() -> Workplace:
    """Make and lock a folder and a lock file; try again if another process removed the folder before it was locked."""
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _lock(folder)
        held = _lease(folder) if lock is not None else None
        if lock is not None and held is not None:
            return Workplace(folder, (lock, held))
        if lock is not None:
            os.close(lock)
        remove(folder)
    places = f"{tempfile.gettempdir()} or {SHARED_MEMORY}"
    raise BackendFailed(f"Lava's folder cannot be locked: {places} has no file locks", "set TMPDIR to a local disk")


def _lease(folder: Path) -> int | None:
    """Make the lock file of a run and lock it; None if another process locked it first."""
    lease = SHARED_MEMORY / f"{folder.name}{_LEASE}"
    try:
        lease.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        folder.rmdir()
        kind = InputError if error.errno == ENOSPC else BackendFailed
        raise kind(f"Lava needs shared memory in {SHARED_MEMORY}: {error.strerror}", FREE_SPACE) from None
    return _lock(lease)


def _lock(path: Path) -> int | None:
    """Return a descriptor that locks a path; None if another process holds it, or it is gone or another user's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_uid == os.geteuid() and os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def remove_shared(name: str) -> None:
    """Remove the shared memory of a run whose processes have all ended, and then its lock file."""
    lease = SHARED_MEMORY / f"{name}{_LEASE}"
    for file in (*_named(SHARED_MEMORY, f"{name}-*"), *_named(SHARED_MEMORY, f"sem.{name}-*"), lease):
        with suppress(OSError):
            file.unlink()


def _named(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []

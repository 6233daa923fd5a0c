"""What a run of Lava leaves on this machine, a folder and shared memory, and how it goes again, whatever ends the run.

Every run has a name, bim-lava-<random>. It is the name of its folder, the beginning of the names of all its shared
memory and semaphores, and that of a lease beside them. Folder and lease are locked by every process of the run, so they
are free when the last one is gone, however it went; then anybody may remove what bears the name.

    /tmp/bim-lava-x7f3a2c1/                     job, log, results
    /dev/shm/bim-lava-x7f3a2c1.lease            locked while a process of the run lives
    /dev/shm/bim-lava-x7f3a2c1-90ab12cd         a channel between two of Lava's processes
    /dev/shm/sem.bim-lava-x7f3a2c1-k3...        a semaphore, for the blink of an eye before Python unlinks it
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
ROOM = "free it; a container gets more with --shm-size"


@dataclass(frozen=True)
class Workplace:
    """The folder of one run, and the locks that say that the run lives."""

    folder: Path
    locks: tuple[int, ...]


@contextmanager
def workplace() -> Iterator[Workplace]:
    """Give a run a folder and a name; remove both and all that bears the name, and first what dead runs left."""
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
    """Remove everything of the run whose folder this is; its lease goes last, so that a kill in between is mended."""
    shutil.rmtree(folder, ignore_errors=True)
    remove_shared(folder.name)


def remove_dead() -> None:
    """Remove what runs left whose last process is gone: a lock on their lease, or folder, is to be had."""
    for lease in _named(SHARED_MEMORY, f"{PREFIX}*{_LEASE}"):
        if (lock := _lock(lease)) is not None:
            remove_shared(lease.name.removesuffix(_LEASE))
            os.close(lock)
    for folder in _named(Path(tempfile.gettempdir()), f"{PREFIX}*"):
        if (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _claim() -> Workplace:
    """Make and lock a folder and a lease; begin anew where another start takes the fresh folder for a dead run's."""
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
    raise BackendFailed(f"Lava's folder cannot be locked: {places} knows no locks", "TMPDIR on a local disk")


def _lease(folder: Path) -> int | None:
    """Make the lease of a run and lock it; None where another start was faster."""
    lease = SHARED_MEMORY / f"{folder.name}{_LEASE}"
    try:
        lease.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        folder.rmdir()
        kind = InputError if error.errno == ENOSPC else BackendFailed
        raise kind(f"Lava needs shared memory in {SHARED_MEMORY}: {error.strerror}", ROOM) from None
    return _lock(lease)


def _lock(path: Path) -> int | None:
    """Return a descriptor that locks a path; None where another process holds it, or it is gone or not ours."""
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
    """Remove the shared memory of a run, whose processes are all gone, and then its lease."""
    lease = SHARED_MEMORY / f"{name}{_LEASE}"
    for file in (*_named(SHARED_MEMORY, f"{name}-*"), *_named(SHARED_MEMORY, f"sem.{name}-*"), lease):
        with suppress(OSError):
            file.unlink()


def _named(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []

"""Atomic file writes: a temporary file in the same folder, fsync, then rename; one job at a time.

    .NAME.k3x9_a2b.part     a file being written; `sweep` removes those of killed jobs
    .NAME.lock              held (flock) by the job that writes NAME; it holds the number of that process

A file system without flock gives no lock: jobs may then collide, and files of a killed job stay.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from .errors import InputError, NoRoom

_RANDOM = "?" * 8  # what tempfile puts into a name
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unbroken() -> Iterator[None]:
    """Delay Ctrl-C and other signals to the end of the block, so that it is not left half done."""
    if threading.current_thread() is not threading.main_thread():  # no handler runs here
        yield
        return
    arrived: list[int] = []
    former = {number: handler for number in _ENDS if callable(handler := signal.getsignal(number))}
    for number in former:
        signal.signal(number, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write; it replaces ``path`` when the block ends without an error."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, content: bytes | memoryview | str) -> None:
    """Write a whole file atomically; the error for a full disk names the file, its size and the free space."""
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise cannot_write(path, error, len(data)) from None


def cannot_write(path: Path, error: OSError, size: int | None = None) -> NoRoom:
    """Return the refusal for a file that could not be written; ``size``: how many bytes it would have taken."""
    reason, hint = error.strerror or str(error), ""
    if size is not None:
        reason += f" (it takes {size:,} bytes"
        with suppress(OSError):
            reason += f", {shutil.disk_usage(path.parent).free:,} are free" if error.errno in _FULL else ""
        reason += ")"
    if error.errno in _FULL:
        hint = "free some disk space, or choose another folder with -o"
    return NoRoom(f"cannot write {path}: {reason}", hint)


def sync(path: Path) -> None:
    """Sync a file or a folder to the disk; ignored on a file system that cannot."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(handle)


def sweep(path: Path) -> None:
    """Remove temporary files that interrupted writes of ``path`` left; call it only while holding its lock."""
    for part in path.parent.glob(f".{escape(path.name)}.{_RANDOM}.part"):
        part.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold the lock of ``path``; False if the file system has none. Raise with the PID of the job that holds it."""
    lock = path.with_name(f".{path.name}.lock")
    handle = _taken(lock, path)
    if handle is None:
        yield False
        return
    try:
        with suppress(OSError):  # a full disk: the lock is held, only our PID is not written
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield True
    finally:
        lock.unlink(missing_ok=True)  # while it is held: a job that waits finds the file gone and makes a new one
        os.close(handle)


def _taken(lock: Path, path: Path) -> int | None:
    """Return a handle on the lock file, locked and in its place; None where the file system has no locks."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            hint = "wait until it has ended, or choose another folder with -o"
            raise InputError(f"{path} is being written by another run, process {holder}", hint) from None
        except OSError:
            os.close(handle)
            lock.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), lock.stat()):
                return handle
        os.close(handle)  # its former holder removed it between our open and our lock


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def new_folder(folder: Path) -> Path:
    """Make a folder, or take one that is empty."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} holds other files, a new or empty folder is needed", "give another folder")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return folder

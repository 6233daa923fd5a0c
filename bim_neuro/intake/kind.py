"""The kind of a path, checked before it is opened: a regular file is read, everything else is refused by kind."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_HDF5 = b"\x89HDF"
_REASONS = {
    errno.ENOENT: "no such file: {path}",
    errno.ENOTDIR: "no such file: {path}",
    errno.ELOOP: "{path} is a link that leads back to itself",
    errno.ENAMETOOLONG: "no such file: its name is too long: {path:.80}...",
    errno.EACCES: "{path} may not be read: permission denied",
}


class Opened(NamedTuple):
    """An open regular file: its path, its descriptor and its size in bytes."""

    path: Path
    descriptor: int
    size: int


@contextmanager
def opened(path: Path, *, empty: bool = False) -> Iterator[Opened]:
    """Open a regular file for reading; a pipe, a device, a folder or a loop of links is refused without blocking.

    An empty file is refused too, unless ``empty`` lets it pass.
    """
    check_kind(path)
    try:
        descriptor = above_streams(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        raise refusal(path, error) from None
    try:
        status = os.fstat(descriptor)  # the path may have changed between the check and the open
        _check_regular(path, status.st_mode)
        if status.st_size == 0 and not empty:
            raise InputError(f"{path} is empty")
        yield Opened(path, descriptor, status.st_size)
    finally:
        os.close(descriptor)


def is_hdf5(file: Opened) -> bool:
    """Whether a file begins as HDF5 does, the container of NIR."""
    return os.pread(file.descriptor, len(_HDF5), 0) == _HDF5


def check_kind(path: Path) -> None:
    """Refuse a path that leads to no regular file, without opening it."""
    try:
        status = os.stat(path)  # noqa: PTH116  (the reasons below need its error as it is)
    except (OSError, ValueError) as error:
        raise refusal(path, error) from None
    _check_regular(path, status.st_mode)


def check_place(path: Path) -> None:
    """Refuse an output path that exists and is not a regular file."""
    if os.path.lexists(path):
        check_kind(path)


def above_streams(descriptor: int) -> int:
    """Return the descriptor, renumbered above the standard streams: a file may get the number of a closed one."""
    if descriptor > 2:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


def refusal(path: Path, error: OSError | ValueError) -> InputError:
    """Return the reason why a path cannot be opened."""
    code = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or "its name holds a null byte"
    return InputError(_REASONS.get(code or 0, "cannot read {path}: {reason}").format(path=str(path), reason=reason))


def _check_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise InputError(f"{path} is not a file but {kind}")

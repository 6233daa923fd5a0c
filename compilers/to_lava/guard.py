"""The guard of one run of Lava: a process between ours and Lava's that cleans up when either ends.

    bim-compile -- guard -- Lava -- an actor for each of Lava's processes

The parent holds the guard's standard input open, so the guard sees its end when the parent ends. As a subreaper the
guard outlives every actor. If the guard itself is killed, the kernel kills Lava and then the actors (`tie_forks`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .remains import SHARED_MEMORY, remove

FULL = "is full"  # the parent searches the message for it: the user has to free space
_PAGE = 4096
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None)


def guard(main: Callable[[], None], folder: Path, failure: Path) -> int:
    """Run ``main`` in its own process group; return its exit status when all its processes have ended."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    us = os.getpid()
    lava = os.fork()
    if lava == 0:
        os.setpgid(0, 0)
        _tie(us)
        main()
        sys.exit()
    with suppress(OSError):  # both processes set it; the second call may fail
        os.setpgid(lava, lava)
    orphaned = threading.Event()
    threading.Thread(target=_end_with_parent, args=(lava, orphaned), daemon=True).start()
    os.waitid(os.P_PID, lava, os.WEXITED | os.WNOWAIT)  # not reaped yet, so its group number cannot be reused
    with suppress(ProcessLookupError):
        os.killpg(lava, signal.SIGKILL)
    status = _reap(lava)
    if orphaned.is_set():
        remove(folder)
    elif status < 0 and not (failure.exists() and failure.stat().st_size):
        failure.write_text(f"{killed('the main process', -status)}\n")
    return status


def killed(who: str, number: int) -> str:
    """Say which signal killed a process of Lava, and whether a full disk is the reason."""
    why = full() if number == signal.SIGBUS else ""
    return f"a process of Lava was killed: {who} got {signal.Signals(number).name}{why and f', because {why}'}"


def full() -> str:
    """Say which of the places that Lava writes to by memory mapping is full; '' if none is."""
    places = {f"shared memory ({SHARED_MEMORY})": SHARED_MEMORY, "the disk for temporary files (TMPDIR)": Path.cwd()}
    for name, place in places.items():
        there = os.statvfs(place)
        if there.f_bavail * there.f_frsize < _PAGE:
            return f"{name} {FULL}"
    return ""


def tie_forks() -> None:
    """Make the kernel kill every process forked from now on when its parent ends."""
    us = [os.getpid()]
    os.register_at_fork(before=lambda: us.__setitem__(0, os.getpid()), after_in_child=lambda: _tie(us[0]))


def _tie(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before prctl was called
        os._exit(1)


def _end_with_parent(lava: int, orphaned: threading.Event) -> None:
    """Wait for the end of standard input, then end Lava."""
    os.read(0, 1)  # not sys.stdin.read: a forked process would inherit its lock held
    orphaned.set()
    with suppress(ProcessLookupError):
        os.killpg(lava, signal.SIGKILL)


def _reap(lava: int) -> int:
    """Wait for all children, orphans included; return Lava's exit code, negative for a signal."""
    code = 0
    with suppress(ChildProcessError):
        while True:
            pid, status = os.wait()
            if pid == lava:
                code = os.waitstatus_to_exitcode(status)
    return code

"""The guard of one run of Lava: the process between ours and Lava's, which sees both end and then removes all.

    bim-compile -- guard -- Lava -- an actor for each of Lava's processes

The guard learns from its standard input, which the parent holds open, that the parent is gone; as the reaper of
orphans it outlives every actor. If the guard itself is killed the kernel kills Lava, and then the actors (`tied`).
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

FULL = "is full"  # by which our parent knows that the user has to make room
_PAGE = 4096
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None)


def guard(main: Callable[[], None], folder: Path, failure: Path) -> int:
    """Run ``main`` in a process group of its own; return its exit status when nothing of it is left."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    us = os.getpid()
    lava = os.fork()
    if lava == 0:
        os.setpgid(0, 0)
        _tie(us)
        main()
        sys.exit()
    with suppress(OSError):  # whoever comes first
        os.setpgid(lava, lava)
    orphaned = threading.Event()
    threading.Thread(target=_end_with_parent, args=(lava, orphaned), daemon=True).start()
    os.waitid(os.P_PID, lava, os.WEXITED | os.WNOWAIT)  # while it is not reaped its group's number stays its own
    with suppress(ProcessLookupError):
        os.killpg(lava, signal.SIGKILL)
    status = _reap(lava)
    if orphaned.is_set():
        remove(folder)
    elif status < 0 and not (failure.exists() and failure.stat().st_size):
        failure.write_text(f"{killed('the main process', -status)}\n")
    return status


def killed(who: str, number: int) -> str:
    """Say which signal killed a process of Lava, and why where a full disk tells."""
    why = full() if number == signal.SIGBUS else ""
    return f"a process of Lava was killed: {who} got {signal.Signals(number).name}{why and f', because {why}'}"


def full() -> str:
    """Say what is full of that which Lava writes to by memory mapping; '' where there is room."""
    places = {f"shared memory ({SHARED_MEMORY})": SHARED_MEMORY, "the disk for temporary files (TMPDIR)": Path.cwd()}
    for name, place in places.items():
        there = os.statvfs(place)
        if there.f_bavail * there.f_frsize < _PAGE:
            return f"{name} {FULL}"
    return ""


def tie_forks() -> None:
    """Let the kernel kill every process forked from here on when its parent is gone."""
    us = [os.getpid()]
    os.register_at_fork(before=lambda: us.__setitem__(0, os.getpid()), after_in_child=lambda: _tie(us[0]))


def _tie(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it went before we asked
        os._exit(1)


def _end_with_parent(lava: int, orphaned: threading.Event) -> None:
    """Wait for the end of standard input, then end Lava."""
    os.read(0, 1)  # not sys.stdin.read, whose lock a forked process would inherit taken
    orphaned.set()
    with suppress(ProcessLookupError):
        os.killpg(lava, signal.SIGKILL)


def _reap(lava: int) -> int:
    """Wait for every process that is, or was left, ours; return Lava's exit code, negative for a signal."""
    code = 0
    with suppress(ChildProcessError):
        while True:
            pid, status = os.wait()
            if pid == lava:
                code = os.waitstatus_to_exitcode(status)
    return code

"""One case in a process of its own: the real command under limits, and what is wrong with how it ended."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bim_neuro import cli
from bim_neuro.jobs import simulate
from bim_neuro.jobs.folder import LIST

from .formats import Command, Format, break_file
from .lines import Lines

SECONDS = 60.0
MEMORY = 1 << 30  # bytes above a bare start
ADDRESSES = 3 << 30  # bytes of address space above a bare start
_BECOME_SUBREAPER = 36
_KILLED = -9


@dataclass(frozen=True)
class Result:
    """How a case ended; ``faults`` is empty where everything is as it must be."""

    format: str
    index: int
    kind: str
    command: str
    code: int
    seconds: float
    peak: int
    faults: tuple[str, ...]
    errors: str


def adopt_orphans() -> None:
    """Become the parent of what a case leaves running, so that it is seen."""
    ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0)


def prepare(chosen: Format, seed: int, index: int, sound: Path, folder: Path) -> tuple[str, Command]:
    """Write a case's broken file below ``folder``/in; return which way it is broken, and the command that reads it."""
    rng = Random(f"{seed}/{chosen.name}/{index}")
    files = sorted(path for path in (sound / chosen.name).iterdir())
    origin = rng.choice(files)
    given = folder / "in" / origin.name
    given.parent.mkdir(parents=True)
    (folder / "work").mkdir()
    (folder / "tmp").mkdir()

    def restore() -> None:
        shutil.rmtree(given.parent)
        given.parent.mkdir()
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, given)

    restore()
    with warnings.catch_warnings():  # zipfile and numpy warn of what is broken on purpose
        warnings.simplefilter("ignore")
        kind = break_file(rng, given, files, chosen.structural, restore)
    return kind, chosen.command(rng, given, sound)


def run(
    chosen: Format, seed: int, index: int, sound: Path, folder: Path, lines: Lines | None = None, bare: int = 0
) -> Result:
    """Run one case in ``folder``, which it fills; ``bare`` is the memory of a process that does nothing, in bytes."""
    kind, command = prepare(chosen, seed, index, sound, folder)
    before, others = _listing(folder / "in"), _children()
    start = time.perf_counter()
    code, peak, hung = _run(command, folder, lines, others)
    seconds = time.perf_counter() - start
    errors = (folder / "stderr").read_text(errors="replace")
    faults = []
    if hung:
        faults.append(f"no end after {SECONDS:.0f} s")
    elif code == 4 or code < 0 or code not in (0, 1, 2, 3):
        faults.append(f"exit {code}")
    if "Traceback" in errors:
        faults.append("traceback")
    if peak - bare >= MEMORY:
        faults.append(f"{(peak - bare) >> 20} MiB")
    if not hung and _orphans(others):
        faults.append("a process was left")
    if any(_unsafe(folder / stream) for stream in ("stdout", "stderr")):
        faults.append("text that is not escaped")
    faults += [f"left behind: {name}" for name in _strange(command, code, folder, before)]
    line = " ".join((f"bim-{command.entry}", *command.arguments))
    return Result(chosen.name, index, kind, line, code, seconds, peak - bare, tuple(faults), errors[:2000])


def bare_memory(lines: Lines | None) -> int:
    """Return the peak memory of a forked process that does nothing."""
    pid = os.fork()
    if pid == 0:
        if lines is not None:
            lines.watch()
        os._exit(0)
    return os.wait4(pid, 0)[2].ru_maxrss * 1024


def _run(command: Command, folder: Path, lines: Lines | None, others: set[int]) -> tuple[int, int, bool]:
    """Return the exit code (negative: a signal), the peak memory in bytes, and whether it ran out of time.

    ``others`` are this process's children that are none of the case's: a test's browser, for one.
    """
    pid = os.fork()
    if pid == 0:
        _become(command, folder, lines)
    watched = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([watched], [], [], SECONDS)
    finally:
        os.close(watched)
    if not ended:
        os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    if not ended:
        _orphans(others)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, not ended


def _become(command: Command, folder: Path, lines: Lines | None) -> None:
    """Turn this forked process into the command; never returns."""
    code = 70
    try:
        os.setsid()
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
        os.chdir(folder / "work")
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
        _limit()
        simulate.SHARD = 2  # so that a small run has shards
        sys.argv = [f"bim-{command.entry}", *command.arguments]
        if lines is not None:
            lines.watch()
        getattr(cli, f"{command.entry}_main")()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001  whatever a command lets through is what we look for
        traceback.print_exc()
    finally:
        sys.settrace(None)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _is_odd(name: str) -> bool:
    """Whether it is a file beside the others that nobody asked for; a folder of ours is known by its list."""
    return name.startswith(".") and name != LIST


def _unsafe(stream: Path) -> bool:
    """Whether a stream holds characters that steer a terminal, or a bytes literal."""
    text = stream.read_text(encoding="utf-8", errors="replace")
    return bool(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|(?<![\\w'\"])b'", text))


def _limit() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS) + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))


def _orphans(others: set[int]) -> bool:
    """Whether processes of the case are left a second later; they are ended."""
    deadline = time.monotonic() + 1.0
    while left := [pid for pid in _children() - others if os.waitpid(pid, os.WNOHANG)[0] == 0]:
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            return True
        time.sleep(0.02)
    return False


def _children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _strange(command: Command, code: int, folder: Path, before: set[str]) -> list[str]:
    """Return what lies where nothing may: in the working folder, the temporary one, and hidden beside the input."""
    allowed = set(command.leaves if code in (0, 3) else command.also_when_refused)
    here = [path.name for path in (folder / "work").iterdir() if path.name not in allowed]
    new = set() if code == _KILLED else _listing(folder / "in") - before  # what was killed is swept at the next start
    hidden = [name for name in new if any(_is_odd(part) for part in Path(name).parts)]
    return here + hidden + [path.name for path in (folder / "tmp").iterdir()]

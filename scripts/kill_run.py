"""Run a command that will be killed, in its own process, and find the processes that it may leave."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import kill_points  # noqa: E402

MARK = "BIM_NEURO_KILLS"  # an environment variable that every process of a case inherits
LIMIT_SECONDS = 240.0


class Run:
    """A command in its own process: a fork of this one, with all modules loaded, or (``cold``) a fresh Python."""

    def __init__(
        self,
        entry: str,
        arguments: tuple[object, ...],
        settings: dict[str, Any],
        environment: dict[str, str],
        log: Path,
        *,
        cold: bool = False,
    ) -> None:
        self.log = log
        words = [entry, json.dumps(settings), *map(str, arguments)]
        self.pid = self._fresh(words, environment) if cold else self._fork(words, environment)

    def _fresh(self, words: list[str], environment: dict[str, str]) -> int:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "kill_points.py"), *words],
                stdout=subprocess.DEVNULL, stderr=log, env=environment, start_new_session=True,
            ).pid  # fmt: skip

    def _fork(self, words: list[str], environment: dict[str, str]) -> int:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setsid()
                for stream, path, flags in ((1, os.devnull, os.O_WRONLY), (2, self.log, os.O_WRONLY | os.O_CREAT)):
                    os.dup2(os.open(path, flags | os.O_TRUNC), stream)
                os.environ.clear()
                os.environ.update(environment)
                tempfile.tempdir = None
                sys.argv = ["kill_points", *words]
                kill_points.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            except KeyboardInterrupt:  # outside the command: before its start, or after its end
                code = 130
            finally:
                sys.stderr.flush()
                atexit._run_exitfuncs()
                os._exit(code)
        return child

    def finish(self, seconds: float = LIMIT_SECONDS) -> tuple[int, str]:
        """Wait; return the exit code and what it printed on standard error."""
        deadline = time.monotonic() + seconds
        status, code = (0, 0), 999  # still running
        while status[0] == 0 and time.monotonic() < deadline:
            status = os.waitpid(self.pid, os.WNOHANG)
            time.sleep(0.01)
        if status[0]:
            code = os.waitstatus_to_exitcode(status[1])
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        return code, self.log.read_text(errors="replace") if self.log.exists() else ""


def ours(mark: str, sessions: list[int]) -> list[int]:
    """Return the running processes of these sessions, and those with a case's mark in the environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):  # it has ended
                state, _, _, session, *_ = (entry / "stat").read_text().rpartition(") ")[2].split()
                marked = f"{MARK}={mark}\0".encode() in (entry / "environ").read_bytes()
                if (marked or int(session) in sessions) and state not in "ZX":
                    found.append(int(entry.name))
    return found

"""The child process in which Lava runs: reads a job from a folder, writes one .npy file per message and state.

A job (job.pickle) names a builder function of a module of this package, and its arguments. The parent process wrote it
just before, into a folder that only this user can access, so unpickling is safe.
"""

from __future__ import annotations

import math
import multiprocessing.process
import os
import pickle
import secrets
import sys
import threading
import time
import traceback
from errno import ENOSPC
from importlib import import_module
from multiprocessing import connection, shared_memory
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compat import import_lava
from .guard import full, guard, killed, tie_forks
from .remains import remove_shared
from .run import FAILURE_FILE, JOB_FILE

if TYPE_CHECKING:
    from .build import LavaNetwork

_WATCH_SECONDS = 0.1  # a process that has just been started is watched within this time
_GRACE_SECONDS = 0.5  # within this time of an end its reason is known
_started: list[Any] = []  # all processes started by multiprocessing


def main(folder: Path) -> None:
    """Build, run to the end, stop. After an error Lava's own stop would hang: then exit without it."""
    name_shared(folder.name)
    tie_forks()
    _note_starts()
    import_lava()
    from lava.magma.core.run_conditions import RunSteps

    failure, done = folder / FAILURE_FILE, threading.Event()
    threading.Thread(target=_watch, args=(done, failure), daemon=True).start()
    try:
        network = _network(folder)
        first = next(iter(network.processes.values()))
        first.run(condition=RunSteps(num_steps=network.steps), run_cfg=network.run_config)
    except BaseException as error:  # noqa: BLE001  every error must be reported before the exit
        traceback.print_exc()
        why = full() if isinstance(error, OSError) and error.errno == ENOSPC else ""
        _tell(failure, why or f"Lava raised {type(error).__name__}: {error}")
        os._exit(1)
    done.set()
    first.stop()


def name_shared(name: str) -> None:
    """Give the names of all shared memory and semaphores of this process and its forks the prefix ``name``."""
    multiprocessing_names: Any = shared_memory  # private: Python has no other way to choose these names
    multiprocessing_names._make_filename = lambda: f"/{name}-{secrets.token_hex(4)}"
    config: Any = multiprocessing.process.current_process()
    config._config |= {"semprefix": f"/{name}", "tempdir": "."}  # sockets are made in the working folder


def _note_starts() -> None:
    """Add every process that is started to ``_started``: multiprocessing forgets those that have ended."""
    process: Any = multiprocessing.process.BaseProcess
    start = process.start

    def noting(self: Any) -> None:
        start(self)
        _started.append(self)

    process.start = noting


def _watch(done: threading.Event, failure: Path) -> None:
    """Write to the file ``failure`` and exit when a process of Lava is killed or ends too early.

    The kill of one process soon ends others, and a run that is done ends all: an end that says nothing of itself waits
    `_GRACE_SECONDS` for the news that explains it.
    """
    ended: set[int] = set()
    early = math.inf  # when the first process ended for no reason that is known
    while True:
        running = {started.sentinel: started for started in list(_started) if id(started) not in ended}
        if not running:
            time.sleep(_WATCH_SECONDS)
        for sentinel in connection.wait(list(running), _WATCH_SECONDS):
            ended.add(id(running[sentinel]))
            why = _killed_by(running[sentinel]) or ("" if done.is_set() else _raised(running[sentinel]))
            if why:
                _tell(failure, why)
                os._exit(1)
            early = min(early, time.monotonic())
        if time.monotonic() > early + _GRACE_SECONDS and not done.is_set():
            _tell(failure, "a process of Lava ended before the run was done")
            os._exit(1)


def _killed_by(process: Any) -> str:
    """Say which signal killed a process of Lava, or ''; WNOWAIT leaves it for Lava to reap."""
    try:
        end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        code = -end.si_status if end is not None and end.si_code != os.CLD_EXITED else 0
    except ChildProcessError:
        code = _reaped(process)
    except ValueError:  # closed: Lava does so after a normal end
        code = 0
    return killed(f"'{process.name}'", -code) if code < 0 else ""


def _reaped(process: Any) -> int:
    """Return the exit code of a process that another thread has just reaped and may not have noted yet."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while process._popen and process._popen.returncode is None and time.monotonic() < deadline:
        time.sleep(_WATCH_SECONDS / 100)
    return (process._popen.returncode or 0) if process._popen else 0


def _raised(process: Any) -> str:
    """Return the traceback of a process of Lava that raised, or ''; Lava itself would report it only at its end."""
    raised = getattr(process, "exception", None)
    return str(raised[1]).strip() if raised else ""


def _tell(failure: Path, why: str) -> None:
    """Write the message for the parent, unless a model that raised has written its own."""
    if not (failure.exists() and failure.stat().st_size):
        failure.write_text(f"{why}\n")


def _network(folder: Path) -> LavaNetwork:
    module, builder, parts = pickle.loads((folder / JOB_FILE).read_bytes())
    network: LavaNetwork = getattr(import_module(f".{module}", __package__), builder)(*parts, folder)
    return network


if __name__ == "__main__":
    place = Path(sys.argv[1])
    status = guard(lambda: main(place), place, place / FAILURE_FILE)
    remove_shared(place.name)
    sys.exit(min(abs(status), 255))

"""A small network on Lava in a process of its own, for tests that end it in every way; run as a script."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bim_neuro.compilers.align import align
from bim_neuro.compilers.to_lava.remains import PREFIX, SHARED_MEMORY
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Dense, Encoder, IntegerLIF, Source
from bim_neuro.nodes.node import IntegerNode

ROOT = Path(__file__).parents[1]
ENDLESS = 10**6  # steps: some ten minutes


def tiny_graph() -> IntegerGraph:
    lif = IntegerLIF(2, 4095, 100, 50, np.ones(2, np.int64))
    nodes: dict[str, IntegerNode] = {"input": Source(2, graded=False), "lif": lif}
    edges = (Edge("input", "lif", "i", Dense(np.full((2, 2), 40, np.int8))),)
    return align(IntegerGraph(nodes, edges, 1e-3, Encoder("spikes", np.ones(2), np.zeros(2))))


@dataclass
class Run:
    """A run in a process of its own, whose temporary folder is ``temporary``."""

    process: subprocess.Popen[str]
    temporary: Path

    def name(self) -> str:
        """Wait for the run's folder; return the name of the run."""
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline and self.process.poll() is None:
            for path in self.temporary.glob(f"{PREFIX}*"):
                return path.name
            time.sleep(0.005)
        raise AssertionError(f"the run has not started: {self.process.communicate(timeout=10)}")

    def wait_for_lava(self) -> str:
        """Wait until Lava's processes and their channels are there; return the name of the run."""
        name, deadline = self.name(), time.monotonic() + 200
        while time.monotonic() < deadline and self.process.poll() is None:
            if len(shared(name)) > 10 and len(processes(self.temporary)) >= 6:
                return name
            time.sleep(0.02)
        raise AssertionError(f"Lava has not started: {self.process.communicate(timeout=10)}")

    def guard(self) -> int:
        return next(pid for pid in processes(self.temporary) if parent(pid) == self.process.pid)

    def lava(self) -> int:
        return next(pid for pid in processes(self.temporary) if parent(pid) == self.guard())

    def actor(self) -> int:
        """One of Lava's own processes."""
        return self._children(tracker=False)[-1]

    def tracker(self) -> int:
        """Python's own process that removes shared memory when all that use it are gone."""
        return self._children(tracker=True)[0]

    def _children(self, tracker: bool) -> list[int]:
        lava = self.lava()
        children = [pid for pid in processes(self.temporary) if parent(pid) == lava]
        return [
            pid for pid in children if (b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()) == tracker
        ]

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was said last."""
        out, err = self.process.communicate(timeout=200)
        return self.process.returncode, (out + err).strip().splitlines()[-1]


def start(temporary: Path, steps: int, limit: float = 600.0) -> Run:
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, str(Path(__file__)), str(steps), str(limit)]
    pipe = subprocess.PIPE
    return Run(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment), temporary)


def processes(folder: Path) -> list[int]:
    """Return the processes that work in a folder below this one."""
    below = f"{folder}{os.sep}{PREFIX}"
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _works_in(entry).startswith(below)]


def _works_in(entry: Path) -> str:
    try:
        return str((entry / "cwd").readlink())
    except OSError:  # it went, or is not ours
        return ""


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def shared(name: str) -> list[Path]:
    """Return the shared memory and semaphores of a run."""
    return [*SHARED_MEMORY.glob(f"{name}*"), *SHARED_MEMORY.glob(f"sem.{name}*")]


def left(temporary: Path, name: str, seconds: float = 60.0) -> list[str]:
    """Return what is left of a run after so many seconds, or as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while True:
        rest = [str(path) for path in (*shared(name), *temporary.iterdir())] + [f"{p}" for p in processes(temporary)]
        if not rest or time.monotonic() > deadline:
            return rest
        time.sleep(0.05)


def main() -> None:
    from bim_neuro.compilers.to_lava import run_lava
    from bim_neuro.errors import BimError

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as `bim_neuro.cli.console` does
    steps, limit = int(sys.argv[1]), float(sys.argv[2])
    x = np.ones((1, steps, 2), np.int64)
    try:
        record = run_lava(tiny_graph(), x, time_limit=limit)
    except BimError as error:
        sys.stdout.write(f"{error.message}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stdout.write("interrupted\n")
        sys.exit(130)
    sys.stdout.write(f"spikes: {record.output.sum()}\n")


if __name__ == "__main__":
    main()

"""Run a program on Lava in a child process: with a time limit, errors reported, and all files cleaned up.

Lava hangs when a model raises, and a second run in one process may crash. The child (child.py) starts as a guard that
ends Lava when its standard input ends, and then removes all files of Lava.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BackendFailed, InputError
from ...graph import IntegerGraph
from ...nodes import Shifted
from ...nodes.arithmetic import Array
from ...record import RunRecord, merge
from ...simulation.reference import check_input
from ..emptying import shares_run
from .compat import check_installed
from .guard import FULL
from .remains import FREE_SPACE, Workplace, workplace

_START_SECONDS = 60.0  # importing Lava and starting its processes, on a busy machine
_MANY, _PROCESS_SECONDS = 40, 0.5  # each process beyond so many takes longer to start, on a busy machine
_STEP_SECONDS = 0.25  # a limit; one step of Lava takes some milliseconds
_POLL_SECONDS = 0.05
_END_SECONDS = 5.0  # limit for the guard to end Lava and clean up; it takes some milliseconds
Rows = dict[str, Array]
FAILURE_FILE = "failure.txt"
JOB_FILE = "job.pickle"


def run_lava(graph: IntegerGraph, x: Array, *, time_limit: float | None = None) -> RunRecord:
    """Play encoded input x (samples, steps, channels) through Lava; return every message and state.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it fails or exceeds ``time_limit``
    (seconds; by default one minute and a quarter of a second a step). A recurrent graph plays every sample in a run of
    its own, because activity in a loop would reach the next sample, unless the gap is proved to empty its loops.
    """
    check_installed()
    check_input(graph, x)
    if x.dtype.kind not in "iub":
        raise InputError(f"input holds {x.dtype}, Lava needs integers", "encode() returns them")
    if len(x) > 1 and not shares_run(graph):
        return merge([run_lava(graph, x[at : at + 1], time_limit=time_limit) for at in range(len(x))])
    samples, steps, _ = x.shape
    period = graph.period(steps)
    total = samples * period + max(graph.depth.values())
    limit = _time_limit_for(total) + _starting(graph) if time_limit is None else time_limit
    rows, _ = play("build", "build", (graph, x), total, limit)
    probes = {name: by_sample(row, graph.depth[name.rsplit(".", 1)[0]], samples, period) for name, row in rows.items()}
    output = probes[f"{graph.output}.message"][:, :steps].sum(axis=1)
    return RunRecord("lava", samples, steps, period, {}, output, probes)


def play(
    module: str, builder: str, parts: tuple[Any, ...], steps: int, time_limit: float | None
) -> tuple[Rows, dict[str, Rows]]:
    """Run on Lava the network that ``builder`` of a ``module`` of this package makes from ``parts``.

    Return its recordings, one array (steps, ...) per message or state, and its archives of arrays.
    """
    check_installed()
    with workplace() as place:
        (place.folder / JOB_FILE).write_bytes(pickle.dumps((module, builder, parts)))  # read by the same program
        _run_child(place, _time_limit_for(steps) if time_limit is None else time_limit, steps)
        rows = {file.stem: np.load(file).astype(np.int64) for file in sorted(place.folder.glob("*.npy"))}
        return rows, {file.stem: dict(np.load(file)) for file in place.folder.glob("*.npz")}


def by_sample(rows: Array, depth: int, samples: int, period: int) -> Array:
    """Cut a node's rows (steps, ...) into samples, (samples, period, ...)."""
    return rows[depth : depth + samples * period].reshape(samples, period, *rows.shape[1:]).astype(np.int64)


def _starting(graph: IntegerGraph) -> float:
    """Return how many more seconds many processes take to start: two a node, and one for each exponent of an edge."""
    groups = [len(edge.synapse.exponents) if isinstance(edge.synapse, Shifted) else 1 for edge in graph.edges]
    return _PROCESS_SECONDS * max(0, 2 * len(graph.nodes) + sum(groups) - _MANY)


def _time_limit_for(steps: int) -> float:
    """Return how many seconds a run of Lava may take."""
    return _START_SECONDS + _STEP_SECONDS * steps


def _run_child(place: Workplace, limit: float, total: int) -> None:
    """Run the job in a workplace; raise `BackendFailed` if it fails or takes longer than ``limit`` seconds."""
    folder = place.folder
    failure, log = folder / FAILURE_FILE, folder / "log.txt"
    environment = os.environ | {
        "BIM_NEURO_LAVA_FAILURE_FILE": str(failure),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path),
    }
    command = [sys.executable, "-m", "bim_neuro.compilers.to_lava.child", str(folder)]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,  # `python -m` looks there first: no file of the user's can replace a module
            stdin=subprocess.PIPE,  # open as long as this process exists; the guard ends when it closes
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            pass_fds=place.locks,
        )
        try:
            _wait(child, failure, limit, total)
        finally:
            _end(child)
    _check_failure(failure)
    if child.returncode:
        raise BackendFailed(f"Lava ended with exit code {child.returncode}: {_last_line(log)}")


def _wait(child: subprocess.Popen[bytes], failure: Path, limit: float, total: int) -> None:
    deadline = time.monotonic() + limit
    while child.poll() is None:
        _check_failure(failure)
        if time.monotonic() > deadline:
            hint = "fewer --samples or --steps, or more time, as --set run.lava_timeout=600"
            raise BackendFailed(f"Lava ran past its time limit of {limit:g} s for {total} steps and was stopped", hint)
        time.sleep(_POLL_SECONDS)


def _check_failure(failure: Path) -> None:
    if failure.exists() and failure.stat().st_size:
        last = _last_line(failure)
        if FULL in last:
            raise InputError(last, FREE_SPACE)
        raised = "a Lava process model raised: " if failure.read_text(errors="replace").startswith("Traceback") else ""
        raise BackendFailed(f"{raised}{last}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let the guard end Lava and clean up; if it does not, kill it, and the kernel ends its processes."""
    assert child.stdin is not None
    child.stdin.close()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines() if file.exists() else []
    return lines[-1][:300] if lines else "no message"

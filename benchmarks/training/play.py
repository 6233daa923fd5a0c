"""Play the methods of one cell in turns, each in a process of its own on the same core."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from bim_neuro.nodes.arithmetic import Array

from .cells import Cell

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
UNROLLS = ("1", "4", "8", "16", "1.remat", "8.remat")
"""Variants of the jitted rival."""
JAX = "BIM_JAX_PYTHON"
"""Environment variable: the Python of an environment with JAX."""
PLAYS, ENOUGH = 7, 20.0
"""Most rounds, and the seconds of a method after which it has played enough."""


class Process:
    """One measured process, pinned to a core."""

    def __init__(self, command: list[str], core: int) -> None:
        pin = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
        paths = os.pathsep.join([str(ROOT), str(HERE)])
        env = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*pin, *command], stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=env
        )

    def said(self) -> dict[str, Any]:
        """Return its line when it is ready, or why it is not."""
        line = self._line()
        if line:
            return dict(json.loads(line))
        errors = self.process.communicate()[1].strip().splitlines()
        return {"skipped": f"exit {self.process.returncode}: {errors[-1][:200] if errors else 'it said nothing'}"}

    def seconds(self) -> float:
        """Let it play once."""
        assert self.process.stdin is not None
        self.process.stdin.write("play\n")
        self.process.stdin.flush()
        return float(self._line())

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def ours(method: str, cell: Cell, data: Path, *rest: Path) -> list[str]:
    """The command of one of our methods."""
    module = [sys.executable, "-m", "benchmarks.training.worker"]
    return [*module, method, json.dumps(cell.plain()), str(data), *map(str, rest)]


def rival(data: Path, gradient: Path, variants: Iterable[str] = UNROLLS) -> list[str]:
    """The command of the jitted rival."""
    return [os.environ.get(JAX, sys.executable), str(HERE / "rival_jax.py"), str(data), str(gradient), *variants]


def play(
    cell: Cell,
    methods: Iterable[str],
    core: int,
    *,
    exact: bool,
    variants: Iterable[str] = UNROLLS,
    sequences: tuple[Array, Array] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return for every method ms, peak_bytes, loss and the cosine to float64, or why it was skipped.

    ``sequences``, x (T, batch, M) and y (batch,), stand in for the random ones of the cell.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, truth = folder / "data.npz", folder / "reference.npz"
        subprocess.run(ours("data", cell, data), check=True, cwd=ROOT)
        if sequences is not None:
            with np.load(data) as made:
                np.savez(data, **{**made, "x": sequences[0], "y": sequences[1]})
        if exact:
            subprocess.run(ours("reference", cell, data, truth), check=True, cwd=ROOT)
        gradients = {method: folder / f"{method}.npz" for method in methods}
        commands = {
            method: rival(data, gradient, variants) if method == "jax" else ours(method, cell, data, gradient)
            for method, gradient in gradients.items()
        }
        found = _in_turns(commands, core)
        for method, result in found.items():
            if exact and "skipped" not in result and method != "touch":
                result |= compared(_flat(truth), _flat(gradients[method]))
    return found


def _in_turns(commands: dict[str, list[str]], core: int) -> dict[str, dict[str, Any]]:
    """Start each, one after another, then let all that are ready play in turns."""
    playing: dict[str, Process] = {}
    times: dict[str, list[float]] = {}
    found = {}
    with ExitStack() as stack:
        for method, command in commands.items():
            process = stack.enter_context(Process(command, core))
            found[method] = process.said()
            if "skipped" not in found[method]:
                playing[method], times[method] = process, []
        for _ in range(PLAYS):
            for method, process in playing.items():
                if sum(times[method]) < ENOUGH:
                    times[method].append(process.seconds())
    for method, each in times.items():
        median = statistics.median(each)
        found[method] |= {"ms": 1e3 * min(each), "median_ms": 1e3 * median, "plays": len(each)}
    return found


def _flat(path: Path) -> dict[str, Array]:
    with np.load(path) as arrays:
        return {name: arrays[name].astype(np.float64).ravel() for name in arrays}


def compared(truth: dict[str, Array], found: dict[str, Array]) -> dict[str, float]:
    """Return the cosine of the whole gradient, and the largest error of a parameter beside its largest entry."""
    names = sorted(truth)
    a, b = (np.concatenate([part.get(name, np.zeros_like(truth[name])) for name in names]) for part in (truth, found))
    worst = max(
        float(np.abs(found[name] - truth[name]).max() / max(np.abs(truth[name]).max(), 1e-30)) for name in found
    )
    return {"cosine": float(a @ b / np.sqrt((a @ a) * (b @ b))), "worst": worst}

"""The three commands, run in this process or in one of their own, and the processes they may leave behind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from small_models import small_checkpoint, small_input

from bim_neuro import cli
from bim_neuro.model.checkpoint import Checkpoint, save_checkpoint

ROOT = Path(__file__).resolve().parent.parent


class Ended(NamedTuple):
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """Return the lines of standard error that are neither hints nor the progress of a training."""
        return [line for line in self.err.splitlines() if not line.startswith(("hint:", "epoch "))]


def bim_compile(*arguments: object) -> Ended:
    return _in_process(cli.compile_main, "bim-compile", arguments)


def bim_train(*arguments: object) -> Ended:
    return _in_process(cli.train_main, "bim-train", arguments)


def bim_sweep(*arguments: object) -> Ended:
    return _in_process(cli.sweep_main, "bim-sweep", arguments)


def bim_report(*arguments: object) -> Ended:
    return _in_process(cli.report_main, "bim-report", arguments)


def _in_process(main: Callable[[], None], name: str, arguments: tuple[object, ...]) -> Ended:
    out, err, code = io.StringIO(), io.StringIO(), 0
    with patch.object(sys, "argv", [name, *map(str, arguments)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


def start(entry: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start a command ('compile', 'train', 'report') as a process of its own."""
    code = f"import sys; sys.argv[0] = 'bim-{entry}'; from bim_neuro.cli import {entry}_main as main; main()"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | options.pop("env", {})
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=250)
    return Ended(process.returncode, out, err)


def processes_with(text: str) -> list[int]:
    """Return the processes, ourselves excepted, whose command line holds ``text``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            if text.encode() in line:
                found.append(int(entry.name))
    return found


def children() -> set[int]:
    """Return our own children, dead ones that nobody has waited for too."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}


def save_model(path: Path, checkpoint: Checkpoint | None = None) -> Path:
    """Write a small model.pt."""
    save_checkpoint(checkpoint or small_checkpoint(), path)
    return path


def save_input(path: Path, samples: int = 6, steps: int = 8, **arrays: Any) -> Path:
    """Write input for a small model, with further ``arrays``; it says that its samples come first."""
    np.savez(path, x=small_input(samples, steps), **{"layout": "BTC", **arrays})
    return path


def content(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}

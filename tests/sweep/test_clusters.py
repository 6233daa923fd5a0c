"""Sweeps on dask and submitit, and proposals of optuna: the table of a sweep in this process, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import bim_sweep, finish, save_input, save_model, start

pytestmark = pytest.mark.slow
VARY = ("--vary", "prune=0:.5:.1")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Any]]:
    """A model, its input, and the table of six trials in this process."""
    folder = tmp_path_factory.mktemp("files")
    model, samples = save_model(folder / "small.pt"), save_input(folder / "xy.npz", y=np.arange(6) % 4)
    ended = bim_sweep(model, *VARY, "--fix", f"input={samples}", "--executor", "made_executors:threads",
                      "-o", folder / "out")  # fmt: skip
    assert ended.code == 0, ended.err
    return model, samples, numbers(folder / "out")


def numbers(out: Path) -> list[Any]:
    rows = json.loads((out / "sweep.json").read_text())["trials"]
    return sorted((row["key"], row["status"], str(row["metrics"])) for row in rows)


@pytest.mark.parametrize("executor", ["submitit:debug", "submitit:local", "dask:1"])
def test_a_cluster_gives_the_same_table(swept: tuple[Path, Path, list[Any]], tmp_path: Path, executor: str) -> None:
    pytest.importorskip({"s": "submitit", "d": "distributed"}[executor[0]], reason="it comes with the extra sweep")
    model, samples, expected = swept
    options = (model, *VARY, "--fix", f"input={samples}", "--executor", executor, "-o", tmp_path / "out")
    ended = finish(start("sweep", *options, env={"PYTHONWARNINGS": "ignore"}))
    assert ended.code == 0, ended.err
    assert numbers(tmp_path / "out") == expected


def test_a_dask_worker_that_is_killed_costs_nothing(swept: tuple[Path, Path, list[Any]], tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="it comes with the extra sweep")
    from distributed import LocalCluster

    model, samples, expected = swept
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        address = cluster.scheduler_address
        options = (model, *VARY, "--fix", f"input={samples}", "--executor", f"dask:{address}", "-o", tmp_path / "out")
        running = start("sweep", *options, env={"PYTHONWARNINGS": "ignore"})
        while running.poll() is None and not list((tmp_path / "out").glob("trials/*")):
            time.sleep(0.05)
        os.kill(next(iter(cluster.workers.values())).process.process.pid, signal.SIGKILL)
        ended = finish(running)
    assert ended.code == 0, ended.err
    assert numbers(tmp_path / "out") == expected


def test_optuna_makes_no_trial_twice_and_goes_on(swept: tuple[Path, Path, list[Any]], tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="it comes with the extra sweep")
    model, samples, expected = swept
    options = (model, *VARY, "--fix", f"input={samples}", "--executor", "made_executors:threads", "-o", tmp_path / "o")
    for trials in (2, 4, 99):
        ended = bim_sweep(*options, "--proposals", "optuna", "--trials", trials)
        assert ended.code == 0, ended.err
        assert len(numbers(tmp_path / "o")) == min(trials, len(expected))
    assert numbers(tmp_path / "o") == expected


def test_what_is_not_installed_is_named_with_its_extra(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['distributed'] = None; from importlib import util; found = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'distributed' else found(name, *more)\n"
        "from pathlib import Path; from bim_neuro.executors import open_pool\n"
        "with open_pool('dask:2', Path('.')): pass"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path,
                           env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert "pip install 'bim-neuro[sweep]'" in ended.stderr

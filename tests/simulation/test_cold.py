"""After an installation a short run does not wait for the compiler: the numpy law gives the same record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import bim_compile, content, finish, save_input, save_model, start
from small_models import small_graphs

from bim_neuro.simulation import cold, ready
from bim_neuro.simulation.kernels import units

KERNEL = "run.run-*.nbi"
VOLATILE = ("seconds", "command", "request", "placement")


def figures(folder: Path) -> dict[str, Any]:
    summary = json.loads((folder / "summary.json").read_text())
    return {key: value for key, value in summary.items() if key not in VOLATILE}


@pytest.fixture
def words(tmp_path: Path) -> list[object]:
    model = save_model(tmp_path / "model.pt")
    return [model, "--input", save_input(tmp_path / "x.npz"), "-o", tmp_path / "out"]


def test_a_short_run_compiles_nothing_and_leaves_the_same_figures(words: list[object], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    ended = finish(start("compile", *words, env={"NUMBA_CACHE_DIR": str(kept)}))
    assert ended.code == 0, ended.err
    assert not list(kept.rglob(KERNEL))
    first, messages = figures(tmp_path / "out"), content(tmp_path / "out")["model.bimn"]
    assert first.pop("backend") == "reference"
    warm(tmp_path)
    assert bim_compile(*words).code == 0
    seconds = json.loads((tmp_path / "out" / "summary.json").read_text())["seconds"]
    assert "kernels" in seconds, "the second run was the engine's"
    second = figures(tmp_path / "out")
    assert second.pop("backend") == "engine"
    assert second == first
    assert content(tmp_path / "out")["model.bimn"] == messages


def warm(folder: Path) -> None:
    """Compile the kernels in this process, or find them."""
    from bim_neuro.simulation.compiled import Engine, load_kernels

    engine = Engine(small_graphs()[1])
    load_kernels(engine)
    assert cold.kernels_are_ready(engine)


def test_a_comparison_waits_for_the_kernels(
    words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the law would be held against itself."""
    monkeypatch.setattr(cold, "kernels_are_ready", lambda engine: False)
    assert bim_compile(*words, "--verify", "reference").code == 0
    assert "kernels" in json.loads((tmp_path / "out" / "summary.json").read_text())["seconds"]


def test_a_run_is_short_by_its_steps_samples_and_synapses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "_played", [0.0])
    small, large = small_graphs()[1], small_graphs(channels=200, states=16)[1]
    assert cold.is_short(small, 10, 100)
    assert not cold.is_short(small, 10, 100_000)
    assert not cold.is_short(small, 1_000_000, 100)
    assert cold.numpy_seconds(large, 10, 100) > cold.numpy_seconds(small, 10, 100)


def test_a_process_of_many_short_runs_waits_for_the_compiler_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every trial of a sweep on a new machine would be the numpy law's."""
    monkeypatch.setattr(cold, "_played", [0.0])
    graph = small_graphs()[1]
    each = cold.numpy_seconds(graph, 1000, 100)
    short = [cold.is_short(graph, 1000, 100) for _ in range(int(cold.SHORT / each) + 3)]
    assert short[0]
    assert short == sorted(short, reverse=True), "a run after one that was not short"
    assert not short[-1]
    assert sum(short) * each < cold.SHORT


def test_the_disk_is_asked_whether_kernels_are_there(tmp_path: Path) -> None:
    code = (
        "from bim_neuro.simulation import cold, ready, Engine\n"
        "print(cold.kernels_are_ready(Engine(ready.tiny_graph())))"
    )

    def asked(code: str, **variables: str) -> str:
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path), **variables}
        ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    assert asked(code, NUMBA_CACHE_DIR=str(tmp_path / "empty")) == "False"


def test_a_numba_that_may_not_compile_is_named(monkeypatch: pytest.MonkeyPatch, words: list[object]) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    ended = bim_compile(*words)
    assert ended.code == 2
    assert "NUMBA_DISABLE_JIT is set" in ended.err
    assert "unset it" in ended.err


def test_work_is_shared_with_a_helper_where_that_saves_time() -> None:
    lif = ready.places_needed(ready.lay_out(ready.tiny_graph()).tables, probed=False, shared=False)
    theirs = ready.for_helper(lif)
    seconds = {place: units.SECONDS[units.KERNELS[place]] for place in lif}
    ours = sum(seconds.values()) - sum(seconds[place] for place in theirs)
    there = ready.START + ready.THERE * sum(seconds[place] for place in theirs)
    assert abs(ours + ready.REST - there) < ready.THERE * max(seconds.values())
    assert ready.for_helper([]) == []
    assert ready.for_helper([units.KEEP]) == [], "it would take longer to start one"


COLD = """
from bim_neuro.simulation import Engine, ready
from bim_neuro.simulation.kernels import units
if {alone}:
    ready._start_helper = lambda places: None
import numpy as np
record = Engine(ready.tiny_graph()).run(np.ones((1, 5, 1), np.int8))
print(record.layers["lif"].totals()["messages"], sum(bool(k.stats.cache_hits) for k in set(units.KERNELS.values())))
"""


@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True])
def test_what_a_helper_compiled_is_read_and_where_none_starts_all_is_compiled_here(alone: bool, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "NUMBA_CACHE_DIR": str(tmp_path)}
    code = [sys.executable, "-c", COLD.format(alone=alone)]
    first, second = (
        subprocess.run(code, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    needed = ready.places_needed(ready.lay_out(ready.tiny_graph()).tables, probed=False, shared=False)
    kernels, theirs = ({units.KERNELS[place] for place in some} for some in (needed, ready.for_helper(needed)))
    assert len(theirs) > 1
    assert first == ["5", "0" if alone or ready.usable_cores() == 1 else str(len(theirs))]
    assert second == ["5", str(len(kernels))], "all from the disk"

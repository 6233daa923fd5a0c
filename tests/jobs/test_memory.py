"""A run takes what its budget allows, however many its steps and samples, and gives the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import ROOT, bim_compile, save_input, save_model
from random_graphs import random_graph, random_input
from small_models import small_checkpoint, small_graphs, small_input

from bim_neuro.cli import console
from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.errors import InputError
from bim_neuro.estimates.neurobench import ActivityCounter, activity
from bim_neuro.graph import IntegerGraph
from bim_neuro.intake import limits
from bim_neuro.model.block import BIMBlock
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation import Engine, Tuning, playing, reference, simulate, simulate_float
from bim_neuro.training.predict import predict
from bim_neuro.training.trainer import Recipe, train

TINY = 2000  # bytes: windows of a step or a few


class Watched:
    """Puts windows together again; what overlaps or is left out shows as such."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[int, list[Array]]] = defaultdict(lambda: defaultdict(list))
        self.longest = 0

    def __call__(self, samples: slice, name: str, first: int, values: dict[str, Array]) -> None:
        for key, value in values.items():
            self.longest = max(self.longest, value.shape[1])
            for sample, row in enumerate(value):
                rows = self.seen[f"{name}.{key}"][samples.start + sample]
                assert sum(map(len, rows)) == first
                rows.append(row.copy())

    def probes(self) -> dict[str, Array]:
        return {
            key: np.stack([np.concatenate(rows[sample]) for sample in sorted(rows)]) for key, rows in self.seen.items()
        }


def equal(left: dict[str, Array], right: dict[str, Array]) -> None:
    assert left.keys() == right.keys()
    for key, values in left.items():
        np.testing.assert_array_equal(values, right[key], err_msg=key)


@pytest.fixture(scope="module", params=range(6))
def case(request: pytest.FixtureRequest) -> tuple[IntegerGraph, Array]:
    graph = random_graph(request.param, layers=5, width=9, loud=bool(request.param % 2), loops=request.param > 2)
    return graph, random_input(graph, 1, samples=3, steps=40, activity=0.3)


@pytest.mark.parametrize("allowed", [1, 2**16])
def test_a_large_graph_has_fewer_workers_and_the_same_record(
    case: tuple[IntegerGraph, Array], allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, x = case
    unbounded = Engine(graph)
    many = unbounded.run(np.repeat(x, 30, axis=0), threads=4)
    assert len(unbounded.plan.idle) == 4
    monkeypatch.setattr(playing, "WORKERS_BYTES", allowed)
    engine = Engine(graph)
    few = engine.run(np.repeat(x, 30, axis=0), threads=4)
    assert len(engine.plan.idle) <= max(1, allowed // (4 * engine.plan.sizes["messages"]))
    assert few.layers.keys() == many.layers.keys()
    for name, count in many.layers.items():
        assert few.layers[name].totals() == count.totals()
    np.testing.assert_array_equal(few.output, many.output)


@pytest.mark.parametrize("options", [{}, {"neuron_threads": 2}, {"path": "gemm"}])
@pytest.mark.parametrize("threads", [None, 2])
@pytest.mark.parametrize("room", [1, pytest.param(TINY, marks=pytest.mark.slow), 2**26])
def test_what_passes_by_in_windows_is_what_is_kept_whole(
    case: tuple[IntegerGraph, Array], options: dict[str, Any], threads: int | None, room: int
) -> None:
    graph, x = case
    watched, counter = Watched(), ActivityCounter(graph, x.shape[1])
    whole = Engine(graph).run(x, probe=True)
    passed = Engine(graph).run(x, watch=watched, threads=threads, tuning=Tuning(room=room, **options))
    Engine(graph).run(x, watch=counter, threads=threads, tuning=Tuning(room=room, **options))
    equal(watched.probes(), whole.probes)
    assert counter.counted == activity(graph, whole)
    assert (watched.longest < 40) == (room < 2**26)
    assert passed.probes == {}
    np.testing.assert_array_equal(passed.output, whole.output)
    for name, count in whole.layers.items():
        assert passed.layers[name].totals() == count.totals()


@pytest.mark.parametrize("room", [1, TINY])
def test_the_laws_hand_out_the_same_windows(
    monkeypatch: pytest.MonkeyPatch, case: tuple[IntegerGraph, Array], room: int
) -> None:
    graph, x = case
    whole = simulate(graph, x, probe=True)
    monkeypatch.setattr(reference, "ROOM", room)
    watched, counter = Watched(), ActivityCounter(graph, x.shape[1])
    simulate(graph, x, watch=watched, batch=2)
    simulate(graph, x, watch=counter, batch=2)
    equal(watched.probes(), whole.probes)
    assert counter.counted == activity(graph, whole)
    assert watched.longest < 40


def test_the_float_law_hands_out_the_same_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, _ = small_graphs()
    x = small_input(5, 30)
    whole = simulate_float(graph, x, batch=2).probes  # BLAS rounds by how many samples there are
    monkeypatch.setattr(reference, "ROOM", TINY)
    watched = Watched()
    simulate_float(graph, x, probe=False, watch=watched, batch=2)
    equal(watched.probes(), whole)
    ranges = {key: np.abs(values).max() for key, values in simulate_float(graph, x).probes.items()}
    assert calibrate(graph, x) == ranges


@pytest.mark.parametrize(
    "run",
    [
        lambda g, x, keys: Engine(g).run(x, probe=keys, tuning=Tuning(room=TINY)),
        lambda g, x, keys: simulate(g, x, probe=keys, batch=2),
    ],
)
def test_probes_are_kept_by_name(run: Any) -> None:
    _, graph = small_graphs()
    x = np.rint(100 * small_input(5, 30)).astype(np.int64)
    whole = simulate(graph, x, probe=True).probes
    keys = ["block1.lif.message", "readout.v"]
    kept = run(graph, x, keys).probes
    equal(kept, {key: whole[key] for key in keys})
    assert kept["block1.lif.message"].dtype == bool
    with pytest.raises(InputError, match=r"nothing called 'lif.message' to probe"):
        run(graph, x, ["lif.message"])


def test_a_small_budget_changes_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples = save_model(tmp_path / "m.pt"), save_input(tmp_path / "x.npz", 7, 20, y=np.arange(7) % 4)

    def summary() -> dict[str, Any]:
        ended = bim_compile(model, "--input", samples, "--json", "-o", tmp_path / "out")
        assert (ended.code, ended.err) == (0, "")
        return {key: value for key, value in json.loads(ended.out).items() if key not in ("seconds", "placement")}

    whole = summary()
    monkeypatch.setattr(limits, "RUN_BYTES", 20_000)  # for two samples
    parts = summary()
    assert parts.pop("agreement") == [
        {key: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for key, value in row.items()}
        for row in whole.pop("agreement")
    ]
    assert parts == whole


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "the messages of one sample of 20 steps, kept to compare, take"),
        (
            ("--verify", "reference"),
            "all messages and states of 14 samples of 20 steps, which Lava and --verify keep, take",
        ),
    ],
)
def test_what_no_budget_holds_is_refused_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    model, samples = save_model(tmp_path / "m.pt"), save_input(tmp_path / "x.npz", 7, 20)
    monkeypatch.setattr(limits, "RUN_BYTES", 2_000)
    ended = bim_compile(model, "--input", samples, "-o", tmp_path / "out", *options)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert words in ended.err
    assert "2,000 are allowed for a run" in ended.err
    assert "run.max_memory" in ended.err


@pytest.mark.parametrize("samples", [10**12, 10**25])
def test_a_stream_of_more_than_the_machine_holds_is_refused(tmp_path: Path, samples: int) -> None:
    model, stream = save_model(tmp_path / "m.pt"), save_input(tmp_path / "x.npz", 8, 20, y=np.arange(8) % 4)
    learn = ("--learn", "rtrl", "--set", f"learn.samples={samples}")
    ended = bim_compile(model, "--input", stream, *learn, "-o", tmp_path / "out")
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert f"{samples:,} samples of 20 steps to learn from take" in ended.err
    assert "learn.samples" in ended.err


def test_to_keep_everything_of_more_than_the_machine_holds_is_refused() -> None:
    """Before anything is taken: memory that is promised and not there ends the process, not the call."""
    _, graph = small_graphs()
    x = np.broadcast_to(np.zeros((1, 1, 5), np.int64), (10_000, 1_000_000, 5))
    for law in (simulate, Engine(graph).run):
        arguments = (graph, x) if law is simulate else (x,)
        with pytest.raises(InputError, match=r"every message and state of 10,000 samples of 1,000,003 steps take"):
            law(*arguments, probe=True)  # type: ignore[operator]


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 22.0 GiB"), RuntimeError("can't allocate memory: 9")]
)
def test_memory_that_ran_out_is_no_defect_of_ours(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        console.guarded(command, debug=False)
    shown = capsys.readouterr().err
    assert end.value.code == 2
    assert f"this machine has too little memory: {error}" in shown
    assert "defect" not in shown


def test_prediction_takes_few_samples_or_steps_at_a_time_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = BIMNetwork(NetworkConfig(5, 4, channels=16, states=3))
    x = small_input(9, 30)
    expected = network(torch.as_tensor(x, dtype=torch.float32).transpose(0, 1)).argmax(1)
    taken: list[tuple[int, ...]] = []
    project = BIMBlock.project
    monkeypatch.setattr(BIMBlock, "project", lambda block, x: taken.append(tuple(x.shape[:2])) or project(block, x))
    for allowed, pieces in (
        (200_000, [(30, 9)]),
        (60_000, [(30, 3)] * 3),
        (8_000, [(13, 1), (13, 1), (4, 1)] * 9),
        (1_000, [(1, 1)] * 270),
    ):
        taken.clear()
        monkeypatch.setattr(limits, "RUN_BYTES", allowed)
        np.testing.assert_array_equal(predict(network, x), expected)
        assert taken == pieces


def test_backpropagation_through_more_than_the_machine_holds_is_refused() -> None:
    x = np.broadcast_to(np.zeros((1, 1, 5), np.float32), (64, 10_000_000, 5))
    y = np.zeros(64, np.int64)
    with pytest.raises(InputError, match="64 samples of 10,000,000 steps, which bptt keeps") as refusal:
        train(NetworkConfig(5, 4, channels=64, states=16), Recipe(), (x, y), (x, y))
    assert "--rule rtrl" in refusal.value.hint


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("backend", ["engine", "reference"])
def test_a_long_run_stays_below_a_gibibyte(tmp_path: Path, backend: str) -> None:
    """16,000 steps of 32 samples, 43 kB a step and sample if all were kept; the reference law plays 1,000 steps."""
    model = save_model(tmp_path / "m.pt", small_checkpoint(channels=64, states=16))
    steps = 16_000 if backend == "engine" else 1_000
    samples = save_input(tmp_path / "x.npz", 32, steps)
    code = f"""
import resource, sys
import bim_neuro.jobs.compile, bim_neuro.report  # what a run loads is no part of its peak
from bim_neuro.cli import compile_main
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
start = peak()
sys.argv = ["bim-compile", {str(model)!r}, "--input", {str(samples)!r}, "--backend", "{backend}", "-o", "out"]
try:
    compile_main()
finally:
    print("PEAK", peak() - start)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert int(ended.stdout.split("PEAK")[1]) < 2**30

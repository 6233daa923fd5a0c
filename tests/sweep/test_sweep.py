"""bim-sweep: one trial a combination, each once, whatever dies, and a table that bim-compile agrees with."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import made_executors
import numpy as np
import pytest
from commands import Ended, bim_compile, bim_report, bim_sweep, save_input, save_model

from bim_neuro.executors import open_pool
from bim_neuro.report.sweep_text import render_sweep
from bim_neuro.sweep.run import TRIES
from bim_neuro.sweep.store import Store

THREADS = ("--executor", "made_executors:threads")
VARIED = ("--vary", "prune=0,0.5", "target=loihi2,lava_cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small model and labelled input."""
    folder = tmp_path_factory.mktemp("files")
    return save_model(folder / "small.pt"), save_input(folder / "xy.npz", y=np.arange(6) % 4)


def sweep(files: tuple[Path, Path], *more: object, out: Path, executor: tuple[str, ...] = THREADS) -> Ended:
    model, samples = files
    return bim_sweep(model, *more, "--fix", f"input={samples}", *executor, "-o", out)


@pytest.fixture(scope="module")
def swept(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep of four trials."""
    out = tmp_path_factory.mktemp("swept") / "out"
    ended = sweep(files, *VARIED, out=out)
    assert ended.code == 0, ended.err
    return out


def table(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "sweep.json").read_text()))


def numbers(out: Path) -> list[tuple[Any, ...]]:
    """Return what a table says, without times and hosts."""
    return sorted((row["key"], row["status"], str(row["metrics"])) for row in table(out)["trials"])


def test_a_trial_says_what_bim_compile_says_of_its_request(swept: Path, tmp_path: Path) -> None:
    rows = table(swept)["trials"]
    assert [row["status"] for row in rows] == ["done"] * 4
    for row in rows[:2]:
        again = bim_compile("--config", swept / "trials" / row["key"] / "request.toml", "-o", tmp_path / row["key"])
        assert again.code == 0, again.err
        summary = json.loads((tmp_path / row["key"] / "summary.json").read_text())
        assert summary["accuracy"]["integer"] == row["metrics"]["accuracy"]
        assert summary["energy"]["energy_uj"]["value"] == row["metrics"]["energy_uj"]
        assert summary["cores"]["used"] == row["metrics"]["cores"]


def test_the_csv_has_a_row_a_trial_with_its_settings(swept: Path) -> None:
    with (swept / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = {(row["prune.share"], row["target"]) for row in rows}
    assert found == {(share, target) for share in ("0.0", "0.5") for target in ("loihi2", "lava_cpu")}
    lost = {row["prune.share"]: row["lost_by_pruning"] for row in rows}
    assert lost["0.0"] == ""
    assert lost["0.5"] != ""


@pytest.mark.slow
def test_settings_of_a_training_are_varied_and_only_where_they_have_an_effect(tmp_path: Path) -> None:
    """Each is a field of the training's request under a name of its own; --seeds trains again."""
    rules = ("rule=tbptt,bptt", "train.segment=4,8", "--seeds", 1)
    same = ("--fix", "epochs=1", "channels=4", "states=2", "train.patience=1", "train.accumulate=2", "samples=4")
    ended = bim_sweep("--train", "cue", "--vary", *rules, *same, *THREADS, "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    trials = [row["values"] for row in table(tmp_path / "out")["trials"]]
    found = sorted((values["rule"], values.get("train.segment")) for values in trials)
    assert found == [("bptt", None), ("tbptt", 4), ("tbptt", 8)]
    logs = [json.loads(file.read_text()) for file in (tmp_path / "out").glob("models/*/log.json")]
    asked = {(log["learning"]["rule"], log["learning"]["segment"], log["recipe"]["accumulate"]) for log in logs}
    assert asked == {("bptt", 32, 2), ("tbptt", 4, 2), ("tbptt", 8, 2)}


def test_a_boundary_of_static_power_is_varied(files: tuple[Path, Path], tmp_path: Path) -> None:
    ended = sweep(files, "--vary", "power.boundary=cores,board", "power.sample_rate=10", out=tmp_path / "out")
    assert ended.code == 0, ended.err
    used = [row["metrics"]["energy_uj"] for row in table(tmp_path / "out")["trials"]]
    assert min(used) * 4 < max(used)  # a board draws 2,000 mW, the cores 230


def test_the_same_command_computes_nothing_again(files: tuple[Path, Path], swept: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in (swept / "trials").rglob("trial.json")}
    assert sweep(files, *VARIED, out=swept).code == 0
    assert {file: file.stat().st_mtime_ns for file in (swept / "trials").rglob("trial.json")} == before
    assert list((swept / ".claims").iterdir()) == list((swept / ".work").iterdir()) == []


@pytest.mark.slow
def test_a_model_with_other_bytes_under_the_same_name_is_computed_anew(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    from small_models import small_checkpoint

    model = save_model(tmp_path / "small.pt")
    for seed in (0, 1):
        save_model(model, small_checkpoint(seed))
        assert sweep((model, files[1]), "--vary", "prune=0", out=tmp_path / "out").code == 0
    assert len(table(tmp_path / "out")["trials"]) == 2


def test_best_names_a_trial_and_misses_an_unreachable_limit(swept: Path) -> None:
    ended = bim_report("best", swept, "--least", "energy", "--min", "accuracy=0", "--json")
    assert ended.code == 0, ended.err
    least = min(row["metrics"]["energy_uj"] or np.inf for row in table(swept)["trials"])
    found = json.loads(ended.out)
    assert found["metrics"]["energy_uj"] == least
    assert (Path(found["folder"]) / "report.html").exists()
    assert bim_report("best", swept, "--min", "accuracy=1.5").code == 3
    assert bim_report("best", swept, "--min", "speed=1").code == 2


@pytest.mark.slow
def test_what_has_no_effect_in_a_combination_makes_no_trial_of_its_own(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = sweep(files, "--vary", "lowering=fused,stock", "segments=4,8", "weight_bits=8,16", out=tmp_path / "out")
    assert ended.code == 0, ended.err
    said = [row["values"] for row in table(tmp_path / "out")["trials"]]
    assert len(said) == 2 + 2
    assert {("lowering.segments" in values, "quantise.weight_bits" in values) for values in said} == {
        (False, True),
        (True, False),
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--vary", "learn.rate=0.1,0.2"), "learn.rate has no effect in any of the trials"),
        (("--seeds", 3), "learn.seed has no effect"),
        (("--vary", "target=loihi2,nochip"), "unknown target"),
        (("--vary", "prune=0", "--executor", "processes:0"), "a number of workers"),
        (("--vary", "prune=0", "--executor", "made_executors:nothing"), "nothing"),
        (("--vary", "prune=0", "--executor", "made_executors:not_an_executor"), "concurrent.futures.Executor"),
        (("--vary", "prune=0", "--objective", "speed"), "no objective"),
        (("--vary", "prune=0", "--set", "slurm.minutes=3"), "has no effect"),
        (("--vary", "prune=0", "--train", "digits"), "over a model or over a training"),
        ((), "--vary is missing"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(
    files: tuple[Path, Path], tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    executor = () if "--executor" in options else THREADS
    ended = sweep(files, *options, out=tmp_path / "out", executor=executor)
    assert ended.code == 2, ended
    assert said in ended.err


def test_what_does_not_fit_is_a_result(files: tuple[Path, Path], tmp_path: Path) -> None:
    small = tmp_path / "small_chip.toml"
    words = '{ value = 1, low = 1, high = 1, unit = "words", basis = "assumed", source = "a test" }'
    small.write_text(f'extends = "loihi2"\nname = "small"\ntitle = "Small"\n[capacity]\nneuron_words = {words}\n')
    ended = sweep(files, "--vary", f"target=loihi2,{small}", out=tmp_path / "out")
    assert ended.code == 0, ended.err
    rows = {Path(row["values"]["target"]).name: row for row in table(tmp_path / "out")["trials"]}
    assert {name: row["status"] for name, row in rows.items()} == {"loihi2": "done", "small_chip.toml": "infeasible"}
    checked = bim_compile(files[0], "--target", small, "--check")
    assert checked.code == 1
    assert rows["small_chip.toml"]["said"] in checked.out


def test_a_folder_with_other_files_is_left_alone(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    assert sweep(files, "--vary", "prune=0", out=tmp_path).code == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_trial_whose_worker_dies_runs_again_and_one_that_kills_three_is_named(
    files: tuple[Path, Path], swept: Path, tmp_path: Path
) -> None:
    made_executors.deaths = {"0.0": ["after"], "0.5": ["before"], "0.7": ["before"] * (TRIES + 1)}
    dying = ("--executor", "made_executors:dying")
    vary = ("--vary", "prune=0,0.5,0.7", "target=loihi2")
    ended = sweep(files, *vary, out=tmp_path / "out", executor=dying)
    assert (ended.code, "1 of 3 trials have no result" in ended.err) == (4, True), ended.err
    by_share = {row["values"]["prune.share"]: row for row in table(tmp_path / "out")["trials"]}
    assert {share: row["status"] for share, row in by_share.items()} == {0.0: "done", 0.5: "done", 0.7: "poisoned"}
    assert "3 tries" in by_share[0.7]["said"]
    undisturbed = {key: metrics for key, status, metrics in numbers(swept)}
    for share in (0.0, 0.5):
        assert undisturbed[by_share[share]["key"]] == str(by_share[share]["metrics"])
    made_executors.deaths = {}
    assert sweep(files, *vary, out=tmp_path / "out", executor=dying).code == 0
    assert {row["status"] for row in table(tmp_path / "out")["trials"]} == {"done"}


def made_row(key: str) -> dict[str, Any]:
    said = {"status": "done", "origin": "o", "model": "m", "source": "s", "said": ""}
    return {"key": key, **said, "values": {}, "metrics": {}}


def test_two_attempts_give_one_result(tmp_path: Path) -> None:
    with Store(tmp_path / "out").opened() as store:
        attempts = [store.attempt("key") for _ in range(2)]
        for number, attempt in enumerate(attempts):
            attempt.mkdir()
            (attempt / "trial.json").write_text(json.dumps(made_row("key") | {"host": str(number)}))
        assert [store.settle(attempt, store.trial("key")) for attempt in attempts] == [True, False]
        assert store.result("key") == made_row("key") | {"host": "0"}
        assert list((store.folder / ".work").iterdir()) == []


def test_a_claim_is_kept_while_its_sweep_runs_and_lapses_after(tmp_path: Path) -> None:
    with Store(tmp_path / "out").opened() as ours:
        with Store(tmp_path / "out").opened() as theirs:
            assert theirs.claim("key")
            assert theirs.claim("key")
            assert not ours.claim("key")
        assert ours.claim("key")  # they have ended
        other = ours.folder / ".sweeps" / "gone"
        other.write_text(json.dumps({"host": "elsewhere", "process": 1}))
        (ours.folder / ".claims" / "far").write_text("gone")
        assert not ours.claim("far")  # on another host, alive a moment ago
        os.utime(other, (0, 0))
        assert ours.claim("far")


def test_a_worker_that_sees_no_folder_is_sent_files_and_sends_its_own_back(
    files: tuple[Path, Path], swept: Path, tmp_path: Path
) -> None:
    made_executors.folders = tmp_path / "elsewhere"
    ended = sweep(files, *VARIED, out=tmp_path / "out", executor=("--executor", "made_executors:strangers"))
    assert ended.code == 0, ended.err
    assert numbers(tmp_path / "out") == numbers(swept)
    for row in table(tmp_path / "out")["trials"]:
        place = tmp_path / "out" / "trials" / row["key"]
        assert (place / "report.html").exists()
        assert f'model = "{files[0]}"' in (place / "request.toml").read_text()


def test_the_page_keeps_names_from_files_text() -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    row = {"key": "k", "status": "done", "values": {hostile: hostile}, "metrics": {}, "said": hostile, "model": hostile}
    made = {"by_status": {"done": 1}, "left_out": 0, "fronts": {}, "points": [], "trials": [row], "varied": [hostile]}
    page = render_sweep(made | {"objectives": [], "bim_neuro": "0", "command": hostile})
    assert "<img" not in page


@pytest.mark.slow
def test_a_process_that_is_killed_takes_only_its_own_call(tmp_path: Path) -> None:
    with open_pool("processes:2", tmp_path) as pool:
        before = {pool.submit(made_executors.my_number).result() for _ in range(2)}
        doomed = pool.submit(made_executors.end_myself)
        others = [pool.submit(made_executors.my_number) for _ in range(4)]
        with pytest.raises(BrokenProcessPool):
            doomed.result()
        assert all(other.result() for other in others)
        assert len(before) >= 1


@pytest.mark.slow
def test_processes_end_with_the_sweep_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from bim_neuro.executors import open_pool\n"
        "if __name__ == '__main__':\n"
        "    with open_pool('processes:1', Path('.')) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "killed.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run(
        [sys.executable, tmp_path / "killed.py"], capture_output=True, text=True, env=environment, timeout=200
    )
    worker = int(killed.stdout)
    until = time.monotonic() + 100
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


def test_shards_on_workers_give_the_summary_of_one_process(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bim_neuro.jobs import simulate

    monkeypatch.setattr(simulate, "SHARD", 2)
    model, samples = files
    summaries = []
    for name, more in (("one", ()), ("two", ("--set", "run.executor=made_executors:threads"))):
        ended = bim_compile(model, "--input", samples, *more, "-o", tmp_path / name)
        assert ended.code == 0, ended.err
        summaries.append(json.loads((tmp_path / name / "summary.json").read_text()))
    for changing in ("seconds", "command"):
        assert all(summary.pop(changing) for summary in summaries)
    for summary in summaries:
        assert all(summary["placement"].pop(measured) for measured in ("seconds", "peak_memory_mib"))
    assert summaries[0] == summaries[1]
    assert not (tmp_path / "two.resume").exists()


def test_a_shard_runs_on_a_worker_that_sees_no_folder(files: tuple[Path, Path]) -> None:
    import bim_neuro
    from bim_neuro.jobs.shard_workers import _packed, play_shard

    program = bim_neuro.compile(files[0])
    raw = np.load(files[1])["x"]
    content = _packed(program)
    made = play_shard(content, "", raw[2:5], "reference", os.getpid())
    assert np.array_equal(made.record.output, program.run(raw[2:5], backend="reference").output)

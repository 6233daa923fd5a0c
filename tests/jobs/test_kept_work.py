"""Work is not lost: what took time is on the disk before anything else can fail, and what is the user's stays his."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import (
    ROOT,
    Ended,
    bim_compile,
    bim_report,
    bim_train,
    content,
    finish,
    save_input,
    save_model,
    start,
)

from bim_neuro import atomic, kept
from bim_neuro.errors import BackendFailed, DoesNotFit, Finding
from bim_neuro.jobs import compile as compiling
from bim_neuro.jobs import folder, places, simulate, train
from bim_neuro.jobs.shards import Shards
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.pack import equal
from bim_neuro.program import Program
from bim_neuro.reading import read_model


def slow(*values: Any) -> list[Any]:
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


TRAINING = ("--epochs", 4, "--channels", 8, "--states", 2, "--set", "train.taps=2", "--batch", 16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "small.pt")


@pytest.fixture(scope="module")
def samples(model: Path) -> Path:
    return save_input(model.with_name("x.npz"), samples=12, y=np.arange(12) % 4)


@pytest.fixture(scope="module")
def data(model: Path) -> Path:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    path = model.with_name("own.npz")
    np.savez(path, x=rng.normal(0, 0.5, (60, 6, 3)) + np.eye(3)[y][:, None, :], y=y)
    return path


def own(data: Path, model: Path, *options: object) -> Ended:
    return bim_train("own", "--data", data, "-o", model, *TRAINING, "--final", *options)


def weights(model: Path) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in load_checkpoint(model).state.items()}


def result(out: Path) -> dict[str, Any]:
    """Return a summary without times and paths."""
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    for measured in ("seconds", "peak_memory_mib"):
        summary["placement"].pop(measured)
    return {key: value for key, value in summary.items() if key not in ("seconds", "command")}


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def misfit(*args: object, **options: object) -> None:
    raise DoesNotFit([Finding("N0", "block1", "block1 needs more than there is", hint="take less")])


def used_again(*args: object, **options: object) -> None:
    pytest.fail("what was kept is done again")


# ---- a training is saved before anything measures it


@pytest.mark.parametrize(
    ("victim", "options", "words", "calibrated"),
    [
        ("bim_neuro.jobs.train.evaluate", (), "only its test numbers are missing", True),
        ("bim_neuro.jobs.train.calibrate", (), "not calibrated yet", False),
        ("bim_neuro.jobs.train.logistic_regression_baseline", ("--baseline",), "the trained model is in", True),
    ],
)
def test_a_training_whose_measurement_breaks_is_kept_and_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path, samples: Path,
    victim: str, options: tuple[str, ...], words: str, calibrated: bool,
) -> None:  # fmt: skip
    whole, broken = tmp_path / "whole.pt", tmp_path / "broken.pt"
    assert own(data, whole).code == 0
    record = ("--json", tmp_path / "record.json")
    with monkeypatch.context() as patch:
        patch.setattr(victim, misfit)
        ended = own(data, broken, *options, *record)
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert words in ended.err
    assert str(broken) in ended.err
    assert weights(broken) == weights(whole)
    with monkeypatch.context() as patch:
        if not options:
            patch.setattr("bim_neuro.training.trainer.Run.epoch", used_again)
            compiled = bim_compile(broken, "--input", data, "-o", tmp_path / "out")
            assert compiled.code == (0 if calibrated else 2)
            assert calibrated or "run the same bim-train again" in compiled.err
        else:
            assert json.loads(record[1].read_text())["test"]["samples"] > 0
        assert own(data, broken, *options, *record).code == 0
    assert weights(broken) == weights(whole)
    assert load_checkpoint(broken).ranges == load_checkpoint(whole).ranges
    assert load_checkpoint(broken).training["test"] == load_checkpoint(whole).training["test"]
    assert load_checkpoint(broken).training["test_opened"] == (
        2 if options else 1
    )  # and where it broke, no number was seen
    assert not broken.with_name("broken.pt.resume").exists()


def test_a_record_that_cannot_be_written_does_not_take_the_training_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    (tmp_path / "record").mkdir()
    model, record = tmp_path / "own.pt", tmp_path / "record" / "r.json"
    write_record = train._write_record

    def gone(content: dict[str, Any], file: Path | None) -> None:
        record.parent.rmdir()  # somebody removes the folder while we train
        write_record(content, file)

    monkeypatch.setattr(train, "_write_record", gone)
    ended = own(data, model, "--json", record)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert str(record) in ended.err
    assert f"the trained model is in {model}" in ended.err
    assert load_checkpoint(model).training["test"]["samples"] > 0


# ---- so is everything else that takes time


@pytest.mark.parametrize(
    "victim",
    ["bim_neuro.jobs.compile._arranged", *slow("bim_neuro.jobs.compile.run_request", "bim_neuro.report.write_files")],
)
def test_what_was_learned_is_not_learned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path, victim: str
) -> None:
    command = (model, "--input", samples, "--learn", "rtrl", "--set", "learn.samples=30")
    assert bim_compile(*command, "-o", tmp_path / "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(victim, misfit)
        ended = bim_compile(*command, "-o", tmp_path / "out")
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert f"the learnt program is kept in {tmp_path / 'out.learned'}" in ended.err
    assert names(tmp_path) == ["out", "out.learned", "whole"]
    assert "report.html" in names(tmp_path / "out"), "of the refusal"
    other = bim_compile(*command[:-1], "learn.samples=31", "-o", tmp_path / "out")
    assert other.code == 2
    assert "out.learned belongs to another learning run" in other.err
    monkeypatch.setattr("bim_neuro.jobs.learn_stream.learn", used_again)
    assert bim_compile(*command, "-o", tmp_path / "out").code == 0
    assert names(tmp_path) == ["out", "whole"]
    assert result(tmp_path / "out") == result(tmp_path / "whole")
    ours, theirs = (read_model(tmp_path / folder / "model.nir") for folder in ("out", "whole"))
    assert equal(ours, theirs)
    with np.load(tmp_path / "out/model.bimn") as kept_one, np.load(tmp_path / "whole/model.bimn") as other_one:
        assert {key: a.tobytes() for key, a in kept_one.items()} == {key: a.tobytes() for key, a in other_one.items()}


def test_a_damaged_learned_file_is_learned_anew(tmp_path: Path, model: Path, samples: Path) -> None:
    (tmp_path / "out.learned").write_bytes(b"PK\3\4 no archive")
    command = (model, "--input", samples, "--learn", "rtrl", "--set", "learn.samples=30")
    assert bim_compile(*command, "-o", tmp_path / "out").code == 0
    assert names(tmp_path) == ["out"]


def test_shards_are_kept_until_the_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path
) -> None:
    monkeypatch.setattr(simulate, "SHARD", 4)
    command = (model, "--input", samples, "-o", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "_arranged", misfit)
        ended = bim_compile(*command)
    assert ended.code == 1
    assert f"3 of 3 shards are kept in {tmp_path / 'out.resume'}: run the same command again" in ended.err
    with monkeypatch.context() as patch:
        patch.setattr(simulate, "_run_part", used_again)
        assert bim_compile(*command).code == 0
    assert names(tmp_path) == ["out"]


def test_long_samples_come_in_small_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path
) -> None:
    monkeypatch.setattr(simulate, "SHARD_STEPS", 5 * 8)  # of samples of 8 steps
    monkeypatch.setattr(compiling, "_arranged", misfit)
    assert bim_compile(model, "--input", samples, "-o", tmp_path / "out").code == 1
    assert names(tmp_path / "out.resume") == ["00000.npz", "00001.npz", "00002.npz", "manifest.json"]


@pytest.mark.parametrize("damage", ["cut", "other arrays", *slow("empty", "no archive", "killed before its key")])
def test_a_damaged_shard_is_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path, damage: str
) -> None:
    monkeypatch.setattr(simulate, "SHARD", 4)
    assert bim_compile(model, "--input", samples, "-o", tmp_path / "whole").code == 0
    command = (model, "--input", samples, "-o", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "_arranged", misfit)
        assert bim_compile(*command).code == 1
    shard = tmp_path / "out.resume" / "00001.npz"
    if damage == "other arrays":
        np.savez(shard, x=np.zeros(3))
    elif damage == "killed before its key":
        shutil.rmtree(shard.parent)
        shard.parent.mkdir()
        (shard.parent / ".manifest.json.abcdefgh.part").write_text("{")
    else:
        whole = shard.read_bytes()
        shard.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "no archive": b"mine"}[damage])
    assert bim_compile(*command).code == 0
    assert names(tmp_path) == ["out", "whole"]
    assert result(tmp_path / "out") == result(tmp_path / "whole")


def test_what_is_not_ours_stays_beside_the_shards(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "run", "key")
    shards.save(0, {"x": np.zeros(1)})
    (tmp_path / "run" / "notes.txt").write_text("mine")
    shards.forget()
    assert content(tmp_path) == {"run/notes.txt": b"mine"}


def test_a_comparison_that_breaks_leaves_the_result_it_should_have_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path
) -> None:
    run = Program.run

    def late(program: Program, raw: Any, *, backend: str = "engine", **options: Any) -> Any:
        if backend == "reference":
            raise BackendFailed("it ran past its time limit", "give it more")
        return run(program, raw, backend=backend, **options)

    out = tmp_path / "out"
    command = (model, "--input", samples, "-o", out)
    with monkeypatch.context() as patch:
        patch.setattr(Program, "run", late)
        ended = bim_compile(*command, "--verify", "reference")
    assert (ended.code, len(ended.errors)) == (4, 1)
    assert f"hint: give it more; {out} holds the result, without the comparison with reference" in ended.err
    without = result(out)
    assert without["verify"] is None
    assert "not-verified" in {finding["rule"] for finding in without["findings"]}
    assert bim_compile(*command, "--verify", "reference").code == 0
    assert result(out)["verify"]["equal"] == result(out)["verify"]["spike_slots"]
    assert "not-verified" not in {finding["rule"] for finding in result(out)["findings"]}
    assert {**result(out), "verify": None, "findings": None} == {**without, "findings": None}
    assert names(tmp_path) == ["out"]


def test_what_was_learned_is_kept_until_it_was_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path
) -> None:
    command = (model, "--input", samples, "--learn", "rtrl", "--set", "learn.samples=30", "--verify", "reference")
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "verify", misfit)
        ended = bim_compile(*command, "-o", tmp_path / "out")
    assert ended.code == 1
    assert names(tmp_path) == ["out", "out.learned"]
    assert "out.learned: run the same command again to resume" in ended.err
    monkeypatch.setattr("bim_neuro.jobs.learn_stream.learn", used_again)
    assert bim_compile(*command, "-o", tmp_path / "out").code == 0
    assert names(tmp_path) == ["out"]


# ---- OUT: what the user put there stays


def test_the_users_files_stay_in_a_folder_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path
) -> None:
    """Some lie there before the run, some come while it goes on; one of them by a name of ours."""
    out = tmp_path / "out"
    command = (model, "--input", samples, "-o", out)
    assert bim_compile(*command, "--steps", 3).code == 0
    (out / "notes").mkdir()
    (out / "notes" / "a.txt").write_text("before")
    arranged = compiling._arranged

    def meanwhile(*args: Any) -> Any:
        (out / "b.txt").write_text("meanwhile")
        (out / "summary.txt").write_text("changed meanwhile")
        return arranged(*args)

    monkeypatch.setattr(compiling, "_arranged", meanwhile)
    ended = bim_compile(*command, "--steps", 4)
    assert ended.code == 0
    assert re.search(r"note: .*summary\.txt\.~1~", " ".join(ended.err.split()))
    assert result(out)["steps"] == 4
    assert (out / "notes" / "a.txt").read_text() == "before"
    assert (out / "b.txt").read_text() == "meanwhile"
    assert (out / "summary.txt.~1~").read_text() == "changed meanwhile"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["summary.json", "model.nir", "report.html"])
def test_a_file_of_ours_that_was_changed_is_not_replaced(tmp_path: Path, model: Path, samples: Path, name: str) -> None:
    out = tmp_path / "out"
    assert bim_compile(model, "--input", samples, "-o", out).code == 0
    with (out / name).open("ab") as file:
        file.write(b" and a word of mine")
    before = content(out)
    ended = bim_compile(model, "--input", samples, "-o", out)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert f"{out / name} was changed" in ended.err
    assert content(out) == before


@pytest.mark.parametrize("theirs", [["summary.json"], ["model.nir", "summary.json"], sorted(folder.OUTPUT_FILES)])
def test_our_names_alone_do_not_make_a_folder_ours(
    tmp_path: Path, model: Path, samples: Path, theirs: list[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in theirs:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("{}")
    before = content(out)
    ended = bim_compile(model, "--input", samples, "-o", out)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert theirs[0].split("/")[0] in ended.err
    assert content(out) == before


@pytest.mark.parametrize("name", [folder.LIST, "model.nir", "../out.learned", "../out.resume/manifest.json"])
def test_a_pipe_in_the_place_of_a_file_of_ours_is_not_waited_for(
    tmp_path: Path, model: Path, samples: Path, name: str
) -> None:
    out = tmp_path / "out"
    assert bim_compile(model, "--input", samples, "-o", out).code == 0
    (tmp_path / "out.resume").mkdir()
    pipe = out / name
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    options = ("--learn", "rtrl", "--set", "learn.samples=20") if "learned" in name else ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "SHARD", 4)
        ended = bim_compile(model, "--input", samples, "-o", out, *options)
    assert (ended.code, len(ended.errors)) == ((0, 0) if "learned" in name else (2, 1)), ended
    assert pipe.is_fifo() or "learned" in name


def test_the_root_is_no_place_for_a_result(model: Path, samples: Path) -> None:
    ended = bim_compile(model, "--input", samples, "-o", "/")
    assert (ended.code, len(ended.errors)) == (2, 1)


def test_a_place_behind_a_link_that_loops_is_refused(tmp_path: Path, model: Path, samples: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    ended = bim_compile(model, "--input", samples, "-o", tmp_path / "loop" / "out")
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "leads back to itself" in ended.err


def test_a_folder_of_version_0_1_is_ours_and_a_report_made_again_too(
    tmp_path: Path, model: Path, samples: Path
) -> None:
    out = tmp_path / "out"
    command = (model, "--input", samples, "-o", out)
    assert bim_compile(*command).code == 0
    (out / folder.LIST).unlink()  # 0.1 kept no list, and wrote no board kit
    shutil.rmtree(out / "board")
    assert bim_compile(*command, "--steps", 4).code == 0
    (out / "report.html").write_text("stale")
    assert bim_report(out, "-o", out / "report.html").code == 0
    assert bim_compile(*command, "--steps", 5).code == 0
    assert result(out)["steps"] == 5


# ---- kills between two changes of the file system


@pytest.mark.parametrize("stopped_after", [3, 9, *slow(0, 6)])
def test_a_kill_on_the_way_in_is_mended_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path, stopped_after: int
) -> None:
    """The first run is stopped after some of the renames that bring a result in; the second finds it complete."""
    out = tmp_path / "out"
    command = (model, "--input", samples, "-o", out)
    assert bim_compile(*command, "--steps", 3).code == 0
    (out / "notes.txt").write_text("mine")
    former, renamed = content(out), []
    replace = Path.replace

    class Killed(BaseException):
        """As good as -9: nothing is tidied up, as `stopped` below sees to."""

    def stopped(source: Path, target: Path) -> Path:
        if source.parent.name.startswith(".bim-compile.") and target.parent == out:
            renamed.append(target)
            if len(renamed) > stopped_after:
                raise Killed
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopped)
        with pytest.raises(Killed):
            bim_compile(*command, "--steps", 4)
    assert len([name for name in names(out) if name.startswith(".bim-compile.") and name != folder.LIST]) == 1
    with folder.reserved(out):  # what every job does first
        assert result(out)["steps"] == 4
        assert {name for name in content(out) if name != "notes.txt"} == set(former) - {"notes.txt"}
    assert (out / "notes.txt").read_text() == "mine"
    assert bim_compile(*command, "--steps", 4).code == 0
    assert names(tmp_path) == ["out"]


def test_what_dead_runs_left_is_swept_and_what_live_runs_hold_is_not(
    tmp_path: Path, model: Path, samples: Path
) -> None:
    out = tmp_path / "out"
    command = (model, "--input", samples, "-o", out)
    assert bim_compile(*command).code == 0
    stage = out / ".bim-compile.abcd1234"
    stage.mkdir()
    (stage / "summary.json").write_text("half")
    (tmp_path / ".out.lock").write_text("999999999\n")  # of a process that was killed: nobody holds it
    with folder.reserved(out):
        assert not stage.exists()
        stage.mkdir()
        ended = bim_compile(*command)
        assert (ended.code, len(ended.errors)) == (2, 1)
        assert f"{out} is being written by another run, process {os.getpid()}" in ended.err
        assert stage.exists()
    assert bim_compile(*command).code == 0
    assert names(tmp_path) == ["out"]
    written = {file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()}
    assert written == folder.OUTPUT_FILES | {folder.LIST}


def test_two_trainings_do_not_take_each_others_files(tmp_path: Path, data: Path) -> None:
    model = tmp_path / "own.pt"
    with places.training_place(model, restart=False):
        ended = own(data, model, "--restart")
        assert (ended.code, len(ended.errors)) == (2, 1)
        assert f"process {os.getpid()}" in ended.err
    (tmp_path / ".own.pt.resume.abcd1234.part").write_text("half")
    assert own(data, model).code == 0
    assert names(tmp_path) == ["own.pt", "own.pt.request.toml"]


def test_a_file_system_without_locks_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path
) -> None:
    def unsupported(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    for steps in (3, 4):
        assert bim_compile(model, "--input", samples, "--steps", steps, "-o", tmp_path / "out").code == 0
    assert names(tmp_path) == ["out"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        steps.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().suffix or 'folder'}")
        fsync(handle)

    def renamed(source: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    atomic.write(tmp_path / "a.txt", "text")
    assert steps == ["sync .part", "rename", "sync folder"]


# ---- a full disk


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """Mount a tiny file system; skip where this user may not."""
    path.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(path).encode(), b"tmpfs", 0, f"size={size}".encode()):
        pytest.skip(f"cannot mount a file system here: {os.strerror(ctypes.get_errno())}")
    try:
        yield path
    finally:
        libc.umount2(str(path).encode(), 2)


@pytest.mark.parametrize("size", ["16k", "64k", *slow("4k", "40k", "120k")])
def test_a_compile_onto_a_full_disk_is_one_line(tmp_path: Path, model: Path, samples: Path, size: str) -> None:
    with small_disk(tmp_path / "disk", size) as disk:
        ended = bim_compile(model, "--input", samples, "-o", disk / "out")
        assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended
        line = " ".join(ended.err.split())
        assert re.search(rf"cannot write {disk}/out/\S+: No space left on device", line)
        assert "free some disk space" in line
        assert names(disk) == []


@pytest.mark.parametrize("size", ["8k", "40k"])
def test_a_training_onto_a_full_disk_is_one_line(tmp_path: Path, data: Path, size: str) -> None:
    with small_disk(tmp_path / "disk", size) as disk:
        ended = own(data, disk / "own.pt")
        assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended
        assert re.search(rf"cannot write {disk}/own\.pt\S*: No space left on device \(it takes [\d,]+ bytes", ended.err)
        assert [name for name in names(disk) if name != "own.pt.resume"] == []


@pytest.mark.slow  # tests/intake/test_hostile.py has one
@pytest.mark.parametrize("limit", [100, 2_000, 8_192, 30_000])
def test_a_process_of_its_own_ends_whole_where_files_may_not_grow(
    tmp_path: Path, model: Path, samples: Path, limit: int
) -> None:
    """Needs no rights, so it runs everywhere; HDF5 once crashed the interpreter at its end."""

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start("compile", model, "--input", samples, "-o", tmp_path / "out", preexec_fn=small_files)
    ended = finish(process)
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended
    assert re.search(rf"cannot write {tmp_path}/out/\S+: File too large \(it takes [\d,]+ bytes\)", ended.err)
    assert names(tmp_path) == []


# ---- interruptions say what was kept


@pytest.mark.slow
def test_ctrl_c_in_training_says_at_which_epoch_it_is_kept(tmp_path: Path, data: Path) -> None:
    model = tmp_path / "own.pt"
    resume = tmp_path / "own.pt.resume"
    for_ever = ("--epochs", 100_000, "--set", "train.patience=99999")
    process = start("train", "own", "--data", data, "-o", model, *TRAINING[2:], *for_ever)
    deadline = time.monotonic() + 200
    saved: set[int] = set()
    while len(saved) < 2 and time.monotonic() < deadline:  # the second is written after the first was told
        with contextlib.suppress(FileNotFoundError):
            saved.add(resume.stat().st_mtime_ns)
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    line = rf"interrupted; training is kept at epoch (\d+) in {resume}: "
    line += "run the same command again to resume, --restart starts anew"
    assert len(ended.errors) == 1
    assert re.fullmatch(line, ended.errors[0])
    assert names(tmp_path) == ["own.pt.resume"]


def test_what_is_kept_is_said_only_where_somebody_listens() -> None:
    kept.say("a", "nobody hears this")
    with kept.listening():
        kept.say("a", "first")
        kept.say("b", "second")
        kept.say("a", "third")
        assert kept.sentences() == ("third", "second")
        kept.forget("b")
        assert kept.sentences() == ("third",)
    assert kept.sentences() == ()


def test_a_second_interruption_does_not_cut_short_what_the_first_began() -> None:
    code = """
import os, signal, sys, time
from bim_neuro.cli.console import guarded
def command():
    try:
        os.kill(os.getpid(), signal.SIGINT); time.sleep(5)
    finally:
        os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1); print("tidied")
guarded(command, False)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (130, "tidied\n")
    assert ended.stderr == "interrupted; no file was left half-written\n"


def test_what_is_told_to_be_ignored_is_ignored() -> None:
    """As nohup, and as a shell does for jobs in the background."""
    code = """
import os, signal
from bim_neuro.cli.console import guarded
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
def command():
    os.kill(os.getpid(), signal.SIGHUP); os.kill(os.getpid(), signal.SIGINT); print("went on")
guarded(command, False)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "went on\n", "")


@pytest.mark.parametrize("error", ["RuntimeError('a callback failed')", "OSError(5, 'half a line')"])
def test_what_a_library_makes_of_an_interruption_is_an_interruption(error: str) -> None:
    code = f"""
import os, signal, time
from bim_neuro.cli.console import guarded
signal.signal(signal.SIGINT, signal.default_int_handler)
def command():
    try:
        os.kill(os.getpid(), signal.SIGINT); time.sleep(5)
    except KeyboardInterrupt:
        raise {error}
guarded(command, False)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (130, "interrupted; no file was left half-written\n")


def test_an_interruption_where_nothing_can_be_raised_comes_a_moment_later() -> None:
    code = """
import os, signal, time
from bim_neuro.cli.console import guarded
class Late:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT); time.sleep(0.1)
def command():
    Late()
    time.sleep(200)
guarded(command, False)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (130, "interrupted; no file was left half-written\n")

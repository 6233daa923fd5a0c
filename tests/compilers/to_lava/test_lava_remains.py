"""Whatever ends a run of Lava, nothing of it stays: no process, no shared memory, no folder; and nobody else's goes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from lava_runs import ENDLESS, ROOT, Run, left, processes, shared, start, tiny_graph

from bim_neuro.compilers.to_lava import remains
from bim_neuro.compilers.to_lava.remains import PREFIX, SHARED_MEMORY, remove_dead, workplace
from bim_neuro.errors import BackendFailed
from bim_neuro.simulation.reference import simulate


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A temporary folder of its own for the run of a test."""
    folder = tmp_path / "t"
    folder.mkdir()
    return folder


@pytest.fixture
def begin(temporary: Path) -> Iterator[Callable[..., Run]]:
    """Start runs; nothing of a failed test stays."""
    runs: list[Run] = []

    def begin(steps: int, **more: float) -> Run:
        runs.append(start(temporary, steps, **more))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.process.communicate(timeout=200)
    for pid in processes(temporary):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.lava
def test_a_run_that_finishes_leaves_nothing(temporary: Path, begin: Callable[..., Run]) -> None:
    run = begin(400)
    name = run.name()
    expected = simulate(tiny_graph(), np.ones((1, 400, 2), np.int64)).output.sum()
    assert run.end() == (0, f"spikes: {expected}")
    assert left(temporary, name, seconds=0) == []


@pytest.mark.lava
@pytest.mark.slow
def test_a_run_past_its_time_limit_leaves_nothing(temporary: Path, begin: Callable[..., Run]) -> None:
    run = begin(ENDLESS, limit=6)
    name = run.name()
    assert run.end() == (4, f"Lava ran past its time limit of 6 s for {ENDLESS + 1} steps and was stopped")
    assert left(temporary, name, seconds=0) == []


def interrupt_twice(run: Run) -> None:
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    run.process.send_signal(signal.SIGINT)


KILLS: dict[str, tuple[Callable[[Run], None], str]] = {
    "interrupt": (lambda run: run.process.send_signal(signal.SIGINT), "interrupted"),
    "terminate": (lambda run: run.process.terminate(), "interrupted"),
    "interrupt twice": (interrupt_twice, ""),
    "kill the parent": (lambda run: run.process.kill(), ""),
    "kill the guard": (lambda run: os.kill(run.guard(), signal.SIGKILL), "Lava ended with exit code -9"),
    "kill Lava": (
        lambda run: os.kill(run.lava(), signal.SIGKILL),
        "a process of Lava was killed: the main process got SIGKILL",
    ),
    "kill an actor": (lambda run: os.kill(run.actor(), signal.SIGKILL), "a process of Lava was killed: '"),
    "end an actor": (lambda run: os.kill(run.actor(), signal.SIGTERM), "a process of Lava was killed: '"),
}


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("how", KILLS)
def test_a_run_that_is_killed_leaves_nothing_and_does_not_wait_for_its_time_limit(
    temporary: Path, begin: Callable[..., Run], how: str
) -> None:
    kill, says = KILLS[how]
    run = begin(ENDLESS)
    name = run.wait_for_lava()
    kill(run)
    code, last = run.end() if says else (run.process.wait(200), "")
    assert code in ((130,) if says == "interrupted" else (4,) if says else (-9, 1, 130, -2))
    assert last.startswith(says)
    assert left(temporary, name) == []


@pytest.mark.lava
@pytest.mark.slow
def test_after_parent_and_guard_are_killed_the_next_start_removes_all(
    temporary: Path, begin: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(ENDLESS)
    name, guard = run.wait_for_lava(), run.guard()
    os.kill(run.tracker(), signal.SIGKILL)  # Python's own broom
    os.kill(run.process.pid, signal.SIGSTOP)  # so that neither has time to clean up after the other
    os.kill(guard, signal.SIGKILL)
    run.process.kill()
    run.process.wait(200)
    deadline = time.monotonic() + 60
    while processes(temporary) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes(temporary) == []  # the kernel ended them
    assert len(shared(name)) > 10
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    deadline = time.monotonic() + 60  # what the kernel ends holds its lease until its last file is closed
    while shared(name) and time.monotonic() < deadline:
        with workplace():
            time.sleep(0.02)
    with workplace() as place:
        assert shared(name) == []
        assert list(temporary.iterdir()) == [place.folder]
    assert list(temporary.iterdir()) == []


def lease(name: str) -> Path:
    return SHARED_MEMORY / f"{name}.lease"


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """Names of a dead run, of one that lives in another process, and of somebody else; in a folder of their own."""
    memory = tmp_path / "shm"
    memory.mkdir()
    monkeypatch.setattr(remains, "SHARED_MEMORY", memory)
    monkeypatch.setitem(globals(), "SHARED_MEMORY", memory)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, alive, other = f"{PREFIX}dead", f"{PREFIX}alive", "psm_1234abcd"
    for name in (dead, alive):
        (tmp_path / name).mkdir()
        for file in (lease(name), memory / f"{name}-1", memory / f"sem.{name}-2"):
            file.touch()
    for file in (memory / other, memory / f"{PREFIX}no-lease-1", memory / "sem.mp-x"):
        file.touch()
    return dead, alive, other


def test_a_start_removes_what_dead_runs_left_and_nothing_else(names: tuple[str, str, str], tmp_path: Path) -> None:
    dead, alive, other = names
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").mkdir()
    with lease(alive).open() as held, (tmp_path / alive / "lock").open("w"):
        fcntl.flock(held, fcntl.LOCK_EX)
        folder = os.open(tmp_path / alive, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        remove_dead()
        os.close(folder)
    there = {path.name for path in (*SHARED_MEMORY.iterdir(), *tmp_path.iterdir())} - {"shm"}
    kept = {f"{alive}.lease", f"{alive}-1", f"sem.{alive}-2", alive, other, "sem.mp-x", f"{PREFIX}no-lease-1"}
    assert there == kept | {f"{PREFIX}link", "precious"}
    assert not [name for name in there if dead in name]


def test_a_file_system_without_locks_is_refused_and_left_clean(
    names: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BackendFailed, match="has no file locks"), workplace():
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_no_shared_memory_is_refused_and_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(remains, "SHARED_MEMORY", tmp_path / "no such place")
    with pytest.raises(BackendFailed, match="Lava needs shared memory in"), workplace():
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.lava
@pytest.mark.slow
def test_a_full_shared_memory_is_said_in_one_line(tmp_path: Path) -> None:
    """In a mount namespace with a /dev/shm of 64 KiB."""
    mount = "mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "
    if subprocess.run(["unshare", "-m", "sh", "-c", f"{mount}true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    script = f"{mount}{sys.executable} {ROOT / 'tests' / 'lava_runs.py'} 100 600"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "shared memory (/dev/shm) is full" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["_claim", "remove"])
def test_an_interruption_while_a_run_is_set_up_or_removed_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    names: list[Path] = []
    done = getattr(remains, moment)

    def used() -> Path:
        with workplace() as place:
            assert list(temporary.iterdir()) == [place.folder]
        return place.folder

    def interrupted(*given: Path) -> object:
        names.extend(given)
        signal.raise_signal(signal.SIGINT)
        return done(*given)

    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(remains, moment, interrupted)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # ours takes two for one
    try:
        with pytest.raises(KeyboardInterrupt):
            names.append(used())
    finally:
        signal.signal(signal.SIGINT, handler)
    assert list(temporary.iterdir()) == []
    assert [file for folder in names for file in shared(folder.name)] == []

"""Kill the commands at random moments; check that nothing is lost, nothing is left, and the next run gives the same.

    python scripts/kills.py --kills 200 --seed 0 --jobs 2  as make kills
    python scripts/kills.py --case 17                      repeat one case

Each case takes one command (compile, train, learn, a run in shards, a comparison with Lava), starts it, and ends it by
-9, TERM, Ctrl-C or Ctrl-C twice: after a random part of the time it takes, or right before a random change of the file
system. Then it checks for left processes, temporary folders and shared memory, and the user's own files; and runs
the same command again, whose result must be that of an uninterrupted run.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from kill_run import MARK, ROOT, Run, ours  # which puts this checkout and tests/ on the path
from kill_scenarios import NOTE, Scenario, scenarios

from bim_neuro.simulation.compiled import load_kernels

SHARED_MEMORY = Path("/dev/shm")
TIDY_SECONDS = 30.0
COLD = 0.1  # share of the cases that start a fresh Python
KINDS = {
    "-9": ["SIGKILL"],
    "TERM": ["SIGTERM"],
    "INT": ["SIGINT"],
    "INT twice": ["SIGINT", "SIGINT"],
    "-9 all": ["SIGKILL"],  # the command and all of its children
}


class Case:
    """One kill and the run after it; ``faults`` are the errors found, as sentences."""

    def __init__(self, scenario: Scenario, folder: Path, kind: str, *, cold: bool) -> None:
        self.scenario, self.folder, self.kind, self.cold = scenario, folder, kind, cold
        self.sessions: list[int] = []
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.temporary = folder.with_name("tmp")
        self.environment = os.environ | {
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(self.temporary), MARK: self.mark,
            "TORCHINDUCTOR_CACHE_DIR": str(folder.with_name("torch")),
        }  # fmt: skip
        self.faults: list[str] = []

    def start(self, **settings: Any) -> Run:
        settings["job"] = self.scenario.job
        log = self.folder.with_name("log.txt")
        log.unlink(missing_ok=True)
        run = Run(self.scenario.entry, self.scenario.arguments, settings, self.environment, log, cold=self.cold)
        self.sessions.append(run.pid)
        return run

    def ours(self) -> list[int]:
        return ours(self.mark, self.sessions)

    def fresh(self, template: Path) -> None:
        """Put the case's folder into its first state."""
        for folder in (self.folder, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
        for segment in SHARED_MEMORY.iterdir() if private_shared_memory() else ():
            segment.unlink()  # of an earlier case, already reported
        shutil.copytree(template, self.folder, symlinks=True)
        self.temporary.mkdir()

    def kill_after(self, seconds: float) -> tuple[int, str]:
        run = self.start()
        time.sleep(seconds)
        targets = [run.pid]
        if self.kind == "-9 all":
            targets = self.ours()
        for name in KINDS[self.kind]:
            for pid in targets:
                with suppress(ProcessLookupError):
                    send = os.killpg if name == "SIGINT" else os.kill  # a terminal signals the whole group
                    send(pid, getattr(signal, name))
            time.sleep(0.02)
        return run.finish()

    def kill_at(self, change: int) -> tuple[int, str]:
        return self.start(at=change, signals=KINDS[self.kind]).finish()

    def check_end(self, code: int, err: str, former: Any, whole: Any) -> None:
        """Check what the killed run left."""
        allowed = {0, -signal.SIGKILL} if self.kind.startswith("-9") else {0, 130, -signal.SIGTERM, -signal.SIGINT}
        if code not in allowed and not (code == 1 and "in guarded" not in err):
            self.faults.append(f"ended with exit code {code}: {err[-600:]}")
        if "in guarded" in err:
            self.faults.append(f"a traceback: {err[-600:]}")
        if not self._wait(lambda: not self.ours()):
            self.faults.append(f"processes stay: {self.ours()}")
        if self.kind != "-9 all" and not self._wait(lambda: not self._left()):
            self.faults.append(f"left after the end: {_few(self._left())}")
        self._check_note()
        if not self.kind.startswith("-9") and self.scenario.name != "lava":
            now = self.scenario.result(self.folder)
            if self.scenario.entry == "compile" and now not in (former, whole):
                self.faults.append("OUT is neither the former nor the fresh result")

    def check_again(self, whole: Any, entries: set[str]) -> None:
        """Run the command again; it must end as an uninterrupted run, and leave nothing else."""
        code, err = self.start().finish()
        if code != 0:
            self.faults.append(f"the next run ended with exit code {code}: {err[-600:]}")
        elif self.scenario.result(self.folder) != whole:
            difference = _difference(self.scenario.result(self.folder), whole)
            self.faults.append(f"the next run's result is another: {difference}")
        if names(self.folder) != entries:
            self.faults.append(f"left beside the result: {sorted(names(self.folder) ^ entries)}")
        if not self._wait(lambda: not (self.ours() or self._left())):
            self.faults.append(f"left after the next run: {self.ours()} {_few(self._left())}")
        self._check_note()

    def _left(self) -> list[str]:
        shared = list(SHARED_MEMORY.iterdir()) if private_shared_memory() else []
        return [str(entry) for entry in (*self.temporary.iterdir(), *shared)]

    def _wait(self, done: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + TIDY_SECONDS
        while not done() and time.monotonic() < deadline:
            time.sleep(0.1)
        return done()

    def _check_note(self) -> None:
        note = self.folder / "out" / "notes.txt"
        if self.scenario.entry == "compile" and (not note.exists() or note.read_text() != NOTE):
            self.faults.append("the user's file in OUT is gone")


def _few(entries: list[str]) -> str:
    return ", ".join(entries[:4]) + (f" and {len(entries) - 4} more" if len(entries) > 4 else "")


def names(folder: Path) -> set[str]:
    """Return every name below a folder, hidden ones too."""
    return {str(entry.relative_to(folder)) for entry in folder.rglob("*")}


def _difference(left: Any, right: Any, path: str = "") -> str:
    """Return where two results first differ."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        pairs = [(key, left[key], right[key]) for key in left]
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        pairs = list(zip(range(len(left)), left, right, strict=True))
    else:
        return f"{path}: {left!r:.80} instead of {right!r:.80}"
    return next((_difference(a, b, f"{path}/{key}") for key, a, b in pairs if a != b), path)


# ---- all cases


@dataclass(frozen=True)
class Undisturbed:
    """Time, file system changes and result of an uninterrupted run of a command."""

    seconds: float
    changes: int
    former: Any
    whole: Any
    entries: set[str]


class Harness:
    """The commands, each run once without a kill, then killed."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.folder = work / "case"
        self.scenarios = scenarios(self.folder)
        self.known: dict[tuple[str, bool], Undisturbed] = {}

    def template(self, scenario: Scenario) -> Path:
        """Return the first state of a command's folder; paths in it are those of the case's folder."""
        template = self.work / f"template-{scenario.name}"
        if not template.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
            scenario.prepare(self.folder)
            self.folder.rename(template)
        return template

    def undisturbed(self, scenario: Scenario, *, cold: bool) -> Undisturbed:
        if (scenario.name, cold) not in self.known:
            case = Case(scenario, self.folder, "-9", cold=cold)
            case.fresh(self.template(scenario))
            former = scenario.result(self.folder)
            counter = self.work / "count.txt"
            case.start().finish()  # once more, where kernels are compiled on the first run
            case.fresh(self.template(scenario))
            started = time.monotonic()
            code, err = case.start(count_to=str(counter)).finish()
            seconds = time.monotonic() - started
            assert code == 0, f"{scenario.name}, undisturbed: exit code {code}: {err}"
            changes, whole = int(counter.read_text()), scenario.result(self.folder)
            self.known[scenario.name, cold] = Undisturbed(seconds, changes, former, whole, names(self.folder))
            how = "a fresh Python" if cold else "a fork"
            print(f"{scenario.name} in {how}: {seconds:.1f} s, {changes} changes of the file system", flush=True)
        return self.known[scenario.name, cold]

    def case(self, seed: int, number: int) -> Case:
        """Run one case; its random choices depend only on the seed and its number."""
        dice = random.Random(f"{seed} {number}")
        scenario = self.scenarios[number % len(self.scenarios)]
        cold = dice.random() < COLD
        sound = self.undisturbed(scenario, cold=cold)
        case = Case(scenario, self.folder, dice.choice(list(KINDS)), cold=cold)
        case.fresh(self.template(scenario))
        if case.kind != "-9 all" and dice.random() < 0.5:
            change = dice.randint(1, sound.changes)
            moment = f"before change {change} of {sound.changes}"
            ended = case.kill_at(change)
        else:
            seconds = dice.uniform(0, sound.seconds)
            moment = f"after {seconds:.2f} of {sound.seconds:.2f} s"
            ended = case.kill_after(seconds)
        case.check_end(*ended, sound.former, sound.whole)
        case.check_again(sound.whole, sound.entries)
        word = "; ".join(case.faults) or "sound"
        where = " in a fresh Python" if cold else ""
        print(f"case {number}: {scenario.name}{where}, {case.kind}, {moment}, ended {ended[0]}: {word}", flush=True)
        return case


def private_shared_memory() -> bool:
    """Whether /dev/shm is private to this process, see `_with_private_shared_memory`."""
    return os.environ.get("BIM_NEURO_KILLS_PRIVATE") == "1"


def _with_private_shared_memory() -> None:
    """Restart this program with a private /dev/shm, if permitted: there every segment belongs to a case."""
    if private_shared_memory() or not shutil.which("unshare"):
        return
    script = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    tried = ["unshare", "-m", "sh", "-c", script, "sh"]
    if subprocess.run([*tried, "true"], capture_output=True, check=False).returncode == 0:
        environment = os.environ | {"BIM_NEURO_KILLS_PRIVATE": "1"}
        os.execvpe("unshare", [*tried, sys.executable, *sys.argv], environment)


def main() -> int:
    """Run the cases; return 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run only this case")
    parser.add_argument("--jobs", type=int, default=1, help="cases at a time, each in its own process")
    parser.add_argument("--part", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.jobs > 1 and options.case is None and "--part" not in sys.argv:
        parts = [[sys.executable, *sys.argv, "--part", str(part)] for part in range(options.jobs)]
        return max(process.wait() for process in [subprocess.Popen(part) for part in parts])
    _with_private_shared_memory()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its jobs in the background ignore it
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    load_kernels()
    if not private_shared_memory():
        print("shared memory is not checked: that needs a private /dev/shm (root, or user namespaces)")
    numbers = range(options.part, options.kills, options.jobs) if options.case is None else [options.case]
    started, kinds, unsound = time.monotonic(), Counter[str](), []
    work = Path(tempfile.mkdtemp(prefix="bim-kills-"))  # a TemporaryDirectory would go when a fork ends
    try:
        harness = Harness(work)
        for number in numbers:
            case = harness.case(options.seed, number)
            kinds[f"{case.scenario.name} {case.kind}"] += 1
            if case.faults:
                unsound.append(number)
    finally:
        shutil.rmtree(work)
    print(", ".join(f"{name}: {count}" for name, count in sorted(kinds.items())))
    print(f"{len(numbers)} kills in {(time.monotonic() - started) / 60:.1f} minutes: "
          f"{len(unsound)} not sound{f' (cases {unsound})' if unsound else ''}")  # fmt: skip
    return 1 if unsound else 0


if __name__ == "__main__":
    sys.exit(main())

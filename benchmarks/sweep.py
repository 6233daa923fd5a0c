"""Sweeps: two workers against one, what planning costs in memory, and at how many workers the seam saturates.

python -m benchmarks.sweep speed [MODEL]     one process and two in turn, five times, on an idle machine: a sweep of
                                             12 trainings of digits, or of 24 compiles of MODEL
python -m benchmarks.sweep memory            ten thousand trials planned, handed out and heard
python -m benchmarks.sweep saturation FOLDER trials of a finished sweep at their measured seconds, on more workers
"""

from __future__ import annotations

import heapq
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from bim_neuro.executors import Pool
from bim_neuro.sweep.names import names
from bim_neuro.sweep.proposals import Combinations
from bim_neuro.sweep.run import Sweep
from bim_neuro.sweep.space import space_of
from bim_neuro.sweep.store import Store
from bim_neuro.sweep.table import read_table
from bim_neuro.sweep.trial import Maker
from bim_neuro.sweep.work import row_of

ROUNDS = 5
SWING = 1.15
"""Slowest over fastest of one process alone; above, this machine is too busy to measure a ratio."""
COMPILES = ("--vary", "lowering=fused,stock", "prune=0:.55:.05", "--fix", "samples=all")
"""Trials of one or two seconds: what a worker takes to start, some eight, counts as much."""
TRAININGS = ("--train", "digits", "--vary", "learning_rate=.001,.002,.004,.006,.008,.012", "--seeds", "2",
             "--fix", "samples=all", "epochs=40", "channels=64")  # fmt: skip
"""Of one length: trials of several leave a worker without one at the end, whatever the seam."""
COMMAND = "import sys; from bim_neuro.cli import sweep_main; sweep_main()"
LOOP = "for i in range(60_000_000): pass"
"""What two processes that share nothing gain on this machine: the most that any seam can."""


def speed(*model: str) -> None:
    """Print the median of the ratios of one process to two, alternated; start and end of the workers count."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    loops: dict[int, list[float]] = {1: [], 2: []}
    sweep = [*model, *(COMPILES if model else TRAININGS)]
    for _ in range(ROUNDS):
        for workers, times in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                options = ["--executor", f"processes:{workers}", "-o", folder]
                started = time.perf_counter()
                subprocess.run([sys.executable, "-c", COMMAND, *sweep, *options], check=True, capture_output=True)
                times.append(time.perf_counter() - started)
                trials = len(list(Path(folder, "trials").iterdir()))
            loops[workers].append(_loops(workers))
    swing = max(seconds[1]) / min(seconds[1])
    ratio, most = (
        statistics.median(one / two for one, two in zip(times[1], times[2], strict=True)) for times in (seconds, loops)
    )
    said = "" if swing < SWING else f"; not measurable: one process alone swings by {swing:.2f}"
    one, two = (statistics.median(times) for times in seconds.values())
    print(
        f"{trials} trials: one process {one:.1f} s, two {two:.1f} s, ratio {ratio:.2f}; "
        f"two empty loops gain {most:.2f} here{said}"
    )


def _loops(at_once: int) -> float:
    """Return the seconds of two empty loops, so many at once."""
    started = time.perf_counter()
    for _ in range(2 // at_once):
        for process in [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(at_once)]:
            process.wait()
    return time.perf_counter() - started


class _AtOnce(Executor):
    """Has every result at once: what is left is the sweep's own work, and a small file a trial."""

    def submit(self, call: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        order, folder, _ = args
        place = Path(folder) / "trials" / order["key"]
        place.mkdir()
        (place / "trial.json").write_text(json.dumps(row_of(order, "done", "")))
        future.set_result({})
        return future


def memory() -> None:
    """Print the memory after a thousand trials and after ten thousand, and the seconds that one takes here."""
    known = names(training=False)
    space = space_of(["prune=0:.9:.001", "segments=4,8,16", "decay_bits=8,9,10,11"], None, known)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "out").opened() as store:
        model = Path(folder) / "model.pt"
        model.write_bytes(b"model")
        maker = Maker(model, None, {"lowering": "stock"}, known, lambda values: frozenset())
        pool = Pool("at once", _AtOnce, lambda: 2, shared=True)
        tracemalloc.start()
        started, heights = time.perf_counter(), []
        for trials in (1_000, 10_000):
            tracemalloc.reset_peak()
            done = Sweep(store, pool, Combinations(space, maker, seed=0, trials=trials)).run().done
            heights.append((done, tracemalloc.get_traced_memory()[1] / 2**20))
        each = (time.perf_counter() - started) / sum(done for done, _ in heights)
    print("; ".join(f"{done:,} trials: at most {height:.2f} MiB" for done, height in heights))
    print(f"{1e3 * each:.2f} ms a trial are the sweep's own, traced")


def saturation(folder: str, own: float) -> None:
    """Print trials a minute by the number of workers, one at a time handed out in ``own`` seconds."""
    seconds = [row["seconds"] for row in read_table(Path(folder))["trials"] if row["status"] == "done"]
    mean = statistics.mean(seconds)
    print(f"{len(seconds)} measured trials, {mean:.2f} s each; the sweep's own {1e3 * own:.2f} ms")
    for workers in (1, 2, 8, 32, 128, 512, 2048, 8192):
        count = max(4_000, 20 * workers)
        free, clock, end = [0.0] * workers, 0.0, 0.0
        for index in range(count):
            clock = max(clock + own, heapq.heappop(free))
            end = clock + seconds[index % len(seconds)]
            heapq.heappush(free, end)
        rate = count / max(free)
        print(f"{workers:6,} workers: {60 * rate:12,.0f} trials a minute, {rate * mean / workers:4.0%} of them busy")
    print(f"half of the workers wait from about {2 * mean / own:,.0f} on")


def main() -> None:
    """Run what the command line names."""
    match sys.argv[1:]:
        case ["speed", *model] if len(model) < 2:
            speed(*model)
        case ["memory"]:
            memory()
        case ["saturation", folder, *own]:
            saturation(folder, float(own[0]) if own else 1e-3)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()

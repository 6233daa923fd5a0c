"""A generated text of WikiText-103's size goes through a language task at constant memory.

python -m benchmarks.streamed_text FOLDER                    540 MB, bytes and words; FOLDER takes 3 GB with its cache
python -m benchmarks.streamed_text FOLDER --megabytes 60
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

LEVELS = ("language", "language-words")
WORDS = 200_000
"""Different words: WikiText-103 has 267,735."""
BATCH = 64
_CHILD = "--read"


def make(folder: Path, megabytes: int) -> None:
    """Write a corpus of words whose frequencies fall as 1 / rank; validation and test have a megabyte each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, (WORDS, 8)).astype(np.uint8)
    words = np.array([bytes(row[: 2 + number % 7]).decode() for number, row in enumerate(letters)])
    for mark, size in (("train", megabytes), ("valid", 1), ("test", 1)):
        with (folder / f"wiki.{mark}.raw").open("w", encoding="utf-8") as file:
            while file.tell() < size * 1e6:
                ranks = (WORDS ** rng.random(100_000)).astype(int) - 1
                lines = words[ranks].reshape(-1, 25)
                file.write("".join(f" {' '.join(line)} \n" for line in lines.tolist()))


def read(folder: Path, level: str) -> dict[str, float]:
    """Load the task, go once through the training windows in random order; return seconds and private memory in MB."""
    from bim_neuro.tasks import load_task

    before, start = _private(), time.perf_counter()
    task = load_task(level, folder)
    loaded, most = time.perf_counter(), _private()
    order = np.random.default_rng(0).permutation(len(task.train))
    read = 0
    for number, first in enumerate(range(0, len(order), BATCH)):
        batch = task.train.take(np.sort(order[first : first + BATCH]))
        read += batch.x.size
        if number % 100 == 0:
            most = max(most, _private())
    seconds = time.perf_counter() - loaded
    return {"loading_s": loaded - start, "tokens": read, "tokens_a_second": read / seconds, "grown_mb": most - before}


def measured(folder: Path, megabytes: int, level: str) -> float:
    """By how many MB a process grows that reads a text of so many MB."""
    make(folder, megabytes)
    return _in_child(folder, level)["grown_mb"]


def _in_child(folder: Path, level: str) -> dict[str, float]:
    environment = os.environ | {"BIM_NEURO_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "benchmarks.streamed_text", str(folder), _CHILD, level]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _private() -> float:
    """Memory of this process in MB that is its own; pages of mapped files are the system's to drop."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon:"))


def main() -> None:
    """Make the corpus and read it at both levels, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=540)
    parser.add_argument(_CHILD, choices=LEVELS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.folder, options.read)))
        return
    make(options.folder, options.megabytes)
    for level in LEVELS:
        row = _in_child(options.folder, level)
        speed = f"loaded in {row['loading_s']:.1f} s, {row['tokens_a_second'] / 1e6:.1f} M tokens/s"
        print(f"{level}: {row['tokens']:,} tokens, {speed}, private memory grew by {row['grown_mb']:.0f} MB")


if __name__ == "__main__":
    main()

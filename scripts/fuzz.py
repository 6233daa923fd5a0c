"""make fuzz: damage files of every format at random and read them with the real commands, in two forked workers.

    scripts/fuzz.py --cases 100 --seed 0                    every format
    scripts/fuzz.py --seed 0 --format pt --case 17          repeat one case and show its output

Exit code 1 if a case failed: it had exit code 4, a traceback or a signal, took over 20 s or 1 GiB more than a command
without a file, or left files or processes. Each failing case is kept in out/fuzz/ with the command that repeats it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fuzzing import cases, formats  # noqa: E402
from fuzzing.cases import Result  # noqa: E402
from fuzzing.lines import Lines  # noqa: E402

from bim_neuro.simulation.compiled import load_kernels  # noqa: E402

WORKERS = 2
KEPT = ROOT / "out" / "fuzz"


def main() -> int:
    """Run the cases that were asked for; return the exit code."""
    options = _options()
    names = options.format or list(formats.FORMATS)
    with tempfile.TemporaryDirectory(prefix="bim-fuzz.") as place:
        sound = _sound(Path(place) / "sound", names)
        if options.case is not None:
            return _again(names[0], options.seed, options.case, sound)
        failed = 0
        for name in names:
            failed += _format(name, options.seed, options.cases, sound, Path(place))
    print(f"{failed} failed", flush=True)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="cases a format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", action="append", choices=list(formats.FORMATS))
    parser.add_argument("--case", type=int, help="run this one case of one --format again")
    options = parser.parse_args()
    if options.case is not None and len(options.format or []) != 1:
        parser.error("--case needs exactly one --format")
    return options


def _sound(folder: Path, names: list[str]) -> Path:
    """Write the valid files of the formats, and load all modules of the commands before the forks."""
    folder.mkdir()
    formats.sound_data(folder)
    load_kernels()
    for name in names:
        (folder / name).mkdir()
        formats.FORMATS[name].sound(folder / name)
    if "records" in names:
        formats.finish_records(folder)
    formats.warm(folder)
    return folder


def _format(name: str, seed: int, count: int, sound: Path, place: Path) -> int:
    """Run a format's cases, print the results, and return how many failed."""
    chosen, start = formats.FORMATS[name], time.perf_counter()
    lines = Lines(chosen.readers)
    context = get_context("fork")
    results = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(name, seed, range(first, count, WORKERS), sound, place, lines, results))
        for first in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    codes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    failures, slowest, largest = [], 0.0, 0
    for result in _until_done(results):
        codes[str(result.code)] += 1
        kinds[result.kind] += 1
        slowest, largest = max(slowest, result.seconds), max(largest, result.peak)
        if result.faults:
            failures.append(result)
            _tell(result, seed)
    for worker in workers:
        worker.join()
    missing = count - sum(codes.values())
    ends = ", ".join(f"{code}: {number}" for code, number in sorted(codes.items()))
    print(
        f"{name}: {count} cases, {kinds['structural']} structural with right checksums; exit codes {ends}; slowest "
        f"{slowest:.1f} s, most memory {largest >> 20} MiB; {len(failures)} failed, {missing} missing; "
        f"{time.perf_counter() - start:.0f} s"
    )
    for file in lines.lines:
        passed, whole = lines.share(file)
        print(f"  {Path(file).relative_to(ROOT)}: {passed} of {whole} lines ({passed / max(whole, 1):.0%})")
    sys.stdout.flush()
    return len(failures) + missing


def _until_done(results: object) -> Iterator[Result]:
    done = 0
    while done < WORKERS:
        result = results.get()  # type: ignore[attr-defined]
        if result is None:
            done += 1
        else:
            yield result


def _work(name: str, seed: int, indices: range, sound: Path, place: Path, lines: Lines, results: object) -> None:
    cases.adopt_orphans()
    bare = cases.bare_memory(lines)
    try:
        for index in indices:
            folder = place / f"{name}-{index}"
            result = cases.run(formats.FORMATS[name], seed, index, sound, folder, lines, bare)
            if result.faults:
                _keep(folder, result, seed)
            shutil.rmtree(folder, ignore_errors=True)
            results.put(result)  # type: ignore[attr-defined]
    finally:
        results.put(None)  # type: ignore[attr-defined]


def _keep(folder: Path, result: Result, seed: int) -> None:
    kept = KEPT / f"{result.format}-{seed}-{result.index}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder / "in", kept, symlinks=True, copy_function=_copy, dirs_exist_ok=True)
    (kept / "result.txt").write_text(f"{_line(result, seed)}\n{result.command}\n{result.faults}\n{result.errors}\n")


def _copy(source: str, target: str) -> None:
    if Path(source).is_file():
        shutil.copy(source, target)


def _line(result: Result, seed: int) -> str:
    return f"make fuzz SEED={seed} FORMAT={result.format} CASE={result.index}"


def _tell(result: Result, seed: int) -> None:
    last = ascii(" ".join(result.errors.split())[-300:])
    print(f"  {'; '.join(result.faults)}: {_line(result, seed)} ({result.kind})\n    {last}", flush=True)


def _again(name: str, seed: int, index: int, sound: Path) -> int:
    """Run one case, keep its files, and show its output."""
    folder = KEPT / f"{name}-{seed}-{index}-again"
    shutil.rmtree(folder, ignore_errors=True)
    cases.adopt_orphans()
    result = cases.run(formats.FORMATS[name], seed, index, sound, folder, None, cases.bare_memory(None))
    print(f"{result.command}\nexit {result.code}, {result.seconds:.2f} s, {result.peak >> 20} MiB above a bare start")
    print(
        "\n".join(
            f"standard {kind}: {(folder / f'std{kind[:3]}').read_text(errors='replace')!a}" for kind in ("out", "err")
        )
    )
    print(f"faults: {', '.join(result.faults) or 'none'}; files in {folder.relative_to(ROOT)}")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())

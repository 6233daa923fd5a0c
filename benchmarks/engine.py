"""The engine beside Lava, a C loop, plain numpy and the frameworks: same integers, one machine, one thread each.

    python -m benchmarks.engine --json engine.json [--only N1_02] [--data MITBIH] [--curves curves.png] [--instructions]

    cases{name}: engine, lava, c_loop, numpy, others{}     steps a second (null, with the reason under skipped{})
                 ratio_lava, ratio_c_loop                  the engine over each
                 c_loop_is                                 a loop over all layers, or the sum of its parts (limits.py)
                 threads{}                                 steps a second on the clock, by threads over one sample
                 events_a_second, bandwidth_fraction       synaptic events; one weight byte each, over the bytes
                                                           a second that the core reads from a table of that size
                 parts{}, limits{}                         microseconds a step of synapses, counters, scan, ...
                 floor{}, share_of_floor{}                 the lesser of C and the event model; over the engine
                 whole_over_parts                          what lies between the parts
                 instructions                              a step takes, in AVX2 (instructions.py; asked for, slow)

A step of a sample is one row of input. Every rival plays several rounds, in turn; the median of processor time counts,
as other programs disturb. Lava has processes of its own, so its wall time counts, without its start.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

from bim_neuro.atomic import replacing
from bim_neuro.errors import InputError
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.record import RunRecord
from bim_neuro.simulation import Engine, Tuning, simulate
from bim_neuro.simulation.compiled import usable_cores

from .cases import Case, cases, lif_chain
from .curves import curves, plot
from .floor import bandwidth, floors
from .instructions import NotMeasurable, instructions_a_step
from .limits import c_limits
from .parts import parts
from .rivals import (
    OTHERS,
    Play,
    Skip,
    c_loop,
    lava_steps_a_second,
    nengo_loihi_steps_a_second,
    numpy_law,
    seconds,
)
from .yardstick import compile_c

ROUNDS = 7


def measure(case: Case, library: Any, nengo_python: str | None = None) -> dict[str, Any]:
    """Play one case on everything that can and return its row."""
    engine = Engine(case.graph)
    slow = case.x[: case.slow_samples, : case.slow_steps]
    steps, slow_steps = case.x.shape[0] * case.x.shape[1], slow.shape[0] * slow.shape[1]
    skipped: dict[str, str] = {}
    plays: dict[str, tuple[Play, int]] = {
        "engine": (lambda: engine.run(case.x, threads=1), steps),
        "numpy": (numpy_law(case.graph, slow), slow_steps),
    }
    makers = {"c_loop": lambda g, x: c_loop(g, x, library), **OTHERS}
    for name, make in makers.items():
        try:
            plays[name] = (make(case.graph, case.x), steps)
        except Skip as reason:  # noqa: PERF203
            skipped[name] = str(reason)
    record = engine.run(case.x, threads=1)
    _check(case, engine, slow)
    speed = _in_turn(plays)
    lava = None
    try:
        rate = lava_steps_a_second(case.graph, slow if len(slow) > 1 else case.x[:1])
        lava = rate * case.x.shape[1] / case.graph.period(case.x.shape[1])  # rows of input, without the gaps
    except Skip as reason:
        skipped["lava"] = str(reason)
    others = {name: speed[name] for name in OTHERS if name in speed}
    try:
        others["nengo_loihi"] = nengo_loihi_steps_a_second(case.graph, case.x, nengo_python)
    except Skip as reason:
        skipped["nengo_loihi"] = str(reason)
    events = sum(count.totals()["synops_hardware"] for count in record.layers.values())
    weights = sum(edge.synapse.count for edge in case.graph.edges)
    a_second = events / steps * speed["engine"]
    costs = parts(case.graph, case.x)
    limits = c_limits(library, case.graph, _sent(record, steps), case.x) if library else {}
    floor = floors(library, case.graph, record, steps, limits) if library else {}
    if floor:  # as the whole, measured alone; `ratio_c_loop` is of the engine and the loop in C, in turn
        floor["whole"] = sum(floor[part] for part in costs if part != "whole" and part in floor)
    loop = speed.get("c_loop") or (1e6 / sum(limits.values()) if limits else None)
    if loop:
        skipped.pop("c_loop", None)
    row: dict[str, Any] = {
        "what": case.what,
        "engine": speed["engine"],
        "lava": lava,
        "c_loop": loop,
        "c_loop_is": "a loop" if "c_loop" in speed else "the sum of its parts",
        "numpy": speed["numpy"],
        "others": others,
        "ratio_lava": speed["engine"] / lava if lava else None,
        "ratio_c_loop": speed["engine"] / loop if loop else None,
        "threads": _over_neurons(engine, case.x[:1]),
        "events_a_second": a_second,
        "bandwidth_fraction": a_second / bandwidth(library, weights) if library else None,
        "paths": {choice["synapse"]: choice["path"] for choice in record.extra.get("paths", [])},
        "skipped": skipped,
        "parts": costs,
        "limits": limits,
        "floor": floor,
        "share_of_floor": {part: floor[part] / costs[part] for part in floor if costs.get(part)},
        "whole_over_parts": costs["whole"] / sum(cost for part, cost in costs.items() if part != "whole"),
    }
    return row


def _sent(record: RunRecord, steps: int) -> dict[str, float]:
    return {name: count.totals()["messages"] / steps for name, count in record.layers.items()}


def _over_neurons(engine: Engine, x: Array) -> dict[str, float]:
    """Return steps a second of one sample on the clock, by the number of threads that share its neurons."""
    times: dict[int, list[float]] = {threads: [] for threads in range(1, usable_cores() + 1)}
    for _ in range(ROUNDS + 1):
        for threads, found in times.items():
            start = time.perf_counter()
            engine.run(x, threads=threads, tuning=Tuning("events", threads))
            found.append(time.perf_counter() - start)
    return {str(threads): x.shape[1] / statistics.median(found[1:]) for threads, found in times.items()}


def _check(case: Case, engine: Engine, slow: Array) -> None:
    """A fast wrong number is worth nothing: messages must equal the numpy law's on the slow part."""
    expected = simulate(case.graph, slow.astype(np.int64), probe=True)
    ours = engine.run(slow, probe=True)
    different = [key for key, values in expected.probes.items() if not np.array_equal(values, ours.probes[key])]
    if different:
        raise SystemExit(f"{case.name}: the engine differs from the numpy law in {different[0]}")


def _in_turn(plays: dict[str, tuple[Play, int]]) -> dict[str, float]:
    """Let everybody play in turn, several rounds; return median steps a second."""
    times: dict[str, list[float]] = {name: [] for name in plays}
    for play, _ in plays.values():
        play()
    for _ in range(ROUNDS):
        for name, (play, _) in plays.items():
            times[name].append(seconds(play))
    return {name: plays[name][1] / statistics.median(found) for name, found in times.items()}


def show(name: str, row: dict[str, Any]) -> None:
    """Print one case."""
    print(f"\n{name}  {row['what']}")
    rivals = {key: row[key] for key in ("engine", "c_loop", "lava", "numpy")} | row["others"]
    for rival, speed in rivals.items():
        if speed:
            note = f"   ({row['c_loop_is']})" if rival == "c_loop" else ""
            print(f"  {rival:16} {speed:12,.0f} steps/s   engine is {row['engine'] / speed:8.2f} times that{note}")
    for rival, reason in row["skipped"].items():
        print(f"  {rival:16} {'-':>12}   {reason}")
    share = f", {row['bandwidth_fraction']:.0%} of the read bandwidth" if row["bandwidth_fraction"] else ""
    print(f"  {row['events_a_second'] / 1e9:.2f} G synaptic events/s{share}")
    for threads, speed in row["threads"].items():
        print(f"  one sample, {threads} threads over its neurons: {speed:12,.0f} steps/s on the clock")
    for part, cost in row["parts"].items():
        limit, share = row["limits"].get(part), row["share_of_floor"].get(part)
        c = f"   C takes {limit:.2f}" if limit else ""
        print(f"    {part:10} {cost:8.2f} us a step{c}" + (f"   {share:.0%} of the floor" if share else ""))
    print(f"    the whole step takes {row['whole_over_parts']:.2f} times its parts")
    if "instructions" in row:
        print(f"    {row['instructions']} instructions a step, in AVX2")


def _instructions(case: Case) -> str:
    """Return how many instructions a step takes, or why that is not known."""
    x = case.x[:64] if len(case.x) > 1 else case.x[:, :256]
    try:
        return f"{instructions_a_step(case.graph, x):,.0f}"
    except NotMeasurable as reason:
        return f"not measurable ({reason}):"


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
    }


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def first_run() -> dict[str, float]:
    """Return the seconds from import to the end of a first tiny run: compiled anew, or read from the disk cache."""
    start = time.perf_counter()
    graph, x = lif_chain(8, 1, 0.1, 8)
    Engine(graph).run(x, probe=True)
    return {"first_run_s": time.perf_counter() - start}


def main() -> None:
    """Run the cases asked for, print them, and write the JSON after each."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--json", type=Path, help="write the results here")
    arguments.add_argument("--only", action="append", help="one case (may be repeated)")
    arguments.add_argument("--data", type=Path, help="the folder of MIT-BIH recordings, for B2")
    arguments.add_argument("--instructions", action="store_true", help="count them under valgrind, a minute a case")
    arguments.add_argument("--curves", type=Path, help="also measure scaling curves and draw them here (.png, .svg)")
    arguments.add_argument(
        "--nengo-loihi-python",
        default=os.environ.get("NENGO_LOIHI_PYTHON"),
        help="a Python with nengo-loihi, see benchmarks/nengo_emulator.py (default: $NENGO_LOIHI_PYTHON)",
    )
    given = arguments.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")  # threads that wait for the next product would count as somebody's time
    makers = cases(given.data)
    unknown = set(given.only or ()) - set(makers)
    if unknown:
        sys.exit(f"no case is called {', '.join(sorted(unknown))}; there are: {', '.join(makers)}")
    result: dict[str, Any] = {"machine": machine(), **first_run(), "cases": {}, "skipped": {}}
    print(", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    print(f"first run, kernels from the disk cache or compiled: {result['first_run_s']:.1f} s")
    library = compile_c()
    for name in given.only or makers:
        try:
            case = makers[name]()
            result["cases"][name] = row = measure(case, library, given.nengo_loihi_python)
            if given.instructions:
                row["instructions"] = _instructions(case)
            show(name, row)
        except InputError as reason:
            result["skipped"][name] = str(reason)
            print(f"\n{name}  skipped: {reason}")
        _write(result, given.json)
    if given.curves:
        result["curves"] = curves()
        plot(result["curves"], given.curves)
        print(json.dumps(result["curves"]))
    result["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this process, torch included: {result['peak_memory_mib']:.0f} MiB")
    _write(result, given.json)


def _write(result: dict[str, Any], file: Path | None) -> None:
    if file:
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""At rate: what a step of four programs waits for, what a sample costs at its rate, and which prices decide.

    python -m benchmarks.at_rate --data FOLDER_OF_MITBIH          (a minute; ecg runs on noise without the folder)

digits and ecg are the trained examples on their test split, bim is M = D = 256, N = 16, 4 blocks, untrained on graded
noise, sheet is 100 populations of 700 LIF that read themselves and their neighbours, driven by random spikes. Each is
placed for the messages of its run on one Loihi 2 (bim and sheet on a board of eight). `this CPU` is the engine's time a
sample on this machine, and the energy where it has a meter (RAPL): of the whole processor, not of the program.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.cases import generated_bim, trained
from benchmarks.engine import machine
from benchmarks.generated import sheet
from bim_neuro.compilers.align import align
from bim_neuro.compilers.placement.place import place
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.latency import latency
from bim_neuro.estimates.power import power
from bim_neuro.estimates.sensitivity import sensitivity
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.hardware import load_profile
from bim_neuro.nodes import Diagonal
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation import Engine

NEURONS = 700  # of a population of the sheet
REACH = 60  # the longest delay of the input, in steps
RAPL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")


def programs(data: Path | None) -> dict[str, tuple[str, Callable[[], tuple[IntegerGraph, Array]]]]:
    """Return {name: (target, what makes its graph and its encoded input)}."""

    return {
        "digits": ("loihi2", lambda: trained("digits", 64, data)[:2]),
        "ecg": ("loihi2", lambda: trained("ecg", 64, data)[:2]),
        "bim": ("kapoho_point", lambda: generated_bim(256, 16, 4, 200, 2)),
        "sheet": ("kapoho_point", sheets),
    }


def sheets() -> tuple[IntegerGraph, Array]:
    """Return a sheet that is driven wherever a delay reaches and read where it ends, and random spikes."""
    made = sheet(100, NEURONS, 12)
    closing = {id(edge) for edge in made.recurrent}
    read = {edge.source for edge in made.edges if id(edge) not in closing}
    last = next(edge for edge in made.edges if edge.target == "readout")
    ends = [replace(last, source=name) for name in made.nodes if name not in read and name != "readout"]
    drive, depth = Diagonal(np.full(NEURONS, 127, np.int8)), align(made).depth
    near = [name for name in made.nodes if name.startswith("p") and 1 < depth[name] <= REACH]
    driven = [Edge("input", name, "i", drive) for name in near]
    graph = align(replace(made, edges=(*made.edges, *driven, *ends)))
    return graph, (np.random.default_rng(0).random((1, 100, NEURONS)) < 0.3).astype(np.int8)


def on_this_cpu(engine: Engine, x: Array) -> tuple[float, float | None]:
    """Return seconds a sample of the engine, and joules of the whole processor if it has a meter."""
    engine.run(x[:1])
    before, started = _joules(), time.perf_counter()
    engine.run(x)
    seconds, after = time.perf_counter() - started, _joules()
    metered = None if before is None or after is None or after < before else (after - before) / len(x)
    return seconds / len(x), metered


def _joules() -> float | None:
    try:
        return int(RAPL.read_text()) / 1e6
    except (OSError, ValueError):
        return None


def show(name: str, target: str, graph: IntegerGraph, x: Array) -> None:
    """Print one program."""
    engine, profile = Engine(graph), load_profile(target)
    record = engine.run(x)
    placed = place(graph, profile, traffic=record)
    times = latency(placed, record, profile)
    costs = price(placed, record, profile, times)
    drawn, decided = power(placed, record, profile, times, costs), sensitivity(placed, record, profile)
    link, cores = times.time.link, len({core.index for core in placed.cores})
    seconds, joules = on_this_cpu(engine, x)
    print(f"{name} on {target}: {cores} cores, {record.steps} steps of {graph.dt * 1e3:g} ms")
    step, dynamic, whole = times.time, costs.dynamic_uj, drawn.energy_uj
    print(f"  a step waits for {step.term}, {step.us.value:,.1f} us; a sample takes {times.sample_us.value:,.0f} us")
    busiest = f"{link.source} to {link.target}, {link.messages:,.1f} messages a step" if link else "none"
    behind = f"{drawn.behind:.1f} times too slow" if drawn.behind else f"duty {drawn.duty.value:.2%}"
    print(f"  busiest link: {busiest}")
    print(
        f"  at {drawn.sample_rate_hz:,.3g} samples/s: {behind}, {whole.value:,.0f} uJ a sample "
        f"({whole.low:,.0f}-{whole.high:,.0f}, {drawn.boundary}), "
        f"dynamic {dynamic.value:,.2f} uJ ({dynamic.low:,.2f}-{dynamic.high:,.2f})"
    )
    for swing in decided.swings[:3]:
        print(f"  {swing.price}: {swing.pj[0] / 1e6:,.1f} to {swing.pj[1] / 1e6:,.1f} uJ as fast as it goes")
    metered = "no meter here" if joules is None else f"{joules:.3g} J of the whole processor"
    print(f"  this CPU: {seconds * 1e3:,.3g} ms a sample, {metered}")


def main() -> None:
    """Print every program."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--data", type=Path, help="the folder of MIT-BIH recordings, for ecg")
    given = arguments.parse_args()
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    for name, (target, make) in programs(given.data).items():
        show(name, target, *make())


if __name__ == "__main__":
    main()

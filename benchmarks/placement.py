"""Placement: cores beside their lower bound, messages times hops beside the naive order, rivals and their lower bound.

    python -m benchmarks.placement --json placement.json --data ../shared/data/mitbih        (a minute or two)

    cores, lower_bound          as in summary.json
    hops / naive                messages times hops, over those of the same cores one after another, row by row
    hops / apart                the same, over those of layers on cores of their own, row by row
    hops / bound                the same, over what no placement of these cores goes below
    hops / faq                  the same, over scipy's quadratic_assignment, FAQ and then 2-opt (one chip only)
    seconds, peak_memory_mib    of placing; the process's peak, with torch for the cases that need it

The trained models and B3 count the messages of a run, the generated ones one message a neuron. At the end, what a
Hala Point could hold, on paper.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import quadratic_assignment

from benchmarks.cases import cases
from benchmarks.engine import machine
from benchmarks.generated import bim, row, sheet
from bim_neuro.atomic import replacing
from bim_neuro.compilers.placement.extrapolate import extrapolate
from bim_neuro.compilers.placement.mesh import Mesh
from bim_neuro.compilers.placement.place import place
from bim_neuro.compilers.placement.traffic import between, rates
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.graph import IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.record import RunRecord
from bim_neuro.simulation import Engine

SAMPLES = 64
HALA_POINT = 1_150_000_000  # neurons, Intel's news of April 2024

Made = tuple[IntegerGraph, RunRecord | None]


def makers(data: Path | None) -> dict[str, tuple[str, Callable[[], Made]]]:
    """Return {case: (target, what makes its graph and the run that counts its messages)}."""
    trained = cases(data)

    def measured(name: str) -> Callable[[], Made]:
        def make() -> Made:
            case = trained[name]()
            return case.graph, Engine(case.graph).run(case.x[:SAMPLES])

        return make

    return {
        "digits": ("loihi2", measured("B1")),
        "ecg": ("loihi2", measured("B2")),
        "B3": ("loihi2", measured("B3")),
        "BIM, M = D = 512, 9 blocks": ("loihi2", lambda: (bim(512, 16, 9), None)),
        "sheet of 100 x 900 LIF": ("loihi2", lambda: (sheet(100, 900, 9), None)),
        "sheet of 910 x 1,100 LIF": ("kapoho_point", lambda: (sheet(910, 1100, 5), None)),
        "sheet of 1,000 x 1,000 LIF": ("hala_point", lambda: (sheet(1000, 1000, 5), None)),
    }


def measure(graph: IntegerGraph, record: RunRecord | None, profile: HardwareProfile) -> dict[str, Any]:
    """Place a graph and hold it beside its bounds and rivals."""
    placed = place(graph, profile, traffic=record)
    placement = placed.placement
    assert placement is not None, "these targets have cores"
    hops = placement.traffic_hops
    rivals = {
        "naive": placement.naive_traffic_hops,
        "apart": _apart(graph, record, profile),
        "bound": placement.traffic_lower_bound,
        "faq": _faq(placed, record, profile) if placement.cores > 2 and placement.chips == 1 else None,
    }
    return {
        "target": profile.name,
        "neurons": sum(node.neurons for node in graph.nodes.values()) - graph.nodes[graph.source].neurons,
        "cores": placement.cores,
        "lower_bound": placement.lower_bound,
        "chips": placement.chips,
        "traffic_hops": hops,
        "ratios": {name: hops / value if value else None for name, value in rivals.items()},
        "seconds": placement.seconds,
        "peak_memory_mib": placement.peak_memory_mib,
    }


def _apart(graph: IntegerGraph, record: RunRecord | None, profile: HardwareProfile) -> float | None:
    """Return messages times hops of layers on cores of their own, row by row; None if there are not enough cores."""
    one = replace(profile.capacity, groups=replace(profile.capacity.groups, value=1))
    try:
        placed = place(graph, replace(profile, capacity=one), traffic=record, effort=0)
    except DoesNotFit:
        return None
    return placed.placement.traffic_hops if placed.placement else None


def _faq(placed: PlacedGraph, record: RunRecord | None, profile: HardwareProfile) -> float:
    """Return messages times hops of the same cores as scipy places them."""
    index = sorted({core.index for core in placed.cores})
    number = {core: n for n, core in enumerate(index)}
    flows = [flow._replace(source=number[flow.source], target=number[flow.target]) for flow in placed.flows]
    traffic, mesh = between(flows, rates(placed.graph, record), len(index)), Mesh.of(profile, len(index))
    sites = mesh.places
    messages = np.zeros((len(sites), len(sites)))
    messages[np.repeat(np.arange(len(index)), np.diff(traffic.starts)), traffic.partners] = traffic.messages
    distances = mesh.hops(sites[:, None], sites[None, :]).total.astype(float)
    start = quadratic_assignment(messages, distances, method="faq").col_ind
    options = {"partial_guess": np.stack([np.arange(len(sites)), start], axis=1)}
    return float(quadratic_assignment(messages, distances, method="2opt", options=options).fun) / 2


def show(name: str, found: dict[str, Any]) -> None:
    """Print one case."""
    ratios = ", ".join(f"{rival} {ratio:.2f}" for rival, ratio in found["ratios"].items() if ratio is not None)
    print(
        f"{name} on {found['target']}: {found['neurons']:,} neurons, {found['cores']} cores (at least "
        f"{found['lower_bound']}), {found['chips']} chips; hops over {ratios or 'nothing: one core'}; "
        f"{found['seconds']:.1f} s, {found['peak_memory_mib']:,.0f} MiB"
    )


def extrapolated() -> list[dict[str, Any]]:
    """Print and return what a Hala Point could hold of three kinds of model, 1.15 billion neurons each."""
    kinds = {
        "LIF, one synapse each": row(4095),
        "sheets of 9 x 1,000 LIF": sheet(9, 1000, 5),
        "BIM, M = D = 256, N = 16, 4 blocks": bim(256, 16, 4),
    }
    rows = []
    for kind, part in kinds.items():
        started = time.perf_counter()
        found = extrapolate(part, load_profile("hala_point"), HALA_POINT)
        answer = "fits" if found.fits else f"does not fit, {found.most_neurons:,} neurons would"
        filled = f"{found.binding.replace('_', ' ')} fill the cores to {found.filled[found.binding]:.0%}"
        print(
            f"on paper, {kind}: {found.neurons:,} neurons and {found.synapses:,} synapses take {found.cores:,} cores "
            f"of {found.limit:,}: {answer}; {filled}; {time.perf_counter() - started:.1f} s"
        )
        rows.append({"kind": kind, **vars(found), "fits": found.fits})
    return rows


def main() -> None:
    """Run every case, print it, and write the JSON."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--json", type=Path, help="write the results here")
    arguments.add_argument("--data", type=Path, help="the folder of MIT-BIH recordings, for ecg")
    given = arguments.parse_args()
    result: dict[str, Any] = {"machine": machine(), "cases": {}}
    print(", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    for name, (target, make) in makers(given.data).items():
        try:
            graph, record = make()
        except InputError as reason:
            print(f"{name}: skipped, {reason}")
            continue
        result["cases"][name] = measure(graph, record, load_profile(target))
        show(name, result["cases"][name])
    result["extrapolated"] = extrapolated()
    if given.json:
        with replacing(given.json) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

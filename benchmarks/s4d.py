"""S4D: one layer of the published size on processes that Lava ships: its counts, cores, time and energy of a token.

    python -m benchmarks.s4d                     # 64 channels of 32 complex states, half a minute
    python -m benchmarks.s4d --channels 128 --states 64

Weights are S4D-Lin's initial ones, the input is noise: nothing here is trained, and a token takes a step of the chip.
The network of arXiv 2409.15022 has four such layers (docs/hardware.md, which has its published figures beside these).
"""

from __future__ import annotations

import argparse
from math import pi

import numpy as np

import bim_neuro
from bim_neuro.compilers.placement.place import place
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.latency import latency
from bim_neuro.estimates.optimise import cores_used, optimise
from bim_neuro.graph import IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.record import RunRecord

INPUTS, CLASSES = 1, 10  # of sMNIST
TOKENS = 64
PUBLISHED_CORES = 8  # a layer: 31 for four of 64 channels


def layer(channels: int, states: int) -> tuple[IntegerGraph, RunRecord]:
    """Return one layer of complex states between two linear maps, and its run on noise."""
    draw = np.random.default_rng(0)
    numbers = np.tile(np.arange(states, dtype=np.float64), (channels, 1))
    state: dict[str, Array] = {
        "encoder.weight": draw.normal(size=(channels, INPUTS)),
        "encoder.bias": np.zeros(channels),
        "decoder.weight": draw.normal(size=(CLASSES, channels)) / channels**0.5,
        "decoder.bias": np.zeros(CLASSES),
        "log_dt": np.log(draw.uniform(0.001, 0.1, channels)),
        "D": np.ones(channels),
        "log_A_real": np.full((channels, states), np.log(0.5)),
        "A_imag": pi * numbers,
        "C": draw.normal(size=(channels, states, 2)),
    }
    x = draw.uniform(-1, 1, (1, TOKENS, INPUTS))
    program = bim_neuro.compile(state, dt=1e-3, input=x)
    return program.placed.graph, program.run(x)


def show(name: str, placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> None:
    """Print what a token takes."""
    times, costs = latency(placed, record, profile), price(placed, record, profile)
    us, steps = times.step_us, times.steps_per_sample
    static, dynamic = costs.static_uj.over(steps), costs.dynamic_uj.over(steps)
    print(
        f"{name}: {cores_used(placed)} cores, {us.value:,.1f} us a token ({us.low:,.1f}-{us.high:,.1f}), "
        f"the longest step waits for {times.time.term}; "
        f"dynamic {dynamic.value:,.2f} uJ a token ({dynamic.low:,.2f}-{dynamic.high:,.2f}), "
        f"static {static.value:,.1f} uJ ({static.low:,.1f}-{static.high:,.1f})"
    )


def main() -> None:
    """Print the layer's counts, then its cost on few cores and on many."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--channels", type=int, default=64)
    arguments.add_argument("--states", type=int, default=32, help="complex states of a channel")
    given = arguments.parse_args()
    profile, (graph, record) = load_profile("loihi2"), layer(given.channels, given.states)
    synapses = sum(edge.synapse.nonzero for edge in graph.edges)
    neurons = sum(node.neurons for node in graph.nodes.values())
    totals = [counts.totals() for counts in record.layers.values()]
    synops, messages = (sum(one[key] for one in totals) / record.period for key in ("synops_effective", "messages"))
    print(f"{given.channels} x {given.states} complex states: {neurons:,} neurons, {synapses:,} synapses")
    print(f"a token: {synops:,.0f} synaptic operations, {messages:,.0f} messages")
    placed = place(graph, profile, traffic=record)
    show("fewest cores", placed, record, profile)
    few = optimise(placed, record, profile, "latency", max_cores=PUBLISHED_CORES)
    show(f"--optimise latency --max-cores {PUBLISHED_CORES}", few, record, profile)
    show("--optimise latency", optimise(placed, record, profile, "latency"), record, profile)


if __name__ == "__main__":
    main()

"""A net small enough to count by hand: its graph, a chip with round prices, and a record of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bim_neuro.compilers.align import align
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.hardware import HardwareProfile, Quantity, Timing, load_profile
from bim_neuro.nodes import Dense, Encoder, IntegerLIF, IntegerReadout, Source
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.record import LayerCount, RunRecord


def known(low: float, value: float, high: float, unit: str = "pJ", basis: str = "derived") -> Quantity:
    return Quantity(value, low, high, unit, basis, "by hand")


UNKNOWN = Quantity(None, None, None, "pJ", "unpublished", "by hand")
PRICES = {
    "synop_pj": known(10, 20, 40),
    "update_pass_pj": known(40, 80, 160),
    "hop_east_west_pj": known(2, 3, 5),
    "hop_north_south_pj": known(2, 4, 8),
    "message_pj": known(1, 1.5, 2),
    "input_message_pj": known(6, 7, 8),
    "hop_chip_pj": known(50, 60, 70),
    "learning_update_pj": known(100, 120, 140),
    "barrier_pj": known(100, 110, 120),
    "static_mw": known(0.25, 0.5, 1, "mW"),
    "host_mw": known(1, 2, 3, "mW"),
    "chip_mw": UNKNOWN,
    "board_mw": UNKNOWN,
}


TIMES = {
    "step_us": known(8, 10, 16, "us"),
    "synop_ns": known(1, 2, 4, "ns"),
    "update_pass_ns": known(2, 4, 8, "ns"),
    "hop_ns": known(1, 2, 4, "ns"),
    "chip_hop_ns": known(4, 8, 16, "ns"),
    "barrier_us": known(0.25, 0.5, 1, "us"),
    "read_ns": known(0.5, 1, 2, "ns"),
}


def chip(**prices: Quantity | str) -> HardwareProfile:
    """Return loihi2's cores in two columns, a layer on each, with every term priced by PRICES but for those given.

    No core is busy for as long as the least a step takes.
    """
    profile = load_profile("loihi2")
    return replace(
        profile,
        capacity=replace(profile.capacity, mesh_columns=known(2, 2, 2, "cores"), groups=known(1, 1, 1, "groups")),
        timing=Timing(**TIMES),
        energy=replace(profile.energy, **{**PRICES, **prices}),  # type: ignore[arg-type]
        passes_per_update={
            "lif": known(2, 2.5, 3, "passes"),
            "readout": known(1, 1, 1, "passes", "assumed"),
        },
    )


def tiny() -> IntegerGraph:
    """Return 2 inputs -> 3 LIFs -> 4 LIFs -> 2 readouts, all dense."""
    bias = [np.zeros(neurons, int) for neurons in range(5)]
    nodes: dict[str, IntegerNode] = {
        "input": Source(2),
        "a": IntegerLIF(3, 4095, 100, 10, bias[3]),
        "b": IntegerLIF(4, 4095, 100, 10, bias[4]),
        "out": IntegerReadout(60000, np.ones(2, int), 0, bias[2]),
    }
    layers, edges = list(nodes), []
    for source, target, port in zip(layers[:-1], layers[1:], ("i", "i", "a"), strict=True):
        weight = np.ones((nodes[target].neurons, nodes[source].neurons), np.int8)
        edges.append(Edge(source, target, port, Dense(weight)))
    return align(IntegerGraph(nodes, tuple(edges), 1e-3, Encoder("graded", np.ones(2), np.zeros(2))))


def count(hardware: list[int], effective: list[int], updates: list[int], messages: list[int]) -> LayerCount:
    return LayerCount(*(np.array(row) for row in (hardware, effective, updates, messages, [0, 0])))


def tiny_record() -> RunRecord:
    """Return 2 samples of 2 steps: 3 inputs, 5 spikes of a, 2 of b, 4 readout messages, over both samples."""
    layers = {
        "input": count([0, 0], [0, 0], [4, 4], [2, 1]),
        "a": count([6, 3], [4, 1], [6, 6], [2, 3]),
        "b": count([8, 12], [7, 9], [8, 8], [0, 2]),
        "out": count([0, 4], [0, 4], [4, 4], [2, 2]),
    }
    return RunRecord("by hand", 2, 2, 2, layers, np.zeros((2, 2), int))

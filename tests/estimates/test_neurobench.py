"""NeuroBench's metrics, worked by hand on a net for which NeuroBench 2.3.0 itself gave the same (docs/energy.md)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_models import small_graphs, small_input

from bim_neuro.compilers.align import align
from bim_neuro.compilers.two_lists import in_two_lists
from bim_neuro.estimates.dense_macs import dense_macs
from bim_neuro.estimates.neurobench import Activity, activity, neurobench
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Broadcast, Dense, Encoder, IntegerCuba, IntegerLIF, IntegerReadout
from bim_neuro.nodes.cuba import ROWS
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.simulation.reference import simulate

INPUT = np.array([[[1, 0], [1, 1], [0, 1]]])  # (samples, steps, channels): each channel is on twice
INTO_LIF = np.array([[2, 0], [1, 1], [0, 3]], np.int8)  # two weights of each channel are not zero
INTO_READOUT = np.array([[1, 0, -1], [1, 1, 0]], np.int8)  # two, one and one of each LIF's

# LIFs before they fire: 2 1 0, then 4 3 3, then 0 1 3; above 2 they fire and are 0. So they spike 0, 3 and 1 times, the
# last one twice. Their membranes: 2 1 0, then 0 0 0, then 0 1 0. Those of the readouts: 0 0, then 0 2, then -1 0.


def net(**changes: object) -> IntegerGraph:
    """Return 2 spike inputs -> 3 LIFs that do not leak, threshold 2 -> 2 readouts without memory."""
    encoder = Encoder("spikes", np.ones(2), np.zeros(2))
    nodes: dict[str, IntegerNode] = {
        "input": replace(encoder.source, **changes),  # type: ignore[arg-type]
        "lif": IntegerLIF(3, 4095, 0, 2, np.zeros(3, int)),
        "out": IntegerReadout(0, np.ones(2, int), 0, np.zeros(2, int)),
    }
    edges = (Edge("input", "lif", "i", Dense(INTO_LIF)), Edge("lif", "out", "a", Dense(INTO_READOUT)))
    return align(IntegerGraph(nodes, edges, 1e-3, encoder))


def counted(graph: IntegerGraph) -> Activity:
    return activity(graph, simulate(graph, INPUT, probe=True))


def test_a_small_net_counts_as_by_hand() -> None:
    graph = net()
    assert counted(graph) == Activity(
        macs=0,
        acs=2 * 2 + 2 * 2 + (1 * 2 + 1 * 1 + 2 * 1),
        spikes=4,
        slots=9,
        membrane_updates=(3 + 2 + 1) + (2 + 1 + 2),
    )
    assert neurobench(graph, counted(graph), samples=1, steps=3) == {
        "Footprint": 12 + (3 * 1 + 3 * 2 * 3) + (2 * 1 + 2 * 1 + 2 * 3),  # weights; bias, u, v; multiplier, bias, v
        "ConnectionSparsity": pytest.approx(4 / 12),
        "ActivationSparsity": pytest.approx(5 / 9),
        "SynapticOperations": {"Effective_MACs": 0.0, "Effective_ACs": 13.0, "Dense": 36.0},
        "MembraneUpdates": 11.0,
    }


def test_a_weight_of_two_lists_is_one_weight_of_two_bytes() -> None:
    """Half of the six weights have a low or a high part alone; two are zero in both."""
    rows = {name: np.full(3, value) for name, value in zip(ROWS, (2**16, 0, 1, 0, 10**6, 0, 0, 1 - 2**23), strict=True)}
    whole = Edge("input", "cuba", "a", Dense(np.array([[300, 0], [1, 256], [0, -5]], np.int16)))
    encoder = Encoder("spikes", np.ones(2), np.zeros(2))
    nodes: dict[str, IntegerNode] = {"input": encoder.source, "cuba": IntegerCuba(**rows, shift=0, wide=True)}
    graph = align(IntegerGraph(nodes, in_two_lists(whole), 1e-3, encoder))
    found = neurobench(graph, counted(graph), samples=1, steps=3)
    assert found["SynapticOperations"] == {"Effective_MACs": 0.0, "Effective_ACs": 2 * 2 + 2 * 2, "Dense": 6 * 3}
    assert found["ConnectionSparsity"] == pytest.approx(2 / 6)
    without = replace(graph, edges=tuple(edge for edge in graph.edges if edge.port == "a"))
    assert found["Footprint"] == neurobench(without, counted(without), samples=1, steps=3)["Footprint"] + 6
    assert dense_macs(graph) == {"cuba": 6 + 3}


def test_a_graded_message_makes_a_mac_of_what_a_spike_makes_an_ac() -> None:
    found = counted(net(graded=True))
    assert (found.macs, found.acs) == (8, 5)


def test_the_metrics_are_means_over_samples() -> None:
    graph = net()
    twice = activity(graph, simulate(graph, np.concatenate([INPUT, INPUT]), probe=True))
    assert twice == counted(graph) + counted(graph)
    assert neurobench(graph, twice, 2, 3) == neurobench(graph, counted(graph), 1, 3)


def test_without_spiking_neurons_nothing_is_silent() -> None:
    graph = net()
    assert neurobench(graph, Activity(), samples=1, steps=3)["ActivationSparsity"] == 0.0


def test_with_what_a_scan_s_gates_send_the_operations_are_the_effective_synops_of_the_run() -> None:
    _, graph = small_graphs()
    record = simulate(graph, graph.encoder.encode(small_input()), probe=True)
    found = activity(graph, record)
    gates = sum(
        int(np.count_nonzero(record.probes[f"{edge.source}.message"])) * edge.synapse.targets
        for edge in graph.edges
        if isinstance(edge.synapse, Broadcast)
    )
    in_the_gap = sum(int(record.layers[name].synops_effective[record.steps :].sum()) for name in graph.nodes)
    counts = sum(count.totals()["synops_effective"] for count in record.layers.values())
    assert found.macs > 0
    assert found.acs > 0
    assert found.macs + found.acs + gates == counts - in_the_gap
    metrics = neurobench(graph, found, record.samples, record.steps)
    operations = metrics["SynapticOperations"]
    assert operations["Effective_MACs"] + operations["Effective_ACs"] < operations["Dense"]
    assert metrics["ActivationSparsity"] == 1 - record.layers["block1.lif"].messages[: record.steps].sum() / found.slots

"""Energy: counts times prices, worked by hand to the last digit; what has no price is named, never zero."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import prod

import numpy as np
import pytest
from small_models import small_graphs, small_input

from bim_neuro.compilers.place import average_hops, place
from bim_neuro.energy import UNPRICED, EnergyReport, Range, price
from bim_neuro.engine.reference import simulate
from bim_neuro.graph import Edge, IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, Quantity, load_profile
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
    "barrier_pj": known(100, 110, 120),
    "static_mw": known(0.25, 0.5, 1, "mW"),
    "host_mw": known(1, 2, 3, "mW"),
}


def chip(**prices: Quantity | str) -> HardwareProfile:
    """Return loihi2's cores in two columns, with every term priced by PRICES but for those given."""
    profile = load_profile("loihi2")
    return replace(
        profile,
        capacity=replace(profile.capacity, mesh_columns=known(2, 2, 2, "cores")),
        timing=replace(profile.timing, step_us=known(8, 10, 16, "us")),
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
    return IntegerGraph(nodes, tuple(edges), 1e-3, Encoder("graded", np.ones(2), np.zeros(2)))


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


def report(profile: HardwareProfile) -> EnergyReport:
    graph = tiny()
    return price(place(graph, profile), tiny_record(), profile)


def test_every_layer_costs_its_counts_times_their_prices_to_the_last_digit() -> None:
    # Cores of a (0, 0), b (1, 0), out (0, 1): a spike of a goes 1 east, one of b 1 west and 1 south.
    layers = {layer.layer: layer for layer in report(chip()).layers}
    assert layers["input"].events == {"messages": Range(3 * 6 / 2, 3 * 7 / 2, 3 * 8 / 2)}
    assert layers["a"].events == {
        "synops": Range(9 * 10 / 2, 9 * 20 / 2, 9 * 40 / 2),
        "updates": Range(12 * 2 * 40 / 2, 12 * 2.5 * 80 / 2, 12 * 3 * 160 / 2),
        "messages": Range(5 * 1 / 2, 5 * 1.5 / 2, 5 * 2 / 2),
        "hops": Range(5 * 2 / 2, 5 * 3 / 2, 5 * 5 / 2),
    }
    assert layers["a"].total == Range(532.5, 1301.25, 3077.5)
    b = (100 + 640 + 1 + 4, 200 + 1600 + 1.5 + 7, 400 + 3840 + 2 + 13)  # synops, updates, messages, hops
    assert layers["b"].total == Range(*b)
    assert layers["out"].total == Range(182.0, 363.0, 724.0)


def test_dynamic_static_and_host_are_lines_of_their_own() -> None:
    energy = report(chip())
    assert energy.barrier == Range(200, 220, 240)  # 2 steps a sample
    assert energy.dynamic == Range(9 + 532.5 + 745 + 182 + 200, 10.5 + 1301.25 + 1808.5 + 363 + 220, 8308.5)
    assert energy.static == Range(4000, 10_000, 32_000)  # 2 steps of 8 us at 0.25 mW are 4 nJ
    assert energy.host == Range(16_000, 40_000, 96_000)
    assert energy.seconds_per_sample == Range(16e-6, 20e-6, 32e-6)
    assert (energy.unpriced, energy.at_least, energy.weakest_basis) == ((), False, "assumed")
    assert energy.layer("a") == {"low": 532.5, "value": 1301.25, "high": 3077.5}


def test_the_effective_synops_are_not_what_is_priced() -> None:
    record = tiny_record()
    record.layers["a"].synops_effective[:] = 0
    graph, profile = tiny(), chip()
    assert price(place(graph, profile), record, profile) == report(profile)


def test_twice_the_samples_with_twice_the_counts_cost_the_same_a_sample() -> None:
    record = tiny_record()
    for layer in record.layers.values():
        for counts in (layer.synops_hardware, layer.updates, layer.messages):
            counts *= 2
    record.samples *= 2
    graph, profile = tiny(), chip()
    assert price(place(graph, profile), record, profile) == report(profile)


def test_a_term_without_a_price_is_named_and_left_out_of_a_total_that_is_a_floor() -> None:
    energy = report(chip(message_pj=UNKNOWN, hop_north_south_pj=UNKNOWN, host_mw=UNKNOWN))
    assert energy.unpriced == ("sending messages", "hops north-south", "host power")
    assert energy.at_least
    assert energy.host == UNPRICED
    a = next(layer for layer in energy.layers if layer.layer == "a")
    assert set(a.events) == {"synops", "updates", "hops"}
    assert a.total == Range(530.0, 1297.5, 3072.5)


def test_a_kind_of_neuron_without_passes_is_named() -> None:
    profile = chip()
    profile = replace(profile, passes_per_update={"lif": profile.passes_per_update["lif"]})
    energy = report(profile)
    assert energy.unpriced == ("updates of readout neurons",)
    assert energy.weakest_basis == "derived"


def test_what_did_not_happen_needs_no_price() -> None:
    record = tiny_record()
    record.layers["input"].messages[:] = 0
    graph, profile = tiny(), chip(input_message_pj=UNKNOWN)
    assert price(place(graph, profile), record, profile).unpriced == ()


def test_an_all_in_synop_is_never_added_to_another_term() -> None:
    others = dict.fromkeys(PRICES, UNKNOWN) | {"synop_pj": known(20, 26, 30)}
    energy = report(chip(scope="all_in", **others))
    assert energy.scope == "all_in"
    assert {event for layer in energy.layers for event in layer.events} == {"synops"}
    assert energy.dynamic == Range(33 * 20 / 2, 33 * 26 / 2, 33 * 30 / 2)
    assert (energy.static, energy.host, energy.barrier, energy.unpriced) == (UNPRICED, UNPRICED, UNPRICED, ())


def test_a_simulation_has_no_prices_and_says_so() -> None:
    energy = report(load_profile("lava_cpu"))
    assert energy.dynamic == energy.static == energy.seconds_per_sample == UNPRICED
    assert {"synaptic operations", "updates of lif neurons", "static power"} <= set(energy.unpriced)
    assert energy.weakest_basis == "unpublished"
    assert json.loads(json.dumps(asdict(energy)))["dynamic"] == {"low": None, "value": None, "high": None}


@pytest.fixture(scope="module")
def block() -> tuple[PlacedGraph, RunRecord, HardwareProfile]:
    _, graph = small_graphs()
    profile = load_profile("loihi2")
    return place(graph, profile), simulate(graph, graph.encoder.encode(small_input())), profile


def test_the_passes_of_a_scan_grow_with_its_states(block: tuple[PlacedGraph, RunRecord, HardwareProfile]) -> None:
    placed, record, profile = block
    layers = {layer.layer: layer for layer in price(placed, record, profile).layers}
    updates = 12 * 6  # channels, steps
    assert layers["block1.scan"].events["updates"].value == pytest.approx(updates * 3 * 3.2 * 81, rel=1e-14)
    assert layers["block1.lif"].events["updates"].value == pytest.approx(12 * record.period * 2.2 * 81, rel=1e-14)


def test_a_scan_pays_no_message_and_no_hop(block: tuple[PlacedGraph, RunRecord, HardwareProfile]) -> None:
    placed, record, profile = block
    layers = {layer.layer: layer for layer in price(placed, record, profile).layers}
    assert record.layers["block1.scan"].messages.sum() > 0
    assert layers["block1.scan"].events["hops"] == Range(0, 0, 0)
    assert layers["block1.u"].events["hops"].value > 0


def test_a_whole_run_is_the_sum_of_its_counts_times_the_prices(
    block: tuple[PlacedGraph, RunRecord, HardwareProfile],
) -> None:
    placed, record, profile = block
    energy, prices, hops = price(placed, record, profile), profile.energy, average_hops(placed, profile)
    for end in ("low", "value", "high"):
        expected = 0.0
        for layer, counts in record.layers.items():
            if layer == "input":
                continue
            node, total = placed.graph.nodes[layer], counts.totals()
            passes = getattr(profile.passes_per_update[node.kind], end)
            states = node.state_words if node.kind == "scan" else 1
            expected += total["synops_hardware"] * getattr(prices.synop_pj, end)
            expected += prod((total["updates"], states, passes, getattr(prices.update_pass_pj, end)))
            expected += total["messages"] * hops[layer][0] * getattr(prices.hop_east_west_pj, end)
            expected += total["messages"] * hops[layer][1] * getattr(prices.hop_north_south_pj, end)
        assert getattr(energy.dynamic, end) == pytest.approx(expected / record.samples, rel=1e-12)
    assert energy.unpriced == ("input messages", "sending messages", "barrier", "host power")
    assert energy.weakest_basis == "assumed"

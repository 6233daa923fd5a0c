"""Energy: counts times prices, worked by hand to the last digit; what has no price is named, never zero."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import prod

import numpy as np
import pytest
from small_models import small_graphs, small_input
from tiny_net import PRICES, UNKNOWN, chip, known, tiny, tiny_record

from bim_neuro.compilers.placement.place import average_hops, place
from bim_neuro.estimates.energy import EnergyReport, price
from bim_neuro.estimates.executed import executed
from bim_neuro.estimates.latency import latency
from bim_neuro.estimates.terms import UNPRICED, Range, Term
from bim_neuro.graph import Edge, PlacedGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.jobs.shards import from_arrays, to_arrays
from bim_neuro.nodes import Dense
from bim_neuro.record import RunRecord, merge
from bim_neuro.simulation.reference import simulate


def report(profile: HardwareProfile) -> EnergyReport:
    graph = tiny()
    return price(place(graph, profile, effort=0), tiny_record(), profile)


def test_every_layer_costs_its_counts_times_their_prices_to_the_last_digit() -> None:
    # Cores of a (0, 0), b (1, 0), out (0, 1): a spike of a goes 1 east, one of b 1 west and 1 south.
    layers = {layer.layer: layer for layer in report(chip()).layers}
    assert set(layers) == {"a", "b", "out"}
    assert layers["a"].events == {
        "synops": Range(9 * 10 / 2, 9 * 20 / 2, 9 * 40 / 2),
        "updates": Range(12 * 2 * 40 / 2, 12 * 2.5 * 80 / 2, 12 * 3 * 160 / 2),
        "messages": Range(5 * 1 / 2, 5 * 1.5 / 2, 5 * 2 / 2),
        "hops": Range(5 * 2 / 2, 5 * 3 / 2, 5 * 5 / 2),
        "links": Range(0, 0, 0),
        "learning": Range(0, 0, 0),
    }
    assert layers["a"].total == Range(532.5, 1301.25, 3077.5)
    b = (100 + 640 + 1 + 4, 200 + 1600 + 1.5 + 7, 400 + 3840 + 2 + 13)  # synops, updates, messages, hops
    assert layers["b"].total == Range(*b)
    assert layers["out"].total == Range(182.0, 363.0, 724.0)


def test_dynamic_static_host_and_io_are_lines_of_their_own() -> None:
    energy = report(chip())
    assert energy.barrier == Range(200, 220, 240)  # 2 steps a sample
    assert energy.dynamic == Range(532.5 + 745 + 182 + 200, 1301.25 + 1808.5 + 363 + 220, 8296.5)
    assert energy.io == Range(3 * 6 / 2, 3 * 7 / 2, 3 * 8 / 2)
    assert energy.static == Range(4000, 10_000, 32_000)  # 2 steps of 8 us at 0.25 mW are 4 nJ
    assert energy.host == Range(16_000, 40_000, 96_000)
    assert energy.seconds_per_sample == Range(16e-6, 20e-6, 32e-6)
    assert (energy.unpriced, energy.at_least, energy.weakest_basis) == ((), False, "assumed")
    assert energy.layer("a") == {"low": 532.5, "value": 1301.25, "high": 3077.5}


def test_the_whole_is_dynamic_and_static_energy_in_microjoules() -> None:
    energy = report(chip())
    assert energy.dynamic_uj == energy.dynamic.over(1e6)
    assert energy.static_uj == Range(4e-3, 1e-2, 3.2e-2)
    for end in ("low", "value", "high"):
        both = (getattr(energy.dynamic, end) + getattr(energy.static, end)) / 1e6
        assert getattr(energy.energy_uj, end) == pytest.approx(both, rel=1e-15)


def test_without_static_power_the_whole_is_unknown_and_all_in_prices_hold_it() -> None:
    energy = report(chip(static_mw=UNKNOWN))
    assert (energy.energy_uj, energy.static_uj) == (UNPRICED, UNPRICED)
    assert energy.dynamic_uj.value > 0
    assert "static power" in energy.unpriced
    others = dict.fromkeys(PRICES, UNKNOWN) | {"synop_pj": known(20, 26, 30)}
    whole = report(chip(scope="all_in", **others))
    assert whole.energy_uj == whole.dynamic_uj
    assert whole.energy_uj.value > 0


def test_the_kinds_of_event_and_the_barrier_are_the_dynamic_energy_again() -> None:
    energy = report(chip())
    assert energy.events["synops"] == Range(33 * 10 / 2, 33 * 20 / 2, 33 * 40 / 2)
    assert energy.events["hops"] == Range(5 + 4, 7.5 + 7, 12.5 + 13)
    for end in ("low", "value", "high"):
        kinds = sum(getattr(cost, end) for cost in energy.events.values())
        assert kinds + getattr(energy.barrier, end) == getattr(energy.dynamic, end)


def test_a_message_to_another_chip_pays_for_a_link() -> None:
    profile = chip()
    profile = replace(
        profile,
        capacity=replace(profile.capacity, cores=known(1, 1, 1, "cores"), mesh_columns=known(1, 1, 1, "cores")),
        board=replace(profile.board, chips=known(3, 3, 3, "chips"), chip_columns=known(3, 3, 3, "chips")),
    )
    a, b, out = report(profile).layers
    assert (a.events["links"], a.events["hops"]) == (Range(5 * 50 / 2, 5 * 60 / 2, 5 * 70 / 2), Range(0, 0, 0))
    assert b.events["links"] == Range(2 * 50 / 2, 2 * 60 / 2, 2 * 70 / 2)
    assert out.events["links"] == Range(0, 0, 0)


def test_learning_costs_its_visits_of_plastic_synapses() -> None:
    graph, profile = tiny(), chip()
    record = replace(tiny_record(), learning_updates={"b": 7})
    energy = price(place(graph, profile, effort=0), record, profile)
    assert energy.events["learning"] == Range(7 * 100 / 2, 7 * 120 / 2, 7 * 140 / 2)
    assert energy.dynamic.value == report(profile).dynamic.value + 420


def test_learning_updates_of_batches_add_up_and_survive_on_disk() -> None:
    record = replace(tiny_record(), learning_updates={"b": 7})
    both = merge([record, from_arrays(to_arrays(record, "x"), "x")])
    assert both.learning_updates == {"b": 14}


def test_a_term_is_its_count_times_its_prices_over_the_samples_to_the_last_digit() -> None:
    term = Term("synops", "synaptic operations", 7, (known(0.1, 0.2, 0.3), known(1.1, 1.3, 1.7)))
    assert term.over(3) == Range(7 * (0.1 * 1.1) / 3, 7 * (0.2 * 1.3) / 3, 7 * (0.3 * 1.7) / 3)


def test_static_and_host_power_are_paid_for_as_long_as_the_latency_model_says() -> None:
    graph, profile = tiny(), chip()
    slow = replace(profile, timing=replace(profile.timing, synop_ns=known(4000, 5000, 6000, "ns")))
    placed = place(graph, slow, effort=0)
    time, energy = latency(placed, tiny_record(), slow), price(placed, tiny_record(), slow)
    assert time.sample_us.value > 40
    assert energy.seconds_per_sample.value == time.sample_us.value / 1e6
    assert energy.static.value == pytest.approx(time.sample_us.value * 0.5 * 1000, rel=1e-15)
    assert energy.dynamic == report(profile).dynamic


def test_the_effective_synops_are_not_what_is_priced() -> None:
    record = tiny_record()
    record.layers["a"].synops_effective[:] = 0
    graph, profile = tiny(), chip()
    assert price(place(graph, profile, effort=0), record, profile) == report(profile)


def test_zeros_are_executed_in_dense_lists_and_not_in_sparse_ones() -> None:
    graph, record, sparse = tiny(), tiny_record(), chip()
    edges = []
    for edge in graph.edges:
        weight = edge.synapse.weight.copy()  # type: ignore[attr-defined]
        weight[0, 0] = 0
        edges.append(replace(edge, synapse=Dense(weight)))
    graph = replace(graph, edges=tuple(edges))
    profiles = {"hardware": replace(sparse, encoding={"dense": sparse.encoding["dense"]}), "effective": sparse}
    for kind, profile in profiles.items():
        energy = price(place(graph, profile, effort=0), record, profile)
        synops = {layer.layer: layer.events["synops"].value for layer in energy.layers}
        counts = {layer: record.layers[layer].totals()[f"synops_{kind}"] for layer in ("a", "b", "out")}
        assert synops == {layer: count * 20 / record.samples for layer, count in counts.items()}


def test_where_dense_and_sparse_lists_meet_in_a_layer_only_the_zeros_of_the_dense_ones_are_executed() -> None:
    """By hand: 5 messages meet the 2 zeros of a sparse list, 3 messages the one of a dense list: 3 of 13 are stored."""
    plain, record = tiny(), tiny_record()
    few, one = np.ones((4, 3), np.int8), np.ones((4, 2), np.int8)
    few[0, :2], one[0, 0] = 0, 0
    edges = (Edge("a", "b", "i", Dense(few)), Edge("input", "b", "i", Dense(one)))
    graph = replace(plain, edges=tuple(edge for edge in plain.edges if edge.target != "b") + edges)
    placed = place(plain, chip(), effort=0)
    encodings = {"a -> b.i": {"sparse": 1}, "input -> b.i": {"dense": 1}}
    mixed = replace(placed, graph=graph, placement=replace(placed.placement, encodings=encodings))
    assert executed(mixed, record, "b").tolist() == pytest.approx([7 + 1 * 3 / 13, 9 + 3 * 3 / 13])
    for kind, counts in (("sparse", [7, 9]), ("dense", [8, 12])):
        alike = replace(placed.placement, encodings={name: {kind: 1} for name in encodings})
        assert executed(replace(mixed, placement=alike), record, "b").tolist() == counts


def test_twice_the_samples_with_twice_the_counts_cost_the_same_a_sample() -> None:
    record = tiny_record()
    for layer in record.layers.values():
        for counts in (layer.synops_hardware, layer.updates, layer.messages):
            counts *= 2
    record.samples *= 2
    graph, profile = tiny(), chip()
    assert price(place(graph, profile, effort=0), record, profile) == report(profile)


def test_a_term_without_a_price_is_named_and_left_out_of_a_total_that_is_a_floor() -> None:
    energy = report(chip(message_pj=UNKNOWN, hop_north_south_pj=UNKNOWN, host_mw=UNKNOWN))
    assert energy.unpriced == ("sending messages", "hops north-south", "host power")
    assert energy.at_least
    assert energy.host == UNPRICED
    a = next(layer for layer in energy.layers if layer.layer == "a")
    assert set(a.events) == {"synops", "updates", "hops", "links", "learning"}
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
    assert price(place(graph, profile, effort=0), record, profile).unpriced == ()


def test_an_all_in_synop_is_never_added_to_another_term() -> None:
    others = dict.fromkeys(PRICES, UNKNOWN) | {"synop_pj": known(20, 26, 30)}
    energy = report(chip(scope="all_in", **others))
    assert energy.scope == "all_in"
    assert {event for layer in energy.layers for event in layer.events} == {"synops"}
    assert energy.dynamic == Range(33 * 20 / 2, 33 * 26 / 2, 33 * 30 / 2)
    assert (energy.static, energy.host, energy.barrier) == (UNPRICED, UNPRICED, UNPRICED)
    assert (energy.io, energy.unpriced) == (UNPRICED, ())


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
    profile = replace(profile, capacity=replace(profile.capacity, groups=known(1, 1, 1, "groups")))
    return place(graph, profile, effort=0), simulate(graph, graph.encoder.encode(small_input())), profile


def test_the_passes_of_a_scan_grow_with_its_states(block: tuple[PlacedGraph, RunRecord, HardwareProfile]) -> None:
    placed, record, profile = block
    layers = {layer.layer: layer for layer in price(placed, record, profile).layers}
    updates = 12 * 6  # channels, steps
    assert layers["block1.scan"].events["updates"].value == pytest.approx(updates * 3 * 5.9 * 81, rel=1e-14)
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
            expected += int(executed(placed, record, layer).sum()) * getattr(prices.synop_pj, end)
            expected += prod((total["updates"], states, passes, getattr(prices.update_pass_pj, end)))
            expected += total["messages"] * hops[layer][0] * getattr(prices.hop_east_west_pj, end)
            expected += total["messages"] * hops[layer][1] * getattr(prices.hop_north_south_pj, end)
        assert getattr(energy.dynamic, end) == pytest.approx(expected / record.samples, rel=1e-12)
    assert energy.unpriced == ("sending messages", "barrier", "input messages")
    assert energy.weakest_basis == "assumed"

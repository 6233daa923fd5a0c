"""Placement: worked by hand, never over a limit, never below its bounds, and a refusal that lists every broken rule."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import permutations
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_graph
from small_models import small_graphs

from benchmarks.generated import row
from bim_neuro.compilers.placement.anneal import anneal
from bim_neuro.compilers.placement.bounds import traffic_bound
from bim_neuro.compilers.placement.design_rules import MEMORY_RULES, RULES, assumptions, check
from bim_neuro.compilers.placement.extrapolate import extrapolate
from bim_neuro.compilers.placement.memory import Footprint
from bim_neuro.compilers.placement.mesh import Mesh
from bim_neuro.compilers.placement.parts import Part
from bim_neuro.compilers.placement.place import arrange, average_hops, place
from bim_neuro.compilers.placement.traffic import between
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge, Flow, IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, Quantity, load_profile
from bim_neuro.nodes import (
    Broadcast,
    Dense,
    Diagonal,
    Encoder,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    SomaWire,
    Source,
)
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.pipeline import compile_model
from bim_neuro.record import LayerCount, RunRecord

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def chip(**values: float) -> HardwareProfile:
    """Return loihi2 with some numbers changed: chip(capacity__cores=4)."""
    profile = load_profile("loihi2")
    for key, value in values.items():
        name, number = key.split("__")
        section = getattr(profile, name)
        quantity: Quantity = replace(getattr(section, number), value=value, low=value, high=value)
        profile = replace(profile, **{name: replace(section, **{number: quantity})})
    return profile


def relay(neurons: int) -> IntegerRelay:
    return IntegerRelay(np.ones(neurons, int), 0, np.zeros(neurons, int))


def lif(neurons: int) -> IntegerLIF:
    return IntegerLIF(neurons, 4095, 100, 8, np.zeros(neurons, int))


def readout(neurons: int) -> IntegerReadout:
    return IntegerReadout(60000, np.ones(neurons, int), 0, np.zeros(neurons, int))


def weights(post: int, pre: int) -> Array:
    """Return weights of 8 bits, no two columns alike."""
    return (100 + np.arange(post * pre).reshape(post, pre) % 27 * np.where(np.arange(pre) % 2, 1, -8)).astype(np.int8)


def chain(inputs: int, relays: int, lifs: int, classes: int) -> IntegerGraph:
    """Return input -> relay -> LIF (and a broadcast beside it) -> readout, with a tap where sizes agree."""
    nodes: dict[str, IntegerNode] = {
        "input": Source(inputs),
        "u": relay(relays),
        "b": relay(3),
        "lif": lif(lifs),
        "out": readout(classes),
    }
    edges = [
        Edge("input", "u", "a", Dense(weights(relays, inputs))),
        Edge("input", "b", "a", Dense(weights(3, inputs))),
        Edge("u", "lif", "i", Dense(weights(lifs, relays))),
        Edge("b", "lif", "i", Broadcast(3, lifs)),
        Edge("lif", "out", "a", Dense(weights(classes, lifs))),
    ]
    if relays == lifs:
        edges.append(Edge("u", "lif", "i", Diagonal(weights(1, lifs)[0]), delay=1))
    encoder = Encoder("graded", np.ones(inputs), np.zeros(inputs))
    return IntegerGraph(nodes, tuple(edges), 1e-3, encoder)


def apart(**values: float) -> HardwareProfile:
    """Return loihi2 with one layer a core, as far as it has room."""
    return chip(capacity__groups=1, **values)


def test_the_words_of_a_small_block_are_those_worked_out_by_hand() -> None:
    # 5 inputs, 12 channels of 3 states, 4 taps (two of their 48 weights are 0), 4 classes. A list of n targets takes
    # ceil((20 n + 10) / 64) words, one of weights that are all 1 takes ceil((13 n + 10) / 64).
    _, graph = small_graphs()
    words = {
        "block1.u": {"neuron": 12, "synapse": 5 * 4, "axon_in": 5, "axon_map": 12, "core": 49},
        "block1.B": {"neuron": 3, "synapse": 5 * 2, "axon_in": 5, "axon_map": 3, "core": 21},
        "block1.C": {"neuron": 3, "synapse": 5 * 2, "axon_in": 5, "axon_map": 3, "core": 21},
        "block1.scan": {
            "neuron": 48,
            "synapse": 46 + 5 * 4 + 6 * 3,
            "axon_in": 12 + 5 + 3 + 3,
            "axon_map": 12,
            "core": 167,
        },
        "readout": {"neuron": 4, "synapse": 12 * 2, "axon_in": 12, "axon_map": 4, "core": 44},
    }
    words["block1.lif"] = words["block1.scan"]
    limits = {"neuron": 4095, "synapse": 16000, "axon_in": 16000, "axon_map": 16000, "core": 20000}
    placed = place(graph, apart(), effort=0)
    for core in placed.cores:
        expected = {f"{name}_words": (used, limits[name]) for name, used in words[core.layer].items()}
        assert core.resources == {**expected, "axon_mem_words": (0, 16000), "groups": (1, 1)}, core.layer
    assert {core.layer: core.index for core in placed.cores} == {
        "block1.u": 0,
        "block1.B": 1,
        "block1.C": 2,
        "block1.scan": 3,
        "block1.lif": 3,
        "readout": 4,
    }


def test_layers_on_one_core_share_the_axons_of_what_they_read() -> None:
    _, graph = small_graphs()
    placed = place(graph, load_profile("loihi2"))
    assert {core.index for core in placed.cores} == {0}
    resources = placed.cores[0].resources
    assert resources["groups"] == (5, 8)
    assert resources["synapse_words"][0] == 20 + 10 + 10 + 84 + 24
    assert resources["axon_in_words"][0] == 5 + 12 + 3 + 3 + 12  # the input is read by four layers, once


def footprint(synapse: Dense, **plastic: int) -> Footprint:
    """Return the memory model of one layer that reads 10 inputs."""
    neurons = len(synapse.weight)
    nodes: dict[str, IntegerNode] = {"input": Source(synapse.weight.shape[1]), "lif": lif(neurons)}
    edge = Edge("input", "lif", "i", synapse)
    encoder = Encoder("graded", np.ones(10), np.zeros(10))
    return Footprint(IntegerGraph(nodes, (edge,), 1e-3, encoder), load_profile("loihi2"), plastic and {edge.name: 9})


def test_a_list_of_fifty_targets_takes_the_sixteen_words_the_compiler_prints() -> None:
    need = footprint(Dense(weights(50, 784))).need(Part("lif", 0, 49))
    assert (need.synapse_words, need.encodings) == (784 * 16, {"input -> lif.i": "dense"})


def test_a_pruned_layer_takes_fewer_words_and_a_silent_source_no_axon() -> None:
    weight = weights(50, 10)
    weight[5:, :9] = 0  # five targets each: ceil((5 * 20 + 10) / 64) = 2 words
    weight[:, 9] = 0
    pruned = footprint(Dense(weight))
    need = pruned.need(Part("lif", 0, 49))
    assert (need.synapse_words, need.encodings) == (9 * 2, {"input -> lif.i": "sparse"})
    assert pruned.used(need)["axon_in_words"] == 9
    assert footprint(Dense(weights(50, 10))).need(Part("lif", 0, 49)).synapse_words == 10 * 16


def test_narrow_weights_take_narrow_lists() -> None:
    weight = np.tile([[3, -2]], (50, 5)).astype(np.int8)  # two bits and a sign: ceil((50 * 15 + 10) / 64) = 12
    assert footprint(Dense(weight)).need(Part("lif", 0, 49)).synapse_words == 10 * 12


def test_a_convolution_keeps_each_kernel_once() -> None:
    weight = np.zeros((13, 10), np.int8)
    for column in range(10):
        weight[column : column + 4, column] = [1, -128 + 1, 7, 5]
    need = footprint(Dense(weight)).need(Part("lif", 0, 12))
    assert (need.synapse_words, need.encodings) == (1, {"input -> lif.i": "shared"})  # ceil((4 * 8 + 10) / 64)
    cut = footprint(Dense(weight)).need(Part("lif", 0, 5))  # whole kernels and, at the cut, ends of 3, 2 and 1 weights
    assert cut.synapse_words == 4


def test_a_plastic_synapse_pays_for_its_tag_and_traces_and_keeps_its_zeros() -> None:
    weight = weights(50, 10)
    weight[5:] = 0
    plastic = footprint(Dense(weight), learns=True)
    need = plastic.need(Part("lif", 0, 49))
    # 9 bits of weight, 9 of tag, 12 of index; two traces of 7 bits in each header, three in a word of each neuron
    assert need.synapse_words == 10 * ceil((50 * (9 + 9 + 12) + 10 + 2 * 7) / 64)
    assert need.neuron_words == 50 * 2


def test_a_soma_is_on_every_core_of_its_scan() -> None:
    _, graph = small_graphs()
    placed = place(graph, apart(capacity__neuron_words=16))  # 4 words a channel: 4 of 12 channels a core
    scans, somas = placed.cores_of("block1.scan"), placed.cores_of("block1.lif")
    assert [(core.first, core.last) for core in scans] == [(0, 3), (4, 7), (8, 11)]
    assert [replace(core, layer="block1.lif") for core in scans] == list(somas)


def test_a_seed_always_gives_the_same_cores() -> None:
    graph, profile = chain(9, 40, 70, 5), chip(capacity__synapse_words=90)
    assert place(graph, profile, seed=1) == place(graph, profile, seed=1)
    assert len(place(graph, profile).cores) > 3


def test_a_simulation_has_nothing_to_place() -> None:
    _, graph = small_graphs()
    placed = place(graph, load_profile("lava_cpu"))
    assert (placed.cores, placed.placement) == ((), None)
    assert {hops.total for hops in average_hops(placed, load_profile("lava_cpu")).values()} == {0.0}


def recount(graph: IntegerGraph, placed: PlacedGraph, index: int) -> dict[str, int]:
    """Count the words of a core from the full connection matrices, list by list."""
    words, senders, sending = defaultdict(int), set(), {edge.source for edge in graph.edges}
    for core in (core for core in placed.cores if core.index == index):
        count = core.last - core.first + 1
        words["neuron_words"] += count * graph.nodes[core.layer].state_words
        spoken = [edge for edge in graph.edges if edge.source == core.layer]
        own = all(isinstance(edge.synapse, SomaWire) for edge in spoken) if core.layer in sending else False
        words["axon_map_words"] += 0 if own else count
        for edge in graph.into(core.layer):
            if not isinstance(edge.synapse, SomaWire):
                lists = [list_of(edge, graph, source, core.first, core.last) for source in range(pre(edge, graph))]
                kept = [targets for targets in lists if np.count_nonzero(targets)]
                bits = 12 + bits_of(edge)
                dense = sum(ceil((len(targets) * bits + 10) / 64) for targets in kept)
                sparse = sum(ceil((np.count_nonzero(targets) * bits + 10) / 64) for targets in kept)
                words["synapse_words"] += min(dense, sparse)
                senders |= {(edge.source, source) for source, targets in enumerate(lists) if np.count_nonzero(targets)}
    words["axon_in_words"] = len(senders)
    return {**words, "core_words": sum(words.values())}


def pre(edge: Edge, graph: IntegerGraph) -> int:
    return graph.nodes[edge.source].neurons


def list_of(edge: Edge, graph: IntegerGraph, source: int, first: int, last: int) -> Array:
    """Return the weights from one source neuron to a core's neurons, zeros included."""
    synapse, count = edge.synapse, last - first + 1
    gate = edge.port in ("B", "C")  # every neuron reads every value
    if isinstance(synapse, Broadcast):
        return np.ones(count)
    if isinstance(synapse, Diagonal):
        inside = gate or first <= source <= last
        return np.repeat(synapse.weight[source], count if gate else 1) if inside else np.zeros(1)
    assert isinstance(synapse, Dense)
    return np.tile(synapse.weight[:, source], count) if gate else synapse.weight[first : last + 1, source]


def bits_of(edge: Edge) -> int:
    if isinstance(edge.synapse, Broadcast):
        return 1
    weight = edge.synapse.weight.astype(int)  # type: ignore[attr-defined]
    return next(b for b in range(10) if abs(weight).max() < 2**b) + (weight.min() < 0 < weight.max())


@settings(max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    layers=st.integers(1, 6),
    loops=st.booleans(),
    limits=st.fixed_dictionaries(
        {
            "capacity__neuron_words": st.integers(3, 60),
            "capacity__synapse_words": st.integers(10, 400),
            "capacity__axon_in_words": st.integers(5, 100),
            "capacity__core_words": st.integers(20, 500),
            "capacity__groups": st.integers(1, 8),
            "capacity__cores": st.integers(1, 40),
            "capacity__mesh_columns": st.integers(1, 9),
            "board__chips": st.integers(1, 4),
            "board__chip_columns": st.integers(1, 3),
        }
    ),
)
def test_any_graph_on_any_chip_keeps_every_limit_and_its_bounds(
    seed: int, layers: int, loops: bool, limits: dict[str, int]
) -> None:
    graph, profile = random_graph(seed, layers=layers, width=20, loud=False, loops=loops), chip(**limits)
    if findings := check(graph, profile):
        assert all(finding.used is None or finding.used > finding.limit for finding in findings)
        with pytest.raises(DoesNotFit):
            place(graph, profile)
        return
    placed = place(graph, profile, effort=0.01)
    placement = placed.placement
    assert placement is not None
    used = {core.index for core in placed.cores}
    assert placement.lower_bound <= placement.cores == len(used) <= profile.usable_cores
    assert max(used) < profile.usable_cores
    assert placement.traffic_lower_bound <= placement.traffic_hops <= placement.naive_traffic_hops
    for core in placed.cores:
        assert all(amount <= limit for amount, limit in core.resources.values())
        for name, amount in recount(graph, placed, core.index).items():
            assert core.resources[name][0] == amount, name
    for layer, node in graph.nodes.items():
        held = sorted(n for core in placed.cores_of(layer) for n in range(core.first, core.last + 1))
        assert held == ([] if layer == graph.source else list(range(node.neurons)))
    alone = place(graph, replace(profile, capacity=replace(profile.capacity, cores=chip().capacity.cores)), effort=0)
    assert alone.placement is not None
    assert placement.lower_bound <= alone.placement.cores


def test_no_permutation_of_six_cores_beats_the_bound_and_annealing_finds_the_best() -> None:
    draw = np.random.default_rng(3)
    flows = [Flow("a", i, j, int(draw.integers(1, 50))) for i in range(6) for j in range(6) if i != j]
    traffic, mesh = between(flows, {"a": 1.0}, 6), Mesh(cores=6, columns=3, chips=1, chip_columns=1, width=1)
    costs = [traffic.hops(mesh, np.array(sites)).total for sites in permutations(range(6))]
    assert traffic_bound(traffic, mesh) <= min(costs) < max(costs)
    assert traffic.hops(mesh, anneal(traffic, mesh, seed=0, effort=1)).total == min(costs)


def test_a_silent_run_leaves_the_cores_row_by_row() -> None:
    graph, profile = chain(3, 40, 40, 4), apart()
    zeros = {name: LayerCount.zeros(1) for name in graph.nodes}
    placed = place(graph, profile, traffic=RunRecord("by hand", 1, 1, 1, zeros, np.zeros((1, 4))))
    assert [core.index for core in placed.cores] == [0, 1, 2, 3]


def test_a_network_in_two_pieces_and_silent_cores_are_placed_all_the_same() -> None:
    ring = [Flow("a", i, 75 * (i // 75) + (i + 1) % 75, 1) for i in range(150)]
    traffic, mesh = between(ring, {"a": 1.0}, 160), Mesh(cores=160, columns=16, chips=1, chip_columns=1, width=1)
    sites = anneal(traffic, mesh, seed=0, effort=0.1)
    assert sorted(sites.tolist()) == list(range(160))
    assert traffic_bound(traffic, mesh) <= traffic.hops(mesh, sites).total < 2 * 150


def test_what_talks_most_stands_together() -> None:
    graph, profile = chain(3, 40, 40, 4), apart(capacity__mesh_columns=1)
    counts = dict.fromkeys(graph.nodes, 1) | {"b": 1000}
    steps = {name: LayerCount(*(np.array([many]) for _ in range(5))) for name, many in counts.items()}
    record = RunRecord("by hand", 1, 1, 1, steps, np.zeros((1, 4)))
    quiet, loud = place(graph, profile), place(graph, profile, traffic=record)
    assert loud.placement is not None
    assert loud.placement.measured

    def distance(placed: PlacedGraph) -> int:
        return abs(placed.cores_of("b")[0].index - placed.cores_of("lif")[0].index)

    assert distance(quiet) == 2 or distance(loud) == 1
    assert arrange(quiet, profile, traffic=record) == loud


def test_hops_are_the_manhattan_distances_on_the_mesh() -> None:
    # Two columns: u (0, 0), B (1, 0), C (0, 1), scan with its soma (1, 1), readout (0, 2); four taps are one message.
    _, graph = small_graphs()
    profile = apart(capacity__mesh_columns=2)
    placed = place(graph, profile, effort=0)
    assert average_hops(placed, profile) == {
        "input": (0, 0, 0),
        "block1.u": (1, 1, 0),
        "block1.B": (0, 1, 0),
        "block1.C": (1, 0, 0),
        "block1.scan": (0, 0, 0),
        "block1.lif": (1, 1, 0),
        "readout": (0, 0, 0),
    }
    assert placed.placement is not None
    assert placed.placement.traffic_hops == 12 * 2 + 3 + 3 + 12 * 2


def test_a_tap_goes_to_the_one_core_of_its_neuron_a_broadcast_to_all() -> None:
    # As above, but the scan is on (1, 1) and (0, 2), six channels each, and the readout on (1, 2).
    _, graph = small_graphs()
    profile = apart(capacity__mesh_columns=2, capacity__neuron_words=24)
    hops = average_hops(place(graph, profile, effort=0), profile)
    assert hops["block1.u"] == (0.5, 1.5, 0)
    assert hops["block1.B"] == (0 + 1, 1 + 2, 0)
    assert hops["block1.C"] == (1 + 0, 0 + 1, 0)
    assert hops["block1.lif"] == (0.5, 0.5, 0)


def test_a_way_to_another_chip_is_counted_in_links() -> None:
    # Chips of two by two cores, two chips a row: core 1 is at the right of its chip, core 12 on the fourth chip.
    mesh = Mesh(cores=4, columns=2, chips=4, chip_columns=2, width=2)
    assert mesh.hops(1, 4) == (0, 0, 1)
    assert mesh.hops(1, 12) == (0, 1, 2)
    assert mesh.hops(0, 15) == (2, 2, 2)
    _, graph = small_graphs()
    profile = apart(capacity__cores=2, capacity__mesh_columns=1, board__chips=3, board__chip_columns=3)
    placed = place(graph, profile)
    assert placed.placement is not None
    assert (placed.placement.chips, placed.placement.cores) == (3, 5)
    links = sum(hops.links * graph.nodes[layer].neurons for layer, hops in average_hops(placed, profile).items())
    assert placed.placement.chip_hops == pytest.approx(links)
    assert links > 0


def test_extrapolating_counts_the_cores_that_placing_finds_and_says_what_would_fit() -> None:
    part, profile = row(4095), load_profile("loihi2")
    assert extrapolate(part, profile, 4095 * 3).cores == 3 * len(place(part, profile).cores)
    full = extrapolate(part, profile, 4095 * 120)
    assert (full.fits, full.binding, full.filled["neuron_words"]) == (True, "neuron_words", 1.0)
    assert full.most_neurons == full.neurons == 120 * 4095
    assert not extrapolate(part, profile, full.neurons + 1).fits
    assert not extrapolate(part, load_profile("hala_point"), 1_150_000_000).fits


def test_chips_are_taken_in_a_block_as_square_as_the_board_allows() -> None:
    hala, kapoho = load_profile("hala_point"), load_profile("kapoho_point")
    many = Mesh.of(hala, 9 * 122)
    assert sorted({int(core) // 122 for core in many.places}) == [0, 1, 2, 32, 33, 34, 64, 65, 66]
    assert sorted({int(core) // 120 for core in Mesh.of(kapoho, 601).places}) == [0, 1, 2, 4, 5, 6]
    assert len(Mesh.of(kapoho, 960).places) == 960


@pytest.mark.parametrize("name", ["digits", "ecg"])
def test_the_examples_take_no_more_than_one_core_above_the_bound(name: str) -> None:
    placement = compile_model(EXAMPLES / f"{name}.pt").placed.placement
    assert placement is not None
    assert placement.cores <= placement.lower_bound + 1


def test_a_layer_too_large_for_the_chip_is_refused_by_name_amount_limit_and_hint() -> None:
    graph = chain(100, 2000, 9000, 10)
    with pytest.raises(DoesNotFit) as refusal:
        place(graph, load_profile("loihi2"))
    (finding,) = refusal.value.findings
    # A LIF has 2,003 lists. 21 LIFs take 7 words a list, 14,018 in all (3 of them, of weights that are 1, take 5);
    # 22 take 8, 16,021: too many, so 9,000 LIFs need 429 cores. 511 of u and 2 of out fit on a core: 4 and 5; b shares.
    assert finding.message == (
        "the model needs 438 cores, loihi2 has 120; layer 'lif' needs the most, 429, because of its synapse words"
    )
    assert (finding.rule, finding.layer, finding.used, finding.limit) == ("cores", "lif", 438, 120)
    assert finding.hint == "give 'lif' fewer channels, or fewer inputs"


def test_a_neuron_with_too_many_inputs_is_refused_by_name_amount_limit_and_hint() -> None:
    (finding,) = check(chain(17_000, 1, 1, 1), chip(capacity__core_words=1e6, capacity__axon_in_words=1e6))[:1]
    assert finding.rule == "neuron-on-core"
    assert finding.layer == "u"
    assert finding.message == ("one neuron of layer 'u' needs 17,000 synapse words, a core of loihi2 has 16,000")
    assert (finding.used, finding.limit, finding.hint) == (17_000, 16_000, "give the layer fewer inputs")


POOR = {
    "numeric__weight_bits": 4,
    "numeric__state_bits": 16,
    "numeric__message_bits": 8,
    "numeric__delay_steps": 1,
    "numeric__v_threshold_bits": 3,
    "capacity__neuron_state_words": 3,
    "capacity__synapse_words": 12,
    "capacity__cores": 2,
}


def test_every_broken_rule_is_listed_not_the_first() -> None:
    _, graph = small_graphs()
    profile = replace(chip(**POOR), capabilities=replace(load_profile("loihi2").capabilities, microcode=False))
    with pytest.raises(DoesNotFit) as refusal:
        place(graph, profile)
    findings = refusal.value.findings
    assert list(dict.fromkeys(finding.rule for finding in findings)) == [
        "weight-bits",
        "state-bits",
        "message-bits",
        "delay",
        "lif-threshold",
        "microcode",
        "neuron-state",
        "neuron-on-core",
        "cores",
    ]
    assert len(RULES) + len(MEMORY_RULES) == 10  # and node-fields, which no chip can break
    assert len({finding.layer for finding in findings if finding.rule == "microcode"}) == 5
    for finding in findings:
        assert finding.layer in finding.message
        assert finding.hint
        assert finding.rule == "microcode" or finding.used > finding.limit


@pytest.mark.parametrize(
    ("key", "value", "rule", "layers"),
    [
        (
            "numeric__weight_bits",
            7,
            "weight-bits",
            {"input -> u.a", "input -> b.a", "u -> lif.i", "lif -> out.a"},
        ),
        ("numeric__message_bits", 23, "message-bits", {"out"}),
        ("numeric__v_threshold_bits", 3, "lif-threshold", {"lif"}),
        ("capacity__neuron_state_words", 0, "neuron-state", {"u", "b", "lif", "out"}),
        ("capacity__groups", 0, "neuron-on-core", {"u", "b", "lif", "out"}),
        ("capacity__cores", 3, "cores", {"u"}),
    ],
)
def test_each_limit_is_kept_to_the_last_unit(key: str, value: float, rule: str, layers: set[str]) -> None:
    graph = chain(3, 4, 5, 2)  # weights of 100 need 8 bits, thresholds of 8 need 4
    groups = {} if key == "capacity__groups" else {"capacity__groups": 1}  # every layer on cores of its own
    assert check(graph, chip(**groups, **{key: value + 1})) == ()
    broken = [finding for finding in check(graph, chip(**groups, **{key: value})) if finding.rule == rule]
    assert {finding.layer for finding in broken} == layers


def test_a_scan_speaks_to_its_soma_without_a_message() -> None:
    _, graph = small_graphs()
    wide = [finding.layer for finding in check(graph, chip(numeric__message_bits=16))]
    assert wide == ["readout"]  # the scan's word has 24 bits too, and never leaves the neuron


def test_a_limit_nobody_published_is_not_checked() -> None:
    graph, profile = chain(3, 4, 5, 2), load_profile("loihi2")
    unknown = Quantity(None, None, None, "words", "unpublished", "by hand")
    profile = replace(profile, capacity=replace(profile.capacity, core_words=unknown))
    assert "core_words" not in place(graph, profile).cores[0].resources


def test_assumptions_are_said_only_where_they_apply() -> None:
    _, block = small_graphs()
    loihi2 = load_profile("loihi2")
    said = " ".join(assumptions(block, loihi2))
    for part in (
        "block1.scan: scan and soma are one microcode neuron of 8 accumulators",
        "relay",
        "derived",
        "us",
    ):
        assert part in said
    nodes: dict[str, IntegerNode] = {"input": Source(2), "lif": lif(3)}
    encoder = Encoder("graded", np.ones(2), np.zeros(2))
    plain = IntegerGraph(nodes, (Edge("input", "lif", "i", Dense(weights(3, 2))),), 1e-3, encoder)
    said = " ".join(assumptions(plain, loihi2))
    assert "microcode" not in said.lower()
    assert "passes of a scan" not in said
    assert "no cores" in " ".join(assumptions(plain, load_profile("lava_cpu")))


def test_a_synapse_without_a_memory_model_is_refused_by_its_kind() -> None:
    class Stranger:
        kind = "stranger"

    graph = chain(3, 4, 5, 2)
    graph = replace(graph, edges=(*graph.edges, Edge("u", "lif", "i", Stranger())))  # type: ignore[arg-type]
    with pytest.raises(DoesNotFit, match="no memory model for the synapse Stranger"):
        place(graph, load_profile("loihi2"))

"""Placement: worked by hand, never over a limit, and a refusal that lists every broken rule."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import small_graphs

from bim_neuro.compilers.design_rules import RULES, assumptions, check
from bim_neuro.compilers.memory import list_words, usage
from bim_neuro.compilers.place import average_hops, place
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.hardware import HardwareProfile, Quantity, load_profile
from bim_neuro.nodes import (
    Broadcast,
    Dense,
    Diagonal,
    Encoder,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    Source,
)
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode


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
    return np.full((post, pre), 100, np.int8)


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


def test_the_words_of_a_small_block_are_those_worked_out_by_hand() -> None:
    # 5 inputs, 12 channels of 3 states, 4 taps, 4 classes; a list of n targets takes ceil((20 n + 10) / 64) words.
    _, graph = small_graphs()
    placed = place(graph, load_profile("loihi2"))
    words = {
        "block1.u": {"neuron": 12, "synapse": 5 * 4, "axon_in": 5, "axon_map": 12 * 4, "core": 85},
        "block1.B": {"neuron": 3, "synapse": 5 * 2, "axon_in": 5, "axon_map": 3, "core": 21},
        "block1.C": {"neuron": 3, "synapse": 5 * 2, "axon_in": 5, "axon_map": 3, "core": 21},
        "block1.scan": {
            "neuron": 48,
            "synapse": 48 + 20 + 24,
            "axon_in": 48 + 5 + 6,
            "axon_map": 12,
            "core": 211,
        },
        "readout": {"neuron": 4, "synapse": 12 * 2, "axon_in": 12, "axon_map": 4, "core": 44},
    }
    words["block1.lif"] = words["block1.scan"]
    limits = {"neuron": 4095, "synapse": 16000, "axon_in": 16000, "axon_map": 16000, "core": 20000}
    for core in placed.cores:
        expected = {f"{name}_words": (used, limits[name]) for name, used in words[core.layer].items()}
        assert core.resources == {**expected, "axon_mem_words": (0, 16000), "groups": (1, 8)}, core.layer
    assert {core.layer: core.index for core in placed.cores} == {
        "block1.u": 0,
        "block1.B": 1,
        "block1.C": 2,
        "block1.scan": 3,
        "block1.lif": 3,
        "readout": 4,
    }


def test_a_list_of_fifty_targets_takes_the_sixteen_words_the_compiler_prints() -> None:
    assert list_words(load_profile("loihi2"), 50) == 16


def test_a_soma_is_on_every_core_of_its_scan() -> None:
    _, graph = small_graphs()
    placed = place(graph, chip(capacity__neuron_words=16))  # 4 words a channel: 4 of 12 channels a core
    scans, somas = placed.cores_of("block1.scan"), placed.cores_of("block1.lif")
    assert [(core.first, core.last) for core in scans] == [(0, 3), (4, 7), (8, 11)]
    assert [replace(core, layer="block1.lif") for core in scans] == list(somas)


def test_placing_twice_gives_the_same_cores() -> None:
    graph, profile = chain(9, 40, 70, 5), chip(capacity__synapse_words=90)
    assert place(graph, profile) == place(graph, profile)


def test_a_simulation_has_nothing_to_place() -> None:
    _, graph = small_graphs()
    placed = place(graph, load_profile("lava_cpu"))
    assert placed.cores == ()
    assert set(average_hops(placed, load_profile("lava_cpu")).values()) == {(0.0, 0.0)}


def recount(graph: IntegerGraph, layer: str, first: int, last: int) -> tuple[int, int]:
    """Count (synapse words, incoming axons) of a core from the full connection matrices, list by list."""
    words = axons = 0
    for edge in graph.into(layer):
        pre, post = graph.nodes[edge.source].neurons, graph.nodes[layer].neurons
        connected = np.eye(post, dtype=bool) if isinstance(edge.synapse, Diagonal) else np.ones((post, pre), bool)
        for targets in connected[first : last + 1].sum(axis=0):
            words += ceil((targets * 20 + 10) / 64) if targets else 0
            axons += bool(targets)
    return words, axons


sizes = st.integers(1, 60)


@given(
    shape=st.tuples(sizes, sizes, sizes, sizes),
    same=st.booleans(),
    neuron_words=st.integers(1, 70),
    synapse_words=st.integers(1, 600),
    axons=st.integers(1, 200),
    core_words=st.integers(1, 700),
    cores=st.integers(1, 40),
)
def test_no_core_is_ever_over_a_limit_and_every_neuron_has_one_core(
    shape: tuple[int, int, int, int],
    same: bool,
    neuron_words: int,
    synapse_words: int,
    axons: int,
    core_words: int,
    cores: int,
) -> None:
    inputs, relays, lifs, classes = shape
    graph = chain(inputs, relays, relays if same else lifs, classes)
    profile = chip(
        capacity__neuron_words=neuron_words,
        capacity__synapse_words=synapse_words,
        capacity__axon_in_words=axons,
        capacity__core_words=core_words,
        capacity__cores=cores,
    )
    if findings := check(graph, profile):
        assert all(finding.used > finding.limit for finding in findings)
        assert {finding.rule for finding in findings} <= {"neuron-on-core", "cores"}
        with pytest.raises(DoesNotFit):
            place(graph, profile)
        return
    placed = place(graph, profile)
    assert [core.index for core in placed.cores] == list(range(len(placed.cores)))
    assert len(placed.cores) <= cores
    for core in placed.cores:
        assert all(used <= limit for used, limit in core.resources.values())
        words = (core.resources["synapse_words"][0], core.resources["axon_in_words"][0])
        assert words == recount(graph, core.layer, core.first, core.last)
    for layer in ("u", "b", "lif", "out"):
        parts = placed.cores_of(layer)
        held = [neuron for core in parts for neuron in range(core.first, core.last + 1)]
        assert held == list(range(graph.nodes[layer].neurons))
        if len(parts) > 1:  # one core less would not do
            fuller = usage(graph, profile, layer, ceil(len(held) / (len(parts) - 1)))
            assert any(used > limit for used, limit in fuller.values())


def test_hops_are_the_manhattan_distances_on_the_mesh() -> None:
    # Two columns: u (0, 0), B (1, 0), C (0, 1), scan with its soma (1, 1), readout (0, 2); u sends on 4 taps.
    _, graph = small_graphs()
    profile = chip(capacity__mesh_columns=2)
    assert average_hops(place(graph, profile), profile) == {
        "input": (0, 0),
        "block1.u": (4, 4),
        "block1.B": (0, 1),
        "block1.C": (1, 0),
        "block1.scan": (0, 0),
        "block1.lif": (1, 1),
        "readout": (0, 0),
    }


def test_a_tap_goes_to_the_one_core_of_its_neuron_a_broadcast_to_all() -> None:
    # As above, but the scan is on (1, 1) and (0, 2), six channels each, and the readout on (1, 2).
    _, graph = small_graphs()
    profile = chip(capacity__mesh_columns=2, capacity__neuron_words=24)
    hops = average_hops(place(graph, profile), profile)
    assert hops["block1.u"] == (4 * 0.5, 4 * 1.5)
    assert hops["block1.B"] == (0 + 1, 1 + 2)
    assert hops["block1.C"] == (1 + 0, 0 + 1)
    assert hops["block1.lif"] == (0.5, 0.5)


def test_a_layer_too_large_for_the_chip_is_refused_by_name_amount_limit_and_hint() -> None:
    graph = chain(100, 2000, 9000, 10)
    with pytest.raises(DoesNotFit) as refusal:
        place(graph, load_profile("loihi2"))
    (finding,) = refusal.value.findings
    # A LIF has 2,003 lists. 21 LIFs take 7 words a list, 14,021 in all; 22 take 8, 16,024: too many, so
    # 9,000 LIFs need 429 cores. Likewise 511 of u, 3 of b and 2 of out fit on a core: 4, 1 and 5 cores.
    assert finding.message == (
        "the model needs 439 cores, loihi2 has 120; the most, 429, for layer 'lif', "
        "whose synapse words fill a core first"
    )
    assert (finding.rule, finding.layer, finding.used, finding.limit) == ("cores", "lif", 439, 120)
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
    assert len(RULES) == 9
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
    assert check(graph, chip(**{key: value + 1})) == ()
    broken = [finding for finding in check(graph, chip(**{key: value})) if finding.rule == rule]
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

"""Latency: steps worked by hand from cores, links and barrier; what has no time is named, never zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_models import small_graphs, small_input
from tiny_net import UNKNOWN, chip, known, tiny, tiny_record

from bim_neuro.compilers.align import align
from bim_neuro.compilers.placement.place import place
from bim_neuro.estimates.latency import LatencyReport, latency
from bim_neuro.estimates.links import BusyLink
from bim_neuro.estimates.terms import UNPRICED, Range
from bim_neuro.graph import Core, Edge, Flow, IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, Quantity, load_profile
from bim_neuro.nodes import Dense
from bim_neuro.simulation.reference import simulate


def timed(**times: Quantity) -> HardwareProfile:
    """Return a chip on which a synop takes 2 us, a pass 1 us, a hop 0.5 us; low is half of it, high is twice."""

    def around(value: float, unit: str) -> Quantity:
        return known(value / 2, value, value * 2, unit)

    slow = {
        "step_us": around(5, "us"),
        "synop_ns": around(2000, "ns"),
        "update_pass_ns": around(1000, "ns"),
        "hop_ns": around(500, "ns"),
        "barrier_us": around(1, "us"),
        "read_ns": known(0, 0, 0, "ns"),
    }
    profile = chip()
    passes = {"lif": known(2.5, 2.5, 2.5, "passes"), "readout": known(1, 1, 1, "passes")}
    return replace(profile, timing=replace(profile.timing, **{**slow, **times}), passes_per_update=passes)


def times_of(profile: HardwareProfile) -> LatencyReport:
    return latency(place(tiny(), profile, effort=0), tiny_record(), profile)


# A sample has half the counts. At the chip's step 0 a is in step 1 of its sample, b in step 0, out in step 1; at step 1
# the other way round. Updates of a take 7.5 us in both, its synops 3 and 6; those of b 10, and 8 and 12; of out 2, and
# 4 and 0. a sends 1.5 and 1 messages to b, 0.75 and 0.5 us on their link. So b is the longest: 10 and 12 us.
STEPS = (10, 12)


def test_a_step_takes_what_is_longest_of_all_that_goes_on_in_it() -> None:
    times = times_of(timed())
    assert (times.steps_per_sample, times.floor_steps) == (2, 0)
    assert times.sample_us == Range(11, 22, 44)
    assert times.step_us == Range(5.5, 11, 22)
    assert times.longest_step_us == Range(6, 12, 24)
    assert times.samples_per_second == Range(1e6 / 44, 1e6 / 22, 1e6 / 11)


def test_an_answer_takes_the_steps_of_the_sample_and_of_the_layers_before_the_output() -> None:
    times = times_of(timed())
    assert (times.first_answer_steps, times.answer_steps) == (4, 5)  # out is three synapses deep
    assert times.first_answer_us.value == 10 + 12 + 10 + 12
    assert times.answer_us.value == 10 + 12 + 10 + 12 + 10


def test_the_busiest_core_says_with_what_it_is_busy() -> None:
    busiest = times_of(timed()).busiest
    assert (busiest.core, busiest.layers) == (1, ("b",))
    assert {event: time.value for event, time in busiest.events.items()} == {"microcode": 10, "synops": 12, "reads": 0}
    assert busiest.total.value == 12  # side by side


def test_every_layer_says_how_long_it_keeps_its_core_busy_in_a_sample() -> None:
    layers = {layer.layers: layer.total.value for layer in times_of(timed()).layers}
    assert layers == {("a",): 7.5 + 7.5, ("b",): 10 + 12, ("out",): 4 + 2}


def test_the_term_that_the_longest_step_waits_for_is_named_beside_all_others() -> None:
    time = times_of(timed()).time
    assert (time.term, time.us) == ("synapses", Range(6, 12, 24))
    assert {row.term: (row.us.value, row.steps) for row in time.terms} == {
        "neurons": (10, 1),
        "synapses": (12, 1),
        "memory": (0, 0),
        "link": (0.75, 0),
        "barrier": (1, 0),
        "floor": (5, 0),
    }
    assert (time.link.source, time.link.target, time.link.messages) == (0, 1, 1.5)
    assert times_of(timed(step_us=known(20, 20, 20, "us"))).time.term == "floor"
    assert times_of(timed(hop_ns=known(9000, 9000, 9000, "ns"))).time.term == "link"


def test_a_hard_wired_lif_has_a_time_of_its_own() -> None:
    times = times_of(timed(lif_update_ns=known(100, 200, 400, "ns")))
    assert {row.term: row.us.value for row in times.time.terms}["neurons"] == 2  # two readouts; four LIFs take 0.8
    assert "lif" in times.layers[0].events


def test_words_of_synapse_memory_are_read_beside_the_synops() -> None:
    times = times_of(timed(read_ns=known(8000, 8000, 8000, "ns")))  # a word holds a list of 4 entries
    assert times.busiest.events["reads"].value == pytest.approx(12 / 2 / 4 * 8)
    assert times.time.term == "memory"


def test_no_step_is_shorter_than_the_least() -> None:
    times = times_of(timed(step_us=known(11, 11, 11, "us")))
    assert (times.sample_us.value, times.floor_steps) == (11 + 12, 1)
    assert times.sample_us.low == 22  # by the low times no core is busy for 11 us


def test_twice_the_samples_with_twice_the_counts_take_the_same_time() -> None:
    record, profile = tiny_record(), timed()
    for layer in record.layers.values():
        for counts in (layer.synops_hardware, layer.updates, layer.messages):
            counts *= 2
    record.samples *= 2
    assert latency(place(tiny(), profile, effort=0), record, profile) == times_of(profile)


def hand_placed(cores: tuple[Core, ...], flows: tuple[Flow, ...] = ()) -> PlacedGraph:
    return PlacedGraph(tiny(), "by hand", cores, flows)


def test_a_layer_on_two_cores_is_done_in_half_the_time() -> None:
    halves = (Core(0, "a", 0, 2, {}), Core(1, "b", 0, 1, {}), Core(2, "b", 2, 3, {}), Core(3, "out", 0, 1, {}))
    times = latency(hand_placed(halves), tiny_record(), timed())
    assert times.sample_us.value == 7.5 + 7.5  # now a is busiest


def test_layers_on_one_core_are_busy_one_after_another() -> None:
    shared = (Core(0, "a", 0, 2, {}), Core(0, "b", 0, 3, {}), Core(1, "out", 0, 1, {}))
    times = latency(hand_placed(shared), tiny_record(), timed())
    assert times.busiest.layers == ("a", "b")
    assert times.sample_us.value == (7.5 + 10) + (6 + 12)  # updates at step 0, synops at step 1


def test_a_link_between_chips_has_a_time_of_its_own() -> None:
    cores = (Core(0, "a", 0, 2, {}), Core(120, "b", 0, 3, {}), Core(1, "out", 0, 1, {}))
    profile = timed(chip_hop_ns=known(40_000, 40_000, 40_000, "ns"))
    two = known(2, 2, 2, "chips")
    profile = replace(profile, board=replace(profile.board, chips=two, chip_columns=two))
    times = latency(hand_placed(cores, (Flow("a", 0, 120, 3),)), tiny_record(), profile)
    assert times.time.link == BusyLink(1, 120, between_chips=True, messages=1.5)
    assert (times.time.term, times.time.us.value) == ("link", 1.5 * 40)


def test_what_has_no_time_is_named_and_left_out_of_what_is_then_a_floor() -> None:
    times = times_of(timed(synop_ns=UNKNOWN, barrier_us=UNKNOWN))
    assert times.untimed == ("synaptic operations", "barrier")
    assert "synops" not in times.busiest.events
    assert times.sample_us.value == 10 + 10


def test_a_simulation_has_no_times_and_says_so() -> None:
    times = times_of(load_profile("lava_cpu"))
    assert {times.sample_us, times.answer_us, times.step_us, times.samples_per_second} == {UNPRICED}
    assert times.busiest.total == UNPRICED
    assert {"least time of a step", "synaptic operations", "updates of lif neurons"} <= set(times.untimed)


def test_samples_that_start_from_rest_wait_for_the_last_layer() -> None:
    plain = tiny()
    back = Edge("b", "a", "i", Dense(np.ones((3, 4), np.int8)))
    edges = (*(replace(edge, delay=0) for edge in plain.edges), back)
    looped = align(IntegerGraph(plain.nodes, edges, 1e-3, plain.encoder))
    profile = timed()
    times = latency(place(looped, profile, effort=0), tiny_record(), profile)
    assert times.steps_per_sample == 2 + 3
    assert times.answer_us == times.sample_us


@pytest.mark.parametrize("target", ["loihi2", "kapoho_point"])
def test_what_is_shipped_gives_a_time_between_low_and_high(target: str) -> None:
    _, graph = small_graphs()
    profile = load_profile(target)
    record = simulate(graph, graph.encoder.encode(small_input()))
    times = latency(place(graph, profile), record, profile)
    assert 0 < times.answer_us.low <= times.answer_us.value <= times.answer_us.high
    assert times.answer_us.value >= times.answer_steps * profile.timing.step_us.value

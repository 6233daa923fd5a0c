"""Latency: steps worked by hand from the busiest core, barrier and traffic; what has no time is named, never zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_models import small_graphs, small_input
from tiny_net import UNKNOWN, chip, known, tiny, tiny_record

from bim_neuro.compilers.align import align
from bim_neuro.compilers.placement.place import place
from bim_neuro.estimates.latency import LatencyReport, latency
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
        "step_us": around(10, "us"),
        "synop_ns": around(2000, "ns"),
        "update_pass_ns": around(1000, "ns"),
        "hop_ns": around(500, "ns"),
        "barrier_us": around(1, "us"),
    }
    profile = chip()
    passes = {"lif": known(2.5, 2.5, 2.5, "passes"), "readout": known(1, 1, 1, "passes")}
    return replace(profile, timing=replace(profile.timing, **{**slow, **times}), passes_per_update=passes)


def times_of(profile: HardwareProfile) -> LatencyReport:
    return latency(place(tiny(), profile, effort=0), tiny_record(), profile)


# A sample has half the counts. At the chip's step 0 a is in step 1 of its sample, b in step 0, out in step 1; at step 1
# the other way round. Synops, updates and hops of a: 3 + 7.5 + 0.75 and 6 + 7.5 + 0.5; of b: 8 + 10 + 0 and
# 12 + 10 + 1; of out: 4 + 2 and 0 + 2. So b is busiest, 18 and 23 us, and the barrier takes one more.
STEPS = (19, 24)


def test_a_step_takes_the_barrier_and_the_busiest_core() -> None:
    times = times_of(timed())
    assert (times.steps_per_sample, times.floor_steps) == (2, 0)
    assert times.sample_us == Range(21.5, 43, 86)
    assert times.step_us == Range(10.75, 21.5, 43)
    assert times.longest_step_us == Range(12, 24, 48)
    assert times.samples_per_second == Range(1e6 / 86, 1e6 / 43, 1e6 / 21.5)


def test_an_answer_takes_the_steps_of_the_sample_and_of_the_layers_before_the_output() -> None:
    times = times_of(timed())
    assert (times.first_answer_steps, times.answer_steps) == (4, 5)  # out is three synapses deep
    assert times.first_answer_us.value == 19 + 24 + 19 + 24
    assert times.answer_us.value == 19 + 24 + 19 + 24 + 19


def test_the_busiest_core_says_with_what_it_is_busy() -> None:
    busiest = times_of(timed()).busiest
    assert (busiest.core, busiest.layers) == (1, ("b",))
    assert {event: time.value for event, time in busiest.events.items()} == {
        "synops": 12, "updates": 10, "hops": 1, "links": 0,
    }  # fmt: skip
    assert busiest.total.value == 23


def test_every_layer_says_how_long_it_keeps_its_core_busy_in_a_sample() -> None:
    layers = {layer.layers: layer.total.value for layer in times_of(timed()).layers}
    assert layers == {("a",): 11.25 + 14, ("b",): 18 + 23, ("out",): 6 + 2}


def test_no_step_is_shorter_than_the_least() -> None:
    times = times_of(timed(step_us=known(20, 20, 20, "us")))
    assert (times.sample_us.value, times.floor_steps) == (20 + 24, 1)
    assert times.sample_us.low == 40  # by the low times no core is busy for 20 us


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
    assert times.sample_us.value == 1 + max(7.5 + 3, 9) + 1 + max(6 + 7.5, 11)  # now a is busiest: no hops here


def test_layers_on_one_core_are_busy_one_after_another() -> None:
    shared = (Core(0, "a", 0, 2, {}), Core(0, "b", 0, 3, {}), Core(1, "out", 0, 1, {}))
    times = latency(hand_placed(shared), tiny_record(), timed())
    assert times.busiest.layers == ("a", "b")
    assert times.sample_us.value == 1 + (10.5 + 18) + 1 + (13.5 + 22)


def test_a_message_takes_all_its_hops_and_links() -> None:
    cores = (Core(0, "a", 0, 2, {}), Core(3, "b", 0, 3, {}), Core(4, "out", 0, 1, {}))
    profile = timed(chip_hop_ns=known(4000, 4000, 4000, "ns"))
    near = latency(hand_placed(cores), tiny_record(), profile).layers[0]
    far = latency(hand_placed(cores, (Flow("a", 0, 3, 3),)), tiny_record(), profile).layers[0]
    assert far.total.value == near.total.value + 2.5 * 2 * 0.5  # (0, 0) to (1, 1)
    assert near.events["links"].value == 0


def test_what_has_no_time_is_named_and_left_out_of_what_is_then_a_floor() -> None:
    times = times_of(timed(synop_ns=UNKNOWN, barrier_us=UNKNOWN))
    assert times.untimed == ("barrier", "synaptic operations")
    assert "synops" not in times.busiest.events
    assert times.sample_us.value == 10 + 11


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

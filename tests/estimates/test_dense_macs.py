"""The same model computed densely: multiply-accumulates by formula, at prices that are another scope."""

from __future__ import annotations

import pytest
from small_models import small_graphs
from tiny_net import chip, known, tiny, tiny_record

from bim_neuro.compilers.placement.place import place
from bim_neuro.estimates.dense_macs import PROCESSORS, break_even, dense_energy, dense_macs
from bim_neuro.estimates.energy import price
from bim_neuro.hardware import BASES


def test_a_step_multiplies_every_weight_and_every_membrane() -> None:
    assert dense_macs(tiny()) == {"a": 2 * 3 + 3, "b": 3 * 4 + 4, "out": 4 * 2 + 2}


def test_a_scan_multiplies_its_states_and_neither_what_is_broadcast_nor_what_stays_inside_the_neuron() -> None:
    _, graph = small_graphs(channels=12, states=3, taps=4)
    macs = dense_macs(graph)
    assert macs["block1.B"] == macs["block1.C"] == 5 * 3
    assert macs["block1.scan"] == 12 * 4 + 5 * 12 + 12 * (4 * 3 + 2)  # taps, delta, states
    assert macs["block1.lif"] == 12
    assert macs["readout"] == 12 * 4 + 4


def test_a_sample_costs_its_steps_times_the_macs_of_one_at_the_price_of_one() -> None:
    macs = 5 * (9 + 16 + 10)
    found = {processor.name: processor.energy.value for processor in dense_energy(tiny(), steps=5)}
    assert found["CPU"] == macs * 8600
    assert found["float32 arithmetic, 45 nm"] == pytest.approx(macs * 4.6)


def test_every_price_of_a_mac_has_a_source_and_a_basis() -> None:
    for name, scope, mac in PROCESSORS:
        assert scope in ("arithmetic", "memory", "device"), name
        assert mac.basis in BASES, name
        assert mac.source, name
        assert mac.published, name


def test_the_break_even_is_where_the_chip_costs_what_bit_matched_arithmetic_with_its_memory_does() -> None:
    profile = chip(update_pass_pj=known(0, 0, 0), barrier_pj=known(0, 0, 0), synop_pj=known(0.1, 0.1, 0.1))
    processors = dense_energy(tiny(), steps=2)
    dense = 2 * 35 * 1.48
    for scale in (1, 3):
        record = tiny_record()
        for counts in record.layers.values():
            counts.messages *= scale
            counts.synops_hardware *= scale
            counts.synops_effective *= scale
        energy = price(place(tiny(), profile, effort=0), record, profile)
        assert break_even(energy, processors) == pytest.approx(dense / energy.dynamic.value)
    dear = chip()  # updates alone cost thousands of pJ
    assert break_even(price(place(tiny(), dear, effort=0), tiny_record(), dear), processors) is None

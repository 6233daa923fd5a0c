"""The same model computed densely: multiply-accumulates by formula, at prices that are another scope."""

from __future__ import annotations

import pytest
from small_models import small_graphs
from tiny_net import tiny

from bim_neuro.estimates.dense_macs import PROCESSORS, dense_energy, dense_macs
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
    for name, scope, price in PROCESSORS:
        assert scope in ("arithmetic", "device"), name
        assert price.basis in BASES, name
        assert price.source, name
        assert price.published, name

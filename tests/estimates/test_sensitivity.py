"""Sensitivity: a model of many prices at once equals `price`; the tornado and the interval are those of its prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_models import small_graphs, small_input
from tiny_net import chip, known, tiny, tiny_record

from bim_neuro.compilers.placement.bounds import CoreBound
from bim_neuro.compilers.placement.memory import Footprint
from bim_neuro.compilers.placement.place import arrange, lay, place
from bim_neuro.compilers.placement.spread import stacked
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.sensitivity import EnergyModel, sensitivity
from bim_neuro.estimates.terms import UNPRICED
from bim_neuro.graph import PlacedGraph
from bim_neuro.hardware import HardwareProfile, load_profile
from bim_neuro.record import RunRecord
from bim_neuro.simulation.reference import simulate

Case = tuple[PlacedGraph, RunRecord, HardwareProfile]


@pytest.fixture(scope="module")
def block() -> Case:
    """Return a block on several cores."""
    _, graph = small_graphs(channels=16, states=8)
    record, profile = simulate(graph, graph.encoder.encode(small_input())), load_profile("loihi2")
    footprint = Footprint(graph, profile)
    laid = lay(footprint, stacked(footprint, 3), CoreBound(1, "groups"))
    return arrange(laid, profile, traffic=record), record, profile


def with_price(profile: HardwareProfile, key: str, value: float) -> HardwareProfile:
    """Return the profile with one number at a value."""
    section, name = key.split(".")
    part = getattr(profile, section)
    if isinstance(part, dict):
        return replace(profile, **{section: {**part, name: replace(part[name], value=value)}})
    return replace(profile, **{section: replace(part, **{name: replace(getattr(part, name), value=value)})})


def test_a_swing_is_the_energy_that_price_gives_with_that_price_at_its_ends(block: Case) -> None:
    placed, record, profile = block
    found = sensitivity(placed, record, profile)
    assert len(found.swings) >= 5
    for swing in found.swings:
        quantity = profile.quantities()[swing.price]
        for end, pj, dynamic in zip((quantity.low, quantity.high), swing.pj, swing.dynamic_pj, strict=True):
            energy = price(placed, record, with_price(profile, swing.price, end))
            assert pj == pytest.approx(energy.energy_uj.value * 1e6, rel=1e-9)
            assert dynamic == pytest.approx(energy.dynamic.value, rel=1e-9)
    assert [swing.size for swing in found.swings] == sorted((swing.size for swing in found.swings), reverse=True)


def test_an_assumed_price_is_named_as_such_even_where_it_moves_nothing(block: Case) -> None:
    placed, record, profile = block
    known_as = profile.quantities()
    swings = {swing.price: swing for swing in sensitivity(placed, record, profile).swings}
    assert all(swing.basis == known_as[key].basis for key, swing in swings.items())
    for key in ("timing.read_ns", "timing.barrier_us", "timing.hop_ns"):  # no published reading pins these
        assert known_as[key].basis == "assumed"
        assert swings[key].size == 0  # a block on one core waits for its neurons
    assert "timing.synop_ns" not in swings  # moves nothing, but rests on readings


def test_a_price_that_is_left_out_moves_nothing(block: Case) -> None:
    placed, record, profile = block
    named = {swing.price for swing in sensitivity(placed, record, profile).swings}
    unused = {
        key for key, quantity in profile.quantities().items() if quantity.published and quantity.low < quantity.high
    }
    before = price(placed, record, profile).energy_uj.value
    for key in sorted(unused - named):
        if key.startswith(("energy.", "timing.", "passes_per_update.")):
            for end in ("low", "high"):
                changed = with_price(profile, key, getattr(profile.quantities()[key], end))
                assert price(placed, record, changed).energy_uj.value == pytest.approx(before, rel=1e-12)


def test_the_interval_lies_inside_the_corners_and_a_seed_gives_it_again(block: Case) -> None:
    placed, record, profile = block
    found, energy = sensitivity(placed, record, profile), price(placed, record, profile)
    interval = found.interval_pj
    assert energy.energy_uj.low * 1e6 < interval.low < interval.value < interval.high < energy.energy_uj.high * 1e6
    assert sensitivity(placed, record, profile) == found
    other = sensitivity(placed, record, profile, seed=1)
    assert other.interval_pj != interval
    assert other.interval_pj.value == pytest.approx(interval.value, rel=0.3)


def test_the_interval_of_one_price_has_the_quantiles_of_a_log_uniform_number() -> None:
    exact = {name: known(0, 0, 0, "mW") for name in ("static_mw", "host_mw")}
    zero = dict.fromkeys(("hop_east_west_pj", "hop_north_south_pj", "message_pj", "barrier_pj", "update_pass_pj"))
    profile = chip(**exact, **{name: known(0, 0, 0) for name in zero}, synop_pj=known(1, 10, 100))
    found = sensitivity(place(tiny(), profile, effort=0), tiny_record(), profile, draws=400)
    synops = 33 / 2  # a sample
    assert [swing.price for swing in found.swings if swing.size] == ["energy.synop_pj"]
    assert found.swings[0].pj == (pytest.approx(synops), pytest.approx(synops * 100))
    quantiles = (found.interval_pj.low, found.interval_pj.value, found.interval_pj.high)
    assert np.log10(np.array(quantiles) / synops) == pytest.approx([0.1, 1.0, 1.9], abs=0.1)


def test_without_static_power_the_energy_is_the_dynamic_one_and_a_simulation_has_none() -> None:
    profile = load_profile("odin")
    graph = tiny()
    placed = PlacedGraph(graph, "odin", ())
    found = sensitivity(placed, tiny_record(), profile)
    assert {swing.price for swing in found.swings} <= {"energy.synop_pj"}
    nothing = sensitivity(placed, tiny_record(), load_profile("lava_cpu"))
    assert (nothing.swings, nothing.interval_pj) == ((), UNPRICED)
    assert EnergyModel(placed, tiny_record(), profile).static_pj({}) is None

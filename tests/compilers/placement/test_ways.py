"""Ways: among the few ways that are tried is one as cheap as the cheapest of all, whatever a hop costs."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from tiny_net import known

from bim_neuro.compilers.placement.anneal import anneal
from bim_neuro.compilers.placement.mesh import Hops, Mesh
from bim_neuro.compilers.placement.traffic import Traffic, between
from bim_neuro.compilers.placement.ways import FEW, ways
from bim_neuro.estimates.settle import hop_prices
from bim_neuro.graph import Flow
from bim_neuro.hardware import load_profile


def talk(draw: np.random.Generator, cores: int) -> Traffic:
    """Return messages between two thirds of all pairs of cores, some many times those of others."""
    flows = [
        Flow("a", one, other, int(10 ** draw.uniform(0, 3)))
        for one, other in combinations(range(cores), 2)
        if draw.random() < 0.67
    ]
    return between(flows, {"a": 1.0}, cores)


def cost(traffic: Traffic, mesh: Mesh, sites: np.ndarray, price: Hops) -> np.ndarray:
    """Return what the hops cost with core i at ``sites[..., i]``."""
    source = np.repeat(np.arange(sites.shape[-1]), np.diff(traffic.starts))
    way = mesh.hops(sites[..., source], sites[..., traffic.partners]).priced(price)
    return np.asarray(way @ traffic.messages) / 2


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("columns", "rows"), [(4, 4), (2, 5), (5, 2), (1, 6)])
def test_no_permutation_on_a_mesh_costs_less_than_the_best_way(columns: int, rows: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    mesh = Mesh(cores=columns * rows, columns=columns, chips=1, chip_columns=1, width=1)
    price = Hops(10.0 ** draw.uniform(0, 2), 10.0 ** draw.uniform(0, 2), 0.0)
    traffic = talk(draw, 4)
    found = ways(mesh, 4)
    assert found is not None
    best = cost(traffic, mesh, found.sites, price).min()
    everything = cost(traffic, mesh, np.array(list(permutations(range(mesh.cores), 4))), price)
    assert best == pytest.approx(everything.min(), rel=1e-12)
    assert best < everything.max()


@pytest.mark.parametrize(("cores", "many"), [(1, 1), (2, 4), (3, 18), (4, 216), (5, 2520), (6, 51120)])
def test_a_way_has_every_core_at_a_place_of_its_own_and_its_distances(cores: int, many: int) -> None:
    mesh = Mesh.of(load_profile("loihi2"), cores)
    found = ways(mesh, cores)
    assert found is not None
    assert found.sites.shape == (many, cores)
    assert all(len(set(sites)) == cores for sites in found.sites[:: max(1, many // 200)].tolist())
    for pair, (one, other) in enumerate(combinations(range(cores), 2)):
        way = mesh.hops(found.sites[:, one], found.sites[:, other])
        assert np.array_equal(way.east_west, found.east_west[:, pair])
        assert np.array_equal(way.north_south, found.north_south[:, pair])


def test_many_cores_several_chips_and_a_mesh_that_ends_in_half_a_row_are_annealed() -> None:
    assert ways(Mesh(cores=120, columns=8, chips=1, chip_columns=1, width=1), FEW + 1) is None
    assert ways(Mesh(cores=2, columns=2, chips=2, chip_columns=2, width=2), 4) is None
    assert ways(Mesh(cores=5, columns=3, chips=1, chip_columns=1, width=1), 4) is None
    assert ways(Mesh(cores=13, columns=3, chips=1, chip_columns=1, width=1), 4) is not None


@pytest.mark.parametrize("price", [Hops(1.0, 30.0, 1.0), Hops(30.0, 1.0, 1.0)])
def test_annealing_spares_the_direction_that_costs_more(price: Hops) -> None:
    draw = np.random.default_rng(1)
    mesh = Mesh(cores=64, columns=8, chips=1, chip_columns=1, width=1)
    traffic = between([Flow("a", i, (i + 1) % 8, int(draw.integers(1, 9))) for i in range(8)], {"a": 1.0}, 8)
    alike, priced = anneal(traffic, mesh, 0, 0.2), anneal(traffic, mesh, 0, 0.2, price)
    assert cost(traffic, mesh, priced, price) <= cost(traffic, mesh, alike, price)
    dear, cheap = sorted(traffic.hops(mesh, priced)[:2])
    assert dear < cheap / 3


def test_axes_that_measure_the_price_measure_every_way_of_a_board() -> None:
    mesh, price = Mesh(cores=6, columns=3, chips=4, chip_columns=2, width=2), Hops(3.0, 4.0, 50.0)
    one, other = np.meshgrid(mesh.places, mesh.places)
    (x, y), (to_x, to_y) = mesh.priced(one, price), mesh.priced(other, price)
    assert np.array_equal(abs(x - to_x) + abs(y - to_y), mesh.hops(one, other).priced(price))


def test_prices_are_the_profile_s_and_alike_where_it_has_none() -> None:
    profile = load_profile("loihi2")
    assert hop_prices(profile) == Hops(3.0, 4.0, 4.0)
    linked = replace(profile, energy=replace(profile.energy, hop_chip_pj=known(20, 20, 20, "pJ")))
    assert hop_prices(linked) == Hops(3.0, 4.0, 20.0)
    nothing = replace(profile.energy.hop_east_west_pj, value=None)
    assert hop_prices(replace(profile, energy=replace(profile.energy, hop_east_west_pj=nothing))) == Hops(1.0, 1.0, 1.0)

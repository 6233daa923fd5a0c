"""Settle: find the positions of cores with the least energy of a run.

    E(places) = sum over layers of messages * (hops_ew * hop_east_west_pj + hops_ns * hop_north_south_pj)
              + time of a sample * static power + a constant

For few cores, every order that can be best is tried (`compilers.placement.ways`). Time matters only if cores are busy
for longer than the least time of a step: an order is skipped if its hops alone cost more than the best order would with
one hop per message. More cores are annealed by the energy of their hops.
"""

from __future__ import annotations

import numpy as np

from ..compilers.placement.mesh import ALIKE, Hops, Mesh
from ..compilers.placement.place import arrange
from ..compilers.placement.ways import Ways, pairs, ways
from ..graph import PlacedGraph, hosts
from ..hardware import HardwareProfile
from ..nodes.arithmetic import Array
from ..record import RunRecord
from .latency import sample_us

_PJ_PER_US_MW = 1000  # 1 us * 1 mW = 1 nJ
_SLACK = 1e-9  # of rounding


def settle(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, effort: float) -> PlacedGraph:
    """Return the same cores at better places; ``effort`` as in `compilers.placement.place.place`."""
    order = {index: core for core, index in enumerate(dict.fromkeys(core.index for core in placed.cores))}
    price, all_ways = hop_prices(profile), ways(Mesh.of(profile, len(order)), len(order))
    if all_ways is None or not placed.flows:
        return arrange(placed, profile, traffic=record, effort=effort, price=price)
    best = _best(placed, record, profile, all_ways, _talk(placed, order))
    return arrange(placed, profile, traffic=record, sites=all_ways.sites[best])


def hop_prices(profile: HardwareProfile) -> Hops:
    """Return what a hop of each kind costs, in pJ; all alike where the profile has no prices of hops.

    A link without a price counts as the dearer hop: it is not free.
    """
    energy = profile.energy
    across, down, link = energy.hop_east_west_pj.value, energy.hop_north_south_pj.value, energy.hop_chip_pj.value
    if energy.scope == "all_in" or across is None or down is None or not across + down:
        return ALIKE
    return Hops(across, down, max(across, down) if link is None else link)


def _talk(placed: PlacedGraph, order: dict[int, int]) -> Array:
    """Return the share of each layer's messages that goes between every two cores, (pairs, layers)."""
    layers = {layer: index for index, layer in enumerate(hosts(placed.graph))}
    index = pairs(len(order))
    talk = np.zeros((len(index), len(layers)))
    for flow in placed.flows:
        one, other = sorted((order[flow.source], order[flow.target]))
        talk[index[one, other], layers[flow.layer]] += flow.neurons / placed.graph.nodes[flow.layer].neurons
    return talk


def _best(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, all_ways: Ways, talk: Array) -> int:
    """Return the index of the order with the least energy; among equals, one with the fewest hops."""
    messages = np.array([record.layers[layer].messages.sum() for layer in hosts(placed.graph)]) / record.samples
    hops = Hops(all_ways.east_west @ (talk @ messages), all_ways.north_south @ (talk @ messages), 0.0)
    pj, static = hops.priced(_charged(profile)), _static_pj_per_us(profile)
    cheap = np.flatnonzero(pj == pj.min())
    first = int(cheap[hops.total[cheap].argmin()])
    if not static:
        return first
    far = np.stack([_on_mesh(all_ways, first) @ talk, talk.sum(axis=0)])
    now, least = static * sample_us(placed, record, profile, far)
    if now <= least:
        return first
    near = np.flatnonzero(pj <= (pj[first] + now - least) * (1 + _SLACK))
    distinct, which = np.unique(_on_mesh(all_ways, near) @ talk, axis=0, return_inverse=True)
    whole = pj[near] + static * sample_us(placed, record, profile, distinct)[which.ravel()]
    return int(near[whole.argmin()])


def _charged(profile: HardwareProfile) -> Hops:
    """Return the energy of a run's hops of each kind."""
    energy = profile.energy
    if energy.scope == "all_in":
        return Hops(0.0, 0.0, 0.0)
    kinds = (energy.hop_east_west_pj, energy.hop_north_south_pj, energy.hop_chip_pj)
    return Hops(*(kind.value or 0.0 for kind in kinds))


def _on_mesh(all_ways: Ways, index: int | Array) -> Array:
    return np.asarray(all_ways.east_west[index] + all_ways.north_south[index])


def _static_pj_per_us(profile: HardwareProfile) -> float:
    """Return the energy per time: static power, or 0 with all-in prices, which contain it."""
    energy = profile.energy
    return 0.0 if energy.scope == "all_in" else (energy.static_mw.value or 0.0) * _PJ_PER_US_MW

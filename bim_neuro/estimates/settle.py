"""Settle: find the positions of cores with the least energy of a run, or with the soonest answer.

    E(places) = sum over layers of messages * (hops_ew * hop_east_west_pj + hops_ns * hop_north_south_pj)
              + time of a sample * static power + a constant

For few cores every order that can be best is tried (`compilers.placement.ways`). Places matter for the time only where
a step waits for a link (course.py): an order is skipped if its hops alone cost more than the best order would with no
waiting at all. More cores are annealed by the energy of their hops; then, for the soonest answer, cores that load the
busiest link are moved as long as that helps.
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
from .course import Course

_PJ_PER_US_MW = 1000  # 1 us * 1 mW = 1 nJ
_SLACK = 1e-9  # of rounding
MOVES = 200  # places tried for cores that load the busiest link, at full effort


def settle(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, effort: float) -> PlacedGraph:
    """Return the same cores where a run takes the least energy; ``effort`` as in `compilers.placement.place.place`."""
    order = _order(placed)
    price, mesh = hop_prices(profile), Mesh.of(profile, len(order))
    all_ways = ways(mesh, len(order))
    if all_ways is None or not placed.flows:
        return arrange(placed, profile, traffic=record, effort=effort, price=price)
    static = _static_pj_per_us(profile)
    course = Course.of(placed, record, profile, answer=False) if static else None
    if course is not None and course.waits:
        all_ways = ways(mesh, len(order), merged=False) or all_ways
    best = _cheapest(all_ways, _talked(placed, record, order), profile, course, static)
    return arrange(placed, profile, traffic=record, sites=all_ways.sites[best])


def hasten(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, effort: float) -> PlacedGraph:
    """Return the same cores where the last answer comes soonest; of equals where messages take few hops."""
    near = arrange(placed, profile, traffic=record, effort=effort)
    if not placed.flows:
        return near
    course = Course.of(placed, record, profile, answer=True)
    if not course.waits:
        return near
    order = _order(placed)
    all_ways = ways(course.mesh, len(order), merged=False)
    if all_ways is None:
        sites = _unload(course, np.array(list(_order(near)))) if effort >= 1 else None
        return near if sites is None else arrange(placed, profile, traffic=record, sites=sites)
    us = course.us(all_ways.sites)
    soonest = np.flatnonzero(us <= us.min() * (1 + _SLACK))
    hops = (all_ways.east_west + all_ways.north_south) @ _talked(placed, record, order)
    return arrange(placed, profile, traffic=record, sites=all_ways.sites[soonest[hops[soonest].argmin()]])


def hop_prices(profile: HardwareProfile) -> Hops:
    """Return what a hop of each kind costs, in pJ; all alike where the profile has no prices of hops.

    A link without a price counts as the dearer hop: it is not free.
    """
    energy = profile.energy
    across, down, link = energy.hop_east_west_pj.value, energy.hop_north_south_pj.value, energy.hop_chip_pj.value
    if energy.scope == "all_in" or across is None or down is None or not across + down:
        return ALIKE
    return Hops(across, down, max(across, down) if link is None else link)


def _order(placed: PlacedGraph) -> dict[int, int]:
    """Return {index of a core: its place in the order of the placement}."""
    return {index: core for core, index in enumerate(dict.fromkeys(core.index for core in placed.cores))}


def _talked(placed: PlacedGraph, record: RunRecord, order: dict[int, int]) -> Array:
    """Return a sample's messages between every two cores, (pairs,)."""
    index = pairs(len(order))
    messages = {layer: record.layers[layer].messages.sum() / record.samples for layer in hosts(placed.graph)}
    talked = np.zeros(len(index))
    for flow in placed.flows:
        one, other = sorted((order[flow.source], order[flow.target]))
        talked[index[one, other]] += messages[flow.layer] * flow.neurons / placed.graph.nodes[flow.layer].neurons
    return talked


def _cheapest(all_ways: Ways, talked: Array, profile: HardwareProfile, course: Course | None, static: float) -> int:
    """Return the index of the order with the least energy; among equals, one with the fewest hops."""
    hops = Hops(all_ways.east_west @ talked, all_ways.north_south @ talked, 0.0)
    pj = hops.priced(_charged(profile))
    cheap = np.flatnonzero(pj == pj.min())
    first = int(cheap[hops.total[cheap].argmin()])
    if course is None or not course.waits:
        return first
    waited = static * (float(course.us(all_ways.sites[[first]])[0]) - course.least)
    near = np.flatnonzero(pj <= (pj[first] + waited) * (1 + _SLACK))
    whole = pj[near] + static * course.us(all_ways.sites[near])
    best = near[whole <= whole.min() * (1 + _SLACK)]
    return first if first in best else int(best[hops.total[best].argmin()])


def _unload(course: Course, sites: Array) -> Array:
    """Return better places by moving cores: two cores swap, or one goes to a free place, where the time falls."""
    draw, places = np.random.default_rng(0), course.mesh.places
    us = float(course.us(sites[None])[0])
    for _ in range(MOVES):
        if us <= course.least * (1 + _SLACK):
            break
        core, place = int(draw.integers(len(sites))), int(draw.choice(places))
        moved = sites.copy()
        moved[sites == place] = sites[core]
        moved[core] = place
        now = float(course.us(moved[None])[0])
        if now < us:
            sites, us = moved, now
    return sites


def _charged(profile: HardwareProfile) -> Hops:
    """Return the energy of a run's hops of each kind."""
    energy = profile.energy
    if energy.scope == "all_in":
        return Hops(0.0, 0.0, 0.0)
    kinds = (energy.hop_east_west_pj, energy.hop_north_south_pj, energy.hop_chip_pj)
    return Hops(*(kind.value or 0.0 for kind in kinds))


def _static_pj_per_us(profile: HardwareProfile) -> float:
    """Return the energy per time: static power, or 0 with all-in prices, which contain it."""
    energy = profile.energy
    return 0.0 if energy.scope == "all_in" else (profile.static_mw.value or 0.0) * _PJ_PER_US_MW

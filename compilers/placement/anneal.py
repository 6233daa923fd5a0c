"""Anneal: move cores over the mesh until messages times hops, each at the price of its direction, are few.

Simulated annealing (Kirkpatrick 1983): a core is offered a place near one of its partners, or anywhere; whoever stands
there takes its place. A change that costs more is accepted with probability exp(-cost / temperature), and the
temperature falls by a constant factor. The numbers come from a generator of our own: one seed, one placement.
More cores than heat alone brings in order start, a second time, where the slowest modes of their traffic put them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ...jit import compiled
from ...nodes.arithmetic import Array
from .mesh import ALIKE, Hops, Mesh
from .spectral import spectral
from .traffic import Traffic

TRIES = 40_000  # moves offered to each core at effort 1
SMALL = 100  # fewer cores than these get as many moves as these
ROUNDS = 120  # temperatures
HOT = 3.0  # the first temperature, in messages of an average core: all order is lost
WARM = 0.3  # the same where a good order is to be kept
COLDEST = 1e-4  # the last temperature, as a share of the first


def anneal(traffic: Traffic, mesh: Mesh, seed: int, effort: float, price: Hops = ALIKE) -> Array:
    """Return the core of the board for every core, (cores,): the best of a hot start, a spectral one, row by row."""
    cores = len(traffic.starts) - 1
    naive, places = np.arange(cores), mesh.places
    x, y = (np.asarray(axis, np.int64) for axis in mesh.position(places))
    far = np.stack(mesh.priced(places, price)).astype(np.float64)
    hop = (price.east_west + price.north_south) / 2
    moves = int(TRIES * effort * max(cores, SMALL) / ROUNDS) + 1
    starts = [(naive, HOT)] + ([(spectral(traffic, mesh), WARM)] if cores > SMALL else [])

    def annealed(start: Array, heat: float) -> Array:
        flows = (traffic.starts, traffic.partners, traffic.messages)
        sites: Array = _anneal(*flows, x, y, far, seed, ROUNDS, moves, heat * hop, start.copy())
        return sites

    with ThreadPoolExecutor(len(starts)) as threads:  # the kernel needs no interpreter
        found = list(threads.map(annealed, *zip(*starts, strict=True)))
    return min((places[sites] for sites in (naive, *found)), key=lambda at: float(traffic.hops(mesh, at).priced(price)))


@compiled
def _draw(state: Any) -> Any:
    """Return the generator's next state (xorshift64*, Vigna 2016); its upper bits are the number drawn."""
    state ^= state >> np.uint64(12)
    state ^= state << np.uint64(25)
    state ^= state >> np.uint64(27)
    return state


@compiled
def _below(state: Any, limit: int) -> int:
    """Return a number from 0 to limit - 1 for a state of the generator."""
    return int(((state * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(33)) % np.uint64(limit))


@compiled
def _change(
    core: int, other: int, place: int, site: Array, starts: Array, partners: Array, messages: Array, far: Array
) -> float:
    """Return what it costs that ``core`` goes to ``place``; its way to ``other``, who comes instead, stays as long."""
    x, y = far
    old, total = site[core], 0.0
    for k in range(starts[core], starts[core + 1]):
        if partners[k] != other:
            to = site[partners[k]]
            new, now = abs(x[place] - x[to]) + abs(y[place] - y[to]), abs(x[old] - x[to]) + abs(y[old] - y[to])
            total += messages[k] * (new - now)
    return total


@compiled
def _anneal(
    starts: Array,
    partners: Array,
    messages: Array,
    x: Array,
    y: Array,
    far: Array,
    seed: int,
    rounds: int,
    moves: int,
    heat: float,
    site: Array,
) -> Array:
    """Move the cores from the places ``site``.

    ``x`` and ``y`` (sites,) say where the places are, ``far`` (2, sites) where they are on axes that measure the price.
    """
    cores, sites = len(starts) - 1, len(x)
    holder = np.full(sites, -1)
    for core in range(cores):
        holder[site[core]] = core
    at = np.full((y.max() + 1, x.max() + 1), -1)
    for place in range(sites):
        at[y[place], x[place]] = place
    temperature = heat * messages.sum() / cores
    state = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15)
    for turn in range(rounds):
        reach = max(1, int(max(at.shape) * (1.0 - turn / rounds)))
        for _ in range(moves):
            state = _draw(state)
            core = _below(state, cores)
            state = _draw(state)
            degree = starts[core + 1] - starts[core]
            if degree == 0:
                continue
            near = site[partners[starts[core] + _below(state, degree)]]
            state = _draw(state)
            column = x[near] + _below(state, 2 * reach + 1) - reach
            state = _draw(state)
            row = y[near] + _below(state, 2 * reach + 1) - reach
            if not (0 <= column < at.shape[1] and 0 <= row < at.shape[0]):
                continue
            place = at[row, column]
            if place < 0 or place == site[core]:
                continue
            other, old = holder[place], site[core]
            cost = _change(core, other, place, site, starts, partners, messages, far)
            if other >= 0:
                cost += _change(other, core, old, site, starts, partners, messages, far)
            state = _draw(state)
            if cost <= 0 or _below(state, 1 << 30) < (1 << 30) * np.exp(-cost / temperature):
                site[core], holder[place], holder[old] = place, core, other
                if other >= 0:
                    site[other] = old
        temperature *= COLDEST ** (1.0 / rounds)
    return site

"""Anneal: move cores over the mesh to minimise messages times hops, each hop at the price of its direction.

Simulated annealing (Kirkpatrick 1983). A move takes a core to a random place near one of its partners; the core that is
there, if any, takes the old place. A move that raises the cost is accepted with probability exp(-cost / temperature),
and the temperature falls by a constant factor. The random generator is our own, so one seed gives one placement. Many
cores are annealed a second time, from the spectral placement (spectral.py), because a random start alone is too slow.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ...jit import compiled
from ...nodes.arithmetic import Array
from .mesh import ALIKE, Hops, Mesh
from .traffic import Traffic

TRIES = 40_000  # moves tried per core at effort 1
SMALL = 100  # fewer cores get the moves of so many
ROUNDS = 120  # number of temperatures
HOT = 3.0  # first temperature, in messages of an average core: the start is forgotten
WARM = 0.3  # first temperature where the start is kept roughly
COLDEST = 1e-4  # the last temperature, as a share of the first


def anneal(traffic: Traffic, mesh: Mesh, seed: int, effort: float, price: Hops = ALIKE) -> Array:
    """Return the place on the board of every core, (cores,): the best of row by row, hot start and spectral start."""
    cores = len(traffic.starts) - 1
    naive, places = np.arange(cores), mesh.places
    x, y = (np.asarray(axis, np.int64) for axis in mesh.position(places))
    far = np.stack(mesh.priced(places, price)).astype(np.float64)
    hop = (price.east_west + price.north_south) / 2
    moves = int(TRIES * effort * max(cores, SMALL) / ROUNDS) + 1
    starts = [(naive, HOT)]
    if cores > SMALL:
        from .spectral import spectral  # scipy's linear algebra, a sixth of a second that a small model need not wait

        starts.append((spectral(traffic, mesh), WARM))

    def annealed(start: Array, heat: float) -> Array:
        flows = (traffic.starts, traffic.partners, traffic.messages)
        sites: Array = _anneal(*flows, x, y, far, seed, ROUNDS, moves, heat * hop, start.copy())
        return sites

    with ThreadPoolExecutor(len(starts)) as threads:  # the kernel releases the GIL
        found = list(threads.map(annealed, *zip(*starts, strict=True)))
    return min((places[sites] for sites in (naive, *found)), key=lambda at: float(traffic.hops(mesh, at).priced(price)))


@compiled
def _draw(state: Any) -> Any:
    """Return the generator's next state (xorshift64*, Vigna 2016); its upper bits are the random number."""
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
    """Return the change of cost when ``core`` moves to ``place``, without its messages to ``other``, its swap partner.

    The distance between the two stays the same.
    """
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
    """Anneal the cores from the places ``site``.

    ``x`` and ``y`` (sites,) are the coordinates of the places, ``far`` (2, sites) the same scaled by the hop prices.
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

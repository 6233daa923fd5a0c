r"""Sensitivity: which price decides the energy of a sample, and where it lies if all prices are drawn at random.

    tornado       each price at its low and its high end, all others likely: how far the energy swings
    Monte Carlo   every price log-uniform between its ends, by a seed: the 5 %, 50 % and 95 % quantiles of the energy

The energy is that of `price`: dynamic, and static power over the time of a sample. Low and high of an estimate take
every price at one end at once, which is far less likely than the interval. Both are of what has a price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from ..graph import PlacedGraph, hosts
from ..hardware import HardwareProfile, Quantity
from ..nodes.arithmetic import Array
from ..printable import outline
from ..record import RunRecord
from .energy import layer_terms
from .links import LinkTraffic
from .step_time import EVENTS, NS_PER_US, UNIT_OF, layer_work
from .terms import UNPRICED, Range

DRAWS = 400
SEED = 0
MOST_WORK = (
    2e8  # products of draws, cores and steps; of larger programs fewer draws are made, and fewer cores looked at
)
LEAST_DRAWS = 100
MOST_CORES = 500
_QUANTILES = (0.05, 0.5, 0.95)
_PJ_PER_US_MW = 1000

Prices = Mapping[str, Array]
"""{key of a profile: its number in each draw, (draws,)}."""


@dataclass(frozen=True)
class Swing:
    """The energy of a sample in pJ with one price at its low and high end; ``dynamic_pj`` is that without static.

    ``basis`` is that of the price: an assumed one rests on no reading of the chip, whether or not it moves the energy.
    """

    price: str
    pj: tuple[float, float]
    dynamic_pj: tuple[float, float]
    basis: str

    @property
    def size(self) -> float:
        return abs(self.pj[1] - self.pj[0])


@dataclass(frozen=True)
class SensitivityReport:
    """Swings, largest first, and the intervals of the whole and of the dynamic energy in pJ, UNPRICED without one.

    An assumed price has a swing even if it moves nothing.
    """

    swings: tuple[Swing, ...]
    interval_pj: Range
    dynamic_interval_pj: Range
    draws: int

    __repr__ = outline


@dataclass(frozen=True)
class _Sum:
    """A count and the keys of the prices it is multiplied with."""

    count: float
    keys: tuple[str, ...]


class EnergyModel:
    """The energy of a placed run as a function of prices, for many draws of all prices at once."""

    def __init__(self, placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> None:
        self.profile = profile
        self._key = {id(quantity): key for key, quantity in profile.quantities().items()}
        self._dynamic = [
            _Sum(term.count / record.samples, self._keys(term.prices))
            for terms in layer_terms(placed, record, profile).values()
            for term in terms
            if term.priced and term.count
        ]
        self._loads = LinkTraffic.of(placed, record, profile).loads
        self._cores = self._units(placed, record)
        self.steps = self._loads.shape[1]

    @property
    def cores(self) -> int:
        """How many cores are looked at."""
        return len(self._cores)

    @property
    def published(self) -> dict[str, Quantity]:
        """The prices that are multiplied with something, by their keys."""
        timing = ("step_us", "barrier_us", "hop_ns", "chip_hop_ns")
        used = {key for one in self._dynamic for key in one.keys} | {f"timing.{name}" for name in timing}
        used |= {key for groups in self._cores for keys, _ in groups.values() for key in keys}
        used |= {"energy.barrier_pj", self._key[id(self.profile.static_mw)]}
        return {
            key: quantity for key, quantity in self.profile.quantities().items() if key in used and quantity.published
        }

    def dynamic_pj(self, prices: Prices) -> Array:
        """Return the dynamic energy of each draw."""
        total = sum((one.count * prod((prices[key] for key in one.keys), start=1.0) for one in self._dynamic), 0.0)
        barrier = prices.get("energy.barrier_pj", 0.0) * self.steps
        return np.asarray(total + barrier + np.zeros(_draws(prices)))

    def static_pj(self, prices: Prices) -> Array | None:
        """Return the static energy of each draw; None where static power is unpublished, or in all other prices."""
        power = prices.get(self._key[id(self.profile.static_mw)])
        if power is None or self.profile.energy.scope == "all_in":
            return None
        return np.asarray(self.sample_us(prices) * power * _PJ_PER_US_MW)

    def sample_us(self, prices: Prices) -> Array:
        """Return the time of a sample of each draw."""
        draws = _draws(prices)
        longest = np.zeros((draws, self.steps))
        for groups in self._cores:
            units: dict[str, Array] = {}
            for (event, _), (keys, ns) in groups.items():
                each = np.asarray(prod((prices[key] for key in keys), start=np.ones(draws)))
                units[UNIT_OF[event]] = units.get(UNIT_OF[event], 0.0) + np.outer(each, ns)
            longest = np.maximum(longest, np.max(list(units.values()), axis=0)) if units else longest
        for name, load in zip(("timing.hop_ns", "timing.chip_hop_ns"), self._loads, strict=True):
            longest = np.maximum(longest, np.outer(prices.get(name, np.zeros(draws)), load))
        least = np.maximum(*(prices.get(f"timing.{name}", np.zeros(draws)) for name in ("step_us", "barrier_us")))
        return np.asarray(np.maximum(longest / NS_PER_US, least[:, None]).sum(axis=1))

    def _keys(self, prices: tuple[Quantity, ...]) -> tuple[str, ...]:
        return tuple(self._key[id(price)] for price in prices)

    def _units(
        self, placed: PlacedGraph, record: RunRecord
    ) -> list[dict[tuple[str, tuple[str, ...]], tuple[tuple[str, ...], Array]]]:
        """Return, for each kind of core, its work at prices of 1: {(event, keys): (keys, (steps,))}."""
        work, graph = layer_work(placed, record, self.profile), placed.graph
        found = []
        for held in _held(placed):
            groups: dict[tuple[str, tuple[str, ...]], tuple[tuple[str, ...], Array]] = {}
            for layer, neurons in held:
                for term in work[layer].terms:
                    likely = term.each.value
                    if likely:
                        keys = self._keys(term.prices)
                        own = (
                            work[layer].ns[EVENTS.index(term.event), 1] / likely * neurons / graph.nodes[layer].neurons
                        )
                        before = groups.get((term.event, keys))
                        groups[term.event, keys] = keys, own if before is None else before[1] + own
            found.append(groups)
        likely_work = [sum(float(ns.max()) for _, ns in groups.values()) for groups in found]
        busy = np.argsort(-np.array(likely_work), kind="stable")[:MOST_CORES]
        return [found[index] for index in busy]


def sensitivity(
    placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, *, draws: int = DRAWS, seed: int = SEED
) -> SensitivityReport:
    """Return how the energy of a sample depends on each price, and its interval over random prices."""
    model = EnergyModel(placed, record, profile)
    used = {key: price for key, price in model.published.items() if price.low != price.high}
    draws = int(min(draws, max(LEAST_DRAWS, MOST_WORK / max(1, model.cores * model.steps))))
    likely = {key: float(price.number) for key, price in model.published.items()}
    ends = {key: np.full(2 * len(used), value) for key, value in likely.items()}
    for index, (key, price) in enumerate(used.items()):
        ends[key][2 * index : 2 * index + 2] = price.low, price.high
    dynamic, whole = _energies(model, ends)
    swings = [
        Swing(key, _pair(whole, index), _pair(dynamic, index), price.basis)
        for index, (key, price) in enumerate(used.items())
    ]
    drawn = {key: np.full(draws, value) for key, value in likely.items()} | _drawn(used, draws, seed)
    dynamic, whole = _energies(model, drawn)
    moving = [swing for swing in swings if swing.size > 0 or swing.basis == "assumed"]
    return SensitivityReport(
        tuple(sorted(moving, key=lambda swing: -swing.size)), _interval(whole), _interval(dynamic), draws
    )


def _energies(model: EnergyModel, prices: Prices) -> tuple[Array, Array]:
    """Return the dynamic and the whole energy of each draw."""
    dynamic, static = model.dynamic_pj(prices), model.static_pj(prices)
    return dynamic, dynamic if static is None else dynamic + static


def _drawn(prices: Mapping[str, Quantity], draws: int, seed: int) -> dict[str, Array]:
    """Return random prices: log-uniform, or uniform where the low end is 0."""
    random, found = np.random.default_rng(seed), {}
    for key, price in prices.items():
        low, high, share = price.low or 0.0, price.high or 0.0, random.random(draws)
        found[key] = low * (high / low) ** share if low > 0 else high * share
    return found


def _pair(energies: Array, index: int) -> tuple[float, float]:
    return float(energies[2 * index]), float(energies[2 * index + 1])


def _interval(energies: Array) -> Range:
    return Range(*np.quantile(energies, _QUANTILES).tolist()) if energies.any() else UNPRICED


def _draws(prices: Prices) -> int:
    return len(next(iter(prices.values()))) if prices else 1


def _held(placed: PlacedGraph) -> list[tuple[tuple[str, int], ...]]:
    """Return what each kind of core holds; without cores, as if each layer had one."""
    if not placed.cores:
        return [((layer, placed.graph.nodes[layer].neurons),) for layer in hosts(placed.graph)]
    held: dict[int, tuple[tuple[str, int], ...]] = {}
    for core in placed.cores:
        held[core.index] = (*held.get(core.index, ()), (core.layer, core.last - core.first + 1))
    return list(dict.fromkeys(held.values()))

r"""Fit: prices of a profile from measurements of a chip, by bounded least squares.

    energy   = sum of counts * prices + time * static power of the boundary          pJ
    time     = max(step_us, barrier_us, lif + passes, synops, reads, link)           us a step (step_time.py)
    prices   = the non-negative numbers with the least sum of ((predicted - measured) / (sigma * measured))^2

A price that no measurement holds keeps its number; so does one that the measurements cannot tell apart from others,
and both are said. Errors are those of the linearised fit: with the given sigmas, or with the scatter where none is
given. The new numbers have basis `metered`, and as range the interval of 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import qr
from scipy.optimize import least_squares
from scipy.stats import norm, t

from .. import arguments
from ..errors import InputError
from ..hardware import BOUNDARIES, HardwareProfile, Quantity
from ..nodes.arithmetic import Array
from ..printable import outline

LEVEL = 0.95
SIGMA = 0.05
"""Relative standard error of a measurement whose own is not given; its scatter decides then."""
DYNAMIC = "dynamic"
STATIC = dict(zip(BOUNDARIES, ("energy.static_mw", "energy.chip_mw", "energy.board_mw"), strict=True))
_APART = 1e-6  # a direction of prices that moves no measurement by more than this share
_NAMED = 0.1  # the least part of such a direction that is named
_PJ_PER_US_MW = 1000
_STARTS = (1.0, 4.0, 0.25)
_STEP = 1e-6  # share of a number's scale by which it is changed to see what moves
_UNIT_OF = {
    "timing.lif_update_ns": "neurons",
    "timing.update_pass_ns": "neurons",
    "timing.synop_ns": "synapses",
    "timing.read_ns": "memory",
    "timing.hop_ns": "link",
    "timing.step_us": "floor",
    "timing.barrier_us": "barrier",
}
"""{key of a time: what it is a part of}; what is in one unit adds up, the longest unit is the step."""


@dataclass(frozen=True)
class Measurement:
    """One reading: energy in pJ, or with ``of_time`` a step's time in us; ``counts`` are {key of a price: count}.

    ``sigma`` is its relative standard error, None if not known.
    """

    name: str
    counts: Mapping[str, float]
    measured: float
    sigma: float | None = None
    of_time: bool = False

    @classmethod
    def energy(
        cls, name: str, counts: Mapping[str, float], uj: float, us: float, boundary: str, sigma: float | None = None
    ) -> Measurement:
        """Return the reading of a sample's energy; ``boundary`` 'dynamic' is an energy without static power."""
        arguments.choice(boundary, (*BOUNDARIES, DYNAMIC), "boundary")
        still = {} if boundary == DYNAMIC else {STATIC[boundary]: us * _PJ_PER_US_MW}
        return cls(name, {**counts, **still}, uj * 1e6, sigma)

    @classmethod
    def step(cls, name: str, counts: Mapping[str, float], us: float, sigma: float | None = None) -> Measurement:
        """Return the reading of a step's time, from the counts of the fullest core and the busiest link."""
        return cls(name, {"timing.step_us": 1.0, "timing.barrier_us": 1.0, **counts}, us, sigma, of_time=True)


@dataclass(frozen=True)
class FittedPrice:
    """A refitted number, its standard error and its interval; ``before`` is the profile's."""

    price: str
    before: float | None
    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True)
class Residual:
    """A measurement beside what the fit gives, in ``unit``; ``share`` is their difference over the measurement."""

    name: str
    measured: float
    fitted: float
    unit: str

    @property
    def share(self) -> float:
        return self.fitted / self.measured - 1


@dataclass(frozen=True)
class PriceFit:
    """``profile`` has the new numbers; ``apart`` names groups of prices that the data cannot tell apart.

    ``kept`` are prices that keep their number: those that no measurement moves, and all but the first of a group.
    """

    profile: HardwareProfile
    prices: tuple[FittedPrice, ...]
    residuals: tuple[Residual, ...]
    apart: tuple[tuple[str, ...], ...]
    kept: tuple[str, ...]

    __repr__ = outline


def fit(measurements: Sequence[Measurement], profile: HardwareProfile, prices: Sequence[str] | None = None) -> PriceFit:
    """Refit a profile to measurements; ``prices`` names the keys that may change, by default all that are counted."""
    problem = _Problem(tuple(measurements), profile, _wanted(measurements, profile, prices))
    first = problem.solved(problem.keys)
    free, kept, apart = _told_apart(problem, first)
    if not free:
        raise InputError("no price is moved by these measurements", "name others, or measure programs that differ more")
    best = problem.solved(free)
    found = _errors(problem, free, best)
    return PriceFit(_refitted(profile, found, len(measurements)), found, problem.residuals(free, best), apart, kept)


def _wanted(
    measurements: Sequence[Measurement], profile: HardwareProfile, prices: Sequence[str] | None
) -> tuple[str, ...]:
    known, counted = profile.quantities(), {key for one in measurements for key, count in one.counts.items() if count}
    if not measurements:
        raise InputError("there is no measurement to fit to", "give a CSV, or a print of Loihi 2's profiler")
    for one in measurements:
        if not one.measured > 0 or (one.sigma is not None and not one.sigma > 0):
            raise InputError(f"measurement '{one.name}': {one.measured:g}, sigma {one.sigma}", "both are above 0")
    for key in (*(prices or ()), *sorted(counted)):
        if key not in known or not key.startswith(("energy.", "timing.")):
            raise InputError(f"{profile.name} has no price '{key}'", f"bim-compile --list {profile.name} prints them")
    return tuple(key for key in known if key in counted and (prices is None or key in prices))


@dataclass(frozen=True)
class _Problem:
    """Measurements, and the keys that may change; all others keep the profile's likely number, 0 if unpublished."""

    measurements: tuple[Measurement, ...]
    profile: HardwareProfile
    keys: tuple[str, ...]

    @property
    def start(self) -> dict[str, float]:
        known = self.profile.quantities()
        return {key: known[key].value or 0.0 for one in self.measurements for key in one.counts}

    def predicted(self, prices: Mapping[str, float]) -> Array:
        """Return what each measurement should have read."""
        return np.array([_time(one, prices) if one.of_time else _sum(one, prices) for one in self.measurements])

    def solved(self, free: Sequence[str]) -> Array:
        """Return the best numbers of some keys, (keys,); the others are not changed."""
        begin = self.scale(free)
        if not len(free):
            return begin
        moving = any(one.of_time for one in self.measurements)
        solutions = [
            least_squares(
                lambda scale: self.errors(free, scale * begin),
                start * np.ones(len(free)),
                bounds=(0, np.inf),
                x_scale=1.0,
            )
            for start in (_STARTS if moving else _STARTS[:1])
        ]
        best = min(solutions, key=lambda found: float(found.cost))
        return np.asarray(best.x * begin)

    def errors(self, free: Sequence[str], numbers: Array) -> Array:
        """Return the misses over their standard errors."""
        prices = {**self.start, **dict(zip(free, numbers.tolist(), strict=True))}
        measured = np.array([one.measured for one in self.measurements])
        sigma = np.array([one.sigma or SIGMA for one in self.measurements])
        return np.asarray((self.predicted(prices) - measured) / (sigma * measured))

    def scale(self, free: Sequence[str]) -> Array:
        """Return the profile's numbers, 1 where it has none: what changes are counted in."""
        return np.array([self.start[key] or 1.0 for key in free])

    def slopes(self, free: Sequence[str], numbers: Array) -> Array:
        """Return how much each number, changed by its scale, moves each error, (measurements, keys)."""
        columns = []
        for index, scale in enumerate(self.scale(free)):
            up, down = numbers.copy(), numbers.copy()
            up[index] += _STEP * scale
            down[index] -= _STEP * scale
            columns.append((self.errors(free, up) - self.errors(free, down)) / (2 * _STEP))
        return np.array(columns).T.reshape(len(self.measurements), len(free))

    def residuals(self, free: Sequence[str], numbers: Array) -> tuple[Residual, ...]:
        fitted = self.predicted({**self.start, **dict(zip(free, numbers.tolist(), strict=True))})
        pairs = zip(self.measurements, fitted.tolist(), strict=True)
        return tuple(Residual(one.name, one.measured, value, "us" if one.of_time else "pJ") for one, value in pairs)


def _sum(one: Measurement, prices: Mapping[str, float]) -> float:
    return sum(count * prices[key] for key, count in one.counts.items())


def _time(one: Measurement, prices: Mapping[str, float]) -> float:
    units: dict[str, float] = {}
    for key, count in one.counts.items():
        unit = _UNIT_OF.get(key, key)
        units[unit] = units.get(unit, 0.0) + count * prices[key] / (1000 if key.endswith("_ns") else 1)
    return max(units.values())


def _told_apart(
    problem: _Problem, numbers: Array
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the keys that the data determine, those kept, and the groups that cannot be told apart."""
    slopes = problem.slopes(problem.keys, numbers)
    size = np.abs(slopes).max(axis=0, initial=0.0)
    moved = [index for index in range(len(problem.keys)) if size[index] > _APART * size.max(initial=0.0) > 0]
    scaled = slopes[:, moved] / size[moved]
    _, triangle, order = qr(scaled, mode="economic", pivoting=True) if moved else (None, np.zeros((0, 0)), [])
    diagonal = np.abs(np.diag(triangle))
    rank = int((diagonal > _APART * diagonal.max(initial=0.0)).sum())
    chosen = {moved[index] for index in order[:rank]}
    free = tuple(key for index, key in enumerate(problem.keys) if index in chosen)
    kept = tuple(key for index, key in enumerate(problem.keys) if index not in chosen)
    return free, kept, _groups(scaled, [problem.keys[index] for index in moved], rank)


def _groups(scaled: Array, keys: Sequence[str], rank: int) -> tuple[tuple[str, ...], ...]:
    """Return the prices of each direction that moves no measurement."""
    if not keys or rank == len(keys):
        return ()
    _, _, right = np.linalg.svd(scaled, full_matrices=True)
    groups = (tuple(key for key, part in zip(keys, one, strict=True) if abs(part) > _NAMED) for one in right[rank:])
    return tuple(dict.fromkeys(groups))


def _errors(problem: _Problem, free: Sequence[str], numbers: Array) -> tuple[FittedPrice, ...]:
    slopes = problem.slopes(free, numbers)
    spare = len(problem.measurements) - len(free)
    if all(one.sigma for one in problem.measurements):
        scatter, reach = 1.0, float(norm.ppf((1 + LEVEL) / 2))
    elif spare > 0:
        scatter = float(np.sum(problem.errors(free, numbers) ** 2)) / spare
        reach = float(t.ppf((1 + LEVEL) / 2, spare))
    else:
        scatter, reach = float("inf"), 1.0
    variance = np.diag(np.linalg.inv(slopes.T @ slopes)) * scatter
    known, found = problem.profile.quantities(), []
    errors = np.sqrt(variance) * problem.scale(free)
    for key, number, error in zip(free, numbers.tolist(), errors.tolist(), strict=True):
        low, high = max(0.0, number - reach * error), number + reach * error
        found.append(FittedPrice(key, known[key].value, number, error, low, high))
    return tuple(found)


def _refitted(profile: HardwareProfile, prices: Sequence[FittedPrice], count: int) -> HardwareProfile:
    """Return the profile with the new numbers; a price without an interval gets a factor of two either way."""
    for fitted in prices:
        section, name = fitted.price.split(".")
        part: Any = getattr(profile, section)
        known = np.isfinite(fitted.high)
        low, high = (fitted.low, fitted.high) if known else (fitted.value / 2, fitted.value * 2)
        why = f"{LEVEL:.0%} interval" if known else "as many prices as measurements: a factor of two either way"
        source = f"fitted to {count} measurements of our own; range: {why}"
        unit = getattr(part, name).unit
        quantity = Quantity(fitted.value, low, high, unit, "metered", source)
        profile = replace(profile, **{section: replace(part, **{name: quantity})})
    return profile

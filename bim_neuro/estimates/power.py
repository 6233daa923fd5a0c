r"""Power: a program at its task's own rate, by boundary: neurocores, chip with its embedded processors, board.

    duty   = rate * time of a sample                       above 1 the program cannot keep up, by that factor
    mean   = static power of the boundary + dynamic energy of a sample * the rate it keeps
    peak   = static power of the boundary + the largest dynamic energy of a step / time of that step
    energy = dynamic energy of a sample + static power / rate                    a sample at the rate
    EDP    = energy * time until the answer

Each boundary contains the one before, so they are lines beside each other and never added. Dynamic energy is that of
the neurocores in all of them: that of embedded processors and of a board's other parts has no published price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..graph import PlacedGraph
from ..hardware import HardwareProfile, Quantity, weakest_basis
from ..nodes.arithmetic import Array
from ..printable import outline
from ..record import RunRecord
from .energy import EnergyReport, layer_terms
from .executed import executed
from .latency import LatencyReport
from .step_time import chip_steps, ends_of, spread
from .terms import UNPRICED, Range

_US_PER_S = 1e6
_MW_PER_PJ_US = 1e-3  # 1 pJ/us = 1 uW
_MW_PER_PJ_HZ = 1e-9
_UJ_PER_MW_S = 1e3
_UJ_PER_PJ = 1e-6
_US_PER_MS = 1e3


@dataclass(frozen=True)
class PowerLine:
    """Powers of one boundary in mW; ``basis`` is their weakest, ``source`` what its static power rests on."""

    static_mw: Range
    mean_mw: Range
    peak_mw: Range
    basis: str
    source: str


@dataclass(frozen=True)
class PowerReport:
    """Power at ``sample_rate_hz`` by boundary; ``energy_uj`` and ``edp_uj_ms`` are a sample's at the counted boundary.

    ``behind`` is the likely factor by which the program is too slow for the rate, None if it keeps up.
    """

    boundary: str
    sample_rate_hz: float
    duty: Range
    behind: float | None
    energy_uj: Range
    edp_uj_ms: Range
    lines: dict[str, PowerLine]

    __repr__ = outline


def power(
    placed: PlacedGraph,
    record: RunRecord,
    profile: HardwareProfile,
    time: LatencyReport,
    energy: EnergyReport,
    sample_rate_hz: float | None = None,
) -> PowerReport:
    """Return the power of the recorded run at a rate; without one that of the model's own steps, 1 / (steps * dt)."""
    rate = 1 / (record.steps * placed.graph.dt) if sample_rate_hz is None else sample_rate_hz
    if not 0 < rate < float("inf"):
        raise InputError(f"the sample rate is {rate:g} Hz, allowed: above 0", "it is in samples a second")
    kept = _each(lambda us: min(rate, _US_PER_S / us) if us else rate, _turned(time.sample_us))
    peak = _peak_mw(placed, record, profile, time)
    lines = {
        name: _line(static, energy, kept, peak) for name, static in profile.powers.items() if energy.scope == "per_term"
    }
    duty = _each(lambda us: us * rate / _US_PER_S, time.sample_us)
    whole = _at_rate(lines.get(profile.counted_boundary), energy, rate, duty)
    late = duty.value is not None and duty.value > 1
    return PowerReport(
        boundary=profile.counted_boundary,
        sample_rate_hz=rate,
        duty=duty,
        behind=duty.value if late else None,
        energy_uj=whole,
        edp_uj_ms=_product(whole, time.answer_us.over(_US_PER_MS)),
        lines=lines,
    )


def _line(static: Quantity, energy: EnergyReport, kept: Range, peak: Range) -> PowerLine:
    still = Range(static.low, static.value, static.high)
    busy = _product(energy.dynamic, kept)
    mean = _sum(still, _each(lambda pj_hz: pj_hz * _MW_PER_PJ_HZ, busy))
    known = [static] if static.published else []
    basis = weakest_basis([*known, _with_basis(energy.weakest_basis)]) if known else "unpublished"
    return PowerLine(still, mean, _sum(still, peak), basis, static.source)


def _with_basis(basis: str) -> Quantity:
    return Quantity(0.0, 0.0, 0.0, "mW", basis, "energy")


def _at_rate(line: PowerLine | None, energy: EnergyReport, rate: float, duty: Range) -> Range:
    """Return the energy of a sample in uJ: static power for as long as the rate, or the program, leaves to it."""
    if line is None or UNPRICED in (energy.dynamic, line.static_mw):
        return UNPRICED
    seconds = _each(lambda share: max(1.0, share) / rate, duty if duty != UNPRICED else Range(0.0, 0.0, 0.0))
    idle = _each(lambda mw_s: mw_s * _UJ_PER_MW_S, _product(line.static_mw, seconds))
    return _sum(idle, _each(lambda pj: pj * _UJ_PER_PJ, energy.dynamic))


def _peak_mw(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, time: LatencyReport) -> Range:
    """Return the dynamic power of the step that draws most, UNPRICED where steps have no time."""
    if time.longest_step_us == UNPRICED or profile.energy.scope == "all_in":
        return UNPRICED
    us = np.maximum(time.steps_us, 1e-9)
    pj = step_energy(placed, record, profile)
    return Range(*((pj / us[::-1]).max(axis=1) * _MW_PER_PJ_US).tolist())


def step_energy(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> Array:
    """Return the dynamic energy of each step of a sample in pJ, (ends, steps), the barrier with it."""
    graph, steps = placed.graph, chip_steps(placed.graph, record)
    found = np.zeros((3, steps))
    for layer, terms in layer_terms(placed, record, profile).items():
        counts = record.layers[layer]
        by_event = {"synops": executed(placed, record, layer), "updates": counts.updates}
        for term in terms:
            if term.priced and term.count:
                shape = by_event.get(term.event, counts.messages)
                even = np.full(steps, term.count / record.samples / steps)
                share = even if term.event == "learning" else spread(term, shape, record, layer, graph)
                found += np.outer(ends_of(term.each), share)
    barrier = profile.energy.barrier_pj
    return np.asarray(found + np.array([[barrier.low or 0.0], [barrier.value or 0.0], [barrier.high or 0.0]]))


def _each(change: Callable[[float], float], range_: Range) -> Range:
    return Range(*(None if end is None else change(end) for end in (range_.low, range_.value, range_.high)))


def _turned(range_: Range) -> Range:
    return Range(range_.high, range_.value, range_.low)


def _product(one: Range, other: Range) -> Range:
    return UNPRICED if UNPRICED in (one, other) else Range(*(a * b for a, b in _pairs(one, other)))


def _sum(one: Range, other: Range) -> Range:
    return UNPRICED if UNPRICED in (one, other) else Range(*(a + b for a, b in _pairs(one, other)))


def _pairs(one: Range, other: Range) -> list[tuple[float, float]]:
    ends = ((one.low, other.low), (one.value, other.value), (one.high, other.high))
    return [(a or 0.0, b or 0.0) for a, b in ends]

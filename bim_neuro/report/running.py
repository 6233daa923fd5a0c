"""The part of the summary about a program that runs at its task's rate: time, power, and what decides them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..estimates.energy import EnergyReport
from ..estimates.latency import LatencyReport
from ..estimates.power import power
from ..estimates.sensitivity import sensitivity
from ..estimates.terms import UNPRICED
from ..graph import PlacedGraph
from ..hardware import HardwareProfile
from ..record import RunRecord
from . import models


def latency_values(time: LatencyReport) -> dict[str, Any]:
    """Return the values of the summary's ``latency``; what a step waits for is its own key, ``time``."""
    return {key: value for key, value in asdict(time).items() if key not in ("time", "steps_us")}


def at_rate(
    placed: PlacedGraph,
    record: RunRecord,
    profile: HardwareProfile,
    time: LatencyReport,
    energy: EnergyReport,
    sample_rate_hz: float | None,
) -> dict[str, Any]:
    """Return the summary's keys from ``time`` on, without those that nothing is known of."""
    found: dict[str, Any] = {
        "time": models.made(models.StepTime, asdict(time.time)),
        **decided(placed, record, profile),
    }
    drawn = power(placed, record, profile, time, energy, sample_rate_hz)
    if drawn.duty == UNPRICED or drawn.energy_uj == UNPRICED:
        return found
    lines = {name: line for name, line in drawn.lines.items() if line.static_mw != UNPRICED}
    sample = {"energy_uj": drawn.energy_uj, "edp_uj_ms": drawn.edp_uj_ms, "behind": drawn.behind}
    return {
        **found,
        "boundary": drawn.boundary,
        "sample_rate_hz": drawn.sample_rate_hz,
        "duty": models.made(models.Range, asdict(drawn.duty)),
        "at_rate": models.made(models.AtRate, _plain(sample)),
        "power": {name: models.made(models.PowerLine, asdict(line)) for name, line in lines.items()},
    }


def decided(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> dict[str, Any]:
    """Return the summary's keys about the prices that decide the energy; none where nothing has a price."""
    report = sensitivity(placed, record, profile)
    if report.interval_pj == UNPRICED:
        return {}
    names = ("price", "low_pj", "high_pj", "dynamic_low_pj", "dynamic_high_pj", "basis")
    values = [(swing.price, *swing.pj, *swing.dynamic_pj, swing.basis) for swing in report.swings]
    rows = [models.made(models.Sensitivity, dict(zip(names, row, strict=True))) for row in values]
    return {
        "sensitivity": tuple(rows),
        "interval_pj": models.made(models.Range, asdict(report.interval_pj)),
        "dynamic_interval_pj": models.made(models.Range, asdict(report.dynamic_interval_pj)),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: asdict(value) if hasattr(value, "low") else value for name, value in values.items()}

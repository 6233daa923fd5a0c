"""Measurements of a chip, read for `bim-report fit`: a CSV, or what Loihi 2's profiler printed beside a summary.json.

CSV, a row each:   name, out, <counts>, uj, us, boundary, sigma
    name           what the row is called in the residuals (default: file and line)
    out            a folder of bim-compile: its counts are a sample's; or columns of counts named as the profile's
                   prices, without their unit or with it: synop, update_pass, hop_east_west, ...
    uj, us         a sample's energy and time; us is needed for static power
    step_us        a step's time instead, with counts of the fullest core: lif_update, update_pass, synop, read, hop
    boundary       cores, chip, board, or dynamic for an energy without static power (default: cores)
    sigma          relative standard error (default: the scatter of the fit)

Text: lines as Lava's notebooks print them, "Total Power : 0.5 W", "Static Power : 0.4 W", "Time per timestep : 9 us" or
"Throughput : 300 fps"; the counts are those of the summary.json in the same folder.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path

from ..errors import InputError
from ..estimates.fit import Measurement
from ..hardware import HardwareProfile
from ..intake import opened
from ..report import read_summary
from ..report.models import Summary

_LARGEST = 2**24  # bytes of a file of measurements
_PRINTED = re.compile(r"^\s*(Total Power|Static Power|Time per timestep|Throughput)\s*:\s*([-+.\deE]+)", re.MULTILINE)
_MEANT = ("name", "out", "uj", "us", "step_us", "boundary", "sigma")
_UNITS = ("_pj", "_ns", "_us")
# Events of a summary and the price each is counted in; hops of both directions are counted as hops east and west.
_EVENTS = {"synops": "energy.synop_pj", "updates": "energy.update_pass_pj", "learning": "energy.learning_update_pj",
           "messages": "energy.message_pj", "links": "energy.hop_chip_pj",
           "hops": "energy.hop_east_west_pj"}  # fmt: skip


def read_measurements(file: Path, profile: HardwareProfile) -> list[Measurement]:
    """Return the measurements of one file; raises InputError with file and line for what it cannot hold."""
    with opened(file) as handle, open(handle.descriptor, "rb", closefd=False) as content:
        text = content.read(_LARGEST + 1).decode("utf-8", errors="replace")
    if len(text) > _LARGEST:
        raise InputError(f"{file} has more than {_LARGEST // 2**20} MiB", "give one row a measurement")
    found = list(_printed(file, text, profile) if file.suffix != ".csv" else _rows(file, text, profile))
    if not found:
        raise InputError(
            f"{file} holds no measurement", "a CSV has a row a measurement, a print lines of power and time"
        )
    return found


def _rows(file: Path, text: str, profile: HardwareProfile) -> Iterator[Measurement]:
    for line, row in enumerate(csv.DictReader(io.StringIO(text), skipinitialspace=True), start=2):
        given = {(name or "").strip(): (value or "").strip() for name, value in row.items() if isinstance(value, str)}
        try:
            given = {"name": f"{file.name}, line {line}", **{name: value for name, value in given.items() if value}}
            yield _row(file, given, profile)
        except InputError as error:
            raise InputError(f"{file}, line {line}: {error.message}", error.hint) from None


def _row(file: Path, given: Mapping[str, str], profile: HardwareProfile) -> Measurement:
    sigma = _number(given, "sigma") if "sigma" in given else None
    columns = {name: _number(given, name) for name in given if name not in _MEANT}
    if "step_us" in given:
        counts = {_price(name, "timing", profile): count for name, count in columns.items()}
        return Measurement.step(given["name"], counts, _number(given, "step_us"), sigma)
    counts = {_price(name, "energy", profile): count for name, count in columns.items()}
    us, boundary = _number(given, "us") if "us" in given else None, given.get("boundary", "cores")
    if "out" in given:
        summary = read_summary(file.parent / given["out"])
        counts, us = {**_counted(summary, profile), **counts}, us or summary.latency.sample_us.value
    if "uj" not in given:
        raise InputError("there is no uj and no step_us", "give what was measured of a sample, or of a step")
    if us is None and boundary != "dynamic":
        raise InputError("there is no us, the time of a sample, for static power", "give it, or boundary = dynamic")
    return Measurement.energy(given["name"], counts, _number(given, "uj"), us or 0.0, boundary, sigma)


def _printed(file: Path, text: str, profile: HardwareProfile) -> Iterator[Measurement]:
    """Give the energy of a sample, and static power if it was printed, of what a profiler printed."""
    found = {name: _number({name: number}, name) for name, number in _PRINTED.findall(text)}
    if "Total Power" not in found or not {"Time per timestep", "Throughput"} & found.keys():
        return
    summary = read_summary(file.parent)
    step = found.get("Time per timestep")
    us = 1e6 / found["Throughput"] if step is None else step * summary.latency.steps_per_sample
    counts = _counted(summary, profile)
    yield Measurement.energy(str(file), counts, found["Total Power"] * us, us, "cores")
    if "Static Power" in found:
        yield Measurement.energy(f"{file}, static", {}, found["Static Power"] * us, us, "cores")


def _counted(summary: Summary, profile: HardwareProfile) -> dict[str, float]:
    """Return a sample's counts by the price they are multiplied with: energies over the prices that gave them."""
    if summary.target != profile.name:
        message = f"the summary is of target {summary.target}, the fit of {profile.name}"
        raise InputError(message, f"add --target {summary.target}")
    counts, prices = {}, profile.quantities()
    for event, key in _EVENTS.items():
        cost, price = summary.energy.events.get(event), prices[key].value  # type: ignore[call-overload]
        if cost is not None and cost.value and price:
            counts[key] = cost.value / price
    return counts


def _price(name: str, section: str, profile: HardwareProfile) -> str:
    """Return the key of a column: energy.synop_pj of synop or synop_pj."""
    keys = [f"{section}.{name}", *(f"{section}.{name}{unit}" for unit in _UNITS)]
    known = profile.quantities()
    found = next((key for key in (name, *keys) if key in known), None)
    if found is None:
        allowed = (key.split(".")[1] for key in known if key.startswith(f"{section}."))
        raise InputError(f"unknown column '{name:.40}'", f"allowed: {', '.join(dict.fromkeys((*_MEANT, *allowed)))}")
    return found


def _number(given: Mapping[str, str], name: str) -> float:
    try:
        number = float(given[name])
    except ValueError:
        number = float("nan")
    if not isfinite(number) or number < 0:
        raise InputError(f"{name} is '{given[name]:.40}'", "allowed: a number, 0 or more")
    return number

"""Refit: bim-report fit, from files of measurements to a profile with metered prices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..estimates.fit import PriceFit, fit
from ..hardware import as_toml, load_profile
from .measurements import read_measurements
from .places import check_file, write_text
from .request import FitRequest


def refit(request: FitRequest) -> PriceFit:
    """Fit the target's prices to the measurements of all files; write the profile if asked."""
    check_file(request.output)
    profile = load_profile(request.target)
    measurements = [one for file in request.files for one in read_measurements(file, profile)]
    found = fit(measurements, profile, request.prices)
    if request.output is not None:
        changed = [one.price for one in found.prices]
        write_text(request.output, as_toml(found.profile, request.target, request.output.stem, changed))
    return found


def as_rows(found: PriceFit) -> dict[str, Any]:
    """Return a fit as plain values, for --json."""
    return {
        "prices": [asdict(one) for one in found.prices],
        "residuals": [{**asdict(one), "share": one.share} for one in found.residuals],
        "apart": [list(group) for group in found.apart],
        "kept": list(found.kept),
    }

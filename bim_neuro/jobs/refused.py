"""A refusal as a page: what does not fit, by how much, and which other target takes the model."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .. import kept
from ..atomic import write
from ..errors import BimError, DoesNotFit
from ..hardware import list_profiles, load_profile
from ..report.refusal import PAGE, refusal, refusal_page
from ..stopwatch import Stopwatch
from .built import program_of
from .folder import filled, holds_result, reserved
from .request import Request

TARGETS_SECONDS = 20.0  # for all other targets; those that are left are listed as not tried


def write_refusal(request: Request, error: DoesNotFit) -> None:
    """Write OUT/report.html with the findings of a refusal; a finished result in OUT stays as it is."""
    with reserved(request.output) as output:
        if holds_result(output):
            return
        found = refusal(str(request.model), request.target, request.command, error.findings, other_targets(request))
        with filled(output) as (fresh, _):
            write(fresh / PAGE, refusal_page(found))
    kept.say("refusal", f"{request.output / PAGE} shows what does not fit, and which target takes it")


def other_targets(request: Request) -> list[dict[str, Any]]:
    """Return a row for each target that comes with the package: ``fits`` None where there was no time to try.

    There are none where the model itself fits its target, and what was asked beyond it does not.
    """
    if _tried(request)["fits"]:
        return []
    rows, until = [], time.monotonic() + TARGETS_SECONDS
    for name in list_profiles():
        if name == request.target:
            continue
        profile = load_profile(name)
        row: dict[str, Any] = {"name": name, "title": profile.title, "fits": None, "cores": None, "why": "not tried"}
        if time.monotonic() < until:
            row |= _tried(replace(request, target=name))
        rows.append({**row, "limit": profile.usable_cores})
    return rows


def _tried(request: Request) -> dict[str, Any]:
    """Return whether a model, with bounds where ranges are not measured, fits a target, and the first reason if not."""
    try:
        program = program_of(request, Stopwatch())
    except BimError as error:
        findings = error.findings if isinstance(error, DoesNotFit) else ()
        errors = [finding.message for finding in findings if finding.severity == "error"]
        return {"fits": False, "why": (errors or [error.message])[0]}
    cores = {core.index for core in program.placed.cores}
    return {"fits": True, "cores": len(cores) or None, "why": ""}

"""Does it fit: every problem of a compile, all at once; nothing is run or written.

It builds what a run would build: from the same steps, for the same target, with the same plasticity. Ranges are
measured on the given input, as in a run, on 32 samples at most, which are encoded too; a recording of --expect is held
against the model's layers. What only a run can tell is listed as unchecked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from ..compilers.calibrate import SAMPLES, uncalibrated
from ..errors import DoesNotFit, Finding
from ..hardware import load_profile
from ..program import Program
from ..report.findings import clipped_input
from ..report.models import Cores, plain
from ..report.thresholds import missed_without_a_run
from ..stopwatch import Stopwatch
from .built import program_of, unplayed_by
from .chosen import Chosen
from .expected import completed, recorded
from .learn import would_learn
from .request import Request
from .sequences import to_run

_RUN = "agreement with float, saturated values, {clipped}energy and latency: they need a run"
_MORE = "clipped input of more than the first {samples} samples, "
_BESIDE = "the bins that differ from --expect: they need a run"
_NO_INPUT = "ranges of {layers}: bounds are used instead; --input FILE.npz measures them"
_NO_STREAM = "trace placement of --learn {rule}: --input FILE.npz measures the traces"
_WEIGHED = "the placement that --optimise {objective} chooses: it depends on the messages of a run"
_NOT_BUILT = "the limits of {target}: the model could not be quantised"


def check(request: Request) -> dict[str, Any]:
    """Return whether the model fits, every finding, its core count, and what is unchecked."""
    profile = load_profile(request.target)
    findings: list[Finding] = []
    watch = Stopwatch()
    request = completed(request)
    program, chosen = _built(request, findings, watch)
    if program and chosen:
        findings += _of_input(request, program, chosen)
    used = len({core.index for core in program.placed.cores}) if program else 0
    cores = Cores(used, profile.usable_cores)
    return {
        "model": str(request.model),
        "target": profile.name,
        "fits": not any(finding.severity == "error" for finding in findings),
        "cores": plain(cores),
        "findings": [asdict(finding) for finding in findings],
        "unchecked": list(_unchecked(request, program, chosen, "place" in watch.seconds)),
        "missed": list(missed_without_a_run(findings, cores, request.thresholds)),
        "assumptions": list(program.assumptions) if program else [],
    }


def _built(request: Request, findings: list[Finding], watch: Stopwatch) -> tuple[Program | None, Chosen | None]:
    """Compile as a run does, as far as possible; collect the findings."""
    chosen = None
    try:
        program = program_of(request, watch)
        if request.input is not None:
            most = SAMPLES if request.samples is None else min(request.samples, SAMPLES)
            chosen = to_run(program, replace(request.wanted, samples=most))
            program = program.calibrated(*chosen.measuring)
    except DoesNotFit as error:
        findings += error.findings
        return None, chosen
    findings += [*program.findings, *unplayed_by(request.importer, program)]
    return program, chosen


def _of_input(request: Request, program: Program, chosen: Chosen) -> Iterable[Finding]:
    """Return what is found of the input alone: in which file it lies, what the encoder cuts off, what could be learnt.

    A recording that cannot be compared is refused, as in a run.
    """
    recorded(request, program, chosen)
    if request.plasticity:
        try:
            would_learn(program, request.plasticity, chosen.data)
        except DoesNotFit as error:
            return error.findings
        return ()
    _, seen = program.encode_and_see(chosen.data.x)
    return (*chosen.findings, *clipped_input(program.graph.encoder, seen, program.graph.source))


def _clipped(request: Request, chosen: Chosen | None) -> str:
    """Say of which samples nobody knows what the encoder cuts off."""
    if chosen is None or request.plasticity:
        return "clipped input, "
    wanted = chosen.whole if request.samples is None else min(request.samples, chosen.whole)
    return _MORE.format(samples=len(chosen.data)) if wanted > len(chosen.data) else ""


def _unchecked(request: Request, program: Program | None, chosen: Chosen | None, placed: bool) -> Iterator[str]:
    if not placed:
        yield _NOT_BUILT.format(target=request.target)
    elif program and (missing := uncalibrated(program.reference)):
        yield _NO_INPUT.format(layers=", ".join(missing))
    if request.plasticity and program and not chosen:
        yield _NO_STREAM.format(rule=request.plasticity.rule)
    if request.optimise and request.optimise != "cores":
        yield _WEIGHED.format(objective=request.optimise)
    if request.expect is not None:
        yield _BESIDE
    yield _RUN.format(clipped=_clipped(request, chosen))

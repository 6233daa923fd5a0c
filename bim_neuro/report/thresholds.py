"""Thresholds: the user's limits, compared with the result of a compile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import Finding as Found
from ..printable import counted
from .models import Agreement, Cores, Expect, Finding, Learning, Summary, Verification


@dataclass(frozen=True)
class Thresholds:
    """The limits a user set; None is no limit. For energy and latency the likely values count."""

    strict: bool = False
    min_agreement: float | None = None
    max_energy_uj: float | None = None
    max_latency_ms: float | None = None
    max_cores: int | None = None


SHOWN = 3
"""Dialects that a sentence names."""


def missed(summary: Summary, wanted: Thresholds) -> tuple[str, ...]:
    """Return a sentence for each missed limit, and for a verification that found a difference."""
    return tuple(
        sentence
        for sentences in (
            _verification(summary.verify),
            _lessons(summary.learning),
            _expected(summary.expect),
            _saturations(summary) if wanted.strict else (),
            _findings(summary.findings, wanted.strict),
            _agreement(summary.agreement, wanted.min_agreement),
            _energy(summary, wanted.max_energy_uj),
            _latency(summary, wanted.max_latency_ms),
            _cores(summary.cores, wanted.max_cores),
        )
        for sentence in sentences
    )


def missed_without_a_run(findings: Iterable[Finding | Found], cores: Cores, wanted: Thresholds) -> tuple[str, ...]:
    """Return the same for the result of a check, which has only findings and a core count."""
    warnings = [finding for finding in findings if finding.severity != "error"]
    return (*_findings(warnings, wanted.strict), *_cores(cores, wanted.max_cores))


def _verification(check: Verification | None) -> Iterator[str]:
    if check:
        kinds = (("spike slots", check.spike_slots, check.equal), ("states", check.states, check.states_equal))
        for kind, total, equal in kinds:
            if equal != total:
                yield f"{check.backend} differs in {total - equal} of {total} {kind}"


def _expected(expect: Expect | None) -> Iterator[str]:
    if expect is None or not expect.differing:
        return
    law = "the integers differ" if expect.kind == "integers" else "the float law differs"
    sentence = f"{law} from {expect.file} in {counted(expect.differing, 'bin')}"
    if expect.dialect is not None:
        under = f"under dialect '{expect.dialect}'"
        right = " or ".join(f"'{name}'" for name in expect.consistent[:SHOWN])
        if len(expect.consistent) > SHOWN:
            right += f", nor under {len(expect.consistent) - SHOWN} more"
        others = f"no bin differs under {right}" if right else f"bins differ under each of {expect.tried:,} dialects"
        sentence = f"{sentence} {under}; {others}"
    yield sentence


def _lessons(learning: Learning | None) -> Iterator[str]:
    if learning is None or learning.verify is None:
        return
    check = learning.verify
    for row in check.rows:
        if row.equal != row.values:
            yield f"{check.backend} differs in {row.values - row.equal} of {row.values} {row.what} while learning"


def _saturations(summary: Summary) -> Iterator[str]:
    for layer in summary.layers:
        if layer.saturations:
            yield f"strict: layer '{layer.name}' saturated {layer.saturations} values"


def _findings(findings: Iterable[Finding | Found], strict: bool) -> Iterator[str]:
    """Return errors, and with --strict warnings too."""
    for finding in findings:
        if strict or finding.severity == "error":
            yield f"{'' if finding.severity == 'error' else 'strict: '}{finding.message}"


def _agreement(rows: Iterable[Agreement], least: float | None) -> Iterator[str]:
    """Check every layer against ``least``; a layer with nothing to compare does not pass."""
    for row in rows if least else ():
        layer, what = f"layer '{row.layer}'", row.measure
        if row.share is None:
            yield f"{layer} has no {what} to compare in either run, so --min-agreement {least} cannot be checked"
        elif not row.share >= (least or 0):
            silent = f" is silent in integers ({row.rate_float:.2%} in float) and" if row.rate_integer == 0 else ""
            yield f"{layer}{silent} equals float in {row.share:.4f} of its {what}, wanted {least}"


def _energy(summary: Summary, most: float | None) -> Iterator[str]:
    whole, dynamic = summary.energy.energy_uj.value, summary.energy.dynamic_uj.value
    if most is not None and whole is None:
        missing = "energy prices" if dynamic is None else "published static power"
        yield f"{summary.target} has no {missing}, so --max-energy {most} cannot be checked"
    elif most is not None and whole is not None and not whole <= most:
        hint = "" if summary.optimise == "energy" else "; try --optimise energy"
        yield f"{whole:.3g} uJ a sample, dynamic and static, wanted at most {most}{hint}"


def _latency(summary: Summary, most: float | None) -> Iterator[str]:
    answer = summary.latency.answer_us.value
    if most is not None and answer is None:
        yield f"{summary.target} has no published times, so --max-latency {most} cannot be checked"
    elif most is not None and answer is not None and not answer <= most * 1e3:
        hint = "" if summary.optimise == "latency" else "; try --optimise latency, which uses more cores"
        yield f"{answer / 1e3:.3g} ms until a sample is answered, wanted at most {most}{hint}"


def _cores(cores: Cores, most: int | None) -> Iterator[str]:
    if most is not None and cores.used > most:
        yield f"{cores.used} cores, wanted at most {most}"

"""Finished results read again: one as a report, or several compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import report
from ..errors import InputError
from ..report.models import Summary
from .places import check_file, request_beside, write_text
from .request import CompareRequest, ReportRequest


def report_again(request: ReportRequest) -> Summary:
    """Return the summary of a finished compile; write its HTML page again if asked."""
    check_file(request.output)
    summary = report.read_summary(request.folder)
    if request.output is not None:
        write_text(request.output, report.render_again(request.folder))
    return summary


def compare_runs(request: CompareRequest) -> dict[str, Any]:
    """Compare finished compiles; the error for a summary with values of a wrong type names its file."""
    for file in (request.output, request.output and request_beside(request.output)):
        check_file(file)
    summaries = [report.read_summary(folder) for folder in request.folders]
    for folder, summary in zip(request.folders, summaries, strict=True):
        _check_summary(folder, summary)
    comparison = report.compare(request.folders, summaries)
    if request.output is not None:
        write_text(request.output, report.render_comparison(comparison))
        if request.file:
            write_text(request_beside(request.output), request.file)
    return comparison


def _check_summary(folder: Path, summary: Summary) -> None:
    """Compare a summary with itself: an error there is caused by this summary, not by another."""
    try:
        report.render_comparison(report.compare([folder, folder], [summary, summary]))
    except report.DAMAGE as error:
        raise InputError(f"{folder / 'summary.json'} is damaged: {type(error).__name__} {error!s:.200}") from None

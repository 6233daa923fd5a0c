"""Finished results put side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import report
from ..errors import InputError


def compare_runs(folders: Sequence[Path]) -> dict[str, Any]:
    """Put finished compiles side by side; a summary whose values are of the wrong kind is refused by its name."""
    summaries = [report.read_summary(folder) for folder in folders]
    for folder, summary in zip(folders, summaries, strict=True):
        _check_summary(folder, summary)
    return report.compare(folders, summaries)


def _check_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Compare a summary with itself: what breaks there is its own."""
    try:
        report.render_comparison(report.compare([folder, folder], [summary, summary]))
    except report.DAMAGE as error:
        raise InputError(f"{folder / 'summary.json'} is damaged: {type(error).__name__} {error!s:.200}") from None

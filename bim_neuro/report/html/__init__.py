"""The report as one HTML file that opens offline, built from the data and the assets beside this file."""

from __future__ import annotations

from typing import Any

from ..glossary import COLUMNS
from ..models import Summary
from .bounded import bounded
from .page import page

__all__ = ["render", "render_comparison", "render_refusal", "render_sweep"]

_SHARED = ("base.js", "face.js", "charts.js")
_REPORT = (
    "cores.js", "activity.js", "glance.js", "network.js", "raster.js", "findings.js", "energy.js", "neuron.js",
    "formats.js", "confusion.js", "fixed.js", "layers.js", "learning.js", "expect.js", "training.js", "report.js",
)  # fmt: skip


def render(summary: Summary, mapping: dict[str, Any], series: dict[str, Any], text: str) -> str:
    """Return report.html; ``text`` is the report in plain text, for a reader without scripts."""
    title = f"{summary.model} on {summary.target} - bim-neuro"
    return _page(title, bounded(summary, mapping, series), _REPORT, text)


def render_comparison(comparison: dict[str, Any], text: str) -> str:
    """Return a page that compares runs; ``text`` is the same as plain text."""
    return _page("Runs side by side - bim-neuro", comparison, ("compare.js",), text)


def render_sweep(table: dict[str, Any], text: str) -> str:
    """Return the page of a sweep's trials, or of runs, with points and fronts; ``text`` is the same as plain text."""
    return _page(f"{table.get('title', 'Sweep')} - bim-neuro", table, ("scatter.js", "sweep.js"), text)


def render_refusal(found: dict[str, Any], text: str) -> str:
    """Return report.html of a model that does not fit; ``text`` is the same as plain text."""
    return _page("Does not fit - bim-neuro", found, ("refusal.js",), text)


def _page(title: str, data: dict[str, Any], scripts: tuple[str, ...], text: str) -> str:
    """Return a page of these data, and of the meanings of its columns."""
    return page(title, data | {"glossary": COLUMNS}, _SHARED + scripts, text)

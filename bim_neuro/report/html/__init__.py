"""The report as one HTML file that opens offline, built from the data and the assets beside this file."""

from __future__ import annotations

from typing import Any

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
    return page(title, bounded(summary, mapping, series), _SHARED + _REPORT, text)


def render_comparison(comparison: dict[str, Any], text: str) -> str:
    """Return a page that compares runs; ``text`` is the same as plain text."""
    return page("Runs side by side - bim-neuro", comparison, (*_SHARED, "compare.js"), text)


def render_sweep(table: dict[str, Any], text: str) -> str:
    """Return sweep.html of a sweep's trials, points and fronts; ``text`` is the table as plain text."""
    return page(f"{table.get('title', 'Sweep')} - bim-neuro", table, (*_SHARED, "scatter.js", "sweep.js"), text)


def render_refusal(found: dict[str, Any], text: str) -> str:
    """Return report.html of a model that does not fit; ``text`` is the same as plain text."""
    return page("Does not fit - bim-neuro", found, (*_SHARED, "refusal.js"), text)

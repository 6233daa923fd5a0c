"""Runs side by side in a terminal and as a page; what differs is bright, what is clearly better is green."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table

from ..printable import escape, marked
from . import html
from .terminal import energy, scaled

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_TEXT_WIDTH = 140


def show_comparison(comparison: dict[str, Any], console: Console) -> None:
    """Print what `compare` found."""
    comparison = marked(comparison)
    names = [run["name"] for run in comparison["runs"]]
    if comparison["warning"]:
        console.print(f"[yellow]{escape(comparison['warning'])}[/]", soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(escape(name), justify="right", no_wrap=True)
    table.add_column("difference", overflow="fold")
    for row in comparison["settings"]:
        table.add_row(f"[dim]{row['label']}[/]", *(f"[dim]{escape(value)}[/]" for value in row["values"]), "")
    for row in comparison["rows"]:
        cells = [_cell(row, index) for index in range(len(names))]
        table.add_row(row["label"], *cells, "[dim]same[/]" if row["verdict"] == "same" else row["verdict"])
    console.print(table)


def render_comparison(comparison: dict[str, Any]) -> str:
    """Return what `compare` found as one HTML file."""
    text = io.StringIO()
    show_comparison(comparison, Console(file=text, width=_TEXT_WIDTH, highlight=False, emoji=False))
    return html.render_comparison(comparison, text.getvalue())


def _cell(row: dict[str, Any], index: int) -> str:
    text = escape(_written(row, index))
    if index in row["best"]:
        return f"[bold green]{text}[/]"
    return f"[dim]{text}[/]" if row["verdict"] == "same" else text


def _written(row: dict[str, Any], index: int) -> str:
    value, unit = row["values"][index], row["unit"]
    if value is None:
        return "-"
    if unit == "pj":
        return energy(row["ranges"][index])
    if unit == "seconds":
        return scaled(row["ranges"][index], _TIMES)
    if unit == "share":
        return f"{value:.2%}"
    return f"{value:,}" if unit == "count" else str(value)

"""Comparison of runs in a terminal and as a page; differences are bright, clearly better values are green.

Two or three runs are columns, where the terminal is wide enough for them. Else each is a row, and the numbers stand in
as many tables, one below the other, as they need.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from ..printable import escape, marked
from . import html
from .amounts import SECONDS, energy, scaled
from .models import Range

TRANSPOSED = 4  # runs from which on each is a row
_TEXT_WIDTH = 140
_LAST = "difference"  # the row below the runs
_GAP = 2  # columns between two of a table
_VERDICT = 20  # columns that a difference in words takes at least
_NAME_SHARE = 3  # of the width, a third at most is for the names of runs


def show_comparison(comparison: dict[str, Any], console: Console) -> None:
    """Print a comparison."""
    comparison = marked(comparison)
    if comparison["warning"]:
        console.print(f"[yellow]{escape(comparison['warning'])}[/]", soft_wrap=True)
    names = [run["name"] for run in comparison["runs"]]
    for row in comparison["settings"]:
        console.print(f"[dim]{escape(row['label'])}:[/] {_grouped(names, row['values'])}", overflow="fold")
    if len(names) < TRANSPOSED and _wide(comparison, names) <= console.width:
        console.print(_columns(comparison, names))
        return
    for table in _rows(comparison, names, console.width):
        console.print()
        console.print(table)


def render_comparison(comparison: dict[str, Any]) -> str:
    """Return a comparison as one HTML file."""
    text = io.StringIO()
    show_comparison(comparison, Console(file=text, width=_TEXT_WIDTH, highlight=False, emoji=False))
    return html.render_comparison(comparison | {"transposed": TRANSPOSED}, text.getvalue())


def _grouped(names: list[str], values: list[str]) -> str:
    """Say which runs have which value, each value once; of many runs those with the commonest are the others."""
    runs: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        runs.setdefault(value, []).append(name)
    common = max(runs, key=lambda value: len(runs[value]))
    others = len(runs[common]) if len(names) >= TRANSPOSED else 0
    said = [f"{escape(value)} ({', '.join(map(escape, given))})" for value, given in runs.items()]
    if others > len(names) / 2:
        said = [text for text, value in zip(said, runs, strict=True) if value != common]
        said.append(f"{escape(common)} (the other {others})")
    return "; ".join(said)


def _wide(comparison: dict[str, Any], names: list[str]) -> int:
    """Return the width that a table with a column for each run needs."""
    rows = comparison["rows"]
    runs = [max(len(name), *(len(_written(row, index)) for row in rows)) for index, name in enumerate(names)]
    verdicts = min(_VERDICT, max(len(row["verdict"]) for row in rows))
    return max(len(row["label"]) for row in rows) + sum(_GAP + run for run in runs) + _GAP + verdicts


def _columns(comparison: dict[str, Any], names: list[str]) -> Table:
    """Return a table with a column for each run."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(escape(name), justify="right", no_wrap=True)
    table.add_column("difference", overflow="fold")
    for row in comparison["rows"]:
        cells = [_cell(row, index) for index in range(len(names))]
        table.add_row(escape(row["label"]), *cells, "[dim]same[/]" if row["verdict"] == "same" else row["verdict"])
    return table


def _rows(comparison: dict[str, Any], names: list[str], width: int) -> Iterator[Table]:
    """Yield tables with a row for each run, each with as many numbers as the width has room for."""
    first = min(max(map(len, (*names, _LAST))), max(len(_LAST), width // _NAME_SHARE))
    held: list[tuple[dict[str, Any], int]] = []
    for row in comparison["rows"]:
        words = (*row["label"].split(), *row["verdict"].split())
        need = max(len(text) for text in (*words, *(_written(row, index) for index in range(len(names)))))
        if held and first + sum(_GAP + other for _, other in held) + _GAP + need > width:
            yield _table(held, names, first)
            held = []
        held.append((row, need))
    yield _table(held, names, first)


def _table(held: list[tuple[dict[str, Any], int]], names: list[str], first: int) -> Table:
    """Return a table of some numbers, each in a column of its width, with a row for each run."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column("", width=first, overflow="fold")
    for row, need in held:
        table.add_column(escape(row["label"]), justify="right", width=need)
    for index, name in enumerate(names):
        table.add_row(escape(name), *(_cell(row, index) for row, _ in held))
    table.add_row(f"[dim]{_LAST}[/]", *(f"[dim]{escape(row['verdict'])}[/]" for row, _ in held), end_section=True)
    return table


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
        return energy(_range(row, index))
    if unit == "seconds":
        return scaled(_range(row, index), SECONDS)
    if unit == "share":
        return f"{value:.2%}"
    return f"{value:,}" if unit == "count" else str(value)


def _range(row: dict[str, Any], index: int) -> Range | None:
    """Return the range of a run; None where it has none."""
    ends = row["ranges"][index]
    return None if ends is None else Range(**ends)

"""Sweeps and trainings as tables: what became of the trials, the points that no other beats, runs by their seeds."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Mapping
from itertools import chain, islice
from typing import Any

from rich.console import Console
from rich.table import Table

from ..printable import counted, escape
from . import html

_TEXT_WIDTH = 120
_UNITS = {"uj": " uJ", "us": " us", "s": " s"}
_KEY = 8  # characters of a trial's name that are shown
_MOST = 40
"""Points of a front that the terminal shows; the page has all."""
_OF_RUNS = (
    ("validation", "validation", ".4f"),
    ("validation error", "validation_error", ".4f"),
    ("test, float", "test_float", ".4f"),
    ("test, integers", "test_integer", ".4f"),
    ("test opened", "test_opened", ".0f"),
    ("parameters", "parameters", ",.0f"),
    ("seconds", "trained_seconds", ",.0f"),
    ("spike rate", "spike_rate", ".4g"),
    ("synops", "synops", ",.0f"),
    ("uJ", "energy_uj", ".4g"),
)
"""Columns of a table of runs: head, number, form."""
MOST_ON_PAGE = 5000
"""Trials or runs that a page holds; trials.csv, or --json of the runs, has all."""


def show_sweep(table: Mapping[str, Any], console: Console) -> None:
    """Print the statuses of the trials, and the front of the first two objectives; the page has the others."""
    said = [counted(count, f"{status} trial") for status, count in sorted(table["by_status"].items())]
    console.print(f"[bold]Sweep:[/] {', '.join(said) or 'no trial'}", soft_wrap=True)
    if table["left_out"]:
        older = counted(table["left_out"], "trial")
        console.print(f"[dim]{older} of other code or libraries left out[/]", soft_wrap=True)
    for name, places in list(table["fronts"].items())[:1]:
        console.print(_front(name, [table["points"][place] for place in places], table))
    for row in [row for row in table["trials"] if row["status"] not in ("done", "infeasible")][:_MOST]:
        console.print(f"[yellow]{row['status']}[/] {row['key']}: {escape(row['said'])}", soft_wrap=True)


def _front(name: str, points: list[Mapping[str, Any]], table: Mapping[str, Any]) -> Table:
    shown = Table(title=f"no other is better in {' and '.join(name.split(','))}", title_justify="left", box=None)
    varied = [each for each in table["varied"] if each not in ("seed", "learn.seed")]
    for head in varied:
        shown.add_column(escape(head.rpartition(".")[2]), justify="right")
    for one in table["objectives"]:
        shown.add_column(one["name"], justify="right")
    shown.add_column("trial")
    for point in points[:_MOST]:
        values = [escape(point["values"].get(head, "-")) for head in varied]
        shown.add_row(*values, *(_amount(point[one["name"]], one["unit"]) for one in table["objectives"]), _keys(point))
    if len(points) > _MOST:
        shown.caption = f"{len(points) - _MOST} more in sweep.html"
    return shown


def show_runs(table: Mapping[str, Any], console: Console) -> None:
    """Print a table a task: a line for each point, its settings that differ, mean and spread over seeds."""
    rows = {row["key"]: row for row in table["runs"]}
    for task in dict.fromkeys(point["values"]["model"] for point in table["points"]):
        console.print(_runs(task, [point for point in table["points"] if point["values"]["model"] == task], rows))
    if table["note"]:
        console.print(f"[dim]{escape(table['note'])}[/]", soft_wrap=True)


def _runs(task: str, points: list[Mapping[str, Any]], rows: Mapping[str, Mapping[str, Any]]) -> Table:
    every = [[rows[key]["metrics"] for key in point["keys"]] for point in points]
    used = [one for one in _OF_RUNS if any(run.get(one[1]) is not None for runs in every for run in runs)]
    names = dict.fromkeys(name for point in points for name in point["values"])
    varied = [name for name in names if len({str(point["values"].get(name, "-")) for point in points}) > 1]
    shown = Table(
        title=f"{escape(task)}: mean and deviation over runs of other seeds",
        title_justify="left",
        box=None,
    )
    shown.add_column("settings that differ", overflow="fold")
    for head in ("runs", *(head for head, _, _ in used)):
        shown.add_column(head, justify="right", no_wrap=True)
    for point, runs in zip(points, every, strict=True):
        said = ", ".join(f"{name} {point['values'][name]}" for name in varied if name in point["values"])
        numbers = [_mean([run.get(name) for run in runs], form) for _, name, form in used]
        shown.add_row(escape(said), str(len(runs)), *numbers)
    return shown


def _mean(values: list[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    spread = f"\n+- {statistics.stdev(known):{form}}" if len(known) > 1 and form == ".4f" else ""
    return f"{statistics.mean(known):{form}}{spread}"


def _keys(point: Mapping[str, Any]) -> str:
    first, *others = (key[:_KEY] for key in point["keys"])
    return f"{first} and {len(others)} more" if others else first


def _amount(found: Mapping[str, float] | None, unit: str) -> str:
    if found is None:
        return "-"
    form = ".2%" if unit == "share" else ".4g"
    ends = f" ({found['low']:{form}}-{found['high']:{form}})" if found["low"] < found["high"] else ""
    return f"{found['value']:{form}}{_UNITS.get(unit, '')}{ends}"


def render_sweep(table: dict[str, Any]) -> str:
    """Return sweep.html; of very many trials it holds points of each front and the first others."""
    return _page(table, "trials", show_sweep, "trials.csv has them all")


def render_runs(table: dict[str, Any]) -> str:
    """Return the page of a table of runs, bounded as that of a sweep is."""
    return _page(table, "runs", show_runs, "--json prints them all")


def _page(table: dict[str, Any], rows: str, show: Callable[..., None], elsewhere: str) -> str:
    text = io.StringIO()
    show(table, Console(file=text, width=_TEXT_WIDTH, highlight=False, emoji=False))
    return html.render_sweep(_bounded(table, rows, elsewhere), text.getvalue())


def _bounded(table: dict[str, Any], rows: str, elsewhere: str) -> dict[str, Any]:
    """Return a table of at most so many rows: of each front evenly spread points, then the first others."""
    if len(table[rows]) <= MOST_ON_PAGE:
        return table
    most = MOST_ON_PAGE // (2 * max(1, len(table["fronts"])))
    fronts = {name: places[:: -(-len(places) // most) or 1] for name, places in table["fronts"].items()}
    keys: set[str] = set()
    kept = []
    for place in dict.fromkeys([*chain(*fronts.values()), *range(len(table["points"]))]):
        point = table["points"][place]
        if len(keys) + len(point["keys"]) <= MOST_ON_PAGE:
            keys.update(point["keys"])
            kept.append(place)
    now = {place: index for index, place in enumerate(sorted(kept))}
    unfinished = (row["key"] for row in table[rows] if row["status"] != "done")
    keys.update(islice(unfinished, MOST_ON_PAGE - len(keys)))
    left = [row for row in table[rows] if row["key"] in keys]
    note = f"{len(left):,} of {len(table[rows]):,} {rows}; {elsewhere}."
    return table | {
        "points": [table["points"][place] for place in now],
        rows: left,
        "fronts": {name: [now[place] for place in places if place in now] for name, places in fronts.items()},
        "note": note,
    }

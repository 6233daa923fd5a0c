"""The table of a sweep's folder: trials.csv, sweep.json and sweep.html, from the trials that lie there.

Trials of other code or libraries are counted and left out: their numbers are not of one kind.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from .. import report
from .._version import __version__
from ..atomic import write
from ..errors import InputError
from ..intake import read_json
from ..printable import as_json, csv_cell
from .fronts import front, front_by_task, points
from .objectives import OBJECTIVES, Objective
from .origin import code, libraries
from .store import Store, is_row

JSON, CSV, HTML = "sweep.json", "trials.csv", "sweep.html"
VERSION = 1
PAGES = ("report.html", "summary.json")


def write_table(store: Store, objectives: Sequence[Objective], command: str) -> dict[str, Any]:
    """Write the three files; return what sweep.json holds."""
    rows, older = _rows(store)
    table = table_of(rows, objectives) | {"command": command, "left_out": older}
    write(store.folder / JSON, as_json(table) + "\n")
    write(store.folder / CSV, _csv(table))
    write(store.folder / HTML, report.render_sweep(table))
    return table


def table_of(rows: list[dict[str, Any]], objectives: Sequence[Objective], by_task: bool = False) -> dict[str, Any]:
    """Return trials, points and fronts as plain values; ``by_task``: no point is held against one of another task."""
    fronted = front_by_task if by_task else front
    lost = _lost_by_pruning(rows)
    found = points(rows, objectives)
    return {
        "schema_version": VERSION,
        "bim_neuro": __version__,
        "versions": libraries(),
        "objectives": [one._asdict() for one in objectives],
        "varied": _varied(rows),
        "by_status": dict(Counter(row["status"] for row in rows)),
        "fronts": {
            ",".join(one.name for one in pair): fronted(found, pair)
            for pair in (combinations(objectives, 2) if len(objectives) > 1 else [tuple(objectives)])
        },
        "points": found,
        "trials": [row | {"lost_by_pruning": lost.get(row["key"])} for row in rows],
    }


def read_table(folder: Path) -> dict[str, Any]:
    """Return what sweep.json of a folder holds."""
    file = folder / JSON
    if not file.exists():
        raise InputError(f"{folder} holds no {JSON}", "give a folder that bim-sweep wrote")
    found = read_json(file)
    rows = found.get("trials") if isinstance(found, dict) and found.get("schema_version") == VERSION else None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and is_row(row, str(row.get("key"))) for row in rows
    ):
        raise InputError(f"{file} is damaged, or of another version", "run bim-sweep again: it computes nothing twice")
    return dict(found)


def best(table: Mapping[str, Any], least: str, limits: Sequence[tuple[str, str, float]]) -> dict[str, Any] | None:
    """Return the trial with the best ``least`` among those within all limits (objective, 'min' or 'max', number)."""
    fits = []
    for row in table["trials"]:
        loss = OBJECTIVES[least].of(row["metrics"])
        if row["status"] == "done" and loss is not None and all(_within(row["metrics"], *limit) for limit in limits):
            fits.append((loss, row["key"], row))
    return min(fits, key=lambda entry: entry[:2])[2] if fits else None


def _within(metrics: Mapping[str, Any], name: str, end: str, number: float) -> bool:
    value = metrics.get(OBJECTIVES[name].column)
    return value is not None and (value >= number if end == "min" else value <= number)


def _rows(store: Store) -> tuple[list[dict[str, Any]], int]:
    every = list(store.results())
    rows = [row | {"page": _page(store.trial(row["key"]))} for row in every if row["origin"] == code()]
    return rows, len(every) - len(rows)


def _page(place: Path) -> str | None:
    """Return the file that shows a trial: its report, its summary where no more is kept, None where there is none."""
    return next((f"trials/{place.name}/{name}" for name in PAGES if (place / name).exists()), None)


def _varied(rows: list[dict[str, Any]]) -> list[str]:
    """Return the names whose values differ from trial to trial, 'model' among them where there are several."""
    every = [{**row["values"], "model": row["model"]} for row in rows]
    names = dict.fromkeys(name for values in every for name in values)
    return [name for name in names if len({str(values.get(name)) for values in every}) > 1]


def _lost_by_pruning(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return what each pruned trial lost in accuracy against the same trial without pruning, by key."""
    whole: dict[str, float] = {}
    for row in rows:
        if not row["values"].get("prune.share") and row["metrics"].get("accuracy") is not None:
            whole[_beside_pruning(row)] = row["metrics"]["accuracy"]
    return {
        row["key"]: whole[_beside_pruning(row)] - row["metrics"]["accuracy"]
        for row in rows
        if row["values"].get("prune.share") and row["metrics"].get("accuracy") is not None
        if _beside_pruning(row) in whole
    }


def _beside_pruning(row: Mapping[str, Any]) -> str:
    others = sorted((name, str(value)) for name, value in row["values"].items() if name != "prune.share")
    return f"{row['source']} {others}"


def _csv(table: Mapping[str, Any]) -> str:
    measures = list(dict.fromkeys(name for row in table["trials"] for name in row["metrics"]))
    columns = ["key", "status", *table["varied"], *measures, "lost_by_pruning", "seconds", "host", "said"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in table["trials"]:
        flat = {
            **row["values"],
            "model": row["model"],
            **row["metrics"],
            **{name: row.get(name) for name in columns if name in row},
        }
        writer.writerow({name: csv_cell(value) for name, value in flat.items()})
    return text.getvalue()

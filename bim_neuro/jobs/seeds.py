"""A training repeated with several seeds: a model file each, and a table of mean and spread.

    bim-train digits -o digits.pt --seeds 5       writes digits.seed0.pt ... digits.seed4.pt

Finished seeds are noted beside the models, so that an interrupted command goes on with the seed it was at.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..atomic import write
from ..errors import InputError
from ..intake import read_json
from ..printable import as_json
from .places import check_file, write_text
from .request import TrainRequest

TrainOne = Callable[[TrainRequest], dict[str, Any]]


def train_seeds(request: TrainRequest, train_one: TrainOne) -> dict[str, Any]:
    """Train with each seed; return {seeds: [{seed, model, seconds, score ...}], summary: {score: {mean, spread, ...}}}.

    ``train_one`` trains a request to its file and returns the record.
    """
    assert request.seeds is not None
    first = request.seed or 0
    seeds = range(first, first + request.seeds)
    files = {seed: _beside(request.output, f"seed{seed}") for seed in seeds}
    notes = Path(f"{request.output}.seeds")
    for file in (*files.values(), notes, request.json):
        check_file(file)
    if request.restart:
        notes.unlink(missing_ok=True)
    rows = _finished(notes, request.command, files)
    for seed, file in files.items():
        if seed not in rows:
            record = train_one(_of_seed(request, seed, file))
            rows[seed] = row_of(seed, file, record)
            write(notes, json.dumps({"command": request.command, "rows": list(rows.values())}))
    table = {"seeds": [rows[seed] for seed in seeds], "summary": summary_of([rows[seed] for seed in seeds])}
    if request.json is not None:
        write_text(request.json, as_json(table) + "\n")
    notes.unlink(missing_ok=True)
    return table


def _of_seed(request: TrainRequest, seed: int, file: Path) -> TrainRequest:
    """Return the request of one seed, with files of its own."""
    csv = request.csv and _beside(request.csv, f"seed{seed}")
    curves = request.tensorboard and request.tensorboard / f"seed{seed}"
    return replace(request, seed=seed, seeds=None, output=file, json=None, csv=csv, tensorboard=curves)


def row_of(seed: int, file: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Return a seed's line of the table: its scores by name, shares in per one."""
    validation = {f"validation {name}": value for name, value in record["validation"].items() if name != "samples"}
    test = {
        f"test {law} {name}": value
        for law in ("float", "integer")
        for name, value in record.get("test", {}).get(law, {}).items()
        if isinstance(value, float)
    }
    return {"seed": seed, "model": str(file), "epochs": record["epochs"], "seconds": record["seconds"],
            "scores": {**validation, **test}}  # fmt: skip


def summary_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean, standard deviation of the sample, spread (largest minus smallest), smallest and largest by score."""
    found = {}
    for name in rows[0]["scores"]:
        values = [row["scores"][name] for row in rows]
        found[name] = {
            "mean": statistics.mean(values),
            "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
            "spread": max(values) - min(values),
            "smallest": min(values),
            "largest": max(values),
        }
    return found


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f"{file.stem}.{what}{file.suffix}")


def _finished(notes: Path, command: str, files: dict[int, Path]) -> dict[int, dict[str, Any]]:
    """Return the rows that an interrupted run of the same command left; one of another command is refused."""
    if not notes.exists():
        return {}
    try:
        left = read_json(notes)
        rows = {row["seed"]: row for row in left["rows"] if files[row["seed"]].exists()}
    except (InputError, LookupError, TypeError):
        raise InputError(f"{notes} is damaged", "start anew with --restart") from None
    if left["command"] != command:
        raise InputError(f"{notes} belongs to another command", "use the same options, or start anew with --restart")
    return rows

"""The report as files: summary.{json,csv,txt}, per-layer.csv, mapping.json, compile.log."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import InputError
from ..graph import PlacedGraph
from .terminal import show

FILES = ("summary.json", "summary.csv", "per-layer.csv", "mapping.json", "compile.log", "summary.txt")


def write_files(summary: dict[str, Any], placed: PlacedGraph, folder: Path) -> None:
    """Fill a folder with the report."""
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    (folder / "summary.csv").write_text(_csv([_headline(summary)]))
    (folder / "per-layer.csv").write_text(_csv([_flat(layer) for layer in summary["layers"]]))
    (folder / "mapping.json").write_text(json.dumps(_mapping(placed), indent=2) + "\n")
    (folder / "compile.log").write_text(_log(summary))
    page = Console(file=io.StringIO(), width=140, highlight=False)
    show(summary, folder=None, console=page)
    assert isinstance(page.file, io.StringIO)
    (folder / "summary.txt").write_text(page.file.getvalue())


def read_summary(folder: Path) -> dict[str, Any]:
    """Read summary.json of a folder bim-compile wrote; one that cannot be shown is refused."""
    path = folder / "summary.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no summary.json", "give the folder bim-compile wrote with -o")
    try:
        summary = json.loads(path.read_text())
        show(summary, folder=None, console=Console(file=io.StringIO()))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {type(error).__name__} {error}") from None
    return dict(summary)


def _headline(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of the whole compile, one row."""
    keys = ("model", "target", "backend", "samples", "steps", "latency_steps")
    accuracy, verify = summary["accuracy"] or {}, summary["verify"] or {}
    dynamic = summary["energy"]["dynamic"]
    return {
        **{key: summary[key] for key in keys},
        "cores": summary["cores"]["used"],
        "accuracy_float": accuracy.get("float"),
        "accuracy_integer": accuracy.get("integer"),
        "energy_dynamic_pj_low": dynamic["low"],
        "energy_dynamic_pj": dynamic["value"],
        "energy_dynamic_pj_high": dynamic["high"],
        "verify_slots": verify.get("spike_slots"),
        "verify_equal": verify.get("equal"),
    }


def _flat(layer: dict[str, Any]) -> dict[str, Any]:
    energy = {f"energy_pj_{key}": value for key, value in layer["energy_pj"].items()}
    return {key: value for key, value in layer.items() if key != "energy_pj"} | energy


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _mapping(placed: PlacedGraph) -> dict[str, Any]:
    cores = [
        {
            "core": core.index,
            "layer": core.layer,
            "neurons": [core.first, core.last],
            "resources": {name: {"used": used, "limit": limit} for name, (used, limit) in core.resources.items()},
        }
        for core in placed.cores
    ]
    edges = [
        {"from": e.source, "to": e.target, "port": e.port, "kind": e.synapse.kind, "delay": e.delay}
        for e in placed.graph.edges
    ]
    return {"target": placed.target, "cores": cores, "depth": placed.graph.depth, "edges": edges}


def _log(summary: dict[str, Any]) -> str:
    lines = [summary["command"], f"bim-neuro {summary['bim_neuro']}, target {summary['target']}"]
    lines += [f"stage {name}: {seconds:.3f} s" for name, seconds in summary["seconds"].items()]
    lines += [f"assumes: {sentence}" for sentence in summary["assumptions"]]
    lines += [
        f"warning: layer '{layer['name']}' saturated {layer['saturations']} words"
        for layer in summary["layers"]
        if layer["saturations"]
    ]
    return "\n".join(lines) + "\n"

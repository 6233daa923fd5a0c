"""The report as files: summary.{json,csv,txt}, per-layer.csv, mapping.json, series.json, report.html, compile.log."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

from rich.console import Console

from ..atomic import write
from ..errors import InputError
from ..graph import Core, PlacedGraph
from ..intake import read_json
from ..printable import as_json, csv_cell
from ..printable import plain as visible
from .html import render
from .models import VERSION, Layer, Misshapen, OtherKeys, Range, Summary, plain, read
from .terminal import report_text, show

DAMAGE = (ValueError, RecursionError, LookupError, TypeError, AttributeError, ArithmeticError)
"""Exceptions caused by values of the wrong type in an output file."""
FILES = (
    *("summary.json", "summary.csv", "per-layer.csv", "mapping.json", "series.json"),
    *("compile.log", "summary.txt", "report.html"),
)


def write_files(summary: Summary, placed: PlacedGraph, series: dict[str, Any], folder: Path) -> None:
    """Fill a folder with the report."""
    mapping, text = _mapping(placed), report_text(summary)
    content = {
        "summary.json": as_json(summary.as_dict()) + "\n",
        "summary.csv": _csv([_headline(summary)]),
        "per-layer.csv": _csv(_rows(summary.layers)),
        "mapping.json": as_json(mapping) + "\n",
        "series.json": as_json(series, indent=None) + "\n",
        "compile.log": _log(summary),
        "summary.txt": text,
        "report.html": render(summary, mapping, series, text),
    }
    for name, text in content.items():
        write(folder / name, text)


def render_again(folder: Path) -> str:
    """Return report.html again, from the other files of an output folder."""
    summary = read_summary(folder)
    try:
        mapping, series = (read_json(folder / name) for name in ("mapping.json", "series.json"))
    except InputError as error:
        raise InputError(error.message, "compile again: the folder is from an older bim-compile") from None
    try:
        return render(summary, mapping, series, report_text(summary))
    except DAMAGE as error:
        raise InputError(f"{folder} holds damaged files: {type(error).__name__} {error!s:.200}") from None


def read_summary(folder: Path) -> Summary:
    """Read summary.json of an output folder; refused if its keys differ or it cannot be shown.

    Version 1 had no `schema_version`; it is read if it has every key of today.
    """
    path = folder / "summary.json"
    if not path.exists():
        raise InputError(f"{folder} holds no summary.json", "give the output folder of bim-compile (its option -o)")
    data = read_json(path)
    try:
        first = isinstance(data, dict) and data.get("schema_version", 1) == 1
        summary = read(Summary, {**data, "schema_version": VERSION} if first else data)
        show(summary, folder=None, console=Console(file=io.StringIO(), emoji=False))
        return summary
    except DAMAGE as error:
        other = _other_version(path, data, error)
        kind = "" if isinstance(error, Misshapen) else f"{type(error).__name__} "  # ours are sentences
        raise other or InputError(f"{path} is damaged: {kind}{error!s:.200}") from None


def _other_version(path: Path, data: Any, error: Exception) -> InputError | None:
    """Return the error for a summary of an older or newer version, with how to make it again; None if it is damaged."""
    if not (isinstance(data, dict) and isinstance(data.get("bim_neuro"), str) and "layers" in data):
        return None
    version, command = data.get("schema_version", 1), data.get("command")
    if isinstance(version, int) and version > VERSION:
        return InputError(
            f"{path} was written by a newer bim-neuro: schema_version {version!s:.20}, this one reads {VERSION}",
            "update bim-neuro, or compile again",
        )
    if version == VERSION or not isinstance(error, OtherKeys):
        return None
    anew = f"compile again: {command:.200}" if isinstance(command, str) else "compile again"
    return InputError(f"{path} was written by an older bim-compile: {error!s:.100}", anew)


def _headline(summary: Summary) -> dict[str, Any]:
    """Return the numbers of the whole compile, one row."""
    accuracy, verify = summary.accuracy, summary.verify
    costs, times = summary.energy, summary.latency
    beside = {"barrier": costs.barrier, "static": costs.static, "host": costs.host, "io": costs.io}
    return {
        "model": summary.model,
        "target": summary.target,
        "backend": summary.backend,
        "samples": summary.samples,
        "steps": summary.steps,
        "latency_steps": summary.latency_steps,
        "cores": summary.cores.used,
        "accuracy_float": accuracy.float if accuracy else None,
        "accuracy_integer": accuracy.integer if accuracy else None,
        **_ends("energy_uj", costs.energy_uj),
        **_ends("energy_dynamic_pj", costs.dynamic),
        **{f"energy_{kind}_pj": cost.value for kind, cost in costs.events.items()},
        **{f"energy_{name}_pj": cost.value for name, cost in beside.items()},
        **_ends("answer_us", times.answer_us),
        "samples_per_second": times.samples_per_second.value,
        "dense_macs": summary.dense.macs,
        **{f"neurobench_{name}": value for name, value in _leaves(plain(summary.neurobench))},
        "verify_slots": verify.spike_slots if verify else None,
        "verify_equal": verify.equal if verify else None,
    }


def _ends(name: str, quantity: Range) -> dict[str, Any]:
    return {f"{name}_low": quantity.low, name: quantity.value, f"{name}_high": quantity.high}


def _leaves(metrics: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in metrics.items():
        yield from _leaves(value) if isinstance(value, dict) else ((name, value),)


def _flat(layer: Layer) -> dict[str, Any]:
    energy = {f"energy_pj_{key}": value for key, value in plain(layer.energy_pj).items()}
    return {key: value for key, value in plain(layer).items() if key not in ("energy_pj", "shape")} | energy


def _rows(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return a row a layer; a column with the shape of feature maps, as 16x8x8, if there are any."""
    if not any(layer.shape for layer in layers):
        return [_flat(layer) for layer in layers]
    return [_flat(layer) | {"shape": "x".join(map(str, layer.shape or (layer.neurons,)))} for layer in layers]


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: csv_cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _mapping(placed: PlacedGraph) -> dict[str, Any]:
    cores = [
        {
            "core": core.index,
            "layer": core.layer,
            "neurons": [core.first, core.last],
            **_of_map(core, placed.graph.shape(core.layer)),
            "resources": {name: {"used": used, "limit": limit} for name, (used, limit) in core.resources.items()},
        }
        for core in placed.cores
    ]
    encodings = placed.placement.encodings if placed.placement else {}
    words = placed.placement.list_words if placed.placement else {}
    edges = [
        {
            "from": e.source,
            "to": e.target,
            "port": e.port,
            "kind": e.synapse.kind,
            "delay": e.delay,
            "encodings": encodings.get(e.name, {}),
            "words": words.get(e.name, 0),
        }
        for e in placed.graph.edges
    ]
    return {"target": placed.target, "cores": cores, "depth": placed.graph.depth, "edges": edges}


def _of_map(core: Core, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return which channels of a feature map a core holds, or which rows of a map cut by rows; the first may be a part.

    The neurons of a map cut by rows are counted row, column, channel.
    """
    if len(shape) < 2:
        return {}
    if core.channels == 1:
        size = prod(shape[1:])
        return {"channels": [core.first // size, core.last // size]}
    size = core.channels * shape[-1]
    return {"rows": [core.first // size, core.last // size], "order": "row, column, channel"}


def _log(summary: Summary) -> str:
    lines = [summary.command, f"bim-neuro {summary.bim_neuro}, target {summary.target}"]
    lines += [f"stage {name}: {seconds:.3f} s" for name, seconds in summary.seconds.items()]
    lines += [f"assumes: {sentence}" for sentence in summary.assumptions]
    lines += [f"{finding.severity}: {finding.message}" for finding in summary.findings]
    lines += [
        f"warning: layer '{layer.name}' saturated {layer.saturations} values"
        for layer in summary.layers
        if layer.saturations
    ]
    return "\n".join(map(visible, lines)) + "\n"

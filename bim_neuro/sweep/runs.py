"""The table of all runs: a row for each trained model that is found, a point for those that differ in their seed alone.

A model.pt holds the record of its training. Where a folder of bim-compile that is found too was made from the same
bytes, its numbers (energy, latency, cores, synaptic operations) stand in the model's row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from .. import report
from ..atomic import write
from ..errors import InputError
from ..printable import counted
from ..report.asked import file_hash
from ..report.models import Summary
from ..tasks.scores import validation_figures
from .objectives import OBJECTIVES
from .table import table_of
from .work import measured

COMPARED = ("validation", "validation_error", "parameters", "trained_seconds", "accuracy", "energy")
MOST = 10_000
"""Models of one table."""
_KEY = 16
_SHAPE = ("channels", "states", "taps", "blocks", "skips", "thresholds", "leaks", "norm", "readout_decay",
          "dt_min", "dt_max")  # fmt: skip


def table_of_runs(places: Sequence[Path], output: Path | None = None, command: str = "") -> dict[str, Any]:
    """Return runs, points and fronts of all models in these files and folders; write them as a page to ``output``."""
    compiled = dict(_compiled(places))
    models = list(_models(places))
    if len(models) > MOST:
        raise InputError(f"{len(models):,} models are more than {MOST:,}", "name fewer folders")
    beside = (output or Path()).absolute().parent
    found = [row for file in models if (row := _row(file, compiled, beside)) is not None]
    rows = list({row["key"]: row for row in reversed(found)}.values())[::-1]  # a copy of a file is no second run
    if not rows:
        named = ", ".join(map(str, places))
        raise InputError(f"no trained model of bim-neuro in {named:.200}", "name files or folders that bim-train wrote")
    table = table_of(rows, [OBJECTIVES[name] for name in COMPARED], by_task=True)
    others = len(models) - len(found)
    note = f"{counted(others, 'file')} without the record of a training left out." if others else ""
    table = {"runs" if name == "trials" else name: value for name, value in table.items()}
    table |= {"title": "Runs", "command": command, "left_out": 0, "note": note}
    if output is not None:
        write(output, report.render_runs(table))
    return table


def _files(places: Sequence[Path], names: str) -> Iterator[Path]:
    """Give the files called so in folders, in the order of their names, and those that are named themselves."""
    for place in places:
        if not place.exists():
            raise InputError(f"{place} does not exist", "name files or folders that bim-train wrote")
        yield from sorted(place.rglob(names)) if place.is_dir() else [place] * place.match(names)


def _models(places: Sequence[Path]) -> Iterator[Path]:
    yield from dict.fromkeys(file.absolute() for file in _files(places, "*.pt"))


def _compiled(places: Sequence[Path]) -> Iterator[tuple[str, tuple[Path, Summary]]]:
    """Give the hash of the model of each finished compile, with its folder; what is damaged is passed over."""
    for file in _files(places, "summary.json"):
        try:
            summary = report.read_summary(file.parent)
        except InputError:
            continue
        if summary.request.hashes.model is not None:
            yield summary.request.hashes.model, (file.parent.absolute(), summary)


class _Found(NamedTuple):
    """What a file says of a training: its task, the network's settings and parameters, the record."""

    task: str
    network: dict[str, Any]
    parameters: int
    record: dict[str, Any]


def _read(file: Path) -> _Found | None:
    """Return what a file of bim-train says; None where it is none, or was not trained."""
    from ..jobs.baseline import read_baseline
    from ..model.checkpoint import load_checkpoint

    with suppress(InputError):
        model = load_checkpoint(file)
        shape = {name: getattr(model.config, name) for name in _SHAPE}
        network = {"train.model": "bim", **shape, "encoder": model.encoder.kind}
        found = _Found(model.task, network, sum(value.numel() for value in model.state.values()), model.training)
        return found if isinstance(model.training.get("log"), list) else None
    with suppress(InputError):
        other = read_baseline(file)
        network = {
            "train.model": other.config["name"],
            "width": other.config["width"],
            "blocks": other.config["layers"],
        }
        return _Found(other.task, network, other.training["parameters"], other.training)
    return None


def _row(file: Path, compiled: Mapping[str, tuple[Path, Summary]], beside: Path) -> dict[str, Any] | None:
    """Return the row of a trained network; None where the file holds none."""
    found, digest = _read(file), file_hash(file) or ""
    if found is None:
        return None
    folder, summary = compiled.get(digest, (None, None))
    return {
        "key": digest[:_KEY],
        "model": found.task,
        "source": found.task,
        "values": {**found.network, **_settings(found.record)},
        "status": "done",
        "said": os.path.relpath(file, beside) + ("" if summary is not None else ", not compiled in these folders"),
        "page": None if folder is None else os.path.relpath(folder / "report.html", beside),
        "seconds": found.record.get("seconds"),
        "metrics": {
            **_trained(found.record, found.parameters),
            **(_costs(summary) if summary is not None else {}),
        },
    }


def _settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked of a training: rule, seed, recipe and learning; older files lack some of them."""
    asked = {**record.get("recipe", {}), **record.get("learning", {})}
    plain = {name: value for name, value in asked.items() if not isinstance(value, Mapping)}
    return {name: record[name] for name in ("rule", "seed") if name in record} | plain


def _trained(record: Mapping[str, Any], parameters: int) -> dict[str, Any]:
    """Return what a training measured."""
    name = next((name for name in record.get("validation", {}) if name != "samples"), "accuracy")
    test = record.get("test", {})
    return {
        **validation_figures(record),
        **{f"test_{law}": test.get(law, {}).get(name) for law in ("float", "integer")},
        "parameters": parameters,
        "epochs": record.get("epochs"),
        "trained_seconds": record.get("seconds"),
        "accuracy_float": test.get("float", {}).get("accuracy"),
        "accuracy": test.get("integer", {}).get("accuracy"),
        "test_opened": record.get("test_opened", int("test" in record)),
    }


def _costs(summary: Summary) -> dict[str, Any]:
    """Return what a compile measured, without what it did not."""
    spiking = [layer for layer in summary.layers if layer.message_bits == 1]
    neurons = sum(layer.neurons for layer in spiking)
    more = {
        "synops": sum(layer.synops_hardware for layer in summary.layers) / summary.samples,
        "spike_rate": sum(layer.spike_rate * layer.neurons for layer in spiking) / neurons if neurons else None,
    }
    return {name: value for name, value in {**measured(summary), **more}.items() if value is not None}

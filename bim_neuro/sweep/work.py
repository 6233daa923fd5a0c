"""What a worker does: one trial, from its request to its folder, moved into the sweep's by one rename.

A worker that sees the sweep's folder reads and writes there. One that does not is sent the files it needs, and sends
back those that it wrote. What is refused or does not fit is a result; anything else that goes wrong is raised, and the
sweep tries the trial again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import tempfile
import time
import weakref
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..atomic import write
from ..errors import DoesNotFit, InputError, NoRoom, first_line
from ..executors import one_thread
from ..intake import allow_memory
from ..jobs.compile import compile_to_folder
from ..jobs.compose import OPTIONS, compose, compose_training
from ..jobs.request import Request, TrainRequest
from ..report.models import Summary
from ..tasks.scores import validation_figures
from .names import PATHS, is_path
from .origin import code
from .store import MODEL, TRIAL, Store

SUMMARY = ("summary.json", "request.toml", TRIAL)
"""The files that a trial keeps where only summaries are asked for."""


class Broken(Exception):
    """A trial that went wrong on a worker, in words: exceptions of libraries may not travel."""


def run_trial(trial: Mapping[str, Any], folder: str | None, files: bytes | None = None) -> dict[str, Any]:
    """Compute a trial and return its row; with the zipped ``files`` also its own, under 'files' and 'training'.

    ``folder`` is the sweep's; None where this worker does not see it.
    """
    if os.getpid() != trial["process"]:
        one_thread()
    if trial["code"] != code():
        raise Broken(f"{socket.gethostname()} has another version of bim-neuro or of a library than the sweep")
    allow_memory(trial["compiled"].get("run.max_memory"))
    if folder is not None:
        store = Store(Path(folder))
        return store.result(trial["key"]) or _settled(trial, store)
    assert files is not None
    with tempfile.TemporaryDirectory() as own:
        return _sent_back(trial, Store(Path(own)), files)


def _sent_back(trial: Mapping[str, Any], store: Store, files: bytes) -> dict[str, Any]:
    """Compute a trial in a store of this worker's own; return its row with the files that were made."""
    for name in ("trials", "models", ".work"):
        (store.folder / name).mkdir()
    sent = _unpacked(files)
    training = trial["training"]
    if training is not None and (made := _lies(sent.folder, trial["trained_in"])).exists():
        shutil.copytree(made, store.model(training).parent)
        training = None
    row = _settled(_with_paths(trial, sent.folder), store)
    model = store.model(training).parent if training is not None else None
    new = {"trained": zipped(model)} if model is not None and model.exists() else {}
    return row | {"files": zipped(store.trial(trial["key"]))} | new


def _settled(trial: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """Compute a trial in a folder of its own and move that in; return the row of whoever came first."""
    attempt = store.attempt(trial["key"])
    started = time.perf_counter()
    try:
        row = _row(trial, store, attempt)
    except Exception as error:  # noqa: BLE001  (the sweep tries it again, and says this where it gives up)
        shutil.rmtree(attempt, ignore_errors=True)
        raise Broken(f"{type(error).__name__}: {first_line(error)}") from None
    row |= {"seconds": round(time.perf_counter() - started, 3), "host": socket.gethostname()}
    attempt.mkdir(exist_ok=True)
    write(attempt / TRIAL, json.dumps(row) + "\n")
    if trial["keep"] == "summary":
        _drop(attempt)
    return row if store.settle(attempt, store.trial(trial["key"])) else store.result(trial["key"]) or row


def _row(trial: Mapping[str, Any], store: Store, attempt: Path) -> dict[str, Any]:
    row = row_of(trial, "done", "")
    try:
        model, metrics = _model(trial, store)
        outcome = compile_to_folder(_request(trial, model, attempt), stage=_quiet, advance=_quiet)
    except DoesNotFit as error:
        first = next(iter(error.findings), None)
        return row | {"status": "infeasible", "said": first.message if first else error.message}
    except InputError as error:
        if isinstance(error, NoRoom) or not all(file.exists() for file in _files(trial)):
            raise  # of this machine now, not of the request
        return row | {"status": "refused", "said": error.message}
    return row | {"metrics": {**metrics, **measured(outcome.summary)}, "said": "; ".join(outcome.missed)}


def _files(trial: Mapping[str, Any]) -> list[Path]:
    """Return the files that a plain trial reads."""
    asked = {**trial["compiled"], **trial["trained"]}
    named = [Path(value) for name, value in asked.items() if is_path(name, value)]
    return [*([Path(trial["model"])] if trial["model"] else []), *named]


def row_of(trial: Mapping[str, Any], status: str, said: str) -> dict[str, Any]:
    """Return what is known of a trial before it is computed."""
    row = {"key": trial["key"], "origin": trial["code"], "model": trial["task"] or Path(trial["model"]).name}
    return row | {"source": trial["source"], "values": trial["values"], "status": status, "metrics": {}, "said": said}


def _model(trial: Mapping[str, Any], store: Store) -> tuple[Path, dict[str, Any]]:
    """Return the model's file, trained first where the sweep trains, and what the training measured."""
    if trial["task"] is None:
        return Path(trial["model"]), {}
    from ..jobs.train import train_to_file

    model = store.model(trial["training"])
    if not model.exists():
        attempt = store.attempt(trial["training"])
        attempt.mkdir()
        train_to_file(_training(trial, attempt / MODEL), begins=_quiet, epoch=_quiet, tested=_quiet)
        store.settle(attempt, model.parent)
    log = json.loads((model.parent / "log.json").read_text())
    return model, {**validation_figures(log), "epochs": log["epochs"], "trained_seconds": round(log["seconds"], 3)}


def _training(trial: Mapping[str, Any], output: Path) -> TrainRequest:
    asked = {name: Path(value) if name in PATHS else value for name, value in trial["trained"].items()}
    options = {name: value for name, value in asked.items() if "." not in name}
    options["json"] = output.with_name("log.json")
    return compose_training(trial["task"], output, options, asked, command="bim-sweep")


def _request(trial: Mapping[str, Any], model: Path, output: Path) -> Request:
    asked = dict(trial["compiled"])
    if asked.get("lowering") == "fused":
        del asked["lowering"]
    options = {name: Path(value) if name in PATHS else value for name, value in asked.items() if name in OPTIONS}
    settings = {name: value for name, value in asked.items() if name not in OPTIONS}
    return compose(model, output, options, settings, file=trial["file"], command=trial["command"])


def measured(summary: Summary) -> dict[str, Any]:
    """Return the numbers of a compile that a sweep compares."""
    energy, answer, accuracy = summary.energy.energy_uj, summary.latency.answer_us, summary.accuracy
    shares = [row.share for row in summary.agreement if row.share is not None]
    return {
        "accuracy": accuracy.integer if accuracy else None,
        "accuracy_float": accuracy.float if accuracy else None,
        "agreement": min(shares) if shares else None,
        "energy_uj": energy.value,
        "energy_uj_low": energy.low,
        "energy_uj_high": energy.high,
        "latency_us": answer.value,
        "latency_us_low": answer.low,
        "latency_us_high": answer.high,
        "cores": summary.cores.used,
        "samples": summary.samples,
        "accuracy_before": summary.learning.accuracy_before if summary.learning else None,
    }


def _drop(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name not in SUMMARY:
            entry.unlink()


def zipped(folder: Path) -> bytes:
    """Return a folder's files as one archive."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return memory.getvalue()


def packed(paths: list[Path]) -> bytes:
    """Return files, and folders of files, by their paths as they are given, as one archive."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in dict.fromkeys(paths):
            parts = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
            for part in parts:
                archive.write(part, f"{_inside(path)}/{part.relative_to(path.parent).as_posix()}")
    return memory.getvalue()


def _inside(path: Path) -> str:
    """Return the folder of an archive that holds what lies at a path."""
    return hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:16]


def _lies(folder: Path, path: str) -> Path:
    """Return where an unpacked archive holds what lay at a path."""
    return folder / _inside(Path(path)) / Path(path).name


class _Unpacked:
    """The files of an archive in a folder, which goes when nobody uses it any more, or with the process."""

    def __init__(self, files: bytes) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bim-sweep-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        unpack(files, self.folder)


_unpacked = lru_cache(2)(_Unpacked)
"""Unpacks an archive of the sweep's once a process."""


def _with_paths(trial: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a trial whose files lie in a folder here."""

    def here(name: str, value: Any) -> Any:
        return str(_lies(folder, value)) if is_path(name, value) else value

    model = trial["model"] and str(_lies(folder, trial["model"]))
    parts = {part: {name: here(name, value) for name, value in trial[part].items()} for part in ("compiled", "trained")}
    return {**trial, "model": model, **parts}


def _quiet(*_: object) -> None:
    """Say nothing."""


def unpack(files: bytes, folder: Path) -> None:
    """Write the files that a worker sent back into a folder."""
    with zipfile.ZipFile(io.BytesIO(files)) as archive:
        archive.extractall(folder)

"""The commands that are killed: their input files, and how their results are read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from kill_run import ROOT, Run  # which puts this checkout and tests/ on the path
from small_models import small_checkpoint, small_input

from bim_neuro.compilers.to_lava.compat import lava_available
from bim_neuro.model.checkpoint import load_checkpoint, save_checkpoint
from bim_neuro.nir_bridge import read_nir
from bim_neuro.pack import pack

NOTE = "what the user wrote"


@dataclass(frozen=True)
class Scenario:
    """A command, and how its result is read."""

    name: str
    entry: str
    arguments: tuple[object, ...]
    prepare: Callable[[Path], None]
    result: Callable[[Path], Any]
    job: dict[str, int] = field(default_factory=dict)


def scenarios(folder: Path) -> list[Scenario]:
    """Return all commands that are tried, for the folder in which they will run."""
    out, model = folder / "out", folder / "model.pt"
    compile_ = (model, "--input", folder / "x.npz", "-o", out)
    training = ("own", "--data", folder / "own.npz", "-o", folder / "own.pt", "--json", folder / "record.json",
                "--epochs", 6, "--channels", 8, "--states", 2, "--set", "train.taps=2", "--batch", 16)  # fmt: skip
    learning = ("--learn", "rtrl", "--set", "learn.samples=60", "--samples", 20)
    found = [
        Scenario("compile", "compile", (*compile_, "--samples", 8), _compiled_before, _output),
        Scenario("train", "train", training, _data, _trained),
        Scenario("learn", "compile", (*compile_, *learning), _compiled_before, _output),
        Scenario("shards", "compile", (*compile_, "--samples", 40), _compiled_before, _output, {"SHARD": 4}),
    ]
    if lava_available()[0]:
        verify = (*compile_, "--samples", 1, "--steps", 4, "--verify", "lava")
        found.append(Scenario("lava", "compile", verify, _compiled_before, _output))
    return found


# ---- input files of a case, and its result


def _data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    np.savez(folder / "own.npz", x=rng.normal(0, 0.5, (90, 6, 3)) + np.eye(3)[y][:, None, :], y=y)


def _compiled_before(folder: Path) -> None:
    """Write a model, its input, and an OUT that holds another result and a file of the user's."""
    save_checkpoint(small_checkpoint(), folder / "model.pt")
    x = small_input(samples=40, steps=8)
    np.savez(folder / "x.npz", x=x, y=np.arange(40) % 4)
    command = (folder / "model.pt", "--input", folder / "x.npz", "-o", folder / "out", "--samples", 3)
    ended = Run("compile", command, {}, os.environ | {"PYTHONPATH": str(ROOT)}, folder.with_name("log.txt")).finish()
    assert ended[0] == 0, ended
    (folder / "out" / "notes.txt").write_text(NOTE)


def _output(folder: Path) -> Any:
    """Return the content of a finished OUT, without times; None if there is no summary."""
    out = folder / "out"
    if not (out / "summary.json").exists():
        return None
    summary = json.loads((out / "summary.json").read_text())
    summary.pop("seconds")
    for measured in ("seconds", "peak_memory_mib"):
        summary["placement"].pop(measured)
    with np.load(out / "model.bimn") as archive:
        program = {name: (array.dtype.str, array.tobytes()) for name, array in archive.items()}
    header, arrays = pack(read_nir(out / "model.nir"))
    nir = json.dumps(header, sort_keys=True, default=str), {name: a.tobytes() for name, a in arrays.items()}
    texts = [(out / name).read_text() for name in ("per-layer.csv", "mapping.json", "series.json", "request.toml")]
    return summary, program, nir, texts


def _trained(folder: Path) -> Any:
    """Return the tensors and the log of a training, without times; None if there is no model."""
    if not (folder / "own.pt").exists():
        return None
    checkpoint = load_checkpoint(folder / "own.pt")
    record = folder / "record.json"
    logs = [dict(checkpoint.training), json.loads(record.read_text()) if record.exists() else {}]
    for log in logs:
        log.pop("seconds", None)
    weights = {name: tensor.numpy().tobytes() for name, tensor in checkpoint.state.items()}
    request = folder / "own.pt.request.toml"
    return weights, checkpoint.ranges, logs, request.read_text() if request.exists() else ""

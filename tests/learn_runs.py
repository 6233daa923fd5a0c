"""One learning run of the command line on an easy stream, for the tests of every room that learning passes through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from commands import ROOT, bim_compile, save_model

SCHEMA = json.loads((ROOT / "docs" / "summary.schema.json").read_text())


def easy_stream(path: Path, samples: int = 120, seed: int = 0) -> Path:
    """Write samples whose class is the line with the largest constant value."""
    rng = np.random.default_rng(seed)
    y = rng.integers(4, size=samples)
    x = rng.normal(0, 0.1, (samples, 8, 5))
    x[np.arange(samples), :, y] += 0.8
    np.savez(path, x=x, y=y)
    return path


def learn(
    folder: Path, *options: object, model: Path | None = None, stream: Path | None = None
) -> tuple[int, dict[str, Any], str]:
    model = model or save_model(folder / "model.pt")
    stream = stream or easy_stream(folder / "stream.npz")
    ended = bim_compile(model, "--input", stream, "-o", folder / "out", "--json", *options)
    return ended.code, json.loads(ended.out) if ended.out else {}, ended.err

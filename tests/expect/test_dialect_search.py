"""--expect on recorded networks of six frameworks: the search finds the dialect that made them, and others as good."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bim_neuro.expect.recording import Recording, recording_of
from bim_neuro.expect.search import search
from bim_neuro.nir_bridge import ForeignFile, foreign_file
from bim_neuro.nir_bridge.dialect import Dialect, dialect_of
from bim_neuro.simulation import simulate_float

FOLDER = Path(__file__).parent.parent / "frameworks_data"
NETS = sorted(path.parent.name for path in FOLDER.glob("*/graph.nir"))
QUICK = ("norse_per_neuron", "snntorch_synaptic_zero", "sinabs_single_li", "spikingjelly_if")


def recorded(name: str) -> tuple[ForeignFile, Recording, np.ndarray, Dialect]:
    """The file, its recording and input, samples first, and the dialect that is right."""
    with np.load(FOLDER / name / "io.npz") as arrays:
        meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        x = arrays["x"].swapaxes(0, 1).astype(float)
    file = foreign_file(FOLDER / name / "graph.nir", meta["dt"], None)
    assert file is not None
    graph, _ = file.with_dialect(Dialect())
    recording = recording_of(FOLDER / name / "io.npz", graph.nodes, graph.output).with_samples_first("TBC")
    return file, recording, x.reshape(*x.shape[:2], -1), dialect_of(meta["dialect"])


def check(name: str) -> None:
    file, recording, x, right = recorded(name)
    found = search(file, Dialect(), recording, x)
    assert str(right) in found.consistent
    assert {found.bins[each] for each in found.consistent} == {0}
    assert found.laws < found.tried


@pytest.mark.parametrize("name", QUICK)
def test_what_the_framework_computed_is_among_the_dialects_found(name: str) -> None:
    check(name)


@pytest.mark.slow
def test_where_no_dialect_holds_one_with_exceptions_is_found() -> None:
    """Two layers of one type, of which one subtracts: played by our own law, as no framework at hand mixes them."""
    file, recording, x, _ = recorded("norse_per_neuron")
    first = next(place.layer for place in recording.arrays if place.layer != file.with_dialect(Dialect())[0].output)
    graph, _ = file.with_dialect(Dialect.named("norse", layers={first: {"reset": "subtract"}}))
    probes = simulate_float(graph, x).probes
    played = {place: probes[f"{place.layer}.{place.what}"] for place in recording.arrays}
    found = search(file, Dialect(), replace(recording, arrays=played), x)
    assert found.consistent == (f"norse, {first}.reset=subtract",)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETS if name not in QUICK])
def test_so_it_is_in_all_the_others(name: str) -> None:
    check(name)

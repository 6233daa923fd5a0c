"""--expect on recorded networks of six frameworks: the search finds the dialect that made them, and others as good."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bim_neuro.expect.against import float_rows
from bim_neuro.expect.recording import Recording, head_of, recording_of
from bim_neuro.expect.search import search
from bim_neuro.nir_bridge import ForeignFile, foreign_file
from bim_neuro.nir_bridge.dialect import Dialect, dialect_of
from bim_neuro.simulation import simulate_float

FOLDER = Path(__file__).parent.parent / "frameworks_data"
NETS = sorted(path.parent.name for path in FOLDER.glob("*/graph.nir"))
QUICK = ("spikingjelly_if",)


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


STATES = {"snntorch": "snntorch", "spikingjelly": "spikingjelly", "norse": "norse; states recorded with "
          "expect.voltages=after, expect.currents=decayed"}  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in STATES])
def test_what_a_framework_keeps_inside_is_equal_too_and_tells_resets_apart(name: str) -> None:
    """Its spikes alone leave open whether it resets in the step of the spike."""
    files = FOLDER / f"states_{name}.nir", FOLDER / f"states_{name}.npz"
    head = head_of(files[1])
    file = foreign_file(files[0], head.dt, None)
    assert file is not None
    graph, units = file.with_dialect(Dialect.named(name))
    recording = recording_of(files[1], graph.nodes, graph.output).with_samples_first(None)
    moments = recording.at({"currents": "decayed"}) if name == "norse" else recording
    with np.load(files[1]) as arrays:
        x = arrays["x"].swapaxes(0, 1).astype(float)
    rows = float_rows(graph, x, moments, units)
    assert {row.what for row in rows} >= {"message", "voltage"}
    assert [row.differ for row in rows] == [0] * len(rows)
    found = search(file, Dialect(), recording, x)
    assert STATES[name] in found.consistent
    assert "reset_when" not in found.undecided


@pytest.mark.slow
def test_slayer_of_lava_dl_is_its_dialect() -> None:
    """scripts/make_lava_dl_net.py; voltages meet thresholds exactly there, and do not fire."""
    file = foreign_file(FOLDER / "lava_dl.nir", 1e-4, None)
    assert file is not None
    graph, units = file.with_dialect(Dialect.named("lava-dl"))
    recording = recording_of(FOLDER / "lava_dl.npz", graph.nodes, graph.output).with_samples_first(None)
    with np.load(FOLDER / "lava_dl.npz") as arrays:
        x = arrays["x"].astype(float)
    rows = float_rows(graph, x, recording, units)
    assert [row.differ for row in rows] == [0, 0]
    assert min(row.ties for row in rows) > 0 == max(row.differ_at_ties for row in rows)
    assert "lava-dl" in search(file, Dialect(), recording, x).consistent


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

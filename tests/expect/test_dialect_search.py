"""--expect on recorded networks of six frameworks: the search finds the dialect that made them, and others as good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bim_neuro.expect.grid import Grid
from bim_neuro.expect.recording import Recording, recording_of
from bim_neuro.expect.search import Found, search
from bim_neuro.nir_bridge import ForeignFile, foreign_file
from bim_neuro.nir_bridge.dialect import Dialect, dialect_of

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


def holds(found: Found, file: ForeignFile, right: Dialect) -> bool:
    """Whether a dialect that was found computes what the right one does in this network."""
    laws, _ = Grid.of(file).classes(tuple(file.neurons))
    return any(_law(file, laws, dialect_of(_read(name))) == _law(file, laws, right) for name in found.consistent)


def _law(file: ForeignFile, laws: np.ndarray, dialect: Dialect) -> Any:
    grid = Grid.of(file)
    return int(np.broadcast_to(laws, grid.shape)[tuple(grid.index(dialect))])


def _read(name: str) -> dict[str, str]:
    preset, *switches = name.split(", ")
    return {"name": preset, **dict(switch.split("=") for switch in switches)}


def check(name: str) -> None:
    file, recording, x, right = recorded(name)
    found = search(file, Dialect(), recording, x)
    assert str(right) in found.consistent or holds(found, file, right)
    assert {found.bins[each] for each in found.consistent} == {0}
    assert found.laws < found.tried


@pytest.mark.parametrize("name", QUICK)
def test_what_the_framework_computed_is_among_the_dialects_found(name: str) -> None:
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETS if name not in QUICK])
def test_so_it_is_in_all_the_others(name: str) -> None:
    check(name)

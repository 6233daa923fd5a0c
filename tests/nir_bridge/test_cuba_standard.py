"""A switch neuron in NIR's own nodes: a value a neuron in the fields, the switches in the metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import read_nir, write_nir
from bim_neuro.nodes import Cuba, Dense, Encoder, Source
from bim_neuro.pack import equal

DT = 1e-3


def graph(**changes: Any) -> FloatGraph:
    ones, zeros = np.ones(2), np.zeros(2)
    fields: dict[str, Any] = {
        "decay": np.array([0.5, 0.8]), "current_decay": zeros, "gain": np.array([1.0, 2.0]), "bias": np.array([0.1, 0]),
        "v_threshold": np.array([1.0, 1.5]), "v_reset": 0.25 * ones, "v_start": zeros, "v_floor": np.full(2, -np.inf),
    }  # fmt: skip
    nodes = {"in": Source(3, graded=False), "n": Cuba(**(fields | changes))}
    edges = (Edge("in", "n", "a", Dense(np.ones((2, 3)))),)
    return FloatGraph(nodes, edges, DT, Encoder("spikes", np.ones(3), np.zeros(3)))


CASES: dict[str, tuple[dict[str, Any], type, dict[str, list[float]]]] = {
    "LIF": ({}, nir.LIF, {"r": [2, 10], "v_leak": [0.2, 0], "v_threshold": [1, 1.5], "v_reset": [0.25, 0.25]}),
    "CubaLIF": ({"current_decay": np.array([0.5, 0.75])}, nir.CubaLIF, {"r": [2, 5], "w_in": [2, 8]}),
    "IF": ({"decay": np.ones(2), "bias": np.zeros(2)}, nir.IF, {"r": [1 / DT, 2 / DT], "v_threshold": [1, 1.5]}),
    "LI": ({"counts": "none"}, nir.LI, {"r": [2, 10], "v_leak": [0.2, 0]}),
    "CubaLI": ({"counts": "none", "current_decay": np.full(2, 0.5)}, nir.CubaLI, {"r": [2, 5], "w_in": [2, 4]}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_standard_node_and_its_numbers(name: str, tmp_path: Path) -> None:
    changes, kind, fields = CASES[name]
    write_nir(graph(**changes), tmp_path / "g.nir")
    node = nir.read(tmp_path / "g.nir").nodes["n"]
    assert type(node) is kind
    for key, values in fields.items():
        assert getattr(node, key).tolist() == pytest.approx(values, rel=1e-5)


def test_the_metadata_say_what_nir_cannot_and_the_copy_is_exact(tmp_path: Path) -> None:
    ours = graph(reset="subtract", counts="many", lag=True)
    write_nir(ours, tmp_path / "g.nir")
    about = json.loads(nir.read(tmp_path / "g.nir").metadata["bim_neuro"])["nodes"]["n"]
    assert about["switches"] == {
        "reset": "subtract", "reset_when": "same", "compare": ">", "counts": "many", "lag": True,
    }  # fmt: skip
    assert equal(read_nir(tmp_path / "g.nir"), ours)

"""A switch neuron in NIR's own nodes: a value a neuron in the fields, the switches in the metadata."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import read_nir, unplayed, write_nir
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


CASES: dict[str, tuple[dict[str, Any], type, dict[str, list[float]], list[float]]] = {
    "LIF": ({}, nir.LIF, {"tau": [2e-3, 5e-3], "r": [1, 1], "v_leak": [0, 0], "v_reset": [0.25, 0.25]}, [2, 10]),
    "CubaLIF": (
        {"current_decay": np.array([0.5, 0.75])}, nir.CubaLIF,
        {"tau_syn": [2e-3, 4e-3], "tau_mem": [2e-3, 5e-3], "r": [2, 5], "w_in": [2, 4], "v_leak": [0.2, 0]}, [1, 2],
    ),
    "IF": ({"decay": np.ones(2), "bias": np.zeros(2)}, nir.IF, {"r": [1e3, 1e3], "v_threshold": [1, 1.5]}, [1, 2]),
    "LI": ({"counts": "none"}, nir.LI, {"tau": [2e-3, 5e-3], "r": [1, 1], "v_leak": [0, 0]}, [2, 10]),
    "CubaLI": (
        {"counts": "none", "current_decay": np.full(2, 0.5)}, nir.CubaLI, {"r": [2, 5], "w_in": [2, 2]}, [1, 2]
    ),
}  # fmt: skip
"""Changes, the NIR node, its fields, and the weights of each neuron, which are 1 in the graph."""


@pytest.mark.parametrize("name", CASES)
def test_the_standard_node_and_its_numbers(name: str, tmp_path: Path) -> None:
    changes, kind, fields, weights = CASES[name]
    write_nir(graph(**changes), tmp_path / "g.nir")
    nodes = nir.read(tmp_path / "g.nir").nodes
    assert type(nodes["n"]) is kind
    for key, values in fields.items():
        assert getattr(nodes["n"], key).tolist() == pytest.approx(values, rel=1e-5)
    np.testing.assert_allclose(nodes["n.a"].weight, np.outer(weights, np.ones(3)), rtol=1e-6)


def test_the_metadata_say_what_nir_cannot_and_the_copy_is_exact(tmp_path: Path) -> None:
    ours = graph(reset="subtract", counts="many", lag=True)
    write_nir(ours, tmp_path / "g.nir")
    about = json.loads(nir.read(tmp_path / "g.nir").metadata["bim_neuro"])["nodes"]["n"]
    assert about["switches"] == {
        "reset": "subtract", "reset_when": "same", "compare": ">", "counts": "many", "lag": True,
    }  # fmt: skip
    assert equal(read_nir(tmp_path / "g.nir"), ours)


def test_what_nir_1_0_4_lacks_is_written_otherwise_or_said(tmp_path: Path) -> None:
    """A CubaLI is two LI, one after the other; a v_reset is left out, with a finding."""
    write_nir(graph(counts="none", current_decay=np.full(2, 0.5)), tmp_path / "li.nir", importer="nir104")
    standard = nir.read(tmp_path / "li.nir")
    assert {("n.a", "n.current"), ("n.current", "n")} < set(standard.edges)
    first, last = standard.nodes["n.current"], standard.nodes["n"]
    assert [type(first), type(last)] == [nir.LI, nir.LI]
    np.testing.assert_allclose([first.tau, first.r, last.tau, last.r], [[2e-3] * 2, [2, 2], [2e-3, 5e-3], [2, 5]], 1e-6)
    write_nir(graph(), tmp_path / "lif.nir", importer="nir104")
    assert not nir.read(tmp_path / "lif.nir").nodes["n"].v_reset.any()
    [found] = unplayed(graph(), "nir104")
    assert found.message == "nir 1.0.4: its importer plays v_reset = 0, node 'n' (LIF) has up to 0.25"


def test_what_an_importer_does_not_play_is_named() -> None:
    def said(importer: str, **changes: Any) -> list[str]:
        return [finding.message for finding in unplayed(graph(**changes), importer)]

    zero = {"v_reset": np.zeros(2)}
    assert said("norse", **zero) == []
    assert said("spikingjelly", **zero) == [
        "spikingjelly 2.0.0: its importer takes one tau a layer, node 'n' (LIF) has 0.002 to 0.005"
    ]
    resets = "norse 1.1.0: its importer resets a neuron to 0 in the step of its spike, layer 'n' has"
    assert said("norse", **zero, reset="subtract", lag=True) == [f"{resets} reset subtract, lag True"]
    many = {**zero, "counts": "many", "v_start": np.ones(2)}
    assert said("norse", **many) == [f"{resets} counts many"]  # its v_leak is the first voltage
    assert said("snntorch", **many)[0].endswith("layer 'n' has counts many, a start other than 0")
    twice = replace(graph(**zero), edges=(*graph().edges, Edge("in", "n", "a", Dense(np.ones((2, 3))))))
    assert [finding.message for finding in unplayed(twice, "norse")] == [
        "norse 1.1.0: its importer plays node 'n' before it has played all of n.a0, n.a1"
    ]
    assert unplayed(twice, "snntorch") == ()
    assert said("snntorch", **zero, counts="none") == ["snntorch 1.0.0: its importer does not know node 'n' (LI)"]

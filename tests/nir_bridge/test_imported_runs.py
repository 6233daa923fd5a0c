"""What norse, snnTorch and SpikingJelly play of the files that we write, without our exact copy: our spikes.

scripts/make_imported_runs.py recorded them; `make frameworks` plays the files again.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from written_nets import FRAMEWORKS, NETS, SNNTORCH_STEP, cases, digest, inputs, net

from bim_neuro.nir_bridge import exact, read_nir, unplayed, write_nir
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.reading import read_model
from bim_neuro.simulation import simulate_float

ROOT = Path(__file__).parent.parent.parent


@cache
def recorded() -> dict[str, Any]:
    with np.load(ROOT / "tests/frameworks_data/imported_runs.npz") as file:
        return dict(file)


@cache
def ours(name: str) -> Array:
    graph = net(name, None)
    spikes: Array = simulate_float(graph, inputs(graph)).probes["out.message"]
    return spikes


@pytest.mark.parametrize(("name", "importer", "framework"), cases())
def test_a_framework_plays_our_file_bin_for_bin(name: str, importer: str | None, framework: str) -> None:
    key = f"{name}-{importer or 'all'}-{framework}"
    assert digest(net(name, importer), importer) == str(recorded()[f"{key}-read"]), "record the runs again"
    assert ours(name).sum() > 40
    assert np.count_nonzero(ours(name) != recorded()[key]) == 0


@pytest.mark.parametrize("name", ["recurrent_cuba", "one_to_one"])
def test_a_file_for_snntorch_is_ours_too_without_the_copy(name: str, tmp_path: Path) -> None:
    """Its time constants are for steps of 1e-4 s, and its own words for the reader say so."""
    path = tmp_path / "net.nir"
    write_nir(net(name, "snntorch"), path, importer="snntorch")
    with h5py.File(path, "r+") as file:
        del file[exact.GROUP]
    again = read_nir(path)
    assert again.dt == SNNTORCH_STEP
    spikes = simulate_float(again, inputs(again)).probes["out.message"]
    assert np.count_nonzero(spikes != ours(name)) == 0


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_framework_is_said_not_to_play_what_it_plays(framework: str) -> None:
    said = {name: unplayed(net(name, framework), framework) for name in NETS}
    assert {name for name in NETS if not said[name]} == {name for name, _, player in cases() if player == framework}


def test_of_digits_only_an_importers_own_words_excuse_it_and_the_finding_names_the_node() -> None:
    said = json.loads(str(recorded()["meta"]))["digits"]
    assert "norse 1.1.0: KeyError" in said["norse"]
    graph = read_model(ROOT / "examples/digits.pt")
    for framework in ("snntorch", "spikingjelly"):
        assert "Unknown node type <class 'nir.ir.neuron.LI'>" in said[framework]
    for framework in FRAMEWORKS:
        found = {finding.layer: finding for finding in unplayed(graph, framework)}
        assert {finding.severity for finding in found.values()} == {"warning"}
        assert found["readout"].message.endswith("its importer does not know node 'readout' (LI)")
        assert said[framework].startswith(found["readout"].message.split(":")[0])

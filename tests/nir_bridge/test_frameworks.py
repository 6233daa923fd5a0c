"""Networks of six frameworks: their own spikes, bin for bin, and the integers beside them.

scripts/make_framework_nets.py and make_spyx_nets.py wrote the files; nothing of these frameworks is needed here.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bim_neuro
from bim_neuro.graph import FloatGraph
from bim_neuro.nir_bridge import read_nir
from bim_neuro.nodes import Conv
from bim_neuro.program import Program
from bim_neuro.record import RunRecord
from bim_neuro.simulation import simulate_float

FOLDER = Path(__file__).parent.parent / "frameworks_data"
NETS = sorted(path.parent.name for path in FOLDER.glob("*/graph.nir"))
DIGITS = [name for name in NETS if name.endswith("_digits")]


@cache
def recorded(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any], FloatGraph]:
    """The arrays with samples first, what is known of the net, and its float graph."""
    with np.load(FOLDER / name / "io.npz") as file:
        arrays = dict(file)
    meta = json.loads(str(arrays.pop("meta")))
    y = {"y": arrays.pop("y")} if "y" in arrays else {}
    flat = {key: a.swapaxes(0, 1).reshape(a.shape[1], a.shape[0], -1) for key, a in arrays.items()}
    return flat | y, meta, read_nir(FOLDER / name / "graph.nir", meta["dt"], dialect=meta["dialect"])


@cache
def float_run(name: str) -> RunRecord:
    arrays, _, graph = recorded(name)
    return simulate_float(graph, arrays["x"].astype(float))


@cache
def program(name: str) -> Program:
    arrays, _, graph = recorded(name)
    return bim_neuro.compile(graph, input=arrays["x"][:32].astype(float))


def test_there_are_ten_nets_of_six_frameworks_and_four_trained_their_digits() -> None:
    assert len(NETS) >= 10
    four = {"norse", "snntorch", "sinabs", "spikingjelly"}
    assert {name.partition("_")[0] for name in NETS} == four | {"rockpool", "spyx"}
    assert len(DIGITS) == 4
    assert min(recorded(name)[1]["accuracy"] for name in DIGITS) > 0.8


@pytest.mark.parametrize("name", NETS)
def test_no_float_bin_differs_in_any_layer(name: str) -> None:
    arrays, _, graph = recorded(name)
    got = float_run(name).probes
    layers = {key.removeprefix("spk__"): value for key, value in arrays.items() if key.startswith("spk__")}
    for layer, theirs in {**layers, graph.output: arrays["out"]}.items():
        assert theirs.any()
        if theirs.dtype == np.uint8:
            assert np.count_nonzero(theirs != got[f"{layer}.message"][: len(theirs)]) == 0
        else:  # a voltage, in 32 bits theirs
            np.testing.assert_allclose(got[f"{layer}.message"], theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", DIGITS)
def test_the_float_law_has_the_framework_s_accuracy_and_its_convolution(name: str) -> None:
    arrays, meta, graph = recorded(name)
    right = float_run(name).predicted == arrays["y"]
    assert right.mean() == meta["accuracy"]
    assert any(isinstance(edge.synapse, Conv) for edge in graph.edges)


@pytest.mark.parametrize("name", [name for name in NETS if name not in DIGITS])
def test_the_integers_fire_as_often(name: str) -> None:
    """At 8 bits a weight many bins differ; the number of spikes of a layer stays within 3 percent."""
    arrays = recorded(name)[0]
    run = program(name).run(arrays["x"].astype(float), backend="reference", probe=True)
    for key in (key for key in arrays if key.startswith("spk__")):
        layer = key.removeprefix("spk__")
        assert run.probes[f"{layer}.message"].sum() == pytest.approx(arrays[key].sum(), rel=0.03)


@pytest.mark.parametrize("name", NETS)
def test_weights_of_16_bits_differ_in_at_most_a_hundredth_of_the_spikes(name: str) -> None:
    arrays, meta, graph = recorded(name)
    x = arrays["x"].astype(float)
    run = bim_neuro.compile(graph, input=x[:32], weight_bits=16).run(x, backend="reference", probe=True)
    theirs = {key.removeprefix("spk__"): arrays[key] for key in arrays if key.startswith("spk__")}
    if arrays["out"].dtype == np.uint8:
        theirs[graph.output] = arrays["out"]
    for layer, sent in theirs.items():
        got = run.probes[f"{layer}.message"][: len(sent), : sent.shape[1]]
        assert np.count_nonzero(got != sent) <= 0.01 * sent.sum()
    if name in DIGITS:
        assert (run.predicted == arrays["y"]).mean() == pytest.approx(meta["accuracy"], abs=0.01)


@pytest.mark.parametrize("name", DIGITS)
def test_the_integers_lose_no_point_of_accuracy(name: str) -> None:
    arrays, meta, _ = recorded(name)
    right = program(name).run(arrays["x"].astype(float), backend="reference").predicted == arrays["y"]
    assert right.mean() == pytest.approx(meta["accuracy"], abs=0.01)

"""Lava-dl itself: networks trained here and now, and its own arithmetic of weights; lava-dl 0.6 needs Python 3.10."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lava_graphs import fixed_graph, fixed_input

import bim_neuro
from bim_neuro.errors import DoesNotFit
from bim_neuro.netx import write_net
from bim_neuro.netx.weights import held
from bim_neuro.simulation.reference import simulate

pytestmark = [pytest.mark.slow, pytest.mark.lava]
DATA = Path(__file__).parent.parent / "netx_data"
SCRIPTS = Path(__file__).parent.parent.parent / "scripts"


@pytest.fixture(scope="module")
def scripts() -> Any:
    """Return scripts/make_netx_nets.py as a module."""
    pytest.importorskip("lava.lib.dl.netx.hdf5", reason="lava-dl installs on Python 3.10 alone")
    sys.path.insert(0, str(SCRIPTS))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import make_netx_nets

            yield make_netx_nets
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", ["slayer_dense", "slayer_conv", "slayer_recurrent", "slayer_delay", "slayer_own_decays"]
)
def test_a_network_trained_by_slayer_sends_what_netx_sends(scripts: Any, name: str, tmp_path: Path) -> None:
    net, shape = scripts.slayer_nets()[name]
    scripts.trained(net, shape, 0.3).export(tmp_path / "m.net")
    x = (np.random.default_rng(8).random((2, 200, int(np.prod(shape)))) < 0.3).astype(np.int8)
    sent = scripts.run(tmp_path / "m.net", x)
    program = bim_neuro.compile(tmp_path / "m.net")
    probes = program.run(x.astype(float), backend="reference", probe=[f"{layer}.message" for layer in sent]).probes
    for layer, spikes in sent.items():
        assert np.array_equal(probes[f"{layer}.message"][:, :200], spikes), layer
    assert sum(spikes.sum() for spikes in sent.values()) > 100


def test_weights_are_those_of_netx_and_of_lavas_dense(scripts: Any) -> None:
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    rng, refused = np.random.default_rng(9), 0
    ends = [(-300, 300), (-128, 129), (-64, 1), (-64, 0), (-256, -3), (0, 256), (3, 200), (-17, 40), (-256, 1)]
    for _ in range(400):
        low, high = ends[rng.integers(len(ends))]
        weight = rng.integers(low, high, (3, 4)) << rng.integers(0, 3) if high < 60 else rng.integers(low, high, (3, 4))
        if not weight.any() or (weight.max() <= 0 and weight.min() < -256):
            continue
        with np.errstate(divide="ignore"):
            shifted, bits, exponent, _ = optimize_weight_bits(weight)
        mode = determine_sign_mode(shifted)
        try:
            kept = held([weight], "layer 0")[0]
        except DoesNotFit:
            refused += 1
            continue
        inside = truncate_weights(clip_weights(shifted, mode, num_bits=8), mode, bits)
        assert np.array_equal(inside, kept << -exponent), weight
    assert refused < 100


LOADED = ("conv, all at once", "conv, pool, conv", "conv, dense", "row, depthwise", "sparse, delay", "graded input")


@pytest.mark.parametrize("name", LOADED)
def test_a_program_of_ours_loads_in_netx_and_sends_the_same(scripts: Any, name: str, tmp_path: Path) -> None:
    graph = fixed_graph(name)
    write_net(graph, tmp_path / "model.net")
    x, bits = fixed_input(graph, 1, 200), graph.nodes[graph.source].message_bits
    sent = scripts.run(tmp_path / "model.net", x, 0 if bits == 1 else bits)
    probes = simulate(graph, x, probe=True).probes
    layers = [layer for layer in graph.order if layer != graph.source]
    for layer, spikes in zip(layers, sent.values(), strict=True):
        assert np.array_equal(probes[f"{layer}.message"][:, :200], spikes), layer
    assert sum(spikes.sum() for spikes in sent.values()) > 300


@pytest.mark.parametrize("name", ["own_constants", "wide_weights", "delays", "recurrent", "bias", "slayer_conv"])
def test_a_file_read_and_written_again_sends_the_same(scripts: Any, name: str, tmp_path: Path) -> None:
    write_net(bim_neuro.compile(DATA / f"{name}.net").graph, tmp_path / "model.net")
    with np.load(DATA / f"{name}.npz") as recorded:
        sent = scripts.run(tmp_path / "model.net", recorded["x"])
        before = [recorded[key] for key in recorded.files if key.startswith("spk__")]
    for spikes, expected in zip(sent.values(), before, strict=True):
        assert np.array_equal(spikes, expected)


@pytest.mark.parametrize("name", ["slayer_dense", "lowest_weight", "slayer_conv"])
def test_counts_as_input_are_messages_of_several_bits(scripts: Any, name: str) -> None:
    with np.load(DATA / f"{name}.npz") as recorded:
        x = np.random.default_rng(5).poisson(0.4, recorded["x"].shape)
    sent = scripts.run(DATA / f"{name}.net", x, 8)
    program = bim_neuro.compile(DATA / f"{name}.net", encoder="counts")
    probes = program.run(x.astype(float), backend="reference", probe=[f"{layer}.message" for layer in sent]).probes
    for layer, spikes in sent.items():
        assert np.array_equal(probes[f"{layer}.message"][:, :200], spikes), layer
    assert x.max() > 2

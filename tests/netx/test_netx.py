"""Networks of lava-dl: their programs send what netx sent, in every layer and step; what has no counterpart is refused.

The recordings in tests/netx_data were made by scripts/make_netx_nets.py with lava-dl 0.6 on Python 3.10.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commands import bim_compile

import bim_neuro
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.netx import read_net
from bim_neuro.netx.weights import held
from bim_neuro.nodes import IntegerCuba, IntegerLIF, Shifted
from bim_neuro.pack import equal
from bim_neuro.pipeline import compile_model

DATA = Path(__file__).parent.parent / "netx_data"
FILES = sorted(DATA.glob("*.net"))
FIRES_EARLY = "slayer_norm"
"""Its first layer fires by its bias before the input arrives, which the program leaves out."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_layer_sends_what_netx_sent(path: Path) -> None:
    program = bim_neuro.compile(path)
    with np.load(path.with_suffix(".npz")) as recorded:
        x = recorded["x"].astype(float)
        sent = {name.removeprefix("spk__"): recorded[name] for name in recorded.files if name.startswith("spk__")}
    probes = program.run(x, backend="reference", probe=[f"{name}.message" for name in sent]).probes
    differing = {
        name: int((probes[f"{name}.message"][:, : x.shape[1]] != spikes).sum()) for name, spikes in sent.items()
    }
    if path.stem == FIRES_EARLY:
        assert any("'dense0' fires by its bias" in line for line in program.assumptions)
        assert differing["dense0"] == 0
        assert differing["dense1"] < 10
    else:
        assert not any(differing.values()), differing
    assert x.shape[1] == 200
    assert sum(spikes.sum() for spikes in sent.values()) > 100


def test_the_compiled_simulation_agrees() -> None:
    path = DATA / "wide_weights.net"
    with np.load(path.with_suffix(".npz")) as recorded:
        spikes = (
            bim_neuro.compile(path).run(recorded["x"].astype(float), probe=["dense1.message"]).probes["dense1.message"]
        )
        assert np.array_equal(spikes, recorded["spk__dense1"])


def test_weights_decays_and_thresholds_are_the_files_own() -> None:
    program = bim_neuro.compile(DATA / "slayer_dense.net")
    with h5py.File(DATA / "slayer_dense.net") as file:
        weight = file["layer/0/weight"][()]
    lif, edge = program.graph.nodes["dense0"], program.graph.into("dense0")[0]
    assert isinstance(lif, IntegerLIF)
    assert (lif.du, lif.dv, lif.v_threshold) == (1023, 410, 80)
    assert np.array_equal(edge.synapse.weight, weight)
    assert not program.findings


def test_weights_beyond_8_bits_have_a_power_of_two_and_lavas_neuron() -> None:
    program = bim_neuro.compile(DATA / "lowest_weight.net")
    synapse = program.graph.into("dense0")[0].synapse
    with h5py.File(DATA / "lowest_weight.net") as file:
        weight = file["layer/0/weight"][()]
    assert weight.min() == -256
    assert isinstance(program.graph.nodes["dense0"], IntegerLIF)
    assert isinstance(synapse, Shifted)
    assert synapse.exponents == (0, 1, 2)
    assert np.array_equal(synapse.matrix().toarray(), weight)


def test_a_constant_a_neuron_makes_a_switch_neuron_and_says_so() -> None:
    program = bim_neuro.compile(DATA / "own_constants.net")
    assert isinstance(program.graph.nodes["dense0"], IntegerCuba)
    assert any(line.startswith("'dense0' is a switch neuron") for line in program.assumptions)


def test_the_exact_copy_of_a_nir_file_keeps_the_integers(tmp_path: Path) -> None:
    program = bim_neuro.compile(DATA / "bias.net")
    bim_neuro.write_nir(program.reference, tmp_path / "model.nir")
    assert equal(bim_neuro.compile(tmp_path / "model.nir").graph, program.graph)


def test_weights_of_16_bits_change_no_spike() -> None:
    wide = compile_model(DATA / "slayer_dense.net", weight_bits=16)
    with np.load(DATA / "slayer_dense.npz") as recorded:
        probes = wide.run(recorded["x"].astype(float), backend="reference", probe=["dense1.message"]).probes
        assert np.array_equal(probes["dense1.message"], recorded["spk__dense1"])


def changed(path: Path, name: str, value: Any, at: str = "slayer_dense") -> Path:
    """Copy a file, and put something else in the place of one dataset; None leaves it out."""
    shutil.copy(DATA / f"{at}.net", path)
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value
    return path


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("layer/1/type", b"pool", "layer 1 (pool): read are input, dense"),
        ("layer/1/neuron/type", b"ALIF", "neurons of type ALIF, read are CUBA and LOIHI"),
        ("layer/1/weight", np.ones((4, 15)), "weight of shape (4, 15), (4, 16) is needed"),
        ("layer/1/weight", np.full((4, 16), 300), "weights from 300 to 300, netx holds -256 to -1 or 0 to 255"),
        ("layer/0/neuron/iDecay", 5000, "an iDecay of 5000, allowed are 0 to 4096"),
        ("layer/0/neuron/vDecay", np.ones(7), "7 values of vDecay, 1 or 16 fit"),
        ("layer/0/delay", np.full(16, -1), "a delay of -1 steps, 0 to 62 are allowed"),
        ("layer/0/delay", np.ones(5), "delays of shape (5,), one a neuron, one an input or (16, 12) fit"),
    ],
)
def test_what_netx_cannot_run_is_refused_by_layer_and_amount(tmp_path: Path, name: str, value: Any, said: str) -> None:
    with pytest.raises(DoesNotFit) as refused:
        read_net(changed(tmp_path / "m.net", name, value))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("layer/0/type", None, "'/layer/0/type' is not a text"),
        ("layer/x/type", b"dense", "/layer holds 'x', layers are numbered 0 to 2"),
        ("layer/1/weight", np.full((4, 16), np.nan), "layer 1 (dense): weight holds numbers that are not finite"),
        ("layer/1/weight", None, "layer 1 (dense) has no 'weight'"),
        (
            "layer/0/shape",
            np.array([10**9]),
            "layer 0 (dense) has 1,000,000,000 neurons of 256 bytes each",
        ),
        ("layer", None, "it has no group /layer with layers"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str, value: Any, said: str) -> None:
    with pytest.raises((InputError, DoesNotFit)) as refused:
        read_net(changed(tmp_path / "m.net", name, value))
    assert said in str(refused.value)


def test_all_layers_without_a_counterpart_are_listed(tmp_path: Path) -> None:
    path = changed(tmp_path / "m.net", "layer/1/type", b"pool")
    with h5py.File(path, "r+") as file:
        file["layer/2/type"] = b"average"
    with pytest.raises(DoesNotFit) as refused:
        read_net(path)
    assert [finding.layer for finding in refused.value.findings] == ["layer 1 (pool)", "layer 2 (average)"]


def test_a_dialect_and_real_values_are_refused() -> None:
    with pytest.raises(InputError, match="lava-dl's, which says how its neurons step"):
        bim_neuro.compile(DATA / "bias.net", dialect="norse")
    with pytest.raises(InputError, match=r"encoder of a \.net file"):
        bim_neuro.compile(DATA / "bias.net", encoder="graded")


@pytest.mark.parametrize(
    ("weights", "kept"),
    [
        ([-300, 3, 300], [-256, 3, 254]),  # both signs: cut off
        ([0, 255], [0, 255]),
        ([-64, -1], [-63, -1]),  # 64 << 2 is 256, of which 255 are kept
        ([-100, -3], [-100, -3]),
        ([-64, 0], [-32, 0]),  # 255 again, of which the last 7 bits are dropped
        ([-64, -1, 0], None),  # 254 is kept of 256, half a weight
    ],
)
def test_weights_as_the_synapse_of_netx_holds_them(weights: list[int], kept: list[int] | None) -> None:
    """By hand; tests/netx/test_netx_live.py asks netx itself."""
    given = [np.array([weights])]
    if kept is None:
        with pytest.raises(DoesNotFit, match="Lava's Dense drops a part"):
            held(given, "layer 0")
    else:
        assert held(given, "layer 0")[0].tolist() == [kept]


def test_the_command_line_holds_a_program_against_what_netx_sent(tmp_path: Path) -> None:
    """Of a recording with one bin turned round, that bin alone differs."""
    with np.load(DATA / "slayer_conv.npz") as file:
        arrays = dict(file)
    arrays["spk__conv2"][0, 7, 3] ^= 1
    np.savez(tmp_path / "flipped.npz", **arrays)
    ended = bim_compile(DATA / "slayer_conv.net", "--expect", tmp_path / "flipped.npz", "-o", tmp_path / "out")
    assert (ended.code, "in 1 bin" in ended.err) == (3, True)
    assert re.search(r"conv2.*step 7\b.*neuron 3\b", ended.out)

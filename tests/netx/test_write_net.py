"""Programs written for lava-dl: the same bytes each time, read back as the same program, or refused layer by layer."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import bim_compile
from lava_graphs import fixed_graph
from scipy.sparse import csr_array
from small_models import small_graphs

import bim_neuro
from bim_neuro.compilers.align import align
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.netx import as_net, layers_of, write_net
from bim_neuro.nodes import Encoder, IntegerLIF, Source
from bim_neuro.nodes.synapses import sparse_of
from bim_neuro.pack import pack

DATA = Path(__file__).parent.parent / "netx_data"
WRITTEN = sorted(path for path in DATA.glob("*.net") if path.stem != "slayer_norm")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_a_network_of_lava_dl_comes_back(path: Path, tmp_path: Path) -> None:
    program = bim_neuro.compile(path)
    write_net(program.graph, tmp_path / "model.net")
    again = bim_neuro.compile(tmp_path / "model.net")
    (_, arrays), (_, others) = pack(program.graph), pack(again.graph)
    assert [array.tolist() for array in arrays.values()] == [array.tolist() for array in others.values()]
    assert as_net(again.graph) == (tmp_path / "model.net").read_bytes()


def test_a_file_says_who_wrote_it_and_what_of_but_not_when_or_where() -> None:
    graph = fixed_graph("conv, dense")
    with h5py.File(io.BytesIO(as_net(graph))) as file:
        assert set(file.attrs) == {"format", "bim_neuro", "sha256", "input_message_bits"}
        assert file.attrs["bim_neuro"] == bim_neuro.__version__
        assert [file[f"layer/{index}/type"][0] for index in range(4)] == [b"input", b"conv", b"flatten", b"dense"]
        assert file["layer/1/weight"].shape == graph.edges[0].synapse.weight.shape  # type: ignore[union-attr]
    assert b"/work" not in as_net(graph)


def test_messages_of_the_input_are_told_to_whoever_loads_the_file() -> None:
    with h5py.File(io.BytesIO(as_net(fixed_graph("graded input")))) as file:
        assert file.attrs["input_message_bits"] == 8


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("skip", "layer 'n2' reads 'in' beside or instead of 'n1', netx has one chain of layers"),
        ("recurrent, conv", "layer 'n1' has a convolution beside other synapses"),
        ("conv, padding of one side", "layer 'n1' has a convolution that is delayed or pads one side"),
        ("taps", "layer 'n1' has two weights of different delays from one neuron to another"),
        ("current and bias", "layer 'n1' has a bias of 100, no multiple of 64"),
        ("loud", "has a bias, or starts from a voltage, that netx adds before the input arrives"),
        ("relay and readout", "is of the kind relay, netx has spiking CUBA neurons alone"),
        ("switch, subtract", "has neurons of another law (reset subtract)"),
    ],
)
def test_what_netx_cannot_express_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(DoesNotFit) as refused:
        layers_of(fixed_graph(name))
    assert why in str(refused.value)


def test_a_layer_that_reads_nothing_is_refused() -> None:
    graph = fixed_graph("sparse")
    alone = replace(graph, edges=tuple(edge for edge in graph.edges if edge.target != "n2"))
    with pytest.raises(DoesNotFit, match="layer 'n2' reads no other"):
        layers_of(alone)


def test_a_dense_layer_of_too_many_weights_is_refused_before_it_is_made() -> None:
    many = sparse_of(csr_array(([1.0], ([0], [0])), shape=(2**12, 2**12)))
    lif = IntegerLIF(2**12, 4095, 100, 64, np.zeros(2**12, np.int64))
    nodes = {"in": Source(2**12, graded=False), "n1": lif}
    encoder = Encoder("spikes", np.ones(2**12), np.zeros(2**12))
    graph = align(IntegerGraph(nodes, (Edge("in", "n1", "i", many),), 1e-3, encoder))  # type: ignore[arg-type]
    with pytest.raises(DoesNotFit, match="a dense one of 16,777,216 weights, 4,194,304 are written"):
        layers_of(graph)


def test_every_layer_without_a_counterpart_is_listed() -> None:
    with pytest.raises(DoesNotFit) as refused:
        layers_of(small_graphs(0)[1])
    assert len(refused.value.findings) > 2


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("netx") / "x.npz"
    with np.load(DATA / "slayer_dense.npz") as recorded:
        np.savez(path, x=recorded["x"][:, :20].astype(float), layout="BTC")
    return path


def test_a_compile_writes_the_file_beside_model_nir(samples: Path) -> None:
    out = samples.with_name("out")
    assert bim_compile(DATA / "slayer_dense.net", "--input", samples, "-o", out).code == 0
    assert (out / "model.net").read_bytes() == as_net(bim_neuro.compile(DATA / "slayer_dense.net").graph)
    assert bim_compile(out / "model.net", "--input", samples, "-o", out, "--set", "netx.write=no").code == 0
    assert not (out / "model.net").exists()


def test_a_file_that_must_be_written_and_cannot_is_refused_before_the_run(samples: Path) -> None:
    ended = bim_compile(
        DATA / "slayer_norm.net", "--input", samples, "-o", samples.with_name("no"), "--set", "netx.write=yes"
    )
    assert ended.code == 1
    assert "no model.net: layer 'dense0' has a bias" in ended.err
    assert sorted(file.name for file in samples.with_name("no").iterdir()) == [".bim-compile.json", "report.html"]

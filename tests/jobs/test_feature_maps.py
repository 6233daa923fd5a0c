"""A convolutional net from .nir to its report: words of lists, shapes, pictures, parts by rows, and NIR's own nodes."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from browsers import Visit, browser
from commands import bim_compile, bim_report

from bim_neuro.errors import InputError
from bim_neuro.estimates.dense_macs import dense_macs
from bim_neuro.estimates.neurobench import Activity, neurobench
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nir_bridge import read_nir, write_nir
from bim_neuro.nodes import Conv, Encoder, IntegerLIF, Source
from bim_neuro.pack import pack, unpack
from bim_neuro.pipeline import compile_model


def lif(*shape: int) -> nir.LIF:
    ones = np.ones(shape, np.float32)
    return nir.LIF(tau=5e-3 * ones, r=ones, v_leak=0 * ones, v_threshold=0.6 * ones)


def conv(weight: np.ndarray, rows: int, columns: int, groups: int = 1) -> nir.Conv2d:
    bias = np.linspace(-0.1, 0.1, len(weight), dtype=np.float32)
    return nir.Conv2d((rows, columns), weight.astype(np.float32), 1, 1, 1, groups, bias)


def drawn(path: Path) -> Path:
    """Write 3 -> 24 channels of 12 x 12, a pool, 24 -> 8 in two groups, and a linear layer; and input beside it."""
    draw = np.random.default_rng(5)
    nodes = {
        "input": nir.Input(np.array([3, 12, 12])),
        "conv1": conv(draw.normal(0, 1, (24, 3, 3, 3)), 12, 12),
        "lif1": lif(24, 12, 12),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "conv2": conv(draw.normal(0, 0.3, (8, 12, 3, 3)), 6, 6, groups=2),
        "lif2": lif(8, 6, 6),
        "flat": nir.Flatten({"input": np.array([8, 6, 6])}, 0, -1),
        "linear": nir.Affine(draw.normal(0, 0.3, (4, 288)).astype(np.float32), np.zeros(4, np.float32)),
        "lif3": lif(4),
        "output": nir.Output(np.array([4])),
    }
    names = list(nodes)
    edges = list(pairwise(names))
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))  # nir takes a kernel's inputs for all channels
    np.savez(path.with_suffix(".npz"), x=(draw.random((2, 6, 432)) < 0.1).astype(np.uint8), layout="BTC")
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = drawn(tmp_path_factory.mktemp("maps") / "net.nir")
    folder = model.parent / "out"
    ended = bim_compile(model, "--dt", 0.001, "--input", model.with_suffix(".npz"), "--target", "loihi2", "-o", folder)
    assert ended.code == 0, ended.err
    return folder


def of(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def test_the_report_tells_the_words_of_lists_and_the_shapes(out: Path) -> None:
    summary = of(out, "summary")
    assert summary["encoder"]["shape"] == [3, 12, 12]
    layers = {layer["name"]: layer for layer in summary["layers"]}
    assert layers["lif1"]["shape"] == [24, 12, 12]
    assert layers["lif2"]["shape"] == [8, 6, 6]
    assert "shape" not in layers["lif3"]
    assert layers["lif1"]["list_words"] == 108  # 3 x 9 lists of 24 weights of 8 bits, as Intel's compiler prints
    # The pool and the kernel of two groups are one kernel of 6 x 6: 24 x 36 lists of four weights, 4 * 8 + 10 bits.
    assert layers["lif2"]["list_words"] == 24 * 36
    assert layers["lif1"]["synapses"] == 24 * 3 * (3 * 12 - 2) ** 2  # three taps a side, but for two at the border
    rows = list(csv.DictReader((out / "per-layer.csv").read_text().splitlines()))
    assert [(row["shape"], row["list_words"]) for row in rows[:2]] == [("24x12x12", "108"), ("8x6x6", "864")]


def test_a_map_s_activity_is_a_picture_a_channel(out: Path) -> None:
    first = of(out, "series")["raster"]["pictures"]["lif2"]
    assert first["shape"] == [8, 6, 6]
    assert [len(picture) for picture in first["pictures"]] == [6] * 8
    assert {len(row) for picture in first["pictures"] for row in picture} == {6}
    with np.load(out / "model.bimn") as stored:
        spikes = stored["expected:lif2.message"][0].sum(axis=0).reshape(8, 6, 6)
    shown = np.array([[list(map(int, row)) for row in picture] for picture in first["pictures"]])
    assert np.array_equal(shown > 0, spikes > 0)
    assert np.array_equal(shown, np.ceil(9 * spikes / spikes.max()))


@pytest.mark.browser
def test_the_page_draws_the_pictures(out: Path) -> None:
    try:
        with browser() as found:
            visit = Visit(found, out / "report.html")
            assert visit.page.locator(".stage .picture").count() == 24  # the first spiking layer is chosen
            visit.page.locator(".layer-pick", has_text="lif2").click()
            assert visit.page.locator(".stage .picture").count() == 8
            assert (
                "8 channels of 6 x 6" in visit.page.locator(".stage", has=visit.page.locator(".picture")).inner_text()
            )
            assert visit.troubles == []
    except LookupError as reason:
        pytest.skip(str(reason))


def test_the_artefact_plays_and_the_model_fits_without_a_run(out: Path) -> None:
    assert bim_compile(out / "model.bimn", "--self-test").code == 0
    for target in ("loihi2", "kapoho_point"):
        assert bim_compile(out.parent / "net.nir", "--dt", 0.001, "--target", target, "--check").code == 0
    assert bim_report(out, "-o", out.parent / "again").code == 0


def test_cores_say_which_rows_they_hold(out: Path) -> None:
    folder = out.parent / "cut"
    data = ("--input", out.parent / "net.npz", "--target", "loihi1", "-o", folder)
    assert bim_compile(out.parent / "net.nir", "--dt", 0.001, *data).code == 0
    cut = of(folder, "summary")["placement"]["cuts"]["lif1"]
    assert (cut["by"], cut["more"]) == ("rows", False)
    assert 4 == cut["parts"] <= cut["other"]
    assert (
        f"lif1 is cut by rows: so it fills {cut['parts']} cores, by channels {cut['other']}"
        in (folder / "summary.txt").read_text()
    )
    cores = sorted((c for c in of(folder, "mapping")["cores"] if c["layer"] == "lif1"), key=lambda c: c["neurons"])
    assert cores[0]["neurons"][0] == 0
    assert cores[-1]["neurons"][1] == 24 * 12 * 12 - 1
    for core in cores:
        assert core["rows"] == [end // (24 * 12) for end in core["neurons"]]


def test_other_tools_read_the_convolutions_as_nir_s_own(out: Path, tmp_path: Path) -> None:
    """nir's type check holds, and the standard layer alone compiles to the same integers."""
    whole = nir.read(out / "model.nir")
    kinds = {name: type(node).__name__ for name, node in whole.nodes.items()}
    assert sorted(kinds.values()) == ["Affine", "Conv2d", "Conv2d", "Flatten", "Input", "LIF", "LIF", "LIF", "Output"]
    with h5py.File(out / "model.nir") as file:
        nir_only = tmp_path / "standard.nir"
        with h5py.File(nir_only, "w") as copy:
            for name in file:
                if name != "bim_neuro":
                    file.copy(name, copy)
    x = np.load(out.parent / "net.npz")["x"].astype(np.float64)
    models = [compile_model(path, "loihi2", dt=0.001) for path in (out.parent / "net.nir", nir_only)]
    one, other = (model.run(x, probe=True) for model in models)
    assert one.probes["lif2.message"].any()
    assert all(np.array_equal(one.probes[key], other.probes[key]) for key in one.probes if key.endswith("message"))


def test_a_graph_that_is_written_keeps_its_shapes(out: Path, tmp_path: Path) -> None:
    graph = read_nir(out.parent / "net.nir", dt=0.001)
    write_nir(graph, tmp_path / "again.nir")
    again = read_nir(tmp_path / "again.nir")
    assert again.extra["shapes"] == graph.extra["shapes"]
    assert {name: again.shape(name) for name in again.nodes} == {
        "input": (3, 12, 12), "lif1": (24, 12, 12), "lif2": (8, 6, 6), "lif3": (4,),
    }  # fmt: skip


def test_macs_and_metrics_count_a_kernel_inside_the_border() -> None:
    """One channel of 3 x 3 and a kernel of 3 x 3, padded by one: 7 x 7 taps of 9 x 9 lie on the grid."""
    kernel = Conv(np.array([[[[1, 0, 1], [2, 2, 2], [0, 1, 0]]]], np.int8), (1, 3, 3), padding=(1, 1, 1, 1))
    neurons = IntegerLIF(9, 0, 0, 1, np.zeros(9, int))
    encoder = Encoder("spikes", np.ones(9), np.zeros(9))
    edge = Edge("input", "lif", "i", kernel)
    graph = IntegerGraph(
        {"input": Source(9, graded=False), "lif": neurons}, (edge,), 1e-3, encoder, depth={"input": 0, "lif": 1}
    )
    assert dense_macs(graph) == {"lif": 49 + 9}
    metrics = neurobench(graph, Activity(), samples=1, steps=10)
    assert metrics["SynapticOperations"]["Dense"] == 490
    assert metrics["ConnectionSparsity"] == pytest.approx(3 / 9)
    bare = neurobench(IntegerGraph(graph.nodes, (), 1e-3, encoder), Activity(), samples=1, steps=10)
    assert metrics["Footprint"] - bare["Footprint"] == 9  # the kernel is stored once


@pytest.mark.parametrize("shapes", [[3], {"lif1": "wide"}, {"lif1": [24, -12, 12]}, {"lif1": [24.5, 12]}])
def test_damaged_shapes_are_refused_by_name(out: Path, shapes: Any) -> None:
    header, arrays = pack(read_nir(out.parent / "net.nir", dt=0.001))
    header["extra"]["items"]["shapes"] = {"type": "dict", "items": shapes} if isinstance(shapes, dict) else shapes
    with pytest.raises(InputError, match=r"extra\.shapes"):
        unpack(header, arrays)


def test_a_shape_that_is_not_the_layer_s_is_not_shown(out: Path) -> None:
    graph = read_nir(out.parent / "net.nir", dt=0.001)
    other = graph.with_nodes(graph.nodes, shapes={"lif1": (7, 7), "lif3": (2, 2)})
    assert other.shape("lif1") == (24, 12, 12)  # of its convolution
    assert other.shape("lif3") == (2, 2)

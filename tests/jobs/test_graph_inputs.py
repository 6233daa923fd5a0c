"""Input of graphs of other frameworks: encoders, layouts, event files and NIRData, from the file to the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from commands import Ended, bim_compile

import bim_neuro
from bim_neuro.errors import InputError
from bim_neuro.nir_bridge import read_nir

RECORDED = Path(__file__).parent.parent / "frameworks_data"
EXAMPLES = Path(__file__).resolve().parents[3] / "shared/data/nir_examples"
NETS: dict[str, tuple[float, Any, str, tuple[str, ...]]] = {
    "snntorch_real": (1e-4, "snntorch", "TBC", ("1", "3")),
    "norse_real": (1e-3, "norse", "TBCHW", ("1", "3")),
    "snntorch_rleaky": (1e-4, {"name": "snntorch", "reset": "zero", "reset_when": "same"}, "TBC", ("1.lif", "3")),
}
LEAST = {"snntorch_real": 0.8, "norse_real": 0.5, "snntorch_rleaky": 0.8}
"""Equal spikes of float and integers over spikes that either fired, in every layer."""
DT = 1e-3
needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="../shared/data/nir_examples is not there")


def graph(path: Path, shape: tuple[int, ...] = (4,), weight: float = 0.5, tau: float = 2 * DT) -> Path:
    """Write an input, a Flatten where it has places, a Linear that adds all lines, and a LIF of two neurons."""
    ones, lines = np.ones(2), int(np.prod(shape))
    nodes: dict[str, nir.NIRNode] = {
        "input": nir.Input(np.array(shape)),
        "flat": nir.Flatten({"input": np.array(shape)}, 0, -1),
        "w": nir.Linear(weight * np.array([[1.0] * lines, [0.5] * lines])),
        "lif": nir.LIF(tau * ones, ones, 0 * ones, ones),
        "output": nir.Output(np.array([2])),
    }
    wires = [("input", "flat"), ("flat", "w"), ("w", "lif"), ("lif", "output")]
    nir.write(path, nir.NIRGraph(nodes, wires, type_check=False))
    return path


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def run(model: Path, file: Path, *options: object) -> dict[str, Any]:
    """Return the summary of a compile that went well."""
    ended = bim_compile(model, "--dt", DT, "--input", file, "-o", file.parent / "out", "--json", *options)
    assert ended.code == 0, ended.err
    summary: dict[str, Any] = json.loads(ended.out)
    return summary


def figures(summary: dict[str, Any]) -> dict[str, Any]:
    """Return what a run counted and compared."""
    return {key: summary[key] for key in ("samples", "steps", "layers", "agreement", "energy", "encoder", "neurobench")}


def refused(model: Path, file: Path, *options: object) -> Ended:
    """Run what must be refused in one line with exit code 2."""
    ended = bim_compile(model, "--dt", DT, "--input", file, "-o", file.parent / "out", *options)
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended.err
    return ended


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> bim_neuro.Program:
    """A graph of four lines, which reads counts."""
    return bim_neuro.compile(graph(tmp_path_factory.mktemp("flat") / "g.nir"), dt=DT, encoder="counts")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> bim_neuro.Program:
    """A graph of 2 x 3 x 5 lines, which reads counts."""
    model = graph(tmp_path_factory.mktemp("grid") / "g.nir", (2, 3, 5))
    return bim_neuro.compile(model, dt=DT, encoder="counts")


def unread(program: bim_neuro.Program, file: Path, layout: str | None = None, **events: str) -> str:
    """Return the one line, and the hint, with which a program refuses a file."""
    with pytest.raises(InputError) as refusal:
        program.sequences(file, layout, **events)
    assert "\n" not in refusal.value.message
    return f"{refusal.value.message} {refusal.value.hint}"


# -- the frameworks' own spikes


@pytest.mark.parametrize("name", NETS)
def test_the_float_law_reads_raw_values_and_gives_the_framework_s_own_spikes(name: str) -> None:
    dt, dialect, layout, layers = NETS[name]
    with np.load(RECORDED / "real_input.npz") as recorded:
        raw, theirs = recorded[f"{name}.x"], {layer: recorded[f"{name}.{layer}"] for layer in layers}
    program = bim_neuro.compile(RECORDED / f"{name}.nir", dt=dt, dialect=dialect, encoder="graded")
    x = program.sequences(raw, layout)
    program = program.calibrated(x)
    floats, integers = program.run_float(x), program.run(x, backend="reference", probe=True)
    for layer, spikes in theirs.items():
        spikes = spikes.swapaxes(0, 1).reshape(*spikes.shape[1::-1], -1)
        assert int((floats.probes[f"{layer}.message"] != spikes).sum()) == 0
        ours = integers.probes[f"{layer}.message"][:, : spikes.shape[1]]
        both, either = np.count_nonzero(ours * spikes), np.count_nonzero(ours + spikes)
        assert both / either > LEAST[name]
    assert program.run(x, probe=True).probes.keys() == integers.probes.keys()


def test_the_engine_gives_the_integers_of_the_law_for_graded_counted_and_spike_input(tmp_path: Path) -> None:
    model = graph(tmp_path / "g.nir")
    x = np.random.default_rng(0).poisson(0.6, (3, 20, 4))
    for encoder, raw in (("graded", x * 0.7 - 1), ("counts", x * 40), ("spikes", np.minimum(x, 1))):
        program = bim_neuro.compile(model, dt=DT, encoder=encoder, input=raw.astype(float))
        law, engine = (program.run(raw, backend=backend, probe=True) for backend in ("reference", "engine"))
        for key, values in law.probes.items():
            assert np.array_equal(values, engine.probes[key]), (encoder, key)


# -- encoders by hand


def test_counts_are_spikes_sent_together_by_hand(tmp_path: Path) -> None:
    """Weight 0.25 and half of the input a step: v = 0.125 * 9 > 1 fires at once, 0.125 * 8 does not exceed 1."""
    program = bim_neuro.compile(graph(tmp_path / "g.nir", (1,), 0.25), dt=DT, encoder="counts")
    x = np.zeros((2, 3, 1))
    x[:, 0, 0] = 8, 9
    for record in (program.run_float(x), program.run(x, backend="reference", probe=True)):
        assert record.probes["lif.message"][:, 0, 0].tolist() == [0, 1]
    assert program.encode(x)[:, 0, 0].tolist() == [8, 9]


def test_counts_beyond_a_message_are_clipped_counted_and_said(tmp_path: Path) -> None:
    x = np.zeros((2, 10, 4))
    x[0, 0] = 127, 128, 300, 1
    summary = run(graph(tmp_path / "g.nir"), saved(tmp_path / "x.npz", x=x, layout="BTC"), "--encoder", "counts")
    assert summary["encoder"]["clipped"] == [0, 1, 1, 0]
    (finding,) = (finding for finding in summary["findings"] if finding["rule"] == "clipped-input")
    assert "2.5% of the values clipped; channel 1 (5.0%), 2 (5.0%)" in finding["message"]


def test_the_scale_is_measured_on_another_split_and_said(tmp_path: Path) -> None:
    x = np.full((4, 6, 4), 0.5)
    x[0, 0, 0], x[1, 0, 0] = -3.3, 9.9
    file = saved(tmp_path / "x.npz", x=x, split=["train", "test", "train", "test"], y=[0, 1, 0, 1])
    summary = run(graph(tmp_path / "g.nir"), file, "--encoder", "graded")
    first, scale = summary["assumptions"][:2]
    assert first == (
        "input read as: layout BTC (y has 4 entries), encoder graded (as --encoder says): signed 8-bit messages of one "
        "scale; the float law reads the raw values"
    )
    assert "2 samples of train split of" in scale
    assert "127 is 3.3, the largest magnitude" in scale
    assert summary["encoder"]["clipped"] == [1, 0, 0, 0]
    assert summary["encoder"]["gain"] == [127 / np.float32(3.3)] * 4
    whole = run(graph(tmp_path / "g.nir"), file, "--encoder", "graded", "--split", "all")
    assert whole["encoder"]["clipped"] == [0, 0, 0, 0]


def test_multiples_of_a_power_of_two_are_sent_as_they_are(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(-10, 10, (2, 5, 4)) / 8
    program = bim_neuro.compile(graph(tmp_path / "g.nir"), dt=DT, encoder="graded", input=x)
    assert (program.encode(x) == x * 8).all()


def test_delta_needs_two_lines_a_channel(tmp_path: Path) -> None:
    x = np.cumsum(np.random.default_rng(0).normal(0, 0.1, (2, 30, 2)), axis=1)
    file = saved(tmp_path / "x.npz", x=x, layout="BTC")
    summary = run(graph(tmp_path / "g.nir"), file, "--encoder", "delta")
    assert (summary["encoder"]["kind"], len(summary["encoder"]["gain"])) == ("delta", 2)
    ended = refused(graph(tmp_path / "odd.nir", (3,)), file, "--encoder", "delta")
    assert "delta sends on 2 lines a channel, the graph's input has 3" in ended.err


def test_a_model_that_brings_an_encoder_refuses_another(tmp_path: Path) -> None:
    model, file = graph(tmp_path / "g.nir"), saved(tmp_path / "x.npz", x=np.ones((2, 5, 4)), layout="BTC")
    run(model, file, "--encoder", "counts")
    ours, again = tmp_path / "out" / "model.nir", ("--input", file, "-o", tmp_path / "again", "--json")
    ended = bim_compile(ours, "--encoder", "graded", "--input", file, "-o", tmp_path / "again")
    assert ended.code == 2
    assert "brings its own encoder (counts)" in ended.err
    assert json.loads(bim_compile(ours, *again).out)["encoder"]["kind"] == "counts"
    assert bim_compile(RECORDED.parents[1] / "examples/digits.pt", "--encoder", "graded").code == 2
    with pytest.raises(InputError, match="brings its own encoder"):
        bim_neuro.compile(read_nir(model, DT), encoder="graded")


def test_real_values_without_an_encoder_are_refused_with_the_ways_out(tmp_path: Path) -> None:
    file = saved(tmp_path / "x.npz", x=np.full((2, 5, 4), 0.3), layout="BTC")
    ended = refused(graph(tmp_path / "g.nir"), file)
    assert "--encoder graded sends real values, --encoder counts whole numbers" in ended.err
    ended = refused(graph(tmp_path / "g.nir"), file, "--encoder", "counts")
    assert "are no counts, whole numbers from 0: first 0.3 at sample 0, step 0, channel 0" in ended.err


def test_a_threshold_too_wide_for_a_lif_is_held_by_a_switch_neuron(tmp_path: Path) -> None:
    """Weights of a hundredth, as dt / tau makes them: a LIF would need a threshold of more than 17 bits."""
    x = np.random.default_rng(0).uniform(0, 1, (2, 200, 4))
    model = graph(tmp_path / "g.nir", weight=1.5, tau=100 * DT)
    spikes = bim_neuro.compile(model, dt=DT)
    assert spikes.graph.nodes["lif"].kind == "lif"
    program = bim_neuro.compile(model, dt=DT, encoder="graded", input=x)
    assert program.graph.nodes["lif"].kind == "cuba"
    assert any("a LIF holds 0 to 131071" in line for line in program.assumptions)
    floats = program.run_float(x).probes["lif.message"]
    assert floats.sum() > 10
    assert np.array_equal(floats, bim_neuro.compile(model, dt=DT, encoder="graded").run_float(x).probes["lif.message"])
    integers = program.run(x, probe=True).probes["lif.message"][:, : x.shape[1]]
    assert abs(float(integers.sum() - floats.sum())) <= 0.05 * floats.sum()


# -- layouts


@needs_examples
@pytest.mark.parametrize(
    ("example", "dt", "layout", "dialect"),
    [
        pytest.param("snntorch_leaky_zero", 1e-4, "TBC", "snntorch", marks=pytest.mark.slow),
        ("norse_if_conv", 1e-3, "TBCHW", "norse"),
    ],
)
def test_a_layout_gives_the_figures_of_the_array_turned_by_hand(
    tmp_path: Path, example: str, dt: float, layout: str, dialect: str
) -> None:
    with np.load(EXAMPLES / example / "io.npz") as io:
        x = io["x"][:30]
    byhand = x.swapaxes(0, 1).reshape(x.shape[1], x.shape[0], -1)
    results = []
    for array, name in ((x, layout), (byhand, "BTC")):
        file = saved(tmp_path / "x.npz", x=array)
        options = ("--dialect", dialect, "--layout", name, "--json", "-o", tmp_path / "out")
        ended = bim_compile(EXAMPLES / example / "graph.nir", "--dt", dt, "--input", file, *options)
        assert ended.code == 0, ended.err
        results.append(json.loads(ended.out))
    assert figures(results[0]) == figures(results[1])
    assert [result["sequences"]["layout"] for result in results] == [layout, "BTC"]
    assert f"layout {layout} (as was asked for)" in results[0]["assumptions"][0]


@pytest.mark.parametrize(
    ("shape", "layout", "said"),
    [
        ((9, 2, 2, 3, 5), "TBC", "--layout TBCHW would fit"),
        ((9, 2, 30), "BTCHW", "--layout BTC would fit"),
        ((2, 9, 3, 5, 2), "BTCHW", "its channels are last: numpy.moveaxis(x, -1, 2)"),
        ((2, 9, 2, 5, 3), "BTCHW", "channels x height x width is 2 x 5 x 3, the graph's Input reads 2 x 3 x 5"),
        ((9, 2, 3, 5), "BTCL", "one sample without an axis of samples: x[None], BTCHW"),
        ((2, 9, 2, 3, 6), "BTCHW", "the graph's Input reads 2 x 3 x 5"),
        ((2, 9), None, "has 2 axes (2, 9)"),
        ((2, 9, 2, 3, 5), None, "--layout BTCHW reads (samples, steps, channels, height, width), --layout TBCHW"),
    ],
)
def test_a_wrong_shape_is_one_line_with_the_layout_that_would_fit(
    tmp_path: Path, grid: bim_neuro.Program, shape: tuple[int, ...], layout: str | None, said: str
) -> None:
    found = unread(grid, saved(tmp_path / "x.npz", x=np.zeros(shape)), layout)
    assert said in found
    assert str(shape) in found
    if layout:
        with pytest.raises(InputError, match="input"):
            grid.sequences(np.zeros(shape), layout)


def test_python_takes_layouts_files_and_encoders_as_the_command_does(tmp_path: Path) -> None:
    model, x = graph(tmp_path / "g.nir", (2, 3, 5)), np.random.default_rng(0).normal(0, 1, (7, 4, 2, 3, 5))
    file = saved(tmp_path / "x.npz", x=x, layout="TBCHW")
    for given, layout in ((x, "TBCHW"), (file, None)):
        program = bim_neuro.compile(model, dt=DT, encoder="graded", input=given, layout=layout)
        assert program.graph.encoder.gain[0] == pytest.approx(127 / np.abs(x).max(), rel=1e-6)
    assert np.array_equal(program.sequences(x, "TBCHW"), x.swapaxes(0, 1).reshape(4, 7, 30))
    with pytest.raises(InputError, match=r"the model reads \(samples, steps, 30\)"):
        program.run(x)
    with pytest.raises(InputError, match="layout has no effect without input"):
        bim_neuro.compile(model, dt=DT, layout="TBCHW")
    with pytest.raises(InputError, match="unknown encoder 'grade'"):
        bim_neuro.compile(model, dt=DT, encoder="grade")
    with pytest.raises(InputError, match="no layout is called 'HW'"):
        program.sequences(x, "HW")


def test_a_refused_input_ends_the_command_with_code_2(tmp_path: Path) -> None:
    model = graph(tmp_path / "g.nir", (2, 3, 5))
    file = saved(tmp_path / "x.npz", x=np.zeros((40, 4, 2, 34, 34)))
    ended = refused(model, file, "--layout", "TBC")
    assert "is (40, 4, 2, 34, 34), TBC has 3 axes: steps, samples, channels" in ended.err
    assert "--layout TBCHW would fit" in ended.err
    assert "are no counts" in refused(model, saved(tmp_path / "e.npz", x=np.full((2, 3, 30), -1), layout="BTC"),
                                      "--encoder", "counts").err  # fmt: skip
    assert "event 0 is -1" in refused(model, saved(tmp_path / "e.npz", t=[-1, 2], x=[0, 0], p=[0, 1])).err
    ended = refused(model, nir_data(tmp_path / "d.nir", a=nir.TimeGriddedData(np.full((1, 2, 30), np.inf), DT)))
    assert "holds inf at sample 0, step 0, channel 0" in ended.err


# -- events and NIRData


def events(path: Path, records: bool) -> tuple[Path, np.ndarray]:
    """Write 200 events on 2 x 3 x 5 lines in 40 ms, some in one step and line; return them binned by hand as well."""
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 40_000, 200))
    x, y, p = rng.integers(0, 5, 200), rng.integers(0, 3, 200), rng.integers(0, 2, 200)
    t[10], x[10], y[10], p[10] = t[11], x[11], y[11], p[11]
    grid = np.zeros((1, 40, 2, 3, 5))
    for time, column, row, polarity in zip(t, x, y, p, strict=True):
        grid[0, time // 1000, polarity, row, column] += 1
    if not records:
        return saved(path, t=t, x=x, y=y, p=p, duration=0.04), grid
    rows = np.zeros(200, [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "i1")])
    rows["t"], rows["x"], rows["y"], rows["p"] = t, x, y, p
    return saved(path, events=rows, duration=0.04), grid


@pytest.mark.parametrize(
    ("encoder", "records"), [("counts", True), pytest.param("spikes", False, marks=pytest.mark.slow)]
)
def test_an_event_file_gives_the_figures_of_its_binned_array(tmp_path: Path, encoder: str, records: bool) -> None:
    model = graph(tmp_path / "g.nir", (2, 3, 5))
    file, grid = events(tmp_path / "events.npz", records)
    if encoder == "spikes":
        grid = np.minimum(grid, 1)
    binned = run(model, saved(tmp_path / "x.npz", x=grid, layout="BTCHW"), "--encoder", encoder)
    read = run(model, file, "--encoder", encoder)
    assert figures(read) == figures(binned)
    notes = " ".join(read["sequences"]["notes"])
    assert "200 events" in notes
    assert "t is in us: it holds whole numbers" in notes
    assert ("they are counted" if encoder == "counts" else "one spike is sent") in notes
    program = bim_neuro.compile(model, dt=DT, encoder=encoder)
    assert np.array_equal(program.sequences(file), grid.reshape(1, 40, 30))


def test_labels_and_samples_of_an_event_file(tmp_path: Path) -> None:
    """Two samples; the second has one event, in seconds, and both are as long as the longer one."""
    file = saved(
        tmp_path / "e.npz", t=[0.0, 0.0029, 0.001], x=[0, 3, 1], sample=[0, 0, 1], labels=[1, 0], split=["test", "test"]
    )
    summary = run(graph(tmp_path / "g.nir"), file)
    assert (summary["samples"], summary["steps"], summary["sequences"]["split"]) == (2, 3, "test")
    assert summary["accuracy"] is not None
    x = bim_neuro.compile(graph(tmp_path / "g.nir"), dt=DT).sequences(file)
    assert np.argwhere(x).tolist() == [[0, 0, 0], [0, 2, 3], [1, 1, 1]]


def good() -> dict[str, Any]:
    return {"t": np.array([0, 1500, 2500]), "x": np.array([0, 1, 4]), "y": [0, 1, 2], "p": [0, 1, 1]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"t": np.array([0.0, np.nan, 0.1])}, "event 1 is nan"),
        ({"t": np.array([-5, 1, 2])}, "event 0 is -5, 1 lie before 0"),
        ({"t": np.array([0, 9, 2])}, "is not sorted: event 2 at 2 follows event 1 at 9"),
        ({"x": [0, 1, 5]}, "x of event 2 is 5, it must be from 0 to 4"),
        ({"y": [0, -1, 2]}, "y of event 1 is -1, it must be from 0 to 2"),
        ({"p": [0, 1, 7]}, "p of event 2 is 7"),
        ({"x": [0, 1]}, "has 3 entries, x has 2"),
        ({"x": [0, 1.5, 2]}, "x of '"),
        ({key: np.array([], int) for key in "txyp"}, "holds no event"),
        ({"duration": 0.002}, "event 2 at 0.0025 s lies behind the end at 0.002 s"),
        ({"sample": [0, 1]}, "sample of '"),
        ({"sample": [0, 1, 1], "labels": [0]}, "sample of event 1 is 1, it must be from 0 to 0"),
        ({"labels": [0, 1]}, "labels of '"),
        ({"sensor_size": [34, 34, 2]}, "is 2 x 34 x 34, the graph's Input reads 2 x 3 x 5"),
        ({"t": np.array([0, 1, 10**15])}, "are allowed for this file"),
        ({"t": np.array([0, 1, 1e300])}, "are its times in another unit?"),
    ],
)
def test_a_hostile_event_file_is_one_line(
    tmp_path: Path, grid: bim_neuro.Program, change: dict[str, Any], said: str
) -> None:
    assert said in unread(grid, saved(tmp_path / "e.npz", **{**good(), **change}))


def test_settings_of_events_change_what_they_say_or_are_refused(
    tmp_path: Path, flat: bim_neuro.Program, grid: bim_neuro.Program
) -> None:
    file = saved(tmp_path / "e.npz", **good())
    once = grid.sequences(file)
    assert (once.shape, grid.sequences(file, time_unit="ms").shape) == ((1, 3, 30), (1, 2501, 30))
    twice = saved(tmp_path / "two.npz", **{key: np.repeat(value, 2) for key, value in good().items()})
    assert np.array_equal(grid.sequences(twice), 2 * once)
    assert np.array_equal(grid.sequences(twice, bins="any"), once)
    plain = saved(tmp_path / "x.npz", x=np.zeros((2, 5, 4)), layout="BTC")
    for setting in ({"time_unit": "ms"}, {"bins": "any"}, {"node": "input"}):
        assert f"input.{next(iter(setting))} has no effect" in unread(flat, plain, **setting)
    assert "--layout has no effect" in unread(grid, file, "TBC")
    assert "there are: s, ms, us, ns" in unread(grid, file, time_unit="h")
    model = graph(tmp_path / "g.nir", (2, 3, 5))
    assert run(model, file, "--encoder", "counts", "--set", "input.time_unit=ms")["steps"] == 2501
    ended = bim_compile(model, "--dt", DT, "--set", "input.bins=any")
    assert (ended.code, "has no effect without --input" in ended.err) == (2, True)


def nir_data(path: Path, **signals: Any) -> Path:
    nodes = {name: nir.NIRNodeData({"spikes": signal}) for name, signal in signals.items()}
    nir.write_data(path, nir.NIRGraphData(nodes))
    return path


def test_nir_data_of_each_kind_gives_the_figures_of_the_array(tmp_path: Path, flat: bim_neuro.Program) -> None:
    model = graph(tmp_path / "g.nir")
    x = np.random.default_rng(2).random((3, 20, 4)) < 0.3
    gridded = nir.TimeGriddedData(x, DT)
    file = nir_data(tmp_path / "data.nir", input=gridded, lif=nir.TimeGriddedData(x[..., :2], DT))
    summary = run(model, file)
    assert figures(summary) == figures(run(model, saved(tmp_path / "x.npz", x=x, layout="BTC")))
    assert "'input.spikes' of" in " ".join(summary["sequences"]["notes"])
    events = gridded.to_event(n_events=int(x.sum(axis=(1, 2)).max()), time_shift=0.2 * DT)
    assert np.array_equal(flat.sequences(nir_data(tmp_path / "events.nir", some=events)), x)
    value = np.where(events.idx >= 0, 3.0, 0.0)
    valued = nir.ValuedEventData(events.idx, events.time, events.n_neurons, events.t_max, value)
    file = nir_data(tmp_path / "valued.nir", one=valued, other=gridded)
    theirs = nir.read_data(file).nodes["one"].observables["spikes"].to_time_gridded(DT).data
    assert np.array_equal(flat.sequences(file, node="one"), theirs)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (nir.TimeGriddedData(np.full((2, 5, 4), np.nan), DT), "holds nan at sample 0"),
        (nir.TimeGriddedData(np.zeros((2, 0, 4)), DT), "is empty"),
        (nir.TimeGriddedData(np.zeros((2, 5, 3)), DT), "the model needs (samples, steps, 4)"),
        (nir.EventData(np.array([[0, 9]]), np.array([[0.0, 0.001]]), 4, 0.01), "it must be from 0 to 3"),
        (nir.EventData(np.array([[0, 1]]), np.array([[0.0, -0.001]]), 4, 0.01), "1 lie before 0"),
        (nir.EventData(np.array([[0, 1]]), np.array([[0.0, np.inf]]), 4, 0.01), "event 1 is inf"),
        (nir.EventData(np.array([[0, 1]]), np.array([[0.002, 0.001]]), 4, 0.01), "is not sorted"),
        (nir.EventData(np.array([[0, 1]]), np.array([[0.0, 0.02]]), 4, 0.01), "lies behind the end at 0.01 s"),
        (nir.EventData(np.array([[-1, -1]]), np.array([[np.inf, np.inf]]), 4, 0.01), "holds no event"),
        (nir.EventData(np.array([[0]]), np.array([[0.0]]), 4, 1e9), "are allowed for this file"),
    ],
)
def test_hostile_nir_data_is_one_line(tmp_path: Path, flat: bim_neuro.Program, data: Any, said: str) -> None:
    assert said in unread(flat, nir_data(tmp_path / "data.nir", input=data))


def test_nir_data_with_several_signals_asks_which(tmp_path: Path, flat: bim_neuro.Program) -> None:
    one = nir.TimeGriddedData(np.zeros((2, 5, 4), bool), DT)
    file = nir_data(tmp_path / "data.nir", a=one, b=one)
    found = unread(flat, file)
    assert "holds the signals a.spikes, b.spikes" in found
    assert "--set input.node=a.spikes" in found
    assert flat.sequences(file, node="b").shape == (2, 5, 4)
    assert "none is called 'c'" in unread(flat, file, node="c")
    assert "a graph of NIR is the MODEL" in unread(flat, graph(tmp_path / "h.nir"))


def test_model_nir_says_nothing_of_where_and_when(tmp_path: Path) -> None:
    """The same model and input from other paths give the same bytes; norse lacks nothing of it."""
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        file = saved(folder / f"{name}.npz", x=np.ones((2, 5, 4)))
        summary = run(graph(folder / f"{name}.nir"), file, "--layout", "BTC", "--set", "nir.for=norse")
        written.append((folder / "out/model.nir").read_bytes())
        assert [found for found in summary["findings"] if found["rule"] == "nir-importer"] == []
    assert written[0] == written[1]
    assert str(tmp_path).encode() not in written[0]

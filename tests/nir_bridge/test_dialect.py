"""Dialects: presets, switches and their origins; what the six recorded frameworks computed comes back bin for bin."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from commands import bim_compile

from bim_neuro import choices
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.nir_bridge import read_nir
from bim_neuro.nir_bridge.dialect import CONCERNS, PRESETS, Dialect, dialect_of
from bim_neuro.nir_bridge.dialect_table import markdown, mends, options
from bim_neuro.nodes import LIF, Conv, Cuba, Readout
from bim_neuro.nodes.switches import SWITCHES
from bim_neuro.simulation import simulate_float

ROOT = Path(__file__).resolve().parents[2]
DT = 1e-3
SETS: dict[str, tuple[Any, float]] = {
    "norse_lif_mlp": ("norse", 1e-3),
    "norse_if_conv": ("norse", 1e-3),
    "sinabs_lif_mlp": ("sinabs", 1.0),
    "snntorch_leaky_subtract": ("snntorch", 1e-4),
    "snntorch_leaky_zero": ({"name": "snntorch", "reset": "zero", "reset_when": "same"}, 1e-4),
    "spikingjelly_lif_decay": ("spikingjelly", 1e-4),
}


def flat(values: np.ndarray) -> np.ndarray:
    """(steps, samples, ...) as (samples, steps, values)."""
    values = values.swapaxes(0, 1)
    return values.reshape(*values.shape[:2], -1)


def chain(path: Path, *layers: nir.NIRNode, lines: int = 2, wide: int = 3) -> Path:
    nodes = {"in": nir.Input(np.array([lines])), **{f"n{at}": layer for at, layer in enumerate(layers)}}
    nodes["out"] = nir.Output(np.array([wide]))
    nir.write(path, nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), type_check=False))
    return path


def lif(**changes: Any) -> nir.LIF:
    fields = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.LIF(**{key: np.broadcast_to(np.asarray(value, float), (3,)).copy() for key, value in fields.items()})


@pytest.mark.parametrize("name", SETS)
def test_every_recorded_layer_comes_back(recordings: Path, name: str) -> None:
    dialect, dt = SETS[name]
    folder = recordings / "nir_examples" / name
    io = dict(np.load(folder / "io.npz"))
    graph = read_nir(folder / "graph.nir", dt, dialect=dialect)
    got = simulate_float(graph, flat(io["x"]).astype(float)).probes
    assert np.abs(flat(io["out"]) - got[f"{graph.output}.message"]).max() < 1e-5
    theirs = {key.partition("__")[2]: value for key, value in io.items() if key.startswith(("spk__", "out__"))}
    hidden = {layer.lstrip("_"): node for layer, node in graph.nodes.items() if isinstance(node, LIF | Cuba)}
    assert hidden.keys() <= theirs.keys()
    for layer in hidden:
        probe = next(key for key in got if key.lstrip("_") == f"{layer}.message")
        assert np.count_nonzero(flat(theirs[layer]) != got[probe]) == 0


@pytest.mark.parametrize("name", ["sinabs_lif_mlp", "snntorch_leaky_subtract", "snntorch_leaky_zero"])
def test_with_the_defaults_other_spikes_come_out(recordings: Path, name: str) -> None:
    folder = recordings / "nir_examples" / name
    io = dict(np.load(folder / "io.npz"))
    graph = read_nir(folder / "graph.nir", SETS[name][1], dialect={"integrator": "exponential"})
    got = simulate_float(graph, flat(io["x"]).astype(float)).probes[f"{graph.output}.message"]
    assert np.count_nonzero(flat(io["out"]) != got) > 0


def test_presets_are_those_of_the_option_and_say_their_source() -> None:
    assert tuple(PRESETS) == choices.DIALECTS
    assert SWITCHES.keys() - CONCERNS.keys() == {"rec_first", "rec_input"}
    for name, preset in PRESETS.items():
        assert preset.source.startswith(("the equations", f"{name} "))
        assert preset.versions
        for option in preset.options:
            Dialect.named(name, **option.switches)  # refuses what is no switch
        for mend in preset.mends:
            assert mend.fault
            assert mend.upstream == "" or mend.upstream.startswith("https://github.com/")
        chosen = Dialect.named(name)
        assert {key for key, origin in chosen.origins.items() if origin == name} == preset.switches.keys()


def test_the_tables_of_the_page_are_printed_from_the_code() -> None:
    page = (ROOT / "docs" / "nir.md").read_text()
    for table in (*markdown().split("\n\n"), options(), mends()):
        assert table in page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nors", ("unknown dialect 'nors'", "did you mean norse?")),
        (
            {"reset": "subtracted"},
            ("dialect.reset is 'subtracted', allowed: value, subtract, zero", "did you mean sub"),
        ),
        ({"resets": "zero"}, ("no switch 'resets'", "did you mean reset?")),
        (7, ("dialect is", "a name or a table of switches is needed")),
    ],
)
def test_a_wrong_dialect_is_refused_with_the_nearest_name(tmp_path: Path, given: Any, words: tuple[str, ...]) -> None:
    path = chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2))), lif())
    with pytest.raises(InputError) as refusal:
        read_nir(path, DT, dialect=given)
    for word in words:
        assert word in f"{refusal.value.message} {refusal.value.hint}"


def test_every_switch_in_force_is_an_assumption_with_its_origin(tmp_path: Path) -> None:
    path = chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2))), lif())
    said = read_nir(path, DT, dialect={"name": "snntorch", "reset": "zero"}).extra["assumptions"]
    origins = {line.split()[0]: line.split()[2:4] for line in said if line.startswith("dialect.")}
    assert origins["dialect.reset"] == ["zero", "(set):"]
    assert origins["dialect.reset_when"] == ["delayed", "(snntorch):"]
    assert origins["dialect.counts"] == ["one", "(default):"]
    assert "dialect.if_input" not in origins  # the graph has no IF


def test_a_file_that_looks_like_a_framework_s_says_so_and_is_read_by_the_defaults(tmp_path: Path) -> None:
    path = chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2))), lif(r=10.0))
    graph = read_nir(path, DT)
    assert any(
        "--dialect snntorch would read it so; that was not chosen" in said for said in graph.extra["assumptions"]
    )
    assert isinstance(graph.nodes["n1"], LIF)
    assert not any("would" in said for said in read_nir(path, DT, dialect="norse").extra["assumptions"])


def test_what_a_lif_holds_stays_one_and_all_else_is_a_cuba(tmp_path: Path) -> None:
    def node(dialect: Any = None, **changes: Any) -> Any:
        path = chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2))), lif(**changes))
        return read_nir(path, DT, dialect=dialect).nodes["n1"]

    assert isinstance(node(v_threshold=[1, 2, 3]), LIF)
    assert isinstance(node({"v0": "reset"}, v_reset=-0.5, v_leak=-0.2), LIF)  # by moving the variable
    for other in (
        node(v_reset=-0.5), node(tau=[0.01, 0.02, 0.01]), node(v_threshold=[1, 2, -1]), node({"reset": "subtract"}),
        node({"compare": ">="}), node({"counts": "many"}), node({"floor": "threshold"}), node({"lag": "yes"}),
    ):  # fmt: skip
        assert isinstance(other, Cuba)


def test_moving_the_variable_changes_no_spike(tmp_path: Path) -> None:
    """A LIF of v - v_reset, and the Cuba that a floor far below makes of the same layer."""
    layer = lif(v_reset=-0.5, v_leak=0.3, v_threshold=[0.4, 0.5, 0.7])
    path = chain(tmp_path / "g.nir", nir.Affine(np.array([[9, 2], [3, 8], [5, 5.0]]), np.ones(3)), layer)
    x = (np.random.default_rng(0).random((2, 60, 2)) < 0.5).astype(float)
    moved = simulate_float(read_nir(path, DT, dialect={"v0": "reset"}), x).probes
    whole = simulate_float(read_nir(path, DT, dialect={"v0": "reset", "lag": "yes"}), x).probes
    assert moved["n1.message"].sum() > 20
    assert np.array_equal(moved["n1.message"][:, :-1], whole["n1.message"][:, 1:])


def test_a_convolution_before_neurons_of_their_own_stays_one(tmp_path: Path) -> None:
    conv = nir.Conv2d((4, 4), np.ones((2, 1, 3, 3)), 1, 1, 1, 1, np.zeros(2))
    shape = (2, 4, 4)
    many = np.random.default_rng(0).uniform(1, 2, shape)
    neurons = nir.LIF(tau=np.full(shape, 0.01), r=np.ones(shape), v_leak=np.zeros(shape), v_threshold=many)
    nodes = {"in": nir.Input(np.array([1, 4, 4])), "w": conv, "n": neurons, "out": nir.Output(np.array(shape))}
    nir.write(tmp_path / "g.nir", nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), type_check=False))
    graph = read_nir(tmp_path / "g.nir", DT)
    assert isinstance(graph.nodes["n"], Cuba)
    assert isinstance(graph.edges[0].synapse, Conv)
    assert np.array_equal(graph.nodes["n"].v_threshold, many.ravel())


def test_a_threshold_has_no_memory_and_a_voltage_may_lead_to_it(tmp_path: Path) -> None:
    """LI, then Threshold, by hand: tau = 2 steps, input 1 each: v = .5, .75, .875, ..."""
    ones = np.ones(3)
    layers = (nir.LI(tau=2 * DT * ones, r=ones, v_leak=0 * ones), nir.Threshold(np.array([0.6, 0.8, 2])))
    graph = read_nir(chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2)) / 2), *layers), DT)
    spikes = simulate_float(graph, np.ones((1, 4, 2))).probes["n2.message"][0]
    assert spikes.T.tolist() == [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]


def test_a_cubali_mid_graph_and_as_the_output(tmp_path: Path) -> None:
    """u = .5 u + x, v = .5 v + u from v_leak = 1 on, in voltages that count from it."""
    ones = np.ones(3)
    layer = nir.CubaLI(tau_syn=2 * DT * ones, tau_mem=2 * DT * ones, r=2 * ones, v_leak=ones, w_in=2 * ones)
    path = chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2)) / 2), layer)
    graph = read_nir(path, DT)
    x = np.array([1.0, 0, 0])[None, :, None] * np.ones(2)
    assert simulate_float(graph, x).probes[f"{graph.output}.message"][0, :, 0].tolist() == [2, 2, 1.75]
    assert isinstance(graph.nodes["n1"], Cuba)
    assert isinstance(graph.nodes[graph.output], Readout)
    between = read_nir(chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2)) / 2), layer, lif(tau=DT)), DT)
    assert simulate_float(between, 0 * x).probes["n2.message"].sum() == 0  # 1 is not above a threshold of 1
    assert simulate_float(between, x).probes["n2.message"][0, :, 0].tolist() == [1, 1, 1]


def test_rockpool_s_synapses_and_neurons_by_their_own_law(tmp_path: Path) -> None:
    """i = (i + x) b, v = a v + i, floor(v) spikes that are subtracted; then the readout r = (r + s) c."""
    a, b, c = np.exp(-np.array([1 / 4, 1 / 3, 1 / 5]))
    rng, ones, n = np.random.default_rng(0), np.ones(3), 3
    first, x = rng.normal(size=(n, 4)) * 2, (rng.random((2, 40, 4)) < 0.4).astype(float)
    i, v, r, readout = np.zeros((2, n)), np.zeros((2, n)), np.zeros((2, n)), []
    most = 0.0
    for t in range(40):
        i = (i + x[:, t] @ first.T) * b
        v = a * v + i
        s = np.where(v >= 1, np.floor(v), 0)
        v, r, most = v - s, (r + s) * c, max(most, s.max())
        readout.append(r)
    fields = {"r": 7 * ones, "v_leak": 0 * ones}
    lif = nir.CubaLIF(tau_syn=3 * DT * ones, tau_mem=4 * DT * ones, v_threshold=ones, w_in=ones, **fields)
    graph = read_nir(
        chain(tmp_path / "g.nir", nir.Linear(first), lif, nir.LI(tau=5 * DT * ones, **fields), lines=4),
        DT, dialect="rockpool",
    )  # fmt: skip
    got = simulate_float(graph, x).probes[f"{graph.output}.message"]
    assert most > 1
    np.testing.assert_allclose(got, np.stack(readout, axis=1), rtol=1e-9)


def test_a_neuron_without_a_leak(tmp_path: Path) -> None:
    """snnTorch's beta = 1: tau and r are infinite, the gain is 1."""
    path = chain(tmp_path / "g.nir", nir.Linear(np.full((3, 2), 0.3)), lif(tau=np.inf, r=np.inf))
    graph = read_nir(path, DT)
    assert simulate_float(graph, np.ones((1, 4, 2))).probes["n1.message"][0, :, 0].tolist() == [0, 1, 0, 1]


def test_a_recurrent_layer_of_spyx_by_its_own_law(tmp_path: Path) -> None:
    """Spikes of V[t-1], then V = beta V + x + W s - s v_threshold; the file wires the input to W."""
    rng, beta, n = np.random.default_rng(0), 0.75, 6
    weight, first = rng.normal(size=(n, n)) / 2, rng.normal(size=(n, 4))
    x = (rng.random((2, 40, 4)) < 0.4).astype(float)
    v, spikes = np.zeros((2, n)), []
    for t in range(40):
        s = (v > 1).astype(float)
        v = beta * v + x[:, t] @ first.T + s @ weight.T - s
        spikes.append(s)
    ones = np.ones(n)
    lif = nir.LIF(tau=DT / (1 - beta) * ones, r=beta * ones, v_leak=0 * ones, v_threshold=ones)
    ends = {"in": nir.Input(np.array([4])), "out": nir.Output(np.array([n]))}
    nodes = {**ends, "w": nir.Linear(first), "w_rec": nir.Linear(weight), "lif": lif}
    edges = [("in", "w"), ("w", "w_rec"), ("w_rec", "lif"), ("lif", "w_rec"), ("lif", "out")]
    nir.write(tmp_path / "g.nir", nir.NIRGraph(nodes, edges, type_check=False))
    graph = read_nir(tmp_path / "g.nir", DT, dialect="spyx")
    got = simulate_float(graph, x).probes[f"{graph.output}.message"]
    assert np.sum(spikes) > 30
    assert np.array_equal(got, np.stack(spikes, axis=1))
    assert any(line.startswith("dialect.rec_input = neuron (spyx)") for line in graph.extra["assumptions"])


@pytest.mark.parametrize(
    ("layer", "dialect", "message"),
    [
        (lif(tau=[0.01, 0.0, 0.01]), None, "node 'n1' has tau = 0 s, a time constant is positive"),
        (lif(v_threshold=[1, 1, 0]), {"counts": "many"}, r"v_threshold 0, counts = many needs more than 0"),
        (nir.Delay(np.full(3, 63 * DT)), None, "node 'n1' delays by 63 steps, 62 are allowed"),
        (nir.Threshold(np.ones(4)), None, r"node 'n1' \(Threshold\): threshold has 4 values, its input has 3"),
    ],
)
def test_what_is_wrong_with_a_layer_is_said_by_name(
    tmp_path: Path, layer: nir.NIRNode, dialect: Any, message: str
) -> None:
    with pytest.raises(DoesNotFit, match=message):
        read_nir(chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2))), layer), DT, dialect=dialect)


def test_an_output_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match=r"the output 'out' has shape \[5\], the graph sends it 3 values"):
        read_nir(chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2))), lif(), wide=5), DT)


def test_the_command_takes_a_preset_and_switches(tmp_path: Path) -> None:
    path = chain(tmp_path / "g.nir", nir.Linear(np.ones((3, 2))), lif())
    asked = ("--dt", DT, "--dialect", "snntorch", "--set", "dialect.reset=zero", "--input")
    np.savez(tmp_path / "x.npz", x=(np.random.default_rng(0).random((2, 9, 2)) < 0.5) * 1, layout="BTC")
    ended = bim_compile(path, *asked, tmp_path / "x.npz", "--json", "-o", tmp_path / "out")
    said = json.loads(ended.out)
    assert said["request"]["options"]["dialect name"] == "snntorch"
    assert any(line.startswith("dialect.reset = zero (set)") for line in said["assumptions"])
    ours = tmp_path / "out" / "model.nir"
    assert isinstance(nir.read(ours).nodes["n1"], nir.LIF)
    assert isinstance(read_nir(ours).nodes["n1"], Cuba)
    nir.write(tmp_path / "theirs.nir", nir.read(ours))
    with pytest.raises(InputError, match="the resets and counts of n1 cannot be rebuilt"):
        read_nir(tmp_path / "theirs.nir")
    refused = bim_compile(ours, "--dialect", "norse", "--check")
    assert (refused.code, "brings its own dialect" in refused.err) == (2, True)


def test_layers_may_differ_by_type_and_by_name() -> None:
    """A name goes before a type, a type before the graph; a switch that is set goes before a preset's exceptions."""
    given = {"name": "spyx", "reset": "zero", "layers": "LIF.reset=value, out.reset=subtract, out.lag=no"}
    dialect = dialect_of(given)
    assert [dialect.of(*layer)["reset"] for layer in (("a", "IF"), ("a", "LIF"), ("out", "LIF"))] == [
        "zero", "value", "subtract",
    ]  # fmt: skip
    assert [dialect.of(*layer)["reset_when"] for layer in (("a", "LIF"), ("a", "CubaLIF"))] == ["after", "next"]
    assert dialect_of({"name": "spyx", "reset_when": "same"}).of("a", "CubaLIF")["reset_when"] == "same"
    assert dialect.of("out", "LIF")["lag"] == "no"
    assert dialect_of({"layers": {"out": {"lag": "yes"}}}).of("out", "LIF")["lag"] == "yes"


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ("lif.reset", "dialect.layers holds 'lif.reset'"),
        ("lif=zero", "dialect.layers holds 'lif=zero'"),
        ("lif.rest=zero", "a dialect has no switch 'rest'"),
        ("lif.reset=nil", "dialect.reset of lif is 'nil', allowed: value, subtract, zero"),
        ("lift.reset=zero", "dialect.layers names 'lift', which is no node and no type of neuron"),
        (3, "dialect.layers is 3, a table of switches a layer is needed"),
    ],
)
def test_exceptions_that_are_none_are_refused(layers: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    ones = np.ones(2)
    nodes = {
        "in": nir.Input(np.array([2])),
        "lif": nir.LIF(0.01 * ones, ones, 0 * ones, ones),
        "out": nir.Output(np.array([2])),
    }
    nir.write(path, nir.NIRGraph(nodes, [("in", "lif"), ("lif", "out")]))
    with pytest.raises(InputError, match=says):
        read_nir(path, 1e-3, dialect={"layers": layers})

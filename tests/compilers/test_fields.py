"""Fields narrower than our integers: what does not fit is refused by name, what may not is said, Lava is the judge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bim_neuro.compilers.align import align
from bim_neuro.compilers.artefact import Artefact, check, expected_messages, load_artefact, save_artefact
from bim_neuro.compilers.fields import DENDRITE_MAX, LAVA_CURRENT_MAX, largest_sum, out_of_field, wide_sums
from bim_neuro.compilers.placement.place import place
from bim_neuro.compilers.quantise import quantise
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.graph import Edge, FloatGraph, IntegerGraph
from bim_neuro.hardware import load_profile
from bim_neuro.nodes import LIF, Dense, Encoder, IntegerLIF, IntegerReadout, IntegerRelay, IntegerScan, Source
from bim_neuro.nodes.arithmetic import FACTOR_MAX, WORD_MAX, Array
from bim_neuro.nodes.lif import split_bias
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.pipeline import compile_model
from bim_neuro.simulation.agreement import verify
from bim_neuro.simulation.compiled import simulate_engine
from bim_neuro.simulation.reference import simulate

LINES = 4
SPIKES = Encoder("spikes", np.ones(LINES), np.zeros(LINES))


def real_lif(bias: list[float], largest_weight: float = 127.0) -> FloatGraph:
    """A LIF whose weight unit is 1, so that its bias in state units is 64 times the one given."""
    weight = np.zeros((len(bias), LINES))
    weight[:, 0] = largest_weight
    node = LIF(len(bias), 0.9, 100.0, np.array(bias))
    nodes = {"input": Source(LINES, graded=False), "lif": node}
    return FloatGraph(nodes, (Edge("input", "lif", "i", Dense(weight)),), 1e-3, SPIKES)


def integer_lif(node: IntegerLIF, weight: Array) -> IntegerGraph:
    nodes: dict[str, IntegerNode] = {"input": Source(weight.shape[1], graded=False), "lif": node}
    encoder = Encoder("spikes", np.ones(weight.shape[1]), np.zeros(weight.shape[1]))
    return align(IntegerGraph(nodes, (Edge("input", "lif", "i", Dense(weight.astype(np.int8))),), 1e-3, encoder))


def lif_of(graph: IntegerGraph) -> IntegerLIF:
    node = graph.nodes["lif"]
    assert isinstance(node, IntegerLIF)
    return node


@pytest.mark.parametrize(
    ("bias", "mantissas", "exponent"),
    [
        ([1.0, -2.0, 0.0], [64, -128, 0], 0),
        ([63.984375, 1 / 64], [4095, 1], 0),  # the largest that needs no exponent
        ([64.0, 1 / 64], [2048, 0], 1),  # one more, and what one neuron needs costs the others their last bit
        ([520.6953125, -8189.0], [260, -4094], 7),
    ],
)
def test_a_bias_takes_the_smallest_exponent_that_holds_the_largest(
    bias: list[float], mantissas: list[int], exponent: int
) -> None:
    lif = lif_of(quantise(real_lif(bias)))
    assert (lif.bias_mant.tolist(), lif.bias_exp) == (mantissas, exponent)
    assert lif.bias.tolist() == [mantissa * 2**exponent for mantissa in mantissas]
    assert np.abs(lif.bias - 64 * np.array(bias)).max() <= 2**exponent / 2


def test_a_bias_no_field_holds_is_refused_with_what_it_needs() -> None:
    with pytest.raises(DoesNotFit) as refusal:
        quantise(real_lif([0.0, -8200.0]))
    (finding,) = refusal.value.findings
    assert (finding.rule, finding.layer, finding.used, finding.limit) == ("lif-bias", "lif", 524_800, 4095 * 2**7)
    assert finding.message == "layer 'lif' needs a bias of 524,800, a LIF holds 4,095 times 2^7"
    assert "rescale the weights into this layer" in finding.hint


@pytest.mark.lava
def test_a_bias_beyond_thirteen_bits_equals_lava() -> None:
    """lava#329: passed whole, 33,325 became -32,211 in Lava."""
    program = compile_model(real_lif([33325 / 64, -33325 / 64, 0.5]), "loihi2")
    x = (np.random.default_rng(0).random((2, 6, LINES)) < 0.5).astype(np.int64)
    ours, theirs = program.run(x, probe=True), program.run(x, backend="lava")
    rows = verify(ours, theirs)
    assert (rows["equal"], rows["states_equal"]) == (rows["spike_slots"], rows["states"])
    assert lif_of(program.graph).bias.tolist() == [33328, -33328, 32]
    assert ours.probes["lif.message"][..., 0].all()  # its bias alone is beyond the threshold


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("exponent", [0, 7])
def test_the_ends_of_the_bias_field_equal_lava(exponent: int) -> None:
    node = IntegerLIF(4, 1000, 300, 2**17 - 1, np.array([-4096, 4095, -1, 1]), exponent)
    graph = integer_lif(node, np.full((4, LINES), 127))
    x = (np.random.default_rng(1).random((1, 8, LINES)) < 0.5).astype(np.int64)
    rows = verify(simulate(graph, x, probe=True), run_lava(graph, x))
    assert (rows["equal"], rows["states_equal"]) == (rows["spike_slots"], rows["states"])


def test_engine_and_law_agree_on_a_bias_with_an_exponent() -> None:
    node = IntegerLIF(3, 4095, 50, 2000, np.array([4095, -4096, 77]), 7)
    graph = integer_lif(node, np.random.default_rng(2).integers(-127, 128, (3, LINES)))
    x = (np.random.default_rng(3).random((3, 20, LINES)) < 0.5).astype(np.int64)
    rows = verify(simulate(graph, x, probe=True), simulate_engine(graph, x, probe=True))
    assert (rows["equal"], rows["states_equal"]) == (rows["spike_slots"], rows["states"])


def as_version_1(artefact: Artefact, path: Path, bias: Array) -> None:
    """Write the file as version 1 did, with the bias whole."""
    save_artefact(artefact, path)
    with np.load(path) as archive:
        content = dict(archive)
    header = json.loads(str(content["header"]))
    lif = header["graph"]["nodes"]["items"]["lif"]
    del lif["bias_mant"], lif["bias_exp"]
    lif["bias"] = {"array": "graph/nodes/lif/bias"}
    header["version"] = 1
    del content["graph:graph/nodes/lif/bias_mant"]
    content |= {"header": np.array(json.dumps(header)), "graph:graph/nodes/lif/bias": bias}
    with path.open("wb") as file:
        np.savez(file, **content)


def program_with(bias: Array) -> Artefact:
    mantissa, exponent = split_bias(bias)
    graph = integer_lif(IntegerLIF(len(bias), 4095, 50, 2000, mantissa, exponent), np.full((len(bias), LINES), 100))
    x = (np.random.default_rng(4).random((1, 5, LINES)) < 0.5).astype(np.int64)
    return Artefact(graph, "loihi2", x, expected_messages(graph, x))


@pytest.mark.parametrize(
    ("bias", "mantissas", "exponent"),
    [([-4096, 4095], [-4096, 4095], 0), ([4096, -2], [2048, -1], 1), ([2**19 - 128, -(2**19)], [4095, -4096], 7)],
)
def test_a_file_of_version_1_gives_the_same_messages(
    tmp_path: Path, bias: list[int], mantissas: list[int], exponent: int
) -> None:
    path = tmp_path / "model.bimn"
    as_version_1(program_with(np.array(bias)), path, np.array(bias))
    artefact = load_artefact(path)
    lif = lif_of(artefact.graph)
    assert (lif.bias_mant.tolist(), lif.bias_exp) == (mantissas, exponent)
    assert check(artefact) == 5 * (len(bias) + LINES)


@pytest.mark.parametrize("bias", [[33325, 2], [4097, 1], [2**19, 0], [0, -(2**40)]])
def test_a_bias_of_version_1_that_no_field_holds_is_refused_by_name(tmp_path: Path, bias: list[int]) -> None:
    path = tmp_path / "model.bimn"
    as_version_1(program_with(np.zeros(2, np.int64)), path, np.array(bias))
    neuron = int(np.argmax(np.abs(bias)))
    with pytest.raises(InputError, match=rf"layer 'lif': bias is {bias[neuron]} at neuron {neuron}"):
        load_artefact(path)


def scan(**values: object) -> IntegerScan:
    two = np.ones(2, np.int64)
    node = IntegerScan(np.ones((2, 3), np.int64), 16, two, 0, two, 4, two, two, 4, two, 0, 0, 0)
    return replace(node, **values)  # type: ignore[arg-type]


ONE = np.ones(1, np.int64)
IN_FIELD = {
    "lif.du": lambda v: IntegerLIF(1, v, 0, 0, ONE),
    "lif.dv": lambda v: IntegerLIF(1, 0, v, 0, ONE),
    "lif.v_threshold": lambda v: IntegerLIF(1, 0, 0, v, ONE),
    "lif.bias_mant": lambda v: IntegerLIF(1, 0, 0, 0, v * ONE),
    "lif.bias_exp": lambda v: IntegerLIF(1, 0, 0, 0, ONE, v),
    "relay.multiplier": lambda v: IntegerRelay(v * ONE, 0, ONE),
    "relay.bias": lambda v: IntegerRelay(ONE, 0, v * ONE),
    "readout.decay": lambda v: IntegerReadout(v, ONE, 0, ONE),
    "readout.multiplier": lambda v: IntegerReadout(0, v * ONE, 0, ONE),
    "readout.bias": lambda v: IntegerReadout(0, ONE, 0, v * ONE),
    "scan.alpha": lambda v: scan(alpha=np.array([[1, 1, 1], [1, v, 1]])),
    "scan.u_multiplier": lambda v: scan(u_multiplier=np.array([1, v])),
    "scan.dt_multiplier": lambda v: scan(dt_multiplier=np.array([1, v])),
    "scan.d_skip": lambda v: scan(d_skip=np.array([1, v])),
    "scan.u_bias": lambda v: scan(u_bias=np.array([1, v])),
    "scan.dt_bias": lambda v: scan(dt_bias=np.array([1, v])),
}
ENDS = {
    "du": (0, 4095, "lif-decay"),
    "dv": (0, 4095, "lif-decay"),
    "v_threshold": (0, 2**17 - 1, "lif-threshold"),
    "bias_mant": (-4096, 4095, "lif-bias"),
    "bias_exp": (0, 7, "lif-bias"),
    "decay": (0, FACTOR_MAX + 1, "factor-bits"),  # one more: no leak
    "multiplier": (0, FACTOR_MAX, "factor-bits"),
    "alpha": (0, FACTOR_MAX, "factor-bits"),
    "bias": (-WORD_MAX, WORD_MAX, "constant-bits"),
    "d_skip": (-WORD_MAX, WORD_MAX, "constant-bits"),
}


@pytest.mark.parametrize("what", IN_FIELD)
def test_a_constant_fits_its_field_or_is_refused_by_name(what: str) -> None:
    kind, name = what.split(".")
    low, high, rule = next(ends for end, ends in ENDS.items() if name.endswith(end))
    graph = align(IntegerGraph({"in": Source(LINES)}, (), 1e-3, SPIKES))

    def found(value: int) -> list[tuple[str, float | None, float | None]]:
        node = IN_FIELD[what](value)
        findings = out_of_field(replace(graph, nodes={**graph.nodes, kind: node}))
        return [(f.rule, f.used, f.limit) for f in findings if f"{name} of {value:,}" in f.message]

    assert found(low) == found(high) == []
    assert found(low - 1) == [(rule, low - 1, low)]
    assert found(high + 1) == [(rule, high + 1, high)]


def test_every_number_of_every_node_has_a_field_but_shifts_and_sizes() -> None:
    nodes = [make(0) for make in IN_FIELD.values()]
    names = {f"{node.kind}.{name}" for node in nodes for name in vars(node)}
    assert {name for name in names - IN_FIELD.keys() if "shift" not in name} == {"lif.size"}


def test_a_graph_out_of_field_is_refused_on_every_chip() -> None:
    graph = integer_lif(IntegerLIF(1, 4095, 50, 2000, np.array([4096])), np.ones((1, LINES)))
    with pytest.raises(DoesNotFit, match="bias_mant of 4,096 at neuron 0, its field holds -4,096 to 4,095"):
        place(graph, load_profile("lava_cpu"))


def fan_in(weights: list[int]) -> IntegerGraph:
    return integer_lif(IntegerLIF(1, 4095, 50, 2000, ONE), np.array([weights]))


@pytest.mark.parametrize(
    ("weights", "largest"),
    [
        ([127] * 258 + [1], 32767),  # the most that 16 bits hold
        ([127] * 258 + [2], 32768),
        ([127] * 200 + [-127] * 200, 25400),  # spikes add up either way, never both
        ([-127] * 300 + [127] * 2, 38100),
    ],
)
def test_what_a_lif_may_receive_is_bounded_by_its_weights(weights: list[int], largest: int) -> None:
    graph = fan_in(weights)
    assert largest_sum(graph, list(graph.edges)) == largest
    found = [(f.rule, f.layer, f.used, f.limit, f.severity) for f in wide_sums(graph)]
    expected = ("dendrite-bits", "lif", largest, DENDRITE_MAX, "warning")
    assert found == ([expected] if largest > DENDRITE_MAX else [])


@pytest.mark.lava
@pytest.mark.slow
def test_lava_keeps_a_sum_beyond_sixteen_bits_as_we_do() -> None:
    """Why it is a warning and no error: the judge declares 16 bits and does not keep to them."""
    graph = fan_in([127] * 300)
    x = np.ones((1, 3, 300), np.int64)
    ours, theirs = simulate(graph, x, probe=True), run_lava(graph, x)
    assert ours.probes["lif.u"].max() == 38100 << 6
    np.testing.assert_array_equal(ours.probes["lif.u"], theirs.probes["lif.u"])


def test_a_sum_that_leaves_lavas_registers_is_said_while_compiling() -> None:
    encoder = Encoder("graded", np.ones(1), np.zeros(1))
    nodes: dict[str, IntegerNode] = {
        "input": Source(1),
        "wide": IntegerReadout(0, np.array([1]), 0, np.array([0])),
        "lif": IntegerLIF(1, 4095, 50, 2000, ONE),
    }
    edges = tuple(
        Edge(source, target, port, Dense(np.array([[weight]], np.int8)))
        for source, target, port, weight in (("input", "wide", "a", 1), ("wide", "lif", "i", 5))
    )
    graph = align(IntegerGraph(nodes, edges, 1e-3, encoder))
    wide = next(finding for finding in wide_sums(graph) if finding.rule == "lava-sum")
    assert (wide.layer, wide.used, wide.limit) == ("lif", 5 * WORD_MAX, LAVA_CURRENT_MAX)
    assert not [f for f in wide_sums(fan_in([1])) if f.rule == "lava-sum"]


def test_a_warning_of_a_sum_reaches_the_program() -> None:
    graph = real_lif([0.0])
    wide = np.full((1, 300), 1.0)
    lines = Encoder("spikes", np.ones(300), np.zeros(300))
    nodes = {**graph.nodes, "input": Source(300, graded=False)}
    program = compile_model(
        replace(graph, nodes=nodes, encoder=lines, edges=(Edge("input", "lif", "i", Dense(wide)),)), "loihi2"
    )
    assert [finding.rule for finding in program.findings] == ["dendrite-bits"]
    assert compile_model(graph, "loihi2").findings == ()

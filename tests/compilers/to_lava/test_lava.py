"""Lava judges the plain law: every message, every state, every count; and it convicts every fault we can think of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_models import small_graphs, small_input

from bim_neuro.compilers.align import align
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Dense, Diagonal, Encoder, IntegerLIF, IntegerReadout, IntegerRelay, IntegerScan, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.record import RunRecord
from bim_neuro.simulation import simulate
from bim_neuro.simulation.agreement import verify
from bim_neuro.simulation.counting import count_messages

pytestmark = pytest.mark.lava

THRESHOLD = 100
CHANNELS = 12


@pytest.fixture(scope="module")
def blocks() -> IntegerGraph:
    """Two blocks, so that spikes are the input of a block too."""
    return small_graphs(blocks=2)[1]


@pytest.fixture(scope="module")
def x(blocks: IntegerGraph) -> Array:
    return blocks.encoder.encode(small_input(2, 8))


@pytest.fixture(scope="module")
def judged(blocks: IntegerGraph, x: Array) -> RunRecord:
    return run_lava(blocks, x)


@pytest.fixture(scope="module")
def lif() -> IntegerGraph:
    """Four neurons with a synaptic current: at the threshold, driven down, up and down, and past the register."""
    rng = np.random.default_rng(0)
    weight = np.zeros((4, CHANNELS), dtype=np.int8)
    weight[0, 0] = 1
    weight[1] = rng.integers(-9, 2, CHANNELS)
    weight[2] = rng.integers(-20, 21, CHANNELS)
    weight[3] = 127
    node = IntegerLIF(4, du=2901, dv=517, v_threshold=THRESHOLD, bias_mant=np.array([0, -77, 1234, 5]))
    nodes: dict[str, IntegerNode] = {"input": Source(CHANNELS), "lif": node}
    encoder = Encoder("graded", np.ones(CHANNELS), np.zeros(CHANNELS))
    return align(IntegerGraph(nodes, (Edge("input", "lif", "i", Dense(weight)),), 1e-3, encoder))


@pytest.mark.slow
def test_a_run_within_the_budget_of_a_run_is_not_held_to_that_of_a_strangers_file() -> None:
    """Its messages and states take 290 MB, and its file unfolds to more than one of a stranger may."""
    size, steps = 20_000, 600
    node = IntegerLIF(size, 4095, 100, 20, np.zeros(size, np.int64))
    nodes: dict[str, IntegerNode] = {"input": Source(size, graded=False), "lif": node}
    edge = Edge("input", "lif", "i", Diagonal(np.full(size, 40, np.int8)))
    graph = align(IntegerGraph(nodes, (edge,), 1e-3, Encoder("spikes", np.ones(size), np.zeros(size))))
    x = np.zeros((1, steps, size), np.int64)
    x[0, 5] = 1
    assert run_lava(graph, x).output.tolist() == [[1] * size]


@pytest.mark.parametrize("x", [np.full((1, 3, CHANNELS), 0.5), np.zeros((1, 3, CHANNELS + 1), np.int64)])
def test_lava_is_given_integers_of_the_models_width(lif: IntegerGraph, x: Array) -> None:
    with pytest.raises(InputError, match="input h"):
        run_lava(lif, x)


@pytest.fixture(scope="module")
def lif_x() -> Array:
    """Two samples; the first begins with the threshold on the first line, later steps are large and of both signs."""
    x = np.random.default_rng(1).integers(-127, 128, (2, 12, CHANNELS))
    x[0, 0] = 0
    x[0, 0, 0] = THRESHOLD
    x[:, 6] = 127
    x[:, 8] = -127
    return x


@pytest.fixture(scope="module")
def lif_judged(lif: IntegerGraph, lif_x: Array) -> RunRecord:
    return run_lava(lif, lif_x)


def differing(left: RunRecord, right: RunRecord) -> list[str]:
    """Return the messages and states that are not equal at every step."""
    rows = verify(left, right)["layers"]
    return [f"{row['layer']}.{row['what']}" for row in rows if row["equal"] != row["values"]]


def with_node(graph: IntegerGraph, name: str, node: IntegerNode) -> IntegerGraph:
    return replace(graph, nodes={**graph.nodes, name: node})


def test_two_blocks_equal_lava_in_every_message_and_state(blocks: IntegerGraph, x: Array, judged: RunRecord) -> None:
    ours = simulate(blocks, x, probe=True)
    assert differing(ours, judged) == []
    assert ours.probes.keys() == judged.probes.keys()
    np.testing.assert_array_equal(ours.output, judged.output)
    assert np.count_nonzero(ours.probes["block2.lif.message"]) > 0


def test_counts_from_lavas_messages_equal_the_simulators(blocks: IntegerGraph, x: Array, judged: RunRecord) -> None:
    expected = simulate(blocks, x).layers
    counted = count_messages(blocks, judged.probes, judged.steps)
    for name in blocks.nodes:
        for what in ("synops_hardware", "synops_effective", "updates", "messages"):
            np.testing.assert_array_equal(
                getattr(counted[name], what), getattr(expected[name], what), err_msg=f"{what} of {name}"
            )


def test_a_lif_with_a_current_equals_lava(lif: IntegerGraph, lif_x: Array, lif_judged: RunRecord) -> None:
    ours = simulate(lif, lif_x, probe=True)
    assert differing(ours, lif_judged) == []
    assert ours.layers["lif"].totals()["saturations"] > 0  # the last neuron's current wrapped
    assert max(ours.probes[state].min() for state in ("lif.u", "lif.v")) < 0
    assert ours.probes["lif.message"].any(axis=(0, 1)).sum() >= 2


@pytest.mark.parametrize(
    "fault",
    [
        {"du": 2900},  # as if the hidden +1 were not there
        {"dv": 516},
        {"v_threshold": THRESHOLD - 1},  # as if >= were >
        {"bias_mant": np.array([0, -76, 1234, 5])},
        {"bias_exp": 1},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_lava_convicts_a_faulty_lif(
    lif: IntegerGraph, lif_x: Array, lif_judged: RunRecord, fault: dict[str, object]
) -> None:
    node = replace(lif.nodes["lif"], **fault)  # type: ignore[type-var]
    assert differing(simulate(with_node(lif, "lif", node), lif_x, probe=True), lif_judged) != []


def test_lava_convicts_a_current_that_rounds_down(lif: IntegerGraph, lif_x: Array, lif_judged: RunRecord) -> None:
    """Towards minus infinity, as a plain shift would; Lava and Loihi round towards zero."""

    class RoundsDown(IntegerLIF):
        def step(self, state, inputs):  # type: ignore[no-untyped-def]
            decayed = (state["u"] * (4096 - (self.du + 1))) >> 12
            after = super().step({**state, "u": np.zeros_like(state["u"])}, inputs)
            return after._replace(state={**after.state, "u": after.state["u"] + decayed})

    node = lif.nodes["lif"]
    assert isinstance(node, IntegerLIF)
    fault = with_node(lif, "lif", RoundsDown(node.size, node.du, node.dv, node.v_threshold, node.bias))
    assert "lif.u" in differing(simulate(fault, lif_x, probe=True), lif_judged)


def shorter(graph: IntegerGraph, port: str) -> IntegerGraph:
    """Return the graph with the longest delay into a port one step shorter."""
    victim = max((edge for edge in graph.edges if edge.port == port), key=lambda edge: edge.delay)
    return replace(graph, edges=tuple(replace(e, delay=e.delay - 1) if e is victim else e for e in graph.edges))


def without_tap(graph: IntegerGraph) -> IntegerGraph:
    victim = max((edge for edge in graph.edges if edge.port == "u"), key=lambda edge: edge.delay)
    return replace(graph, edges=tuple(edge for edge in graph.edges if edge is not victim))


def off_by_one(graph: IntegerGraph, name: str, field: str) -> IntegerGraph:
    """Return the graph with a constant of a node one unit larger, in its first element if it is an array."""
    value = getattr(graph.nodes[name], field)
    changed = value + (np.arange(value.size).reshape(value.shape) == 0) if isinstance(value, np.ndarray) else value + 1
    return with_node(graph, name, replace(graph.nodes[name], **{field: changed}))  # type: ignore[type-var]


FAULTS = {
    "a relay hop is not waited for": lambda graph: shorter(graph, "dt"),
    "a tap comes a step early": lambda graph: shorter(graph, "u"),
    "a tap is missing": without_tap,
    "samples follow each other too closely": lambda graph: replace(graph, gap=graph.gap - 1),
    "the scan decays half as fast": lambda graph: off_by_one(graph, "block1.scan", "alpha_shift"),
    "the scan's shift is off by one": lambda graph: off_by_one(graph, "block1.scan", "c_shift"),
    "the relay's bias is off by one": lambda graph: off_by_one(graph, "block1.C", "bias"),
    "the readout's decay is off by one": lambda graph: off_by_one(graph, "readout", "decay"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_lava_convicts_a_faulty_graph(blocks: IntegerGraph, x: Array, judged: RunRecord, name: str) -> None:
    assert differing(simulate(FAULTS[name](blocks), x, probe=True), judged) != []


def test_the_faults_touch_nodes_of_every_kind(blocks: IntegerGraph) -> None:
    kinds = {type(node) for node in blocks.nodes.values()}
    assert kinds == {Source, IntegerRelay, IntegerScan, IntegerLIF, IntegerReadout}

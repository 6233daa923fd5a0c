"""A model on processes that Lava ships: near the float model, proved within 31 bits, and Lava's own integers."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import small_checkpoint, small_input

import bim_neuro
from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.emptying import gap_needed, shares_run
from bim_neuro.compilers.lower_stock import StockSettings, lower_stock
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge, FloatGraph, IntegerGraph
from bim_neuro.lowering import Typical, with_lowering
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes import Encoder, IntegerGraded, IntegerLIF, IntegerProd, Readout, Relay, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import State, Step
from bim_neuro.nodes.synapses import Dense
from bim_neuro.program import Program
from bim_neuro.simulation import simulate
from bim_neuro.stopwatch import Stopwatch

ROOT = Path(__file__).parents[2]


@cache
def lowered(seed: int = 0, **shape: int) -> Program:
    """Return a small random model on processes of Lava, its knots placed by its own input."""
    fused = bim_neuro.compile(export(small_checkpoint(seed, **shape)))
    typical = Typical(small_input(samples=32, seed=seed + 1), "its input")
    return with_lowering(fused, StockSettings(16), typical, Stopwatch(), effort=0.0)


def extreme(samples: int, steps: int, seed: int = 0) -> Array:
    """Return encoded input whose channels are -127 or 127, the first samples all of one sign, and the constants."""
    x = np.random.default_rng(seed).choice([-127, 127], (samples, steps, 5))
    x[0], x[1] = 127, -127
    return np.concatenate([x, np.ones((samples, steps, 3), int)], axis=2)


@pytest.mark.parametrize("blocks", [1, 2])
def test_states_and_answers_are_near_those_of_the_float_model(blocks: int) -> None:
    program = lowered(blocks=blocks)
    raw = small_input(samples=8, steps=12, seed=3)
    floats, integers = program.run_float(raw), program.run(raw, probe=True)
    spikes, fired = floats.probes["block1.lif.message"], integers.probes["block1.lif.message"][:, :12]
    assert spikes.any()
    assert (spikes == fired).mean() > 0.97
    u = integers.probes["block1.u.message"][:, :12].astype(float)
    for channel, real in zip(
        u.reshape(-1, u.shape[2]).T, floats.probes["block1.u.message"].reshape(-1, 12).T, strict=True
    ):
        assert np.corrcoef(channel, real)[0, 1] > 0.999


@pytest.mark.parametrize("seed", range(3))
def test_no_input_leaves_31_bits_where_the_proof_says_so(seed: int) -> None:
    program = lowered(seed)
    nodes = program.graph.nodes.values()
    assert all(node.largest for node in nodes if isinstance(node, IntegerProd | IntegerGraded))
    record = simulate(program.graph, extreme(6, 40, seed), probe=True)
    assert sum(int(count.saturations.sum()) for name, count in record.layers.items() if name != "block1.lif") == 0
    for name, node in program.graph.nodes.items():
        if isinstance(node, IntegerProd | IntegerGraded):
            assert np.abs(record.probes[f"{name}.message"]).max() <= node.largest, name


def test_the_sum_into_a_soma_is_cut_exactly() -> None:
    """Two rectified neurons make clip(y, -c, c) with c = 2^17 - 1, also where y is far beyond it.

    The range of y is said to be a quarter of what it is, so that y leaves the LIF's input on both sides.
    """
    checkpoint = small_checkpoint(0)
    ranges = {name: value / 4 if name == "block1.scan.message" else value for name, value in checkpoint.ranges.items()}
    fused = bim_neuro.compile(export(replace(checkpoint, ranges=ranges)))
    typical = Typical(small_input(samples=32, seed=1), "its input")
    graph = with_lowering(fused, StockSettings(16), typical, Stopwatch(), effort=0.0).graph
    clip = simulate(graph, extreme(4, 20), probe=True).probes["block1.clip.message"][:, 3:20]
    above, below = np.split(clip, 2, axis=2)
    cut = 2**17 - 1
    inside = (above > 0) & (below == 0)
    assert inside.any()
    assert (above[inside] <= 2 * cut).all()
    assert (below > 0).any()
    assert (above == 0).any()
    assert ((above - below)[below > 0] == 2 * cut).all()


@dataclass(frozen=True)
class Reset(IntegerLIF):
    """A LIF that begins anew every ``period`` steps, as Lava's LIFReset does."""

    period: int = 0

    def initial(self, batch: tuple[int, ...]) -> State:
        return {**super().initial(batch), "clock": np.zeros(batch, np.int64)}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        clock = state["clock"]
        begins = not clock.flat[0] % self.period
        made = super().step(super().initial(clock.shape) if begins else state, inputs)
        return Step({**made.state, "clock": clock + 1}, made.message, made.saturated)


@pytest.mark.parametrize("blocks", [1, 2])
def test_samples_share_a_run_and_the_gap_is_no_longer_than_it_must_be(blocks: int) -> None:
    """One after another is as each alone, and is not if they follow one step earlier: 24 channels show it."""
    graph = lowered(channels=24, blocks=blocks).graph
    assert shares_run(graph)
    assert not shares_run(replace(graph, gap=graph.gap - 1))
    assert graph.gap == gap_needed(graph) == 3  # the largest tap: nothing passes a soma after a sample
    x = extreme(4, 8)
    alone = simulate(graph, x, probe=True).probes
    assert differing(alone, in_one_run(graph, x, graph.gap)) == []
    assert "block1.drive.message" in differing(alone, in_one_run(graph, x, graph.gap - 1))


def in_one_run(graph: IntegerGraph, x: Array, gap: int) -> dict[str, Array]:
    """Return the messages of samples that are played one after another, the first steps of each."""
    samples, steps, lines = x.shape
    stream = np.zeros((samples, steps + gap, lines), np.int64)
    stream[:, :steps] = x
    nodes = {
        name: Reset(**{f.name: getattr(node, f.name) for f in fields(node)}, period=steps + gap)
        if isinstance(node, IntegerLIF)
        else node
        for name, node in graph.nodes.items()
    }
    record = simulate(replace(graph, nodes=nodes), stream.reshape(1, -1, lines), probe=True)
    cut = {name: values[0, : samples * (steps + gap)] for name, values in record.probes.items()}
    return {name: values.reshape(samples, steps + gap, *values.shape[1:])[:, :steps] for name, values in cut.items()}


def differing(alone: dict[str, Array], other: dict[str, Array]) -> list[str]:
    """Return the messages that differ in the steps of a sample."""
    messages = [name for name in alone if name.endswith(".message")]
    return [name for name in messages if not np.array_equal(alone[name][:, : other[name].shape[1]], other[name])]


def test_both_lowerings_agree_with_the_file_they_come_from(tmp_path: Path) -> None:
    """model.nir keeps the model, not its lowering; a .bimn keeps the program."""
    program = lowered()
    raw = small_input()
    program.save(tmp_path / "a.bimn", raw)
    bim_neuro.self_test(bim_neuro.load(tmp_path / "a.bimn"))
    bim_neuro.write_nir(program.reference, tmp_path / "a.nir")
    again = bim_neuro.compile(tmp_path / "a.nir", lowering="stock", input=small_input(samples=32, seed=1))
    assert again.run(raw).predicted.tolist() == bim_neuro.compile(program.reference).run(raw).predicted.tolist()


def test_a_graph_that_is_no_chain_of_blocks_is_refused_by_name() -> None:
    nodes = {"input": Source(2), "u": Relay(np.zeros(2), 1.0), "out": Readout(0.5, np.zeros(2), 1.0)}
    edges = (
        Edge("input", "u", "a", Dense(np.eye(2))),
        Edge("u", "out", "a", Dense(np.eye(2))),
    )
    graph = FloatGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(2), np.zeros(2)))
    with pytest.raises(DoesNotFit, match="no block of a scan"):
        lower_stock(graph, np.zeros((1, 2, 2)), "nothing")


def test_a_readout_that_skips_a_block_is_refused() -> None:
    """It must not be lowered as if it read the last one."""
    graph = export(small_checkpoint(blocks=2))
    skips = Edge("block1.lif", "readout", "a", Dense(np.ones((4, 12))))
    with pytest.raises(DoesNotFit, match="layer 'readout' reads port a not over one dense synapse"):
        lower_stock(replace(graph, edges=(*graph.edges, skips)), np.zeros((1, 2, 5)), "nothing")


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.timeout(480)
def test_lava_agrees_on_extreme_input() -> None:
    graph = lowered().graph
    x = extreme(3, 10)
    ours, lava = simulate(graph, x, probe=True), run_lava(graph, x)
    assert [name for name, values in ours.probes.items() if not np.array_equal(values, lava.probes[name])] == []


def moving(samples: int, steps: int) -> Array:
    """Return slow raw input within -1..1, (samples, steps, 5)."""
    walk = np.random.default_rng(5).normal(0, 0.2, (samples, steps, 5)).cumsum(axis=1)
    return np.asarray(np.clip(walk, -1, 1))


def delta_model(blocks: int, steps: int) -> FloatGraph:
    """Return a random model that reads events, up and down for each of 5 channels."""
    torch.manual_seed(1)
    config = NetworkConfig(inputs=10, classes=4, channels=6, states=2, taps=3, blocks=blocks)
    encoder = Encoder("delta", np.full(5, 20.0), np.zeros(5))
    checkpoint = Checkpoint(config, 1e-3, "own", tuple("abcd"), encoder, dict(BIMNetwork(config).state_dict()), {})
    x = encoder.to_float(encoder.encode(moving(16, steps)))
    return export(replace(checkpoint, ranges=calibrate(export(checkpoint), x)))


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.timeout(480)
def test_lava_agrees_on_two_blocks_that_read_events() -> None:
    raw = moving(2, 20)
    program = bim_neuro.compile(delta_model(2, 20), lowering="stock", input=moving(16, 20))
    assert np.count_nonzero(program.encode(raw)[..., :10]) > 100
    checked = program.verify(raw)
    assert (checked["messages_equal"], checked["states_equal"]) == (checked["messages"], checked["states"])
    assert checked["messages"] > 5_000


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.timeout(480)
def test_lava_agrees_on_two_hundred_steps_of_slow_states() -> None:
    checkpoint = small_checkpoint(channels=6, states=2)
    slow = {name: value - 3 if name.endswith("a_log") else value for name, value in checkpoint.state.items()}
    checkpoint = replace(checkpoint, state=slow)
    x = checkpoint.encoder.to_float(checkpoint.encoder.encode(moving(16, 200)))
    graph = export(replace(checkpoint, ranges=calibrate(export(checkpoint), x)))
    program = bim_neuro.compile(graph, lowering="stock", input=moving(16, 200))
    raw = moving(1, 200)
    checked = program.verify(raw)
    assert (checked["messages_equal"], checked["states_equal"]) == (checked["messages"], checked["states"])
    floats, integers = program.run_float(raw), program.run(raw, probe=True)
    spikes = floats.probes["block1.lif.message"]
    assert spikes.any()
    assert (spikes == integers.probes["block1.lif.message"][:, :200]).mean() > 0.95


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_digits_keep_their_accuracy() -> None:
    test = bim_neuro.load_task("digits").test
    program = bim_neuro.compile(ROOT / "examples/digits.pt", lowering="stock")
    float_share = (
        bim_neuro.compile(ROOT / "examples/digits.pt").run_float(test.x).output.argmax(axis=1) == test.y
    ).mean()
    record = program.run(test.x)
    assert abs((record.predicted == test.y).mean() - float_share) <= 0.005
    assert sum(int(count.saturations.sum()) for count in record.layers.values()) == 0


@pytest.mark.lava
@pytest.mark.parametrize("blocks", [1, 2])
def test_no_class_of_the_built_network_is_ours(blocks: int) -> None:
    """Nor of what its ports lead to, input and output included, nor of how it is run."""
    program = lowered(blocks=blocks)
    network = program.to_lava(small_input(samples=1))
    found: dict[int, Any] = {}
    waiting: list[Any] = [*network.processes.values(), *network.synapses.values()]
    while waiting:
        process = waiting.pop()
        if id(process) not in found:
            found[id(process)] = process
            ports = [*process.in_ports, *process.out_ports]
            waiting += [end.process for port in ports for end in (*port.in_connections, *port.out_connections)]
    assert len(found) > 50 * blocks
    kinds = {type(part) for part in (*found.values(), network.run_config)}
    assert {kind.__module__.split(".")[0] for kind in kinds} == {"lava"}
    assert {"RingBuffer"} < {kind.__name__ for kind in kinds}

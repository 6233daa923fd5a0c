"""Recurrent graphs in the standard layer: what another tool reads, and what is left of them without the exact copy.

written_loop.nir is a file of version 0.2.0 without the exact copy: its time constants are for exponential Euler. The
.npz is what norse 1.1.0 made of it, handed the same decays for forward Euler; what it makes of today's files is in
test_imported_runs.py.
"""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import read_nir
from bim_neuro.nir_bridge.metadata import KEY, describe
from bim_neuro.nir_bridge.standard import standard_graph
from bim_neuro.nodes import LIF, Conv, Dense, Diagonal, Encoder, Relay, SomaWire, Source
from bim_neuro.nodes.synapses import Synapse
from bim_neuro.simulation import simulate_float

DT = 1e-3
RECORDED = Path(__file__).parent.parent / "frameworks_data"


def without_the_copy(graph: FloatGraph, path: Path) -> FloatGraph:
    """The graph as it comes back from another tool that rewrote its file."""
    standard = standard_graph(graph)
    standard.metadata = {KEY: describe(graph)}
    nir.write(path, standard)
    return read_nir(path)


def lif(neurons: int) -> LIF:
    return LIF(neurons, decay=0.5, v_threshold=0.5, bias=np.zeros(neurons))


def looped(back: Synapse, delay: int, *more: Edge, first: Synapse | None = None) -> FloatGraph:
    """Four lines into a layer of four that reads itself, then two neurons; ``more`` may name a node 'always'."""
    rng = np.random.default_rng(3)
    nodes = {"in": Source(4, graded=False), "a": lif(4), "b": lif(2), "always": LIF(1, 0.0, 0.5, np.ones(1))}
    edges = (
        Edge("in", "a", "i", first or Dense(rng.normal(size=(4, 4)))),
        Edge("a", "a", "i", back, delay),
        Edge("a", "b", "i", Dense(rng.normal(size=(2, 4)) * 2)),
        *more,
    )
    kept = {name: node for name, node in nodes.items() if name in {edge.source for edge in edges} | {"b"}}
    return FloatGraph(kept, edges, DT, Encoder("spikes", np.ones(4), np.zeros(4)))


def test_norse_played_a_former_file_of_ours_as_we_do() -> None:
    recorded = np.load(RECORDED / "written_loop.npz")
    run = simulate_float(read_nir(RECORDED / "written_loop.nir"), recorded["x"].astype(float))
    assert recorded["out"].sum() > 50
    assert np.count_nonzero(run.probes["out.message"] != recorded["out"]) == 0


_LATE = Edge("always", "a", "i", Dense(np.array([[0.0], [0.6], [0.0], [-0.3]])), delay=1)
_RING = np.roll(np.eye(4), 1, axis=0) * 0.6
_CONV = Conv(np.full((2, 2, 1, 3), 0.3), (2, 1, 2), padding=(0, 0, 1, 1))


@pytest.mark.parametrize(
    "graph",
    [
        looped(Dense(_RING), 1),
        looped(Dense(_RING), 3),
        looped(Dense(_RING), 1, _LATE),
        looped(Dense(_RING), 2, _LATE),
        looped(Diagonal(np.full(4, 0.4)), 1, _LATE),
        looped(Dense(_RING), 1, Edge("a", "a", "i", Dense(-0.3 * np.eye(4)), delay=2)),
        looped(_CONV, 1),
        looped(_CONV, 1, first=Conv(np.full((2, 2, 1, 1), 0.4), (2, 1, 2))),
    ],
    ids=["loop", "loop of 3", "late constant", "of 2, late", "one to one", "two loops", "conv row", "conv map"],
)
def test_without_the_exact_copy_a_loop_is_as_long_and_its_constant_as_late(graph: FloatGraph, tmp_path: Path) -> None:
    again = without_the_copy(graph, tmp_path / "g.nir")
    x = (np.random.default_rng(0).random((3, 30, 4)) < 0.4).astype(float)
    for name in ("a", "b"):
        spikes = simulate_float(graph, x).probes[f"{name}.message"]
        assert spikes.any()
        assert np.array_equal(simulate_float(again, x).probes[f"{name}.message"], spikes)


def test_a_loop_of_one_step_has_no_delay_node_and_holds_its_constant() -> None:
    """As norse and snnTorch look for it: LIF -> weights -> LIF, in which the weights lead nowhere else."""
    standard = standard_graph(looped(Dense(_RING), 1, _LATE))
    [back] = [end for start, end in standard.edges if start == "a" and (end, "a") in standard.edges]
    assert not any(isinstance(node, nir.Delay) for node in standard.nodes.values())
    assert standard.nodes["a"].r.tolist() == [1] * 4  # a step adds half of what the weights send: they are doubled
    np.testing.assert_array_equal(standard.nodes[back].bias, _LATE.synapse.weight[:, 0].astype(np.float32) * 2)


def test_a_map_that_reads_itself_stays_a_map() -> None:
    graph = looped(_CONV, 1, first=Conv(np.full((2, 2, 1, 1), 0.4), (2, 1, 2)))
    standard = standard_graph(graph)
    assert sum(isinstance(node, nir.Conv2d) for node in standard.nodes.values()) == 2
    assert standard.nodes["a"].v_threshold.shape == (2, 1, 2)


def test_a_loop_by_way_of_a_relay_is_one_step_long(tmp_path: Path) -> None:
    nodes = {"in": Source(1, graded=False), "r": Relay(np.zeros(1)), "a": lif(1), "b": lif(1)}
    one = Dense(np.ones((1, 1)))
    edges = (
        Edge("in", "r", "a", one),
        Edge("r", "a", "i", SomaWire()),
        Edge("a", "r", "a", one, delay=1),
        Edge("a", "b", "i", one),
    )
    graph = FloatGraph(nodes, edges, DT, Encoder("spikes", np.ones(1), np.zeros(1)))
    x = np.zeros((1, 6, 1))
    x[0, 0] = 1
    again = without_the_copy(graph, tmp_path / "g.nir")
    assert simulate_float(again, x).probes["a.message"].ravel().tolist() == [1, 1, 1, 1, 1, 1]


def entered_at_its_weights(path: Path, *wires: str) -> Path:
    """One neuron without a size of its own; what it reads comes back to it by a Scale."""
    one = np.ones(1)
    nodes = {"in": nir.Input(np.array([1])), "w": nir.Scale(one), "a": nir.LIF(DT * one, one, 0 * one, 0.5 * one)}
    ends = [*(tuple(wire.split()) for wire in wires), ("a", "out")]
    nir.write(path, nir.NIRGraph(nodes | {"out": nir.Output(np.array([1]))}, ends, type_check=False))
    return path


def test_a_layer_that_reads_only_what_comes_back_is_as_wide_as_that(tmp_path: Path) -> None:
    graph = read_nir(entered_at_its_weights(tmp_path / "g.nir", "in w", "w a", "a w"), DT)
    x = np.array([[[0], [1], [0], [0]]])
    assert simulate_float(graph, x).probes["a.message"].ravel().tolist() == [0, 1, 1, 1]


def test_a_layer_that_reads_nothing_but_itself_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match=r"nothing says how many neurons node 'a' \(LIF\) has"):
        read_nir(entered_at_its_weights(tmp_path / "g.nir", "in out", "w a", "a w"), DT)

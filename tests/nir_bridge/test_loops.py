"""Recurrence: a loop of one layer gives the framework's own spikes, and Lava's; a longer one is refused with reason."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

import bim_neuro
from bim_neuro.compilers.align import align
from bim_neuro.compilers.quantise import quantise
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.errors import DoesNotFit
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import read_nir
from bim_neuro.nodes import LIF, Dense, Encoder, Source
from bim_neuro.simulation import Engine, simulate, simulate_float

DT = 1e-3
RECORDED = Path(__file__).parent.parent / "frameworks_data"
NETS = {"snntorch_rleaky": (1e-4, "1.lif"), "norse_recurrent": (1e-3, "lif")}


def lif(neurons: int = 2, threshold: float = 0.9) -> nir.LIF:
    """Without a leak to speak of: v adds up r dt / tau = 1 times its input."""
    ones = np.ones(neurons)
    return nir.LIF(tau=DT * ones, r=ones, v_leak=0 * ones, v_threshold=threshold * ones)


def linear(rows: list[list[float]]) -> nir.Linear:
    return nir.Linear(np.array(rows, dtype=float))


def written(path: Path, nodes: dict[str, nir.NIRNode], *wires: str) -> Path:
    ends = {"in": nir.Input(np.array([2])), "out": nir.Output(np.array([2]))}
    nir.write(path, nir.NIRGraph(nodes | ends, [tuple(wire.split()) for wire in wires], type_check=False))
    return path


def passed_on(path: Path) -> Path:
    """Each of two neurons excites the other: a spike travels to and fro, one step each way."""
    nodes = {"lif": lif(), "w": linear([[0, 1], [1, 0]])}
    return written(path, nodes, "in lif", "lif w", "w lif", "lif out")


def test_a_spike_comes_back_a_step_later_by_hand(tmp_path: Path) -> None:
    graph = read_nir(passed_on(tmp_path / "g.nir"), DT)
    x = np.zeros((1, 6, 2))
    x[0, 1, 0] = 1
    spikes = simulate_float(graph, x).probes["lif.message"][0]
    assert spikes.tolist() == [[0, 0], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0]]
    chip = align(quantise(graph))
    assert [(edge.name, edge.delay) for edge in chip.recurrent] == [("lif -> lif.i", 0)]
    assert simulate(chip, x.astype(int), probe=True).probes["lif.message"][0, :6].tolist() == spikes.tolist()


def test_a_delay_in_the_loop_is_added_to_the_step(tmp_path: Path) -> None:
    nodes = {"lif": lif(), "d": nir.Delay(np.full(2, 2 * DT))}
    graph = read_nir(written(tmp_path / "g.nir", nodes, "in lif", "lif d", "d lif", "lif out"), DT)
    x = np.zeros((1, 8, 2))
    x[0, 0, 0] = 1
    assert simulate_float(graph, x).probes["lif.message"][0, :, 0].tolist() == [1, 0, 0, 1, 0, 0, 1, 0]
    chip = align(quantise(graph))
    assert chip.recurrent[0].delay == 2
    assert simulate(chip, x.astype(int), probe=True).probes["lif.message"][0, :8, 0].tolist() == [
        1,
        0,
        0,
        1,
        0,
        0,
        1,
        0,
    ]


@pytest.mark.parametrize("name", NETS)
def test_the_float_law_gives_the_framework_s_own_spikes(name: str) -> None:
    dt, hidden = NETS[name]
    recorded, graph = np.load(RECORDED / "recurrent.npz"), read_nir(RECORDED / f"{name}.nir", dt)
    x = recorded["x"].astype(int)
    run = simulate_float(graph, x)
    assert np.count_nonzero(run.probes[f"{hidden}.message"] != recorded[f"{name}.inner"]) == 0
    assert np.count_nonzero(run.probes[f"{graph.output}.message"] != recorded[f"{name}.out"]) == 0


@pytest.mark.parametrize("name", NETS)
def test_the_engine_is_the_law_and_samples_do_not_meet(name: str) -> None:
    dt, _ = NETS[name]
    chip = align(quantise(read_nir(RECORDED / f"{name}.nir", dt)))
    x = np.load(RECORDED / "recurrent.npz")["x"].astype(int)
    law, engine = simulate(chip, x, probe=True), Engine(chip).run(x, probe=True)
    assert all(np.array_equal(law.probes[key], engine.probes[key]) for key in law.probes)
    alone = simulate(chip, x[2:3], probe=True)
    assert all(np.array_equal(law.probes[key][2:3], alone.probes[key]) for key in law.probes)


@pytest.mark.lava
@pytest.mark.slow
def test_lava_gives_the_same_spikes_and_states() -> None:
    chip = align(quantise(read_nir(RECORDED / "snntorch_rleaky.nir", 1e-4)))
    x = np.load(RECORDED / "recurrent.npz")["x"][:1, :15].astype(int)
    ours, lava = simulate(chip, x, probe=True), run_lava(chip, x)
    assert all(np.array_equal(ours.probes[key], lava.probes[key]) for key in ours.probes)


def test_a_recurrent_file_is_placed_and_reported(tmp_path: Path) -> None:
    program = bim_neuro.compile(RECORDED / "norse_recurrent.nir", dt=1e-3, target="loihi2")
    assert {core.layer for core in program.placed.cores} == {"lif", "last"}
    summary = program.report(np.load(RECORDED / "recurrent.npz")["x"].astype(float), tmp_path)
    layer = next(layer for layer in summary["layers"] if layer["name"] == "lif")
    assert layer["spikes"] > 0


def test_a_loop_of_two_layers_is_refused_with_the_reason(tmp_path: Path) -> None:
    nodes = {"a": lif(), "b": lif(), "w": linear([[1, 0], [0, 1]])}
    path = written(tmp_path / "g.nir", nodes, "in a", "a b", "b w", "w a", "b out")
    with pytest.raises(DoesNotFit, match=r"loop, .*over 2 layers: .*2 steps later, not 1") as refusal:
        read_nir(path, DT)
    [found] = refusal.value.findings
    assert (found.rule, found.used, found.limit) == ("loop", 2, 1)


def test_a_longer_way_into_a_recurrent_wire_is_refused_too(tmp_path: Path) -> None:
    """a reads itself by w, and b, which reads a, by the same w."""
    nodes = {"a": lif(), "b": lif(), "w": linear([[1, 0], [0, 1]])}
    path = written(tmp_path / "g.nir", nodes, "in a", "a w", "a b", "b w", "w a", "b out")
    with pytest.raises(DoesNotFit, match=r"over 2 layers"):
        read_nir(path, DT)


@pytest.mark.parametrize(
    ("nodes", "wires", "says"),
    [
        ({"w": linear([[1, 0], [0, 1]])}, ("in w", "w w", "w out"), "without a neuron"),
        ({"a": nir.I(np.ones(2))}, ("in a", "a a", "a out"), "through a I, which sends its voltage"),
        (
            {"a": lif(), "w": linear([[1, 0]])},
            ("in a", "a w", "w a", "a out"),
            "has 2 neurons, 1 values of 'w' come back to it",
        ),
    ],
)
def test_what_is_no_recurrence_is_refused_by_name(
    nodes: dict[str, nir.NIRNode], wires: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DoesNotFit, match=says) as refusal:
        read_nir(written(tmp_path / "g.nir", nodes, *wires), DT)
    assert len(refusal.value.findings) == 1


def test_a_float_loop_of_layers_that_a_chip_would_answer_late_is_refused() -> None:
    """Two layers in a loop with a delay of 1: the chip's way takes 2 steps; with a delay of 2 it is in time."""
    nodes = {"in": Source(1, graded=False), "a": LIF(1, 0.0, 0.5, np.zeros(1)), "b": LIF(1, 0.0, 0.5, np.zeros(1))}
    one = Dense(np.ones((1, 1)))

    def looped(delay: int) -> FloatGraph:
        edges = (Edge("in", "a", "i", one), Edge("a", "b", "i", one), Edge("b", "a", "i", one, delay))
        out = (Edge("b", "c", "i", one),)
        more = nodes | {"c": LIF(1, 0.0, 0.5, np.zeros(1))}
        return FloatGraph(more, edges + out, DT, Encoder("spikes", np.ones(1), np.zeros(1)))

    with pytest.raises(DoesNotFit, match=r"'b -> a.i\[1\]' closes a loop of several layers: .* 1 steps too late"):
        quantise(looped(1))
    x = np.zeros((1, 9, 1), int)
    x[0, 0] = 1
    chip = align(quantise(looped(2)))
    answers = [simulate_float(looped(2), x).probes["c.message"], simulate(chip, x, probe=True).probes["c.message"]]
    assert answers[0].ravel().tolist() == answers[1].ravel().tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1]

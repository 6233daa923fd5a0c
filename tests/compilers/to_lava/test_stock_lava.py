"""Lava's own graded processes judge our law of them: random graphs with loops, and sums and products that wrap."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import STOCK, random_input, random_stock_graph

from bim_neuro.compilers.align import align
from bim_neuro.compilers.emptying import gap_needed, shares_run
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Encoder, IntegerGraded, IntegerLIF, IntegerProd, Shifted, Source
from bim_neuro.nodes.node import law_of
from bim_neuro.nodes.synapses import shifted_of
from bim_neuro.record import RunRecord
from bim_neuro.simulation import simulate


def differing(ours: RunRecord, lava: RunRecord) -> list[str]:
    assert ours.probes.keys() == lava.probes.keys()
    return [name for name, values in ours.probes.items() if not np.array_equal(values, lava.probes[name])]


@pytest.mark.lava
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_lava_agrees_on_random_stock_graphs(seed: int) -> None:
    """Half of them are loud: port sums, group sums and products leave 32 bits. Half have loops.

    Loud ones have no LIF, whose input Lava does not define beyond its 24 bits.
    """
    loud = seed % 2 == 0
    graph = random_stock_graph(
        seed, layers=5, width=9, loud=loud, loops=seed % 4 < 2, kinds=STOCK[:2] if loud else STOCK
    )
    x = random_input(graph, seed, samples=1, steps=12, activity=0.7)
    ours = simulate(graph, x, probe=True)
    assert any(values.any() for name, values in ours.probes.items() if not name.startswith("input"))
    assert differing(ours, run_lava(graph, x)) == []


def leaky_loop(decay: int, tap: int = 0) -> IntegerGraph:
    """p[t] = decay (p[t-1] + drive[t-1]) >> 8, where the decay comes from a line that is on only during a sample."""
    nodes = {"input": Source(2), "drive": IntegerGraded(1), "loop": IntegerProd(1, 8), "end": IntegerGraded(1)}
    edges = (
        Edge("input", "drive", "a", one([1, 0]), tap),
        Edge("drive", "loop", "a1", one([1])),
        Edge("loop", "loop", "a1", one([1])),
        Edge("input", "loop", "a2", one([0, decay])),
        Edge("drive", "end", "a", one([1])),
        Edge("loop", "end", "a", one([1])),
    )
    return align(IntegerGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(2), np.zeros(2))))


def one(row: list[int]) -> Shifted:
    """Weights into one neuron."""
    places = np.zeros(len(row), int), np.arange(len(row))
    return shifted_of(np.array(row), np.zeros(len(row), int), places, (1, len(row)))


def test_a_loop_empties_with_its_other_factor_and_not_by_decay() -> None:
    gated = leaky_loop(4)
    assert shares_run(gated)
    assert gated.recurrent
    assert leaky_loop(4, tap=3).gap == gated.gap + 2  # the tap's steps, of which the loop's own is one
    edges = tuple(edge for edge in gated.edges if edge.port != "a2")
    fired = IntegerGraph(
        {**gated.nodes, "on": IntegerLIF(1, 4095, 0, 0, np.array([64]))},
        (*edges, Edge("input", "on", "i", one([0, 0])), Edge("on", "loop", "a2", one([4]))),
        1e-3,
        gated.encoder,
    )
    assert not shares_run(align(fired))
    assert gap_needed(align(fired)) == np.inf


@pytest.mark.lava
def test_samples_share_a_run_of_a_loop_that_empties() -> None:
    graph = leaky_loop(60, tap=2)
    x = np.stack([np.full((4, 6), -7), np.full((4, 6), 64)], axis=-1)
    x[1] *= -1
    ours = simulate(graph, x, probe=True)
    assert differing(ours, run_lava(graph, x)) == []
    assert (ours.probes["loop.message"][:, -1] == 0).all()


@pytest.mark.lava
def test_the_words_for_laws_are_those_of_lavas_tags() -> None:
    from lava.proc.graded.models import PyGradedReluVecModelFixed, PyGradedVecModelFixed
    from lava.proc.lif.models import PyLifResetModelBitAcc
    from lava.proc.prodneuron.models import PyProdNeuronModelFixed

    models = {
        "GradedVec": (PyGradedVecModelFixed, PyGradedReluVecModelFixed),
        "ProdNeuron": (PyProdNeuronModelFixed,),
        "LIFReset": (PyLifResetModelBitAcc,),
    }
    nodes = (IntegerGraded(1), IntegerProd(1, 0), IntegerLIF(1, 4095, 0, 0, np.zeros(1, int)))
    for node in nodes:
        tags = [model.tags for model in models[node.lava_process]]
        accurate = all("bit_accurate_loihi" in tag for tag in tags)
        assert law_of(node) == ("lava-bit-accurate" if accurate else "lava-fixed-point")
        assert all("fixed_pt" in tag for tag in tags)

"""The fixed graphs on Lava: every message and state, every step, is the engine's and the numpy law's."""

from __future__ import annotations

import numpy as np
import pytest
from lava_graphs import GRAPHS, fixed_graph, fixed_input, of_lava_alone

from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.simulation import Engine, simulate

QUICK = ("recurrent, conv",)
"""What is judged each time; the others are slow together."""


@pytest.mark.parametrize("name", GRAPHS)
def test_the_engine_is_the_law_and_something_happens(name: str) -> None:
    graph = fixed_graph(name)
    x = fixed_input(graph)
    law, engine = simulate(graph, x, probe=True), Engine(graph).run(x, probe=True)
    assert all(np.array_equal(law.probes[key], engine.probes[key]) for key in law.probes)
    sent = law.probes[f"{graph.output}.message"]
    assert np.count_nonzero(sent) > 0
    assert sent.min() != sent.max()


@pytest.mark.lava
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in GRAPHS]
)
def test_lava_says_the_same(name: str) -> None:
    graph = fixed_graph(name)
    x = fixed_input(graph, samples=1 if graph.recurrent else 2)
    ours, lava = Engine(graph).run(x, probe=True), run_lava(graph, x)
    assert [key for key in ours.probes if not np.array_equal(ours.probes[key], lava.probes[key])] == []


def test_twenty_of_at_least_thirty_are_made_of_processes_that_lava_ships() -> None:
    graphs = [fixed_graph(name) for name in GRAPHS]
    assert len(graphs) >= 30
    assert sum(map(of_lava_alone, graphs)) >= 20

"""Switch neurons on Lava, as a process of ours: messages and states of a chain of all resets equal the engine's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bim_neuro.compilers.align import align
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Dense, Encoder, IntegerCuba, Source
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.simulation import Engine

pytestmark = pytest.mark.lava
CHAIN: tuple[dict[str, Any], ...] = (
    {"reset_when": "next", "wide": True},
    {"reset": "subtract", "counts": "many", "compare": ">="},
    {"reset": "subtract", "reset_when": "after", "lag": True},
    {"counts": "none"},
)


def chain() -> IntegerGraph:
    draw, nodes, edges = np.random.default_rng(3), {}, []
    nodes["in"] = Source(6, graded=True)
    for index, switches in enumerate(CHAIN):
        source, name, n = list(nodes)[-1], f"n{index}", 5
        nodes[name] = IntegerCuba(  # type: ignore[assignment]
            draw.integers(2**14, 2**16, n), draw.integers(0, 2**15, n), draw.integers(2**10, 2**12, n), 6,
            draw.integers(-50, 50, n), draw.integers(2000, 9000, n), draw.integers(-90, 90, n),
            draw.integers(-90, 90, n), draw.integers(-9000, -4000, n), **switches,
        )  # fmt: skip
        for port in nodes[name].ports:
            weight = draw.integers(-127, 128, (n, nodes[source].neurons)) >> (6 if port == "high" else 0)
            edges.append(Edge(source, name, port, Dense(weight.astype(np.int8))))
    typed: dict[str, IntegerNode] = nodes  # type: ignore[assignment]
    return align(IntegerGraph(typed, tuple(edges), 1e-3, Encoder("graded", np.ones(6), np.zeros(6))))


def test_switch_neurons_equal_lava_in_every_message_and_state() -> None:
    graph = chain()
    x = np.random.default_rng(4).integers(-3, 20, (2, 12, 6))
    ours, lava = Engine(graph).run(x, probe=True), run_lava(graph, x)
    assert all(np.array_equal(ours.probes[key], lava.probes[key]) for key in ours.probes)
    assert all(ours.probes[f"n{index}.n"].any() for index in range(3))
    assert ours.probes["n1.message"].max() > 1

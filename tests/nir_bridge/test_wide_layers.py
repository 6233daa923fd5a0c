"""A wide layer that nothing dense leads into takes room for its neurons, not for a matrix of them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import read_nir, write_nir
from bim_neuro.nodes import LIF, Diagonal, Encoder, Relay, Source
from bim_neuro.nodes.node import Node

WIDE = 20_000


def one_to_one(node: Node, port: str) -> FloatGraph:
    """Return input -> relay or LIF -> LIF, every synapse one to one."""
    rng = np.random.default_rng(0)
    nodes: dict[str, Node] = {
        "input": Source(WIDE, graded=False),
        "first": node,
        "last": LIF(WIDE, 0.9, 1.0, rng.uniform(0, 0.2, WIDE)),
    }
    edges = (
        Edge("input", "first", port, Diagonal(rng.uniform(0.1, 1, WIDE))),
        Edge("first", "last", "i", Diagonal(rng.uniform(0.1, 1, WIDE))),
    )
    return FloatGraph(nodes, edges, 1e-3, Encoder("spikes", np.ones(WIDE), np.zeros(WIDE)))


@pytest.mark.parametrize(
    ("node", "port"), [(LIF(WIDE, 0.8, 0.5, np.linspace(-0.1, 0.3, WIDE)), "i"), (Relay(np.zeros(WIDE)), "a")]
)
def test_the_file_grows_with_the_layer_and_other_tools_read_the_same_bias(
    tmp_path: Path, node: Node, port: str
) -> None:
    graph, path = one_to_one(node, port), tmp_path / "wide.nir"
    write_nir(graph, path)
    with h5py.File(path, "r+") as file:
        nodes = file["node/nodes"].values()
        assert max(array.size for group in nodes for array in group.values()) == WIDE
        del file["bim_neuro"]  # as a tool that rewrites the file does
    again = read_nir(path)
    assert list(again.nodes)[-1] == "last"
    np.testing.assert_allclose(again.nodes["last"].bias, graph.nodes["last"].bias, rtol=1e-5)  # type: ignore[attr-defined]

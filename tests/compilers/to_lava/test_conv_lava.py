"""Lava's own Conv where it can be used, Sparse where not; it convicts kernels in another order and judges real nets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from lava_graphs import Net, fixed_graph, fixed_input

import bim_neuro
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes import Conv
from bim_neuro.nodes.arithmetic import WORD_MAX, Array
from bim_neuro.record import RunRecord
from bim_neuro.simulation import simulate

pytestmark = pytest.mark.lava
TESTS = Path(__file__).parents[2]
FRAMEWORKS = TESTS / "frameworks_data"
SQUARE = "conv, padding"


def differing(ours: RunRecord, lava: RunRecord) -> list[str]:
    assert ours.probes.keys() == lava.probes.keys()
    return [name for name, values in ours.probes.items() if not np.array_equal(values, lava.probes[name])]


@cache
def on_lava(name: str) -> RunRecord:
    return run_lava(fixed_graph(name), fixed_input(fixed_graph(name)))


@pytest.mark.parametrize(
    "fault",
    [
        lambda weight: weight[..., ::-1, :],
        lambda weight: weight[..., ::-1],
        lambda weight: weight.swapaxes(2, 3),
        lambda weight: weight[::-1],
        lambda weight: weight[:, ::-1],
    ],
    ids=["rows mirrored", "columns mirrored", "rows for columns", "outputs turned", "inputs turned"],
)
def test_lava_convicts_a_kernel_in_another_order(fault: Callable[[Array], Array]) -> None:
    graph = fixed_graph(SQUARE)
    edge = graph.edges[0]
    assert isinstance(edge.synapse, Conv)
    faulty = replace(edge, synapse=edge.synapse.with_weight(fault(edge.synapse.weight)))
    ours = simulate(replace(graph, edges=(faulty,)), fixed_input(graph), probe=True)
    assert "n1.u" in differing(ours, on_lava(SQUARE))
    assert differing(simulate(graph, fixed_input(graph), probe=True), on_lava(SQUARE)) == []


def beyond_24_bits() -> IntegerGraph:
    """Lava's Conv would wrap this sum, 1,200 channels of 127 * 127, its LIF would not see it otherwise."""
    net = Net(0, 1200, graded=True)
    net.add(net.lif(2, threshold=1000), ("in", Conv(np.full((2, 1200, 1, 1), 127, np.int8), (1200, 1, 1)), 0))
    return net.graph()


@pytest.mark.slow
def test_sums_beyond_24_bits_are_lavas_sparse() -> None:
    graph = beyond_24_bits()
    x = np.full((1, 4, 1200), 127)
    assert (graph.edges[0].synapse.apply(x) > WORD_MAX).all()
    assert differing(simulate(graph, x, probe=True), run_lava(graph, x)) == []


WHICH = """
from bim_neuro.compilers.to_lava import import_lava
import_lava()
import test_conv_lava as cases
from bim_neuro.compilers.to_lava.build import build
for graph in [*map(cases.fixed_graph, sys.argv[1:]), cases.beyond_24_bits()]:
    network = build(graph, cases.fixed_input(graph))
    print(*(type(synapse).__name__ for synapse in network.synapses.values()))
"""


def test_lavas_conv_is_used_where_it_can_be() -> None:
    """In a Python of its own: importing Lava changes how processes start."""
    expected = {
        "conv, all at once": "Conv",
        "conv, pool, conv": "Conv Conv Conv",
        "recurrent, conv": "Conv Conv Dense",
        "conv, padding of one side": "Sparse",
        "sparse, delay": "DelaySparse Sparse",
    }
    paths = [str(Path(__file__).parent), str(TESTS), str(TESTS.parent)]
    script = f"import sys; sys.path[:0] = {paths!r}{WHICH}"
    done = subprocess.run([sys.executable, "-c", script, *expected], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [*expected.values(), "Sparse"], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.parent.name for path in FRAMEWORKS.glob("*/graph.nir")))
def test_nets_of_frameworks_compute_on_lava_as_in_the_law(name: str) -> None:
    """Trained convolutions and switch neurons as they were compiled: two samples of 12 steps."""
    with np.load(FRAMEWORKS / name / "io.npz") as file:
        x, meta = file["x"], json.loads(str(file["meta"]))  # (steps, samples, ...)
    values = x.swapaxes(0, 1).reshape(x.shape[1], len(x), -1).astype(float)
    path = FRAMEWORKS / name / "graph.nir"
    chip = bim_neuro.compile(path, dt=meta["dt"], dialect=meta["dialect"], input=values[:32]).graph
    encoded = chip.encoder.encode(values[:2, :12])
    ours = simulate(chip, encoded, probe=True)
    assert differing(ours, run_lava(chip, encoded)) == []
    assert sum(values.any() for name, values in ours.probes.items() if name.endswith(".message")) > 1

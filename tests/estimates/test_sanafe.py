"""The energy law against SANA-FE's own Loihi: the same small nets give the same spikes and the same energy.

SANA-FE (GPL) is run as a separate program, in a Python of its own process; it gets a network file and prints numbers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bim_neuro.compilers.align import align
from bim_neuro.estimates.energy import price
from bim_neuro.graph import Core, Edge, Flow, IntegerGraph, PlacedGraph
from bim_neuro.hardware import HardwareProfile, Quantity, load_profile
from bim_neuro.nodes import Dense, Encoder, IntegerLIF
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.simulation.reference import simulate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("sanafe") is None, reason="needs sanafe: pip install 'bim-neuro[sanafe]'"),
]

STEPS, SILENT = 24, 3  # nothing comes in at the end, so that all that was sent is counted
THRESHOLD = 5
LAYERS = {"in": 6, "a": 8, "b": 7, "out": 3}
COLUMNS = 8
PLACES = {"in": (0, 0), "a": (0, 0), "b": (2, 1), "out": (5, 3)}  # column and row: 3 hops, then 5
PRICES = {
    "synop_pj": 35.5,  # a dense synapse
    "update_pass_pj": 51.2 + 21.6,  # access and update of the soma
    "message_pj": 69.3 + 111.0,  # a spike out, and its packet
    "input_message_pj": 111.0,  # a packet
    "hop_east_west_pj": 3.0,
    "hop_north_south_pj": 4.2,
    "barrier_pj": 0.0,
    "static_mw": 0.0,
    "host_mw": 0.0,
}

PROGRAM = """
import json, pathlib, sys
import sanafe
arch = sanafe.load_arch(str(pathlib.Path(sanafe.__file__).parent / "examples" / "loihi.yaml"))
chip = sanafe.SpikingChip(arch)
chip.load(sanafe.load_net(sys.argv[1], arch))
found = chip.sim(int(sys.argv[2]), timing_model="simple", spike_trace=True)
spikes = [str(neuron).split(".")[0] for step in found["spike_trace"] for neuron in step]
pathlib.Path(sys.argv[3]).write_text(json.dumps({"energy": found["energy"]["total"], "spikes": spikes}))
"""


def sanafe_loihi() -> HardwareProfile:
    """Return a test profile with SANA-FE's prices of Loihi 1, one pass an update."""

    def exactly(value: float, unit: str) -> Quantity:
        return Quantity(value, value, value, unit, "calibrated", "SANA-FE 2.2, arch/loihi.yaml")

    profile = load_profile("loihi2")
    prices = {name: exactly(value, "mW" if name.endswith("mw") else "pJ") for name, value in PRICES.items()}
    return replace(
        profile,
        capacity=replace(profile.capacity, mesh_columns=exactly(COLUMNS, "cores")),
        energy=replace(profile.energy, **prices),  # type: ignore[arg-type]
        passes_per_update={"lif": exactly(1, "passes")},
    )


def net(seed: int) -> tuple[IntegerGraph, Array]:
    """Return a random chain of LIFs that never leak, whose last layer is too calm to fire, and spikes for it."""
    rng = np.random.default_rng(seed)
    encoder = Encoder("spikes", np.ones(LAYERS["in"]), np.zeros(LAYERS["in"]))
    nodes: dict[str, IntegerNode] = {"in": encoder.source}
    for name in ("a", "b", "out"):
        threshold = 10_000 if name == "out" else THRESHOLD
        nodes[name] = IntegerLIF(LAYERS[name], 4095, 0, threshold, np.zeros(LAYERS[name], int))
    edges = [
        Edge(source, target, "i", Dense(rng.integers(-2, 5, (LAYERS[target], LAYERS[source])).astype(np.int8)))
        for source, target in (("in", "a"), ("a", "b"), ("b", "out"))
    ]
    spikes = rng.random((1, STEPS, LAYERS["in"])) < 0.4
    spikes[:, -SILENT:] = False
    return align(IntegerGraph(nodes, tuple(edges), 1e-3, encoder)), spikes.astype(np.int64)


def placed(graph: IntegerGraph) -> PlacedGraph:
    index = {name: row * COLUMNS + column for name, (column, row) in PLACES.items()}
    cores = tuple(Core(index[name], name, 0, LAYERS[name] - 1, {}) for name in ("a", "b", "out"))
    ways = tuple(Flow(name, index[name], index[to], LAYERS[name]) for name, to in (("a", "b"), ("b", "out")))
    return PlacedGraph(graph, "sanafe", cores, ways)


def as_yaml(graph: IntegerGraph, spikes: Array) -> str:
    """Write the net in SANA-FE's format; JSON is YAML."""
    groups: list[dict[str, Any]] = []
    for name, node in graph.nodes.items():
        if isinstance(node, IntegerLIF):
            soma = {"threshold": node.v_threshold, "force_update": True}
            neurons = [{f"0..{node.neurons - 1}": [{"soma": soma}]}]
        else:
            neurons = [{str(i): [{"spikes": spikes[0, :, i].tolist()}]} for i in range(node.neurons)]
        groups.append({"name": name, "attributes": [{"log_spikes": True}], "neurons": neurons})
    edges = [
        {f"{edge.source}.{pre} -> {edge.target}.{post}": [{"weight": int(weight)}]}
        for edge in graph.edges
        if isinstance(edge.synapse, Dense)
        for (post, pre), weight in np.ndenumerate(edge.synapse.weight)
    ]
    tile = {name: f"{column * 4 + row}.0" for name, (column, row) in PLACES.items()}  # SANA-FE counts down its columns
    units = [{"soma": "loihi_lif"}, {"synapse": "loihi_dense_synapse"}, {"dendrite": "loihi_dendrites"}]
    mappings: list[dict[str, Any]] = [
        {f"in.{i}": [{"core": tile["in"]}, {"soma": f"loihi_inputs[{i}]"}]} for i in range(LAYERS["in"])
    ]
    mappings += [{name: [{"core": tile[name]}, *units]} for name in ("a", "b", "out")]
    return json.dumps({"network": {"name": "net", "groups": groups, "edges": edges}, "mappings": mappings})


def run_sanafe(graph: IntegerGraph, spikes: Array, folder: Path) -> dict[str, Any]:
    (folder / "net.yaml").write_text(as_yaml(graph, spikes))
    command = [sys.executable, "-c", PROGRAM, folder / "net.yaml", str(STEPS), folder / "found.json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads((folder / "found.json").read_text()))


@pytest.mark.parametrize("seed", range(3))
def test_a_net_spikes_and_costs_as_on_sana_fe_s_loihi(tmp_path: Path, seed: int) -> None:
    graph, spikes = net(seed)
    theirs = run_sanafe(graph, spikes, tmp_path)
    record = simulate(graph, spikes)
    ours = {name: count.totals()["messages"] for name, count in record.layers.items()}
    assert {name: theirs["spikes"].count(name) for name in LAYERS} == ours
    assert min(ours["a"], ours["b"]) > 10
    energy = price(placed(graph), record, sanafe_loihi())
    assert energy.unpriced == ()
    assert energy.dynamic.value is not None
    assert energy.io.value is not None
    assert energy.dynamic.value + energy.io.value == pytest.approx(theirs["energy"] * 1e12, rel=1e-9)

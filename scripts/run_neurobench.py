"""Let NeuroBench's harness judge a compiled program, and compare its metrics with those of summary.json.

python scripts/run_neurobench.py          needs neurobench: `make frameworks` runs it

The engine computes the integers; every message then passes through modules that the harness hooks, a torch layer a
synapse and a spiking neuron a membrane, so that its metrics count what the chip's neurons sent.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import (
    ActivationSparsity,
    ActivationSparsityByLayer,
    ClassificationAccuracy,
    MembraneUpdates,
    SynapticOperations,
)
from neurobench.models import NeuroBenchModel
from torch.utils.data import DataLoader, TensorDataset

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bim_neuro  # noqa: E402
from bim_neuro.errors import InputError  # noqa: E402
from bim_neuro.estimates.neurobench import neurobench  # noqa: E402
from bim_neuro.nodes import Broadcast, Conv, Dense, Diagonal, SomaWire, Synapse  # noqa: E402
from bim_neuro.nodes.node import is_spiking  # noqa: E402

METRICS: list[list[type]] = [
    [Footprint, ConnectionSparsity],
    [ClassificationAccuracy, ActivationSparsity, ActivationSparsityByLayer, SynapticOperations, MembraneUpdates],
]


class Played(snntorch.SpikingNeuron):
    """A neuron whose spikes and membranes were computed elsewhere."""

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.mem = torch.zeros(neurons)

    def forward(self, spikes: torch.Tensor, membrane: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Send what was sent, and hold what was held: both (samples, neurons)."""
        self.mem = membrane
        return spikes, membrane


class ProgramModel(NeuroBenchModel):
    """A `bim_neuro.Program` as a model of NeuroBench: raw sequences (samples, steps, channels) become classes."""

    def __init__(self, program: bim_neuro.Program) -> None:
        super().__init__()
        self.add_activation_module(snntorch.SpikingNeuron)
        self.program, graph = program, program.graph
        self.weighted = [edge for edge in graph.edges if not isinstance(edge.synapse, Broadcast | SomaWire)]
        self.layers = [layer_of(edge.name, edge.synapse) for edge in self.weighted]
        held = {name: node for name, node in graph.nodes.items() if "v" in node.initial(())}
        self.neurons = {name: Played(node.neurons) for name, node in held.items()}
        named = {name.replace(".", "/"): neuron for name, neuron in self.neurons.items()}
        self.net = torch.nn.ModuleDict({"synapses": torch.nn.ModuleList(self.layers), **named})

    def __net__(self) -> torch.nn.Module:
        return self.net

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        record = self.program.run(batch.numpy(), probe=True)
        probes = {name: torch.tensor(values, dtype=torch.float32) for name, values in record.probes.items()}
        for step in range(record.steps):
            for edge, layer in zip(self.weighted, self.layers, strict=True):
                if step >= (late := self._late(edge)):
                    layer(shaped(probes[f"{edge.source}.message"][:, step - late], edge.synapse))
            for name, neuron in self.neurons.items():
                neuron(probes[f"{name}.message"][:, step], probes[f"{name}.v"][:, step])
        return torch.tensor(record.predicted)

    def _late(self, edge: Any) -> int:
        """Return how many steps of the sample an edge reaches back."""
        depth = self.program.graph.depth
        return int(edge.delay + edge.synapse.hop + depth[edge.source] - depth[edge.target])


def layer_of(name: str, synapse: Synapse) -> torch.nn.Module:
    """Return the layer of PyTorch that has a synapse's weights."""
    weight = torch.tensor(getattr(synapse, "weight", 0), dtype=torch.float32)
    if isinstance(synapse, Dense):
        layer: torch.nn.Module = torch.nn.Linear(*weight.shape[::-1], bias=False)
    elif isinstance(synapse, Diagonal):
        weight = weight[:, None, None]
        layer = torch.nn.Conv1d(len(weight), len(weight), 1, groups=len(weight), bias=False)
    elif isinstance(synapse, Conv) and synapse.padding[::2] == synapse.padding[1::2] and min(synapse.padding) >= 0:
        border, channels = synapse.padding[::2], synapse.grid[0]
        step = {"stride": synapse.stride, "padding": border, "dilation": synapse.dilation, "groups": synapse.groups}
        layer = torch.nn.Conv2d(channels, len(weight), tuple(weight.shape[2:]), bias=False, **step)
    else:
        raise InputError(f"'{name}' is a {synapse.kind} synapse, for which NeuroBench has no layer",
                         "give a model of dense, diagonal or evenly padded conv synapses")  # fmt: skip
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    return layer


def shaped(message: torch.Tensor, synapse: Synapse) -> torch.Tensor:
    """Return messages (samples, neurons) as a synapse's layer reads them."""
    if isinstance(synapse, Diagonal):
        return message[:, :, None]
    return message.reshape(-1, *synapse.grid) if isinstance(synapse, Conv) else message


def judged(program: bim_neuro.Program, data: bim_neuro.Dataset) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return NeuroBench's metrics of a program and ours, in one shape and under its names."""
    model = ProgramModel(program)
    pairs = TensorDataset(torch.tensor(data.x), torch.tensor(data.y))
    theirs = Benchmark(model, DataLoader(pairs, batch_size=25), [], [], METRICS).run(quiet=True)
    ran = program.play(data.x)
    ours = neurobench(program.graph, ran.activity, ran.record.samples, ran.record.steps)
    ours["ClassificationAccuracy"] = float((ran.record.predicted == data.y).mean())
    by_layer = theirs.pop("ActivationSparsityByLayer")
    spiking = {name for name, node in program.graph.nodes.items() if is_spiking(node)}
    sizes = {name: program.graph.nodes[name].neurons for name in model.neurons if name in spiking}
    silent = sum(by_layer[name.replace(".", "/")] * size for name, size in sizes.items())
    theirs["ActivationSparsity of spiking layers"] = silent / sum(sizes.values()) if sizes else 0.0
    ours["ActivationSparsity of spiking layers"] = ours.pop("ActivationSparsity")
    return theirs | theirs.pop("SynapticOperations"), ours | ours.pop("SynapticOperations")


def digits(samples: int) -> tuple[bim_neuro.Program, bim_neuro.Dataset]:
    """Return the model of the examples, and images it was not trained on: graded messages and spikes."""
    program = bim_neuro.compile(ROOT / "examples" / "digits.pt")
    return program, bim_neuro.load_task("digits").test.take(np.arange(samples))


def feature_maps(samples: int) -> tuple[bim_neuro.Program, bim_neuro.Dataset]:
    """Return a net of random weights behind a convolution whose borders count, with spikes and labels at random."""
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.4, (4, 2, 3, 3)) * (rng.random((4, 2, 3, 3)) < 0.7)
    lif = {"tau": 5e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.1}
    nodes = {
        "input": nir.Input(np.array([2, 6, 6])),
        "conv": nir.Conv2d((6, 6), weight, (2, 1), 1, 1, 1, np.zeros(4)),
        "map": nir.LIF(**{name: np.full((4, 3, 6), value) for name, value in lif.items()}),
        "flat": nir.Flatten(np.array([4, 3, 6]), 0, -1),
        "w": nir.Linear(rng.normal(0, 0.3, (5, 72))),
        "lif": nir.LIF(**{name: np.full(5, value) for name, value in lif.items()}),
        "output": nir.Output(np.array([5])),
    }
    graph = nir.NIRGraph(nodes, list(pairwise(nodes)))
    x = (rng.random((samples, 12, 72)) < 0.3).astype(float)
    program = bim_neuro.compile(graph, dt=1e-3, dialect="norse", input=x)
    return program, bim_neuro.Dataset(x, rng.integers(0, 5, samples))


def differing(program: bim_neuro.Program, data: bim_neuro.Dataset) -> int:
    """Print each metric of both; return how many of those that count the same differ."""
    theirs, ours = judged(program, data)
    different = 0
    for name, value in theirs.items():
        beside = ours.get(name)
        own = name in ("Footprint", "ActivationSparsity")  # count what the chip does not have: docs/energy.md
        same = own or (beside is not None and abs(value - beside) <= 1e-4 * max(1, abs(value)))
        different += not same
        shown = "-" if beside is None else f"{beside:,.4f}"
        print(f"  {name}: {value:,.4f} by NeuroBench, {shown} by us" + ("" if same else "  DIFFERENT"))
    return different


def main() -> None:
    """Judge both programs; exit 1 where a metric differs."""
    different = 0
    for made in (digits, feature_maps):
        program, data = made(60)
        print(f"{made.__name__}: {len(data)} samples")
        different += differing(program, data)
    sys.exit(f"{different} metrics differ" if different else 0)


if __name__ == "__main__":
    main()

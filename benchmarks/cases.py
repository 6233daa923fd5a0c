"""The workloads of the engine's benchmark: a graph, encoded input, and what is compared on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from bim_neuro.compilers.align import align
from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.quantise import quantise
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.model.checkpoint import Checkpoint, load_checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes import Dense, Encoder, IntegerLIF, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation import Engine, Tuning
from bim_neuro.tasks import load_task

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@dataclass(frozen=True)
class Case:
    """One workload. ``slow_samples`` and ``slow_steps`` are what the numpy law and Lava get to do of it."""

    name: str
    what: str
    graph: IntegerGraph
    x: Array  # int8 (samples, steps, lines)
    slow_samples: int
    slow_steps: int


def lif_chain(neurons: int, layers: int, rate: float, steps: int, seed: int = 0) -> tuple[IntegerGraph, Array]:
    """Dense layers of LIF with dv = 128, each tuned on the numpy-exact engine to fire about as often as the input."""
    draw = np.random.default_rng(seed)
    weights = [draw.integers(-63, 65, (neurons, neurons)).astype(np.int8) for _ in range(layers)]
    x = (draw.random((1, steps, neurons)) < rate).astype(np.int8)
    thresholds: list[int] = []
    for layer in range(layers):
        thresholds.append(_tune(lambda t, n=layer: _chain(weights[: n + 1], [*thresholds, t]), x[:, :200], rate))
    return _chain(weights, thresholds), x


def _chain(weights: list[Array], thresholds: list[int]) -> IntegerGraph:
    neurons = len(weights[0])
    nodes = {"input": Source(neurons, graded=False)} | {
        f"lif{i}": IntegerLIF(neurons, 4095, 128, threshold, np.zeros(neurons, np.int64))
        for i, threshold in enumerate(thresholds)
    }
    names = list(nodes)
    edges = tuple(Edge(names[i], names[i + 1], "i", Dense(weight)) for i, weight in enumerate(weights))
    return align(IntegerGraph(nodes, edges, 1e-3, _spikes(neurons)))


def recurrent(neurons: int, density: float, rate: float, steps: int, seed: int = 0) -> tuple[IntegerGraph, Array]:
    """One recurrent layer, sparse in and back (stored dense: reading zeros is cheaper than indices)."""
    draw = np.random.default_rng(seed)

    def weight() -> Array:
        values = draw.integers(-63, 65, (neurons, neurons))
        return np.where(draw.random(values.shape) < density, values, 0).astype(np.int8)

    into, back = Dense(weight()), Dense(weight())
    x = (draw.random((1, steps, neurons)) < rate).astype(np.int8)

    def build(threshold: int) -> IntegerGraph:
        nodes = {
            "input": Source(neurons, graded=False),
            "lif": IntegerLIF(neurons, 4095, 128, threshold, np.zeros(neurons, np.int64)),
        }
        edges = (Edge("input", "lif", "i", into), Edge("lif", "lif", "i", back))
        return align(IntegerGraph(nodes, edges, 1e-3, _spikes(neurons)))

    return build(_tune(build, x[:, :200], rate)), x


def _tune(build: Callable[[int], IntegerGraph], x: Array, rate: float) -> int:
    """Find the threshold at which the last layer's mean rate comes closest from above, by bisection."""
    low, high = 0, 2**17 - 1
    while high - low > 1:
        middle = (low + high) // 2
        graph = build(middle)
        count = Engine(graph).run(x, tuning=Tuning("events")).layers[graph.output]
        low, high = (middle, high) if count.messages.sum() > rate * count.updates.sum() else (low, middle)
    return low


def _spikes(neurons: int) -> Encoder:
    return Encoder("spikes", np.ones(neurons), np.zeros(neurons))


def trained(name: str, samples: int, data: Path | None) -> tuple[IntegerGraph, Array, str]:
    """Return an example's aligned graph and encoded test input: real where the data is there, else noise in range."""
    path = EXAMPLES / f"{name}.pt"
    if not path.is_file():
        raise InputError(f"examples/{path.name} is not there")
    checkpoint = load_checkpoint(path)
    graph = align(quantise(export(checkpoint)))
    try:
        raw = load_task(name, data if name == "ecg" else None).split("test").take(slice(samples)).x
        origin = "test split"
    except InputError:
        steps = int(checkpoint.training.get("steps", 16))
        lines = len(graph.encoder.gain)
        span = 100 / np.maximum(graph.encoder.gain, 1e-9)
        raw = graph.encoder.offset + span * np.random.default_rng(0).uniform(-1, 1, (samples, steps, lines))
        origin = "noise, the recordings are not here"
    return graph, graph.encoder.encode(raw).astype(np.int8), origin


def generated_bim(width: int, states: int, blocks: int, steps: int, samples: int) -> tuple[IntegerGraph, Array]:
    """An untrained BIM of M = D = ``width`` on graded noise, calibrated and quantised as a trained one."""
    draw = np.random.default_rng(0)
    checkpoint = generated_checkpoint(width, states, blocks, draw.uniform(-1, 1, (8, 50, width)))
    x = checkpoint.encoder.encode(draw.uniform(-1, 1, (samples, steps, width))).astype(np.int8)
    return align(quantise(export(checkpoint))), x


def generated_checkpoint(width: int, states: int, blocks: int, typical: Array) -> Checkpoint:
    """Return an untrained BIM of M = D = ``width``, its ranges measured on raw input (samples, steps, width)."""
    torch.manual_seed(0)
    config = NetworkConfig(width, 10, channels=width, states=states, blocks=blocks)
    encoder = Encoder("graded", np.full(width, 127.0), np.zeros(width))
    labels = tuple(str(i) for i in range(10))
    checkpoint = Checkpoint(config, 1e-3, "own", labels, encoder, dict(BIMNetwork(config).state_dict()), {})
    return replace(checkpoint, ranges=calibrate(export(checkpoint), encoder.to_float(encoder.encode(typical))))


def cases(data: Path | None) -> dict[str, Callable[[], Case]]:
    """Return what builds each case; a case that cannot be built raises `InputError` with the reason."""

    def n1(rate: float) -> Case:
        graph, x = lif_chain(1000, 3, rate, 1000)
        return Case(f"N1_{rate * 100:02.0f}", f"3 x 1000 LIF, dense, {rate:.0%} input", graph, x, 1, 100)

    def n2() -> Case:
        graph, x = recurrent(1000, 0.1, 0.02, 1000)
        return Case("N2", "1000 recurrent LIF, 10 % connectivity, 2 % input", graph, x, 1, 100)

    def example(case: str, name: str, samples: int, slow: int) -> Case:
        graph, x, origin = trained(name, samples, data)
        return Case(case, f"examples/{name}.pt, {len(x)} samples, {origin}", graph, x, slow, x.shape[1])

    def b3() -> Case:
        graph, x = generated_bim(256, 16, 4, 200, 2)
        return Case("B3", "BIM of M = D = 256, N = 16, 4 blocks, graded noise", graph, x, 1, 40)

    return {
        "N1_02": lambda: n1(0.02),
        "N1_10": lambda: n1(0.10),
        "N2": n2,
        "B1": lambda: example("B1", "digits", 599, 20),
        "B2": lambda: example("B2", "ecg", 2000, 20),
        "B3": b3,
    }

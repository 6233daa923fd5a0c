"""Graphs whose model.nir other tools play, and their input: for `scripts/make_imported_runs.py` and its tests."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge.importers import importer_of
from bim_neuro.nir_bridge.standard import standard_graph
from bim_neuro.nodes import LIF, Conv, Cuba, Dense, Diagonal, Encoder, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.synapses import Synapse

LINES, NEURONS, CLASSES, STEPS, SAMPLES = 6, 16, 3, 60, 4
GRID = (2, 6, 5)
FRAMEWORKS = ("norse", "snntorch", "spikingjelly")
SNNTORCH_STEP = 1e-4
Joined = tuple[str, str, Synapse, int]
"""Sender, receiver, synapse, steps of delay."""


def _rng() -> np.random.Generator:
    return np.random.default_rng(11)


def _dense(rng: np.random.Generator, rows: int, columns: int, scale: float) -> Dense:
    return Dense(rng.normal(size=(rows, columns)) * scale)


def _graph(nodes: dict[str, Any], joined: Sequence[Joined], dt: float = 1e-3) -> FloatGraph:
    lines = nodes["input"].channels
    edges = tuple(Edge(pre, post, next(iter(nodes[post].ports)), synapse, late) for pre, post, synapse, late in joined)
    return FloatGraph(nodes, edges, dt, Encoder("spikes", np.ones(lines), np.zeros(lines)))


def _layers(first: LIF | Cuba, last: LIF | Cuba, *more: Joined, scale: float = 0.7) -> FloatGraph:
    rng = _rng()
    joined = [
        ("input", "hidden", _dense(rng, first.neurons, LINES, scale), 0),
        ("hidden", "out", _dense(rng, last.neurons, first.neurons, scale), 0),
    ]
    return _graph({"input": Source(LINES, graded=False), "hidden": first, "out": last}, [*joined, *more])


def _lif(neurons: int, decay: float = 0.9, current_decay: float = 0.0, bias: float = 0.0) -> LIF:
    return LIF(neurons, decay, 0.5, bias * _rng().normal(size=neurons), current_decay)


def _dense_lif() -> FloatGraph:
    return _layers(_lif(NEURONS, 0.9, bias=0.02), _lif(CLASSES, 0.8, bias=0.02))


def _dense_cuba() -> FloatGraph:
    return _layers(_lif(NEURONS, 0.9, 0.6), _lif(CLASSES, 0.8, 0.7), scale=0.3)


def _conv(current_decay: float) -> FloatGraph:
    rng = _rng()
    first = Conv(rng.normal(size=(4, GRID[0], 3, 3)) * 0.3, GRID, padding=(1, 1, 1, 1))
    second = Conv(rng.normal(size=(3, 4, 2, 4)) * 0.4, first.out, stride=(2, 1))  # rectangular: nir reads it wrong
    sizes = [int(np.prod(conv.out)) for conv in (first, second)]
    nodes = {
        "input": Source(int(np.prod(GRID)), graded=False),
        "conv1": LIF(sizes[0], 0.85, 0.5, np.repeat(rng.normal(size=4) * 0.02, sizes[0] // 4) * (not current_decay)),
        "conv2": LIF(sizes[1], 0.8, 0.5, np.zeros(sizes[1]), current_decay),
        "out": _lif(CLASSES, 0.9, current_decay),
    }
    flat = _dense(rng, CLASSES, sizes[1], 0.4)
    return _graph(nodes, [("input", "conv1", first, 0), ("conv1", "conv2", second, 0), ("conv2", "out", flat, 0)])


def _recurrent(current_decay: float) -> FloatGraph:
    back = ("hidden", "hidden", _dense(_rng(), NEURONS, NEURONS, 0.3), 1)
    return _layers(_lif(NEURONS, 0.9, current_decay), _lif(CLASSES, 0.8), back, scale=0.4)


def _late() -> FloatGraph:
    """A layer that reads itself with a constant: from the second step on."""
    graph, constant = _recurrent(0.0), LIF(1, 0.0, 0.5, np.ones(1))
    late = Edge("late", "hidden", "i", Dense(np.full((NEURONS, 1), 0.06)), delay=1)
    return replace(graph, nodes={**graph.nodes, "late": constant}, edges=(*graph.edges, late))


def _per_neuron() -> FloatGraph:
    """Thresholds and gains a neuron, which snnTorch and SpikingJelly take one a layer of."""
    rng, zero = _rng(), np.zeros(NEURONS)
    hidden = Cuba(
        np.full(NEURONS, 0.9), zero, rng.uniform(0.5, 2, NEURONS), 0.02 * rng.normal(size=NEURONS),
        rng.uniform(0.3, 0.9, NEURONS), zero, zero, zero - np.inf,
    )  # fmt: skip
    return _layers(hidden, _lif(CLASSES, 0.8))


def _from(start: float, reset: float, compare: str = ">") -> FloatGraph:
    """Neurons that start at a voltage, and are reset to another, which leads back to the first."""
    rng, ones = _rng(), np.ones(NEURONS)
    hidden = Cuba(
        0.9 * ones, 0 * ones, ones, 0.1 * start * ones, rng.uniform(0.4, 0.6, NEURONS), reset * ones, start * ones,
        0 * ones - np.inf, compare=compare, reset_when="next",
    )  # fmt: skip
    return _layers(hidden, _lif(CLASSES, 0.8))


def _one_to_one() -> FloatGraph:
    """Neurons that never leak, read one by one by neurons that forget in a step, and a bias beside that."""
    rng = _rng()
    nodes = {
        "input": Source(LINES, graded=False),
        "if": LIF(LINES, 1.0, 0.5, np.zeros(LINES)),
        "forget": _lif(LINES, 0.0, bias=0.3),
        "out": _lif(CLASSES, 0.8),
    }
    joined: list[Joined] = [
        ("input", "if", _dense(rng, LINES, LINES, 0.3), 0),
        ("if", "forget", Diagonal(rng.uniform(0.4, 0.8, LINES)), 0),
        ("forget", "out", _dense(rng, CLASSES, LINES, 0.7), 0),
    ]
    return _graph(nodes, joined)


def _grid() -> FloatGraph:
    """Weights in sixteenths, decays of a half: voltages meet thresholds exactly, and > is not >=."""
    rng = _rng()
    nodes = {"input": Source(LINES, graded=False), "hidden": _lif(NEURONS, 0.5), "out": _lif(CLASSES, 0.5)}
    joined: list[Joined] = [
        ("input", "hidden", Dense(rng.integers(-8, 9, (NEURONS, LINES)) / 16), 0),
        ("hidden", "out", Dense(rng.integers(-8, 9, (CLASSES, NEURONS)) / 16), 0),
    ]
    return _graph(nodes, joined)


NETS: dict[str, Callable[[], FloatGraph]] = {
    "dense_lif": _dense_lif,
    "dense_cuba": _dense_cuba,
    "conv_lif": lambda: _conv(0.0),
    "conv_cuba": lambda: _conv(0.6),
    "recurrent_lif": lambda: _recurrent(0.0),
    "recurrent_cuba": lambda: _recurrent(0.5),
    "recurrent_late": _late,
    "per_neuron": _per_neuron,
    "one_to_one": _one_to_one,
    "v_reset": lambda: _from(-0.3, -0.3, ">="),
    "v_leak": lambda: _from(0.2, 0.0),
    "grid": _grid,
}
FOR_ALL = ("dense_lif", "dense_cuba", "conv_lif", "conv_cuba")
"""Written for nobody in particular, in steps of 1e-4 s, the only ones of snnTorch's importer: all three play them."""


ONLY = {"v_leak": ("norse",)}
"""Nets that not every framework plays; of the others a finding says so."""


@cache
def net(name: str, importer: str | None) -> FloatGraph:
    """Return a graph, in steps of 1e-4 s where no importer is named."""
    graph = NETS[name]()
    return graph if importer else replace(graph, dt=SNNTORCH_STEP)


def inputs(graph: FloatGraph) -> Array:
    """Return spikes (samples, steps, lines)."""
    return (np.random.default_rng(1).random((SAMPLES, STEPS, graph.nodes["input"].neurons)) < 0.3).astype(float)


def cases() -> list[tuple[str, str | None, str]]:
    """Return (net, the importer it is written for, the framework that plays it)."""
    written = [(name, each, each) for name in NETS for each in ONLY.get(name, FRAMEWORKS)]
    return [*written, *((name, None, each) for name in FOR_ALL for each in FRAMEWORKS)]


def digest(graph: FloatGraph, importer: str | None) -> str:
    """Return a hash of every number that an importer reads of the file, so that a record belongs to one file."""
    standard = standard_graph(graph, importer_of(importer))
    summed = hashlib.sha256(repr(sorted(standard.edges)).encode())
    for name, node in sorted(standard.nodes.items()):
        summed.update(f"{name} {type(node).__name__}".encode())
        for field, value in sorted(vars(node).items()):
            if isinstance(value, np.ndarray):
                file = io.BytesIO()
                np.save(file, value)
                summed.update(field.encode() + file.getvalue())
    return summed.hexdigest()

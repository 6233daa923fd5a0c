r"""A million LIF on Kapoho Point, from file to report in one command: seconds a stage, and peak memory.

    python -m benchmarks.million                                  (some minutes, 4 GiB)
    python -m benchmarks.million --neurons 20_000 --keep FOLDER   (smaller; the files stay in FOLDER)

The model is made: COLUMNS columns of STAGES stages. A stage is a wide layer of LIF and a narrow one that reads it; the
narrow layer is read by the next wide layers of its own column and of the one beside it, and each wide layer reads, one
to one, the wide layer before it. So a neuron has 9 to 20 synapses at each end but the narrow ones: as much as a core's
synapse words hold for a thousand neurons.

    input -> wide -> narrow -> wide -> narrow .. -> 10 classes
               |        \       |
               +---------\------+  one to one
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nir
import numpy as np

from bim_neuro.nodes.arithmetic import Array

COLUMNS, STAGES = 25, 10
NARROW, LINES, CLASSES = 16, 16, 10
READ = 1 / 4
"""The share of a wide layer that a neuron of the narrow one reads: more would add up to more than a dendrite holds."""
SAMPLES, STEPS, RATE = 4, 40, 0.2
DT, TAU = 1e-3, 20e-3
REST = 2.0
"""Where the membrane of a wide layer goes at most without input; above 1, what it fires at, it never falls silent."""


def model(neurons: int, seed: int = 0) -> Any:
    """Return the graph with at least so many LIF, as other frameworks write one."""
    draw = np.random.default_rng(seed)
    wide = max(NARROW, -(-neurons // (COLUMNS * STAGES)))
    nodes: dict[str, Any] = {"input": nir.Input(np.array([LINES])), "output": nir.Output(np.array([CLASSES]))}
    edges = [("readout", "output")]

    def add(name: str, node: Any, sources: list[str]) -> str:
        nodes[name] = node
        edges.extend((source, name) for source in sources)
        return name

    for column in range(COLUMNS):
        for stage in range(STAGES):
            here, beside = f"c{column}.s{stage}", (column + 1) % COLUMNS
            before = ["input"] if stage == 0 else [f"c{c}.s{stage - 1}.narrow" for c in (column, beside)]
            size = LINES if stage == 0 else NARROW
            wires = [
                add(f"{here}.in{index}", nir.Linear(_normal(draw, (wide, size), 0.0, 0.4)), [source])
                for index, source in enumerate(before)
            ]
            if stage:
                skip = nir.Scale(draw.uniform(0.0, 0.2, wide).astype(np.float32))
                wires.append(add(f"{here}.skip", skip, [f"c{column}.s{stage - 1}.wide"]))
            add(f"{here}.wide", _lif(draw.uniform(0.0, REST, wide).astype(np.float32)), wires)
            weight = _normal(draw, (NARROW, wide), 0.0, 1.0 / np.sqrt(wide)) * (draw.random((NARROW, wide)) < READ)
            add(f"{here}.narrow", _lif(draw.uniform(0.0, REST, NARROW).astype(np.float32)), [add(f"{here}.out", nir.Linear(weight), [f"{here}.wide"])])
    ends = [
        add(f"c{column}.class", nir.Linear(_normal(draw, (CLASSES, NARROW), 0.0, 0.2)), [f"c{column}.s{STAGES - 1}.narrow"])
        for column in range(COLUMNS)
    ]
    add("readout", nir.LI(_full(CLASSES, TAU), _full(CLASSES, 1.0), _full(CLASSES, 0.0)), ends)
    return nir.NIRGraph(nodes, edges)


def _normal(draw: np.random.Generator, shape: tuple[int, int], mean: float, spread: float) -> Array:
    return draw.normal(mean, spread, shape).astype(np.float32)


def _lif(rest: Array) -> Any:
    """Return LIF that fire above 1 and go, without input, to ``rest``."""
    size = len(rest)
    return nir.LIF(_full(size, TAU), _full(size, TAU / DT), rest, _full(size, 1.0))


def _full(size: int, value: float) -> Array:
    return np.full(size, value, np.float32)

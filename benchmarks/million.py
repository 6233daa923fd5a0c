r"""A million LIF on Kapoho Point, from file to report in one command: seconds a stage, and peak memory.

    python -m benchmarks.million                                   (a minute on an idle machine, 3 GiB)
    python -m benchmarks.million --neurons 20000 --keep FOLDER     (smaller; its files stay in FOLDER)

The model is made: COLUMNS columns of STAGES stages. A stage is a wide layer and a narrow one that reads a part of it.
The narrow layer is read by the next wide layers of its own column and of the one beside it, and a wide layer reads, one
to one, the wide layer before it. So a neuron of a wide layer has 33 synapses at its inputs, about as many as the
synapse words of a core hold for each of a thousand neurons.

    input -> wide -> narrow -> wide -> narrow .. -> 10 classes
               |         \      |
               +----------\-----+ one to one
                           beside
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import nir
import numpy as np

from bim_neuro.cli import compile_main
from bim_neuro.nodes.arithmetic import Array

NEURONS = 1_000_000
COLUMNS, STAGES = 25, 10
NARROW, LINES, CLASSES = 16, 16, 10
READ = 1 / 4
"""The share of a wide layer that a neuron of the narrow one reads: more would add up to more than a dendrite holds."""
SAMPLES, STEPS, RATE = 4, 40, 0.2
DT, TAU = 1e-3, 20e-3
REST = 2.0
"""Where a membrane goes at most without input; above 1, what it fires at, it never falls silent."""


class Measured(NamedTuple):
    """One bim-compile: its seconds, those of its stages, the largest process of it, and the size of the model."""

    seconds: float
    stages: dict[str, float]
    peak_mib: float
    neurons: int
    synapses: int
    cores: int


def write_model(folder: Path, neurons: int = NEURONS) -> tuple[Path, Path]:
    """Write a model of at least so many LIF, and input for it."""
    model, sequences = folder / "million.nir", folder / "million.npz"
    nir.write(model, _Model(neurons).graph())
    x = np.random.default_rng(1).random((SAMPLES, STEPS, LINES)) < RATE
    np.savez_compressed(sequences, x=x, layout="BTC")
    return model, sequences


class _Model:
    """The graph as any framework writes one."""

    def __init__(self, neurons: int, seed: int = 0) -> None:
        self.draw = np.random.default_rng(seed)
        self.wide = max(NARROW, -(-neurons // (COLUMNS * STAGES)) - NARROW)
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []

    def graph(self) -> Any:
        self._add("input", nir.Input(np.array([LINES])))
        ends = []
        for column in range(COLUMNS):
            for stage in range(STAGES):
                self._stage(column, stage)
            weight = self._normal((CLASSES, NARROW), 0.2)
            ends.append(self._add(f"c{column}.classes", nir.Linear(weight), f"c{column}.s{STAGES - 1}.narrow"))
        self._add("readout", nir.LI(_full(CLASSES, TAU), _full(CLASSES, 1.0), _full(CLASSES, 0.0)), *ends)
        self._add("output", nir.Output(np.array([CLASSES])), "readout")
        return nir.NIRGraph(self.nodes, self.edges)

    def _stage(self, column: int, stage: int) -> None:
        here, last = f"c{column}.s{stage}", stage - 1
        read = [f"c{c}.s{last}.narrow" for c in (column, (column + 1) % COLUMNS)] if stage else ["input"]
        wires = [
            self._add(f"{here}.in{index}", nir.Linear(self._normal((self.wide, LINES), 0.4)), source)
            for index, source in enumerate(read)
        ]
        if stage:
            skip = self.draw.uniform(0.0, 0.2, self.wide).astype(np.float32)
            wires.append(self._add(f"{here}.skip", nir.Scale(skip), f"c{column}.s{last}.wide"))
        wide = self._add(f"{here}.wide", self._lif(self.wide), *wires)
        weight = self._normal((NARROW, self.wide), self.wide**-0.5)
        weight[self.draw.random(weight.shape) > READ] = 0
        self._add(f"{here}.narrow", self._lif(NARROW), self._add(f"{here}.out", nir.Linear(weight), wide))

    def _add(self, name: str, node: Any, *sources: str) -> str:
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def _lif(self, size: int) -> Any:
        rest = self.draw.uniform(0.0, REST, size).astype(np.float32)
        return nir.LIF(_full(size, TAU), _full(size, TAU / DT), rest, _full(size, 1.0))

    def _normal(self, shape: tuple[int, int], spread: float) -> Array:
        return self.draw.normal(0.0, spread, shape).astype(np.float32)


def _full(size: int, value: float) -> Array:
    return np.full(size, value, np.float32)


def measure(model: Path, sequences: Path, out: Path) -> Measured:
    """Run one bim-compile in a process of its own, from the file to the report."""
    peak = out.with_suffix(".peak")
    words = [peak, model, "--dt", DT, "--target", "kapoho_point", "--input", sequences, "-o", out]
    code = "from benchmarks.million import compile_and_tell; compile_and_tell()"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    summary = json.loads((out / "summary.json").read_text())
    layers = summary["layers"]
    neurons, synapses = (sum(layer[count] for layer in layers) for count in ("neurons", "synapses"))
    return Measured(seconds, summary["seconds"], float(peak.read_text()), neurons, synapses, summary["cores"]["used"])


def compile_and_tell() -> None:
    """Be bim-compile, then write into the file named first the MiB that it, or its reader of files, took at most.

    What the kernel counts for a finished child holds the memory of the parent it was forked from: it cannot tell.
    """
    told = Path(sys.argv.pop(1))
    try:
        compile_main()
    finally:
        [own] = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        told.write_text(str(max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024))


def main() -> None:
    """Make a model, compile it, and print what that took."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--neurons", type=int, default=NEURONS)
    arguments.add_argument("--keep", type=Path, help="a folder in which model, input and report stay")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        model, sequences = write_model(folder, given.neurons)
        found = measure(model, sequences, folder / "report")
        print(f"{found.neurons:,} neurons, {found.synapses:,} synapses, {found.cores} cores; ", end="")
        print(f"a file of {model.stat().st_size / 2**20:,.0f} MiB")
    for stage, seconds in found.stages.items():
        print(f"{stage:<16}{seconds:8.1f} s")
    print(f"{'the command':<16}{found.seconds:8.1f} s, {found.peak_mib:,.0f} MiB at its peak")


if __name__ == "__main__":
    main()

"""Convolutions from file to report: cores, seconds, and the memory of all processes of one bim-compile together.

    python -m benchmarks.maps                   (1 and 10 layers of 64 x 32 x 32, about a minute)

Each layer is a 3 x 3 convolution of 64 channels to 64, padded by one, and IF neurons: 36 million pairs of neurons,
never unrolled. Two samples of 20 steps, 2 % of the input active, on Kapoho Point.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import nir
import numpy as np

CHANNELS, SIZE = 64, 32
SAMPLES, STEPS, RATE = 2, 20, 0.02
ACTIVE = 0.05
"""The share of active senders at which an IF's input has its threshold as standard deviation."""
POLL_S = 0.02
PAGE_BYTES = 4096


class Measured(NamedTuple):
    """One bim-compile; ``peak_mib`` is the most that its processes held at once, those it started included."""

    seconds: float
    placing: float
    peak_mib: float
    cores: int
    synapses: int


def write_model(folder: Path, layers: int) -> tuple[Path, Path]:
    """Write a chain of convolutions, and input for it."""
    draw, shape = np.random.default_rng(1), (CHANNELS, SIZE, SIZE)
    nodes = {"input": nir.Input(np.array(shape))}
    spread, ones = (9 * CHANNELS * ACTIVE) ** -0.5, np.ones(shape, np.float32)
    for index in range(layers):
        weight = draw.normal(0, spread, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
        nodes[f"conv{index}"] = nir.Conv2d((SIZE, SIZE), weight, 1, 1, 1, 1, np.zeros(CHANNELS, np.float32))
        nodes[f"if{index}"] = nir.IF(r=ones, v_threshold=ones)
    nodes["output"] = nir.Output(np.array(shape))
    names = list(nodes)
    model, sequences = folder / f"maps{layers}.nir", folder / f"maps{layers}.npz"
    nir.write(model, nir.NIRGraph(nodes, list(pairwise(names))))
    x = draw.random((SAMPLES, STEPS, CHANNELS * SIZE * SIZE)) < RATE
    np.savez_compressed(sequences, x=x, layout="BTC")
    return model, sequences


def measure(model: Path, sequences: Path, out: Path) -> Measured:
    """Run one bim-compile in a process of its own, from the file to the report."""
    code = "from bim_neuro.cli import compile_main; compile_main()"
    words = [model, "--dt", 1.0, "--target", "kapoho_point", "--input", sequences, "-o", out]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            peak = max(peak, _held(running.pid))
            time.sleep(POLL_S)
    seconds = time.perf_counter() - started
    summary = json.loads((out / "summary.json").read_text())
    synapses = sum(layer["synapses"] for layer in summary["layers"])
    return Measured(seconds, summary["seconds"]["place"], peak / 2**20, summary["cores"]["used"], synapses)


def _held(process: int) -> int:
    """Return the bytes that a process and all it started hold now; what ended meanwhile holds none."""
    try:
        own = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES
        threads = list(Path(f"/proc/{process}/task").iterdir())
        started = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return 0
    return own + sum(map(_held, started))


def main() -> None:
    """Measure both and print a row each."""
    with tempfile.TemporaryDirectory() as scratch:
        for layers in (1, 10):
            found = measure(*write_model(Path(scratch), layers), Path(scratch) / f"report{layers}")
            print(f"{layers:>3} layers, {found.synapses:,} synapses: {found.cores} cores, ", end="")
            print(f"{found.seconds:.1f} s, {found.placing:.1f} of them placing, {found.peak_mib:,.0f} MiB at its peak")


if __name__ == "__main__":
    main()

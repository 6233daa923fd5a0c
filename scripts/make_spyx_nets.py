"""Record networks of Spyx and rockpool, whose packages go with none of the others': graph.nir, input and spikes.

    python scripts/make_spyx_nets.py spyx        needs spyx 1.0.0 and nir 1.0.8
    python scripts/make_spyx_nets.py rockpool    needs rockpool 3.1.0 with torch and nirtorch, and nir 1.0.8

Writes tests/frameworks_data/NAME as `make_framework_nets.py` does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nir
import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "frameworks_data"
STEPS, SAMPLES, LINES = 40, 3, 10


def _save(name: str, graph: Any, x: np.ndarray, out: np.ndarray, dt: float) -> None:
    """Write a set; ``x`` and ``out`` are (steps, samples, lines)."""
    framework = name.partition("_")[0]
    meta = {"framework": framework, "dt": dt, "dialect": {"name": framework}}
    (FOLDER / name).mkdir(exist_ok=True)
    nir.write(FOLDER / name / "graph.nir", graph)
    np.savez_compressed(FOLDER / name / "io.npz", x=x.astype(np.uint8), out=out.astype(np.uint8), meta=json.dumps(meta))
    print(name, int(out.sum()), "spikes")


def _spyx() -> None:
    """A LIF, an IF and a CuBaLIF, each a step late."""
    import spyx.nn as sn
    from flax import nnx
    from spyx.nir import to_nir

    keys = nnx.Rngs(0)
    layers = [
        nnx.Linear(LINES, 16, rngs=keys), sn.LIF((16,), rngs=keys), nnx.Linear(16, 8, use_bias=False, rngs=keys),
        sn.IF((8,), rngs=keys), nnx.Linear(8, 5, rngs=keys), sn.CuBaLIF((5,), rngs=keys),
    ]  # fmt: skip
    for layer in layers[::2]:
        layer.kernel[...] = layer.kernel[...] * 3
    net = sn.Sequential(*layers)
    x = (np.random.default_rng(0).random((STEPS, SAMPLES, LINES)) < 0.3).astype(np.float32)
    state, out = net.initial_state(SAMPLES), []
    for row in x:
        sent, state = net(row, state)
        out.append(np.array(sent))
    graph = to_nir(net, {"input": np.array([LINES])}, {"output": np.array([5])}, dt=1)
    _save("spyx_lag", graph, x, np.stack(out), 1.0)


def _rockpool() -> None:
    """Two layers of LIF with synaptic currents that fire many times a step."""
    import torch
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LIFTorch, LinearTorch
    from rockpool.nn.modules.torch.nir import to_nir

    torch.manual_seed(3)
    dt = 1e-3
    net = Sequential(
        LinearTorch((LINES, 16), has_bias=False), LIFTorch(16, tau_mem=0.02, tau_syn=0.01, dt=dt, bias=0.0),
        LinearTorch((16, 5), has_bias=False), LIFTorch(5, tau_mem=0.01, tau_syn=0.01, dt=dt, bias=0.0),
    )  # fmt: skip
    for name, weight in net.named_parameters():
        if "weight" in name:
            weight.data *= 0.5
    x = (torch.rand(SAMPLES, STEPS, LINES) < 0.3).float()
    with torch.no_grad():
        out, _, _ = net(x)
    _save("rockpool_counts", to_nir(net, x), x.numpy().swapaxes(0, 1), out.numpy().swapaxes(0, 1), dt)


if __name__ == "__main__":
    {"spyx": _spyx, "rockpool": _rockpool}[sys.argv[1]]()

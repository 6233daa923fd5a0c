"""Make tests/frameworks_data/written_loop.nir and .npz: a recurrent graph that bim-neuro wrote, as norse plays it.

    python scripts/make_written_loop.py      needs norse 1.1.0, nir 1.0.8

The .nir is the standard layer of `write_nir`, without the exact copy, which norse does not read. norse steps by forward
Euler and takes every r for 1: it is handed tau of the same decay, and weights that hold r.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import nir
import norse.torch as norse
import numpy as np
import torch

from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import exact, write_nir
from bim_neuro.nodes import LIF, Dense, Encoder, Source

HERE = Path(__file__).parent.parent / "tests/frameworks_data"
LINES, NEURONS, CLASSES, STEPS, SAMPLES = 6, 12, 3, 40, 4
DT, DECAY = 1e-3, 0.9


def recurrent() -> FloatGraph:
    """A layer that reads itself, with a constant of this connection from the second step on, and an output."""
    rng = np.random.default_rng(7)
    nodes = {
        "in": Source(LINES, graded=False),
        "rnn.lif": LIF(NEURONS, DECAY, 0.5, rng.normal(size=NEURONS) * 0.01),
        "rnn.lif.late": LIF(1, 0.0, 0.5, np.ones(1)),
        "out": LIF(CLASSES, DECAY, 0.5, np.zeros(CLASSES)),
    }

    def dense(rows: int, columns: int, scale: float) -> Dense:
        return Dense(rng.normal(size=(rows, columns)).astype(np.float32).astype(float) * scale)

    edges = (
        Edge("in", "rnn.lif", "i", dense(NEURONS, LINES, 1)),
        Edge("rnn.lif", "rnn.lif", "i", dense(NEURONS, NEURONS, 0.5), delay=1),
        Edge("rnn.lif.late", "rnn.lif", "i", Dense(np.full((NEURONS, 1), 0.0625)), delay=1),
        Edge("rnn.lif", "out", "i", dense(CLASSES, NEURONS, 0.5)),
    )
    return FloatGraph(nodes, edges, DT, Encoder("spikes", np.ones(LINES), np.zeros(LINES)))


def as_norse_reads(graph: nir.NIRGraph) -> nir.NIRGraph:
    """Return the graph with tau for forward Euler and r = 1."""
    for node in graph.nodes.values():
        if isinstance(node, nir.LIF):
            node.tau, node.r, node.v_reset = DT / (1 - np.exp(-DT / node.tau)), np.ones_like(node.r), 0 * node.tau
        elif isinstance(node, nir.Affine):
            node.weight, node.bias = node.weight / (1 - DECAY), node.bias / (1 - DECAY)
    return graph


def main() -> None:
    """Write the graph, and what norse's output layer sends: (samples, steps, neurons)."""
    path = HERE / "written_loop.nir"
    write_nir(recurrent(), path)
    with h5py.File(path) as file, h5py.File(path.with_suffix(".new"), "w") as plain:
        for key in file:
            if key != exact.GROUP:
                file.copy(key, plain)
    path.with_suffix(".new").replace(path)
    x = (np.random.default_rng(1).random((SAMPLES, STEPS, LINES)) < 0.3).astype(np.float32)
    module, state, out = norse.from_nir(as_norse_reads(nir.read(path)), dt=DT), None, []
    with torch.no_grad():
        for row in torch.from_numpy(x).unbind(1):
            spikes, state = module(row, state)
            out.append(spikes.numpy())
    np.savez_compressed(HERE / "written_loop.npz", x=x.astype(np.uint8), out=np.stack(out, axis=1).astype(np.uint8))
    print(int(np.sum(out)), "spikes of", np.size(out))


if __name__ == "__main__":
    main()

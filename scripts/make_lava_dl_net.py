"""Make tests/frameworks_data/lava_dl.{nir,npz}: two blocks of slayer, written as the NIR repository's converter does.

    python3.10 scripts/make_lava_dl_net.py      needs lava-dl 0.6.0 and nir

The neurons do not decay and weights are multiples of 1/32, so that slayer's rounding changes nothing. lava-dl writes no
NIR itself: docs/source/examples/lava/lava_to_nir.py of the NIR repository has r = tau_mem / dt and w_in = tau_syn / dt.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import nir
import numpy as np
import torch
from lava.lib.dl import slayer

FOLDER = Path(__file__).parent.parent / "tests" / "frameworks_data"
DT, LINES, HIDDEN, CLASSES, STEPS, SAMPLES = 1e-4, 10, 20, 6, 60, 4


def block(lines: int, neurons: int) -> slayer.block.cuba.Dense:
    """Return a layer without decays; its spikes are a step late, as slayer has it by default."""
    kept = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 0.0}
    made = slayer.block.cuba.Dense(kept, lines, neurons)
    made.synapse.weight.data = torch.round(torch.randn(neurons, lines, 1, 1, 1) * 12 + 1) / 32
    return made


def neurons(count: int) -> nir.CubaLIF:
    """Return the node of such a layer: a current of one step, and no leak."""
    one, none = np.ones(count), np.full(count, np.inf)
    return nir.CubaLIF(DT * one, none, none, 0 * one, one, w_in=one, v_reset=0 * one)


def main() -> None:
    """Write the graph, the input, and what both layers send."""
    torch.manual_seed(3)
    first, last = block(LINES, HIDDEN), block(HIDDEN, CLASSES)
    x = (torch.rand(SAMPLES, LINES, STEPS) < 0.25).float()
    with torch.no_grad():
        hidden = first(x)
        out = last(hidden)
        weights = [each.synapse.weight.numpy()[:, :, 0, 0, 0] for each in (first, last)]
    nodes = {
        "input": nir.Input(np.array([LINES])),
        "0": nir.Linear(weights[0]),
        "1": neurons(HIDDEN),
        "2": nir.Linear(weights[1]),
        "3": neurons(CLASSES),
        "output": nir.Output(np.array([CLASSES])),
    }
    nir.write(FOLDER / "lava_dl.nir", nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), type_check=False))
    arrays = {name: part.numpy().transpose(0, 2, 1).astype(np.uint8) for name, part in
              (("x", x), ("spk__1", hidden), ("out", out))}  # fmt: skip
    meta = json.dumps({"dt": DT, "layout": "BTC", "dialect": {"name": "lava-dl"}})
    np.savez_compressed(FOLDER / "lava_dl.npz", meta=meta, **arrays)
    print({name: int(array.sum()) for name, array in arrays.items()})


if __name__ == "__main__":
    main()

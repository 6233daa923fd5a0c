"""One method on one cell in a process of its own: makes the data, or measures a gradient (`protocol.py`).

python -m benchmarks.training.worker data CELL DATA.npz
python -m benchmarks.training.worker METHOD CELL DATA.npz GRADIENT.npz
"""

from __future__ import annotations

import json
import sys

import numpy as np
import torch

from bim_neuro.denormals import denormals_flushed
from bim_neuro.model.network import BIMNetwork, NetworkConfig

from .cells import HEARD, LOUD, SILENCE, Cell
from .methods import METHODS, Skip, reference
from .protocol import Peak, serve

SHORT = 40
"""Steps of the sequence that compiles and fills the caches before memory is measured."""


def network(cell: Cell) -> BIMNetwork:
    """The network of a cell, always with the same weights."""
    torch.manual_seed(0)
    return BIMNetwork(NetworkConfig(cell.inputs, cell.classes, cell.channels, cell.states, cell.taps, cell.blocks))


def make_data(cell: Cell, path: str) -> None:
    """Write x (T, batch, M), y (batch,) and the weights."""
    rng, rate = np.random.default_rng(0), cell.rate or LOUD
    x = (rng.random((cell.steps, cell.batch, cell.inputs)) < rate).astype(np.float32)
    if cell.rate == SILENCE:
        x[HEARD:] = 0
    y = np.arange(cell.batch) % cell.classes
    np.savez(path, x=x, y=y, **{name: value.detach().numpy() for name, value in network(cell).named_parameters()})


@denormals_flushed()
def measure(method: str, cell: Cell, data: str, gradient: str) -> None:
    """Compute the gradient once, then as often as asked."""
    arrays = np.load(data)
    net, x, y = network(cell), torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    if method == "reference":
        reference(net, x, y)
        np.savez(gradient, **gradients(net))
        return
    try:
        warm = METHODS[method](net)
    except Skip as why:
        print(json.dumps({"skipped": str(why)}), flush=True)
        return
    warm(x[:SHORT], y)
    peak = Peak()  # what a method allocates for itself, as traces, counts; code that torch compiled is kept
    call = warm if method == "compile" else METHODS[method](net)
    loss = call(x, y) or 0.0
    serve(lambda: call(x, y), peak_bytes=peak.rise(), loss=loss, gradient=(gradient, gradients(net)))


def gradients(net: BIMNetwork) -> dict[str, np.ndarray]:
    """Return .grad of every parameter."""
    return {name: p.grad.numpy() for name, p in net.named_parameters() if p.grad is not None}


def main() -> None:
    """Do what the arguments say."""
    method, plain, *paths = sys.argv[1:]
    torch.set_num_threads(1)
    cell = Cell(**json.loads(plain))
    if method == "data":
        make_data(cell, *paths)
    else:
        measure(method, cell, *paths)


if __name__ == "__main__":
    main()

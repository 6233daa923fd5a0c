"""Make tests/netx_data: networks of lava-dl as .net files, and what netx sends in every layer (lava-dl 0.6).

Those called slayer_* were trained with lava.lib.dl.slayer and exported by it; the others hold what training rarely
gives: a constant a neuron, a bias, weights of one sign or beyond 127, delays a synapse.

    .venv-3.10/bin/python scripts/make_netx_nets.py
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from lava.lib.dl import slayer
from run_netx import recording, run

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "netx_data"
STEPS = 200
EPOCHS = 20


def neuron(**more: Any) -> dict[str, Any]:
    """Return the parameters of a block's neurons, a table of its own: slayer's recurrent block writes into it."""
    return {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.1, **more}


class Trained(torch.nn.Module):
    """Blocks one after another, as slayer's tutorials have them."""

    def __init__(self, *blocks: Any) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList(blocks)

    def forward(self, spikes: Any) -> Any:
        for block in self.blocks:
            spikes = block(spikes)
        return spikes

    def export(self, path: Path) -> None:
        """Write the file as the tutorials do."""
        with h5py.File(path, "w", track_order=False) as file:
            layers = file.create_group("layer")
            for index, block in enumerate(self.blocks):
                block.export_hdf5(layers.create_group(str(index)))


def trained(net: Trained, shape: tuple[int, ...], rate: float) -> Trained:
    """Train a few epochs on random spikes with random labels: the weights only have to move."""
    spikes = (torch.rand(16, *shape, 40) < rate).float()
    labels = torch.randint(0, 4, (16,))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    loss = slayer.loss.SpikeRate(true_rate=0.3, false_rate=0.05)
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        loss(net(spikes), labels).backward()
        optimiser.step()
    return net


def slayer_nets() -> dict[str, tuple[Trained, tuple[int, ...]]]:
    """Return the networks to train, and the shape that each reads."""
    cuba = slayer.block.cuba
    own = neuron(current_decay=[0.1, 0.9], voltage_decay=[0.02, 0.4], shared_param=False)

    def after(first: Any) -> tuple[Trained, tuple[int, ...]]:
        return Trained(first, cuba.Dense(neuron(), 16, 4, weight_scale=2)), (12,)

    return {
        "slayer_dense": after(cuba.Dense(neuron(), 12, 16, weight_norm=True)),
        "slayer_delay": after(cuba.Dense(neuron(), 12, 16, weight_scale=2, delay=True)),
        "slayer_recurrent": after(cuba.Recurrent(neuron(), 12, 16, weight_scale=2)),
        "slayer_own_decays": after(cuba.Dense(own, 12, 16, weight_scale=3)),
        "slayer_norm": after(cuba.Dense(neuron(norm=slayer.neuron.norm.MeanOnlyBatchNorm), 12, 16, weight_scale=2)),
        "slayer_conv": (
            Trained(
                cuba.Input(None, delay_shift=False),
                cuba.Conv(neuron(), 2, 6, 3, padding=1, weight_scale=3),
                cuba.Conv(neuron(), 6, 4, (3, 2), stride=(1, 2), groups=2, weight_scale=3),
                cuba.Flatten(),
                cuba.Dense(neuron(), 4 * 4 * 4, 4, weight_norm=True),
            ),
            (2, 6, 8),
        ),
    }


Fields = dict[str, Any]


def dense(kind: str, weight: Any, **fields: Any) -> Fields:
    """Return a layer as a table of datasets; constants of the neuron are those not otherwise given."""
    constants = {"iDecay": 1024, "vDecay": 410, "vThMant": 80, **fields.pop("neuron", {})}
    named = {"type": np.array([kind.encode()]), "shape": np.array([len(weight)]), "weight": weight, **fields}
    return {**named, **{f"neuron/{key}": value for key, value in constants.items()}, "neuron/type": "CUBA"}


def by_hand(rng: np.random.Generator) -> dict[str, list[Fields]]:
    """Return layers with what training rarely gives."""

    def weights(*shape: int, low: int = -90, high: int = 120) -> Any:
        return rng.integers(low, high, shape)

    def constants(decay: int, leak: int, threshold: int) -> dict[str, Any]:
        return {"iDecay": decay, "vDecay": leak, "vThMant": threshold}

    last = dense("dense", weights(4, 16))
    lowest = 2 * weights(16, 12, low=-60, high=70)
    lowest[3, 4] = -256
    inhibited = -weights(16, 12, low=1, high=24)
    inhibited[0, 0] = -64
    positive = weights(4, 16, low=0, high=255)
    own = rng.integers(200, 4000, 16)
    return {
        "own_constants": [dense("dense", weights(16, 12), neuron=constants(own, own // 8, 60 + own // 99)), last],
        "bias": [
            dense("dense", weights(16, 12), bias=rng.integers(-9, 9, 16)),
            dense("dense", weights(4, 16), bias=np.array(5)),
        ],
        "wide_weights": [
            dense("dense", weights(16, 12, low=-300, high=300), neuron={"vThMant": 900}), dense("dense", positive)
        ],
        "lowest_weight": [dense("dense", lowest), last],
        "one_sign": [
            dense("dense", inhibited, bias=np.full(16, 90), neuron=constants(4096, 200, 300)),
            dense("dense", positive // 2),
        ],
        "delays": [
            dense("dense", weights(16, 12), delay=rng.integers(0, 70, (16, 12))),
            dense("dense", weights(4, 16), delay=rng.integers(0, 9, 16)),
        ],
        "no_neuron": [
            dense("dense", weights(16, 12), neuron=constants(0, 4096, 80)),
            {name: value for name, value in last.items() if not name.startswith("neuron")},
        ],
        "recurrent": [dense("dense_rec", weights(16, 12), weight_rec=weights(16, 16, low=-60, high=40)), last],
    }  # fmt: skip


def write(layers: list[Fields], path: Path) -> None:
    """Write layers as a .net file."""
    with h5py.File(path, "w") as file:
        for index, fields in enumerate(layers):
            for name, value in fields.items():
                file[f"layer/{index}/{name}"] = value


def main() -> None:
    """Make every file anew."""
    warnings.filterwarnings("ignore")
    torch.manual_seed(3)
    torch.set_num_threads(1)
    rng = np.random.default_rng(3)
    FOLDER.mkdir(exist_ok=True)
    lines: dict[str, tuple[int, ...]] = {}
    for name, (net, shape) in slayer_nets().items():
        trained(net, shape, 0.3).export(FOLDER / f"{name}.net")
        lines[name] = shape
    for name, layers in by_hand(rng).items():
        write(layers, FOLDER / f"{name}.net")
        lines[name] = (12,)
    for name, shape in lines.items():
        x = (rng.random((1, STEPS, int(np.prod(shape)))) < 0.25).astype(np.int8)
        sent = run(FOLDER / f"{name}.net", x)
        np.savez_compressed(FOLDER / f"{name}.npz", **recording(x, sent))
        print(name, {key: int(value.sum()) for key, value in sent.items()}, flush=True)


if __name__ == "__main__":
    main()

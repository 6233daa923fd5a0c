"""Make tests/frameworks_data/recurrent.npz and its .nir files: recurrent nets as snnTorch and norse play them.

    python scripts/make_recurrent_nets.py      needs snntorch 1.0.0, norse 1.1.0, nir 1.0.8

norse exports no recurrent layer, so its graph is written here from the layer's own numbers: a CubaLIF whose w_in is
tau_syn / dt, since norse adds its input to the current without a factor.
"""

from __future__ import annotations

from pathlib import Path

import nir
import norse.torch as norse
import numpy as np
import snntorch as snn
import torch
from snntorch.export_nir import export_to_nir

HERE = Path(__file__).parent.parent / "tests/frameworks_data"
LINES, NEURONS, CLASSES, STEPS, SAMPLES = 8, 20, 4, 40, 4
DT = 1e-3


def snntorch_net() -> torch.nn.Sequential:
    """A recurrent Leaky and a Leaky, reset to zero in the step of the spike."""
    kinds = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
    hidden = snn.RLeaky(
        beta=torch.full((NEURONS,), 0.85), linear_features=NEURONS, threshold=torch.ones(NEURONS), **kinds
    )
    last = snn.Leaky(beta=torch.full((CLASSES,), 0.9), threshold=torch.ones(CLASSES), **kinds)
    net = torch.nn.Sequential(torch.nn.Linear(LINES, NEURONS), hidden, torch.nn.Linear(NEURONS, CLASSES), last)
    for layer, factor in ((net[0], 4), (net[2], 4), (hidden.recurrent, 3)):
        layer.weight.data *= factor
    return net


def norse_net(x: torch.Tensor) -> tuple[nir.NIRGraph, list[np.ndarray], list[np.ndarray]]:
    """A recurrent LIF with synaptic currents and a LIF without, as graph and spikes."""
    parameters = norse.LIFParameters(
        tau_mem_inv=torch.tensor(1 / 0.01), tau_syn_inv=torch.tensor(1 / 0.005), v_th=torch.tensor(0.8)
    )
    hidden = norse.LIFRecurrentCell(LINES, NEURONS, p=parameters, dt=DT)
    linear = torch.nn.Linear(NEURONS, CLASSES)
    last = norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(1 / 0.008), v_th=torch.tensor(0.3)), dt=DT)
    hidden.input_weights.data = torch.randn(NEURONS, LINES) * 1.5
    hidden.recurrent_weights.data = torch.randn(NEURONS, NEURONS) * 0.5
    linear.weight.data *= 12
    first, second, inner, out = None, None, [], []
    with torch.no_grad():
        for row in x:
            z, first = hidden(row, first)
            y, second = last(linear(z), second)
            inner.append(z.numpy())
            out.append(y.numpy())
    ones = np.ones(NEURONS)
    nodes = {
        "input": nir.Input(np.array([LINES])),
        "w_in": nir.Linear(hidden.input_weights.detach().numpy()),
        "lif": nir.CubaLIF(
            tau_mem=0.01 * ones, tau_syn=0.005 * ones, r=ones, v_leak=0 * ones, v_threshold=0.8 * ones, w_in=5 * ones
        ),
        "w_rec": nir.Linear(hidden.recurrent_weights.detach().numpy()),
        "fc": nir.Affine(linear.weight.detach().numpy(), linear.bias.detach().numpy()),
        "last": nir.LIF(*(value * np.ones(CLASSES) for value in (0.008, 1, 0, 0.3))),
        "output": nir.Output(np.array([CLASSES])),
    }
    wires = ["input w_in", "w_in lif", "lif w_rec", "w_rec lif", "lif fc", "fc last", "last output"]
    return nir.NIRGraph(nodes, [tuple(wire.split()) for wire in wires]), inner, out


def main() -> None:
    """Write both nets and what they sent: (samples, steps, neurons)."""
    torch.manual_seed(0)
    net, x = snntorch_net(), (torch.rand(STEPS, SAMPLES, LINES) < 0.3).float()
    nir.write(HERE / "snntorch_rleaky.nir", export_to_nir(net, torch.zeros(1, LINES), ignore_dims=[0]))
    for layer in (net[1], net[3]):
        layer.reset_mem()
    inner, out = [], []
    with torch.no_grad():
        for row in x:
            inner.append(net[1](net[0](row)).numpy().copy())
            out.append(net[3](net[2](torch.from_numpy(inner[-1]))).numpy().copy())
    graph, norse_inner, norse_out = norse_net(x)
    nir.write(HERE / "norse_recurrent.nir", graph)
    spikes = {
        name: np.stack(rows, axis=1).astype(np.uint8)
        for name, rows in {
            "snntorch_rleaky.inner": inner, "snntorch_rleaky.out": out,
            "norse_recurrent.inner": norse_inner, "norse_recurrent.out": norse_out,
        }.items()
    }  # fmt: skip
    np.savez_compressed(HERE / "recurrent.npz", x=x.numpy().transpose(1, 0, 2).astype(np.uint8), **spikes)
    print({name: int(rows.sum()) for name, rows in spikes.items()})


if __name__ == "__main__":
    main()

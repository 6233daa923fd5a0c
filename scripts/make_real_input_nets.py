"""Make tests/frameworks_data/real_input.npz and its .nir files: nets that snnTorch and norse feed with real values.

    python scripts/make_real_input_nets.py      needs snntorch 1.0.0, norse 1.1.0, nir 1.0.8, scikit-learn

snnTorch reads signals of both signs (also the recurrent net of make_recurrent_nets.py), norse pictures of digits that
brighten and fade: as both frameworks do it, the values go straight into the first layer, no encoder before it. All
arrays are time first, (steps, samples, ...).
"""

from __future__ import annotations

from pathlib import Path

import nir
import norse.torch as norse
import numpy as np
import snntorch as snn
import torch
from make_recurrent_nets import snntorch_net as recurrent_net
from sklearn.datasets import load_digits
from snntorch.export_nir import export_to_nir

HERE = Path(__file__).parent.parent / "tests/frameworks_data"
LINES, NEURONS, CLASSES, STEPS, SAMPLES = 6, 16, 3, 40, 4


def snntorch_net(x: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """Two Leaky, each reset by subtraction as snnTorch does by default."""
    hidden, last = (
        snn.Leaky(beta=torch.full((width,), beta), threshold=torch.ones(width), init_hidden=True)
        for width, beta in ((NEURONS, 0.9), (CLASSES, 0.8))
    )
    net = torch.nn.Sequential(torch.nn.Linear(LINES, NEURONS), hidden, torch.nn.Linear(NEURONS, CLASSES), last)
    net[2].weight.data *= 4
    nir.write(HERE / "snntorch_real.nir", export_to_nir(net, torch.zeros(1, LINES), ignore_dims=[0]))
    hidden.reset_mem()
    last.reset_mem()
    sent: dict[str, list[torch.Tensor]] = {"1": [], "3": []}
    for row in x:
        sent["1"].append(hidden(net[0](row)).clone())
        sent["3"].append(last(net[2](sent["1"][-1])).clone())
    return sent


def norse_net(x: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """Two convolutions over pictures, each with its LIF."""
    cells = [
        norse.LIFBoxCell(
            norse.LIFBoxParameters(
                tau_mem_inv=torch.full(shape, 1 / tau), v_leak=torch.zeros(shape), v_th=torch.full(shape, 0.25)
            ),
            dt=1e-3,
        )
        for shape, tau in (((3, 4, 4), 0.005), ((CLASSES, 1, 1), 0.008))
    ]
    net = norse.SequentialState(
        torch.nn.Conv2d(1, 3, 3, stride=2, padding=1), cells[0], torch.nn.Conv2d(3, CLASSES, 4), cells[1]
    )
    net[0].weight.data *= 4
    net[2].weight.data *= 8
    graph = norse.to_nir(net, torch.rand(1, 8, 8), dt=1.0)
    graph.infer_types()
    nir.write(HERE / "norse_real.nir", graph)
    first = second = None
    sent: dict[str, list[torch.Tensor]] = {"1": [], "3": []}
    for row in x:
        spikes, first = cells[0](net[0](row), first)
        sent["1"].append(spikes.clone())
        spikes, second = cells[1](net[2](spikes), second)
        sent["3"].append(spikes.clone())
    return sent


def snntorch_recurrent(x: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """The recurrent net whose graph is snntorch_rleaky.nir."""
    torch.manual_seed(0)
    net = recurrent_net()
    net[1].reset_mem()
    net[3].reset_mem()
    sent: dict[str, list[torch.Tensor]] = {"1.lif": [], "3": []}
    for row in x:
        sent["1.lif"].append(net[1](net[0](row)).clone())
        sent["3"].append(net[3](net[2](sent["1.lif"][-1])).clone())
    return sent


def main() -> None:
    """Write both nets, what they read and what each layer sent."""
    torch.manual_seed(1)
    signals = torch.randn(STEPS, SAMPLES, LINES).cumsum(0) * 0.4
    pictures = torch.from_numpy(load_digits().images[:SAMPLES] / 16).float()[None, :, None]
    brightness = torch.sin(torch.linspace(0.3, 6, STEPS)).abs()[:, None, None, None, None]
    read = {"snntorch_real": signals, "norse_real": pictures * brightness}
    with torch.no_grad():
        sent = {"snntorch_real": snntorch_net(signals), "norse_real": norse_net(read["norse_real"])}
        read["snntorch_rleaky"] = torch.randn(STEPS, SAMPLES, 8).abs() * 0.6
        sent["snntorch_rleaky"] = snntorch_recurrent(read["snntorch_rleaky"])
    arrays = {f"{name}.x": x.numpy() for name, x in read.items()}
    for name, layers in sent.items():
        arrays |= {f"{name}.{layer}": torch.stack(rows).numpy().astype(np.uint8) for layer, rows in layers.items()}
    np.savez_compressed(HERE / "real_input.npz", **arrays)
    print({name: (array.shape, float(array.sum())) for name, array in arrays.items()})


if __name__ == "__main__":
    main()

"""Make tests/frameworks_data/states_*.{nir,npz}: nets with what three frameworks keep inside, beside their spikes.

    python scripts/make_state_nets.py      needs norse, snntorch, spikingjelly, as make_framework_nets.py

Arrays are (steps, samples, neurons): x, out, spk__NODE of the hidden layer, and of every layer mem__NODE (snnTorch) or
v__NODE, and syn__NODE; `meta` is a JSON text with dt, layout, and the dialect that is right.
"""

from __future__ import annotations

import json

import make_framework_nets as nets
import nir
import norse.torch as nt
import numpy as np
import snntorch as snn
import torch
from make_framework_nets import FOLDER, NORSE_DT, SJ_DT, SNN_DT
from spikingjelly.activation_based import functional, neuron
from torch import nn

STEPS, SAMPLES = 40, 4
Seen = dict[str, list[torch.Tensor]]


def snntorch_net() -> nn.Sequential:
    """Synaptic, with a decay and a threshold a neuron."""

    def synaptic(n: int) -> snn.Synaptic:
        ends = ((0.3, 0.8), (0.5, 0.9), (0.8, 1.5))
        return snn.Synaptic(*(torch.empty(n).uniform_(*each) for each in ends), init_hidden=True)

    return nets._scaled(nn.Sequential(nn.Linear(10, 16), synaptic(16), nn.Linear(16, 6), synaptic(6)), 2)


def play_snntorch(net: nn.Sequential, x: torch.Tensor) -> Seen:
    """Step through time; what each layer sends and keeps."""
    seen: Seen = {}
    for part in (net[1], net[3]):
        part.reset_mem()
    for frame in x:
        value = frame
        for name, part in net.named_children():
            value = part(value)
            if isinstance(part, snn.Synaptic):
                _keep(seen, name, spk=value, mem=part.mem, syn=part.syn)
    return seen


def norse_net() -> nt.SequentialState:
    """CubaLIF, with time constants and a threshold a neuron."""
    parts = (nn.Linear(10, 16), nets._norse_cuba(16), nn.Linear(16, 6), nets._norse_cuba(6))
    return nets._scaled(nt.SequentialState(*parts), 3)


def play_norse(net: nt.SequentialState, x: torch.Tensor) -> Seen:
    """Step through time; the cell keeps its current decayed."""
    seen: Seen = {}
    states: dict[str, object] = {}
    for frame in x:
        value = frame
        for name, part in net.named_children():
            if isinstance(part, nn.Linear):
                value = part(value)
            else:
                value, states[name] = part(value, states.get(name))
                _keep(seen, name, spk=value, v=states[name].v, syn=states[name].i)
    return seen


def spikingjelly_net() -> nn.Sequential:
    """LIF with a reset below 0, where it starts."""
    lifs = (neuron.LIFNode(tau=tau, decay_input=True, v_reset=-0.3) for tau in (3.0, 2.0))
    return nets._scaled(nn.Sequential(nn.Linear(10, 16), next(lifs), nn.Linear(16, 6), next(lifs)), 8)


def play_spikingjelly(net: nn.Sequential, x: torch.Tensor) -> Seen:
    """Step through time; voltages are those after the reset."""
    seen: Seen = {}
    functional.reset_net(net)
    for frame in x:
        value = frame
        for name, part in net.named_children():
            value = part(value)
            if isinstance(part, neuron.BaseNode):
                _keep(seen, f"_{name}", spk=value, v=part.v)
    functional.reset_net(net)
    return seen


def _keep(seen: Seen, name: str, **values: torch.Tensor) -> None:
    for what, value in values.items():
        seen.setdefault(f"{what}__{name}", []).append(value.clone())


def _save(name: str, graph: nir.NIRGraph, seen: Seen, x: torch.Tensor, dt: float) -> None:
    nir.write(FOLDER / f"states_{name}.nir", graph, compression=None)
    arrays = {key: nets._small(torch.stack(values)) for key, values in seen.items()}
    arrays["out"] = arrays.pop([key for key in arrays if key.startswith("spk__")][-1])
    meta = json.dumps({"dt": dt, "layout": "TBC", "dialect": {"name": name}})
    np.savez_compressed(FOLDER / f"states_{name}.npz", x=nets._small(x), meta=meta, **arrays)
    print(name, {key: round(float(np.abs(array).mean()), 3) for key, array in arrays.items()})


def main() -> None:
    """Write the three nets and what they keep."""
    torch.manual_seed(5)
    x = nets._noise(np.random.default_rng(5), (10,), STEPS, SAMPLES)
    with torch.no_grad():
        net = snntorch_net()
        _save("snntorch", nets._snn_graph(net, x), play_snntorch(net, x), x, SNN_DT)
        cells = norse_net()
        _save("norse", nets._norse_graph(cells, x), play_norse(cells, x), x, NORSE_DT)
        net = spikingjelly_net()
        seen = play_spikingjelly(net, x)
        _save("spikingjelly", nets.export_of_spikingjelly(net, x[0, :1], dt=SJ_DT), seen, x, SJ_DT)


if __name__ == "__main__":
    main()

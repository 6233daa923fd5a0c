"""Modules of four frameworks as their users build them, each with its input and how it plays it.

A framework is imported when a net of it is made. `NETS` maps a name to a function that returns (module, the sample that
`bim_neuro.compile` takes, dt, x (steps, samples, ...), the function that plays x to (steps, samples, ...)).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

STEPS, SAMPLES, LINES = 60, 3, 10
Made = tuple[nn.Module, torch.Tensor, float | None, torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]


def noise(*shape: int) -> torch.Tensor:
    return (torch.rand(STEPS, SAMPLES, *shape) < 0.3).float()


def louder(net: nn.Module, factor: float) -> nn.Module:
    """Multiply the weights, so that a random network fires."""
    for part in net.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.weight.data *= factor
    return net


def stepwise(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.stack([net(row) for row in x])


def norse_mlp() -> Made:
    """norse's own numbers, one for all neurons; a dropout; dt is in the cells."""
    nt = import_module("norse.torch")
    net = nt.SequentialState(nn.Linear(LINES, 20), nt.LIFBoxCell(), nn.Dropout(0.2), nn.Linear(20, 5), nt.LIFBoxCell())
    x = noise(LINES)
    return louder(net.eval(), 30), x[0], None, x, lambda x: with_state(net, x)


def norse_conv() -> Made:
    nt = import_module("norse.torch")
    parts = nn.Conv2d(2, 4, 3, bias=False), nt.LIFCell(), nn.Flatten(), nn.Linear(4 * 36, 5), nt.LIFCell()
    net, x = nt.SequentialState(*parts), noise(2, 8, 8)
    return louder(net.eval(), 12), x[0], None, x, lambda x: with_state(net, x)


def with_state(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    state, sent = None, []
    for row in x:
        out, state = net(row, state)
        sent.append(out)
    return torch.stack(sent)


def snntorch_mlp() -> Made:
    """As in snnTorch's tutorials: one beta for all, the reset that is its default."""
    snn = import_module("snntorch")
    last = snn.Leaky(0.8, init_hidden=True, output=True)
    net = nn.Sequential(nn.Linear(LINES, 20), snn.Leaky(0.9, init_hidden=True), nn.Linear(20, 5), last)
    return played_by_snntorch(louder(net, 3), noise(LINES))


def snntorch_mixed() -> Made:
    """Two resets, a convolution, a pool, dropout, a class of one's own."""
    snn = import_module("snntorch")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)
            self.lif1 = snn.Leaky(0.9, init_hidden=True, reset_mechanism="zero")
            self.pool, self.flat, self.drop = nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.5)
            self.fc = nn.Linear(4 * 9, 5)
            self.lif2 = snn.Synaptic(0.5, 0.8, init_hidden=True)

        def forward(self, x: torch.Tensor) -> Any:
            return self.lif2(self.fc(self.drop(self.flat(self.pool(self.lif1(self.conv(x)))))))

    return played_by_snntorch(louder(Net().eval(), 4), noise(2, 8, 8))


def snntorch_recurrent() -> Made:
    snn = import_module("snntorch")
    back = snn.RLeaky(0.8, linear_features=16, init_hidden=True, reset_mechanism="zero")
    net = nn.Sequential(nn.Linear(LINES, 16), back, nn.Linear(16, 5), snn.Leaky(0.8, init_hidden=True))
    return played_by_snntorch(louder(net, 3), noise(LINES))


def played_by_snntorch(net: nn.Module, x: torch.Tensor) -> Made:
    def play(x: torch.Tensor) -> torch.Tensor:
        sent = []
        for part in net.modules():
            if hasattr(part, "reset_mem"):
                part.reset_mem()
        for row in x:
            out = net(row)
            sent.append(out[0] if isinstance(out, tuple) else out)
        return torch.stack(sent)

    return net, x[0], 1e-3, x, play


def spikingjelly_mlp() -> Made:
    """In several steps at once, as it is trained; another tau and reset voltage a layer."""
    sj = import_module("spikingjelly.activation_based")
    layer, neuron = import_module(f"{sj.__name__}.layer"), import_module(f"{sj.__name__}.neuron")
    first, last = neuron.LIFNode(tau=4.0, v_threshold=0.5, v_reset=-0.3), neuron.LIFNode(tau=2.0, v_threshold=0.5)
    net = nn.Sequential(layer.Linear(LINES, 20), first, layer.Linear(20, 5), last)
    return played_by_spikingjelly(louder(net, 6), noise(LINES))


def spikingjelly_conv() -> Made:
    sj = import_module("spikingjelly.activation_based")
    layer, neuron = import_module(f"{sj.__name__}.layer"), import_module(f"{sj.__name__}.neuron")
    cuba = neuron.CUBALIFNode(c_decay=0.5, v_decay=0.75, v_threshold=0.5)
    net = nn.Sequential(layer.Conv2d(2, 4, 3), neuron.IFNode(), layer.AvgPool2d(2), layer.Flatten(),
                        layer.Linear(36, 5), cuba)  # fmt: skip
    return played_by_spikingjelly(louder(net, 2), noise(2, 8, 8))


def played_by_spikingjelly(net: nn.Module, x: torch.Tensor) -> Made:
    functional = import_module("spikingjelly.activation_based.functional")
    functional.set_step_mode(net, "m")

    def play(x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(net)
        return net(x)

    return net, x[0], 1e-3, x, play


def sinabs_mlp() -> Made:
    """Several spikes a step and a floor in the first layer, one spike and a reset to zero in the second."""
    layers, activation = import_module("sinabs.layers"), import_module("sinabs.activation")
    first = layers.LIFSqueeze(tau_mem=torch.rand(20) * 9 + 5, batch_size=SAMPLES, min_v_mem=-1.0)
    single = {"spike_fn": activation.SingleSpike, "reset_fn": activation.MembraneReset()}
    last = layers.LIFSqueeze(tau_mem=20.0, batch_size=SAMPLES, norm_input=False, **single)
    return played_by_sinabs(
        louder(nn.Sequential(nn.Linear(LINES, 20), first, nn.Linear(20, 5), last), 20), noise(LINES)
    )


def sinabs_conv() -> Made:
    layers = import_module("sinabs.layers")
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), layers.IAFSqueeze(batch_size=SAMPLES), layers.SumPool2d(2), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(36, 5), layers.IAFSqueeze(batch_size=SAMPLES),
    )  # fmt: skip
    return played_by_sinabs(louder(net.eval(), 2), noise(2, 8, 8))


def played_by_sinabs(net: nn.Module, x: torch.Tensor) -> Made:
    def play(x: torch.Tensor) -> torch.Tensor:
        for part in net.modules():
            if hasattr(part, "reset_states"):
                part.reset_states()
                part.batch_size, part.num_timesteps = SAMPLES, -1
        flat = x.transpose(0, 1).flatten(0, 1)
        return net(flat).unflatten(0, (SAMPLES, STEPS)).transpose(0, 1)

    return net, x[0], 1e-3, x, play


NETS: dict[str, Callable[[], Made]] = {
    make.__name__: make
    for make in (
        norse_mlp, norse_conv, snntorch_mlp, snntorch_mixed, snntorch_recurrent, spikingjelly_mlp, spikingjelly_conv,
        sinabs_mlp, sinabs_conv,
    )
}  # fmt: skip

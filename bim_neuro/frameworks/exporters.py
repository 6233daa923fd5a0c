"""The exporters of the frameworks: how each is called, and the form that it asks of a module.

Each works on a copy. A framework is imported when a module of it is exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import nn

from .switches import neurons_in

Layers = dict[str, nn.Module]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Framework:
    """One framework: the ``versions`` tested, its exporter, and ``dt`` where its files count time in a step of its own.

    ``prepare`` brings a copy of the module into the form that the exporter takes; ``layers`` are the classes it
    knows, ``command`` is how a person calls it, ``hint`` what it takes.
    """

    name: str
    versions: tuple[str, ...]
    export: Callable[[nn.Module, torch.Tensor, float], Any]
    prepare: Callable[[nn.Module, torch.Tensor], None]
    layers: tuple[str, ...]
    command: str
    hint: str
    dt: float | None = None


def layers_of(module: nn.Module, framework: str, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers by their path, not what is inside a framework's own."""
    children = list(module.named_children())
    own = type(module).__module__.partition(".")[0] == framework and not isinstance(module, nn.Sequential)
    if prefix and (own or not children):
        yield prefix, module
        return
    for name, child in children:
        yield from layers_of(child, framework, f"{prefix}.{name}" if prefix else name)


def _norse(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    """With dt = 1 it writes seconds."""
    return import_module("norse.torch").to_nir(module, sample, dt=1.0)


def _snntorch(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    return import_module("snntorch.export_nir").export_to_nir(module, sample, ignore_dims=[0])


def _spikingjelly(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    return import_module("spikingjelly.activation_based.nir_exchange").export_to_nir(module, sample, dt=dt)


def _sinabs(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    return import_module("sinabs.nir").to_nir(module, sample)


def _prepare_norse(module: nn.Module, sample: torch.Tensor) -> None:
    """Give each convolution a bias, without which the export stops."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros(layer.out_channels))


def _prepare_snntorch(module: nn.Module, sample: torch.Tensor) -> None:
    """Give each layer its numbers neuron by neuron: the export stops at one number for all."""
    neurons = dict(neurons_in(dict(layers_of(module, "snntorch")), "snntorch"))
    shapes: Shapes = {}

    def note(name: str) -> Callable[[nn.Module, Any, torch.Tensor], None]:
        def seen(_layer: nn.Module, _given: Any, sent: torch.Tensor) -> None:
            shapes[name] = tuple(sent.shape[1:])

        return seen

    hooks = []
    for name, layer in neurons.items():
        layer.output = False
        hooks.append(layer.register_forward_hook(note(name)))
    module(sample)
    for hook in hooks:
        hook.remove()
    for name, layer in neurons.items():
        for parameter in ("alpha", "beta", "threshold"):
            value = getattr(layer, parameter, None)
            if value is not None and value.numel() == 1:
                wide = torch.full(shapes[name], float(value))
                held = layer._parameters if parameter in layer._parameters else layer._buffers
                held[parameter] = nn.Parameter(wide) if held is layer._parameters else wide
        layer.reset_mem()


def _prepare_spikingjelly(module: nn.Module, sample: torch.Tensor) -> None:
    functional = import_module("spikingjelly.activation_based.functional")
    functional.set_step_mode(module, "s")
    functional.reset_net(module)


def _prepare_sinabs(module: nn.Module, sample: torch.Tensor) -> None:
    layers: list[Any] = list(module.modules())
    for layer in layers:
        if hasattr(layer, "reset_states"):
            layer.reset_states()
            _as_many(layer, "tau_mem", "spike_threshold")
            if hasattr(layer, "batch_size"):
                layer.batch_size, layer.num_timesteps = 1, -1
    module(sample)  # its export reads shapes off the states


def _as_many(layer: Any, *names: str) -> None:
    """Give parameters that are one number as many as the widest of them: the export asks for equal shapes."""
    held = {name: value for name in names if (value := getattr(layer, name, None)) is not None}
    widest = max(held.values(), key=lambda value: value.numel())
    for name, value in held.items():
        if value.numel() == 1 < widest.numel():
            setattr(layer, name, nn.Parameter(torch.full_like(widest, float(value))))


_POOLED = ("Linear", "Conv2d", "AvgPool2d", "Flatten")
FRAMEWORKS = (
    Framework(
        "norse", ("1.1.0",), _norse, _prepare_norse,
        ("Linear", "Conv2d", "LIFBoxCell", "LIFCell", "LIBoxCell", "IAFCell"),
        "write it with norse.torch.to_nir(net, sample, dt=1.0)",
        "layers in a norse.torch.SequentialState, each a cell, are exported",
    ),
    Framework(
        "snntorch", ("1.0.0",), _snntorch, _prepare_snntorch,
        (*_POOLED, "Leaky", "Synaptic", "RLeaky", "RSynaptic"),
        "write it with snntorch.export_nir.export_to_nir",
        "layers need init_hidden=True, and a forward that passes one value on from layer to layer", dt=1e-4,
    ),
    Framework(
        "spikingjelly", ("2.0.0",), _spikingjelly, _prepare_spikingjelly,
        (*_POOLED, "Conv1d", "IFNode", "LIFNode", "ParametricLIFNode", "CUBALIFNode"),
        "write it with nir_exchange.export_to_nir",
        "layers of activation_based.layer and neuron in an nn.Sequential are exported",
    ),
    Framework(
        "sinabs", ("2.0.3", "3.1.3"), _sinabs, _prepare_sinabs,
        ("Linear", "Conv1d", "Conv2d", "SumPool2d", "Flatten", "IAF", "LIF", "ExpLeak"),
        "write it with sinabs.nir.to_nir",
        "layers in an nn.Sequential are exported, those that end in Squeeze where time is no axis", dt=1.0,
    ),
)  # fmt: skip

"""A torch module of a framework: which one, in a tested version, and its own exporter's graph of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from math import isclose
from typing import Any

import torch
from torch import nn

from .. import arguments
from ..errors import InputError, first_line
from .switches import neurons_in, switches_of

Layers = dict[str, nn.Module]
Shapes = dict[str, tuple[int, ...]]
_WIRES = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
"""What passes on what it reads, in evaluation."""


@dataclass(frozen=True)
class Framework:
    """One framework: the ``versions`` tested, its exporter, and ``dt`` where its files count time in a step of its own.

    ``prepare`` brings a copy of the module into the form that the exporter takes.
    """

    name: str
    versions: tuple[str, ...]
    export: Callable[[nn.Module, torch.Tensor, float], Any]
    prepare: Callable[[nn.Module, torch.Tensor], None]
    command: str
    dt: float | None = None


@dataclass(frozen=True)
class Exported:
    """What an exporter made: ``graph``, the dt of its time constants, the dialect, and what it left out.

    ``wires`` are the layers that pass on what they read, with the shape of it where they are a Flatten.
    """

    graph: Any
    dt: float
    steps: float
    dialect: dict[str, str]
    wires: dict[str, tuple[int, ...] | None]
    shapes: Shapes = field(default_factory=dict)


def framework_of(module: nn.Module) -> Framework:
    """Return the framework whose layers a module has."""
    roots = {type(part).__module__.partition(".")[0] for part in module.modules()}
    found = [framework for framework in FRAMEWORKS if framework.name in roots]
    if len(found) != 1:
        names = ", ".join(framework.name for framework in FRAMEWORKS)
        has = f"of several frameworks: {', '.join(f.name for f in found)}" if found else f"of none of {names}"
        hint = "export it to NIR, and give the file; a BIMNetwork, or its state dict with config=, is taken as it is"
        raise InputError(f"model is {arguments.said(module)} with layers {has}", hint)
    framework = found[0]
    here = version(framework.name)
    if here not in framework.versions:
        tested = " and ".join(framework.versions)
        hint = f"install {framework.name}=={framework.versions[-1]}, or {framework.command} and give the file"
        raise InputError(f"{framework.name} {here} is installed, its export is tested in {tested}", hint)
    return framework


def exported(module: nn.Module, sample: Any, dt: float | None) -> Exported:
    """Return the graph of a module by its framework's exporter; the module itself is left as it is.

    ``sample`` (batch, ...) is what one step feeds it; ``dt`` the seconds of a step, which norse's layers know.
    """
    framework = framework_of(module)
    if sample is None:
        hint = "compile(module, sample=x[0], dt=...), x (steps, batch, ...)"
        raise InputError(f"a module of {framework.name} needs a sample, the input of one step (batch, ...)", hint)
    dt = _step(module, framework, dt)
    copy = _copy(module)
    layers = dict(_layers(copy, framework.name))
    found = switches_of(framework.name, layers)
    one = torch.as_tensor(arguments.array(sample, "sample")).float()[:1]
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations among the packages that the exporter calls
            framework.prepare(copy, one)
            shapes = _shapes(copy, layers, one)
            graph = framework.export(copy, one, dt)
    except Exception as error:
        message = f"{framework.name} {version(framework.name)} does not export this module: {type(error).__name__}"
        raise InputError(f"{message}: {first_line(error)}", _HINTS[framework.name]) from error
    wires = {name: _wire(name, layers, shapes, framework) for name, node in graph.nodes.items() if node is None}
    return Exported(graph, dt, framework.dt or dt, {"name": framework.name, **found}, wires, shapes)


def _wire(name: str, layers: Layers, shapes: Shapes, framework: Framework) -> tuple[int, ...] | None:
    """Return None for a layer that passes on what it reads, the shape a Flatten reads; refuse any other."""
    layer = layers.get(name)
    if isinstance(layer, nn.Flatten):
        return shapes[name]
    if isinstance(layer, _WIRES):
        return None
    kind = type(layer).__name__
    said = f"{framework.name} {version(framework.name)} does not export layer '{name}' ({kind})"
    raise InputError(said, "fold a BatchNorm into the weights before it; leave out what only training needs")


def _step(module: nn.Module, framework: Framework, dt: float | None) -> float:
    """Return dt, which a module of norse knows itself; of others it must be given."""
    dt = None if dt is None else arguments.duration(dt, "dt")
    parts: list[Any] = list(module.modules()) if framework.name == "norse" else []
    known = {float(part.dt) for part in parts if hasattr(part, "dt")}
    if len(known) > 1:
        raise InputError(f"layers have dt = {', '.join(f'{each:g}' for each in sorted(known))} s, one is needed")
    if known and dt is not None and not isclose(dt, *known, rel_tol=1e-9):
        raise InputError(f"the module has dt = {known.pop():g} s, dt says {dt:g} s", "leave dt out")
    if dt is None and not known:
        raise InputError(f"a module of {framework.name} does not say how long a step is", "give dt, in seconds")
    return known.pop() if known else float(dt or 0)


def _copy(module: nn.Module) -> nn.Module:
    """Return a copy on the CPU, in evaluation; states that hold a history of gradients are copied without it."""
    memo: dict[int, Any] = {}
    for part in module.modules():
        held = [*vars(part).values(), *part._buffers.values()]
        held += [value for each in held if isinstance(each, dict) for value in each.values()]
        memo |= {id(value): value.detach().clone() for value in held if torch.is_tensor(value) and not value.is_leaf}
    copy = deepcopy(module, memo).cpu().eval()
    for part in copy.modules():
        if type(part) is nn.Sequential:  # exporters stop at dropout; norse's containers count their layers
            part._modules = {name: inner for name, inner in part._modules.items() if not isinstance(inner, _WIRES)}
    return copy


def _layers(module: nn.Module, framework: str, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers by their path, not what is inside a framework's own."""
    children = list(module.named_children())
    own = type(module).__module__.partition(".")[0] == framework and not isinstance(module, nn.Sequential)
    if prefix and (own or not children):
        yield prefix, module
        return
    for name, child in children:
        yield from _layers(child, framework, f"{prefix}.{name}" if prefix else name)


def _shapes(module: nn.Module, layers: Layers, sample: torch.Tensor) -> Shapes:
    """Return what each layer reads, without the batch, in a run on the sample."""
    found: Shapes = {}

    def note(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def seen(_layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            found.setdefault(name, tuple(given[0].shape[1:]))

        return seen

    hooks = [layer.register_forward_pre_hook(note(name)) for name, layer in layers.items()]
    module(sample)
    for hook in hooks:
        hook.remove()
    return found


def _norse(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    """With dt = 1 it writes seconds."""
    return import_module("norse.torch").to_nir(module, sample, dt=1.0)


def _snntorch(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    return import_module("snntorch.export_nir").export_to_nir(module, sample, ignore_dims=[0])


def _spikingjelly(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    return import_module("spikingjelly.activation_based.nir_exchange").export_to_nir(module, sample, dt=dt)


def _sinabs(module: nn.Module, sample: torch.Tensor, dt: float) -> Any:
    return import_module("sinabs.nir").to_nir(module, sample)


def _as_it_is(module: nn.Module, sample: torch.Tensor) -> None:
    """Leave a module as it is."""


def _prepare_snntorch(module: nn.Module, sample: torch.Tensor) -> None:
    """Give each layer its numbers neuron by neuron: the export stops at one number for all."""
    neurons = dict(neurons_in(dict(_layers(module, "snntorch")), "snntorch"))
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
            if hasattr(layer, "batch_size"):
                layer.batch_size, layer.num_timesteps = 1, -1
    module(sample)  # its export reads shapes off the states


FRAMEWORKS = (
    Framework("norse", ("1.1.0",), _norse, _as_it_is, "write it with norse.torch.to_nir(net, sample, dt=1.0)"),
    Framework(
        "snntorch", ("1.0.0",), _snntorch, _prepare_snntorch, "write it with snntorch.export_nir.export_to_nir", 1e-4
    ),
    Framework(
        "spikingjelly", ("2.0.0",), _spikingjelly, _prepare_spikingjelly, "write it with nir_exchange.export_to_nir"
    ),
    Framework("sinabs", ("2.0.3",), _sinabs, _prepare_sinabs, "write it with sinabs.nir.to_nir", 1.0),
)
_HINTS: Mapping[str, str] = {
    "norse": "layers in a norse.torch.SequentialState, each a cell, are exported",
    "snntorch": "layers need init_hidden=True, and a forward that passes one value on from layer to layer",
    "spikingjelly": "layers of activation_based.layer and neuron in an nn.Sequential are exported, without dropout",
    "sinabs": "layers in an nn.Sequential are exported, those that end in Squeeze where time is not an axis",
}

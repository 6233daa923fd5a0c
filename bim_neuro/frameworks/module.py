"""A torch module of a framework: which one, in a tested version, and its own exporter's graph of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from importlib.metadata import version
from math import isclose
from typing import Any

import torch
from torch import nn

from .. import arguments
from ..errors import InputError, first_line
from .exporters import FRAMEWORKS, Framework, Layers, Shapes, layers_of
from .switches import switches_of

_WIRES = frozenset({"Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"})
"""What passes on what it reads, in evaluation: classes of torch and of frameworks."""


@dataclass(frozen=True)
class Exported:
    """What an exporter made: a ``graph`` whose time constants are for steps of ``counted``; a step lasts ``dt``.

    ``wires`` are the layers that it left out, as they pass on what they read, with the shape of that where they are a
    Flatten; ``shapes`` is what each layer reads.
    """

    graph: Any
    dt: float
    counted: float
    dialect: dict[str, str]
    version: str
    wires: dict[str, tuple[int, ...] | None]
    shapes: Shapes


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
    layers = dict(layers_of(copy, framework.name))
    _check_layers(layers, framework)
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
        raise InputError(f"{message}: {first_line(error)}", framework.hint) from error
    left_out = [name for name, node in graph.nodes.items() if node is None]
    wires = {name: shapes[name] if isinstance(layers[name], nn.Flatten) else None for name in left_out}
    dialect = {"name": framework.name, **found}
    return Exported(graph, dt, framework.dt or dt, dialect, version(framework.name), wires, shapes)


def _check_layers(layers: Layers, framework: Framework) -> None:
    """Refuse the first layer that the exporter does not know: it would leave it out, or stop at something else."""
    for name, layer in layers.items():
        if not _kinds(layer) & {*_WIRES, "Flatten", *framework.layers}:
            said = f"{framework.name} {version(framework.name)} does not export layer '{name}' ({type(layer).__name__})"
            allowed = ", ".join(framework.layers)
            raise InputError(said, f"it exports {allowed}; fold a BatchNorm into the weights before it")


def _kinds(layer: nn.Module) -> set[str]:
    return {base.__name__ for base in type(layer).__mro__}


def _step(module: nn.Module, framework: Framework, dt: float | None) -> float:
    """Return dt, which a module of norse knows itself; of others it must be given."""
    parts: list[Any] = list(module.modules()) if framework.name == "norse" else []
    known = {float(part.dt) for part in parts if hasattr(part, "dt")}
    if len(known) > 1:
        raise InputError(f"layers have dt = {', '.join(f'{each:g}' for each in sorted(known))} s, one is needed")
    if dt is None:
        if not known:
            raise InputError(f"a module of {framework.name} does not say how long a step is", "give dt, in seconds")
        return known.pop()
    dt = arguments.duration(dt, "dt")
    if known and not isclose(dt, *known, rel_tol=1e-9):
        raise InputError(f"the module has dt = {known.pop():g} s, dt says {dt:g} s", "leave dt out")
    return dt


def _copy(module: nn.Module) -> nn.Module:
    """Return a copy on the CPU, in evaluation; states that hold a history of gradients are copied without it."""
    memo: dict[int, Any] = {}
    for part in module.modules():
        held = [*vars(part).values(), *part._buffers.values()]
        held += [value for each in held if isinstance(each, dict) for value in each.values()]
        memo |= {id(value): value.detach().clone() for value in held if torch.is_tensor(value) and not value.is_leaf}
    copy = deepcopy(module, memo).cpu().eval()
    for part in list(copy.modules()):
        _without_wires(part)
    return copy


def _without_wires(module: nn.Module) -> None:
    """Take out what passes on what it reads, at which exporters stop; not of norse's containers, which count layers."""
    if isinstance(module, nn.Sequential) and type(module) is not nn.Sequential:
        return
    for name, inner in list(module.named_children()):
        if _kinds(inner) & _WIRES:
            del module._modules[name]
            if type(module) is not nn.Sequential:
                module.__dict__[name] = _same  # its forward calls it by its name


def _same(value: Any) -> Any:
    return value


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

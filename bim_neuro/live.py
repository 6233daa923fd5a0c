"""Models that are no files of ours: a module, weights or a NIR graph in memory becomes a float graph.

    a module of norse, snnTorch, SpikingJelly, sinabs     by the framework's own exporter (`frameworks`)
    a `BIMNetwork`, or its weights with a config           as a checkpoint without a file
    a nir.NIRGraph                                         as the .nir that it would be written to

Weights may come from a file that another loop saved: prefixes as ``module.``, ``_orig_mod.`` and ``model.`` are taken
off, and what lies beside the network's weights, as an optimiser's state, is left alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import arguments
from .errors import InputError
from .extras import check_extra
from .graph import FloatGraph
from .intake import is_hdf5, opened
from .reading import AnyDialect, read_model, s4d_in

if TYPE_CHECKING:
    from .frameworks import Exported
    from .model.checkpoint import Checkpoint
    from .model.network import BIMNetwork, NetworkConfig

_LAST = "w_o"
"""A weight that every `BIMNetwork` has; what stands before its name stands before all."""


@dataclass(frozen=True)
class Said:
    """What a caller says beside a model that brings no file of ours."""

    dt: float | None = None
    dialect: AnyDialect = None
    encoder: str | None = None
    sample: Any = None
    config: NetworkConfig | Mapping[str, int] | None = None
    activation: str | None = None

    def only(self, what: str, *names: str) -> None:
        """Refuse what has no effect on a kind of model."""
        for name in ("dialect", "encoder", "sample", "config", "activation"):
            if name not in names and getattr(self, name) is not None:
                raise InputError(f"{name} has no effect on {what}", "leave it out")


def read_any(model: Any, said: Said) -> FloatGraph:
    """Return the float graph of a file or of a Python object."""
    if isinstance(model, str | os.PathLike):
        path = arguments.path(model, "model")
        if said.config is not None:
            return _of_weights(_load(path), said)
        said.only("a file", "dialect", "encoder", "activation")
        return read_model(path, said.dt, said.dialect, said.encoder, said.activation)
    if isinstance(model, FloatGraph):
        return _of_graph(model, said)
    if isinstance(model, Mapping):
        return _of_weights(model, said)
    if _is_module(model):
        return _of_module(model, said)
    if "nir" in sys.modules:
        from .nir_bridge.objects import is_nir_graph, read_nir_graph

        if is_nir_graph(model):
            said.only("a NIR graph", "dialect", "encoder")
            return read_nir_graph(model, said.dt, said.dialect, said.encoder)
    others = "a torch module, its weights, a nir.NIRGraph and a float graph are taken too"
    raise InputError(f"model is {arguments.said(model)}, a text or a Path is needed", others)


def _of_graph(graph: FloatGraph, said: Said) -> FloatGraph:
    """Return a float graph that was built by hand, once it is found sound."""
    from .nir_bridge.check import check_graph

    check_graph(graph)
    if said.dt is not None and arguments.duration(said.dt, "dt") != graph.dt:
        raise InputError(f"the graph has dt = {graph.dt:g} s, dt says {said.dt:g} s", "leave dt out")
    if said.dialect:
        raise InputError("a float graph brings its own dialect", "give dialect to read_nir")
    if said.encoder is not None:
        raise InputError("a float graph brings its own encoder", "give encoder to read_nir")
    said.only("a float graph")
    return graph


def _is_module(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _of_module(module: Any, said: Said) -> FloatGraph:
    from .model.network import BIMNetwork

    if isinstance(module, BIMNetwork):
        said.only("a BIMNetwork", "encoder")
        return _export(checkpoint_of(module, said.dt, said.encoder))
    said.only("a module", "dialect", "encoder", "sample")
    from .frameworks import exported
    from .nir_bridge.objects import read_nir_graph

    made = exported(module, said.sample, said.dt)
    dialect = {**made.dialect, **_switches(said.dialect, made.dialect["name"])}
    graph = read_nir_graph(made.graph, made.counted, dialect, said.encoder, wires=made.wires, shapes=made.shapes)
    return replace(graph.with_nodes(graph.nodes, assumptions=[*_assumed(made, graph)]), dt=made.dt)


def _assumed(made: Exported, graph: FloatGraph) -> Iterator[str]:
    """Yield what was assumed, with the step of the module in place of that of its export."""
    counts = "" if made.counted == made.dt else f"; the export counts time in steps of {made.counted:g} s"
    yield f"the module was exported by {made.dialect['name']} {made.version}, resets were read off its layers"
    yield f"a step takes dt = {made.dt:g} s{counts}"
    yield from (line for line in graph.extra.get("assumptions", ()) if not line.startswith("a step takes dt"))


def _switches(dialect: AnyDialect, framework: str) -> dict[str, Any]:
    """Return the switches that a caller sets beside what the module says."""
    if dialect is not None and not isinstance(dialect, str | Mapping):
        raise InputError(f"dialect is {arguments.said(dialect)}, a name or a table of switches is needed")
    given = {"name": dialect} if isinstance(dialect, str) else dict(dialect or {})
    if given.get("name", framework) != framework:
        hint = "leave dialect out, or give single switches as {'reset': 'zero'}"
        raise InputError(f"the module is of {framework}, dialect says {given['name']!s:.60}", hint)
    return given


def _of_weights(weights: Mapping[Any, Any], said: Said) -> FloatGraph:
    check_extra("train", "torch", "a model given by its weights")
    from .model.s4d import is_s4d

    if said.config is None and is_s4d(weights):
        said.only("an S4D", "encoder", "activation")
        return s4d_in(weights, "the state dict", said.dt, said.encoder, said.activation)
    said.only("weights", "encoder", "config")
    if said.config is None:
        fields = "inputs, classes, channels, states, taps, blocks"
        raise InputError("weights do not say what network they are of", f"give config, a dict of {fields}")
    return _export(checkpoint_of(weights, said.dt, said.encoder, said.config))


def checkpoint_of(
    network: BIMNetwork | Mapping[Any, Any],
    dt: float | None,
    encoder: str | None = None,
    config: NetworkConfig | Mapping[str, int] | None = None,
) -> Checkpoint:
    """Return a network in memory, or its weights with a config, as a checkpoint whose ranges are not measured."""
    from .model.checkpoint import ENCODERS, Checkpoint, check_values, encoder_of_table
    from .model.network import BIMNetwork, NetworkConfig
    from .nodes import Encoder

    if dt is None:
        raise InputError("a network does not say how long a step is", "give dt, in seconds")
    if isinstance(network, BIMNetwork):
        shape, weights = network.config, dict(network.state_dict())
    else:
        shape = config if isinstance(config, NetworkConfig) else _config(config)
        weights = _stripped(network)
    kind = arguments.choice(encoder or ("table" if shape.table else "spikes"), ENCODERS, "encoder")
    if (kind == "table") != (shape.table > 0):
        raise InputError(f"encoder {kind} does not fit a config of {shape.table:,} rows", "leave encoder out")
    state = {name: value.detach().cpu() for name, value in weights.items()}
    reads = encoder_of_table(state) if shape.table else Encoder.of_graph(kind, shape.inputs)
    made = Checkpoint(shape, arguments.duration(dt, "dt"), "own", (), reads, state, {})
    check_values(made, "the network")
    return made


def _config(config: Any) -> NetworkConfig:
    from .model.network import NetworkConfig

    if not isinstance(config, Mapping):
        raise InputError(f"config is {arguments.said(config)}, a NetworkConfig or a dict of its fields is needed")
    try:
        return NetworkConfig(**config)
    except TypeError as error:
        allowed = ", ".join(NetworkConfig.__dataclass_fields__)
        raise InputError(f"config: {str(error).partition('__init__() ')[2]}", f"its fields are: {allowed}") from None


def _stripped(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the weights of a network, found in what a loop saved, under their own names."""
    from .model.state_dict import HOLDERS, holding

    inside = holding(content, _LAST)
    if inside is None:
        held = ", ".join(f"'{name!s:.30}'" for name in list(content)[:4]) or "nothing"
        hint = f"they may lie under {', '.join(HOLDERS)}, with any prefix"
        raise InputError(f"no weights of a BIMNetwork: '{_LAST}' is not there, but {held}", hint)
    prefixes = {str(name).removesuffix(_LAST) for name in inside if str(name).endswith(_LAST)}
    if len(prefixes) > 1:
        found = ", ".join(f"'{prefix}'" for prefix in sorted(prefixes))
        raise InputError(f"weights of {len(prefixes)} networks: {found}", "give those of one")
    prefix = prefixes.pop()
    weights = {str(name).removeprefix(prefix): value for name, value in inside.items() if str(name).startswith(prefix)}
    if wrong := [name for name, value in weights.items() if not hasattr(value, "is_floating_point")]:
        raise InputError(f"'{prefix}{wrong[0]}' is {arguments.said(weights[wrong[0]])}, a tensor is needed")
    return weights


def _load(path: Path) -> Mapping[str, Any]:
    check_extra("train", "torch", f"{path}, a file of weights,")
    from .model.checkpoint import FORMAT, is_same, load_plain

    with opened(path) as file:
        if is_hdf5(file):
            raise InputError(f"{path} is no file of weights", "leave config out")
    content = load_plain(path)
    if is_same(content.get("format"), FORMAT):
        raise InputError(f"{path} is a model.pt, which brings its own config", "leave config out")
    return content


def _export(checkpoint: Checkpoint) -> FloatGraph:
    from .model.export import export

    return export(checkpoint)


def save(
    model: Any,
    path: str | Path,
    *,
    x: Any = None,
    dt: float | None = None,
    encoder: str | None = None,
    labels: tuple[str, ...] = (),
    config: NetworkConfig | Mapping[str, int] | None = None,
) -> None:
    """Write an artefact as model.bimn; or a network of one's own training loop as model.pt.

    A `BIMNetwork`, or its weights with a ``config``, needs ``dt`` and ``x`` (samples, steps, channels), typical raw
    input on which the ranges of its layers are measured. ``encoder`` is how raw input becomes messages: 'spikes' (the
    default), 'graded' or 'delta', or its own table of tokens; ``labels`` are the names of the classes.
    """
    from .compilers.artefact import Artefact, save_artefact

    if isinstance(model, Artefact):
        given = {"x": x, "dt": dt, "encoder": encoder, "labels": labels or None, "config": config}
        for name, value in given.items():
            if value is not None:
                raise InputError(f"{name} has no effect on an artefact", "leave it out")
        save_artefact(model, path)
        return
    if not (_is_module(model) or isinstance(model, Mapping)):
        hint = "program.artefact(x) or a BIMNetwork; program.save(path, x) does the first at once"
        raise InputError(f"artefact is {arguments.said(model)}, an Artefact is needed", hint)
    _save_network(model, path, x, labels, checkpoint=_of_own_loop(model, dt, encoder, config))


def _of_own_loop(
    model: Any, dt: float | None, encoder: str | None, config: NetworkConfig | Mapping[str, int] | None
) -> Checkpoint:
    from .model.network import BIMNetwork

    if not isinstance(model, Mapping | BIMNetwork):
        hint = "compile(module, sample=x[0], dt=...) takes those of other frameworks"
        raise InputError(f"model is {arguments.said(model)}, model.pt holds a BIMNetwork", hint)
    if isinstance(model, BIMNetwork) and config is not None:
        raise InputError("config has no effect on a BIMNetwork", "leave it out")
    return checkpoint_of(model, dt, encoder, config)


def _save_network(model: Any, path: str | Path, x: Any, labels: tuple[str, ...], checkpoint: Checkpoint) -> None:
    """Measure the ranges, and the scale of the input, then write the file."""
    from .compilers.calibrate import calibrate
    from .model.checkpoint import check_values, save_checkpoint
    from .nodes import measured

    if x is None:
        raise InputError("model.pt holds the ranges of its layers", "give x (samples, steps, channels), typical input")
    raw = arguments.sequences(x, "x", channels=len(checkpoint.encoder.gain))
    if checkpoint.encoder.unmeasured:
        checkpoint = replace(checkpoint, encoder=measured(checkpoint.encoder, raw)[0])
    checkpoint = replace(checkpoint, labels=tuple(labels))
    ranges = calibrate(_export(checkpoint), checkpoint.encoder.for_float(raw))
    checkpoint = replace(checkpoint, ranges=ranges)
    check_values(checkpoint, "the network")
    save_checkpoint(checkpoint, path)

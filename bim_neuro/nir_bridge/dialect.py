"""Dialects: the answers a framework gives to what a NIR file does not say, one for each switch of `nodes.switches`.

    Dialect.named("snntorch")                                  a preset
    Dialect.named("snntorch", reset="zero", reset_when="same") with switches of its own
    ... layers={"CubaLIF": {"reset_when": "next"}, "fc2": {"reset": "zero"}}      and others for a node type or a layer

A preset is what a framework computes with its own defaults. What the owner of a model chose otherwise (snnTorch's
``reset_mechanism``, sinabs' ``min_v_mem``) no file says either: such a switch is set beside the preset. The dialect is
never guessed: norse and sinabs write files that nobody can tell apart, `hint_of` only says what a file looks like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError
from ..nodes.switches import SWITCHES
from .hdf5 import NirGraph
from .preset import ALIASES, PLAIN, Layers, presets

DEFAULT, SET = "default", "set"
INTEGRATORS = {"forward Euler": "forward", "exponential Euler": "exponential"}
"""Names of the integrator in files and calls of earlier versions."""


PRESETS = presets()
"""By name, in the order of `choices.DIALECTS`."""

_LEAKY = ("LIF", "LI", "CubaLIF", "CubaLI")
_FIRING = ("LIF", "IF", "CubaLIF")
CONCERNS: dict[str, tuple[str, ...]] = {
    "integrator": _LEAKY,
    "input": ("LIF", "CubaLIF"),
    "li_input": ("LI", "CubaLI"),
    "if_input": ("IF", "I"),
    "synapse": ("CubaLIF", "CubaLI"),
    "reset": _FIRING,
    "reset_when": _FIRING,
    "compare": (*_FIRING, "Threshold"),
    "counts": _FIRING,
    "floor": _FIRING,
    "v0": _FIRING,
    "lag": _FIRING,
}
"""The node types whose law a switch changes; the others concern loops."""


@dataclass(frozen=True)
class Dialect:
    """One value for each switch; ``origins`` says where each comes from: 'default', 'norse' or 'set'.

    ``layers`` are exceptions; what a layer's name says goes before what its type says.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    layers: Layers = field(default_factory=dict)
    name: str = PLAIN

    def __post_init__(self) -> None:
        values = {name: switch.default for name, switch in SWITCHES.items()} | dict(self.values)
        for who, some in [("", values), *self.layers.items()]:
            for name, value in some.items():
                _check(name, value, who)
        origins = {name: self.origins.get(name, SET if name in self.values else DEFAULT) for name in values}
        object.__setattr__(self, "values", MappingProxyType(values))
        object.__setattr__(self, "origins", MappingProxyType(origins))

    @classmethod
    def named(cls, name: str = PLAIN, layers: Layers | None = None, **switches: str) -> Dialect:
        """Return a preset, with switches of its own; they go before the exceptions of the preset."""
        name = ALIASES.get(name, name) if isinstance(name, str) else name
        if not isinstance(name, str) or name not in PRESETS:
            raise InputError(f"unknown dialect {name!r:.60}", _nearest(name, PRESETS) or f"there are: {_list(PRESETS)}")
        preset, exceptions = PRESETS[name].switches, PRESETS[name].layers
        kept = {who: {key: value for key, value in of.items() if key not in switches} for who, of in exceptions.items()}
        both = {who: {**kept.get(who, {}), **(layers or {}).get(who, {})} for who in {**kept, **(layers or {})}}
        origins = {**dict.fromkeys(preset, name), **dict.fromkeys(switches, SET)}
        return cls({**preset, **switches}, origins, both, name)

    def __str__(self) -> str:
        """Write the preset, and the switches that are not the preset's: 'snntorch, reset=zero'."""
        preset = PRESETS[self.name]
        of_preset = {name: preset.switches.get(name, switch.default) for name, switch in SWITCHES.items()}
        said = [f"{name}={value}" for name, value in self.values.items() if value != of_preset[name]]
        for who, some in self.layers.items():
            theirs = preset.layers.get(who, {})
            said += [f"{who}.{name}={value}" for name, value in some.items() if theirs.get(name) != value]
        for who, theirs in preset.layers.items():
            lost = (name for name in theirs if name not in self.layers.get(who, {}))
            said += [f"{who}.{name}={self.values[name]}" for name in lost]
        return ", ".join([self.name, *said])

    def __getitem__(self, switch: str) -> str:
        return self.values[switch]

    def of(self, layer: str, kind: str) -> Dialect:
        """Return the dialect of one layer, which is a node of a ``kind``."""
        own = {**self.layers.get(kind, {}), **self.layers.get(layer, {})}
        return replace(self, values={**self.values, **own}, layers={}) if own else self

    @property
    def given(self) -> bool:
        """Whether anything but defaults was asked for."""
        return bool(self.layers) or any(origin != DEFAULT for origin in self.origins.values())

    def check_layers(self, kinds: Mapping[str, str]) -> None:
        """Refuse exceptions for layers that a graph lacks; ``kinds`` are its nodes' types by name."""
        known = dict.fromkeys([*kinds, *_FIRING, *_LEAKY, "I", "Threshold"])
        for who in self.layers:
            if who not in known:
                hint = _nearest(who, known) or f"there are: {_list(kinds)}"
                raise InputError(f"dialect.layers names '{who:.60}', which is no node and no type of neuron", hint)

    def sentences(self, types: set[str], loops: bool = False) -> Iterator[str]:
        """Yield a sentence for each switch that changes what a graph of these node types computes."""
        for name, switch in SWITCHES.items():
            if types & set(CONCERNS.get(name, ())) or (loops and name not in CONCERNS):
                value, origin = self.values[name], self.origins[name]
                yield f"dialect.{name} = {value} ({origin}): {switch.asks}: {switch.values[value]}"
        for who, some in self.layers.items():
            if who in types or who not in (*_FIRING, *_LEAKY, "I", "Threshold"):
                for name, value in some.items():
                    yield f"dialect.{name} = {value} for {who}: {SWITCHES[name].asks}: {SWITCHES[name].values[value]}"


AnyDialect = str | Mapping[str, str] | Dialect | None
"""A preset, a table of switches, a dialect; None: the defaults."""


def dialect_of(given: AnyDialect, integrator: str | None = None) -> Dialect:
    """Return the dialect that a caller named: a preset, a table of switches, or a `Dialect`.

    A table may name a preset as 'name'; ``integrator`` is the argument of earlier versions.
    """
    switches: dict[str, Any] = {}
    if isinstance(given, Mapping):
        switches = {arguments.text(key, "a switch"): value for key, value in given.items()}
        if "layers" in switches:
            switches["layers"] = layers_of(switches["layers"])
    name = given if isinstance(given, str) else switches.pop("name", PLAIN)
    if integrator is not None:
        if integrator not in INTEGRATORS:
            raise InputError(f"unknown integrator '{integrator}'", f"there are: {_list(INTEGRATORS)}")
        switches["integrator"] = INTEGRATORS[integrator]
    if isinstance(given, Dialect):
        origins = {**given.origins, **dict.fromkeys(switches, SET)}
        return replace(given, values={**given.values, **switches}, origins=origins)
    if given is not None and not isinstance(given, str | Mapping):
        raise InputError(f"dialect is {arguments.said(given)}, a name or a table of switches is needed")
    return Dialect.named(name, **switches)


def layers_of(given: Any) -> Layers:
    """Return exceptions from a table of tables, or from a text: 'CubaLIF.reset_when=next, fc2.reset=zero'."""
    if isinstance(given, str):
        read: dict[str, dict[str, str]] = {}
        for part in given.split(","):
            place, equals, value = part.partition("=")
            who, dot, switch = place.strip().rpartition(".")
            if not (equals and dot and who):
                raise InputError(f"dialect.layers holds '{part.strip():.60}'", "write LAYER.switch=value, with commas")
            read.setdefault(who, {})[switch] = value.strip()
        return read
    if not isinstance(given, Mapping) or not all(isinstance(some, Mapping) for some in given.values()):
        raise InputError(f"dialect.layers is {arguments.said(given)}, a table of switches a layer is needed")
    return {arguments.text(who, "a layer"): dict(some) for who, some in given.items()}


def hint_of(nir: NirGraph, dt: float) -> str | None:
    """Return which framework's file this looks like, in a sentence; nothing where nothing tells."""
    neurons = {name: node for name, node in nir.nodes.items() if node.type in (*_LEAKY, "IF", "I")}
    if not neurons:
        return None
    guess = None
    if all("Torch" in name for name in neurons):
        guess = ("rockpool", "its neurons are called *Torch")
    elif all(name.rpartition(".")[2].startswith("layer_") for name in neurons):
        guess = ("spyx", "its neurons are called layer_*")
    elif all(name.startswith("_") for name in neurons):
        guess = ("spikingjelly", "its neurons are called _*")
    elif all(_r_undoes_tau(node.fields, dt) for node in neurons.values()):
        guess = ("snntorch", "every r is tau / dt")
    if guess is None:
        return None
    return f"the file may be {guess[0]}'s ({guess[1]}): --dialect {guess[0]} would read it so; that was not chosen"


def _r_undoes_tau(fields: Mapping[str, Any], dt: float) -> bool:
    tau, r = fields.get("tau", fields.get("tau_mem")), fields.get("r")
    if tau is None or r is None or np.shape(tau) != np.shape(r):
        return False
    return bool(np.allclose(r, np.asarray(tau, np.float64) / dt, rtol=1e-4)) and not bool(np.all(np.asarray(r) == 1))


def _check(name: str, value: Any, who: str = "") -> None:
    if name not in SWITCHES:
        raise InputError(f"a dialect has no switch '{name:.60}'", _nearest(name, SWITCHES) or f"{_list(SWITCHES)}")
    allowed = SWITCHES[name].values
    if not isinstance(value, str) or value not in allowed:
        of = f" of {who:.60}" if who else ""
        said = f"dialect.{name}{of} is {value!r:.60}, allowed: {_list(allowed)}; default: {SWITCHES[name].default}"
        raise InputError(said, _nearest(value, allowed))


def _nearest(name: Any, names: Mapping[str, Any]) -> str:
    near = get_close_matches(name, list(names), n=1) if isinstance(name, str) else []
    return f"did you mean {near[0]}?" if near else ""


def _list(names: Mapping[str, Any]) -> str:
    return ", ".join(names)

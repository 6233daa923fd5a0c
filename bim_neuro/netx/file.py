"""A .net file as a list of layers: the fields that netx reads, as numbers, and nothing else.

lava.lib.dl.netx 0.6 passes silently over what it does not know; here every layer has a kind, and what cannot be a
number where netx takes one is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..intake import Tree, read_hdf5
from ..nodes.arithmetic import Array

GROUP = "layer"
NEURON = "neuron"
_FIELDS = frozenset(
    ("type", "shape", "weight", "weight_rec", "bias", "delay", "stride", "padding", "dilation", "groups", NEURON)
)
_OF_NEURON = frozenset(("type", "iDecay", "vDecay", "vThMant", "refDelay"))
_WHOLE_MAX = 2**31 - 1
_HINT = "lava-dl's export_hdf5 makes .net files"


@dataclass(frozen=True)
class NetLayer:
    """One layer: its numbers by name, and those of its neuron, {} where the file gives it none."""

    index: int
    kind: str
    fields: Mapping[str, Array]
    neuron_type: str = ""
    neuron: Mapping[str, Array] = field(default_factory=dict)
    is_complex: bool = False

    @property
    def who(self) -> str:
        """How messages name the layer."""
        return f"layer {self.index} ({self.kind:.20})"

    @property
    def name(self) -> str:
        """How its node is called."""
        return f"{self.kind}{self.index}"

    def whole(self, name: str) -> Array:
        """Return a field as whole numbers, cut off as netx does it; one that is missing or no number is refused."""
        if name not in self.fields:
            raise InputError(f"{self.who} has no '{name}'", _HINT)
        return as_whole(self.fields[name], f"{self.who}: {name}")

    def shape(self, axes: tuple[int, ...]) -> tuple[int, ...]:
        """Return its shape, of so many positive numbers."""
        sizes = np.atleast_1d(self.whole("shape")).ravel().tolist()
        if len(sizes) not in axes or min(sizes, default=0) < 1:
            allowed = " or ".join(map(str, axes))
            message = f"{self.who}: shape has {len(sizes)} numbers, {sizes[:3]}; {allowed} from 1 on are needed"
            raise InputError(message)
        return tuple(sizes)


def as_whole(values: Array, who: str) -> Array:
    """Return numbers without their fractions, as netx's astype(int) leaves them."""
    if values.dtype.kind not in "fiub" or not np.isfinite(values).all() or np.abs(values).max(initial=0) > _WHOLE_MAX:
        raise InputError(f"{who} holds numbers that are not finite or beyond {_WHOLE_MAX:,}")
    return np.asarray(np.trunc(values), dtype=np.int64)


def open_net(path: Path) -> list[NetLayer]:
    """Return the layers of a file in their order."""
    try:
        tree = read_hdf5(path, _wanted)
    except InputError as error:
        raise InputError(error.message, _HINT if "not an HDF5 file" in error.message else error.hint) from None
    group = tree.get(GROUP)
    if not isinstance(group, dict) or not group:
        raise InputError(f"the file holds no lava-dl network: it has no group /{GROUP} with layers", _HINT)
    names = {str(index) for index in range(len(group))}
    if strange := sorted(set(group) - names):
        raise InputError(f"/{GROUP} holds '{strange[0]:.40}', layers are numbered 0 to {len(group) - 1}", _HINT)
    return [_layer(group[str(index)], index) for index in range(len(group))]


def _wanted(path: tuple[str, ...]) -> bool:
    """Whether a path is a layer, one of its fields, or one of its neuron's."""
    if path[0] != GROUP or len(path) > 4:
        return False
    if len(path) == 4:
        return path[2] == NEURON and path[3] in _OF_NEURON
    return len(path) < 3 or path[2] in _FIELDS


def _layer(group: Any, index: int) -> NetLayer:
    who = f"/{GROUP}/{index}"
    if not isinstance(group, dict):
        raise InputError(f"'{who}' is not a group")
    neuron = group.get(NEURON, {})
    if not isinstance(neuron, dict):
        raise InputError(f"'{who}/{NEURON}' is not a group")
    return NetLayer(
        index,
        _text(group, who),
        _numbers(group, who, (NEURON, "weight")),
        _text(neuron, f"{who}/{NEURON}") if neuron else "",
        _numbers(neuron, f"{who}/{NEURON}"),
        isinstance(group.get("weight"), dict),
    )


def _text(group: Tree, who: str) -> str:
    """Return a type, which lava-dl writes as a text or as an array of one."""
    value = group.get("type")
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, str):
        raise InputError(f"'{who}/type' is not a text", _HINT)
    return value


def _numbers(group: Tree, who: str, groups: tuple[str, ...] = ()) -> dict[str, Array]:
    found = {}
    for name, value in group.items():
        if isinstance(value, np.ndarray):
            found[name] = value
        elif name != "type" and not (name in groups and isinstance(value, dict)):
            raise InputError(f"'{who}/{name}' is no number and no array of numbers")
    return found

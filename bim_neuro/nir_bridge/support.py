"""What is supported of NIR: nodes, fields and values; every error names its node."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from ..errors import Finding, InputError
from ..nodes.arithmetic import Array
from .hdf5 import NirGraph, NirNode

_CONV = {"weight": None, "bias": 0.0, "stride": 1.0, "padding": 0.0, "dilation": 1.0, "groups": 1.0, "input_shape": 0.0}
_POOL = {"kernel_size": None, "stride": None, "padding": 0.0}

# The fields each node must have, with the value that stands for an absent one (None: it must be there).
FIELDS: dict[str, dict[str, float | None]] = {
    "Input": {},
    "Output": {},
    "Flatten": {},
    "Linear": {"weight": None},
    "Affine": {"weight": None, "bias": 0.0},
    "Scale": {"scale": None},
    "Delay": {"delay": None},
    "Conv1d": {**_CONV},
    "Conv2d": {**_CONV},
    "SumPool2d": {**_POOL},
    "AvgPool2d": {**_POOL},
    "LIF": {"tau": None, "r": 1.0, "v_leak": 0.0, "v_threshold": None, "v_reset": 0.0},
    "IF": {"r": None, "v_threshold": None, "v_reset": 0.0},
    "CubaLIF": {
        "tau_syn": None,
        "tau_mem": None,
        "r": 1.0,
        "w_in": 1.0,
        "v_leak": 0.0,
        "v_threshold": None,
        "v_reset": 0.0,
    },
    "LI": {"tau": None, "r": 1.0, "v_leak": 0.0},
    "I": {"r": None},
    "CubaLI": {"tau_syn": None, "tau_mem": None, "r": 1.0, "w_in": 1.0, "v_leak": 0.0},
    "Threshold": {"threshold": None},
}
FIELD_NAMES = frozenset(key for fields in FIELDS.values() for key in fields)
SPIKING = ("LIF", "IF", "CubaLIF", "Threshold")
NEURONS = (*SPIKING, "LI", "I", "CubaLI")
_WORDS = ("padding", "input_shape")
"""Fields that frameworks write as a word too: 'same', or 'None' for what they do not know."""
_ABSENT = ("", "empty", "a type")
"""What stands in the place of a field that holds nothing."""
MAY_BE_INFINITE = ("tau", "tau_mem", "tau_syn", "r", "w_in")
"""Fields of a neuron without a leak: tau = inf, and beside it r = tau / dt."""
_AGAIN = "export the model again"
MOST_FAULTS = 20
"""Faults of values that one refusal lists."""
_HINTS = {
    "MaxPool": "a maximum of spikes is no sum: train with a sum or average pool, or with a strided convolution",
    "BatchNorm": "fold it into the layer before it, before the export",
    "ConvTranspose": "NIR has no such node: send more channels through a Conv, or write the layer as a Linear",
}
"""What to do about nodes that no NIR graph holds, by how their types begin."""


def check_values(nir: NirGraph) -> None:
    """Refuse, all at once, values that are not finite, fields that are missing or empty, and edges to nowhere."""
    faults = [*(fault for name, node in nir.nodes.items() for fault in _faults(name, node)), *_loose_ends(nir)]
    if faults:
        more = f"; and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        said = "; ".join(message for message, _ in faults[:MOST_FAULTS])
        raise InputError(f"{said}{more}", next((hint for _, hint in faults if hint), ""))


def _faults(name: str, node: NirNode) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the fields of a node, and what to do about it."""
    for key, value in node.fields.items():
        fine = np.isfinite(value)
        if key in MAY_BE_INFINITE and node.type in NEURONS:
            fine |= np.isposinf(value)
        bad = int(np.count_nonzero(~fine))
        if bad:
            yield f"{bad} of {value.size} values of '{name}.{key}' are not finite", _AGAIN
    needed = FIELDS.get(node.type, {})
    for key, default in needed.items():
        if default is not None and (what := _no_numbers(node, key)):
            yield f"'{name}.{key}' is {what}, numbers are needed", _AGAIN
    missing = [key for key, default in needed.items() if default is None and key not in node.fields]
    missing += [key for key in needed if key in node.fields and node.fields[key].size == 0]
    if missing:
        yield f"node '{name}' ({node.type}) lacks {', '.join(missing)}", _AGAIN


def _loose_ends(nir: NirGraph) -> Iterator[tuple[str, str]]:
    for source, target in nir.edges:
        for end in (source, target):
            if end not in nir.nodes:
                yield f"edge '{source} -> {target}' names a node '{end}', which the graph lacks", ""


def _no_numbers(node: NirNode, key: str) -> str:
    """Return what a field is that is there but holds no numbers: its default would be a guess. '' where it does."""
    if key in node.texts and key not in _WORDS:
        return f"the text '{node.texts[key]:.20}'"
    what = node.unread.get(key, "")
    return what if what not in _ABSENT else ""


def unsupported(nir: NirGraph) -> list[Finding]:
    """List everything that a float graph cannot hold, without needing a dt."""
    findings: list[Finding] = []
    for name, node in sorted(nir.nodes.items()):
        who = f"node '{name}' ({node.type})"
        if node.type not in FIELDS:
            message = f"node '{name}' is a {node.type}, which has no counterpart here"
            known = (hint for begins, hint in _HINTS.items() if node.type.startswith(begins))
            hint = next(known, f"supported are {', '.join(FIELDS)}")
            findings.append(Finding("supported-node", name, message, hint=hint))
        elif node.type in ("Linear", "Affine"):
            findings += _weights(who, name, node.fields["weight"])
    return findings


def fits(value: Array, shape: tuple[int, ...]) -> bool:
    """Whether a field gives each neuron of a layer a value: one for all, one each, or one a channel as (C, 1, 1)."""
    same_axes = value.ndim == len(shape)
    if value.size in (1, prod(shape)):
        wide = [[size for size in sizes if size > 1] for sizes in (value.shape, shape)]
        return value.size == 1 or not same_axes or wide[0] == wide[1]
    return same_axes and all(have in (1, want) for have, want in zip(value.shape, shape, strict=True))


def lines_read(node: NirNode) -> int:
    """Return how many values a node reads, 0 if its fields do not tell."""
    if node.type in ("Linear", "Affine"):
        return int(node.fields["weight"].shape[-1])
    width = max((node.fields[key].size for key in FIELDS[node.type] if key in node.fields), default=0)
    return width if width > 1 else 0


def _weights(who: str, name: str, weight: Array) -> list[Finding]:
    if weight.ndim == 2:
        return []
    message = f"{who} has weights of {weight.ndim} axes, a synapse has 2"
    return [Finding("supported-node", name, message, weight.ndim, 2, "flatten the input of the layer")]

"""What is supported of NIR: nodes, fields and values; every error names its node."""

from __future__ import annotations

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
}
FIELD_NAMES = frozenset(key for fields in FIELDS.values() for key in fields)
SPIKING = ("LIF", "IF", "CubaLIF")
NEURONS = (*SPIKING, "LI", "I")
UNIFORM = 1e-6  # time constants with less relative spread are treated as equal: 12-bit decays are 200 times coarser


def check_values(nir: NirGraph) -> None:
    """Refuse values that are not finite, fields that are missing or empty, and edges that lead nowhere."""
    for name, node in nir.nodes.items():
        for key, value in node.fields.items():
            bad = int(np.count_nonzero(~np.isfinite(value)))
            if bad:
                message = f"{bad} of {value.size} values of '{name}.{key}' are not finite"
                raise InputError(message, "export the model again")
        needed = FIELDS.get(node.type, {})
        missing = [key for key, default in needed.items() if default is None and key not in node.fields]
        missing += [key for key in needed if key in node.fields and node.fields[key].size == 0]
        if missing:
            message = f"node '{name}' ({node.type}) lacks {', '.join(missing)}"
            raise InputError(message, "export the model again")
    for source, target in nir.edges:
        for end in (source, target):
            if end not in nir.nodes:
                raise InputError(f"edge '{source} -> {target}' names a node '{end}', which the graph lacks")


def unsupported(nir: NirGraph) -> list[Finding]:
    """List everything that a float graph cannot hold, without needing a dt."""
    findings: list[Finding] = []
    for name, node in sorted(nir.nodes.items()):
        who = f"node '{name}' ({node.type})"
        if node.type not in FIELDS:
            message = f"node '{name}' is a {node.type}, which has no counterpart here"
            hint = f"supported are {', '.join(FIELDS)}"
            findings.append(Finding("supported-node", name, message, hint=hint))
        elif node.type in ("Linear", "Affine"):
            findings += _weights(who, name, node.fields["weight"])
        elif node.type in NEURONS:
            findings += _time_constants(who, name, node)
            findings += _spikes(who, name, node) if node.type in SPIKING else []
    return findings


def fits(value: Array, shape: tuple[int, ...]) -> bool:
    """Whether a field gives each neuron of a layer a value: one for all, one each, or one a channel as (C, 1, 1)."""
    if value.size in (1, prod(shape)):
        return True
    same_axes = value.ndim == len(shape)
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


def _time_constants(who: str, name: str, node: NirNode) -> list[Finding]:
    found = []
    for key in ("tau", "tau_mem", "tau_syn"):
        tau = node.fields.get(key, np.ones(1))
        if np.ptp(tau) > UNIFORM * np.abs(tau).max():
            spread = f"{tau.min():.4g} to {tau.max():.4g} s"
            message = f"{who} has {key} from {spread}, a layer on the chip has one"
            hint = "train with one time constant a layer, or split the layer"
            found.append(Finding("uniform-lif", name, message, len(np.unique(tau)), 1, hint))
    return found


def _spikes(who: str, name: str, node: NirNode) -> list[Finding]:
    found = []
    threshold, reset = node.fields["v_threshold"], node.fields.get("v_reset", np.zeros(1))
    if np.ptp(threshold) > 0 and threshold.min() <= 0:
        lowest = float(threshold.min())
        message = f"{who} has unequal thresholds down to {lowest:.4g}, only positive ones fold into weights"
        found.append(Finding("uniform-lif", name, message, lowest, 0, "use one threshold a layer"))
    if reset.any():
        message = f"{who} resets to {reset[reset != 0][0]:.4g}, a LIF on the chip resets to 0"
        found.append(Finding("reset", name, message, float(np.abs(reset).max()), 0, "train with v_reset = 0"))
    return found

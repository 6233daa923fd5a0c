"""Calls: how the script of a board kit makes each node and each synapse, one registered function a class.

A node of ours is its class with its constants, and a process of ours that plays it (`OURS`); Lava's own are made by the
functions of `to_lava.parts`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import singledispatch
from typing import Any

import numpy as np

from ...errors import DoesNotFit, Finding
from ...graph import Edge
from ...nodes import (
    Broadcast,
    Conv,
    Dense,
    Diagonal,
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Shifted,
    SomaWire,
    Source,
    Sparse,
    Synapse,
)
from ...nodes.arithmetic import Array
from ...nodes.node import IntegerNode
from ..to_lava.forms import fits_conv

_SHORT = 90  # of a call that stands in one line
Constants = dict[str, Any]
"""What a call names: whole numbers and texts, which the script holds, and arrays, which program.npz holds."""


@dataclass(frozen=True)
class ScriptCall:
    """A call in the script: ``function`` of ``constants`` by name, then ``rest`` as it is written there."""

    function: str
    constants: Constants
    rest: str = ""

    def written(self, key: str) -> tuple[str, dict[str, Array]]:
        """Return the text, and the arrays that it takes from program.npz under ``key``."""
        arrays = {f"{key}.{name}": value for name, value in self.constants.items() if isinstance(value, np.ndarray)}
        words = [f"{name}={self._value(name, key)}" for name in self.constants]
        words += [self.rest] if self.rest else []
        line = f"{self.function}({', '.join(words)})"
        if len(line) > _SHORT:
            line = "\n".join([f"{self.function}(", *(f"    {word}," for word in words), ")"])
        return line, arrays

    def _value(self, name: str, key: str) -> str:
        value = self.constants[name]
        return f"held[{f'{key}.{name}'!r}]" if isinstance(value, np.ndarray) else repr(value)


OURS = {
    IntegerRelay: ("RelayProcess", "PyRelay"),
    IntegerScan: ("SelectiveScan", "PySelectiveScan"),
    IntegerReadout: ("LeakyReadout", "PyLeakyReadout"),
    IntegerCuba: ("SwitchNeuron", "PySwitchNeuron"),
}
"""Processes and models of ours, by node."""


@singledispatch
def to_call(node: IntegerNode, name: str, start: int | None = None) -> ScriptCall:
    """Return what makes a node in the script; a node without a process is refused with its name.

    ``start`` is the step at which its neurons must start anew, None where they are at rest until a sample reaches them.
    """
    message = f"layer '{name}': the board kit has no process for {type(node).__name__}"
    raise DoesNotFit([Finding("lava-process", name, message)])


@to_call.register(IntegerRelay)
@to_call.register(IntegerScan)
@to_call.register(IntegerReadout)
@to_call.register(IntegerCuba)
def _(node: IntegerNode, name: str, start: int | None = None) -> ScriptCall:
    return ScriptCall(type(node).__name__, _constants(node))


@to_call.register
def _(node: IntegerLIF, name: str, start: int | None = None) -> ScriptCall:
    reset = "" if start is None else f"reset_interval=period, reset_offset={start + 1}"
    return ScriptCall("lif", _constants(node), reset)


@to_call.register
def _(node: IntegerGraded, name: str, start: int | None = None) -> ScriptCall:
    return ScriptCall("graded", {"size": node.size, "rectify": node.rectify, "v_threshold": node.v_threshold})


@to_call.register
def _(node: IntegerProd, name: str, start: int | None = None) -> ScriptCall:
    return ScriptCall("product", {"size": node.size, "shift": node.shift, "v_threshold": node.v_threshold})


@to_call.register
def _(node: Source, name: str, start: int | None = None) -> ScriptCall:
    message = f"layer '{name}': a source in the middle of a graph cannot run on Lava"
    raise DoesNotFit([Finding("lava-process", name, message)])


@singledispatch
def to_synapse_calls(synapse: Synapse, edge: Edge, message_bits: int) -> list[ScriptCall]:
    """Return what makes the processes of a synapse in the script: mostly one, none for a wire inside a neuron."""
    message = f"synapse '{edge.name}': the board kit has no process for {type(synapse).__name__}"
    raise DoesNotFit([Finding("lava-process", edge.target, message)])


@to_synapse_calls.register
def _(synapse: SomaWire, edge: Edge, message_bits: int) -> list[ScriptCall]:
    return []


@to_synapse_calls.register(Dense)
@to_synapse_calls.register(Diagonal)
@to_synapse_calls.register(Sparse)
def _(synapse: Dense | Diagonal | Sparse, edge: Edge, message_bits: int) -> list[ScriptCall]:
    return [_synapse(synapse.kind, edge, message_bits, **_constants(synapse))]


@to_synapse_calls.register
def _(synapse: Broadcast, edge: Edge, message_bits: int) -> list[ScriptCall]:
    return [_synapse("dense", edge, message_bits, weight=np.eye(synapse.size, dtype=np.int8))]


@to_synapse_calls.register
def _(synapse: Shifted, edge: Edge, message_bits: int) -> list[ScriptCall]:
    groups = ((exponent, synapse.group(exponent)) for exponent in synapse.exponents)
    rows = (
        {"weight": group.data, "column": group.indices, "start": group.indptr, "pre": synapse.pre, "exponent": exponent}
        for exponent, group in groups
    )
    return [_synapse("sparse", edge, message_bits, **row) for row in rows]


@to_synapse_calls.register
def _(synapse: Conv, edge: Edge, message_bits: int) -> list[ScriptCall]:
    if edge.delay or not fits_conv(synapse, message_bits):
        return to_synapse_calls(synapse.unrolled(), edge, message_bits)
    top, _, left, _ = synapse.padding
    return [ScriptCall("conv", {**_constants(synapse), "padding": (top, left), "message_bits": message_bits})]


def _synapse(function: str, edge: Edge, message_bits: int, **constants: Any) -> ScriptCall:
    return ScriptCall(function, {**constants, "delay": edge.delay, "message_bits": message_bits})


def _constants(part: Any) -> Constants:
    """Return the fields of a node or synapse; whole numbers as Python's own."""
    found = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: int(value) if isinstance(value, np.integer) else value for name, value in found.items()}

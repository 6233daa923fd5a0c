"""What each node type of NIR becomes: the rows of --list nodes; scripts/nir_nodes.py compiles each for the same."""

from __future__ import annotations

from typing import Any, NamedTuple

from .support import FIELDS


class NodeRow(NamedTuple):
    """A type, or a type with other values or resets; ``lava`` is Lava's process, or ours."""

    type: str
    becomes: str
    law: str
    lava: str
    engine: str = "yes"


_OTHERS = "another reset or values a neuron"
NODES = (
    NodeRow("Affine", "synapse Dense", "int8 Dense", "Dense"),
    NodeRow("AvgPool2d", "synapse Conv", "int8 Conv", "Conv"),
    NodeRow("Conv1d", "synapse Conv", "int8 Conv", "Conv"),
    NodeRow("Conv2d", "synapse Conv", "int8 Conv", "Conv"),
    NodeRow("CubaLI", "neuron Cuba", "IntegerCuba", "ours"),
    NodeRow("CubaLIF", "neuron LIF", "IntegerLIF", "LIFReset"),
    NodeRow(f"CubaLIF, {_OTHERS}", "neuron Cuba", "IntegerCuba", "ours"),
    NodeRow("Delay", "synapse Diagonal, which delays", "int8 Diagonal", "DelaySparse"),
    NodeRow("Flatten", "synapse Diagonal", "int8 Diagonal", "Sparse"),
    NodeRow("I", "neuron Readout", "IntegerReadout", "ours"),
    NodeRow("IF", "neuron LIF", "IntegerLIF", "LIFReset"),
    NodeRow(f"IF, {_OTHERS}", "neuron Cuba", "IntegerCuba", "ours"),
    NodeRow("Input", "the input of the graph", "Source", "RingBuffer"),
    NodeRow("LI", "neuron Readout", "IntegerReadout", "ours"),
    NodeRow("LIF", "neuron LIF", "IntegerLIF", "LIFReset"),
    NodeRow(f"LIF, {_OTHERS}", "neuron Cuba", "IntegerCuba", "ours"),
    NodeRow("Linear", "synapse Dense", "int8 Dense", "Dense"),
    NodeRow("Output", "the output of the graph", "", "RingBuffer"),
    NodeRow("Scale", "synapse Diagonal", "int8 Diagonal", "Sparse"),
    NodeRow("SumPool2d", "synapse Conv", "int8 Conv", "Conv"),
    NodeRow("Threshold", "neuron LIF", "IntegerLIF", "LIFReset"),
)


def node_rows() -> list[dict[str, Any]]:
    """Return the rows as plain values, with the fields that a node must have and the defaults of the others."""
    return [{**row._asdict(), **_fields(row.type.partition(",")[0])} for row in NODES]


def _fields(kind: str) -> dict[str, Any]:
    fields = FIELDS[kind]
    needed = [name for name, default in fields.items() if default is None]
    return {"fields": needed, "optional": {name: default for name, default in fields.items() if default is not None}}

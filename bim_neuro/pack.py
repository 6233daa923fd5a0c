"""Pack: a graph as a JSON header and named arrays, and back; every file format of ours uses it.

    {"type": "IntegerGraph", "dt": 0.001,
     "nodes": {"type": "dict", "items": {"lif": {"type": "IntegerLIF", "dv": 9, "bias_mant": {"array": "graph/..."}}}}}

Only the classes listed here can come back: nothing is executed. Programs of version 1 hold a LIF's bias whole. A field
marked "omit" is left out where it has its default, so that the files of models without it stay as they were.
"""

from __future__ import annotations

from dataclasses import Field, fields, is_dataclass
from typing import Any

import numpy as np

from .choices import HEADS, LEAST_ROWS, SOFTMAXES
from .errors import InputError
from .graph import Edge, FloatGraph, Graph, IntegerGraph
from .nodes import (
    LIF,
    Broadcast,
    Conv,
    Cuba,
    Dense,
    Diagonal,
    Encoder,
    Graded,
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Prod,
    Readout,
    Relay,
    Scan,
    ScanRange,
    Shifted,
    SomaWire,
    Source,
    Sparse,
)
from .nodes.arithmetic import Array
from .nodes.lif import split_bias
from .nodes.table import table_fault

_NAMES: dict[type, str] = {SomaWire: "Soma"}
"""Classes whose name in files differs from today's: names in files never change."""
_CLASSES: dict[str, type] = {
    _NAMES.get(cls, cls.__name__): cls
    for cls in (
        *(Source, Relay, Scan, ScanRange, LIF, Cuba, Readout),
        *(IntegerRelay, IntegerScan, IntegerLIF, IntegerCuba, IntegerReadout),
        *(Graded, Prod, IntegerGraded, IntegerProd, Shifted),
        *(Dense, Sparse, Conv, Diagonal, Broadcast, SomaWire, Encoder, Edge, FloatGraph, IntegerGraph),
    )
}
_ARRAY = "array"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": (int, np.integer),
    "float": (int, float, np.number),
    "bool": (bool, np.bool_),
    "str": str,
    "Array": np.ndarray,
    "ScanRange": ScanRange,
}
_MAX_NUMBER = {"int": 2**63 - 1, "float": float(np.finfo(np.float64).max)}
_NODES = (Source, Relay, Scan, LIF, Cuba, Readout, Graded, Prod)
_INTEGER_NODES = (
    *(Source, IntegerRelay, IntegerScan, IntegerLIF, IntegerCuba, IntegerReadout),
    *(IntegerGraded, IntegerProd),
)
_SYNAPSES = (Dense, Sparse, Shifted, Conv, Diagonal, Broadcast, SomaWire)
_LENGTHS = {"Pair": 2, "Grid": 3, "Border": 4}
"""Fields that are so many whole numbers."""

Header = dict[str, Any]


def pack(graph: Graph[Any]) -> tuple[Header, dict[str, Array]]:
    """Return a header of plain values and the arrays it refers to."""
    arrays: dict[str, Array] = {}
    return _pack(graph, "graph", arrays), arrays


def unpack(header: Header, arrays: dict[str, Array]) -> Graph[Any]:
    """Rebuild the graph; a header that does not describe one is refused."""
    try:
        graph = _unpack(header, arrays)
        if not isinstance(graph, Graph):
            raise InputError(f"the header describes a {type(graph).__name__}, not a graph")
        _check_parts(graph)
        _check_edges(graph)
        rows = graph.nodes[graph.output].neurons if "softmax" in graph.extra else 0
        if fault := answer_fault(graph.extra.get("head", "class"), graph.extra.get("softmax", "full"), rows):
            raise InputError(f"the graph: {fault}")
    except RecursionError:
        raise InputError("the graph's header is nested too deep") from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InputError(f"the graph's header is damaged: {type(error).__name__} {error!s:.200}") from None
    return graph


def check_fields(who: str, value: Any) -> None:
    """Refuse a field of the wrong type, and numbers that are not finite or exceed 64 bits."""
    for field in fields(value):
        found: Any = getattr(value, field.name)
        kind = "Array" if str(field.type).startswith("Annotated[Array, ") else str(field.type)
        if kind in _LENGTHS:
            if (
                not isinstance(found, tuple)
                or len(found) != _LENGTHS[kind]
                or not all(type(size) is int and abs(size) < 2**31 for size in found)
            ):
                raise InputError(f"{who}: {field.name} is {found!r:.60}, not {_LENGTHS[kind]} whole numbers")
            continue
        wrong = not isinstance(found, _TYPES[kind]) or (isinstance(found, bool) and kind != "bool")
        if wrong:
            raise InputError(f"{who}: {field.name} is {found!r:.60}, not of type {kind}")
        if kind in _MAX_NUMBER and not -_MAX_NUMBER[kind] <= found <= _MAX_NUMBER[kind]:
            raise InputError(f"{who}: {field.name} is {found!s:.40}, it must be finite and fit 64 bits")
        if is_dataclass(found):
            check_fields(f"{who}, {field.name}", found)


def check_shapes(shapes: Any) -> None:
    """Refuse shapes of feature maps that are no whole numbers by name."""
    if not isinstance(shapes, dict):
        raise InputError(f"extra.shapes is {shapes!r:.60}, a table is needed")
    for name, shape in shapes.items():
        if not isinstance(shape, list | tuple) or not all(type(size) is int and size > 0 for size in shape):
            raise InputError(f"extra.shapes has {shape!r:.60} for '{name!s:.60}', whole numbers are needed")


def answer_fault(head: Any, softmax: Any, rows: int) -> str:
    """Say why a readout of so many rows cannot be read by a head and a softmax; nothing if it can."""
    if not isinstance(head, str) or head not in HEADS:
        return f"its head is {head!r:.60}, one of {', '.join(HEADS)} is needed"
    if not isinstance(softmax, str) or softmax not in SOFTMAXES:
        return f"its softmax is {softmax!r:.60}, one of {', '.join(SOFTMAXES)} is needed"
    if softmax == "adaptive" and (head != "next" or rows < LEAST_ROWS):
        return (
            f"an adaptive softmax does not fit head '{head}' and {rows:,} rows: it is of head next, from {LEAST_ROWS}"
        )
    return ""


def equal(left: Graph[Any], right: Graph[Any]) -> bool:
    """Whether two graphs are the same to the last bit."""
    (header, arrays), (other_header, others) = pack(left), pack(right)
    return header == other_header and all(
        arrays[key].dtype == others[key].dtype and np.array_equal(arrays[key], others[key]) for key in arrays
    )


def _pack(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {_ARRAY: path}
    if is_dataclass(value) and not isinstance(value, type):
        kept = [f for f in fields(value) if not (f.metadata.get("omit") and _is_left_out(getattr(value, f.name), f))]
        packed = {f.name: _pack(getattr(value, f.name), f"{path}/{f.name}", arrays) for f in kept}
        return {"type": _NAMES.get(type(value), type(value).__name__), **packed}
    if isinstance(value, dict):
        return {"type": "dict", "items": {key: _pack(item, f"{path}/{key}", arrays) for key, item in value.items()}}
    if isinstance(value, tuple | list):
        return [_pack(item, f"{path}/{index}", arrays) for index, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _is_left_out(value: Any, of: Field[Any]) -> bool:
    """Whether a field is as files of before have it: at its default, or an array of nothing."""
    return not value.size if isinstance(value, np.ndarray) else bool(value == of.default)


def _unpack(value: Any, arrays: dict[str, Array]) -> Any:
    if isinstance(value, list):
        return tuple(_unpack(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return arrays[value[_ARRAY]]
    kind = value["type"]
    if kind == "dict":
        return {key: _unpack(item, arrays) for key, item in value["items"].items()}
    if kind == "IntegerLIF" and "bias" in value:
        value = _with_split_bias(value, arrays)
    return _CLASSES[kind](**{key: _unpack(item, arrays) for key, item in value.items() if key != "type"})


def _with_split_bias(lif: Header, arrays: dict[str, Array]) -> Header:
    """Write a LIF of version 1 as today's: the whole bias as mantissa and exponent, or refused by the layer's name."""
    path = str(lif["bias"][_ARRAY])
    mantissa, exponent = split_bias(arrays[path], path.removeprefix("graph/nodes/").removesuffix("/bias"))
    arrays[f"{path}_mant"] = mantissa
    rest = {key: item for key, item in lif.items() if key != "bias"}
    return {**rest, "bias_mant": {_ARRAY: f"{path}_mant"}, "bias_exp": exponent}


def _check_parts(graph: Graph[Any]) -> None:
    """Refuse parts of the wrong type by name: all of them came from a file."""
    wanted: dict[str, type | tuple[type, ...]] = {
        "nodes": dict, "edges": tuple, "dt": (int, float), "encoder": Encoder, "task": str, "labels": tuple,
        "extra": dict, "depth": dict, "gap": int,
    }  # fmt: skip
    for field in fields(graph):
        value = getattr(graph, field.name)
        if not isinstance(value, wanted[field.name]) or isinstance(value, bool):
            raise InputError(f"the graph's {field.name} is {value!r:.60}")
    for name, node in graph.nodes.items():
        if not isinstance(node, (*_NODES, *_INTEGER_NODES)):
            raise InputError(f"node '{name}' is a {type(node).__name__}, no node")
        check_fields(f"node '{name}'", node)
        if fault := node.fault() if isinstance(node, Cuba | IntegerCuba | IntegerGraded | IntegerProd) else "":
            raise InputError(f"node '{name}': {fault}")
    for index, edge in enumerate(graph.edges):
        ends = [edge.source, edge.target, edge.port] if isinstance(edge, Edge) else [None]
        if not all(isinstance(end, str) for end in ends) or not isinstance(edge.synapse, _SYNAPSES):
            raise InputError(f"edge {index} is {edge!r:.60}, no synapse between two nodes")
        check_fields(f"edge '{edge.name}'", edge.synapse)
        if fault := edge.synapse.fault() if isinstance(edge.synapse, Sparse | Conv) else "":
            raise InputError(f"edge '{edge.name}': {fault}")
    check_shapes(graph.extra.get("shapes", {}))
    check_fields("the encoder", graph.encoder)
    if graph.encoder.kind == "table" and (fault := table_fault(graph.encoder.table)):
        raise InputError(f"the encoder: {fault}")
    if not all(isinstance(label, str) for label in graph.labels):
        raise InputError(f"the graph's labels are {graph.labels!r:.60}, texts are needed")


def _check_edges(graph: Graph[Any]) -> None:
    for edge in graph.edges:
        if edge.source not in graph.nodes or edge.port not in getattr(graph.nodes.get(edge.target), "ports", {}):
            raise InputError(f"edge '{edge.name}' joins nodes or ports that do not exist")
        if isinstance(edge.synapse, Sparse | Conv):
            got = (edge.synapse.pre, edge.synapse.post)
            ends = (graph.nodes[edge.source].neurons, graph.nodes[edge.target].ports[edge.port])
            if got != ends:
                raise InputError(f"edge '{edge.name}' is a map of {got} neurons, it joins {ends}")

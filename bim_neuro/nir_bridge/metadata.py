"""What NIR cannot say, as one JSON text on the top graph, keyed by node.

    {"format": 1, "written_by": "bim-neuro 0.3.0", "dt": seconds, "integrator": "forward Euler",
     "task": ..., "labels": [...],
     "encoder": {"kind": ..., "gain": [...], "offset": [...]},
     "nodes": {"block1.scan": {"kind": "scan", "product": {...}, "ranges": {...}, ...},
               "block1.lif": {"kind": "lif", "reset": "hard, to 0, same step", ...}, ...}}

A graph with recurrent connections whose constants act from the second step on says "rec_first": "no" besides.
Every node has the slots "quantisation" and "plasticity", for which NIR has no fields; a plastic node's says which of
its ports learns, the graph's "plasticity" by which rule (`bim_neuro.plasticity.request`).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from .._version import __version__
from ..errors import InputError
from ..graph import FloatGraph
from ..nodes import LIF, Cuba, Encoder, Scan
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..nodes.ranges import Ranges, ranges_of
from ..nodes.table import table_fault
from .dialect import INTEGRATORS, Dialect
from .written_loops import beginning_late

KEY = "bim_neuro"
FORWARD = "forward Euler"
"""How the standard layer is discretised, as importers step; files of 0.1 and 0.2 say 'exponential Euler'."""
FORMAT = 1

_PRODUCT = {
    "delta": "softplus(dt + bias_dt)",
    "h": "exp(delta * A) * h[t-1] + delta * u * B",
    "y": "sum over states of C * h, + D_skip * u",
}
_SURROGATE = "the standard nodes hold the product's linearisation at zero input; the exact copy is /bim_neuro"


@dataclass(frozen=True)
class Metadata:
    """The graph's part of the JSON metadata of a bim-neuro file."""

    dt: float
    dialect: Dialect
    task: str
    labels: tuple[str, ...]
    encoder: Encoder
    products: tuple[str, ...]
    switched: tuple[str, ...]
    plasticity: dict[str, Any]
    plastic_nodes: dict[str, Any]
    calibration: str
    ranges: dict[str, Ranges]

    @property
    def extra(self) -> dict[str, Any]:
        """Return the graph's ``extra``; empty if nothing is plastic and no range was measured."""
        plastic = {"plasticity": self.plasticity, "plastic_nodes": self.plastic_nodes} if self.plasticity else {}
        return plastic | ({"calibration": self.calibration} if self.calibration else {})


def describe(graph: FloatGraph) -> str:
    """Return the JSON text of a graph."""
    encoder = graph.encoder
    return json.dumps(
        {
            "format": FORMAT,
            "written_by": f"bim-neuro {__version__}",
            "dt": graph.dt,
            "integrator": FORWARD,
            "task": graph.task,
            "labels": list(graph.labels),
            "encoder": {
                "kind": encoder.kind,
                "gain": encoder.gain.tolist(),
                "offset": encoder.offset.tolist(),
                **({"reads_raw": True} if encoder.reads_raw else {}),
                **({"table": _as_text(encoder.table)} if encoder.kind == "table" else {}),
            },
            "plasticity": graph.extra.get("plasticity", {}),
            "calibration": graph.extra.get("calibration", ""),
            "nodes": {name: _describe_node(graph, name, node) for name, node in graph.nodes.items()},
            **({"rec_first": "no"} if beginning_late(graph) else {}),
        }
    )


def parse(text: str) -> Metadata:
    """Read the JSON text back; an `InputError` says what is damaged."""
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise InputError(f"the metadata have format {content['format']!r}, this bim-neuro reads {FORMAT}")
        return Metadata(
            dt=float(content["dt"]),
            dialect=_dialect(content),
            task=str(content["task"]),
            labels=tuple(str(label) for label in content["labels"]),
            encoder=_encoder(content["encoder"]),
            products=tuple(name for name, node in content["nodes"].items() if "product" in node),
            switched=tuple(name for name, node in content["nodes"].items() if "switches" in node),
            plasticity=dict(content.get("plasticity", {})),
            plastic_nodes={name: dict(n["plasticity"]) for name, n in content["nodes"].items() if n.get("plasticity")},
            calibration=str(content.get("calibration", "")),
            ranges={name: _ranges(n["ranges"]) for name, n in content["nodes"].items() if "ranges" in n},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise InputError(f"the metadata '{KEY}' are damaged: {type(error).__name__} {error}") from None


def _as_text(table: Array) -> dict[str, Any]:
    """Return a table int8 (tokens, lines) as its shape and the base64 of its bytes, row after row."""
    return {"shape": list(table.shape), "int8": b64encode(np.ascontiguousarray(table).tobytes()).decode()}


def _table(plain: dict[str, Any]) -> Array:
    table = np.frombuffer(b64decode(plain["int8"], validate=True), np.int8).reshape([int(n) for n in plain["shape"]])
    if fault := table_fault(table):
        raise ValueError(fault)
    return table


def _encoder(plain: dict[str, Any]) -> Encoder:
    if plain["kind"] == "table":
        return Encoder.of_table(_table(plain["table"]))
    reads_raw = plain.get("reads_raw") is True
    return Encoder(str(plain["kind"]), _vector(plain["gain"]), _vector(plain["offset"]), reads_raw=reads_raw)


def _dialect(content: dict[str, Any]) -> Dialect:
    said = {"integrator": INTEGRATORS[content["integrator"]]}
    if "rec_first" in content:
        said["rec_first"] = content["rec_first"]
    return Dialect(said, dict.fromkeys(said, "the file"))


def _describe_node(graph: FloatGraph, name: str, node: Node) -> dict[str, Any]:
    plastic = graph.extra.get("plastic_nodes", {}).get(name, {})
    about: dict[str, Any] = {"kind": node.kind, "quantisation": {}, "plasticity": plastic}
    if isinstance(node, LIF):
        about |= {"spike": "v > v_threshold", "reset": "hard, to 0, same step", "v_initial": 0.0}
    if isinstance(node, Cuba):
        about |= {
            "switches": {name: getattr(node, name) for name in ("reset", "reset_when", "compare", "counts", "lag")}
        }
        about |= {
            "v_initial": node.v_start.tolist(),
            "v_floor": [v if v > -inf else None for v in node.v_floor.tolist()],
        }
    if ranges := ranges_of(node):
        about["ranges"] = ranges
    if isinstance(node, Scan):
        inputs = {port: sorted({edge.source for edge in graph.into(name) if edge.port == port}) for port in node.ports}
        about["product"] = {**_PRODUCT, "inputs": inputs, "surrogate": _SURROGATE}
    return about


def _ranges(values: Any) -> Ranges:
    ranges = {str(name): float(largest) for name, largest in values.items()}
    if not all(0 <= largest < inf for largest in ranges.values()):
        raise ValueError("the range of a node is a finite number, 0 or more")
    return ranges


def _vector(values: Any) -> Any:
    vector = np.array(values, dtype=np.float64)
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError("the encoder's gain and offset are lists of finite numbers")
    return vector

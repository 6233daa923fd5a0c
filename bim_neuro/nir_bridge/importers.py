"""Importers that read our .nir: where they disagree, and what of a graph each cannot play.

NIR's equations alone do not decide how a file must be written: snnTorch's importer steps by 1e-4 s whatever a file
says, norse's takes every r of a LIF for 1, and none knows a Scale. `write_nir(..., importer="norse")` writes what that
one plays as we do; what it cannot play at all is a finding, not a refusal: our own reader still takes the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import arguments
from ..choices import IMPORTERS
from ..errors import Finding
from ..graph import FloatGraph
from ..nodes import Cuba
from ..nodes.node import Node
from .written_loops import beginning_late, is_constant

_WEIGHTS = ("Input", "Output", "Affine", "Linear", "Conv2d", "Flatten")
_SPIKING = ("LIF", "CubaLIF")


@dataclass(frozen=True)
class Importer:
    """What one importer makes of a file; ``dt`` is its step where it has one of its own."""

    name: str
    version: str
    types: frozenset[str]
    dt: float | None = None
    folds: bool = True  # whether a LIF is written with r = 1, and else with r = tau / dt, which scales no weight
    fires_at: str = ">"  # how it compares a voltage with the threshold
    scales: bool = False  # whether it knows Scale
    plays_if: bool = True  # whether an IF comes out as one
    own_loops: bool = True  # whether neurons and weights that read each other are left to the graph's own edges
    memoryless: bool = True  # whether a LIF may forget all in a step
    uniform: frozenset[str] = frozenset()  # fields of neurons that are one number a layer
    at_zero: frozenset[str] = frozenset()  # fields of neurons that must be 0
    starts_at_leak: bool = False  # whether v_leak is the first voltage too
    joins: bool = True  # whether a node may read several that do not read it
    switches: bool = False  # whether it may be told of other resets

    def knows(self, kind: str) -> bool:
        """Whether it takes a type of node."""
        return kind in self.types or not self.types


def _importer(name: str, version: str, *types: str, **law: Any) -> Importer:
    return Importer(name, version, frozenset(types), **law)


_KNOWN = (
    _importer(
        "norse", "norse 1.1.0", *_WEIGHTS, *_SPIKING, "IF", "SumPool2d",
        joins=False, starts_at_leak=True, at_zero=frozenset({"v_leak", "v_reset"}),
    ),
    _importer(
        "snntorch", "snntorch 1.0.0", *_WEIGHTS, *_SPIKING, "AvgPool2d",
        dt=1e-4, folds=False, plays_if=False, own_loops=False, uniform=frozenset({"v_threshold"}),
        at_zero=frozenset({"v_leak", "v_reset"}),
    ),
    _importer(
        "spikingjelly", "spikingjelly 2.0.0", *_WEIGHTS, *_SPIKING, "IF", "AvgPool2d", "Conv1d",
        folds=False, fires_at=">=", memoryless=False,
        uniform=frozenset({"v_threshold", "v_reset", "tau", "tau_mem", "tau_syn"}),
        at_zero=frozenset({"v_leak", "v_reset"}),
    ),
    _importer(
        "nir104", "nir 1.0.4", *_WEIGHTS, *_SPIKING, "IF", "LI", "I", "Scale", "Delay", "Threshold",
        scales=True, at_zero=frozenset({"v_reset"}), switches=True,
    ),
)  # fmt: skip
PLAIN = Importer("", "nir 1.0.8", frozenset(), scales=True, switches=True)
"""NIR's equations, written for nobody in particular."""


def importer_of(name: str | None) -> Importer:
    """Return the importer of a name, `PLAIN` for None."""
    if name is None:
        return PLAIN
    arguments.choice(name, IMPORTERS, "importer")
    return next(importer for importer in _KNOWN if importer.name == name)


def unplayable(graph: FloatGraph, standard: Any, importer: Importer) -> tuple[Finding, ...]:
    """Return a warning for every node of ``standard``, a nir.NIRGraph, that an importer does not play as we do."""
    if importer is PLAIN:
        return ()
    said = [*_of_nodes(graph, standard.nodes, importer), *_of_switches(graph, importer), *_of_constants(graph)]
    said += [] if importer.joins else _of_joins(standard.edges)
    hint = "model.nir is complete for bim-compile and for other importers"
    rule, severity = "nir-importer", "warning"
    return tuple(
        Finding(rule, name, f"{importer.version}: {what}", hint=hint, severity=severity) for name, what in said
    )


def _of_nodes(graph: FloatGraph, nodes: dict[str, Any], importer: Importer) -> Iterator[tuple[str, str]]:
    for name, node in nodes.items():
        kind = type(node).__name__
        if not importer.knows(kind):
            yield name, f"its importer does not know node '{name}' ({kind})"
            continue
        if kind == "Conv2d" and (shape := node.weight.shape[2:])[0] != shape[1]:
            yield name, f"nir reads square kernels only, node '{name}' (Conv2d) has {shape[0]} x {shape[1]}"
        for field in sorted(importer.uniform):
            values = np.asarray(getattr(node, field, 0.0))
            if np.ptp(values):
                ends = f"{values.min():.4g} to {values.max():.4g}"
                yield name, f"its importer takes one {field} a layer, node '{name}' ({kind}) has {ends}"
        for field in sorted(importer.at_zero):
            values = np.asarray(getattr(node, field, 0.0))
            if values.any() and not (field == "v_leak" and _starts_there(graph.nodes.get(name), node, importer)):
                yield (
                    name,
                    f"its importer plays {field} = 0, node '{name}' ({kind}) has up to {np.abs(values).max():.4g}",
                )


def _starts_there(ours: Node | None, node: Any, importer: Importer) -> bool:
    """Whether a LIF has its v_leak for the first voltage, as the importer takes it."""
    if not importer.starts_at_leak or not isinstance(ours, Cuba) or ours.current_decay.any():
        return False
    return np.array_equal(np.ravel(node.v_leak), np.asarray(ours.v_start, np.float32))


def _of_switches(graph: FloatGraph, importer: Importer) -> Iterator[tuple[str, str]]:
    """Name the nodes whose spikes, resets or starts NIR's neurons do not have."""
    plain = {"reset": "value", "lag": False}
    for name, node in graph.nodes.items():
        if importer.switches or not isinstance(node, Cuba) or node.counts == "none":
            continue
        said = [f"{field} {getattr(node, field)}" for field, value in plain.items() if getattr(node, field) != value]
        said += ["reset_when after"] if node.reset_when == "after" else []  # 'next' is 'same' in another word
        said += ["counts many"] if node.counts == "many" else []
        said += ["a floor"] if np.isfinite(node.v_floor).any() else []
        elsewhere = node.v_start.any() and (node.v_start != node.v_reset).any()
        said += ["a start other than 0"] if elsewhere and not importer.starts_at_leak else []
        if said:
            yield (
                name,
                f"its importer resets a neuron to 0 in the step of its spike, layer '{name}' has {', '.join(said)}",
            )


def _of_constants(graph: FloatGraph) -> Iterator[tuple[str, str]]:
    """Name the layers that a constant reaches late, with no loop whose weights could hold it."""
    held = {id(edge) for edge in beginning_late(graph)}
    for edge in graph.edges:
        if edge.delay and is_constant(graph, edge.source) and id(edge) not in held:
            yield (
                edge.target,
                f"a constant reaches layer '{edge.target}' {edge.delay} steps late, a file holds it at once",
            )


def _of_joins(edges: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Name the nodes that an importer plays as soon as it comes to one of those they read, before the others."""
    after: dict[str, set[str]] = {}
    before: dict[str, set[str]] = {}
    for start, end in edges:
        after.setdefault(start, set()).add(end)
        before.setdefault(end, set()).add(start)
    for name, read in before.items():
        reached: set[str] = set()
        ahead = [name]
        while ahead:
            new = after.get(ahead.pop(), set()) - reached
            reached |= new
            ahead += new
        if len(first := sorted(read - reached)) > 1:
            yield name, f"its importer plays node '{name}' before it has played all of {', '.join(first)}"

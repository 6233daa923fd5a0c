"""Structure checks of a NIR graph, all at once: supported nodes, no loop, matching widths, delays in whole steps.

Only widths are computed: the output of a node is as wide as its weights have rows, or as its input.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from math import prod

import numpy as np

from ..errors import Finding
from .hdf5 import NirGraph, NirNode
from .integrator import Integrator
from .support import FIELDS, lines_read, unsupported

MAX_AXES = 32
MAX_DELAY_STEPS = 2**31
MOST_LOOPS = 20
"""Most loops that are listed."""
_TIMES = ("tau", "tau_mem", "tau_syn")


def misfits(nir: NirGraph, dt: float | None, integrator: Integrator) -> list[Finding]:
    """List everything that a float graph cannot hold; without ``dt``, times are not checked."""
    order, loops = sources_first(nir)
    return [*unsupported(nir), *loops, *_Walk(nir, dt, integrator).findings(order)]


def sources_first(nir: NirGraph) -> tuple[list[str], list[Finding]]:
    """Return the nodes so that every edge but those that close a loop points forward, and a finding a loop."""
    before = dict(sorted(nir.before().items()))
    findings: list[Finding] = []
    order, loop = _sorted(before)
    while loop and len(findings) < MOST_LOOPS:
        for start, end in (loop[:2], loop[1::-1]):
            before[end] = [name for name in before[end] if name != start]
        said = f"the graph has a loop, {' -> '.join(reversed(loop))}"
        findings.append(Finding("loop", loop[0], said, hint="recurrent edges are not supported yet"))
        order, loop = _sorted(before)
    return order, findings


def _sorted(before: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """Return the nodes sources first, or else none and a loop."""
    try:
        return list(TopologicalSorter(before).static_order()), []
    except CycleError as error:
        return [], list(error.args[1])


def input_lines(nir: NirGraph, source: str) -> tuple[int, list[int], bool]:
    """Return how many lines the input has, its shape, and whether the shape counts batch or time as well.

    Leading axes that no reading node expects are batch and time.
    """
    shape = [int(size) for size in nir.nodes[source].fields.get("shape", np.empty(0)).ravel()[:MAX_AXES]]
    width = prod(shape) if shape else 0
    wanted = {_lines(nir.nodes[target]) for start, target in nir.edges if start == source} - {0}
    if len(wanted) == 1 and width not in wanted and (not shape or shape[-1] in wanted):
        return wanted.pop(), shape, bool(shape)
    return width, shape, False


def _lines(node: NirNode) -> int:
    """Return how many values a node reads, 0 if its fields or its type do not tell."""
    weight = node.fields.get("weight")
    if node.type not in FIELDS or (weight is not None and weight.ndim != 2):
        return 0
    return lines_read(node)


class _Walk:
    """Visit nodes, sources first, with the width of each output; None if unknown."""

    def __init__(self, nir: NirGraph, dt: float | None, integrator: Integrator) -> None:
        self.nir, self.dt, self.integrator = nir, dt, integrator
        self.widths: dict[str, int | None] = {}
        self.before = nir.before()

    def findings(self, order: list[str]) -> Iterator[Finding]:
        for kind in ("Input", "Output"):
            found = [name for name, node in self.nir.nodes.items() if node.type == kind]
            if len(found) != 1:
                said = f"the graph needs exactly one {kind} node, it has {len(found)}: {', '.join(found) or 'none'}"
                yield Finding("one-input" if kind == "Input" else "one-output", kind, said, len(found), 1)
        for name in order:
            node = self.nir.nodes[name]
            if node.type == "Input":
                yield from self._input(name)
            else:
                yield from self._wires(name)
                yield from self._node(name, node)

    def _input(self, name: str) -> Iterator[Finding]:
        width, shape, _ = input_lines(self.nir, name)
        self.widths[name] = width if width > 0 else None
        if width < 1:
            yield Finding("shape", name, f"the input '{name}' has shape {shape}, which gives no lines", width, 1)

    def _wires(self, name: str) -> Iterator[Finding]:
        """Check the inputs of a node, and take their width as that of the node for now."""
        who, starts = f"node '{name}' ({self.nir.nodes[name].type})", self.before[name]
        if not starts:
            yield Finding("no-input", name, f"{who} has no input")
        known = [(start, width) for start in starts if (width := self.widths.get(start)) is not None]
        self.widths[name] = known[0][1] if known else None
        for start, width in known[1:]:
            if width != known[0][1]:
                said = f"{who} adds {known[0][1]} values of '{known[0][0]}' and {width} of '{start}'"
                yield Finding("shape", name, said, width, known[0][1])

    def _node(self, name: str, node: NirNode) -> Iterator[Finding]:
        width = self.widths[name]
        if node.type in ("Linear", "Affine"):
            weight = node.fields["weight"]
            if weight.ndim != 2:
                self.widths[name] = None  # `unsupported` has said so
                return
            rows, columns = weight.shape
            if width not in (None, columns):
                said = f"node '{name}' ({node.type}) takes {columns} values, it receives {width}"
                yield Finding("shape", name, said, width, columns)
            self.widths[name] = width = rows
        if node.type not in FIELDS:
            self.widths[name] = None
            return
        yield from self._fields(name, node, width)
        if self.dt is not None:
            yield from self._times(name, node, self.dt)

    def _fields(self, name: str, node: NirNode, width: int | None) -> Iterator[Finding]:
        read = [key for key in FIELDS[node.type] if key in node.fields and key not in ("weight", "v_reset")]
        sizes = {key: node.fields[key].size for key in read if node.fields[key].size not in (1, width)}
        if width is not None and sizes:
            size = next(iter(sizes.values()))
            alike = [key for key in sizes if sizes[key] == size]
            said = f"{', '.join(alike)} {'has' if len(alike) == 1 else 'have'} {size} values"
            yield Finding("shape", name, f"node '{name}' ({node.type}): {said}, its input has {width}", size, width)
        if width is None:
            self.widths[name] = _lines(node) or None

    def _times(self, name: str, node: NirNode, dt: float) -> Iterator[Finding]:
        for key in _TIMES:
            if key not in FIELDS[node.type]:
                continue
            tau = float(node.fields[key].ravel()[0])
            if tau <= 0:
                said = f"node '{name}' has {key} = {tau:g} s, a time constant is positive"
                yield Finding("time-constant", name, said, tau, 0)
            elif self.integrator.decay(tau / dt) < 0:
                said = f"dt = {dt:g} s is longer than {key} = {tau:.4g} s of node '{name}'"
                yield Finding("time-constant", name, said, dt, tau, "give the --dt the model was trained with")
        if node.type == "Delay":
            seconds = node.fields["delay"].astype(np.float64).ravel()
            steps = np.rint(seconds / dt)
            off = np.abs(steps * dt - seconds)
            wrong = seconds[(off > 1e-3 * dt) | (steps < 0) | (steps > MAX_DELAY_STEPS)]
            if wrong.size:
                said = f"node '{name}' delays by {wrong[0]:.4g} s, not a whole number of steps of {dt:g} s"
                yield Finding("delay", name, said, float(wrong[0]), dt, "check --dt")

"""Structure checks of a NIR graph, all at once: supported nodes, loops of one layer, matching widths, whole delays.

Nothing is computed but shapes: what a node would send is as wide as its weights have rows, or shaped as what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from ..errors import Finding
from .dialect import Dialect
from .discretise import decays
from .grids import CONVS, ON_GRIDS, Shape, misfits_on_grid, shape_after
from .hdf5 import NirGraph, NirNode
from .loops import Order, Wire, sources_first
from .support import FIELDS, fits, lines_read, unsupported

MAX_AXES = 32
MAX_DELAY_STEPS = 62
"""What the delay counters of a chip hold beyond the hop: `compilers.align`."""
_TIMES = ("tau", "tau_mem", "tau_syn")


def misfits(nir: NirGraph, dt: float | None, dialect: Dialect) -> list[Finding]:
    """List everything that a float graph cannot hold; without ``dt``, times are not checked."""
    order = sources_first(nir)
    return [*unsupported(nir), *order.findings, *_Walk(nir, dt, dialect).findings(order)]


def shapes(nir: NirGraph, order: Order) -> dict[str, Shape]:
    """Return the shape of what each node of a sound graph sends, as (channels, rows, columns) where there is a grid."""
    walk = _Walk(nir, None, Dialect())
    list(walk.findings(order))
    return {name: shape for name, shape in walk.shapes.items() if shape is not None}


def input_lines(nir: NirGraph, source: str) -> tuple[Shape, list[int], bool]:
    """Return the shape of the input, the one that the file says, and whether that counts batch or time as well.

    Leading axes that no reading node expects are batch and time.
    """
    said = [int(size) for size in nir.nodes[source].fields.get("shape", np.empty(0)).ravel()[:MAX_AXES]]
    readers = [nir.nodes[target] for start, target in nir.edges if start == source]
    axes = {CONVS.get(node.type, 2) + 1 for node in readers if node.type in ON_GRIDS}
    if len(axes) == 1 and len(said) > min(axes):
        return tuple(said[-min(axes) :]), said, prod(said[: -min(axes)]) != 1
    width = prod(said) if said else 0
    wanted = {_lines(node) for node in readers} - {0}
    if len(wanted) == 1 and width not in wanted and (not said or said[-1] in wanted):
        return (wanted.pop(),), said, bool(said)
    return tuple(said), said, False


def _lines(node: NirNode) -> int:
    """Return how many values a node reads, 0 if its fields or its type do not tell."""
    weight = node.fields.get("weight")
    if node.type not in FIELDS or node.type in ON_GRIDS or (weight is not None and weight.ndim != 2):
        return 0
    return lines_read(node)


class _Walk:
    """From node to node, sources first, with the shape of what each sends; None where nobody can know."""

    def __init__(self, nir: NirGraph, dt: float | None, dialect: Dialect) -> None:
        self.nir, self.dt, self.dialect = nir, dt, dialect
        self.shapes: dict[str, Shape | None] = {}
        self.before = nir.before()
        self.closing: frozenset[Wire] = frozenset()

    def findings(self, order: Order) -> Iterator[Finding]:
        self.closing = order.closing
        if order.closing:  # a layer may be as wide as what comes back to it, which is known at the end
            list(self._walked(order))
        yield from self._walked(order)

    def _walked(self, order: Order) -> Iterator[Finding]:
        for kind in ("Input", "Output"):
            found = [name for name, node in self.nir.nodes.items() if node.type == kind]
            if len(found) != 1:
                said = f"the graph needs exactly one {kind} node, it has {len(found)}: {', '.join(found) or 'none'}"
                yield Finding("one-input" if kind == "Input" else "one-output", kind, said, len(found), 1)
        for name in order.nodes:
            node = self.nir.nodes[name]
            if node.type == "Input":
                yield from self._input(name)
            else:
                yield from self._wires(name)
                yield from self._node(name, node)
        for start, end in sorted(order.closing):
            yield from self._closes(start, end)

    def _input(self, name: str) -> Iterator[Finding]:
        shape, said, _ = input_lines(self.nir, name)
        width = prod(shape) if min(shape, default=0) > 0 else 0
        self.shapes[name] = shape if width > 0 else None
        if width < 1:
            yield Finding("shape", name, f"the input '{name}' has shape {said}, which gives no lines", width, 1)

    def _wires(self, name: str) -> Iterator[Finding]:
        """Look at what a node reads, and keep its shape for the moment as that of the node."""
        who, starts = f"node '{name}' ({self.nir.nodes[name].type})", self.before[name]
        if not starts:
            yield Finding("no-input", name, f"{who} has no input")
        forward = [start for start in starts if (start, name) not in self.closing]  # `_closes` looks at the others
        known = [(start, shape) for start in forward if (shape := self.shapes.get(start)) is not None]
        self.shapes[name] = max((shape for _, shape in known), key=len, default=None)  # a grid, where one is known
        for start, shape in known[1:]:
            if (width := prod(shape)) != (first := prod(known[0][1])):
                said = f"{who} adds {first} values of '{known[0][0]}' and {width} of '{start}'"
                yield Finding("shape", name, said, width, first)

    def _closes(self, start: str, end: str) -> Iterator[Finding]:
        """Look at a wire that closes a loop, when both ends are known."""
        sent, neurons = self.shapes[start], self.shapes[end]
        if sent is not None and neurons is not None and prod(sent) != prod(neurons):
            said = f"node '{end}' ({self.nir.nodes[end].type}) has {prod(neurons)} neurons, {prod(sent)} values of "
            yield Finding("shape", end, f"{said}'{start}' come back to it", prod(sent), prod(neurons))

    def _come_back(self, name: str) -> Shape | None:
        """Return the shape of what comes back to a layer, if it is known from an earlier walk."""
        shapes = [self.shapes.get(start) for start, end in sorted(self.closing) if end == name]
        return next((shape for shape in shapes if shape is not None), None)

    def _node(self, name: str, node: NirNode) -> Iterator[Finding]:
        if node.type not in FIELDS:
            self.shapes[name] = None
        elif node.type in ON_GRIDS:
            yield from self._on_grid(name, node)
        elif node.type == "Output":
            yield from self._output(name, node, self.shapes[name])
        elif node.type in ("Linear", "Affine"):
            yield from self._matrix(name, node)
        else:
            yield from self._fields(name, node, self.shapes[name])
            yield from self._thresholds(name, node)
            if self.dt is not None:
                yield from self._times(name, node, self.dt)

    def _output(self, name: str, node: NirNode, shape: Shape | None) -> Iterator[Finding]:
        """Look at the shape that the file says of its output; leading axes may count batch and time."""
        said = [int(size) for size in node.fields.get("shape", np.empty(0)).ravel()[:MAX_AXES]]
        if shape is not None and said and prod(shape) not in {prod(said[axis:]) for axis in range(len(said))}:
            wanted = f"the output '{name}' has shape {said}, the graph sends it {prod(shape)} values"
            yield Finding("shape", name, wanted, prod(said), prod(shape))

    def _thresholds(self, name: str, node: NirNode) -> Iterator[Finding]:
        """Look for thresholds of which no voltage is a multiple, where a neuron fires as often as they fit in."""
        threshold = node.fields.get("v_threshold", np.ones(1))
        if (
            self.dialect.of(name, node.type)["counts"] == "many"
            and threshold.size
            and (lowest := float(threshold.min())) <= 0
        ):
            said = f"node '{name}' ({node.type}) has v_threshold {lowest:g}, counts = many needs more than 0"
            yield Finding("threshold", name, said, lowest, 0, "choose dialect.counts=one, or another threshold")

    def _on_grid(self, name: str, node: NirNode) -> Iterator[Finding]:
        read, self.shapes[name] = self.shapes[name], None
        found = list(misfits_on_grid(name, node, read))
        yield from found
        if read is not None and not found:
            self.shapes[name] = shape_after(node, read)

    def _matrix(self, name: str, node: NirNode) -> Iterator[Finding]:
        read, weight = self.shapes[name], node.fields["weight"]
        if weight.ndim != 2:
            self.shapes[name] = None  # `unsupported` has said so
            return
        rows, columns = weight.shape
        if read is not None and prod(read) != columns:
            said = f"node '{name}' ({node.type}) takes {columns} values, it receives {prod(read)}"
            yield Finding("shape", name, said, prod(read), columns)
        self.shapes[name] = (rows,)
        yield from self._fields(name, node, (rows,))

    def _fields(self, name: str, node: NirNode, shape: Shape | None) -> Iterator[Finding]:
        read = [key for key in FIELDS[node.type] if key in node.fields and key != "weight"]
        if shape is None:
            self.shapes[name] = shape = (lines,) if (lines := _lines(node)) else self._come_back(name)
            yield from _mixed(name, node, read)
            if shape is None and all((start, name) in self.closing for start in self.before[name]):
                said = f"nothing says how many neurons node '{name}' ({node.type}) has: it reads only itself"
                yield Finding("shape", name, said, hint="write a value a neuron for each parameter")
            return
        sizes = {key: node.fields[key].size for key in read if not fits(node.fields[key], shape)}
        if sizes:
            size, width = next(iter(sizes.values())), prod(shape)
            alike = [key for key in sizes if sizes[key] == size]
            said = f"{', '.join(alike)} {'has' if len(alike) == 1 else 'have'} {size} values"
            yield Finding("shape", name, f"node '{name}' ({node.type}): {said}, its input has {width}", size, width)

    def _times(self, name: str, node: NirNode, dt: float) -> Iterator[Finding]:
        for key in _TIMES:
            if key not in FIELDS[node.type]:
                continue
            times = node.fields[key].astype(np.float64).ravel()
            tau = float(times.min())
            if tau <= 0:
                said = f"node '{name}' has {key} = {tau:g} s, a time constant is positive"
                yield Finding("time-constant", name, said, tau, 0)
            elif decays(times, dt, self.dialect.of(name, node.type)).min() < 0:
                said = f"dt = {dt:g} s is longer than {key} = {tau:.4g} s of node '{name}'"
                yield Finding("time-constant", name, said, dt, tau, "give the --dt the model was trained with")
        if node.type == "Delay":
            seconds = node.fields["delay"].astype(np.float64).ravel()
            steps = np.rint(seconds / dt)
            off = np.abs(steps * dt - seconds)
            wrong = seconds[(off > 1e-3 * dt) | (steps < 0)]
            if not wrong.size and steps.max(initial=0) > MAX_DELAY_STEPS:
                most = float(steps.max())
                said = f"node '{name}' delays by {most:.6g} steps, {MAX_DELAY_STEPS} are allowed"
                yield Finding("delay", name, said, most, MAX_DELAY_STEPS, "check --dt, or delay in several layers")
            if wrong.size:
                said = f"node '{name}' delays by {wrong[0]:.4g} s, not a whole number of steps of {dt:g} s"
                yield Finding("delay", name, said, float(wrong[0]), dt, "check --dt")


def _mixed(name: str, node: NirNode, keys: list[str]) -> Iterator[Finding]:
    """Look at parameters of one neuron that are not as many, where nothing else says how many there are."""
    sizes = {key: node.fields[key].size for key in keys if node.fields[key].size > 1}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{key} has {size} values" for key, size in sizes.items())
        least, most = min(sizes.values()), max(sizes.values())
        yield Finding("shape", name, f"node '{name}' ({node.type}): {said}; each neuron needs one of each", least, most)

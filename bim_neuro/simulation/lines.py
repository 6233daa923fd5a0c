"""Lines: input as the kernels read it, listed once: which lines speak in a step, and what they say.

A run lists what it is given, some samples or `SPAN` steps at a time. Who plays the same input often, over thresholds,
seeds or threads, lists it once:

    events = InputEvents.of(program.graph, program.encode(raw))
    for graph in others:
        Engine(graph).run(events)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..graph import IntegerGraph
from ..nodes.arithmetic import Array
from .forms import LINE_MAX
from .kernels import Listed, list_lines
from .plan import zeros
from .reference import check_input


@dataclass(frozen=True)
class InputEvents:
    """Encoded input of (samples, steps, lines), listed: 4 bytes a spike, a byte a graded line, and 8 a step."""

    shape: tuple[int, int, int]
    graded: bool
    lines: Listed

    @classmethod
    def of(cls, graph: IntegerGraph, x: Array) -> InputEvents:
        """List encoded input for the source of a graph; what its lines cannot carry is refused."""
        check_input(graph, x)
        samples, steps, lines = x.shape
        return cls((samples, steps, lines), is_graded(graph), listed(graph, x))

    def __len__(self) -> int:
        return self.shape[0]

    def check(self, graph: IntegerGraph) -> None:
        """Refuse a graph whose source has other lines."""
        wanted = graph.nodes[graph.source].neurons, is_graded(graph)
        if (self.shape[2], self.graded) != wanted:
            have, want = (f"{n} {'graded' if g else 'spike'} lines" for n, g in ((self.shape[2], self.graded), wanted))
            raise InputError(f"input is listed for {have}, the model has {want}", "InputEvents.of(graph, x)")


Input = Array | InputEvents


def is_graded(graph: IntegerGraph) -> bool:
    """Whether the lines of a graph's source carry values."""
    return graph.nodes[graph.source].message_bits > 1


def cut(graph: IntegerGraph, x: Input, samples: slice, steps: slice) -> Listed:
    """Return the lines of some samples and steps; what is listed already is not read again."""
    if not isinstance(x, InputEvents):
        return listed(graph, x[samples, steps], steps.start)
    return _some(x.lines, samples)


def beginning(x: Input, steps: int) -> Input:
    """Return the first steps of the first sample."""
    if not isinstance(x, InputEvents):
        return x[:1, :steps]
    return replace(x, shape=(1, min(steps, x.shape[1]), x.shape[2]), lines=only(x.lines, 0))


def only(lines: Listed, sample: int) -> Listed:
    """Return the lines of one sample."""
    return _some(lines, slice(sample, sample + 1))


def _some(lines: Listed, samples: slice) -> Listed:
    values = lines.values[samples] if lines.values.shape[1] else lines.values
    return lines._replace(starts=lines.starts[samples], values=values)


def listed(graph: IntegerGraph, x: Array, first: int = 0) -> Listed:
    """List input (samples, steps, lines) whose first step is ``first``."""
    lines, graded = check_lines(graph, x), is_graded(graph)
    samples, steps, width = lines.shape
    starts = np.zeros((samples, steps + 1), np.int64)
    flags = zeros(width + -width % 8, np.uint8)
    # a list is written eight places at a time, those that count first: it needs room for one line more
    spoken = np.empty(0 if graded else np.count_nonzero(lines) + width, np.int32)
    list_lines(lines, graded, flags[:width], flags.view(np.uint64), starts, spoken)
    return Listed(starts, spoken, lines if graded else np.zeros((1, 0, width), np.int8), first)


def check_lines(graph: IntegerGraph, x: Array) -> Array:
    """Return input as int8; what the source's lines cannot carry is refused."""
    low, high = (-LINE_MAX, LINE_MAX - 1) if is_graded(graph) else (0, 1)
    if x.dtype == np.bool_:
        x = x.view(np.int8)
    if x.dtype.kind not in "iuf":
        raise InputError(f"input holds {x.dtype}, the engine wants integers")
    if x.size == 0:  # the last steps, which only wait for answers
        return np.zeros(x.shape, np.int8)
    smallest, largest = x.min(), x.max()
    if not (low <= smallest and largest <= high):
        kind = "graded lines carry" if is_graded(graph) else "spike lines carry"
        raise InputError(f"input runs from {smallest} to {largest}, {kind} {low} to {high}")
    lines = x.astype(np.int8, copy=False)
    if x.dtype.kind == "f" and not (lines == x).all():
        raise InputError(f"input holds {int((lines != x).sum())} values that are not whole numbers")
    return np.require(lines, requirements=["C", "W"])  # of read-only input the kernels would be compiled again

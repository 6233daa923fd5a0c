"""Judge: does a dialect give what was recorded of a layer whose inputs are what was recorded of the layers before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..graph import FloatGraph
from ..nir_bridge import ForeignFile
from ..nir_bridge.dialect import Dialect
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..simulation.beside import behind, simulate_beside
from ..simulation.narrow import narrow, narrowed
from ..simulation.ties import compared, fires
from .against import NO_TIES, values_of
from .recording import CURRENT, SENT, Recorded, Recording

RUNGS = ((2, 8), (8, 32))
"""Samples and steps on which a dialect is tried before it is on all: most fail at once."""


@dataclass(frozen=True)
class Portion:
    """Samples and steps of a recording; steps before the first are played and not judged."""

    samples: slice
    first_step: int
    steps: int


class End(NamedTuple):
    """A recorded layer in a graph: its name there, the neurons ``inside``, which recorded messages they read, and what
    was recorded of it."""

    name: str
    inside: tuple[str, ...]
    forced: frozenset[str]
    messages: Mapping[str, Array]
    arrays: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Judge:
    """A file's network beside a recording of it on input ``x`` (samples, steps, channels).

    ``output`` is what the output is called in the recording; a dialect may end the graph in another node.
    """

    file: ForeignFile
    recording: Recording
    x: Array
    output: str
    bits: int = 64
    _ends: dict[int, dict[str, End]] = field(default_factory=dict)
    _narrow: dict[int, FloatGraph] = field(default_factory=dict)

    @property
    def halves(self) -> tuple[Portion, Portion]:
        """The half that is searched, and that which confirms: of the samples that every layer has, or of the steps."""
        samples, steps = min(map(len, (self.x, *self.recording.arrays.values()))), self.x.shape[1]
        if samples > 1:
            return Portion(slice(0, samples // 2), 0, steps), Portion(slice(samples // 2, samples), 0, steps)
        return Portion(slice(0, 1), 0, max(1, steps // 2)), Portion(slice(0, 1), steps // 2, steps)

    def layers(self) -> dict[str, tuple[str, ...]]:
        """Return for each recorded layer the neurons between it and the recorded layers before it, itself included."""
        return {layer: end.inside for layer, end in self._ends_in(self.file.unfolded(Dialect()).graph).items()}

    def holds(self, dialect: Dialect, layer: str, part: Portion) -> bool:
        """Whether no bin of a recorded layer differs, ties left out."""
        graph = self.file.unfolded(dialect).graph
        end = self._ends_in(graph).get(layer)
        if end is None:
            return False
        nodes: dict[str, Node] = {name: self.file.node_of(name, dialect) for name in end.inside}
        if self.bits == 32:
            if id(graph) not in self._narrow:
                self._narrow[id(graph)] = narrowed(graph)
            graph, nodes = self._narrow[id(graph)], {name: narrow(node) for name, node in nodes.items()}
        return all(self._equal(graph, nodes, dialect, end, rung) for rung in _rungs(part))

    def _equal(self, graph: FloatGraph, nodes: Mapping[str, Node], dialect: Dialect, end: End, part: Portion) -> bool:
        held = min(len(array) for array in (*end.arrays.values(), *(end.messages[name] for name in end.forced)))
        samples = slice(part.samples.start, min(part.samples.stop, held))
        if samples.start >= samples.stop:
            return True
        recorded = {name: array[samples].astype(np.float64) for name, array in end.messages.items()}
        played = simulate_beside(
            graph, self.x[samples, : part.steps], recorded, [end.name], forced=end.forced, nodes=nodes,
            dtype=np.float32 if self.bits == 32 else np.float64,
        )  # fmt: skip
        got, node, ties = played.probe(end.name), nodes.get(end.name, graph.nodes[end.name]), played.ties(end.name)
        ties = ties[ties[:, 1] >= part.first_step] - [0, part.first_step, 0]
        units = {} if end.name not in nodes else {end.name: self.file.units_of(end.name, dialect)}
        for what, array in end.arrays.items():
            ours = values_of(node, Recorded(end.name, what), got, units, self.recording)[:, part.first_step :]
            theirs = array[samples, part.first_step : part.steps]
            if ours.shape != theirs.shape:
                return False
            exact, near = what == SENT and fires(node), NO_TIES if what == CURRENT else ties
            if compared(end.name, ours, theirs, near, exact=exact).differ:
                return False
        return True

    def _ends_in(self, graph: FloatGraph) -> dict[str, End]:
        """Return the recorded layers as a graph has them; one that it lacks is left out."""
        if id(graph) not in self._ends:
            names = {layer: self._name(graph, layer) for layer, _ in self.recording.arrays}
            sent = {names[layer]: array for (layer, what), array in self.recording.arrays.items() if what == SENT}
            self._ends[id(graph)] = {
                layer: self._end(graph, layer, name, sent) for layer, name in names.items() if name in graph.nodes
            }
        return self._ends[id(graph)]

    def _end(self, graph: FloatGraph, layer: str, name: str, sent: Mapping[str, Array]) -> End:
        needed = behind(graph, name, sent)
        loops = any(edge.source == name for edge in graph.recurrent)
        forced = frozenset(other for other in sent if other in needed and (other != name or loops))
        inside = tuple(other for other in self.file.neurons if other in needed and (other == name or other not in sent))
        arrays = {place.what: array for place, array in self.recording.arrays.items() if place.layer == layer}
        return End(name, inside, forced, {other: sent[other] for other in sent if other in needed}, arrays)

    def _name(self, graph: FloatGraph, layer: str) -> str:
        return graph.output if layer == self.output else layer


def _rungs(part: Portion) -> Iterator[Portion]:
    start, stop = part.samples.start, part.samples.stop
    if part.first_step == 0:
        for samples, steps in RUNGS:
            if steps < part.steps or start + samples < stop:
                yield Portion(slice(start, min(start + samples, stop)), 0, min(steps, part.steps))
    yield part

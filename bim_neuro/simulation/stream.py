"""Stream: a graph that runs for ever, one step a call, for closed loops with the world.

stream = Stream(graph)
for events in sensor:
    act(stream.step(events))
"""

from __future__ import annotations

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import IntegerGraph
from ..nodes.arithmetic import Array
from ..record import LayerCount
from .crew import NO_SYNC
from .kernels import run
from .kernels.layout import (
    COUNTS,
    CUBA,
    KIND,
    LIF,
    MASK,
    MESSAGES,
    NARROW,
    NARROW_READOUT,
    PITCH,
    READOUT,
    SCAN,
    SPIKES,
    STATE,
    STATES,
    WIDE_LIF,
    WIDE_SCAN,
    WIDTH,
)
from .lines import listed
from .ready import with_units
from .tables import lay_out


class Stream:
    """One endless sample: no window closes and nothing is reset; the output answers `graph.latency` steps later.

    Memory does not grow with the steps; ``counts`` are totals since the beginning.
    """

    def __init__(self, graph: IntegerGraph) -> None:
        self.graph = arguments.instance(graph, IntegerGraph, "graph", "a program's is program.graph")
        self._plan = lay_out(graph, chunk=1)
        self._tables = with_units(self._plan, self._plan.tables, probed=False, shared=False)
        self.reset()

    def reset(self) -> None:
        """Begin again at rest."""
        self.steps = 0
        self._work = self._plan.work(columns=1)
        self._output = np.zeros((1, self.graph.nodes[self.graph.output].neurons), np.int64)

    def step(self, events: Array) -> Array:
        """Send one line of encoded input (channels,); return the output node's messages (neurons,) of this step."""
        channels = self.graph.nodes[self.graph.source].neurons
        line = arguments.array(events, f"step {self.steps}")
        if line.shape != (channels,):
            raise InputError(f"a step has shape {line.shape}, the model wants ({channels},)")
        if not np.isfinite(line).all():
            wrong = np.count_nonzero(~np.isfinite(line))
            raise InputError(f"step {self.steps} holds {wrong} values that are not finite")
        lines = listed(self.graph, line.reshape(1, 1, channels), self.steps)
        tables = self._tables
        self._output[:] = 0
        probes = np.zeros((1, 0), np.int64)
        times = (self.steps, self.steps + 1)
        run(
            tables,
            self._work,
            lines,
            self._output,
            probes,
            (0, len(tables.stages)),
            times,
            (0, 0, 0),
            1,
            (0, 1),
            NO_SYNC,
        )
        self.steps += 1
        return np.array(self._output[0])

    def message(self, name: str) -> Array:
        """Return what a node sent in the last step, (neurons,)."""
        node = self._plan.tables.nodes[self._place(name)]
        slot = (self.steps - 1) & node[MASK]
        start = node[MESSAGES] + slot * node[WIDTH]
        row: Array = self._work.messages[start : start + node[WIDTH]].astype(np.int64)
        if not node[SPIKES]:
            return row
        sent = np.zeros(node[WIDTH], np.int64)
        sent[row[: self._work.counts[node[COUNTS] + slot]]] = 1
        return sent

    def state(self, name: str) -> dict[str, Array]:
        """Return a node's state words by name, as its law names them."""
        node = self._plan.tables.nodes[self._place(name)]
        kind, width, states, start = node[KIND], node[WIDTH], node[STATES], node[STATE]
        pool = self._work.state32 if node[NARROW] else self._work.state64
        if kind in (LIF, WIDE_LIF):
            rows = pool[start : start + 2 * node[PITCH]].reshape(2, node[PITCH])[:, :width]
            u, v = rows.astype(np.int64)
            return {"u": u, "v": v}
        if kind == CUBA:
            return dict(zip("uvn", pool[start : start + 3 * width].reshape(3, width).copy(), strict=True))
        if kind in (READOUT, NARROW_READOUT):
            return {"v": pool[start : start + width].astype(np.int64)}
        if kind in (SCAN, WIDE_SCAN):
            rows = pool[start : start + states * node[PITCH]].reshape(states, node[PITCH])[:, :width]
            return {"h": rows.T.astype(np.int64)}
        return {}

    @property
    def counts(self) -> dict[str, LayerCount]:
        """Return what every layer did since the beginning."""
        return {name: LayerCount(*self._work.counters[self._place(name)].copy()) for name in self.graph.nodes}

    def _place(self, name: str) -> int:
        if name not in self.graph.nodes:
            raise InputError(f"there is no layer '{name}'", f"there are: {', '.join(self.graph.nodes)}")
        return self._plan.names.index(name)

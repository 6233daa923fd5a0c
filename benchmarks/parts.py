"""Parts: where the time of one graph goes, kernel by kernel, on the messages of a real run.

Every part takes the last two chunks of a run, one layer after the other, as the run does: a layer that played the same
steps again and again would find all its weights in the cache nearest to it, and every branch learned by heart.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation.crew import NO_SYNC
from bim_neuro.simulation.kernels import layout, run
from bim_neuro.simulation.lines import listed
from bim_neuro.simulation.ready import with_units
from bim_neuro.simulation.tables import CHUNK, lay_out

_calls: Any = importlib.import_module("bim_neuro.simulation.kernels.calls")
_loop: Any = numba.njit(_nrt=False, nogil=True)
ROUNDS = 15
CHUNKS = 2  # what is left of a run in its rings
REPEATS = 8  # a call from Python takes as long as some steps
STEPS = REPEATS * CHUNKS * CHUNK
NONE = -1  # instead of a kind

_lay_down, _call = _calls.lay_down, _calls.call
WIDTH, KIND, MASK, NARROW = layout.WIDTH, layout.KIND, layout.MASK, layout.NARROW
TOGETHER, SEND, COUNT, LAW, SOURCE = layout.TOGETHER, layout.SEND, layout.COUNT, layout.LAW, layout.SOURCE
GATHER, WIDE_GATHER = layout.GATHER, layout.WIDE_GATHER


@_loop  # type: ignore[untyped-decorator]
def _play_some(known: Any, start: int, kind: int) -> None:
    """Gather everywhere, and let the nodes of one kind step."""
    at, tables = _lay_down(known), known.tables
    for turn in range(REPEATS * CHUNKS):
        t0 = start + turn % CHUNKS * CHUNK
        for index in range(len(tables.nodes)):
            node = tables.nodes[index]
            if node[KIND] == SOURCE:
                continue
            way = tables.units[GATHER if node[NARROW] else WIDE_GATHER]
            for t in range(t0, t0 + CHUNK):
                row = (t - t0) % node[TOGETHER]
                if row == 0:
                    _call(way, at, (index, 0, node[WIDTH], t, min(t + node[TOGETHER], t0 + CHUNK), t, t0))
                if node[KIND] == kind:
                    _call(tables.units[LAW + kind], at, (index, t & node[MASK], row, 0, node[WIDTH]))


@_loop  # type: ignore[untyped-decorator]
def _send_lines(known: Any, start: int) -> None:
    at = _lay_down(known)
    for turn in range(REPEATS * CHUNKS):
        t0 = start + turn % CHUNKS * CHUNK
        _call(known.tables.units[SEND], at, (0, 0, t0, t0 + CHUNK, t0, 0, 1))


@_loop  # type: ignore[untyped-decorator]
def _count_all(known: Any, start: int) -> None:
    at = _lay_down(known)
    for turn in range(REPEATS * CHUNKS):
        t0 = start + turn % CHUNKS * CHUNK
        for index in range(1, len(known.tables.nodes)):
            _call(known.tables.units[COUNT], at, (index, t0, t0 + CHUNK))


def parts(graph: Any, x: Array) -> dict[str, float]:
    """Return microseconds a step of input, synapses, counters, and every kind of node; 'whole' is all in one run.

    x (samples, steps, lines) is played as one long sample, so that short ones fill a chunk too.
    """
    x = x.reshape(1, -1, x.shape[2])[:, : 16 * CHUNK]
    plan = lay_out(graph)
    steps, period = x.shape[1], graph.period(x.shape[1])
    work, probes, lines = plan.work(period), np.zeros((1, 0), np.int64), listed(graph, x)
    tables = with_units(plan, plan.tables, probed=False, shared=False)
    output, stages = np.zeros((1, graph.nodes[graph.output].neurons), np.int64), (0, len(tables.stages))
    where = (stages, (0, steps), (steps, period, period), CHUNK, (0, 1), NO_SYNC)

    def play() -> None:
        run(tables, work, lines, output, probes, *where)

    found = {"whole": best(play, steps)}
    known = layout.Call(tables, work, lines, output, probes, steps, period, period)
    start = steps // CHUNK * CHUNK - CHUNKS * CHUNK
    found["source"] = best(partial(_send_lines, known, start), STEPS)
    found["synapses"] = synapses = best(partial(_play_some, known, start, NONE), STEPS)
    found["counters"] = best(partial(_count_all, known, start), STEPS)
    kinds = {tables.nodes[place, KIND]: graph.nodes[name].kind for place, name in enumerate(plan.names) if place}
    for number, kind in kinds.items():
        both = best(partial(_play_some, known, start, number), STEPS)
        found[kind] = found.get(kind, 0.0) + both - synapses
    return found


def best(call: Callable[[], object], steps: int) -> float:
    """Return the best of several rounds in microseconds a step, processor time."""
    call()
    least = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        least = min(least, time.process_time() - start)
    return least / steps * 1e6

"""Parts: where the time of one graph goes, kernel by kernel, on the messages of a real run."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation.crew import NO_SYNC
from bim_neuro.simulation.kernels import layout, run
from bim_neuro.simulation.lines import listed
from bim_neuro.simulation.tables import CHUNK, lay_out

_layer: Any = importlib.import_module("bim_neuro.simulation.kernels.layer")
_synapses: Any = importlib.import_module("bim_neuro.simulation.kernels.synapses")
_loop: Any = numba.njit(_nrt=False, nogil=True)
ROUNDS = 15
REPEATS = 16  # a call from Python takes as long as some steps
STEPS = REPEATS * CHUNK

_gather, _count_operations = _synapses.gather, _synapses.count_operations
_law, _compact, _lists = _layer.law, _layer.compact, _layer.lists
WIDTH, MESSAGES, SPIKES = layout.WIDTH, layout.MESSAGES, layout.SPIKES
TOGETHER, SUM_WIDTH = layout.TOGETHER, layout.SUM_WIDTH


@_loop  # type: ignore[untyped-decorator]
def _all_synapses(tables: Any, work: Any, index: int, t0: int, t1: int) -> None:
    node = tables.nodes[index]
    for _ in range(REPEATS):
        for t in range(t0, t1, node[TOGETHER]):
            _gather(tables, work, node, 0, node[WIDTH], (t, min(t + node[TOGETHER], t1), t), t0)


@_loop  # type: ignore[untyped-decorator]
def _all_counters(tables: Any, work: Any, index: int, t0: int, t1: int) -> None:
    for _ in range(REPEATS):
        _count_operations(tables, work, tables.nodes[index], work.counters[index], t0, t1, 0)


@_loop  # type: ignore[untyped-decorator]
def _all_neurons(tables: Any, work: Any, index: int, t0: int, t1: int) -> None:
    """Let neurons step; those that spike on sums as they came, so that as many fire: that time is taken off again."""
    node = tables.nodes[index]
    width = node[WIDTH]
    message = work.messages[node[MESSAGES] : node[MESSAGES] + width]
    for _ in range(REPEATS):
        for t in range(t0, t1):
            row = (t - t0) % node[TOGETHER]
            if node[SPIKES] and row == 0:
                _gather(tables, work, node, 0, width, (t, min(t + node[TOGETHER], t1), t), t0)
            _law(tables, work, node, message, 0, width, row * node[SUM_WIDTH])
            if node[SPIKES] and not _lists(tables, node):
                _compact(work.flags[:width], work.flag_words, message, 0)


def parts(graph: Any, x: Array) -> dict[str, float]:
    """Return microseconds a step of synapses, counters, and every kind of node; 'whole' is the same in one run.

    x (samples, steps, lines) is played as one long sample, so that short ones fill a chunk too.
    """
    x = x.reshape(1, -1, x.shape[2])[:, : 16 * CHUNK]
    plan = lay_out(graph)
    steps, period = x.shape[1], graph.period(x.shape[1])
    work, probes, lines = plan.work(period), np.zeros((1, 0), np.int64), listed(graph, x)
    output, stages = np.zeros((1, graph.nodes[graph.output].neurons), np.int64), (0, len(plan.tables.stages))

    def play() -> None:
        run(
            plan.tables,
            work,
            lines,
            output,
            probes,
            stages,
            (0, steps),
            (steps, period, period),
            CHUNK,
            (0, 1),
            NO_SYNC,
        )

    found = {"whole": best(play, steps), "synapses": 0.0, "counters": 0.0}
    t1 = steps // CHUNK * CHUNK
    for index, name in enumerate(plan.names):
        kind = graph.nodes[name].kind
        if kind == "source":
            continue
        arguments = (plan.tables, work, index, t1 - CHUNK, t1)
        synapses = best(lambda a=arguments: _all_synapses(*a), STEPS)
        found["synapses"] += synapses
        found["counters"] += best(lambda a=arguments: _all_counters(*a), STEPS)
        neurons = best(lambda a=arguments: _all_neurons(*a), STEPS)
        found[kind] = found.get(kind, 0.0) + neurons - (synapses if graph.nodes[name].message_bits == 1 else 0)
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
